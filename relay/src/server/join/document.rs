//! How an issuer describes itself (OpenID Connect Discovery 1.0 §3), as far as this relay needs it.

use serde::Deserialize;

use super::{address::IssuerAddress, error::JoinError};

/// What an issuer says where it is and what it can, checked.
#[derive(Debug)]
pub(super) struct Document {
    /// Where browsers log in.
    pub(super) authorization: IssuerAddress,
    /// Where codes are exchanged.
    pub(super) token: IssuerAddress,
    /// Where its keys are.
    pub(super) keys: IssuerAddress,
    /// Whether it names itself in what browsers bring back (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether it says that it checks PKCE with S256. Some do that and do not say so.
    pub(super) says_pkce: bool,
    /// Whether it takes a client's secret by HTTP's own means, else in the form.
    pub(super) takes_basic: bool,
}

#[derive(Deserialize)]
struct Text {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    response_types_supported: Vec<String>,
    #[serde(default = "rs256")]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default = "basic")]
    token_endpoint_auth_methods_supported: Vec<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

fn rs256() -> Vec<String> {
    vec!["RS256".to_owned()]
}

fn basic() -> Vec<String> {
    vec!["client_secret_basic".to_owned()]
}

impl Document {
    /// What `issuer` says, if a relay can log people in by it.
    pub(super) fn read(issuer: &IssuerAddress, has_secret: bool, json: &[u8]) -> Result<Self, JoinError> {
        let wrong = JoinError::Document;
        let text: Text = serde_json::from_slice(json).map_err(|_| wrong("it is none"))?;
        // Another name would make every ID token another issuer's (§4.3).
        if text.issuer != issuer.as_str() {
            return Err(wrong("its `issuer` is not the one in relay.toml, letter by letter"));
        }
        let has = |all: &[String], one: &str| all.iter().any(|found| found == one);
        if !has(&text.response_types_supported, "code") {
            return Err(wrong("it does not offer codes"));
        }
        let algorithms = &text.id_token_signing_alg_values_supported;
        if !has(algorithms, "RS256") && !has(algorithms, "ES256") {
            return Err(wrong("it signs neither with RS256 nor with ES256"));
        }
        let pkce = &text.code_challenge_methods_supported;
        if pkce.as_ref().is_some_and(|methods| !has(methods, "S256")) {
            return Err(wrong("it does not know PKCE with S256"));
        }
        let methods = &text.token_endpoint_auth_methods_supported;
        let (takes_basic, takes_post) = (has(methods, "client_secret_basic"), has(methods, "client_secret_post"));
        if has_secret && !takes_basic && !takes_post {
            return Err(wrong("it takes no client secret"));
        }
        let named = |text: &str| issuer.named(text).map_err(|_| wrong("an address in it is not protected by TLS"));
        Ok(Self {
            authorization: named(&text.authorization_endpoint)?,
            token: named(&text.token_endpoint)?,
            keys: named(&text.jwks_uri)?,
            names_itself: text.authorization_response_iss_parameter_supported,
            says_pkce: pkce.is_some(),
            takes_basic,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(name: &str, value: Value) -> Result<Document, JoinError> {
        let mut text = json!({
            "issuer": "https://issuer.example/a",
            "authorization_endpoint": "https://issuer.example/a/login",
            "token_endpoint": "https://issuer.example/a/token",
            "jwks_uri": "https://keys.example/a",
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["HS256", "ES256"],
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let map = text.as_object_mut().unwrap();
        if value.is_null() {
            map.remove(name)
        } else {
            map.insert(name.to_owned(), value)
        };
        Document::read(&"https://issuer.example/a".parse().unwrap(), true, text.to_string().as_bytes())
    }

    #[test]
    fn an_issuer_offers_what_a_login_needs() {
        let document = read("more", json!(1)).unwrap();
        assert_eq!(document.token.as_str(), "https://issuer.example/a/token");
        assert!(document.says_pkce && document.takes_basic && !document.names_itself);
        assert!(!read("code_challenge_methods_supported", Value::Null).unwrap().says_pkce, "some do not say");
        assert!(!read("token_endpoint_auth_methods_supported", json!(["client_secret_post"])).unwrap().takes_basic);
        assert!(read("id_token_signing_alg_values_supported", Value::Null).is_ok(), "RS256 must be");
    }

    #[test]
    fn a_description_that_leads_elsewhere_or_offers_less_is_refused() {
        for (name, value) in [
            ("issuer", Value::Null),
            ("issuer", json!("https://issuer.example/a/")),
            ("issuer", json!("https://other.example")),
            ("authorization_endpoint", Value::Null),
            ("authorization_endpoint", json!("http://issuer.example/a/login")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("token_endpoint", json!("http://127.0.0.1/a/token")),
            ("jwks_uri", json!("/keys")),
            ("response_types_supported", json!(["id_token"])),
            ("id_token_signing_alg_values_supported", json!(["HS256", "none", "PS256"])),
            ("code_challenge_methods_supported", json!(["plain"])),
            ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
        ] {
            assert!(matches!(read(name, value.clone()), Err(JoinError::Document(_))), "{name} {value}");
        }
        let issuer = "https://issuer.example/a".parse().unwrap();
        assert!(Document::read(&issuer, false, b"<html>").is_err());
    }
}
