//! Ed25519 (RFC 8032): the secret half of any signing key here, and the one way signatures are checked.
//!
//! Verification is strict: no public key or `R` of small order, no non-canonical `S`, no other spelling of a public key.
//! So one signature of one message under one key has one encoding.

use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// An Ed25519 secret key. Wiped on drop by `ed25519-dalek`; boxed, so that moving it copies no secret.
pub(crate) struct SigningSecret(Box<SigningKey>);

impl SigningSecret {
    pub(crate) const LEN: usize = 32;

    /// Draws 32 bytes.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    pub(crate) fn from_seed(seed: &[u8; Self::LEN]) -> Self {
        Self(Box::new(SigningKey::from_bytes(seed)))
    }

    /// The seed of RFC 8032 §5.1.5.
    pub(crate) fn seed(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl ZeroizeOnDrop for SigningSecret {}

impl ConstantTimeEq for SigningSecret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.seed().ct_eq(other.seed())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SigningSecret(..)")
    }
}

/// Whether `signature` is `key`'s over `bytes`, strictly.
pub(crate) fn verifies(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(verifying) = VerifyingKey::from_bytes(key) else { return false };
    // Decompression reduces y modulo p: 19 points have a second spelling (RFC 8032 §5.1.3 refuses it).
    let canonical = verifying.to_edwards().compress().as_bytes() == key;
    canonical && verifying.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok()
}
