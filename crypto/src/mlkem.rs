//! ML-KEM-1024 (FIPS 203) over `libcrux-ml-kem`, which wipes nothing: what it returns is wrapped here at once.
//!
//! A private key is its 64-byte seed d ‖ z (FIPS 203 §7.1) wherever it is stored, and expanded when it is read.

use core::fmt;

use libcrux_ml_kem::mlkem1024::{self, MlKem1024Ciphertext, MlKem1024PrivateKey, MlKem1024PublicKey};
use rand_core::CryptoRng;
use sotto_inner::limits::{MLKEM1024_CIPHERTEXT_BYTES, MLKEM1024_KEY_BYTES};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::PeerMisbehaved;

/// The 32 bytes both sides share.
pub(crate) type SharedSecret = Zeroizing<[u8; 32]>;

/// The private half, with the public half beside it.
pub(crate) struct DecapsulationKey {
    seed: Box<[u8; Self::SEED_LEN]>,
    private: Box<MlKem1024PrivateKey>,
    public: Box<MlKem1024PublicKey>,
}

impl DecapsulationKey {
    /// d ‖ z.
    pub(crate) const SEED_LEN: usize = 64;

    /// Draws 64 bytes.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; Self::SEED_LEN]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// FIPS 203 algorithm 16.
    pub(crate) fn from_seed(seed: &[u8; Self::SEED_LEN]) -> Self {
        let (private, public) = mlkem1024::generate_key_pair(*seed).into_parts();
        Self { seed: Box::new(*seed), private: Box::new(private), public: Box::new(public) }
    }

    pub(crate) fn seed(&self) -> &[u8; Self::SEED_LEN] {
        &self.seed
    }

    pub(crate) fn public(&self) -> &[u8; MLKEM1024_KEY_BYTES] {
        self.public.as_slice()
    }

    /// FIPS 203 algorithm 21. A ciphertext made for another key gives an unrelated secret, not an error.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Length`].
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SharedSecret, PeerMisbehaved> {
        let ciphertext = MlKem1024Ciphertext::try_from(ciphertext).map_err(|_| PeerMisbehaved::Length)?;
        Ok(Zeroizing::new(mlkem1024::decapsulate(&self.private, &ciphertext)))
    }
}

impl Drop for DecapsulationKey {
    fn drop(&mut self) {
        let Self { seed, private, public: _ } = self;
        seed.zeroize();
        private[0..MlKem1024PrivateKey::len()].zeroize();
    }
}

impl ZeroizeOnDrop for DecapsulationKey {}

impl ConstantTimeEq for DecapsulationKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.seed.ct_eq(&*other.seed)
    }
}

impl fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed: _, private: _, public: _ } = self;
        f.write_str("DecapsulationKey(..)")
    }
}

/// The checks of FIPS 203 §7.2 on an encapsulation key: length, and every coefficient below the modulus.
///
/// # Errors
/// [`PeerMisbehaved::Length`] or [`PeerMisbehaved::Key`].
pub(crate) fn check_public(key: &[u8]) -> Result<(), PeerMisbehaved> {
    let key = MlKem1024PublicKey::try_from(key).map_err(|_| PeerMisbehaved::Length)?;
    if mlkem1024::validate_public_key(&key) { Ok(()) } else { Err(PeerMisbehaved::Key) }
}

/// Draws 32 bytes and encapsulates to a checked key (FIPS 203 algorithm 20).
///
/// # Errors
/// [`PeerMisbehaved::Length`].
pub(crate) fn encapsulate(
    rng: &mut dyn CryptoRng,
    key: &[u8],
) -> Result<([u8; MLKEM1024_CIPHERTEXT_BYTES], SharedSecret), PeerMisbehaved> {
    let key = MlKem1024PublicKey::try_from(key).map_err(|_| PeerMisbehaved::Length)?;
    let mut m = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *m);
    let (ciphertext, secret) = mlkem1024::encapsulate(&key, *m);
    Ok((*ciphertext.as_slice(), Zeroizing::new(secret)))
}
