//! `/join`: a person logs in at the host's OpenID issuer and gets a credential, by an authorization code with PKCE (OpenID Connect
//! Core 1.0 §3.1, RFC 7636) [REL-70].
//!
//! ```text
//!  /join ──► issuer: state, nonce, challenge ──► person logs in ──► /join/callback: code, state
//!    └─ cookie: this browser                                          │ cookie, state: once
//!                                            ID token ◄── code, verifier: exchanged by the relay
//!                                               └──► credential of the week, on a page
//! ```
//!
//! The issuer learns that somebody uses this relay, the relay who it is while the page is made, and neither what they do here.

mod address;
mod document;
mod error;
mod http;
mod issuer;
mod logins;
mod page;

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use form_urlencoded::parse;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{RelayAddress, Tls};
use tokio::sync::Semaphore;

pub(crate) use self::error::JoinError;
pub use self::{
    address::{IssuerAddress, NotAnAddress},
    issuer::{ClientSecret, JoinSettings},
};
use self::{
    issuer::Issuer,
    logins::{LOGIN_SECS, Logins},
    page::Words,
};
use super::{Clock, Metrics, StartError};
use crate::access::Mint;

/// Requests at a time that may wait for the issuer.
const AT_THE_ISSUER_MAX: usize = 64;
/// Where the issuer sends a browser back.
const CALLBACK: &str = "/join/callback";
/// Shows which browser began a login. A name for this path alone.
const COOKIE: &str = "sotto-join";

/// What logs people in.
pub(super) struct Join {
    issuer: Issuer,
    logins: Logins,
    room: Semaphore,
    mint: Mint,
    redirect: String,
    words: Words,
    /// What failed last, and is in the log.
    told: Mutex<Option<JoinError>>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// What a browser brings back from the issuer (RFC 6749 §4.1.2), each once at most.
#[derive(Default)]
struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

/// Where the issuer sends browsers back to; it must know this address of its client letter by letter.
pub(crate) fn redirect_address(relay: &RelayAddress) -> String {
    let (scheme, port) = match relay.tls() {
        Tls::Own | Tls::Acme => ("https", ":443"),
        Tls::Off => ("http", ":80"),
    };
    let authority = relay.authority();
    // As browsers write it.
    format!("{scheme}://{}{CALLBACK}", authority.strip_suffix(port).unwrap_or(&authority))
}

impl Join {
    pub(super) fn new(
        settings: JoinSettings,
        relay: &RelayAddress,
        mint: Mint,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let words = Words { name: relay.host().to_owned(), is_public_tls: relay.tls() == Tls::Acme };
        let issuer = Issuer::new(settings).map_err(|_| StartError::IssuerRoot)?;
        let (logins, room, told) = (Logins::default(), Semaphore::new(AT_THE_ISSUER_MAX), Mutex::default());
        Ok(Self { issuer, logins, room, mint, redirect: redirect_address(relay), words, told, metrics, clock })
    }

    /// Sends a browser to the issuer.
    async fn begin(&self) -> Result<Response, JoinError> {
        let _room = self.room.try_acquire().map_err(|_| JoinError::Busy)?;
        let opening = self.logins.begin(&mut UnwrapErr(SysRng), self.clock.now());
        let to = self.issuer.authorization(&opening, &self.redirect).await?;
        let to = HeaderValue::try_from(to).map_err(|_| JoinError::Document("its address is none"))?;
        let headers = [
            (header::LOCATION, to),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::SET_COOKIE, cookie(&opening.browser, LOGIN_SECS)),
        ];
        Ok((StatusCode::SEE_OTHER, headers).into_response())
    }

    /// Makes a credential for whom the issuer names.
    async fn end(&self, returned: Returned, browser: Option<&str>) -> Result<Response, JoinError> {
        let (state, browser) = returned.state.as_deref().zip(browser).ok_or(JoinError::Stale)?;
        // Before the login is used up: who hears `busy` may try again with it.
        let _room = self.room.try_acquire().map_err(|_| JoinError::Busy)?;
        let login = self.logins.end(state, browser, self.clock.now()).ok_or(JoinError::Stale)?;
        if !self.issuer.has_sent(returned.issuer.as_deref()).await? {
            return Err(JoinError::Code);
        }
        if let Some(error) = returned.error {
            return Err(refused(&error));
        }
        let code = returned.code.ok_or(JoinError::Stale)?;
        let times = [login.begun, self.clock.now()];
        let subject = self.issuer.redeem(&code, &login.verifier, &self.redirect, &login.nonce, times).await?;
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.metrics.tokens().login("done");
        let JoinSettings { issuer, uses, .. } = self.issuer.settings();
        let (credential, until) = self.mint.mint_for(issuer.as_str(), &subject, *uses, self.clock.now());
        Ok(self.words.admitted(&credential, *uses, until))
    }

    /// The page of what came of it. The host is told of what fails when it begins to, and not each time that anybody tries.
    fn answer(&self, came: Result<Response, JoinError>) -> Response {
        came.unwrap_or_else(|error| {
            if error.is_the_hosts()
                && self.told.lock().unwrap_or_else(PoisonError::into_inner).replace(error) != Some(error)
            {
                tracing::warn!(kind = error.kind(), "a login gave no credential");
            }
            self.metrics.tokens().login(error.word());
            self.words.failed(error)
        })
    }
}

/// The routes of logins, for the clients' port.
pub(super) fn router(join: Arc<Join>) -> Router {
    let begin = get(begin).head(StatusCode::NO_CONTENT);
    // What only looks must not use a login up.
    let end = get(end).head(StatusCode::NO_CONTENT);
    Router::new().route("/join", begin).route("/join/callback", end).with_state(join)
}

async fn begin(State(join): State<Arc<Join>>) -> Response {
    let came = join.begin().await;
    join.answer(came)
}

async fn end(State(join): State<Arc<Join>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let returned = Returned::read(query.as_deref().unwrap_or_default()).unwrap_or_default();
    let came = join.end(returned, browser(&headers)).await;
    let mut response = join.answer(came);
    response.headers_mut().insert(header::SET_COOKIE, cookie("", 0));
    response
}

impl Returned {
    /// None where something comes twice (RFC 6749 §3.1).
    fn read(query: &str) -> Option<Self> {
        let mut returned = Self::default();
        for (name, value) in parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut returned.state,
                "code" => &mut returned.code,
                "error" => &mut returned.error,
                "iss" => &mut returned.issuer,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(returned)
    }
}

/// What an issuer means that sends no code (RFC 6749 §4.1.2.1).
fn refused(error: &str) -> JoinError {
    match error {
        "server_error" | "temporarily_unavailable" => JoinError::Status,
        "invalid_request" | "unauthorized_client" | "unsupported_response_type" | "invalid_scope" => JoinError::Client,
        _ => JoinError::Declined,
    }
}

fn cookie(browser: &str, secs: u32) -> HeaderValue {
    let text = format!("{COOKIE}={browser}; Path=/join; Max-Age={secs}; HttpOnly; Secure; SameSite=Lax");
    HeaderValue::try_from(text).expect("base64url and plain words: visible ASCII")
}

/// What a browser shows to be the one that began. None where it shows nothing, or several things.
fn browser(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut shown = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    let first = shown.next()?;
    shown.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redirect_address_is_as_browsers_write_it() {
        let address = |host, port, tls| redirect_address(&RelayAddress::new(host, port, tls, [7; 32].into()).unwrap());
        assert_eq!(address("relay.example", 443, Tls::Acme), "https://relay.example/join/callback");
        assert_eq!(address("relay.example", 4433, Tls::Own), "https://relay.example:4433/join/callback");
        assert_eq!(address("127.0.0.1", 80, Tls::Off), "http://127.0.0.1/join/callback");
        assert_eq!(address("::1", 4433, Tls::Off), "http://[::1]:4433/join/callback");
    }

    #[test]
    fn what_comes_twice_is_nothing() {
        let read = Returned::read("code=a%2Bb+c&state=s&session_state=x&iss=https%3A%2F%2Fi.example").unwrap();
        assert_eq!(read.code.as_deref(), Some("a+b c"));
        assert_eq!((read.state.as_deref(), read.issuer.as_deref()), (Some("s"), Some("https://i.example")));
        for query in ["code=a&code=a", "state=a&code=b&state=c", "iss=a&iss=b", "error=a&error=b"] {
            assert!(Returned::read(query).is_none(), "{query}");
        }

        let shown = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap()));
            browser(&lines.collect()).map(str::to_owned)
        };
        assert_eq!(shown(&["a=b; sotto-join=x;c=d"]).as_deref(), Some("x"));
        for lines in [&[][..], &["a=b"], &["sotto-join=x; sotto-join=x"], &["sotto-join=x", "sotto-join=y"]] {
            assert_eq!(shown(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_path_and_no_script() {
        let cookie = cookie("x", LOGIN_SECS);
        assert_eq!(cookie, "sotto-join=x; Path=/join; Max-Age=600; HttpOnly; Secure; SameSite=Lax");
    }
}
