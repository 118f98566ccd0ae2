//! HPKE in base mode (RFC 9180 §5.1.1) with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! X-Wing is draft-connolly-cfrg-xwing-kem-06, under HPKE as KEM 0x647a of draft-ietf-hpke-pq-03. A private key is its
//! 32-byte seed wherever it is stored.

use core::fmt;

use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use rand_core::CryptoRng;
use sotto_inner::limits::XWING_CIPHERTEXT_BYTES;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    PeerMisbehaved,
    secret::{SECRET_BYTES, Secret32},
};

/// The private half: a seed.
#[derive(ZeroizeOnDrop)]
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

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER as HEX;
    use serde::Deserialize;

    use super::*;
    use crate::{
        aead,
        kdf::{expand, hkdf},
        people::{FixedRng, rng},
    };

    /// One answer of draft-connolly-cfrg-xwing-kem-06, from its test vectors, all in hexadecimal.
    #[derive(Deserialize)]
    struct Answer {
        sk: String,
        pk: String,
        eseed: String,
        ct: String,
        ss: String,
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEX.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn known_answers_of_the_draft() {
        let answers: Vec<Answer> = serde_json::from_str(include_str!("../../spec/vectors/xwing.json")).unwrap();
        assert_eq!(answers.len(), 3);
        for answer in answers {
            let secret = SealSecret::from_seed(&hex(&answer.sk));
            let public = secret.public();
            assert_eq!(HEX.encode(&public), answer.pk);
            let public = <XWing as Kem>::PublicKey::from_bytes(&public).unwrap();
            let eseed = hex::<64>(&answer.eseed).to_vec();
            let (shared, enc) = XWing::encap_with_rng(&public, None, &mut FixedRng(eseed)).unwrap();
            assert_eq!(HEX.encode(&enc.to_bytes()), answer.ct);
            assert_eq!(HEX.encode(&shared.0), answer.ss);
            assert_eq!(HEX.encode(&XWing::decap(&secret.expand(), None, &enc).unwrap().0), answer.ss);
        }
    }

    /// RFC 9180 §4: `LabeledExtract` and `LabeledExpand`, with this suite's id.
    fn labeled_extract(salt: &[u8], label: &[u8], ikm: &[u8]) -> [u8; 32] {
        let suite = suite();
        hmac(salt, &[b"HPKE-v1", &suite, label, ikm])
    }

    fn labeled_expand(prk: &[u8; 32], label: &[u8], info: &[u8], out: &mut [u8]) {
        let len = u16::try_from(out.len()).unwrap().to_be_bytes();
        expand(prk, &[&len, b"HPKE-v1", &suite(), label, info], out);
    }

    /// "HPKE" ‖ X-Wing 0x647a ‖ HKDF-SHA256 0x0001 ‖ ChaCha20-Poly1305 0x0003.
    fn suite() -> [u8; 10] {
        *b"HPKE\x64\x7a\x00\x01\x00\x03"
    }

    /// HKDF-Extract (RFC 5869 §2.2).
    fn hmac(salt: &[u8], ikm: &[&[u8]]) -> [u8; 32] {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(salt).unwrap();
        ikm.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// What the library seals, RFC 9180 §5.1 written out by hand opens: key schedule and suite are the ones we name.
    #[test]
    fn the_key_schedule_is_that_of_rfc_9180() {
        let secret = SealSecret::generate(&mut rng(1));
        let sealed = seal(&mut rng(2), &secret.public(), b"info", b"aad", b"bread and butter");
        let (enc, ciphertext) = sealed.split_at(XWING_CIPHERTEXT_BYTES);
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).unwrap();
        let shared = XWing::decap(&secret.expand(), None, &enc).unwrap();

        let psk_id_hash = labeled_extract(b"", b"psk_id_hash", b"");
        let info_hash = labeled_extract(b"", b"info_hash", b"info");
        let context = [&[0][..], &psk_id_hash, &info_hash].concat();
        let prk = labeled_extract(&shared.0, b"secret", b"");
        let (mut key, mut nonce) = ([0; 32], [0; 12]);
        labeled_expand(&prk, b"key", &context, &mut key);
        labeled_expand(&prk, b"base_nonce", &context, &mut nonce);
        let (ciphertext, tag) = ciphertext.split_last_chunk().unwrap();
        let mut plaintext = ciphertext.to_vec();
        aead::open_in_place(&key, &nonce, b"aad", &mut plaintext, tag).unwrap();
        assert_eq!(plaintext, b"bread and butter");
        // And `kdf::hkdf` is the same extract and expand, under any salt.
        let mut whole = [0; 32];
        hkdf(&shared.0, &[b"ikm"], &[b"info"], &mut whole);
        let mut parts = [0; 32];
        expand(&hmac(&shared.0, &[b"ikm"]), &[b"info"], &mut parts);
        assert_eq!(whole, parts);
    }

    #[test]
    fn what_is_sealed_opens_only_as_it_was() {
        let (secret, other) = (SealSecret::generate(&mut rng(1)), SealSecret::generate(&mut rng(2)));
        let sealed = seal(&mut rng(3), &secret.public(), b"info", b"aad", b"bread");
        assert_eq!(sealed.len(), XWING_CIPHERTEXT_BYTES + 5 + 16);
        assert_eq!(secret.open(b"info", b"aad", &sealed).unwrap()[..], *b"bread");
        let refused = |opened: Result<Zeroizing<Vec<u8>>, PeerMisbehaved>, why| {
            assert_eq!(opened.err(), Some(PeerMisbehaved::Unopenable), "{why}");
        };
        refused(other.open(b"info", b"aad", &sealed), "another key");
        refused(secret.open(b"Info", b"aad", &sealed), "another info");
        refused(secret.open(b"info", b"add", &sealed), "other associated data");
        refused(secret.open(b"info", b"aad", &sealed[..sealed.len() - 1]), "a byte short");
        refused(secret.open(b"info", b"aad", &[&sealed[..], &[0]].concat()), "a byte long");
        refused(secret.open(b"info", b"aad", &sealed[..XWING_CIPHERTEXT_BYTES]), "no ciphertext");
        let short = secret.open(b"info", b"aad", &sealed[..XWING_CIPHERTEXT_BYTES - 1]);
        assert_eq!(short.err(), Some(PeerMisbehaved::Length), "no whole enc");
    }

    #[test]
    fn invalid_public_keys_are_refused() {
        let public = SealSecret::generate(&mut rng(1)).public();
        assert_eq!(check_public(&public), Ok(()));
        assert_eq!(check_public(&public[1..]), Err(PeerMisbehaved::Key), "a byte short");
        assert_eq!(check_public(&[&public[..], &[0]].concat()), Err(PeerMisbehaved::Key), "a byte long");
        let over = [&[0xff; 3], &public[3..]].concat();
        assert_eq!(check_public(&over), Err(PeerMisbehaved::Key), "a coefficient over the modulus");
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", SealSecret::generate(&mut rng(1))), @"SealSecret(..)");
    }
}
