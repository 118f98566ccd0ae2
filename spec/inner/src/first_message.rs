//! What a sealed first message or a repair handshake holds once it is opened.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::Handshake;

/// A handshake and one packet of the session it makes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FirstMessage {
    /// The same in front of every packet until the first reply.
    #[n(0)]
    pub handshake: Handshake,
    /// A packet of the session, not padded: what is around it has one size.
    #[n(1)]
    pub packet: ByteVec,
}
