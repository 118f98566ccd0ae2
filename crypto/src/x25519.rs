//! X25519 (RFC 7748): private keys, and agreements that refuse what an honest key never is.

use core::fmt;

use rand_core::CryptoRng;
use sotto_inner::AgreementKey;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    error::{PeerMisbehaved, StateError},
    secret::Secret32,
};

/// An X25519 private key with its public half, which is computed once.
pub struct PrivateKey {
    secret: Secret32,
    public: AgreementKey,
}

/// The outcome of an agreement: input of a key derivation, nothing else.
#[derive(ZeroizeOnDrop)]
pub(crate) struct Shared(Secret32);

impl PrivateKey {
    /// Draws a fresh key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_secret(Secret32::random(rng))
    }

    /// The public half.
    pub fn public(&self) -> &AgreementKey {
        &self.public
    }

    /// Agrees with `theirs`.
    ///
    /// # Errors
    /// [`PeerMisbehaved::NonCanonicalPoint`] and [`PeerMisbehaved::NonContributory`] (RFC 7748 §5 and §6.1).
    pub(crate) fn agree(&self, theirs: &AgreementKey) -> Result<Shared, PeerMisbehaved> {
        if !is_canonical(theirs.as_bytes()) {
            return Err(PeerMisbehaved::NonCanonicalPoint);
        }
        let secret = StaticSecret::from(*self.secret.as_bytes());
        let shared = secret.diffie_hellman(&PublicKey::from(*theirs.as_bytes()));
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::NonContributory);
        }
        Ok(Shared(Secret32::copied(shared.as_bytes())))
    }

    /// The private scalar, 32 bytes, for the store.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.secret.as_bytes().to_vec())
    }

    /// Reads what [`PrivateKey::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError::Malformed`] unless there are 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        Secret32::from_slice(bytes).map(Self::from_secret).ok_or(StateError::Malformed)
    }

    /// Puts a key together that was stored with its public half; saves a scalar multiplication at each loading.
    pub(crate) fn from_parts(secret: Secret32, public: AgreementKey) -> Self {
        Self { secret, public }
    }

    /// The private scalar.
    pub(crate) fn secret(&self) -> &Secret32 {
        &self.secret
    }

    /// A second copy, for work that replaces the first only once it has succeeded.
    pub(crate) fn duplicate(&self) -> Self {
        let Self { secret, public } = self;
        Self { secret: secret.duplicate(), public: *public }
    }

    fn from_secret(secret: Secret32) -> Self {
        let public = PublicKey::from(&StaticSecret::from(*secret.as_bytes())).to_bytes().into();
        Self { secret, public }
    }
}

impl Shared {
    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, public: _ } = self;
        f.write_str("PrivateKey(..)")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Shared(..)")
    }
}

/// Checks a public key that is not agreed with yet: canonical, and not of small order.
///
/// # Errors
/// As [`PrivateKey::agree`].
pub(crate) fn check_public(key: &AgreementKey) -> Result<(), PeerMisbehaved> {
    // Any clamped scalar is a multiple of the cofactor, so every agreement with a point of small order is zero.
    PrivateKey::from_parts(Secret32::copied(&[0; 32]), [0; 32].into()).agree(key).map(drop)
}

/// Whether a u-coordinate, little-endian, is below 2^255 - 19. It is public, so the comparison may take its time.
fn is_canonical(u: &[u8; 32]) -> bool {
    let all_ones_above_the_last = u[1..31].iter().all(|&byte| byte == 0xff);
    u[31] < 0x7f || (u[31] == 0x7f && !(all_ones_above_the_last && u[0] >= 0xed))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn both_sides_agree() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (alice, bob) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
        let (ours, theirs) = (alice.agree(bob.public()).unwrap(), bob.agree(alice.public()).unwrap());
        assert_eq!(ours.as_bytes(), theirs.as_bytes());
    }

    #[test]
    fn a_key_survives_its_encoding() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(2));
        let read = PrivateKey::from_bytes(&key.to_bytes()).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(PrivateKey::from_bytes(&[0; 31]).unwrap_err(), StateError::Malformed);
    }

    #[test]
    fn a_second_spelling_of_a_point_is_refused() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(3));
        let mut high_bit = *PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(4)).public().as_bytes();
        assert!(key.agree(&high_bit.into()).is_ok());
        high_bit[31] |= 0x80;
        let mut prime = [0xff; 32];
        (prime[0], prime[31]) = (0xed, 0x7f);
        let mut above = prime;
        above[0] = 0xf6; // 9 + p, the base point's second spelling
        for point in [high_bit, prime, above] {
            assert_eq!(key.agree(&point.into()).unwrap_err(), PeerMisbehaved::NonCanonicalPoint);
        }
    }

    #[test]
    fn a_point_of_small_order_is_refused() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(5));
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for point in [[0; 32], one, minus_one] {
            assert_eq!(key.agree(&point.into()).unwrap_err(), PeerMisbehaved::NonContributory);
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(6));
        insta::assert_snapshot!(format!("{key:?}"), @"PrivateKey(..)");
        insta::assert_snapshot!(format!("{:?}", key.agree(key.public()).unwrap()), @"Shared(..)");
    }
}
