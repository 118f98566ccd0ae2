//! Credentials that the host mints: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), by a key of their own.
//!
//! Written by hand rather than with a library, because there is one form alone: the header is compared as a whole, byte by byte,
//! so that no algorithm can be chosen, left out or confused, and no clock is read in here.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sotto_outer::{RelayIdentity, limits::CREDENTIAL_BYTES_MAX};
use zeroize::Zeroizing;

use super::week;
use crate::time::Timestamp;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;
/// Bytes of a subject.
const SUBJECT_BYTES: usize = 16;
const DAY_SECS: u64 = 86_400;

/// The key that credentials are signed with. Wiped from memory on drop.
#[derive(Clone)]
pub struct Mint {
    key: SigningKey,
    /// What relay its credentials are for.
    issuer: String,
}

/// What a credential says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The relay's identity, base64url.
    iss: String,
    /// Random, or of whom a login told, hashed: tokens are counted by it.
    sub: String,
    /// Until when it admits, in seconds since 1970-01-01.
    exp: u64,
    /// How many tokens of a purpose it is good for.
    uses: u32,
}

/// What a good credential allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// What is kept of who it is: keyed, so that a thief of the store cannot tell which credential it was.
    pub(crate) holder: [u8; 32],
    /// How many tokens of a purpose.
    pub(crate) uses: u32,
    /// Until when.
    pub(crate) until: Timestamp,
}

impl Mint {
    /// From the 32 secret bytes (RFC 8032 §5.1.5), for one relay.
    pub fn from_secret(secret: &[u8; 32], relay: &RelayIdentity) -> Self {
        Self { key: SigningKey::from_bytes(secret), issuer: BASE64URL_NOPAD.encode(relay.as_bytes()) }
    }

    /// A credential for whoever holds it.
    pub fn mint(&self, sub: &[u8], uses: u32, until: Timestamp) -> String {
        let sub = BASE64URL_NOPAD.encode(sub);
        let claims = Claims { iss: self.issuer.clone(), sub, exp: until.as_millis() / 1_000, uses };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers are JSON");
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(HEADER.as_bytes()), BASE64URL_NOPAD.encode(&claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes()))
    }

    /// A credential for whom an issuer named, and until when it is good: through the week, and the day after it, so that nobody gets
    /// one that is over at once. However often they log in within the week it is the same one, and so counted once.
    pub(crate) fn mint_for(&self, issuer: &str, subject: &str, uses: u32, now: Timestamp) -> (String, Timestamp) {
        let week = week(now.day());
        let until = Timestamp::from_millis((u64::from(week + 1) * 7 + 1) * DAY_SECS * 1_000);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.derived(b"subject")).expect("HMAC takes a key of any length");
        mac.update(&week.to_be_bytes());
        mac.update(&u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(issuer.as_bytes());
        mac.update(subject.as_bytes());
        let digest = mac.finalize().into_bytes();
        (self.mint(&digest[..SUBJECT_BYTES], uses, until), until)
    }

    /// What a credential allows now; nothing where it is not one of this key's, for this relay, in its time.
    pub(crate) fn admit(&self, credential: &[u8], now: Timestamp) -> Option<Admitted> {
        if credential.len() > CREDENTIAL_BYTES_MAX {
            return None;
        }
        let text = core::str::from_utf8(credential).ok()?;
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if header != BASE64URL_NOPAD.encode(HEADER.as_bytes()) {
            return None;
        }
        let signature: [u8; 64] = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?.try_into().ok()?;
        let signature = Signature::from_bytes(&signature);
        self.key.verifying_key().verify_strict(signed.as_bytes(), &signature).ok()?;
        let claims: Claims = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()?;
        let until = Timestamp::from_millis(claims.exp.saturating_mul(1_000));
        if claims.iss != self.issuer || until <= now {
            return None;
        }
        Some(Admitted { holder: self.holder(&claims.sub), uses: claims.uses, until })
    }

    fn holder(&self, sub: &str) -> [u8; 32] {
        Sha256::new().chain_update(*self.derived(b"holder")).chain_update(sub.as_bytes()).finalize().into()
    }

    /// A key for something else, which tells nothing about this one.
    fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(Sha256::new().chain_update(purpose).chain_update(self.key.to_bytes()).finalize().into())
    }
}

impl core::fmt::Debug for Mint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key: _, issuer: _ } = self;
        f.write_str("Mint(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn mint(secret: u8, relay: u8) -> Mint {
        Mint::from_secret(&[secret; 32], &RelayIdentity::from([relay; 32]))
    }

    /// A credential with another header or other claims, signed rightly.
    fn forge(mint: &Mint, header: &str, claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = mint.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes()))
    }

    #[test]
    fn a_credential_admits_until_its_end() {
        let mint = mint(1, 2);
        let credential = mint.mint(&[3; 16], 20, NOW.plus_secs(60));
        let admitted = mint.admit(credential.as_bytes(), NOW).unwrap();
        assert_eq!((admitted.uses, admitted.until), (20, NOW.plus_secs(60)));
        assert_eq!(mint.admit(credential.as_bytes(), NOW.plus_secs(60)), None, "its time is over");
        let other = mint.mint(&[4; 16], 20, NOW.plus_secs(60));
        assert_ne!(mint.admit(other.as_bytes(), NOW).unwrap().holder, admitted.holder);
    }

    #[test]
    fn whoever_logs_in_has_one_credential_a_week() {
        const WEEK_SECS: u32 = 7 * 86_400;
        let mint = mint(1, 2);
        let (credential, until) = mint.mint_for("https://issuer.example", "alice", 20, NOW);
        assert_eq!(mint.mint_for("https://issuer.example", "alice", 20, NOW.plus_secs(60)).0, credential);
        let admitted = mint.admit(credential.as_bytes(), NOW).unwrap();
        assert_eq!((admitted.uses, admitted.until), (20, until));
        assert!(until > NOW.plus_secs(86_400) && until <= NOW.plus_secs(WEEK_SECS + 86_400));
        let others = [
            mint.mint_for("https://issuer.example", "alice", 20, NOW.plus_secs(WEEK_SECS)),
            mint.mint_for("https://issuer.example", "bob", 20, NOW),
            mint.mint_for("https://issuer.examplea", "lice", 20, NOW),
            mint.mint_for("https://other.example", "alice", 20, NOW),
        ];
        for (other, _) in others {
            assert_ne!(mint.admit(other.as_bytes(), NOW).unwrap().holder, admitted.holder);
        }
        let (more, _) = mint.mint_for("https://issuer.example", "alice", 30, NOW);
        assert_eq!(mint.admit(more.as_bytes(), NOW).unwrap().holder, admitted.holder, "what was given still counts");
    }

    #[test]
    fn nothing_else_admits() {
        let good = mint(1, 2);
        let iss = good.issuer.clone();
        let claims = format!(r#"{{"iss":"{iss}","sub":"AA","exp":4000000000,"uses":5}}"#);
        assert!(good.admit(forge(&good, HEADER, &claims).as_bytes(), NOW).is_some());
        let refused = [
            ("another key", mint(9, 2).mint(&[3; 16], 1, NOW.plus_secs(60))),
            ("another relay", mint(1, 9).mint(&[3; 16], 1, NOW.plus_secs(60))),
            ("no algorithm", forge(&good, r#"{"alg":"none","typ":"JWT"}"#, &claims)),
            ("another algorithm", forge(&good, r#"{"alg":"HS256","typ":"JWT"}"#, &claims)),
            ("a key of its own", forge(&good, r#"{"alg":"EdDSA","typ":"JWT","jwk":{}}"#, &claims)),
            ("another claim", forge(&good, HEADER, &claims.replace("\"uses\"", "\"x\":1,\"uses\""))),
            ("no end", forge(&good, HEADER, &claims.replace("\"exp\":4000000000,", ""))),
            ("no signature", forge(&good, HEADER, &claims).rsplit_once('.').unwrap().0.to_owned()),
            ("an empty signature", format!("{}.", forge(&good, HEADER, &claims).rsplit_once('.').unwrap().0)),
            ("nothing", String::new()),
            ("too long", "a".repeat(CREDENTIAL_BYTES_MAX + 1)),
        ];
        for (what, credential) in refused {
            assert_eq!(good.admit(credential.as_bytes(), NOW), None, "{what}");
        }
    }
}
