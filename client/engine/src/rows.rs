//! The engine's only way to read: synchronous look-ups of the open transaction.
//!
//! Rows are opaque bytes under opaque keys, ordered by key within their table. What they mean is the engine's affair, how
//! they lie on disk the store's.

use zeroize::Zeroizing;

/// A row's bytes. They may hold keys, so they are wiped on drop.
pub type Value = Zeroizing<Vec<u8>>;

/// The tables of a profile. Names and numbers are part of the store's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Single values: the account, counters, clocks.
    Meta = 0,
    /// Contacts, by root.
    Contact = 1,
    /// Own mailboxes, by receive id.
    Mailbox = 2,
    /// Own bundles, by bundle id.
    Bundle = 3,
    /// Private halves of prekeys, by kind and id.
    Prekey = 4,
    /// Sessions, by contact and session id.
    Session = 5,
    /// Skipped message keys, by session id, chain and number.
    SkippedKey = 6,
    /// What must still reach a contact, by contact and sequence.
    Outbox = 7,
    /// Outbox keys, by content id.
    OutboxIndex = 8,
    /// Messages, by chat, hybrid time, author and content id.
    Message = 9,
    /// Message keys, by content id.
    MessageIndex = 10,
    /// Digests of opened and refused envelopes.
    Digest = 11,
    /// The same, by day, for forgetting.
    DigestDay = 12,
    /// Receipts owed, by contact and content id.
    Receipt = 13,
    /// What to do when, by time.
    Timer = 14,
    /// What happened, by sequence: the event stream.
    Journal = 15,
    /// Handshakes that used a last-resort prekey, by prekey and handshake.
    Handshake = 16,
    /// Content ids by the caller's idempotency key.
    Idempotency = 17,
    /// Issued repair tags, by tag.
    RepairTag = 18,
}

impl Table {
    /// Every table, in number order.
    pub const ALL: [Self; 19] = [
        Self::Meta,
        Self::Contact,
        Self::Mailbox,
        Self::Bundle,
        Self::Prekey,
        Self::Session,
        Self::SkippedKey,
        Self::Outbox,
        Self::OutboxIndex,
        Self::Message,
        Self::MessageIndex,
        Self::Digest,
        Self::DigestDay,
        Self::Receipt,
        Self::Timer,
        Self::Journal,
        Self::Handshake,
        Self::Idempotency,
        Self::RepairTag,
    ];
}

/// Keys from `from` (included) up to `to` (excluded; none means the table's end).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first key that belongs.
    pub from: Vec<u8>,
    /// The first key that no longer does.
    pub to: Option<Vec<u8>>,
}

impl Range {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), to: successor(prefix) }
    }

    /// All keys.
    pub fn all() -> Self {
        Self { from: Vec::new(), to: None }
    }

    /// Whether `key` belongs.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.from.as_slice() && self.to.as_ref().is_none_or(|to| key < to.as_slice())
    }
}

/// The least key above all that begin with `prefix`; none if there is none (all bytes 255).
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}

/// Which end of a range a scan begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key.
    Ascending,
    /// From the highest key.
    Descending,
}

/// Reading failed: a disk error or a damaged database. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database could not be read: {0}")]
pub struct RowsError(pub String);

/// Reads of the open transaction.
pub trait Rows {
    /// The row under `key`, if there is one.
    ///
    /// # Errors
    /// [`RowsError`] if the database cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, RowsError>;

    /// At most `limit` rows of a range, in the order asked for.
    ///
    /// # Errors
    /// [`RowsError`] if the database cannot be read.
    fn scan(&self, table: Table, range: &Range, order: Order, limit: usize)
    -> Result<Vec<(Vec<u8>, Value)>, RowsError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_ends_where_the_prefix_does() {
        let range = Range::prefix(&[1, 255]);
        assert!(range.contains(&[1, 255]) && range.contains(&[1, 255, 255, 9]));
        assert!(!range.contains(&[2]) && !range.contains(&[1, 254]));
        assert_eq!(Range::prefix(&[255]).to, None);
    }
}
