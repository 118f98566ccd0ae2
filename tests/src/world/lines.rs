//! Between clients and the relay: lines that are dialled, carry frames and are cut; and the relay's side of it, with its commits
//! and crashes.

use sotto_engine::Event;
use sotto_outer::RelayFrame;
use sotto_relay::core::Conn;

use super::{
    Occurrence, World,
    client::ClientId,
    clock::{MINUTE, SECOND},
    network::End,
    relay::{Crash, Wish},
};

impl World {
    pub(super) fn plan_dial(&mut self, id: ClientId, millis_max: u64) {
        let client = &mut self.clients[id.0];
        if client.wants_connection && client.conn.is_none() && !client.dialling {
            client.dialling = true;
            self.clock.after(self.chance.below(millis_max), Occurrence::Dial { client: id, life: client.life });
        }
    }

    pub(super) fn dial(&mut self, id: ClientId, life: u32) {
        let now = self.clock.now();
        let client = &mut self.clients[id.0];
        if client.life != life || !client.is_running() {
            return;
        }
        client.dialling = false;
        if !client.online || !self.relay.is_running() {
            return self.plan_dial(id, MINUTE);
        }
        let conn = self.network.connect(id, now);
        client.conn = Some(conn);
        client.enqueue(Event::Connected { address: self.relay.address().clone(), exporter: None });
        let wishes = self.relay.opened(now, conn);
        self.grant(wishes);
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
        if self.network.stands(conn) {
            let wishes = self.relay.received(self.clock.now(), conn, bytes);
            self.grant(wishes);
        }
    }

    pub(super) fn at_client(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(id) = self.network.client(conn) else { return };
        let frame = RelayFrame::decode(bytes).expect("a relay's frames decode");
        let relay = *self.relay.address().identity();
        self.tell(|world| format!("{} hears {frame:?}", world.client(id).name));
        self.clients[id.0].enqueue(Event::FrameReceived { relay, frame });
        self.plan_turn(id);
    }

    pub(super) fn cut_line_of(&mut self, id: ClientId) {
        if let Some(conn) = self.clients[id.0].conn {
            self.cut(conn);
        }
    }

    pub(super) fn cut(&mut self, conn: Conn) {
        let Some(client) = self.network.client(conn) else { return };
        let Some((at_client, at_relay)) = self.network.cut(conn, self.clock.now()) else { return };
        let life = self.clients[client.0].life;
        self.clock.at(at_client, Occurrence::LostAtClient { client, conn, life });
        self.clock.at(at_relay, Occurrence::LostAtRelay { conn, life: self.relay.life });
    }

    pub(super) fn lost_at_client(&mut self, id: ClientId, conn: Conn, life: u32) {
        let client = &mut self.clients[id.0];
        if client.life != life || client.conn != Some(conn) {
            return;
        }
        client.conn = None;
        client.enqueue(Event::Disconnected { relay: *self.relay.address().identity() });
        self.plan_dial(id, 30 * SECOND);
        self.plan_turn(id);
    }

    pub(super) fn grant(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send(conn, frame) => {
                    for frame in self.hostile.twist(conn, frame) {
                        self.transmit(conn, frame.encode(), End::Client);
                    }
                }
                Wish::Close(conn) => self.cut(conn),
            }
        }
        if self.relay.is_writing() && !self.commit_planned {
            self.commit_planned = true;
            self.clock.after(self.chance.between(1, 12), Occurrence::Commit { life: self.relay.life });
        }
    }

    pub(super) fn commit(&mut self, life: u32) {
        if life != self.relay.life || !self.relay.is_running() {
            return;
        }
        self.commit_planned = false;
        if self.chance.one_in(self.faults.relay_crash_one_in) {
            let crash = if self.chance.one_in(2) { Crash::BeforeCommit } else { Crash::AfterCommit };
            self.stop_relay(crash);
            return self.clock.after(self.chance.between(SECOND, 10 * MINUTE), Occurrence::RelayStart { life });
        }
        let fails = self.chance.one_in(self.faults.relay_commit_fails_one_in);
        let wishes = self.relay.commit(self.clock.now(), fails);
        self.grant(wishes);
    }
}
