//! What a relay answers.

use minicbor::{Decode, Encode};

use crate::{BlobState, ConnectionNonce, Entries, Forwarded, OwnerSignature, RelayIdentity, Terms, Tokens};

/// The outcome of one command.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Answer {
    /// To `info`.
    #[n(0)]
    Info(#[n(0)] InfoAnswer),
    /// Done, and durable.
    #[n(1)]
    Done,
    /// Missing, suspended or not yours: one answer for all, in equal work.
    #[n(2)]
    Denied,
    /// The mailbox's or channel's quota is used up.
    #[n(3)]
    Full {
        /// When to try again, in seconds.
        #[n(0)]
        retry_after_secs: u32,
    },
    /// The relay sheds load, or a rate is exceeded.
    #[n(4)]
    Busy {
        /// When to try again, in seconds.
        #[n(0)]
        retry_after_secs: u32,
    },
    /// The client's own doing; trying again changes nothing.
    #[n(5)]
    Refused {
        /// What was wrong.
        #[n(0)]
        reason: RefusedReason,
    },
    /// To `subscribe`.
    #[n(6)]
    Subscribed(#[n(0)] Subscribed),
    /// To `fetch`.
    #[n(7)]
    Bundle(#[n(0)] Bundle),
    /// To `blob create` and `blob commit`.
    #[n(8)]
    Blob(#[n(0)] BlobState),
    /// The same, with a proof of work of so many bits.
    #[n(9)]
    Work {
        /// Leading zero bits.
        #[n(0)]
        bits: u8,
    },
    /// To `forward`.
    #[n(14)]
    Forwarded(#[n(0)] Forwarded),
    /// To `forward`: the other relay cannot be reached, or did not answer as one.
    #[n(15)]
    Unreachable {
        /// When to try again, in seconds.
        #[n(0)]
        retry_after_secs: u32,
    },
    /// To `append` and `advance`: the entry is stored, and durable.
    #[n(11)]
    Appended {
        /// Its number in the channel.
        #[n(0)]
        seq: u64,
    },
    /// The generation is over.
    #[n(12)]
    Stale {
        /// The current one.
        #[n(0)]
        generation: u32,
    },
    /// To a read of a channel.
    #[n(13)]
    Entries(#[n(0)] Entries),
    /// The channel is closed.
    #[n(16)]
    Closed,
    /// To `token`.
    #[n(10)]
    Tokens(#[n(0)] Tokens),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefusedReason {
    /// The frame did not decode; the connection is closed after this.
    #[n(0)]
    Malformed,
    /// Another wire version.
    #[n(1)]
    Version,
    /// A number is over its limit.
    #[n(2)]
    Limit,
    /// `info` comes first.
    #[n(3)]
    Order,
    /// A token is needed, or the one shown is not good here or was spent.
    /// A token is needed, or the one shown is not good or was spent.
    #[n(4)]
    Token,
    /// This relay does not do that.
    #[n(5)]
    Unavailable,
}

/// A relay's proof of identity, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InfoAnswer {
    /// The relay's wire version.
    #[n(0)]
    pub version: u8,
    /// Who it is.
    #[n(1)]
    pub identity: RelayIdentity,
    /// Fresh random bytes that this connection's signatures cover.
    #[n(2)]
    pub nonce: ConnectionNonce,
    /// The identity's signature over [`crate::signed::welcome`].
    #[n(3)]
    pub signature: OwnerSignature,
    /// What this relay allows.
    #[n(4)]
    pub limits: Limits,
    /// What this relay asks.
    #[n(5)]
    pub terms: Terms,
}

/// The limits a client must know before it meets them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Limits {
    /// Envelopes a pairwise mailbox holds.
    #[n(0)]
    pub mailbox_envelopes_max: u32,
    /// Payload bytes a mailbox holds.
    #[n(1)]
    pub mailbox_bytes_max: u64,
    /// Longest time an envelope is kept, in seconds.
    #[n(2)]
    pub envelope_ttl_secs: u32,
}

/// The outcome of a subscribe, one entry a mailbox in the order of the frame.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subscribed {
    /// One each.
    #[n(0)]
    pub outcomes: Vec<LeaseOutcome>,
}

/// What the relay held against what a subscriber presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LeaseOutcome {
    /// It held one of the two leases, or none.
    #[n(0)]
    Same,
    /// It held another one: this state was copied or restored.
    #[n(1)]
    Other,
    /// No such mailbox of this owner.
    #[n(2)]
    Denied,
}

/// Sealed bundle parts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bundle {
    /// The main part.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub main: Vec<u8>,
    /// A one-time part; it is deleted at the relay.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub pair: Option<Vec<u8>>,
    /// The last-resort part, where no one-time part is given.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub last_resort: Option<Vec<u8>>,
}
