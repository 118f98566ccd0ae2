//! An ID token: an issuer's signed word, to one relay, about who has just logged in (OpenID Connect Core 1.0 §2, §3.1.3.7).

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde_json::{Map, Value};

use super::{IssuerKeys, LoginPolicy};
use crate::time::Timestamp;

/// How far an issuer's clock may be from this relay's.
const SKEW_SECS: u64 = 60;
/// The longest `sub` (OpenID Connect Core 1.0 §2).
const SUBJECT_BYTES_MAX: usize = 255;

/// What a login expects of its ID token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// Whose word it is.
    pub(crate) issuer: &'a str,
    /// To whom.
    pub(crate) client_id: &'a str,
    /// In which login.
    pub(crate) nonce: &'a str,
    /// When that began.
    pub(crate) begun: Timestamp,
    /// Now.
    pub(crate) now: Timestamp,
}

/// Why an ID token is not believed, or who it names does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is no signed token, or says what must not be left unread.
    Form,
    /// It is not signed with RS256 or ES256.
    Algorithm,
    /// By none of the issuer's known keys, or it does not say by which.
    UnknownKey,
    /// The key did not sign it.
    Signature,
    /// Another issuer's.
    Issuer,
    /// For somebody else.
    Audience,
    /// Of another login.
    Nonce,
    /// Expired, from before this login, or from a clock that is off.
    Time,
    /// It names nobody.
    Subject,
    /// The host's policy does not let them in.
    Policy,
}

impl Refusal {
    /// For logs: names nobody.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Nonce => "nonce",
            Self::Time => "time",
            Self::Subject => "subject",
            Self::Policy => "policy",
        }
    }
}

/// Who has logged in, as the issuer calls them, if the token is good and the host lets them in.
pub(crate) fn read(
    token: &str,
    keys: &IssuerKeys,
    expected: &Expected<'_>,
    policy: &LoginPolicy,
) -> Result<String, Refusal> {
    let claims = verify(token, keys)?;
    let subject = judge(&claims, expected)?;
    if policy.admits(&claims) { Ok(subject) } else { Err(Refusal::Policy) }
}

/// What the token claims, signed by one of these keys with the algorithm that the key is for.
fn verify(token: &str, keys: &IssuerKeys) -> Result<Map<String, Value>, Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::Form)?;
    if header.crit.is_some() {
        return Err(Refusal::Form);
    }
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(Refusal::Algorithm);
    }
    let key = keys.find(header.alg, header.kid.as_deref()).ok_or(Refusal::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    // The library would look at the system's clock. All claims are judged below.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match decode(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => Err(Refusal::Signature),
        Err(_) => Err(Refusal::Form),
    }
}

/// The subject of claims that are as a login expects them.
fn judge(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<String, Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(Refusal::Issuer);
    }
    if !is_for(claims, expected.client_id) {
        return Err(Refusal::Audience);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(Refusal::Nonce);
    }
    if !is_of_now(claims, expected) {
        return Err(Refusal::Time);
    }
    let subject = text("sub").filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()));
    subject.map(str::to_owned).ok_or(Refusal::Subject)
}

/// Among several audiences the one that asked must be named as such.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let (is_named, is_alone) = match claims.get("aud") {
        Some(Value::String(audience)) => (audience == client_id, true),
        Some(Value::Array(all)) => (all.iter().any(|audience| audience.as_str() == Some(client_id)), all.len() == 1),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => (false, false),
    };
    match claims.get("azp") {
        Some(party) => is_named && party.as_str() == Some(client_id),
        None => is_named && is_alone,
    }
}

fn is_of_now(claims: &Map<String, Value>, expected: &Expected<'_>) -> bool {
    let (now, begun) = (expected.now.as_millis() / 1_000, expected.begun.as_millis() / 1_000);
    let (Some(until), Some(from)) = (secs(claims.get("exp")), secs(claims.get("iat"))) else { return false };
    let not_before = match claims.get("nbf") {
        Some(claim) => secs(Some(claim)),
        None => Some(from),
    };
    until.saturating_add(SKEW_SECS) > now
        && from <= now + SKEW_SECS
        && from.saturating_add(SKEW_SECS) >= begun
        && not_before.is_some_and(|not_before| not_before <= now + SKEW_SECS)
}

/// A number of seconds, perhaps with a fraction (RFC 7519 §2).
fn secs(claim: Option<&Value>) -> Option<u64> {
    let claim = claim?;
    let of_fraction = || claim.as_f64().filter(|secs| (0.0..1e15).contains(secs)).map(|secs| secs as u64);
    claim.as_u64().or_else(of_fraction)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use hmac::{Hmac, KeyInit, Mac};
    use rcgen::{KeyPair, RsaKeySize, SigningKey};
    use serde_json::json;
    use sha2::Sha256;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://issuer.example",
        client_id: "relay",
        nonce: "nonce",
        begun: Timestamp::from_millis(1_699_999_990_000),
        now: NOW,
    };

    fn part(bytes: impl AsRef<[u8]>) -> String {
        BASE64URL_NOPAD.encode(bytes.as_ref())
    }

    /// What follows the head of a DER value (ITU-T X.690 §8.1), and what follows that.
    fn value(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, rest) = match der[1] {
            0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), &der[4..]),
            0x81 => (usize::from(der[2]), &der[3..]),
            length => (usize::from(length), &der[2..]),
        };
        rest.split_at(length)
    }

    fn number(der: &[u8]) -> &[u8] {
        &der[der.iter().take_while(|byte| **byte == 0).count()..]
    }

    fn es256() -> KeyPair {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
    }

    fn rs256() -> KeyPair {
        KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
    }

    fn jwk(id: &str, key: &KeyPair) -> Value {
        if key.algorithm() == &rcgen::PKCS_RSA_SHA256 {
            let (modulus, exponent) = value(value(key.public_key_raw()).0);
            let exponent = value(exponent).0;
            return json!({ "kty": "RSA", "kid": id, "n": part(number(modulus)), "e": part(exponent) });
        }
        let (x, y) = key.public_key_raw()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": part(x), "y": part(y) })
    }

    fn keys(all: &[Value]) -> IssuerKeys {
        IssuerKeys::read(json!({ "keys": all }).to_string().as_bytes()).unwrap()
    }

    fn signature(key: &KeyPair, signed: &str) -> Vec<u8> {
        let signature = key.sign(signed.as_bytes()).unwrap();
        if key.algorithm() == &rcgen::PKCS_RSA_SHA256 {
            return signature;
        }
        let (r, rest) = value(value(&signature).0);
        let pad = |number: &[u8]| [vec![0; 32 - number.len()], number.to_vec()].concat();
        [pad(number(r)), pad(number(value(rest).0))].concat()
    }

    fn token(key: &KeyPair, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        format!("{signed}.{}", part(signature(key, &signed)))
    }

    fn claims() -> Value {
        json!({
            "iss": "https://issuer.example", "aud": "relay", "sub": "alice", "nonce": "nonce",
            "iat": 1_699_999_999, "exp": 1_700_000_300, "groups": ["staff"],
        })
    }

    /// The claims with one more, or another one; without it where it is null.
    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        let map = claims.as_object_mut().unwrap();
        if value.is_null() {
            map.remove(name)
        } else {
            map.insert(name.to_owned(), value)
        };
        claims
    }

    fn read_by(keys: &IssuerKeys, token: &str) -> Result<String, Refusal> {
        read(token, keys, &EXPECTED, &LoginPolicy::default())
    }

    #[test]
    fn a_good_token_names_who_logged_in_by_either_algorithm() {
        let (rsa, ec) = (rs256(), es256());
        let keys = keys(&[jwk("r", &rsa), jwk("e", &ec)]);
        for (key, header) in [
            (&rsa, json!({ "alg": "RS256", "kid": "r", "typ": "JWT" })),
            (&ec, json!({ "alg": "ES256", "kid": "e" })),
            (&ec, json!({ "alg": "ES256" })),
        ] {
            assert_eq!(read_by(&keys, &token(key, &header, &claims())), Ok("alice".to_owned()), "{header}");
        }
    }

    #[test]
    fn only_the_keys_own_algorithm_counts() {
        let (rsa, ec, other) = (rs256(), es256(), es256());
        let keys = keys(&[jwk("r", &rsa), jwk("e", &ec)]);
        let refused = |key: &KeyPair, header: Value, refusal| {
            assert_eq!(read_by(&keys, &token(key, &header, &claims())), Err(refusal), "{header}");
        };
        refused(&other, json!({ "alg": "ES256", "kid": "e" }), Refusal::Signature);
        refused(&ec, json!({ "alg": "ES256", "kid": "r" }), Refusal::UnknownKey);
        refused(&ec, json!({ "alg": "RS256", "kid": "e" }), Refusal::UnknownKey);
        refused(&rsa, json!({ "alg": "RS256", "kid": "x" }), Refusal::UnknownKey);
        refused(&rsa, json!({ "alg": "PS256", "kid": "r" }), Refusal::Algorithm);
        refused(&rsa, json!({ "alg": "none", "kid": "r" }), Refusal::Form);
        refused(&rsa, json!({ "kid": "r" }), Refusal::Form);
        refused(&ec, json!({ "alg": "ES256", "kid": "e", "crit": ["b64"], "b64": false }), Refusal::Form);
        refused(&other, json!({ "alg": "ES256", "kid": "e", "jwk": jwk("e", &other) }), Refusal::Signature);

        // The public key, which anybody has, as the secret of an HMAC.
        let signed =
            format!("{}.{}", part(json!({ "alg": "HS256", "kid": "r" }).to_string()), part(claims().to_string()));
        let mut mac = Hmac::<Sha256>::new_from_slice(rsa.public_key_raw()).unwrap();
        mac.update(signed.as_bytes());
        let forged = format!("{signed}.{}", part(mac.finalize().into_bytes()));
        assert_eq!(read_by(&keys, &forged), Err(Refusal::Algorithm));

        let good = token(&ec, &json!({ "alg": "ES256", "kid": "e" }), &claims());
        let (signed, _) = good.rsplit_once('.').unwrap();
        for text in ["", ".", "..", signed, &format!("{signed}.a!"), &good[1..]] {
            assert_eq!(read_by(&keys, text), Err(Refusal::Form), "{text}");
        }
        assert_eq!(read_by(&keys, &format!("{signed}.")), Err(Refusal::Signature));
        assert_eq!(read_by(&keys, &format!("{good}.{signed}")), Err(Refusal::Form));
    }

    #[test]
    fn each_claim_is_as_the_login_expects_it() {
        let judged = |claims: Value| judge(claims.as_object().unwrap(), &EXPECTED);
        for (name, value) in [
            ("aud", json!(["relay"])),
            ("azp", json!("relay")),
            ("exp", json!(1_700_000_000.5)),
            ("exp", json!(1_699_999_941)),
            ("iat", json!(1_700_000_060)),
            ("iat", json!(1_699_999_930)),
            ("nbf", json!(1_700_000_060)),
        ] {
            assert_eq!(judged(with(name, value.clone())), Ok("alice".to_owned()), "{name} {value}");
        }
        let mut several = with("aud", json!(["other", "relay"]));
        several["azp"] = json!("relay");
        assert_eq!(judged(several), Ok("alice".to_owned()));
        let nothing = Value::Null;
        for (name, value, refusal) in [
            ("iss", nothing.clone(), Refusal::Issuer),
            ("iss", json!("https://issuer.example/"), Refusal::Issuer),
            ("aud", nothing.clone(), Refusal::Audience),
            ("aud", json!("other"), Refusal::Audience),
            ("aud", json!([]), Refusal::Audience),
            ("aud", json!(["other", "relay"]), Refusal::Audience),
            ("azp", json!("other"), Refusal::Audience),
            ("azp", json!(5), Refusal::Audience),
            ("nonce", nothing.clone(), Refusal::Nonce),
            ("nonce", json!("other"), Refusal::Nonce),
            ("exp", nothing.clone(), Refusal::Time),
            ("exp", json!("1700000300"), Refusal::Time),
            ("exp", json!(-1), Refusal::Time),
            ("exp", json!(1_699_999_940), Refusal::Time),
            ("iat", nothing.clone(), Refusal::Time),
            ("iat", json!(1_700_000_061), Refusal::Time),
            ("iat", json!(1_699_999_929), Refusal::Time),
            ("nbf", json!(1_700_000_061), Refusal::Time),
            ("nbf", json!("now"), Refusal::Time),
            ("sub", nothing, Refusal::Subject),
            ("sub", json!(""), Refusal::Subject),
            ("sub", json!("a".repeat(256)), Refusal::Subject),
        ] {
            assert_eq!(judged(with(name, value.clone())), Err(refusal), "{name} {value}");
        }
    }

    #[test]
    fn the_hosts_policy_has_the_last_word() {
        let key = es256();
        let keys = keys(&[jwk("e", &key)]);
        let token = token(&key, &json!({ "alg": "ES256", "kid": "e" }), &claims());
        let policy =
            |group: &str| LoginPolicy { email_domains: vec![], claim: Some(("groups".to_owned(), group.to_owned())) };
        assert_eq!(read(&token, &keys, &EXPECTED, &policy("staff")), Ok("alice".to_owned()));
        assert_eq!(read(&token, &keys, &EXPECTED, &policy("guests")), Err(Refusal::Policy));
    }
}
