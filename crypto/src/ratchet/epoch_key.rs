//! The keys of the Braid's epochs: a root that takes in each epoch's secret, and a chain in each direction that gives every
//! packet a key. The same shape as the Double Ratchet's, fed by ML-KEM instead of X25519.

use core::fmt;

use sotto_inner::labels;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{message_key::MessageKey, skipped::SkippedKey};
use crate::{
    kdf,
    secret::{SECRET_BYTES, Secret32},
};

/// The root of all epoch chains.
#[derive(ZeroizeOnDrop)]
pub(super) struct EpochRoot(Secret32);

/// The key of an epoch chain at one packet number.
#[derive(ZeroizeOnDrop)]
pub(super) struct EpochChainKey(Secret32);

/// The Braid's key of one packet.
#[derive(ZeroizeOnDrop)]
pub(super) struct EpochMessageKey(Secret32);

/// What an epoch begins with.
pub(super) struct EpochStart {
    pub(super) root: EpochRoot,
    /// The chain of what the session's initiator seals.
    pub(super) initiator: EpochChainKey,
    /// The chain of what the responder seals.
    pub(super) responder: EpochChainKey,
}

impl EpochStart {
    /// Epoch 0, of the handshake's secret for the Braid: HKDF (RFC 5869), salt of 32 zero bytes, info the label, 96 bytes:
    /// root ‖ initiator's chain ‖ responder's chain.
    pub(super) fn of_handshake(secret: &Secret32) -> Self {
        Self::derive(&[0; 32], secret, labels::BRAID_START)
    }

    fn derive(salt: &[u8; 32], secret: &Secret32, label: &[u8]) -> Self {
        let mut out = Zeroizing::new([0; 3 * SECRET_BYTES]);
        kdf::hkdf(salt, &[secret.as_bytes()], &[label], &mut *out);
        let key = |index: usize| {
            let block = &out[index * SECRET_BYTES..][..SECRET_BYTES];
            Secret32::from_slice(block).expect("32 bytes: the slice above has that length")
        };
        Self { root: EpochRoot(key(0)), initiator: EpochChainKey(key(1)), responder: EpochChainKey(key(2)) }
    }
}

impl EpochRoot {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Spends this root with an epoch's secret: as [`EpochStart::of_handshake`], with this root as salt.
    pub(super) fn advance(self, secret: &Secret32) -> EpochStart {
        EpochStart::derive(self.0.as_bytes(), secret, labels::BRAID_CHAINS)
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        self.0.as_bytes()
    }
}

impl EpochChainKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Spends this key: the next one, and the key of packet `number`.
    ///
    /// HKDF-Expand (RFC 5869 §2.3) with this key as PRK, info label ‖ number, 64 bytes: next chain key ‖ message key.
    pub(super) fn advance(self, number: u32) -> (Self, EpochMessageKey) {
        let mut step = Zeroizing::new([0; 2 * SECRET_BYTES]);
        kdf::expand(self.0.as_bytes(), &[labels::EPOCH_STEP, &number.to_be_bytes()], &mut *step);
        let (next, message) = step.split_at(SECRET_BYTES);
        let next = Secret32::from_slice(next).expect("32 bytes: the first half of 64");
        let message = Secret32::from_slice(message).expect("32 bytes: the second half of 64");
        (Self(next), EpochMessageKey(message))
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        self.0.as_bytes()
    }
}

impl EpochMessageKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Kept for a packet that has not come yet.
    pub(super) fn into_skipped(self) -> SkippedKey {
        SkippedKey::new(self.0.duplicate())
    }

    /// The key that a packet's body key comes of: HKDF with the Double Ratchet's key as input and this one as salt. Whoever
    /// lacks either has nothing. Public Double Ratchet specification, "Triple Ratchet".
    pub(super) fn mix(self, message_key: &MessageKey) -> MessageKey {
        let mut mixed = Zeroizing::new([0; SECRET_BYTES]);
        kdf::hkdf(self.0.as_bytes(), &[message_key.as_bytes()], &[labels::MESSAGE_KEY], &mut *mixed);
        MessageKey::new(Secret32::copied(&mixed))
    }
}

impl fmt::Debug for EpochRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("EpochRoot(..)")
    }
}

impl fmt::Debug for EpochChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("EpochChainKey(..)")
    }
}

impl fmt::Debug for EpochMessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("EpochMessageKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_one_hkdf_expand_that_binds_the_number() {
        let (next, message) = EpochChainKey(Secret32::copied(&[7; 32])).advance(0x0102_0304);
        let mut expected = [0; 64];
        let info = [&b"sotto/1 epoch step"[..], &[1, 2, 3, 4]].concat();
        hkdf::Hkdf::<sha2::Sha256>::from_prk(&[7; 32]).unwrap().expand(&info, &mut expected).unwrap();
        assert_eq!([next.as_bytes().as_slice(), message.0.as_bytes()].concat(), expected);
    }

    #[test]
    fn both_keys_count_in_the_mix() {
        let mix = |epoch: u8, ratchet: u8| {
            let message_key = MessageKey::new(Secret32::copied(&[ratchet; 32]));
            *EpochMessageKey(Secret32::copied(&[epoch; 32])).mix(&message_key).as_bytes()
        };
        let mut expected = [0; 32];
        let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(Some(&[1; 32]), &[2; 32]);
        hkdf.expand(b"sotto/1 message key", &mut expected).unwrap();
        assert_eq!(mix(1, 2), expected);
        assert_ne!(mix(2, 2), expected);
        assert_ne!(mix(1, 3), expected);
    }

    #[test]
    fn debug_prints_no_contents() {
        let EpochStart { root, initiator, .. } = EpochStart::of_handshake(&Secret32::copied(&[7; 32]));
        insta::assert_snapshot!(format!("{root:?} {initiator:?}"), @"EpochRoot(..) EpochChainKey(..)");
        insta::assert_snapshot!(format!("{:?}", initiator.advance(0).1), @"EpochMessageKey(..)");
    }
}
