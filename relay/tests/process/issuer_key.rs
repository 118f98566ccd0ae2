//! The keys of an issuer of our own: RS256 and ES256, as a JWK set shows them and as a token is signed with them.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{KeyPair, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use sha2::Sha256;

/// A key with its id.
pub(crate) struct IssuerKey {
    pub(crate) id: String,
    key: KeyPair,
}

impl IssuerKey {
    pub(crate) fn es256(id: &str) -> Self {
        Self { id: id.to_owned(), key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    pub(crate) fn rs256(id: &str) -> Self {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self { id: id.to_owned(), key }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        if self.is_rsa() { "RS256" } else { "ES256" }
    }

    /// As a set shows it (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let public = self.key.public_key_raw();
        if self.is_rsa() {
            let (modulus, rest) = value(value(public).0);
            let (modulus, exponent) = (part(number(modulus)), part(value(rest).0));
            return json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": modulus, "e": exponent });
        }
        let (x, y) = public[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": part(x), "y": part(y) })
    }

    /// A token (RFC 7515 §7.1), signed as its header says.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        let signature = match header["alg"].as_str() {
            Some("none") => vec![],
            // With what everybody can see as the secret.
            Some("HS256") => {
                let mac = Hmac::<Sha256>::new_from_slice(self.key.public_key_raw()).unwrap();
                mac.chain_update(&signed).finalize().into_bytes().to_vec()
            }
            _ => self.sign(signed.as_bytes()),
        };
        format!("{signed}.{}", part(signature))
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(bytes).unwrap();
        if self.is_rsa() {
            return signature;
        }
        // Two numbers in DER become two of 32 bytes (RFC 7518 §3.4).
        let (r, rest) = value(value(&signature).0);
        let pad = |number: &[u8]| [vec![0; 32 - number.len()], number.to_vec()].concat();
        [pad(number(r)), pad(number(value(rest).0))].concat()
    }

    fn is_rsa(&self) -> bool {
        self.key.algorithm() == &rcgen::PKCS_RSA_SHA256
    }
}

fn part(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// What a DER value holds (ITU-T X.690 §8.1), and what follows it.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = match der[1] {
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), &der[4..]),
        0x81 => (usize::from(der[2]), &der[3..]),
        length => (usize::from(length), &der[2..]),
    };
    rest.split_at(length)
}

/// Without the zeros that keep a number positive.
fn number(der: &[u8]) -> &[u8] {
    &der[der.iter().take_while(|byte| **byte == 0).count()..]
}
