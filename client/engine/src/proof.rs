//! The proof that a relay is the one its address pins, reached at the place that was dialled. [REL-3]

use minicbor::{Decode, Encode};
use sotto_outer::{
    Answer, ConnectionNonce, InfoAnswer, RefusedReason, RelayAddress, RelayIdentity, Terms, VERSION, signed,
};

use crate::{RelayProblem, Table, record::Record};

/// What a relay was asked when a connection began.
pub(crate) struct Question {
    pub(crate) nonce: ConnectionNonce,
    /// The place that was dialled.
    pub(crate) address: RelayAddress,
    /// The TLS exporter, where there is one.
    exporter: Option<[u8; 32]>,
}

/// Where a relay proved itself last: dialled before all places that people name.
#[derive(PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ProvenPlace {
    #[n(0)]
    pub(crate) address: RelayAddress,
}

impl ProvenPlace {
    pub(crate) fn key(relay: &RelayIdentity) -> Vec<u8> {
        [b"place".as_slice(), relay.as_bytes()].concat()
    }
}

impl Record for ProvenPlace {
    const TABLE: Table = Table::Meta;
}

/// What an answer to the question tells.
pub(crate) enum Proof {
    /// It is the relay; signatures cover this nonce of its connection, and these are its terms.
    Given(ConnectionNonce, Terms),
    /// It asks for patience.
    Later,
    /// It is someone else, or of another version.
    Failed(RelayProblem),
}

impl Question {
    pub(crate) fn new(nonce: ConnectionNonce, address: &RelayAddress, exporter: Option<[u8; 32]>) -> Self {
        Self { nonce, address: address.clone(), exporter }
    }

    /// The same asked once more, on the same connection.
    pub(crate) fn again(&self, nonce: ConnectionNonce) -> Self {
        Self { nonce, address: self.address.clone(), exporter: self.exporter }
    }

    pub(crate) fn check(&self, relay: &RelayIdentity, answer: &Answer) -> Proof {
        match answer {
            Answer::Info(info) => self.check_info(relay, info),
            Answer::Busy { retry_after_secs: _ } => Proof::Later,
            Answer::Refused { reason: RefusedReason::Version } => Proof::Failed(RelayProblem::WrongVersion),
            Answer::Done
            | Answer::Denied
            | Answer::Full { retry_after_secs: _ }
            | Answer::Refused { reason: _ }
            | Answer::Subscribed(_)
            | Answer::Bundle(_)
            | Answer::Appended { seq: _ }
            | Answer::Stale { generation: _ }
            | Answer::Entries(_)
            | Answer::Closed
            | Answer::Blob(_)
            | Answer::Work { bits: _ }
            | Answer::Tokens(_)
            | Answer::Forwarded(_)
            | Answer::Unreachable { retry_after_secs: _ } => Proof::Failed(RelayProblem::WrongIdentity),
        }
    }

    fn check_info(&self, relay: &RelayIdentity, info: &InfoAnswer) -> Proof {
        if info.version != VERSION {
            return Proof::Failed(RelayProblem::WrongVersion);
        }
        let (place, exporter) = (self.address.place(), self.exporter.as_ref());
        let bytes = signed::welcome(relay, &place, &self.nonce, &info.nonce, exporter, &info.terms);
        if info.identity != *relay || sotto_crypto::verify_relay(relay, &bytes, &info.signature).is_err() {
            return Proof::Failed(RelayProblem::WrongIdentity);
        }
        Proof::Given(info.nonce, info.terms.clone())
    }
}
