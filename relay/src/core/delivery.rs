//! Delivery: what is stored goes to its reader, in order, as far as the connection's window reaches, and stays stored until
//! it is acknowledged.

use sha2::{Digest, Sha256};
use sotto_outer::{Deliver, EnvelopeId, ReceiveId, RelayFrame, limits::PAYLOAD_BYTES_MAX};

use super::{
    Awaiting, Config, Conn, Connection, Core, Subscription, Tag, Ticket, Transit, Turn,
    subscription::{Progress, Reader},
};
use crate::storage::{Envelope, Op, Outcome};

/// Reads on their way for one connection.
const READS_MAX: usize = 16;

impl Config {
    /// What nodes call a mailbox among each other.
    pub(crate) fn tag(&self, mailbox: &ReceiveId) -> Tag {
        let digest = Sha256::new_with_prefix(self.wake_key).chain_update(mailbox.as_bytes()).finalize();
        Tag(u64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes")))
    }
}

impl Core {
    /// Makes `conn` the reader of a mailbox, in place of any other, and begins with all that is not acknowledged.
    pub(crate) fn attach(&mut self, turn: &mut Turn<'_>, conn: Conn, mailbox: ReceiveId) {
        if !self.connections.contains_key(&conn) {
            return;
        }
        self.detach(&mailbox);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.mailboxes.insert(mailbox);
        connection.behind.push_back(mailbox);
        self.tags.insert(self.config.tag(&mailbox), mailbox);
        self.subscriptions.insert(mailbox, Subscription::new(conn));
        self.refill(turn, conn);
    }

    /// Leaves a mailbox without a reader. What was on its way stays stored.
    pub(crate) fn detach(&mut self, mailbox: &ReceiveId) {
        let Some(subscription) = self.subscriptions.remove(mailbox) else { return };
        self.tags.remove(&self.config.tag(mailbox));
        let Some(connection) = self.connections.get_mut(&subscription.conn) else { return };
        connection.mailboxes.remove(mailbox);
        connection.behind.retain(|behind| behind != mailbox);
        for bytes in subscription.in_flight_bytes() {
            connection.window.remove(bytes);
            self.transit.remove(1, bytes);
        }
    }

    /// Whether a connection is the reader of a mailbox.
    pub(crate) fn reads(&self, conn: Conn, mailbox: &ReceiveId) -> bool {
        self.subscriptions.get(mailbox).is_some_and(|subscription| subscription.conn == conn)
    }

    /// An envelope has just been stored: it goes straight to its reader where there is one and nothing waits before it.
    pub(crate) fn deliver_fresh(&mut self, turn: &mut Turn<'_>, mailbox: ReceiveId, envelope: Envelope) {
        let Some(subscription) = self.subscriptions.get_mut(&mailbox) else {
            return turn.wake(self.config.tag(&mailbox));
        };
        match subscription.progress {
            // The read comes after this envelope in the store's order, so it will find it.
            Progress::Behind | Progress::Reading { .. } => {}
            Progress::Level => {
                let Some(connection) = self.connections.get_mut(&subscription.conn) else { return };
                if connection.window.fits(envelope.payload.len(), self.transit.window_bytes()) {
                    send(turn, &mut self.transit, connection, subscription, mailbox, envelope);
                } else {
                    subscription.progress = Progress::Behind;
                    connection.behind.push_back(mailbox);
                }
            }
        }
    }

    /// An envelope that is never stored: its reader gets it now or not at all. It takes no place in the window, for it
    /// needs no ack, but a reader whose window is full has enough to do.
    pub(crate) fn deliver_ephemeral(&self, turn: &mut Turn<'_>, mailbox: ReceiveId, id: EnvelopeId, payload: Vec<u8>) {
        let Some(subscription) = self.subscriptions.get(&mailbox) else { return };
        let Some(connection) = self.connections.get(&subscription.conn) else { return };
        if connection.window.is_open(self.transit.window_bytes()) {
            turn.reply(subscription.conn, RelayFrame::Deliver(Deliver { mailbox, id, payload }));
        }
    }

    /// Envelopes were acknowledged and are deleted: room for others.
    pub(crate) fn acknowledged(&mut self, turn: &mut Turn<'_>, conn: Conn, mailbox: &ReceiveId, ids: &[EnvelopeId]) {
        let Some(subscription) = self.subscriptions.get_mut(mailbox).filter(|subscription| subscription.conn == conn)
        else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        for bytes in ids.iter().filter_map(|id| subscription.acknowledged(id)) {
            connection.window.remove(bytes);
            self.transit.remove(1, bytes);
        }
        self.tell_caught_up(turn, mailbox);
        self.refill(turn, conn);
    }

    /// Reads for a connection whatever its window has room for.
    pub(crate) fn refill(&mut self, turn: &mut Turn<'_>, conn: Conn) {
        while let Some(connection) = self.connections.get_mut(&conn) {
            let window_bytes = self.transit.window_bytes();
            if connection.reading == READS_MAX || !connection.window.is_open(window_bytes) {
                return;
            }
            // Several mailboxes share what is free; what does not fit in the end is read again later.
            let sharers = connection.behind.len().clamp(1, READS_MAX);
            let envelopes_max = connection.window.free_envelopes().div_ceil(sharers);
            let share = connection.window.free_bytes(window_bytes) / sharers;
            let bytes_max = share.min(self.transit.spare()).max(PAYLOAD_BYTES_MAX);
            let Some(mailbox) = connection.behind.pop_front() else { return };
            let Some(subscription) = self.subscriptions.get(&mailbox) else { continue };
            connection.reading += 1;
            connection.window.begin_read(bytes_max);
            self.transit.begin_read(bytes_max);
            let in_flight = subscription.in_flight_seqs();
            let op = Op::Next { mailbox, in_flight, envelopes_max, bytes_max, now: turn.now };
            let ticket = self.store(turn, op, Awaiting::Next(Reader { conn, mailbox, bytes_max }));
            if let Some(subscription) = self.subscriptions.get_mut(&mailbox) {
                subscription.progress = Progress::Reading { ticket, again: false };
            }
        }
    }

    /// Reads for all connections that have fallen behind, as after a failure of the store.
    pub(crate) fn refill_all(&mut self, turn: &mut Turn<'_>) {
        let behind = self.connections.iter().filter(|(_, connection)| !connection.behind.is_empty());
        for conn in behind.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.refill(turn, conn);
        }
    }

    /// Another node says that something was stored.
    pub(crate) fn woken(&mut self, turn: &mut Turn<'_>, tag: Tag) {
        let Some(mailbox) = self.tags.get(&tag).copied() else { return };
        let Some(subscription) = self.subscriptions.get_mut(&mailbox) else { return };
        match &mut subscription.progress {
            Progress::Behind => {}
            Progress::Reading { again, .. } => *again = true,
            Progress::Level => {
                subscription.progress = Progress::Behind;
                let conn = subscription.conn;
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.behind.push_back(mailbox);
                }
                self.refill(turn, conn);
            }
        }
    }

    /// What was read comes from the store.
    pub(crate) fn read(&mut self, turn: &mut Turn<'_>, ticket: Ticket, reader: Reader, outcome: Outcome) {
        let Reader { conn, mailbox, bytes_max } = reader;
        self.transit.end_read(bytes_max);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.reading -= 1;
        connection.window.end_read(bytes_max);
        let Some(subscription) = self.subscriptions.get_mut(&mailbox) else { return self.refill(turn, conn) };
        // Another subscription has taken the place of the one that this was read for.
        let again = match subscription.progress {
            Progress::Reading { ticket: expected, again } if expected == ticket => again,
            Progress::Behind | Progress::Reading { .. } | Progress::Level => return self.refill(turn, conn),
        };
        let Outcome::Envelopes { envelopes, more } = outcome else {
            // The store failed; the next tick tries again.
            subscription.progress = Progress::Behind;
            return connection.behind.push_back(mailbox);
        };
        let mut left_over = more || again;
        for envelope in envelopes {
            if !connection.window.fits(envelope.payload.len(), self.transit.window_bytes()) {
                left_over = true;
                break;
            }
            send(turn, &mut self.transit, connection, subscription, mailbox, envelope);
        }
        if left_over {
            subscription.progress = Progress::Behind;
            connection.behind.push_back(mailbox);
        } else {
            subscription.level();
            self.tell_caught_up(turn, &mailbox);
        }
        self.refill(turn, conn);
    }

    fn tell_caught_up(&mut self, turn: &mut Turn<'_>, mailbox: &ReceiveId) {
        let Some(subscription) = self.subscriptions.get_mut(mailbox) else { return };
        if subscription.catches_up() {
            turn.reply(subscription.conn, RelayFrame::CaughtUp { mailbox: *mailbox });
        }
    }
}

/// Sends an envelope that fits the window and notes it as in flight.
fn send(
    turn: &mut Turn<'_>,
    transit: &mut Transit,
    connection: &mut Connection,
    subscription: &mut Subscription,
    mailbox: ReceiveId,
    envelope: Envelope,
) {
    let Envelope { seq, id, payload } = envelope;
    // An id comes twice only where the first envelope expired on its way; that one cannot come back.
    if let Some(bytes) = subscription.acknowledged(&id) {
        connection.window.remove(bytes);
        transit.remove(1, bytes);
    }
    connection.window.add(payload.len());
    transit.add(payload.len());
    subscription.sent(id, seq, payload.len());
    turn.reply(subscription.conn, RelayFrame::Deliver(Deliver { mailbox, id, payload: payload.into() }));
}
