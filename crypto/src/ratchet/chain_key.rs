//! The chain key: a secret that moves.
//!
//! One chain runs through all packets of one direction between two Diffie-Hellman steps. Each packet takes one step of
//! it, which yields that packet's message key and the next chain key.
//!
//! Invariants:
//! - A chain key is spent by [`ChainKey::advance`], which takes it by value: no two message keys come of one.
//! - Neither the message key nor the next chain key tells anything of the chain key they came from, and neither tells
//!   anything of the other: both are disjoint blocks of one HKDF-Expand.
//! - The bytes lie in one place on the heap, and are wiped when the last state that holds them is gone.

use core::fmt;

use sotto_inner::labels;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::message_key::MessageKey;
use crate::{
    kdf,
    secret::{SECRET_BYTES, Secret32},
};

/// The key of a chain at one packet number.
#[derive(ZeroizeOnDrop)]
pub(super) struct ChainKey(Secret32);

impl ChainKey {
    /// The first key of a chain, as a Diffie-Hellman step or the store gives it.
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Spends this key: the next one, and the message key of the packet at which the chain stood.
    ///
    /// HKDF-Expand (RFC 5869 §2.3) with this key as PRK, 64 bytes: next chain key ‖ message key.
    pub(super) fn advance(self) -> (Self, MessageKey) {
        let mut step = Zeroizing::new([0; 2 * SECRET_BYTES]);
        kdf::expand(self.0.as_bytes(), &[labels::CHAIN_STEP], &mut *step);
        let (next, message) = step.split_at(SECRET_BYTES);
        let next = Secret32::from_slice(next).expect("32 bytes: the first half of 64");
        let message = Secret32::from_slice(message).expect("32 bytes: the second half of 64");
        (Self(next), MessageKey::new(message))
    }

    /// A second copy. An advance that a forged packet can still undo is made on it.
    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// The bytes, for the store alone.
    pub(super) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        self.0.as_bytes()
    }
}

impl ConstantTimeEq for ChainKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("ChainKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain_key(byte: u8) -> ChainKey {
        ChainKey::new(Secret32::copied(&[byte; SECRET_BYTES]))
    }

    /// Both outputs are HKDF-Expand's, so whoever holds RFC 5869 can follow a chain.
    #[test]
    fn a_step_is_one_hkdf_expand() {
        let (next, message) = chain_key(7).advance();
        let mut expected = [0; 64];
        hkdf::Hkdf::<sha2::Sha256>::from_prk(&[7; 32]).unwrap().expand(b"sotto/1 chain step", &mut expected).unwrap();
        assert_eq!(next.as_bytes(), &expected[..32]);
        assert_eq!(message.as_bytes(), &expected[32..]);
    }

    #[test]
    fn no_two_steps_yield_the_same_key() {
        let mut seen = std::collections::BTreeSet::new();
        let mut chain = chain_key(7);
        for _ in 0..100 {
            let (next, message) = chain.advance();
            assert!(seen.insert(*next.as_bytes()));
            assert!(seen.insert(*message.as_bytes()));
            chain = next;
        }
    }

    #[test]
    fn a_copy_walks_the_same_chain() {
        let chain = chain_key(7);
        let (_, first) = chain.duplicate().advance();
        let (_, second) = chain.advance();
        assert_eq!(first.as_bytes(), second.as_bytes());
    }

    #[test]
    fn another_chain_is_another_chain() {
        assert!(bool::from(chain_key(7).ct_eq(&chain_key(7))));
        assert!(!bool::from(chain_key(7).ct_eq(&chain_key(8))));
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", chain_key(7)), @"ChainKey(..)");
    }
}
