//! A client's life: events, one commit, effects one by one, and the moments between them at which its machine fails.

use sotto_engine::{Change, Effect, Event, Line, Outcome, Role, Timestamp};
use sotto_outer::{ClientFrame, Command};

use super::{
    Accepted, Occurrence, Released, World,
    client::{ClientId, Turn},
    clock::{HOUR, SECOND},
    network::End,
    thief::Direction,
};

impl World {
    pub(super) fn plan_turn(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        if client.is_running() && client.has_events() && !client.turn_planned {
            client.turn_planned = true;
            self.clock.after(self.chance.below(4), Occurrence::Turn { client: id, life: client.life });
        }
    }

    pub(super) fn turn(&mut self, id: ClientId, life: u32) {
        let client = &mut self.clients[id.0];
        if client.life != life || !client.is_running() {
            return;
        }
        client.turn_planned = false;
        let events_max = self.chance.between(1, 8);
        let commit_fails = self.chance.one_in(self.faults.client_commit_fails_one_in);
        let crashes = self.client_crashes(id);
        match self.clients[id.0].turn(self.clock.now(), events_max, commit_fails || crashes) {
            Turn::Failed if crashes => return self.crash(id),
            Turn::Failed => return self.restart(id),
            Turn::Committed(effects) => self.carry_out(id, effects),
        }
        self.plan_turn(id);
    }

    pub(super) fn carry_out(&mut self, id: ClientId, effects: Vec<Effect>) {
        for effect in &effects {
            self.observe(id, effect);
        }
        for effect in effects {
            if self.client_crashes(id) {
                return self.crash(id);
            }
            self.perform(id, effect);
        }
    }

    /// Takes note of what is free to go, whether or not it gets far.
    pub(super) fn observe(&mut self, id: ClientId, effect: &Effect) {
        let Effect::Transmit(line, ClientFrame { request: _, command }) = effect else { return };
        let role = match command {
            Command::Info(_) => line.role,
            Command::Send(_)
            | Command::Fetch(_)
            | Command::BlobCreate(_)
            | Command::BlobCommit(_)
            | Command::BlobDelete(_) => Role::Sending,
            Command::Token(_) => Role::Admission,
            _ => Role::Reading,
        };
        assert_eq!(role, line.role, "{command:?} left on another line");
        let now = self.clock.now();
        let said = &mut self.clients[id.0].said;
        *(if matches!(command, Command::Ack(_)) { &mut said.acks } else { &mut said.others }) += 1;
        match command {
            Command::Create(create) => {
                if let Some(token) = &create.token {
                    let made = *self.tokens.entry(**token).or_insert(create.receive_id);
                    assert_eq!(made, create.receive_id, "a token is shown for one mailbox");
                }
                self.reader.made(create);
            }
            Command::Send(send) => {
                let verdict = self.reader.released(&self.clients, id, send.mailbox, &send.payload, now);
                for thief in &mut self.thieves {
                    let direction = if thief.victim == id { Direction::FromVictim } else { Direction::ToVictim };
                    thief.overhear(direction, &send.payload, now);
                }
                let durable = send.ttl_secs != Some(0);
                self.released.push(Released { time: now, from: id, mailbox: send.mailbox, durable, verdict });
            }
            Command::Info(_)
            | Command::Token(_)
            | Command::Subscribe(_)
            | Command::Ack(_)
            | Command::Rotate(_)
            | Command::Delete(_)
            | Command::Publish(_)
            | Command::Fetch(_)
            | Command::CreateChannel(_)
            | Command::Append(_)
            | Command::Advance(_)
            | Command::ReadChannel(_)
            | Command::SubscribeChannel(_)
            | Command::CloseChannel(_)
            | Command::BlobCreate(_)
            | Command::BlobCommit(_)
            | Command::BlobDelete(_)
            | Command::Forward(_) => {}
        }
    }

    pub(super) fn perform(&mut self, id: ClientId, effect: Effect) {
        self.tell(|world| format!("{} does {effect:?}", world.client(id).name));
        match effect {
            Effect::UseProxy(proxy) => {
                let client = &mut self.clients[id.0];
                client.proxy = Some(proxy);
                for line in client.lines.keys().copied().collect::<Vec<_>>() {
                    self.hang_up(id, line);
                }
            }
            Effect::Connect(role, address) => {
                let line = Line { relay: *address.identity(), role };
                let client = &mut self.clients[id.0];
                assert!(client.proxy.is_some(), "a relay is dialled before it was said how");
                client.lines.entry(line).or_default();
                self.plan_dial(id, line, SECOND);
            }
            Effect::Disconnect(line) => self.hang_up(id, line),
            Effect::Transmit(line, frame) => {
                if let Some(conn) = self.clients[id.0].conn(line) {
                    self.transmit(conn, frame.encode(), End::Relay);
                }
            }
            Effect::Close(line) => {
                if let Some(conn) = self.clients[id.0].conn(line) {
                    self.cut(conn);
                }
            }
            // A relay has one place here.
            Effect::Judged(..) | Effect::Leave(..) => {}
            Effect::WakeAt(at) => {
                let client = &mut self.clients[id.0];
                client.wake_at = Some(at);
                let time = at.0.saturating_sub(client.skew_millis);
                self.clock.at(time, Occurrence::Wake { client: id, life: client.life, at });
            }
            Effect::Show(change) => {
                self.note_acceptance(id, &change);
                self.clients[id.0].show(change);
            }
            Effect::Notify(notice) => self.clients[id.0].seen.notices.push(notice),
        }
    }

    pub(super) fn note_acceptance(&mut self, id: ClientId, change: &Change) {
        let Change::Answered { ticket, result: Ok(Outcome::Message { chat: _, id: content, .. }) } = change else {
            return;
        };
        if let Some((to, text)) = self.sends.remove(&(id, *ticket)) {
            self.accepted.push(Accepted { from: id, to, id: *content, text });
        }
    }

    pub(super) fn wake(&mut self, id: ClientId, life: u32, at: Timestamp) {
        let client = &mut self.clients[id.0];
        if client.life == life && client.is_running() && client.wake_at == Some(at) {
            client.wake_at = None;
            client.enqueue(Event::Woken);
            self.plan_turn(id);
        }
    }

    pub(super) fn client_crashes(&mut self, id: ClientId) -> bool {
        let met = match &mut self.doomed {
            Some((doomed, after)) if *doomed == id => {
                let met = *after == 0;
                *after = after.saturating_sub(1);
                met
            }
            Some(_) | None => false,
        };
        if met {
            self.doomed = None;
        }
        met || self.chance.one_in(self.faults.client_crash_one_in)
    }

    /// Ends a client's process as a power cut does; somebody starts it again within the hour.
    pub(super) fn crash(&mut self, id: ClientId) {
        self.stop(id);
        let life = self.clients[id.0].life;
        self.clock.after(self.chance.between(SECOND, HOUR), Occurrence::Start { client: id, life });
    }
}
