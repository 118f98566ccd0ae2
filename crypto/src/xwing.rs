//! HPKE in base mode (RFC 9180 §5.1.1) with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! X-Wing is draft-connolly-cfrg-xwing-kem-06, under HPKE as KEM 0x647a of draft-ietf-hpke-pq-03. A private key is its 32-byte
//! seed wherever it is stored.

use core::fmt;

use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use rand_core::CryptoRng;
use sotto_inner::limits::XWING_CIPHERTEXT_BYTES;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    PeerMisbehaved,
    secret::{SECRET_BYTES, Secret32},
};

/// The private half: a seed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SealSecret(Secret32);

impl SealSecret {
    /// Draws 32 bytes: the draft's `GenerateKeyPair`.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret32::random(rng))
    }

    pub(crate) fn from_seed(seed: &[u8; SECRET_BYTES]) -> Self {
        Self(Secret32::copied(seed))
    }

    pub(crate) fn seed(&self) -> &[u8; SECRET_BYTES] {
        self.0.as_bytes()
    }

    /// ML-KEM-768 encapsulation key ‖ X25519 public key.
    pub(crate) fn public(&self) -> Vec<u8> {
        XWing::sk_to_pk(&self.expand()).to_bytes().to_vec()
    }

    /// Opens `enc` ‖ ciphertext.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Length`] or [`PeerMisbehaved::Unopenable`].
    pub(crate) fn open(&self, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, PeerMisbehaved> {
        let (enc, ciphertext) = sealed.split_at_checked(XWING_CIPHERTEXT_BYTES).ok_or(PeerMisbehaved::Length)?;
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| PeerMisbehaved::Length)?;
        let plaintext = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.expand(),
            &enc,
            info,
            ciphertext,
            aad,
        );
        plaintext.map(Zeroizing::new).map_err(|_| PeerMisbehaved::Unopenable)
    }

    fn expand(&self) -> <XWing as Kem>::PrivateKey {
        <XWing as Kem>::PrivateKey::from_bytes(self.seed()).expect("32 bytes: the type fixes the length")
    }
}

impl ConstantTimeEq for SealSecret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for SealSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SealSecret(..)")
    }
}

/// Length, and every coefficient of the ML-KEM part below the modulus (FIPS 203 §7.2).
///
/// # Errors
/// [`PeerMisbehaved::Key`].
pub(crate) fn check_public(key: &[u8]) -> Result<(), PeerMisbehaved> {
    <XWing as Kem>::PublicKey::from_bytes(key).map(drop).map_err(|_| PeerMisbehaved::Key)
}

/// Draws 64 bytes and seals: `enc` ‖ ciphertext, longer than the plaintext by [`XWING_CIPHERTEXT_BYTES`] and
/// a tag.
pub(crate) fn seal(rng: &mut dyn CryptoRng, key: &[u8], info: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let key = <XWing as Kem>::PublicKey::from_bytes(key).expect("a verified prekey: `check_public` passed it");
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &key,
        info,
        plaintext,
        aad,
        &mut &mut *rng,
    )
    .expect("base mode of X-Wing cannot fail, and one message does not exhaust the nonces");
    [&enc.to_bytes()[..], &ciphertext].concat()
}
