//! What must still reach a contact.

use minicbor::{Decode, Encode, bytes::ByteVec};
use sotto_inner::ContentId;
use sotto_outer::{EnvelopeId, RelayIdentity, SendId};

use super::{Record, SecretBytes};
use crate::{ContactId, Table};

/// One content on its way. Its key is contact ‖ sequence. It stays until it is delivered end to end.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct OutboxRow {
    /// The content's id; the same however often it is sealed.
    #[n(0)]
    pub id: ContentId,
    /// The encoded content.
    #[n(1)]
    pub content: SecretBytes,
    /// Whether it is a message of the conversation.
    #[n(2)]
    pub message: bool,
    /// Whether it stays until a receipt comes; a receipt itself does not.
    #[n(3)]
    pub receipted: bool,
    /// The envelope, once sealed.
    #[n(4)]
    pub sealed: Option<Sealed>,
}

/// A sealed envelope: a retry sends the same bytes under the same id.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct Sealed {
    /// Its id at the relay.
    #[n(0)]
    pub envelope: EnvelopeId,
    /// Its bytes; dropped once the relay has them.
    #[n(1)]
    pub bytes: ByteVec,
    /// The session that sealed it.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub session: [u8; 32],
    /// Its index among all that session sealed.
    #[n(3)]
    pub index: u64,
    /// When the relay took it, Unix seconds; absent until then.
    #[n(4)]
    pub taken: Option<u64>,
    /// Whether the handshake stands in front: then it opens through the mailbox for that alone, and only until the reply.
    #[n(5)]
    pub fronted: bool,
    /// The mailbox it was sealed for: no other gets the same bytes, or their relays could tell that both belong together.
    #[n(6)]
    pub mailbox: SendId,
    /// The relay of that mailbox.
    #[n(7)]
    pub relay: RelayIdentity,
}

impl OutboxRow {
    /// The row's key.
    pub fn key(contact: &ContactId, sequence: u64) -> Vec<u8> {
        [contact.as_bytes().as_slice(), &sequence.to_be_bytes()].concat()
    }

    /// Whether the relay has it.
    pub fn taken(&self) -> bool {
        self.sealed.as_ref().is_some_and(|sealed| sealed.taken.is_some())
    }
}

impl Record for OutboxRow {
    const TABLE: Table = Table::Outbox;
}
