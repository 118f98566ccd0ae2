//! First messages and repair handshakes, sealed to a seal key: always 4 KiB, and random to look at but for what stands in
//! front, which is random too.
//!
//! First message: seal key id (4 bytes) ‖ enc (1,120) ‖ ciphertext and tag. Repair: tag of the repair bundle (16 bytes) ‖ enc
//! ‖ ciphertext and tag. What stands in front is HPKE's associated data; the label is its info.

use rand_core::CryptoRng;
use sotto_inner::{
    FirstMessage, Handshake, Prekey, PrekeyId, RepairTag, labels,
    limits::{FIRST_MESSAGE_BYTES, XWING_CIPHERTEXT_BYTES},
};
use sotto_outer::codec;

use crate::{
    PACKET_OVERHEAD, PeerMisbehaved, PrekeySecret,
    aead::TAG_BYTES,
    padding::{MARKER_BYTES, pad, unpad},
    xwing,
};

/// Bytes of a seal key id.
const ID_BYTES: usize = 4;

/// Handshake and packet do not fit one envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this does not fit into a first message; it can be sent once the other side has answered")]
pub struct TooLong;

/// Seals a first message to a verified seal key.
///
/// # Errors
/// [`TooLong`].
pub fn seal_first(rng: &mut dyn CryptoRng, seal: &Prekey, message: &FirstMessage) -> Result<Vec<u8>, TooLong> {
    seal_behind(rng, &seal.body.id.0.to_be_bytes(), labels::FIRST_MESSAGE, seal, message)
}

/// The seal key an envelope asks for; `None` for another length, which is no first message.
pub fn first_seal_id(envelope: &[u8]) -> Option<PrekeyId> {
    front(envelope).map(|(id, _)| PrekeyId(u32::from_be_bytes(*id)))
}

/// Opens a first message with the seal key that [`first_seal_id`] names.
///
/// # Errors
/// [`PeerMisbehaved`].
pub fn open_first(secret: &PrekeySecret, envelope: &[u8]) -> Result<FirstMessage, PeerMisbehaved> {
    let (id, sealed) = front::<ID_BYTES>(envelope).ok_or(PeerMisbehaved::Length)?;
    if *id != secret.id().0.to_be_bytes() {
        return Err(PeerMisbehaved::Prekeys);
    }
    open_behind(secret, id, labels::FIRST_MESSAGE, sealed)
}

/// Seals a repair handshake to the seal key of a verified repair bundle, behind that bundle's tag.
///
/// # Errors
/// [`TooLong`].
pub fn seal_repair(
    rng: &mut dyn CryptoRng,
    seal: &Prekey,
    tag: &RepairTag,
    message: &FirstMessage,
) -> Result<Vec<u8>, TooLong> {
    seal_behind(rng, tag.as_bytes(), labels::REPAIR, seal, message)
}

/// The tag an envelope begins with, if it is a repair handshake; `None` for another length.
pub fn repair_tag(envelope: &[u8]) -> Option<RepairTag> {
    front::<{ RepairTag::LEN }>(envelope).map(|(tag, _)| (*tag).into())
}

/// Opens a repair handshake with the seal key of the repair bundle that [`repair_tag`] names.
///
/// # Errors
/// [`PeerMisbehaved`].
pub fn open_repair(secret: &PrekeySecret, envelope: &[u8]) -> Result<FirstMessage, PeerMisbehaved> {
    let (tag, sealed) = front::<{ RepairTag::LEN }>(envelope).ok_or(PeerMisbehaved::Length)?;
    open_behind(secret, tag, labels::REPAIR, sealed)
}

/// Bytes of content whose packet, sealed with [`crate::Padding::None`], fits one envelope beside this handshake, be it a
/// first message or a repair.
pub fn first_content_capacity(handshake: &Handshake) -> usize {
    let around = codec::encode(&FirstMessage { handshake: handshake.clone(), packet: Vec::new().into() }).len();
    // An empty byte string has a head of one byte, one of 256 to 65,535 bytes has three (RFC 8949 §3).
    (capacity(RepairTag::LEN) - MARKER_BYTES).saturating_sub(around + 2 + PACKET_OVERHEAD)
}

/// Bytes of padded plaintext behind a front of this length.
const fn capacity(front_bytes: usize) -> usize {
    FIRST_MESSAGE_BYTES - front_bytes - XWING_CIPHERTEXT_BYTES - TAG_BYTES
}

fn seal_behind(
    rng: &mut dyn CryptoRng,
    front: &[u8],
    label: &[u8],
    seal: &Prekey,
    message: &FirstMessage,
) -> Result<Vec<u8>, TooLong> {
    let padded = pad(&codec::encode(message), capacity(front.len())).ok_or(TooLong)?;
    Ok([front, &xwing::seal(rng, &seal.body.key, label, front, &padded)].concat())
}

fn open_behind(
    secret: &PrekeySecret,
    front: &[u8],
    label: &[u8],
    sealed: &[u8],
) -> Result<FirstMessage, PeerMisbehaved> {
    let padded = secret.seal().ok_or(PeerMisbehaved::PrekeyKind)?.open(label, front, sealed)?;
    let content = unpad(&padded).ok_or(PeerMisbehaved::Padding)?;
    codec::decode(content, FIRST_MESSAGE_BYTES).map_err(|_| PeerMisbehaved::Malformed)
}

/// Splits an envelope of the one length behind its first `N` bytes.
fn front<const N: usize>(envelope: &[u8]) -> Option<(&[u8; N], &[u8])> {
    if envelope.len() != FIRST_MESSAGE_BYTES {
        return None;
    }
    envelope.split_first_chunk()
}
