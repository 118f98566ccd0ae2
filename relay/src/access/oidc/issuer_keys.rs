//! The keys that an issuer signs with: a JWK set (RFC 7517).

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one set that are looked at.
const KEYS_MAX: usize = 64;

/// The keys an issuer signs ID tokens with.
pub(crate) struct IssuerKeys(Vec<IssuerKey>);

struct IssuerKey {
    id: Option<String>,
    /// The one algorithm it is for.
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl IssuerKeys {
    /// Of a JWK set those that can sign with RS256 or ES256; what else stands in it is passed over (RFC 7517 §5). None where it is
    /// no set.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let set: KeySet = serde_json::from_slice(json).ok()?;
        Some(Self(set.keys.into_iter().take(KEYS_MAX).filter_map(IssuerKey::read).collect()))
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The key that a header means. None where none is, or where several could be.
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<&DecodingKey> {
        let is_meant = |key: &&IssuerKey| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut meant = self.0.iter().filter(is_meant);
        let found = meant.next()?;
        meant.next().is_none().then_some(&found.key)
    }
}

impl IssuerKey {
    fn read(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
            // Shared secrets above all: who can check with one can sign with it.
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        signs.then(|| Self { id: jwk.common.key_id, algorithm, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(keys: &Value) -> IssuerKeys {
        IssuerKeys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn only_keys_that_sign_with_the_two_algorithms_are_kept() {
        let rsa = |more: Value| {
            let mut key = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        for good in [
            json!({}),
            json!({ "use": "sig" }),
            json!({ "alg": "RS256", "kid": "1" }),
            json!({ "key_ops": ["verify"] }),
            json!({ "x": 1 }),
        ] {
            assert_eq!(keys(&json!([rsa(good.clone())])).count(), 1, "{good}");
        }
        for bad in [
            rsa(json!({ "use": "enc" })),
            rsa(json!({ "alg": "PS256" })),
            rsa(json!({ "alg": "RSA-OAEP" })),
            rsa(json!({ "key_ops": ["encrypt"] })),
            json!({ "kty": "oct", "k": "AQAB" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB" }),
            json!({ "kty": "EC", "crv": "secp256k1", "x": "AQAB", "y": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "?", "y": "AQAB" }),
            json!({ "kty": "new" }),
            json!(5),
        ] {
            assert_eq!(keys(&json!([bad, rsa(json!({}))])).count(), 1, "{bad}: the other one is kept");
        }
        for text in ["", "[]", "{}", "{\"keys\":1}"] {
            assert!(IssuerKeys::read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_header_without_an_id_means_the_only_key() {
        let rsa = |id: &str| json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": id });
        let one = keys(&json!([rsa("a")]));
        assert!(one.find(Algorithm::RS256, None).is_some() && one.find(Algorithm::RS256, Some("a")).is_some());
        assert!(one.find(Algorithm::RS256, Some("b")).is_none(), "another id");
        assert!(one.find(Algorithm::ES256, Some("a")).is_none(), "another algorithm");
        let two = keys(&json!([rsa("a"), rsa("b")]));
        assert!(two.find(Algorithm::RS256, None).is_none(), "which one?");
        assert!(two.find(Algorithm::RS256, Some("b")).is_some());
        assert!(keys(&json!([rsa("a"), rsa("a")])).find(Algorithm::RS256, Some("a")).is_none(), "one id twice");
    }
}
