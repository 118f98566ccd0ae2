//! What a test does to relays, what a relay does that does not keep to its rules, and thefts.

use sotto_engine::{
    Line, Table,
    record::{Known, OwnMailbox, Record},
};
use sotto_outer::{Bundle, Deliver, MailboxKind, ReceiveId, RelayFrame};

use super::{
    World,
    client::ClientId,
    hostile::{Again, Mischief, Overrule},
    network::End,
    relay::{Crash, RelayId},
    thief::Thief,
};

impl World {
    /// Ends the first relay's process at once. It stays down.
    pub fn stop_relay(&mut self, crash: Crash) {
        self.stop_relay_of(RelayId(0), crash);
    }

    /// Ends a relay's process at once. It stays down.
    pub fn stop_relay_of(&mut self, id: RelayId, crash: Crash) {
        self.relays[id.0].crash(crash);
        let identity = *self.relays[id.0].address().identity();
        for conn in self.network.standing_at(&identity) {
            self.cut(conn);
        }
    }

    /// Starts the first relay, if it does not run.
    pub fn start_relay(&mut self) {
        self.start_relay_of(RelayId(0));
    }

    /// Starts a relay that does not run.
    pub fn start_relay_of(&mut self, id: RelayId) {
        if !self.relays[id.0].is_running() {
            self.relays[id.0].start();
        }
    }

    /// Ends a relay's process, and nobody ever starts it again.
    pub fn bury_relay(&mut self, id: RelayId) {
        self.stop_relay_of(id, Crash::BeforeCommit);
        self.buried.insert(id);
    }

    /// Sets how the relay misbehaves.
    pub const fn set_mischief(&mut self, mischief: Mischief) {
        self.hostile.mischief = mischief;
    }

    /// Lets relays answer like this from now on, or by their rules again.
    pub const fn overrule(&mut self, answers: Option<Overrule>) {
        self.hostile.overrule = answers;
    }

    /// Delivers to a client again all that was ever delivered to it, under the old ids or under new ones. Says how much.
    pub fn replay_all(&mut self, id: ClientId, order: Again, under_new_ids: bool) -> usize {
        let mut count = 0;
        for (line, mailbox) in self.mailboxes(id) {
            for mut deliver in self.hostile.kept_again(&mailbox, order) {
                if under_new_ids {
                    deliver.id = self.hostile.fresh_id();
                }
                self.inject(id, line, RelayFrame::Deliver(deliver));
                count += 1;
            }
        }
        count
    }

    /// Delivers into each mailbox of a client all that was ever delivered into any other, theirs or somebody else's.
    pub fn replay_elsewhere(&mut self, id: ClientId) -> usize {
        let mut count = 0;
        for (line, mailbox) in self.mailboxes(id) {
            for deliver in self.hostile.kept_elsewhere(&mailbox) {
                self.inject(id, line, RelayFrame::Deliver(Deliver { mailbox, ..deliver }));
                count += 1;
            }
        }
        count
    }

    /// The payloads that were ever delivered to the mailboxes of a client.
    pub fn kept_payloads(&self, id: ClientId) -> Vec<Vec<u8>> {
        let kept = self.mailboxes(id).into_iter().flat_map(|(_, mailbox)| self.hostile.kept(&mailbox).to_vec());
        kept.map(|deliver| deliver.payload).collect()
    }

    /// Delivers a payload into every mailbox of a client.
    pub fn inject_payload(&mut self, id: ClientId, payload: &[u8]) {
        for (line, mailbox) in self.mailboxes(id) {
            let deliver = Deliver { mailbox, id: self.hostile.fresh_id(), payload: payload.to_vec() };
            self.inject(id, line, RelayFrame::Deliver(deliver));
        }
    }

    /// Gives this out in place of every bundle from now on, or the true ones again.
    pub fn forge_bundles(&mut self, forged: Option<Bundle>) {
        self.hostile.forged = forged;
    }

    /// Every bundle that was asked for, as an honest relay answers, oldest first.
    pub fn bundles(&self) -> &[Bundle] {
        &self.hostile.bundles
    }

    /// Envelopes that were dropped and said to be there.
    pub const fn dropped(&self) -> u64 {
        self.hostile.dropped
    }

    /// Delivers noise to a client, so many envelopes a mailbox.
    pub fn inject_junk(&mut self, id: ClientId, count: usize) {
        for (line, mailbox) in self.mailboxes(id) {
            for _ in 0..count {
                let junk = self.hostile.junk(mailbox);
                self.inject(id, line, RelayFrame::Deliver(junk));
            }
        }
    }

    /// Delivers this to a client through its contact mailboxes, as one does who has the link.
    pub fn knock(&mut self, id: ClientId, payload: &[u8]) {
        for (line, mailbox) in self.mailboxes_of_kind(id, MailboxKind::Contact) {
            let deliver = Deliver { mailbox, id: self.hostile.fresh_id(), payload: payload.to_vec() };
            self.inject(id, line, RelayFrame::Deliver(deliver));
        }
    }

    /// Delivers this to a client through the mailboxes that it deleted and whose relay has not.
    pub fn knock_at_dead(&mut self, id: ClientId, payload: &[u8]) {
        let rows = self.client(id).rows.table(Table::Mailbox).map(|(key, row)| {
            let id = ReceiveId::try_from(key).expect("a mailbox lies under its receive id");
            (id, OwnMailbox::from_row(row).expect("a record of the engine reads back"))
        });
        let dead: Vec<_> = rows.filter(|(_, mailbox)| mailbox.known == Known::Unwanted).collect();
        for (mailbox, own) in dead {
            let deliver = Deliver { mailbox, id: self.hostile.fresh_id(), payload: payload.to_vec() };
            self.inject(id, Line::reading(*own.relay.identity()), RelayFrame::Deliver(deliver));
        }
    }

    fn inject(&mut self, id: ClientId, line: Line, frame: RelayFrame) {
        if let Some(conn) = self.clients[id.0].conn(line) {
            self.transmit(conn, frame.encode(), End::Client);
        }
    }

    /// A client's mailboxes, and the lines they are read on.
    fn mailboxes(&self, id: ClientId) -> Vec<(Line, ReceiveId)> {
        let kinds = [MailboxKind::Pairwise, MailboxKind::Contact];
        kinds.into_iter().flat_map(|kind| self.mailboxes_of_kind(id, kind)).collect()
    }

    fn mailboxes_of_kind(&self, id: ClientId, kind: MailboxKind) -> Vec<(Line, ReceiveId)> {
        let rows = self.client(id).rows.table(Table::Mailbox).map(|(key, row)| {
            let id = ReceiveId::try_from(key).expect("a mailbox lies under its receive id");
            (id, OwnMailbox::from_row(row).expect("a record of the engine reads back"))
        });
        let of_kind = rows.filter(|(_, mailbox)| mailbox.kind == kind);
        of_kind.map(|(id, mailbox)| (Line::reading(*mailbox.relay.identity()), id)).collect()
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
