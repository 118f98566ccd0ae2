//! What the relay keeps: one call, a batch of operations in, their outcomes out.
//!
//! A store promises three things. Operations of a batch are applied in the order given, and their outcomes stand in that
//! order. Batches are applied one after another. When `apply` returns, everything that an outcome claims is durable; where
//! that cannot be had (disk full, I/O error), the outcome is [`Outcome::Failed`] and the operation left no trace.

pub mod blob;
pub mod blocked;
pub mod channel;
pub mod memory;
#[cfg(test)]
mod model;
pub mod objects;
pub mod sqlite;
mod token;

use bytes::Bytes;
use sotto_outer::{
    Bundle, BundleId, CapabilityHash, EnvelopeId, Lease, LeaseOutcome, MailboxKind, OwnerKey, ReceiveId, SendId,
};

use self::{
    blob::{BlobOp, BlobOutcome},
    blocked::{Report, ReportedId},
    channel::{ChannelOp, ChannelOutcome},
};
use crate::time::{Day, Timestamp};
pub use token::{Spend, StoredKey, TokenOp, TokenOutcome};

/// Envelopes, and lapsed mailboxes, that one [`Op::Expire`] removes at most, so that a sweep never holds up a send.
pub const EXPIRE_ROWS_MAX: usize = 1_000;

/// A place where mailboxes, envelopes and bundles are kept.
pub trait Storage: Send + 'static {
    /// Applies a batch as one: see the promises above.
    fn apply(&mut self, ops: Vec<Op>) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// The order in which envelopes came to a store. Grows; is never told to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub i64);

/// An envelope as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its place in the order.
    pub seq: Seq,
    /// The sender's id for it.
    pub id: EnvelopeId,
    /// Opaque bytes.
    pub payload: Bytes,
}

/// How much a mailbox may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Envelopes in a pairwise mailbox.
    pub pairwise_envelopes_max: u32,
    /// Envelopes in a contact mailbox.
    pub contact_envelopes_max: u32,
    /// Payload bytes in either.
    pub bytes_max: u64,
}

impl Quota {
    /// Whether one more envelope of `payload_bytes` fits.
    pub fn has_room(&self, kind: MailboxKind, envelopes: usize, bytes: u64, payload_bytes: usize) -> bool {
        let envelopes_max = match kind {
            MailboxKind::Pairwise => self.pairwise_envelopes_max,
            MailboxKind::Contact => self.contact_envelopes_max,
        };
        envelopes < envelopes_max as usize && bytes + payload_bytes as u64 <= self.bytes_max
    }
}

/// One thing to do to the store.
#[derive(Clone, Debug)]
pub enum Op {
    /// Make a mailbox. [`Outcome::Done`], also where the same one exists; else [`Outcome::Denied`]. Where it costs a token that
    /// was spent before, [`Outcome::Spent`]; a mailbox that exists costs none.
    Create(NewMailbox, Option<Spend>),
    /// Keys for tokens, and counts of them. [`Outcome::Token`], [`Outcome::Done`] or [`Outcome::Denied`].
    Token(TokenOp),
    /// Keep an envelope. [`Outcome::Sent`], [`Outcome::Repeated`], [`Outcome::Denied`], [`Outcome::Work`] or [`Outcome::Full`].
    Send(NewEnvelope),
    /// Check a capability and keep nothing. [`Outcome::Admitted`], [`Outcome::Work`] or [`Outcome::Denied`].
    Admit {
        /// Where to.
        mailbox: SendId,
        /// Hash of the capability shown.
        shown: CapabilityHash,
        /// As in [`NewEnvelope`].
        owes: Option<u8>,
    },
    /// Who owns these. [`Outcome::Owners`], in their order.
    Owners(Vec<Owned>),
    /// Replace leases whatever they were, and mark the mailboxes used. [`Outcome::Leased`], in their order.
    Lease {
        /// Mailboxes whose owners have signed for it.
        mailboxes: Vec<NewLease>,
        /// Today.
        day: Day,
    },
    /// The first envelopes of a mailbox that are not in flight. [`Outcome::Envelopes`]; none for a mailbox that is gone.
    Next {
        /// Which mailbox.
        mailbox: ReceiveId,
        /// Those that its reader has been sent already.
        in_flight: Vec<Seq>,
        /// At most this many.
        envelopes_max: usize,
        /// Stop before this many payload bytes are exceeded.
        bytes_max: usize,
        /// What has expired by now is left out.
        now: Timestamp,
    },
    /// Delete envelopes of a mailbox by id, and remember the ids until `forget_at`, or until that minute is full.
    /// [`Outcome::Done`], also for ids it does not hold.
    Acknowledge {
        /// Which mailbox.
        mailbox: ReceiveId,
        /// Which envelopes.
        ids: Vec<EnvelopeId>,
        /// A send of the same id before this is a repeat.
        forget_at: Timestamp,
    },
    /// Give a mailbox another send capability. [`Outcome::Done`], or [`Outcome::Denied`] where it is not this owner's.
    Rotate {
        /// Which mailbox.
        mailbox: ReceiveId,
        /// Whose signature was checked.
        owner: OwnerKey,
        /// Hash of the new capability.
        capability_hash: CapabilityHash,
    },
    /// Delete a mailbox and all in it. [`Outcome::Done`], or [`Outcome::Denied`] where it is not this owner's.
    DeleteMailbox {
        /// Which mailbox.
        mailbox: ReceiveId,
        /// Whose signature was checked.
        owner: OwnerKey,
    },
    /// Delete a bundle and its parts. [`Outcome::Done`], or [`Outcome::Denied`] where it is not this owner's.
    DeleteBundle {
        /// Which bundle.
        bundle: BundleId,
        /// Whose signature was checked.
        owner: OwnerKey,
    },
    /// Store bundle parts. [`Outcome::Done`], or [`Outcome::Denied`] where the bundle is another owner's, or new and not whole.
    Publish(NewParts),
    /// The parts one handshake needs. [`Outcome::Bundle`] or [`Outcome::Denied`].
    FetchBundle {
        /// Which bundle.
        bundle: BundleId,
        /// Take the oldest one-time part, if any is left, and delete it.
        take_pair: bool,
    },
    /// Suspend what these ids name, or give it back. [`Outcome::Blocked`], in their order.
    ///
    /// What is suspended is as missing to all other operations; only time still removes it.
    Block {
        /// Ids that were reported.
        ids: Vec<ReportedId>,
        /// Suspend, or give back.
        blocked: bool,
        /// Today.
        day: Day,
    },
    /// Do something to channels: see there.
    Channel(ChannelOp),
    /// Remove what has outlived its time, up to [`EXPIRE_ROWS_MAX`] of each sort. [`Outcome::Expired`].
    Expire {
        /// Envelopes that end by now go, and ids to be forgotten by now.
        now: Timestamp,
        /// Mailboxes last used before this day go, with all in them.
        mailboxes_before: Day,
        /// Bundles last published before this day go, with their parts.
        bundles_before: Day,
    },
    /// What concerns blobs.
    Blob(BlobOp),
}

/// A mailbox to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMailbox {
    /// Pairwise or contact.
    pub kind: MailboxKind,
    /// The owner's name for it.
    pub receive_id: ReceiveId,
    /// The senders' name for it.
    pub send_id: SendId,
    /// Its owner.
    pub owner: OwnerKey,
    /// Hash of the send capability.
    pub capability_hash: CapabilityHash,
    /// Today.
    pub day: Day,
}

/// An envelope to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnvelope {
    /// Where to.
    pub mailbox: SendId,
    /// Hash of the capability shown.
    pub shown: CapabilityHash,
    /// The sender's id for it.
    pub id: EnvelopeId,
    /// Opaque bytes.
    pub payload: Bytes,
    /// Against this an id that was acknowledged is still remembered.
    pub now: Timestamp,
    /// When it is to be deleted unread.
    pub expires_at: Timestamp,
    /// What the mailbox may hold.
    pub quota: Quota,
    /// Bits of work that its sender still owes, if the mailbox is a contact mailbox.
    pub owes: Option<u8>,
}

/// Something with an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owned {
    /// A mailbox.
    Mailbox(ReceiveId),
    /// A bundle.
    Bundle(BundleId),
}

/// A lease to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease {
    /// Of which mailbox.
    pub mailbox: ReceiveId,
    /// The lease that its reader last saw confirmed.
    pub confirmed: Option<Lease>,
    /// The lease to store.
    pub new: Lease,
}

/// Bundle parts to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewParts {
    /// Of which bundle.
    pub bundle: BundleId,
    /// Its owner, whose signature was checked.
    pub owner: OwnerKey,
    /// Main part; stays as it is where absent.
    pub main: Option<Bytes>,
    /// Last-resort part; stays as it is where absent.
    pub last_resort: Option<Bytes>,
    /// One-time parts to add, oldest first.
    pub pairs: Vec<Bytes>,
    /// One-time parts to keep at most; the oldest give way.
    pub pairs_max: usize,
    /// Today.
    pub day: Day,
}

/// How one operation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so now.
    Done,
    /// Missing, or not by this owner or capability.
    Denied,
    /// The mailbox's or channel's quota is used up; nothing was stored.
    Full,
    /// The token was spent before; nothing was made.
    Spent,
    /// What a [`TokenOp`] asked for.
    Token(TokenOutcome),
    /// The envelope is stored.
    Sent {
        /// The reader's name of the mailbox.
        mailbox: ReceiveId,
        /// Its place in the order.
        seq: Seq,
    },
    /// It is a contact mailbox, and so much work is owed; nothing was stored.
    Work {
        /// Leading zero bits.
        bits: u8,
    },
    /// This id is stored, or was acknowledged a short while ago; nothing was stored now.
    Repeated,
    /// The capability is right.
    Admitted {
        /// The reader's name of the mailbox.
        mailbox: ReceiveId,
    },
    /// Owners, none where there is no such thing.
    Owners(Vec<Option<OwnerKey>>),
    /// What was held against what was presented.
    Leased(Vec<LeaseOutcome>),
    /// Envelopes in their order.
    Envelopes {
        /// The first that are not in flight.
        envelopes: Vec<Envelope>,
        /// Whether there are others beyond.
        more: bool,
    },
    /// Parts of a bundle.
    Bundle(Bundle),
    /// What was suspended or given back.
    Blocked(Vec<Report>),
    /// What [`Op::Channel`] tells beyond what others do.
    Channel(ChannelOutcome),
    /// What a sweep removed.
    Expired {
        /// Envelopes whose time was over.
        envelopes: usize,
        /// Mailboxes nobody used.
        mailboxes: usize,
        /// Whether another sweep would remove more.
        more: bool,
    },
    /// To [`Op::Blob`], where it was done.
    Blob(BlobOutcome),
    /// Nothing was done: the disk is full or faulty. The same operation may succeed later.
    Failed,
}

/// What is owed for a mailbox of this kind: a contact mailbox is open to strangers, a pairwise one to whom it was told.
pub(crate) fn owed(kind: MailboxKind, owes: Option<u8>) -> Option<u8> {
    match kind {
        MailboxKind::Contact => owes,
        MailboxKind::Pairwise => None,
    }
}

impl NewLease {
    /// What to tell whoever presents this where `held` is stored.
    pub(crate) fn compare(&self, held: Option<&Lease>) -> LeaseOutcome {
        match held {
            None => LeaseOutcome::Same,
            Some(held) if Some(held) == self.confirmed.as_ref() || *held == self.new => LeaseOutcome::Same,
            Some(_) => LeaseOutcome::Other,
        }
    }
}

impl NewMailbox {
    /// Whether `other` is the same mailbox, made on whatever day.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let Self { kind, receive_id, send_id, owner, capability_hash, day: _ } = self;
        (kind, receive_id, send_id, owner, capability_hash)
            == (&other.kind, &other.receive_id, &other.send_id, &other.owner, &other.capability_hash)
    }
}

/// Sizes alone: what is in an envelope is nobody's business in a log.
impl core::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { seq, id: _, payload } = self;
        f.debug_struct("Envelope").field("seq", seq).field("bytes", &payload.len()).finish_non_exhaustive()
    }
}
