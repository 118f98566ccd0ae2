//! What the store keeps of tokens: their keys, how many each credential was given, and which were spent.

use sotto_outer::{TokenKeyId, TokenPurpose};

use crate::{access::NewKey, time::Timestamp};

/// Something to do with tokens.
#[derive(Clone, Debug)]
pub enum TokenOp {
    /// All keys of this week and later. [`TokenOutcome::Keys`].
    Keys {
        /// Weeks since 1970-01-01.
        from_week: u32,
    },
    /// Keep a key, unless there is one of its purpose and week. [`super::Outcome::Done`] or [`super::Outcome::Denied`].
    KeepKey(StoredKey),
    /// Count tokens that a credential is given. [`super::Outcome::Done`], or [`super::Outcome::Denied`] where it would be more
    /// than it is good for.
    Count {
        /// Keyed hash of who holds the credential.
        holder: [u8; 32],
        /// For what.
        purpose: TokenPurpose,
        /// How many now.
        count: u32,
        /// How many in all.
        uses: u32,
        /// When the credential ends. Of several of one holder the last end counts.
        forget_at: Timestamp,
    },
}

/// What the store says to a [`TokenOp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    /// Keys, in the order of week and purpose.
    Keys(Vec<StoredKey>),
}

/// The key of one purpose and week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What its tokens are good for.
    pub purpose: TokenPurpose,
    /// The week it signs in.
    pub week: u32,
    /// The key.
    pub secret: NewKey,
}

/// A token to spend, in one with what it buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Which key signed it.
    pub key: TokenKeyId,
    /// SHA-256 of its nonce.
    pub nonce_hash: [u8; 32],
    /// When its key ends, and it is good for nothing anyway.
    pub forget_at: Timestamp,
}
