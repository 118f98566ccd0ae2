//! First messages and repair handshakes, sealed to a seal key: always 4 KiB, and random to look at but for what stands
//! in front, which is random too.
//!
//! First message: seal key id (4 bytes) ‖ enc (1,120) ‖ ciphertext and tag. Repair: tag of the repair bundle (16 bytes)
//! ‖ enc ‖ ciphertext and tag. What stands in front is HPKE's associated data; the label is its info.

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

/// Bytes of content whose packet, sealed with [`crate::Padding::None`], fits one envelope beside this handshake, be it
/// a first message or a repair.
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

#[cfg(test)]
mod tests {
    use sotto_inner::{LinkKind, Manifest, ManifestBody, PrekeyKind, limits::MANIFEST_DEVICES_MAX};

    use super::*;
    use crate::{
        Padding, initiate,
        people::{EXPIRES, NOW, Person, rng},
    };

    /// A first message of Alice's to Bob that carries this much content.
    fn message(content_bytes: usize) -> FirstMessage {
        let alice = Person::alice();
        message_of(&alice, alice.manifest.clone(), content_bytes)
    }

    fn message_of(alice: &Person, manifest: Manifest, content_bytes: usize) -> FirstMessage {
        let bob = Person::bob();
        let link = bob.link(LinkKind::Invitation);
        let to = bob.verified(&link, PrekeyKind::OneTimePair);
        let begun = initiate(&mut rng(1), &manifest, &alice.device, &to, &link).unwrap();
        let sealed = begun.session.seal(&mut rng(2), &vec![7; content_bytes], Padding::None).unwrap();
        let (_, _, packet) = sealed.into_parts();
        FirstMessage { handshake: begun.handshake, packet: packet.into() }
    }

    #[test]
    fn a_first_message_opens_under_the_key_it_names() {
        let bob = Person::bob();
        let message = message(300);
        let envelope = seal_first(&mut rng(3), &bob.seal.public, &message).unwrap();
        assert_eq!(envelope.len(), FIRST_MESSAGE_BYTES);
        assert_eq!(first_seal_id(&envelope), Some(bob.seal.secret.id()));
        assert_eq!(open_first(&bob.seal.secret, &envelope), Ok(message));
    }

    #[test]
    fn a_repair_handshake_opens_behind_its_tag() {
        let bob = Person::bob();
        let (message, tag) = (message(300), bob.repair_bundle().tag);
        let envelope = seal_repair(&mut rng(3), &bob.seal.public, &tag, &message).unwrap();
        assert_eq!(envelope.len(), FIRST_MESSAGE_BYTES);
        assert_eq!(repair_tag(&envelope), Some(tag));
        assert_eq!(open_repair(&bob.seal.secret, &envelope), Ok(message));
    }

    #[test]
    fn content_of_the_capacity_fits_and_a_little_more_does_not() {
        let bob = Person::bob();
        let capacity = first_content_capacity(&message(0).handshake);
        assert_eq!(message(capacity).packet.len(), capacity + PACKET_OVERHEAD);
        let sealed = |bytes| seal_first(&mut rng(3), &bob.seal.public, &message(bytes));
        let repaired = |bytes| seal_repair(&mut rng(3), &bob.seal.public, &[1; 16].into(), &message(bytes));
        let opened = open_repair(&bob.seal.secret, &repaired(capacity).unwrap());
        assert_eq!(opened, Ok(message(capacity)));
        assert_eq!(repaired(capacity + 1), Err(TooLong));
        // The front of a first message is shorter than that of a repair.
        let spare = RepairTag::LEN - ID_BYTES;
        assert_eq!(open_first(&bob.seal.secret, &sealed(capacity + spare).unwrap()), Ok(message(capacity + spare)));
        assert_eq!(sealed(capacity + spare + 1), Err(TooLong));
    }

    /// The longest name (64 bytes), text (256) and mailbox address (under 200) of a hello.
    #[test]
    fn a_hello_of_one_device_fits() {
        assert!(first_content_capacity(&message(0).handshake) >= 600);
    }

    #[test]
    fn a_manifest_of_eight_devices_leaves_no_room_and_says_so() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let device = alice.device.public();
        let mut devices: Vec<_> = (1..MANIFEST_DEVICES_MAX)
            .map(|id| sotto_inner::Device { id: [id as u8; 16].into(), ..device.clone() })
            .collect();
        devices.push(device);
        devices.sort_by_key(|device| device.id);
        let body = ManifestBody { root: alice.root.public(), sequence: 1, previous: None, devices };
        let message = message_of(&alice, alice.root.sign_manifest(body), 600);
        assert!(first_content_capacity(&message.handshake) < 600);
        assert_eq!(seal_first(&mut rng(3), &bob.seal.public, &message), Err(TooLong));
    }

    #[test]
    fn another_length_is_no_envelope() {
        let bob = Person::bob();
        let envelope = seal_first(&mut rng(3), &bob.seal.public, &message(10)).unwrap();
        for other in [&envelope[1..], &envelope[..4_095], &[&envelope[..], &[0]].concat(), &[]] {
            assert_eq!(first_seal_id(other), None);
            assert_eq!(repair_tag(other), None);
            assert_eq!(open_first(&bob.seal.secret, other), Err(PeerMisbehaved::Length));
            assert_eq!(open_repair(&bob.seal.secret, other), Err(PeerMisbehaved::Length));
        }
    }

    #[test]
    fn a_flipped_bit_in_any_region_is_refused() {
        let bob = Person::bob();
        let first = seal_first(&mut rng(3), &bob.seal.public, &message(10)).unwrap();
        let repair = seal_repair(&mut rng(3), &bob.seal.public, &[9; 16].into(), &message(10)).unwrap();
        // In the ML-KEM part of enc, its X25519 part, the ciphertext's beginning, its padding, its tag.
        for position in [20, 1_100, 1_110, 1_136, 3_000, 4_080, 4_095] {
            for bit in [0x01, 0x80] {
                let flipped = |envelope: &[u8]| {
                    let mut envelope = envelope.to_vec();
                    envelope[position] ^= bit;
                    envelope
                };
                assert_eq!(open_first(&bob.seal.secret, &flipped(&first)), Err(PeerMisbehaved::Unopenable));
                assert_eq!(open_repair(&bob.seal.secret, &flipped(&repair)), Err(PeerMisbehaved::Unopenable));
            }
        }
        let mut other_id = first;
        other_id[0] ^= 1;
        assert_eq!(open_first(&bob.seal.secret, &other_id), Err(PeerMisbehaved::Prekeys), "another seal key's id");
        let mut other_tag = repair;
        other_tag[0] ^= 1;
        assert_eq!(open_repair(&bob.seal.secret, &other_tag), Err(PeerMisbehaved::Unopenable), "another tag");
    }

    #[test]
    fn another_key_does_not_open() {
        let (bob, mallory) = (Person::bob(), Person::mallory());
        let mut envelope = seal_first(&mut rng(3), &bob.seal.public, &message(10)).unwrap();
        assert_eq!(open_first(&mallory.seal.secret, &envelope), Err(PeerMisbehaved::Prekeys), "it names another");
        envelope[..ID_BYTES].copy_from_slice(&mallory.seal.secret.id().0.to_be_bytes());
        assert_eq!(open_first(&mallory.seal.secret, &envelope), Err(PeerMisbehaved::Unopenable), "renamed");
        let repair = seal_repair(&mut rng(3), &bob.seal.public, &[9; 16].into(), &message(10)).unwrap();
        assert_eq!(open_repair(&mallory.seal.secret, &repair), Err(PeerMisbehaved::Unopenable));
        assert_eq!(open_repair(&bob.signed.secret, &repair), Err(PeerMisbehaved::PrekeyKind), "a signed prekey");
    }

    /// Seals any padded bytes as a first message.
    fn seal_raw(label: &[u8], padded: &[u8]) -> Vec<u8> {
        let seal = Person::bob().seal.public;
        let front = seal.body.id.0.to_be_bytes();
        [&front[..], &xwing::seal(&mut rng(3), &seal.body.key, label, &front, padded)].concat()
    }

    #[test]
    fn what_was_sealed_otherwise_is_refused() {
        let bob = Person::bob();
        let content = codec::encode(&message(10));
        let padded = pad(&content, capacity(ID_BYTES)).unwrap();
        let opened = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut padded = padded.to_vec();
            change(&mut padded);
            open_first(&bob.seal.secret, &seal_raw(labels::FIRST_MESSAGE, &padded))
        };
        let last = padded.len() - 1;
        assert_eq!(opened(&|_| ()), Ok(message(10)));
        assert_eq!(opened(&|padded| padded[last] = 1), Err(PeerMisbehaved::Padding), "a byte that is not zero");
        assert_eq!(opened(&|padded| padded[content.len()] = 0), Err(PeerMisbehaved::Padding), "no marker");
        assert_eq!(opened(&|padded| padded.fill(0)), Err(PeerMisbehaved::Padding), "nothing but zeros");
        assert_eq!(opened(&|padded| padded[0] = 0xff), Err(PeerMisbehaved::Malformed), "no CBOR");
        let other_label = open_first(&bob.seal.secret, &seal_raw(labels::REPAIR, &padded));
        assert_eq!(other_label, Err(PeerMisbehaved::Unopenable), "sealed for repair");
        let repair = seal_repair(&mut rng(3), &bob.seal.public, &[9; 16].into(), &message(10)).unwrap();
        let mut renamed = repair.clone();
        renamed[..ID_BYTES].copy_from_slice(&bob.seal.secret.id().0.to_be_bytes());
        assert_eq!(open_first(&bob.seal.secret, &renamed), Err(PeerMisbehaved::Unopenable), "a repair handshake");
        let later =
            PrekeySecret::generate(PrekeyKind::Seal, &mut rng(8), NOW, EXPIRES, &bob.device, &bob.root.public());
        assert_eq!(open_repair(&later.0, &repair), Err(PeerMisbehaved::Unopenable), "the next week's key");
    }
}
