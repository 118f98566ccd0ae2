//! Where to send to someone: a mailbox and the right to use it, and all those of one owner for one contact.

use minicbor::{Decode, Encode};
use sotto_outer::{RelayAddress, SendCapability, SendId};

use crate::limits::MAILBOXES_MAX;

/// A mailbox as its senders know it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MailboxAddress {
    /// The relay it lies at.
    #[n(0)]
    pub relay: RelayAddress,
    /// Its name there.
    #[n(1)]
    pub send_id: SendId,
    /// The right to send.
    #[n(2)]
    pub capability: SendCapability,
}

/// Where the owner reads from one contact, until a higher generation says otherwise. However they are told, a lower one
/// never replaces a higher.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Mailboxes {
    /// Higher than any before: the Unix second of its making, or one more than the last. So a state that was restored from
    /// an old copy still finds a number that counts.
    #[n(0)]
    pub generation: u64,
    /// 1 to `MAILBOXES_MAX`, the preferred one first.
    #[n(1)]
    pub addresses: Vec<MailboxAddress>,
}

impl Mailboxes {
    /// Whether the bounds hold that decoding alone does not check.
    pub(crate) fn fits(&self) -> bool {
        (1..=MAILBOXES_MAX).contains(&self.addresses.len())
            && self.addresses.iter().all(|mailbox| mailbox.relay.validate().is_ok())
    }
}
