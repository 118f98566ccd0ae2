//! What happened to every envelope: when it was sent, answered, delivered and acknowledged. Whatever contradicts a promise of the
//! relay is found as soon as it is written down.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use sotto_outer::{Deliver, EnvelopeId};

/// A place in the order in which things were written down.
type Event = u64;

/// All that happened.
#[derive(Default)]
pub(super) struct Record {
    events: Event,
    envelopes: HashMap<EnvelopeId, Envelope>,
    /// The latest jump of the clock that was long enough to make the relay forget ids.
    long_jump: Event,
    pub(super) done: usize,
    pub(super) busy: usize,
    pub(super) delivered_again: usize,
}

/// What happened to one envelope.
struct Envelope {
    mailbox: u64,
    sent: Event,
    /// The sender was told that it is durable.
    done: Option<Event>,
    delivered: bool,
    /// Its reader asked to delete it.
    ack_asked: Event,
    /// Its reader was told that it is deleted.
    acked: bool,
}

/// One connection's reading of one mailbox: the latest sending among what it was delivered.
#[derive(Default)]
pub(super) struct Reading {
    latest_sent: Event,
    got: Vec<EnvelopeId>,
}

/// The payload of an envelope, so that what is delivered proves itself.
pub(super) fn payload(id: EnvelopeId) -> Vec<u8> {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    digest.repeat(usize::from(digest[0]) / 8 + 1)
}

impl Record {
    pub(super) fn sent(&mut self, mailbox: u64, id: EnvelopeId) {
        let sent = self.event();
        let new = Envelope { mailbox, sent, done: None, delivered: false, ack_asked: 0, acked: false };
        self.envelopes.entry(id).or_insert(new);
    }

    pub(super) fn done(&mut self, id: EnvelopeId) {
        let event = self.event();
        self.done += 1;
        self.envelope(id).done = Some(event);
    }

    /// The clock was told to jump far.
    pub(super) fn long_jump(&mut self) {
        self.long_jump = self.event();
    }

    /// Checks a delivery to the reader of `mailbox`.
    pub(super) fn delivered(&mut self, mailbox: u64, reading: &mut Reading, deliver: &Deliver) {
        assert!(deliver.payload == payload(deliver.id), "an envelope was changed");
        assert!(!reading.got.contains(&deliver.id), "delivered twice on one connection");
        reading.got.push(deliver.id);
        let long_jump = self.long_jump;
        let envelope = self.envelope(deliver.id);
        assert_eq!(envelope.mailbox, mailbox, "delivered to a wrong mailbox");
        // After ten minutes, or a jump as long, an id is forgotten, and the sender's repeat is a new envelope.
        assert!(!envelope.acked || long_jump > envelope.ack_asked, "delivered again after it was deleted");
        let done = envelope.done.unwrap_or(Event::MAX);
        assert!(done > reading.latest_sent, "delivered after one that was sent when this was done already");
        reading.latest_sent = reading.latest_sent.max(envelope.sent);
        let again = std::mem::replace(&mut envelope.delivered, true);
        self.delivered_again += usize::from(again);
    }

    pub(super) fn ack_asked(&mut self, id: EnvelopeId) {
        let event = self.event();
        self.envelope(id).ack_asked = event;
    }

    pub(super) fn acked(&mut self, id: EnvelopeId) {
        self.envelope(id).acked = true;
    }

    /// Envelopes that were answered `done` and never delivered.
    pub(super) fn lost(&self) -> usize {
        self.envelopes.values().filter(|envelope| envelope.done.is_some() && !envelope.delivered).count()
    }

    fn event(&mut self) -> Event {
        self.events += 1;
        self.events
    }

    fn envelope(&mut self, id: EnvelopeId) -> &mut Envelope {
        self.envelopes.get_mut(&id).expect("nobody sent such an envelope")
    }
}
