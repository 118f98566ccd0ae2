//! The host's OpenID issuer: what it says of itself, its keys, and codes exchanged for who somebody is.
//!
//! ```text
//!  description (an hour) ──► code + verifier ──► ID token ──► keys (an hour) ──► who it is
//!                                                              └── a key nobody knows: fetched once more, now and then
//! ```

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, StatusCode};
use data_encoding::BASE64;
use form_urlencoded::Serializer;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{address::IssuerAddress, document::Document, error::JoinError, http::Http, logins::Opening};
use crate::{
    access::oidc::{self, Expected, IssuerKeys, LoginPolicy, Refusal},
    core::{Rate, Rates},
    time::Timestamp,
};

/// For how long what an issuer told is not asked again.
const FRESH: Duration = Duration::from_secs(3_600);
/// For how long one that gave no description is left alone.
const PAUSE: Duration = Duration::from_secs(2);
/// How often keys are fetched because a token names one that is not known.
const KEYS_RATE: Rate = Rate { burst: 3, interval_millis: 60_000 };

/// Who may log in, and where.
#[derive(Clone, Debug)]
pub struct JoinSettings {
    /// The issuer, as it calls itself.
    pub issuer: IssuerAddress,
    /// What it calls this relay.
    pub client_id: String,
    /// What this relay shows it to be that client; none for a public client, which PKCE alone protects.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// A root beside the public web's, by which the issuer is trusted (PEM).
    pub root: Option<PathBuf>,
    /// Whom of those it names the host lets in.
    pub policy: LoginPolicy,
    /// Tokens of each purpose for a person and week.
    pub uses: u32,
}

/// A client's secret.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

/// What an issuer was found to be.
pub(crate) struct Examined {
    /// Whether it says that it checks PKCE.
    pub(crate) says_pkce: bool,
    /// Keys with which it signs.
    pub(crate) keys: usize,
}

/// The issuer, and what it told.
pub(super) struct Issuer {
    settings: JoinSettings,
    http: Http,
    described: Mutex<Described>,
    keys: Mutex<Keys>,
    started: Instant,
}

#[derive(Default)]
struct Described {
    known: Option<(Arc<Document>, Instant)>,
    failed: Option<(JoinError, Instant)>,
}

struct Keys {
    known: Option<(Arc<IssuerKeys>, Instant)>,
    /// Of what is fetched because a key is not known.
    fetches: Rates<()>,
}

/// What a token endpoint answers (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// What it answers otherwise (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl ClientSecret {
    /// As it lies in a file.
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("ClientSecret(..)")
    }
}

impl JoinSettings {
    /// Asks the issuer for all that a login needs, as far as that goes without a person.
    pub(crate) async fn examine(&self) -> Result<Examined, JoinError> {
        let issuer = Issuer::new(self.clone())?;
        let document = issuer.document().await?;
        let keys = issuer.keys(&document, None).await?;
        match keys.count() {
            0 => Err(JoinError::Keys),
            keys => Ok(Examined { says_pkce: document.says_pkce, keys }),
        }
    }
}

impl Issuer {
    pub(super) fn new(settings: JoinSettings) -> Result<Self, JoinError> {
        let http = Http::new(settings.root.as_deref())?;
        let (described, keys) = (Mutex::default(), Mutex::new(Keys { known: None, fetches: Rates::new() }));
        Ok(Self { settings, http, described, keys, started: Instant::now() })
    }

    pub(super) const fn settings(&self) -> &JoinSettings {
        &self.settings
    }

    /// Where a browser logs in (OpenID Connect Core 1.0 §3.1.2.1).
    pub(super) async fn authorization(&self, opening: &Opening, redirect: &str) -> Result<String, JoinError> {
        let document = self.document().await?;
        let scope = ["openid"].into_iter().chain(self.settings.scopes.iter().map(String::as_str));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &scope.collect::<Vec<_>>().join(" "))
            .append_pair("state", &opening.state)
            .append_pair("nonce", &opening.nonce)
            .append_pair("code_challenge", &opening.challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        Ok(document.authorization.with_query(&query))
    }

    /// Whether this issuer sent a browser back, as far as the browser says (RFC 9207).
    pub(super) async fn has_sent(&self, named: Option<&str>) -> Result<bool, JoinError> {
        match named {
            Some(named) => Ok(named == self.settings.issuer.as_str()),
            None => Ok(!self.document().await?.names_itself),
        }
    }

    /// Who logged in with this code, as the issuer calls them.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        redirect: &str,
        nonce: &str,
        [begun, now]: [Timestamp; 2],
    ) -> Result<String, JoinError> {
        let JoinSettings { issuer, client_id, policy, .. } = &self.settings;
        let expected = Expected { issuer: issuer.as_str(), client_id, nonce, begun, now };
        let document = self.document().await?;
        let token = self.exchange(&document, code, verifier, redirect).await?;
        let keys = self.keys(&document, None).await?;
        match oidc::read(&token, &keys, &expected, policy) {
            Err(Refusal::UnknownKey) => {
                let keys = self.keys(&document, Some(&keys)).await?;
                Ok(oidc::read(&token, &keys, &expected, policy)?)
            }
            judged => Ok(judged?),
        }
    }

    /// A code for an ID token (OpenID Connect Core 1.0 §3.1.3, RFC 7636 §4.5).
    async fn exchange(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<String, JoinError> {
        let (authorization, form) = self.form(document, code, verifier, redirect)?;
        let answer = self.http.post(&document.token, authorization, form).await?;
        match answer.status {
            StatusCode::OK => {
                let tokens: Tokens =
                    serde_json::from_slice(&answer.body).map_err(|_| JoinError::Token(Refusal::Form))?;
                Ok(tokens.id_token)
            }
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let refused = serde_json::from_slice(&answer.body).ok();
                let is_code = refused.is_some_and(|refused: Refused| refused.error == "invalid_grant");
                Err(if is_code { JoinError::Code } else { JoinError::Client })
            }
            _ => Err(JoinError::Status),
        }
    }

    /// What is sent with a code, and what shows who sends it where HTTP's own means do.
    fn form(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<(Option<HeaderValue>, String), JoinError> {
        let JoinSettings { client_id, client_secret, .. } = &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier);
        match client_secret {
            Some(ClientSecret(secret)) if document.takes_basic => Ok((Some(basic(client_id, secret)?), form.finish())),
            Some(ClientSecret(secret)) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret);
                Ok((None, form.finish()))
            }
            None => Ok((None, form.append_pair("client_id", client_id).finish())),
        }
    }

    /// What the issuer says of itself. One asks for all; one that does not answer is left alone for a moment, and believed as it was.
    async fn document(&self) -> Result<Arc<Document>, JoinError> {
        let mut described = self.described.lock().await;
        if let Some((document, at)) = &described.known
            && (at.elapsed() < FRESH || described.failed.is_some_and(|(_, at)| at.elapsed() < PAUSE))
        {
            return Ok(Arc::clone(document));
        }
        if let Some((error, at)) = described.failed
            && at.elapsed() < PAUSE
        {
            return Err(error);
        }
        match self.describe().await {
            Ok(document) => {
                let document = Arc::new(document);
                *described = Described { known: Some((Arc::clone(&document), Instant::now())), failed: None };
                Ok(document)
            }
            Err(error) => {
                described.failed = Some((error, Instant::now()));
                described.known.as_ref().map(|(document, _)| Arc::clone(document)).ok_or(error)
            }
        }
    }

    async fn describe(&self) -> Result<Document, JoinError> {
        let JoinSettings { issuer, client_secret, .. } = &self.settings;
        let address = issuer.discovery().map_err(|_| JoinError::Document("its address is too long"))?;
        let answer = self.http.get(&address).await?;
        if answer.status != StatusCode::OK {
            return Err(JoinError::Status);
        }
        Document::read(issuer, client_secret.is_some(), &answer.body)
    }

    /// The issuer's keys: other ones than `unfit`, if it has others by now and was not asked too often.
    async fn keys(&self, document: &Document, unfit: Option<&Arc<IssuerKeys>>) -> Result<Arc<IssuerKeys>, JoinError> {
        let mut keys = self.keys.lock().await;
        let Keys { known, fetches } = &mut *keys;
        if let Some((known, at)) = known {
            let is_unfit = unfit.is_some_and(|unfit| Arc::ptr_eq(unfit, known));
            let now = Timestamp::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
            if is_unfit && fetches.take((), now, KEYS_RATE).is_err() {
                return Err(JoinError::Token(Refusal::UnknownKey));
            }
            if !is_unfit && at.elapsed() < FRESH {
                return Ok(Arc::clone(known));
            }
        }
        let answer = self.http.get(&document.keys).await?;
        if answer.status != StatusCode::OK {
            return Err(JoinError::Status);
        }
        let fetched = Arc::new(IssuerKeys::read(&answer.body).ok_or(JoinError::Keys)?);
        *known = Some((Arc::clone(&fetched), Instant::now()));
        Ok(fetched)
    }
}

/// RFC 6749 §2.3.1: both are written as in a form before they are joined.
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, JoinError> {
    let written = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", written(client_id), written(secret)));
    let value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(pair.as_bytes())));
    let mut value = value.map_err(|_| JoinError::Client)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_shows_its_secret_as_a_form_would_write_it() {
        let value = basic("a relay", "x:y/z").unwrap();
        assert_eq!(value, format!("Basic {}", BASE64.encode(b"a+relay:x%3Ay%2Fz")));
        assert!(value.is_sensitive());
        let secret = ClientSecret::new(Zeroizing::new("hidden".to_owned()));
        assert_eq!(format!("{secret:?}"), "ClientSecret(..)");
    }
}
