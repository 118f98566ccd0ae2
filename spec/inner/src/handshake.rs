//! The initiator's half of PQXDH.

use minicbor::{Decode, Encode, bytes::ByteVec};
use sotto_outer::BundleId;

use crate::{AgreementKey, DeviceId, Manifest, PrekeyId};

/// Travels in front of every packet until the first reply; its hash names the session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Handshake {
    /// Wire version.
    #[n(0)]
    pub version: u8,
    /// The initiator's devices.
    #[n(1)]
    pub manifest: Manifest,
    /// Which of them this is.
    #[n(2)]
    pub device: DeviceId,
    /// Hash of the manifest of the responder that the initiator used.
    #[n(3)]
    pub responder_manifest: crate::ManifestHash,
    /// The responder's device.
    #[n(4)]
    pub responder_device: DeviceId,
    /// The signed prekey used.
    #[n(5)]
    pub signed: PrekeyId,
    /// The one-time pair used; else the last-resort key was.
    #[n(6)]
    pub one_time: Option<PrekeyId>,
    /// The last-resort key used; exactly one of the two is present.
    #[n(7)]
    pub last_resort: Option<PrekeyId>,
    /// The initiator's ephemeral X25519 key.
    #[n(8)]
    pub ephemeral: AgreementKey,
    /// ML-KEM-1024 ciphertext, exactly `MLKEM1024_CIPHERTEXT_BYTES`.
    #[n(9)]
    pub ciphertext: ByteVec,
    /// The one-time invitation whose link secret is mixed in.
    #[n(10)]
    pub invitation: Option<BundleId>,
}
