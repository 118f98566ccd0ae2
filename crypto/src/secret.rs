//! Thirty-two secret bytes, held in one place.
//!
//! They lie on the heap and never change, so a move copies a pointer and leaves nothing behind, and a state that is
//! worked on beside the one it replaces shares them: no secret lies in two places. The last holder's drop wipes them.
//! They are compared in constant time and never printed. There is no `Clone`: where a secret gets a second holder,
//! [`Secret32::duplicate`] says so. Every secret noun of this crate wraps one.

use core::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Length of every symmetric key and of every X25519 private key, in bytes.
pub(crate) const SECRET_BYTES: usize = 32;

/// Thirty-two secret bytes.
pub(crate) struct Secret32(Arc<Zeroizing<[u8; SECRET_BYTES]>>);

impl Secret32 {
    /// Fills a new secret in place, so that its bytes never lie anywhere else.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; SECRET_BYTES])) -> Self {
        let mut bytes = Arc::new(Zeroizing::new([0; SECRET_BYTES]));
        fill(Arc::get_mut(&mut bytes).expect("just made: nobody else holds it"));
        Self(bytes)
    }

    /// Copies a secret out of bytes that the caller wipes.
    pub(crate) fn copied(bytes: &[u8; SECRET_BYTES]) -> Self {
        Self::filled(|secret| secret.copy_from_slice(bytes))
    }

    /// Copies a secret out of a slice; `None` unless it has 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        <&[u8; SECRET_BYTES]>::try_from(bytes).ok().map(Self::copied)
    }

    /// Draws a fresh secret.
    pub(crate) fn random(rng: &mut dyn CryptoRng) -> Self {
        Self::filled(|bytes| rng.fill_bytes(bytes))
    }

    /// A second holder of the same bytes, for work that replaces the first only once it has succeeded.
    pub(crate) fn duplicate(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

impl ZeroizeOnDrop for Secret32 {}

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
