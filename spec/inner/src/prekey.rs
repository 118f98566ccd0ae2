//! Prekeys: public halves that let another start a session while their owner is away.

use minicbor::{Decode, Encode, bytes::ByteVec};
use sotto_outer::fixed_bytes;

use crate::limits::{MLKEM1024_KEY_BYTES, X25519_BYTES, XWING_KEY_BYTES};

fixed_bytes!(
    /// Random; behind it the reader finds the keys for one repair handshake.
    RepairTag, 16
);

/// Random name of a prekey, unique among those of its device and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PrekeyId(#[n(0)] pub u32);

/// What a prekey is for, and so what its key bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum PrekeyKind {
    /// X25519, rotated weekly.
    #[n(0)]
    Signed,
    /// X25519 ‖ ML-KEM-1024, used once.
    #[n(1)]
    OneTimePair,
    /// ML-KEM-1024, used where no one-time pair is left; rotated weekly.
    #[n(2)]
    LastResort,
    /// X-Wing, for sealing first messages; rotated weekly.
    #[n(3)]
    Seal,
}

impl PrekeyKind {
    /// Exact length of the key bytes.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Signed => X25519_BYTES,
            Self::OneTimePair => X25519_BYTES + MLKEM1024_KEY_BYTES,
            Self::LastResort => MLKEM1024_KEY_BYTES,
            Self::Seal => XWING_KEY_BYTES,
        }
    }
}

/// What a device signs; label, root and device id come before it in the signed bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PrekeyBody {
    /// What it is for.
    #[n(0)]
    pub kind: PrekeyKind,
    /// Its name.
    #[n(1)]
    pub id: PrekeyId,
    /// Creation, Unix seconds.
    #[n(2)]
    pub created: u64,
    /// When it must no longer be used, Unix seconds.
    #[n(3)]
    pub expires: u64,
    /// The public key bytes, [`PrekeyKind::key_bytes`] of them.
    #[n(4)]
    pub key: ByteVec,
}

/// A signed prekey of some kind.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Prekey {
    /// What is signed.
    #[n(0)]
    pub body: PrekeyBody,
    /// The device's signature over label ‖ root ‖ device id ‖ encoded body.
    #[n(1)]
    pub signature: crate::Ed25519Signature,
}

/// What a contact needs to repair a broken session without the relay's prekeys. Sent inside the session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RepairBundle {
    /// X25519.
    #[n(0)]
    pub signed: Prekey,
    /// ML-KEM-1024.
    #[n(1)]
    pub last_resort: Prekey,
    /// X-Wing.
    #[n(2)]
    pub seal: Prekey,
    /// Stands in front of the one repair handshake it is good for.
    #[n(3)]
    pub tag: RepairTag,
}
