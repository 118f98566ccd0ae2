//! The header of a packet: which chain, which number, what kind. Always sealed, always the same length.
//!
//! | bytes | what |
//! |---|---|
//! | 32 | sender's ratchet key, X25519 |
//! | 4 | length of the sender's previous chain, big-endian |
//! | 4 | number of this packet in its chain, from 0, big-endian |
//! | 1 | kind: 0 message, 1 ephemeral |
//! | 112 | the Braid's slot |
//!
//! Invariant: one header has one encoding, and nothing else decodes. An ephemeral packet has no number: both counters and
//! the slot are zero.

use rand_core::CryptoRng;
use sotto_inner::{AgreementKey, limits::BRAID_SLOT_BYTES};

use super::{braid::Slot, header_key::HeaderKey};
use crate::{
    aead::{NONCE_BYTES, TAG_BYTES},
    error::PeerMisbehaved,
};

/// Length of a header, in bytes.
pub(super) const HEADER_BYTES: usize = 32 + 4 + 4 + 1 + BRAID_SLOT_BYTES;
/// Length of nonce, sealed header and tag, in bytes.
pub(super) const SEALED_HEADER_BYTES: usize = NONCE_BYTES + HEADER_BYTES + TAG_BYTES;

/// What kind of packet the body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Takes a step of its chain.
    Message {
        /// Packets in the sender's previous chain.
        previous: u32,
        /// Number of this one, from 0.
        number: u32,
        /// What the Braid says, and the packet's place in its chains.
        slot: Slot,
    },
    /// Typing, presence: beside the chain.
    Ephemeral,
}

/// What stands in front of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The sender's ratchet key.
    pub(super) ratchet_key: AgreementKey,
    pub(super) kind: Kind,
}

impl Header {
    /// Writes nonce ‖ sealed header ‖ tag, with a fresh random nonce.
    pub(super) fn seal(&self, key: &HeaderKey, rng: &mut dyn CryptoRng, sealed: &mut [u8; SEALED_HEADER_BYTES]) {
        rng.fill_bytes(&mut sealed[..NONCE_BYTES]);
        sealed[NONCE_BYTES..][..HEADER_BYTES].copy_from_slice(&self.encode());
        key.seal(sealed);
    }

    /// Reads a header out of a buffer that [`HeaderKey::opens`] has opened.
    pub(super) fn read(opened: &[u8; SEALED_HEADER_BYTES]) -> Result<Self, PeerMisbehaved> {
        let bytes = opened[NONCE_BYTES..].first_chunk().expect("longer than nonce and header");
        Self::decode(bytes).ok_or(PeerMisbehaved::MalformedHeader)
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let (previous, number, kind, slot) = match &self.kind {
            Kind::Message { previous, number, slot } => (*previous, *number, 0, slot.encode()),
            Kind::Ephemeral => (0, 0, 1, [0; BRAID_SLOT_BYTES]),
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[..32].copy_from_slice(self.ratchet_key.as_bytes());
        bytes[32..36].copy_from_slice(&previous.to_be_bytes());
        bytes[36..40].copy_from_slice(&number.to_be_bytes());
        bytes[40] = kind;
        bytes[41..].copy_from_slice(&slot);
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (ratchet_key, rest) = bytes.split_first_chunk::<32>()?;
        let (previous, rest) = rest.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (kind, slot) = rest.split_first()?;
        let slot: &[u8; BRAID_SLOT_BYTES] = slot.try_into().ok()?;
        let kind = match (u32::from_be_bytes(*previous), u32::from_be_bytes(*number), kind) {
            (previous, number, 0) => Kind::Message { previous, number, slot: Slot::decode(slot)? },
            (0, 0, 1) if slot.iter().all(|&byte| byte == 0) => Kind::Ephemeral,
            _ => return None,
        };
        Some(Self { ratchet_key: (*ratchet_key).into(), kind })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::secret::Secret32;

    fn message() -> Header {
        let kind = Kind::Message { previous: 0x0102_0304, number: 0x0506_0708, slot: slot() };
        Header { ratchet_key: [9; 32].into(), kind }
    }

    fn slot() -> Slot {
        let mut bytes = [0; BRAID_SLOT_BYTES];
        (bytes[3], bytes[4], bytes[10]) = (1, 4, 7);
        Slot::decode(&bytes).unwrap()
    }

    fn ephemeral() -> Header {
        Header { kind: Kind::Ephemeral, ..message() }
    }

    #[test]
    fn a_header_has_one_layout() {
        let mut expected = [0; HEADER_BYTES];
        expected[..32].fill(9);
        expected[32..40].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        expected[41..].copy_from_slice(&slot().encode());
        assert_eq!(message().encode(), expected);
        expected[32..].fill(0);
        expected[40] = 1;
        assert_eq!(ephemeral().encode(), expected);
    }

    #[test]
    fn what_is_encoded_decodes() {
        for header in [message(), ephemeral()] {
            assert_eq!(Header::decode(&header.encode()), Some(header));
        }
    }

    #[test]
    fn each_wrong_byte_is_refused() {
        let wrong = |header: Header, index: usize, byte: u8| {
            let mut bytes = header.encode();
            bytes[index] = byte;
            Header::decode(&bytes)
        };
        assert_eq!(wrong(message(), 40, 2), None, "a kind that is not known");
        assert_eq!(wrong(message(), 40, 1), None, "an ephemeral packet with counters");
        assert_eq!(wrong(ephemeral(), 35, 1), None, "an ephemeral packet with a previous chain");
        assert_eq!(wrong(ephemeral(), 39, 1), None, "an ephemeral packet with a number");
        assert_eq!(wrong(ephemeral(), 41, 1), None, "an ephemeral packet with an epoch");
        assert_eq!(wrong(ephemeral(), HEADER_BYTES - 1, 1), None, "an ephemeral packet with a chunk");
        assert_eq!(wrong(message(), 45, 9), None, "a chunk of an unknown kind");
    }

    #[test]
    fn two_seals_share_no_nonce() {
        let key = HeaderKey::new(Secret32::copied(&[7; 32]));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (mut first, mut second) = ([0; SEALED_HEADER_BYTES], [0; SEALED_HEADER_BYTES]);
        message().seal(&key, &mut rng, &mut first);
        message().seal(&key, &mut rng, &mut second);
        assert_ne!(first[..NONCE_BYTES], second[..NONCE_BYTES]);
        assert!(key.opens(&mut first) && key.opens(&mut second));
        assert_eq!(Header::read(&first), Ok(message()));
        assert_eq!(Header::read(&second), Ok(message()));
    }
}
