//! Where to send to someone: a mailbox and the right to use it.

use minicbor::{Decode, Encode};
use sotto_outer::{RelayAddress, SendCapability, SendId};

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
