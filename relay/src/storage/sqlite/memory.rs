//! What the writer knows without asking: mailboxes in use with the ids of their envelopes, and ids acknowledged a short
//! while ago. Payloads are not here.
//!
//! It is a copy of what is in the file, and of the batch being applied. When a batch fails the mailboxes are forgotten, and
//! read again when next used.

use std::collections::{BTreeMap, HashMap};

use sotto_outer::{EnvelopeId, ReceiveId, SendId};

use super::{acknowledged::Acknowledged, channels::Channels};
use crate::{
    storage::{NewMailbox, blocked::Blocked},
    time::Timestamp,
};

/// Mailboxes and envelopes held, together; at about 100 bytes each.
const ENTRIES_MAX: usize = 1_000_000;

/// A row's key in the table `mailbox`.
pub(super) type Key = i64;

pub(super) struct Memory {
    pub(super) next_seq: i64,
    pub(super) mailboxes: Mailboxes,
    pub(super) acknowledged: Acknowledged,
    pub(super) blocked: Blocked,
    pub(super) channels: Channels,
    /// What all blobs use of the quota, once it was counted.
    pub(super) blob_bytes: Option<u64>,
}

/// Mailboxes in use, by any of their names.
#[derive(Default)]
pub(super) struct Mailboxes {
    by_key: HashMap<Key, Mailbox>,
    by_receive_id: HashMap<ReceiveId, Key>,
    by_send_id: HashMap<SendId, Key>,
    envelopes: usize,
    batch: u64,
}

/// A mailbox in use.
pub(super) struct Mailbox {
    pub(super) key: Key,
    pub(super) made: NewMailbox,
    /// By their place in the order.
    pub(super) envelopes: BTreeMap<i64, Entry>,
    pub(super) bytes: u64,
    seqs: HashMap<EnvelopeId, i64>,
    used_in_batch: u64,
}

/// An envelope without its payload.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: EnvelopeId,
    pub(super) bytes: usize,
    pub(super) expires_at: Timestamp,
}

impl Memory {
    pub(super) fn new(next_seq: i64) -> Self {
        Self {
            next_seq,
            mailboxes: Mailboxes::default(),
            acknowledged: Acknowledged::default(),
            channels: Channels::default(),
            blocked: Blocked::default(),
            blob_bytes: None,
        }
    }

    /// A mailbox in use, unless it is suspended, by the owner's name for it.
    pub(super) fn by_receive_id(&mut self, id: &ReceiveId) -> Option<&mut Mailbox> {
        self.mailboxes.by_receive_id(id, &self.blocked)
    }

    /// A mailbox in use, unless it is suspended, by the senders' name for it.
    pub(super) fn by_send_id(&mut self, id: &SendId) -> Option<&mut Mailbox> {
        self.mailboxes.by_send_id(id, &self.blocked)
    }

    /// A batch is durable.
    pub(super) fn committed(&mut self) {
        self.acknowledged.committed();
        self.blocked.committed();
    }

    /// A batch failed: only what is in the file is true.
    pub(super) fn forget_uncommitted(&mut self) {
        self.mailboxes = Mailboxes::default();
        self.blocked.forget_uncommitted();
        self.channels = Channels::default();
        self.blob_bytes = None;
        self.acknowledged.forget_uncommitted();
    }

    /// A batch is done: when too much is held, all that it did not use is forgotten.
    pub(super) fn trim(&mut self) {
        let Mailboxes { by_key, envelopes, batch, .. } = &self.mailboxes;
        if by_key.len() + envelopes > ENTRIES_MAX {
            let unused: Vec<_> = by_key.values().filter(|m| m.used_in_batch < *batch).map(|m| m.key).collect();
            unused.into_iter().for_each(|key| self.mailboxes.remove(key));
        }
        self.mailboxes.batch += 1;
        self.channels.trim();
    }
}

impl Mailboxes {
    pub(super) fn insert(&mut self, key: Key, made: NewMailbox) {
        self.by_receive_id.insert(made.receive_id, key);
        self.by_send_id.insert(made.send_id, key);
        let (envelopes, seqs) = (BTreeMap::new(), HashMap::new());
        self.by_key.insert(key, Mailbox { key, made, envelopes, bytes: 0, seqs, used_in_batch: self.batch });
    }

    pub(super) fn remove(&mut self, key: Key) {
        let Some(mailbox) = self.by_key.remove(&key) else { return };
        self.by_receive_id.remove(&mailbox.made.receive_id);
        self.by_send_id.remove(&mailbox.made.send_id);
        self.envelopes -= mailbox.envelopes.len();
    }

    /// Whether it is known, suspended or not.
    pub(super) fn holds(&self, id: &ReceiveId) -> bool {
        self.by_receive_id.contains_key(id)
    }

    fn by_receive_id(&mut self, id: &ReceiveId, blocked: &Blocked) -> Option<&mut Mailbox> {
        let mailbox = self.by_receive_id.get(id).copied().and_then(|key| self.used(key));
        mailbox.filter(|mailbox| !mailbox.is_hidden_by(blocked))
    }

    pub(super) fn by_send_id(&mut self, id: &SendId, blocked: &Blocked) -> Option<&mut Mailbox> {
        let mailbox = self.by_send_id.get(id).copied().and_then(|key| self.used(key));
        mailbox.filter(|mailbox| !mailbox.is_hidden_by(blocked))
    }

    fn used(&mut self, key: Key) -> Option<&mut Mailbox> {
        let mailbox = self.by_key.get_mut(&key)?;
        mailbox.used_in_batch = self.batch;
        Some(mailbox)
    }

    pub(super) fn insert_envelope(&mut self, key: Key, seq: i64, entry: Entry) {
        let Some(mailbox) = self.by_key.get_mut(&key) else { return };
        mailbox.seqs.insert(entry.id, seq);
        mailbox.bytes += entry.bytes as u64;
        mailbox.envelopes.insert(seq, entry);
        self.envelopes += 1;
    }

    pub(super) fn remove_envelope(&mut self, key: Key, seq: i64) {
        let Some(mailbox) = self.by_key.get_mut(&key) else { return };
        let Some(entry) = mailbox.envelopes.remove(&seq) else { return };
        mailbox.seqs.remove(&entry.id);
        mailbox.bytes -= entry.bytes as u64;
        self.envelopes -= 1;
    }
}

impl Mailbox {
    fn is_hidden_by(&self, blocked: &Blocked) -> bool {
        blocked.hides_mailbox(self.made.receive_id, self.made.send_id)
    }

    pub(super) fn seq(&self, id: &EnvelopeId) -> Option<i64> {
        self.seqs.get(id).copied()
    }
}

/// As the file has it.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// As the file has it.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
