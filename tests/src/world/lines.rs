//! Between clients and relays: lines that are dialled, carry frames and are cut; and the relays' side of it, with its commits
//! and crashes.

use sotto_engine::{Event, Line};
use sotto_outer::{ClientFrame, Command, RelayFrame};
use sotto_relay::core::Conn;

use super::{
    Occurrence, World,
    client::ClientId,
    clock::{MINUTE, SECOND},
    hostile::Twisted,
    network::End,
    relay::{Crash, RelayId, Wish},
};

impl World {
    pub(super) fn plan_dial(&mut self, id: ClientId, line: Line, millis_max: u64) {
        let client = &mut self.clients[id.0];
        let Some(wire) = client.lines.get_mut(&line) else { return };
        if wire.conn.is_none() && !wire.dialling {
            wire.dialling = true;
            self.clock.after(self.chance.below(millis_max), Occurrence::Dial { client: id, line, life: client.life });
        }
    }

    pub(super) fn dial(&mut self, id: ClientId, line: Line, life: u32) {
        let now = self.clock.now();
        let relay = self.relay_at(&line.relay).filter(|relay| self.relays[relay.0].is_running());
        let client = &mut self.clients[id.0];
        if client.life != life || !client.is_running() {
            return;
        }
        // A line may have been given up, and asked for again, since this dial was planned.
        let Some(wire) = client.lines.get_mut(&line).filter(|wire| wire.dialling) else { return };
        wire.dialling = false;
        let Some(relay) = relay.filter(|_| client.online) else {
            return self.plan_dial(id, line, MINUTE);
        };
        let conn = self.network.connect(id, line, now);
        wire.conn = Some(conn);
        client.enqueue(Event::Connected {
            role: line.role,
            address: self.relays[relay.0].address().clone(),
            exporter: None,
        });
        let wishes = self.relays[relay.0].opened(now, conn);
        self.grant(relay, wishes);
        self.plan_turn(id);
    }

    pub(super) fn transmit(&mut self, conn: Conn, bytes: Vec<u8>, to: End) {
        if !self.network.stands(conn) {
            return;
        }
        let Some(time) = self.network.arrival(conn, to, self.clock.now()) else { return self.cut(conn) };
        let occurrence = match to {
            End::Relay => Occurrence::AtRelay { conn, bytes },
            End::Client => Occurrence::AtClient { conn, bytes },
        };
        self.clock.at(time, occurrence);
    }

    pub(super) fn at_relay(&mut self, conn: Conn, bytes: &[u8]) {
        let relay = self.network.owner(conn).and_then(|(_, line)| self.relay_at(&line.relay));
        if let Some(lie) = relay.and_then(|relay| self.hostile.answer_falsely(relay, bytes)) {
            return self.transmit(conn, lie.encode(), End::Client);
        }
        if let Some(relay) = relay {
            let wishes = self.relays[relay.0].received(self.clock.now(), conn, bytes);
            self.grant(relay, wishes);
        }
    }

    pub(super) fn at_client(&mut self, conn: Conn, bytes: &[u8]) {
        let Some((id, line)) = self.network.owner(conn) else { return };
        let frame = RelayFrame::decode(bytes).expect("a relay's frames decode");
        self.tell(|world| format!("{} hears on {line:?} {frame:?}", world.client(id).name));
        self.clients[id.0].enqueue(Event::FrameReceived { line, frame });
        self.plan_turn(id);
    }

    /// Cuts all lines of a client.
    pub(super) fn cut_lines_of(&mut self, id: ClientId) {
        for conn in self.clients[id.0].conns() {
            self.cut(conn);
        }
    }

    /// Ends a line that its client does not want any more.
    pub(super) fn hang_up(&mut self, id: ClientId, line: Line) {
        if let Some(conn) = self.clients[id.0].lines.remove(&line).and_then(|wire| wire.conn) {
            self.cut(conn);
        }
    }

    pub(super) fn cut(&mut self, conn: Conn) {
        let Some((client, line)) = self.network.owner(conn) else { return };
        let Some((at_client, at_relay)) = self.network.cut(conn, self.clock.now()) else { return };
        let life = self.clients[client.0].life;
        self.clock.at(at_client, Occurrence::LostAtClient { client, line, conn, life });
        if let Some(relay) = self.relay_at(&line.relay) {
            self.clock.at(at_relay, Occurrence::LostAtRelay { relay, conn, life: self.relays[relay.0].life });
        }
    }

    pub(super) fn lost_at_client(&mut self, id: ClientId, line: Line, conn: Conn, life: u32) {
        let client = &mut self.clients[id.0];
        let Some(wire) = client.lines.get_mut(&line).filter(|wire| wire.conn == Some(conn)) else { return };
        if client.life != life {
            return;
        }
        wire.conn = None;
        client.enqueue(Event::Disconnected { line });
        self.plan_dial(id, line, 30 * SECOND);
        self.plan_turn(id);
    }

    pub(super) fn grant(&mut self, id: RelayId, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send(conn, frame) => {
                    let Twisted { out, acknowledged } = self.hostile.twist(conn, *frame);
                    for frame in out {
                        self.transmit(conn, frame.encode(), End::Client);
                    }
                    if let Some(ack) = acknowledged {
                        let bytes = ClientFrame { request: 0, command: Command::Ack(ack) }.encode();
                        let wishes = self.relays[id.0].received(self.clock.now(), conn, &bytes);
                        self.grant(id, wishes);
                    }
                }
                Wish::Close(conn) => self.cut(conn),
            }
        }
        let relay = &mut self.relays[id.0];
        if relay.is_writing() && !relay.commit_planned {
            relay.commit_planned = true;
            self.clock.after(self.chance.between(1, 12), Occurrence::Commit { relay: id, life: relay.life });
        }
    }

    pub(super) fn commit(&mut self, id: RelayId, life: u32) {
        let relay = &mut self.relays[id.0];
        if life != relay.life || !relay.is_running() {
            return;
        }
        relay.commit_planned = false;
        if self.chance.one_in(self.faults.relay_crash_one_in) {
            let crash = if self.chance.one_in(2) { Crash::BeforeCommit } else { Crash::AfterCommit };
            self.stop_relay_of(id, crash);
            let after = self.chance.between(SECOND, 10 * MINUTE);
            return self.clock.after(after, Occurrence::RelayStart { relay: id, life });
        }
        let fails = self.chance.one_in(self.faults.relay_commit_fails_one_in);
        let wishes = self.relays[id.0].commit(self.clock.now(), fails);
        self.grant(id, wishes);
    }
}
