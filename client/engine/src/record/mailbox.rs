//! What this profile keeps at its relay: mailboxes and bundles.

use minicbor::{Decode, Encode};
use sotto_inner::{Link, LinkKind, LinkSecret, PrekeyId};
use sotto_outer::{BundleId, Lease, MailboxKind, RelayAddress, SendCapability, SendId};

use super::{Record, SecretBytes};
use crate::{ContactId, Table};

/// What the relay is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Known {
    /// It must be made, or made anew.
    #[n(0)]
    Wanted,
    /// It is there.
    #[n(1)]
    There,
    /// It must be deleted.
    #[n(2)]
    Unwanted,
}

/// An own mailbox. Its key is the receive id.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct OwnMailbox {
    /// What for.
    #[n(0)]
    pub kind: MailboxKind,
    /// The relay it lies at.
    #[n(1)]
    pub relay: RelayAddress,
    /// The senders' name for it.
    #[n(2)]
    pub send_id: SendId,
    /// The senders' right.
    #[n(3)]
    pub capability: SendCapability,
    /// The owner's private key.
    #[n(4)]
    pub owner: SecretBytes,
    /// Whose, if pairwise.
    #[n(5)]
    pub contact: Option<ContactId>,
    /// At the relay?
    #[n(6)]
    pub known: Known,
    /// The lease that the relay confirmed.
    #[n(7)]
    pub confirmed: Option<Lease>,
    /// The lease of this start, until it is confirmed.
    #[n(8)]
    pub new: Option<Lease>,
    /// Whether an authenticated packet came through it.
    #[n(9)]
    pub proven: bool,
    /// Since when it is replaced by others or unwanted, Unix seconds; absent while it is in use.
    #[n(10)]
    pub retired: Option<u64>,
    /// Whether it takes only what names a one-time invitation.
    #[n(11)]
    pub invited_only: bool,
    /// The token that its `create` shows, until it is there.
    #[n(12)]
    pub token: Option<SecretBytes>,
}

impl Record for OwnMailbox {
    const TABLE: Table = Table::Mailbox;
}

/// An own bundle. Its key is the bundle id.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct OwnBundle {
    /// Contact address or one-time invitation.
    #[n(0)]
    pub kind: LinkKind,
    /// The relay it lies at.
    #[n(1)]
    pub relay: RelayAddress,
    /// What opens it.
    #[n(2)]
    pub secret: LinkSecret,
    /// The owner's private key.
    #[n(3)]
    pub owner: SecretBytes,
    /// At the relay, with the prekeys on offer?
    #[n(4)]
    pub known: Known,
    /// One-time pairs of it whose private halves are still here.
    #[n(5)]
    pub pairs: u32,
    /// Since when its relay is not ours any more or it is unwanted, Unix seconds; absent while it is in use.
    #[n(6)]
    pub retired: Option<u64>,
    /// The one-time pairs of the last publish that is not confirmed.
    #[n(7)]
    pub drawn: Vec<PrekeyId>,
    /// Whether the relay said that it did not take them: then they are published again.
    #[n(8)]
    pub refused: bool,
}

impl OwnBundle {
    /// The link that leads to it.
    pub fn link(&self, root: ContactId, id: &BundleId) -> Link {
        Link { kind: self.kind, relay: self.relay.clone(), root, bundle: *id, secret: self.secret }
    }
}

impl Record for OwnBundle {
    const TABLE: Table = Table::Bundle;
}
