//! A session of a contact's book.

use minicbor::{Decode, Encode};
use sotto_inner::{Handshake, MailboxAddress, Prekey, RepairTag};

use super::{Record, SecretBytes};
use crate::{ContactId, Table};

/// One session. Its key is contact ‖ session id.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct SessionRow {
    /// `sotto_crypto::Session`, encoded.
    #[n(0)]
    pub state: SecretBytes,
    /// When it was made, Unix seconds.
    #[n(1)]
    pub created: u64,
    /// What goes in front of each packet until the first reply; absent once it came, and at the responder.
    #[n(2)]
    pub front: Option<Front>,
}

/// The initiator's handshake and how it is sealed.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Front {
    /// Sent in front of every packet.
    #[n(0)]
    pub handshake: Handshake,
    /// The responder's seal key.
    #[n(1)]
    pub seal: Prekey,
    /// For a repair: the tag that stands before it.
    #[n(2)]
    pub tag: Option<RepairTag>,
    /// For a first contact: the contact mailbox that takes it. A repair goes to the pairwise one.
    #[n(3)]
    pub mailbox: Option<MailboxAddress>,
}

impl SessionRow {
    /// The row's key.
    pub fn key(contact: &ContactId, session: &[u8; 32]) -> Vec<u8> {
        [contact.as_bytes().as_slice(), session].concat()
    }
}

impl Record for SessionRow {
    const TABLE: Table = Table::Session;
}
