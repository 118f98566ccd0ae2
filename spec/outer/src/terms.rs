//! What a relay asks of those who make things there or write to strangers. Told with `info`, under the relay's signature.

use minicbor::{Decode, Encode};

use crate::TokenKeyId;

/// All that a relay asks, beyond limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Terms {
    /// Who may make things here.
    #[n(0)]
    pub admission: AdmissionKind,
    /// The keys whose tokens are good: of this week and of the last. Another client that is told others could be told apart by
    /// them, so a token is spent only where its key is listed.
    #[n(1)]
    pub token_keys: Vec<TokenKeyId>,
    /// How much work is to be shown at once. It may rise with the load, then the answer `work` says so.
    #[n(2)]
    pub work: WorkBits,
    /// Bytes of the largest blob that is kept here; absent where none is.
    #[n(3)]
    pub blob_bytes_max: Option<u64>,
    /// Whether it carries sealed commands to other relays for its clients.
    #[n(4)]
    pub forwards: bool,
}

/// Who may make things at a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AdmissionKind {
    /// Anyone.
    #[n(0)]
    #[default]
    Open,
    /// Whoever shows a token, got for a credential that the host gave.
    #[n(1)]
    Minted,
    /// Whoever shows a token, got for a credential that a login gave.
    #[n(2)]
    Oidc,
}

/// Leading zero bits that a proof of work must have; 0: none is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WorkBits {
    /// To send to a contact mailbox.
    #[n(0)]
    pub send: u8,
    /// To fetch a bundle.
    #[n(1)]
    pub fetch: u8,
    /// To create a mailbox.
    #[n(2)]
    pub create: u8,
}
