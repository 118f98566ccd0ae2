//! What a test does to the relay, what a relay does that does not keep to its rules, and thefts.

use sotto_engine::{Line, Table};
use sotto_outer::{ReceiveId, RelayFrame};

use super::{World, client::ClientId, hostile::Mischief, network::End, relay::Crash, thief::Thief};

impl World {
    /// Ends the relay's process at once. It stays down.
    pub fn stop_relay(&mut self, crash: Crash) {
        self.relay.crash(crash);
        self.commit_planned = false;
        for conn in self.network.standing() {
            self.cut(conn);
        }
    }

    /// Starts a relay that does not run.
    pub fn start_relay(&mut self) {
        if !self.relay.is_running() {
            self.relay.start();
        }
    }

    /// Sets how the relay misbehaves.
    pub const fn set_mischief(&mut self, mischief: Mischief) {
        self.hostile.mischief = mischief;
    }

    /// Delivers to a client again all that was ever delivered to it, under the old ids or under new ones. Says how much.
    pub fn replay_all(&mut self, id: ClientId, under_new_ids: bool) -> usize {
        let mut count = 0;
        for mailbox in self.mailboxes(id) {
            for mut deliver in self.hostile.kept(&mailbox).to_vec() {
                if under_new_ids {
                    deliver.id = self.hostile.fresh_id();
                }
                self.inject(id, RelayFrame::Deliver(deliver));
                count += 1;
            }
        }
        count
    }

    /// Delivers noise to a client, so many envelopes a mailbox.
    pub fn inject_junk(&mut self, id: ClientId, count: usize) {
        for mailbox in self.mailboxes(id) {
            for _ in 0..count {
                let junk = self.hostile.junk(mailbox);
                self.inject(id, RelayFrame::Deliver(junk));
            }
        }
    }

    fn inject(&mut self, id: ClientId, frame: RelayFrame) {
        let line = Line::reading(*self.relay.address().identity());
        if let Some(conn) = self.clients[id.0].conn(line) {
            self.transmit(conn, frame.encode(), End::Client);
        }
    }

    fn mailboxes(&self, id: ClientId) -> Vec<ReceiveId> {
        let keys = self.client(id).rows.table(Table::Mailbox).map(|(key, _)| key);
        keys.map(|key| ReceiveId::try_from(key).expect("a mailbox lies under its receive id")).collect()
    }

    /// A thief copies all that a client has durably, and listens from now on. Says which thief.
    pub fn steal(&mut self, id: ClientId) -> usize {
        let number = self.thieves.len();
        self.thieves.push(Thief::new(id, &self.clients[id.0].rows));
        number
    }

    /// A thief.
    pub fn thief(&self, number: usize) -> &Thief {
        &self.thieves[number]
    }
}
