//! Private halves of prekeys, and the repair tags that lead to them.

use minicbor::{Decode, Encode};
use sotto_inner::{Prekey, PrekeyId, PrekeyKind};
use sotto_outer::BundleId;

use super::{Record, SecretBytes};
use crate::{ContactId, Table};

/// A prekey. Its key is kind ‖ id.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct PrekeyRow {
    /// The private half.
    #[n(0)]
    pub secret: SecretBytes,
    /// The public half.
    #[n(1)]
    pub public: Prekey,
    /// When another took its place, Unix seconds.
    #[n(2)]
    pub replaced: Option<u64>,
    /// The bundle of a one-time pair.
    #[n(3)]
    pub bundle: Option<BundleId>,
    /// Handshakes that used a last-resort key.
    #[n(4)]
    pub uses: u32,
}

impl PrekeyRow {
    /// The row's key.
    pub fn key(kind: PrekeyKind, id: PrekeyId) -> Vec<u8> {
        let kind = match kind {
            PrekeyKind::Signed => 0,
            PrekeyKind::OneTimePair => 1,
            PrekeyKind::LastResort => 2,
            PrekeyKind::Seal => 3,
        };
        [&[kind], id.0.to_be_bytes().as_slice()].concat()
    }
}

impl Record for PrekeyRow {
    const TABLE: Table = Table::Prekey;
}

/// A repair tag that was issued. Its key is the tag.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TagRow {
    /// To whom.
    #[n(0)]
    pub contact: ContactId,
    /// The seal key that opens what comes behind it.
    #[n(1)]
    pub seal: PrekeyId,
    /// When, Unix seconds.
    #[n(2)]
    pub issued: u64,
    /// The one handshake that used it.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub used: Option<[u8; 32]>,
}

impl Record for TagRow {
    const TABLE: Table = Table::RepairTag;
}
