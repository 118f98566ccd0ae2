//! Thirty-two secret bytes, held in one place.
//!
//! They lie on the heap, so that a move copies a pointer and leaves nothing behind; they are wiped on drop, compared
//! in constant time, and never printed. There is no `Clone`: where a copy must be worked on, [`Secret32::duplicate`]
//! says so. Every secret noun of this crate wraps one.

use core::fmt;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of every symmetric key and of every X25519 private key, in bytes.
pub(crate) const SECRET_BYTES: usize = 32;

/// Thirty-two secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret32(Box<[u8; SECRET_BYTES]>);

impl Secret32 {
    /// Fills a new secret in place, so that its bytes never lie anywhere else.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; SECRET_BYTES])) -> Self {
        let mut secret = Self(Box::new([0; SECRET_BYTES]));
        fill(&mut secret.0);
        secret
    }

    /// Copies a secret out of bytes that the caller wipes.
    pub(crate) fn copied(bytes: &[u8; SECRET_BYTES]) -> Self {
        Self(Box::new(*bytes))
    }

    /// Copies a secret out of a slice; `None` unless it has 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; SECRET_BYTES]>::try_from(bytes).ok().map(Self::copied)
    }

    /// Draws a fresh secret.
    pub(crate) fn random(rng: &mut dyn CryptoRng) -> Self {
        Self::filled(|bytes| rng.fill_bytes(bytes))
    }

    /// A second copy, for work that replaces the first only once it has succeeded.
    pub(crate) fn duplicate(&self) -> Self {
        Self::copied(&self.0)
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

impl ConstantTimeEq for Secret32 {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0[..].ct_eq(&other.0[..])
    }
}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Secret32(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", Secret32::copied(&[7; 32])), @"Secret32(..)");
    }

    #[test]
    fn a_slice_of_another_length_is_refused() {
        assert!(Secret32::from_slice(&[0; 31]).is_none());
        assert!(Secret32::from_slice(&[0; 33]).is_none());
        assert!(Secret32::from_slice(&[0; 32]).is_some());
    }

    #[test]
    fn equality_looks_at_every_byte() {
        let secret = Secret32::copied(&[7; 32]);
        assert!(bool::from(secret.ct_eq(&secret.duplicate())));
        for index in 0..SECRET_BYTES {
            let mut other = [7; SECRET_BYTES];
            other[index] ^= 1;
            assert!(!bool::from(secret.ct_eq(&Secret32::copied(&other))));
        }
    }
}
