//! A credential as a person gets it: a JWT (RFC 7519) that their relay's host minted or that a login gave. Its text goes to that
//! relay and nowhere else. What it says of itself is read here, so that one for another relay or one that is over is told at
//! once; whether it is genuine the relay alone can tell.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use sotto_outer::{RelayIdentity, limits::CREDENTIAL_BYTES_MAX};

use crate::record::SecretBytes;

/// A credential and what it says of itself.
pub struct Credential {
    pub(crate) text: SecretBytes,
    relay: RelayIdentity,
    pub(crate) until_secs: u64,
    pub(crate) uses: u32,
}

/// Not a credential of any relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no credential: copy the whole text that the relay's host or its page gave you")]
pub struct NotACredential;

/// Of its claims those that concern us.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: u64,
    uses: u32,
}

impl Credential {
    /// Reads one, white space around it aside.
    ///
    /// # Errors
    /// [`NotACredential`].
    pub fn read(text: &str) -> Result<Self, NotACredential> {
        let text = text.trim();
        if text.len() > CREDENTIAL_BYTES_MAX {
            return Err(NotACredential);
        }
        let mut parts = text.split('.');
        let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NotACredential);
        };
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).map_err(|_| NotACredential)?;
        let Claims { iss, exp, uses } = serde_json::from_slice(&claims).map_err(|_| NotACredential)?;
        let relay = BASE64URL_NOPAD.decode(iss.as_bytes()).map_err(|_| NotACredential)?;
        let relay = RelayIdentity::try_from(relay.as_slice()).map_err(|_| NotACredential)?;
        Ok(Self { text: text.as_bytes().to_vec().into(), relay, until_secs: exp, uses })
    }

    /// Whom it is for.
    #[must_use]
    pub const fn relay(&self) -> &RelayIdentity {
        &self.relay
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()))
    }

    #[test]
    fn a_credential_says_for_whom_how_long_and_how_often() {
        let iss = BASE64URL_NOPAD.encode(&[7; 32]);
        let text = written(&format!(r#"{{"iss":"{iss}","sub":"AA","exp":1800000000,"uses":20,"more":[]}}"#));
        let credential = Credential::read(&format!("  {text}\n")).unwrap();
        assert_eq!(credential.relay(), &RelayIdentity::from([7; 32]));
        assert_eq!((credential.until_secs, credential.uses), (1_800_000_000, 20));
        assert_eq!(credential.text.as_slice(), text.as_bytes());
        assert_eq!(format!("{credential:?}"), "Credential(..)");
    }

    #[test]
    fn another_text_is_none() {
        let iss = BASE64URL_NOPAD.encode(&[7; 32]);
        let good = written(&format!(r#"{{"iss":"{iss}","exp":1,"uses":2}}"#));
        assert!(Credential::read(&good).is_ok());
        let short = BASE64URL_NOPAD.encode(&[7; 31]);
        for (why, text) in [
            ("nothing", String::new()),
            ("a part short", good.rsplit_once('.').unwrap().0.to_owned()),
            ("a part more", format!("{good}.e30")),
            ("no base64url", good.replace("e30.", "e30.+")),
            ("no end", written(&format!(r#"{{"iss":"{iss}","uses":2}}"#))),
            ("no relay", written(r#"{"exp":1,"uses":2}"#)),
            ("a short relay", written(&format!(r#"{{"iss":"{short}","exp":1,"uses":2}}"#))),
            ("too long", format!("{good}{}", "a".repeat(CREDENTIAL_BYTES_MAX))),
        ] {
            assert_eq!(Credential::read(&text).err(), Some(NotACredential), "{why}");
        }
    }
}
