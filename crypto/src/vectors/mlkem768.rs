//! ML-KEM-768 in halves.

use super::{Case, Vectors};
use crate::{
    mlkem768::{
        EncapsulationSeed, FIRST_HALF_BYTES, FirstHalf, HEADER_BYTES, Header, KeyPair, KeySeed, SecondHalf, Vector,
        check,
    },
    people::FixedRng,
    secret::Secret32,
};

/// Distinct bytes in place of chance.
fn random(len: usize, first: u8) -> Vec<u8> {
    (0..len).map(|index| first.wrapping_add(index as u8)).collect()
}

fn pair(first: u8) -> KeyPair {
    KeySeed::generate(&mut FixedRng(random(64, first))).expand()
}

/// The header of a key that any bytes spell.
fn header_of(rho: &[u8], vector: &Vector) -> Header {
    use sha3::{Digest, Sha3_256};
    let hash = Sha3_256::digest([vector, rho].concat());
    [rho, &hash].concat().try_into().unwrap()
}

fn halves(ciphertext: &[u8]) -> (&FirstHalf, &SecondHalf) {
    let (first, second) = ciphertext.split_first_chunk::<FIRST_HALF_BYTES>().unwrap();
    (first, second.try_into().unwrap())
}

#[test]
fn keys_and_ciphertexts_in_halves() {
    let mut accepted = Vec::new();
    for first in [0x00, 0x5e, 0xb7] {
        let (pair, m) = (pair(first), random(32, first ^ 0xff));
        let seed = EncapsulationSeed(Secret32::from_slice(&m).unwrap());
        let (ct1, secret) = seed.first_half(&pair.header());
        let ct2 = seed.second_half(&pair.header(), pair.vector()).unwrap();
        assert_eq!(pair.decapsulate(&ct1, &ct2).as_bytes(), secret.as_bytes());
        accepted.push(
            Case::default()
                .hex("seed", &random(64, first))
                .hex("m", &m)
                .hex("header", &pair.header())
                .hex("vector", pair.vector())
                .hex("ct1", &ct1)
                .hex("ct2", &ct2)
                .hex("secret", secret.as_bytes()),
        );
        let honest = [&ct1[..], &ct2].concat();
        for at in [0, 500, 959, 960, 1_087] {
            let mut changed = honest.clone();
            changed[at] ^= 1;
            let (first_half, second_half) = halves(&changed);
            let rejected = pair.decapsulate(first_half, second_half);
            assert_ne!(rejected.as_bytes(), secret.as_bytes());
            accepted.push(
                Case::default()
                    .hex("seed", &random(64, first))
                    .hex("ciphertext", &changed)
                    .hex("secret", rejected.as_bytes()),
            );
        }
    }
    Vectors { about: ABOUT, accepted, refused: refused() }.check("mlkem768.json");
}

fn refused() -> Vec<Case> {
    let mut refused = Vec::new();
    let (pair, other) = (pair(0), pair(1));
    let mut refuse = |why: &str, header: &Header, vector: &Vector| {
        let error = check(header, vector).expect_err(why);
        refused.push(Case::why(why).hex("header", header).hex("vector", vector).error(error));
    };
    let rho = &pair.header()[..32];
    refuse("another key's vector", &pair.header(), other.vector());
    for (why, at) in [("a bit of ρ", 0), ("a bit of the hash", HEADER_BYTES - 1)] {
        let mut header = pair.header();
        header[at] ^= 1;
        refuse(why, &header, pair.vector());
    }
    let mut changed = *pair.vector();
    changed[1_151] ^= 1;
    refuse("a bit of the vector", &pair.header(), &changed);
    // 3,329 in the first twelve bits, little-endian; 4,095 in the last twelve.
    let mut modulus = *pair.vector();
    (modulus[0], modulus[1]) = (0x01, modulus[1] & 0xf0 | 0x0d);
    refuse("a first coefficient of q, under its right hash", &header_of(rho, &modulus), &modulus);
    let mut largest = *pair.vector();
    (largest[1_150], largest[1_151]) = (largest[1_150] | 0xf0, 0xff);
    refuse("a last coefficient of 4,095, under its right hash", &header_of(rho, &largest), &largest);
    refuse("all coefficients of 4,095, under their right hash", &header_of(rho, &[0xff; 1_152]), &[0xff; 1_152]);
    refused
}

const ABOUT: &str = "\
ML-KEM-768 (FIPS 203) in halves. `seed` is d and z; the encapsulation key is `vector` and then the first 32 bytes of \
`header`, rho; the other 32 are SHA3-256 of the key. `m` is the randomness of the encapsulation: rho, the hash and m give \
`ct1`, c1 of 960 bytes, and `secret`; the vector gives `ct2`, c2 of 128 bytes. An entry with `ciphertext` is a changed one: \
decapsulated with the key of that seed it gives `secret`, by implicit rejection. Refused are vectors that do not belong \
to their header or are no valid key (FIPS 203, 7.2).";
