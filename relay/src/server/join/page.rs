//! What a browser is shown when a login has ended. No word of the issuer's is on it.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::error::JoinError;
use crate::{
    server::page::{
        render::{escape, fill},
        security_txt::date,
        sheet::once,
    },
    time::Timestamp,
};

const ADMITTED: &str = include_str!("admitted.html");
const FAILED: &str = include_str!("failed.html");
/// When to come again while the issuer does not answer, in seconds.
const RETRY_AFTER_SECS: u32 = 30;

/// What pages say of this relay.
pub(super) struct Words {
    /// The host's name.
    pub(super) name: String,
    /// Browsers can verify its certificate.
    pub(super) is_public_tls: bool,
}

impl Words {
    /// The credential, to be copied.
    pub(super) fn admitted(&self, credential: &str, uses: u32, until: Timestamp) -> Response {
        let page = fill(ADMITTED, |name| match name {
            "name" => Some(escape(&self.name)),
            "credential" => Some(escape(credential)),
            // A credential ends as a day begins.
            "last" => {
                let (year, month, day) = date(until.day().minus_days(1));
                Some(format!("{year:04}-{month:02}-{day:02}"))
            }
            "uses" => Some(uses.to_string()),
            _ => None,
        });
        once(StatusCode::OK, self.is_public_tls, page)
    }

    /// What happened instead, and what to do.
    pub(super) fn failed(&self, error: JoinError) -> Response {
        let (status, title, what) = said(error);
        let page = fill(FAILED, |name| match name {
            "name" => Some(escape(&self.name)),
            "title" => Some(title.to_owned()),
            "what" => Some(what.to_owned()),
            _ => None,
        });
        let mut response = once(status, self.is_public_tls, page);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
        }
        response
    }
}

const fn said(error: JoinError) -> (StatusCode, &'static str, &'static str) {
    match error {
        JoinError::Stale | JoinError::Code => (
            StatusCode::BAD_REQUEST,
            "This login is over",
            "It took longer than ten minutes, was used already, or began in another browser or window. The browser must keep one cookie while you log in.",
        ),
        JoinError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Many people are logging in",
            "The relay cannot look after one more just now. Wait a moment, then try again.",
        ),
        JoinError::Declined => (
            StatusCode::FORBIDDEN,
            "You were not logged in",
            "The login was cancelled, or the place where you log in does not let you use it here. If you should be let in, ask the host of this relay.",
        ),
        JoinError::NotAllowed => (
            StatusCode::FORBIDDEN,
            "This account may not use this relay",
            "You are logged in, but the host of this relay admits other accounts: ask them, or log in with another one.",
        ),
        JoinError::Unreachable(_) | JoinError::Status => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The place where you log in does not answer",
            "The relay itself is well, and whoever has a credential can use it. Try again in a while.",
        ),
        JoinError::Document(_) | JoinError::Keys | JoinError::Client | JoinError::Token(_) => (
            StatusCode::BAD_GATEWAY,
            "The login cannot be believed",
            "The relay and the place where you log in do not understand each other. Its host finds the cause in the relay’s log: tell them.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use http_body_util::BodyExt;

    use super::*;
    use crate::access::oidc::Refusal;

    #[tokio::test]
    async fn each_page_says_what_happened_and_leads_on() {
        let words = Words { name: "relay.example".to_owned(), is_public_tls: true };
        let text = async |response: Response| {
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        };
        for (error, status, said) in [
            (JoinError::Stale, 400, "This login is over"),
            (JoinError::Code, 400, "This login is over"),
            (JoinError::Busy, 503, "Many people"),
            (JoinError::Declined, 403, "not logged in"),
            (JoinError::NotAllowed, 403, "may not use"),
            (JoinError::Unreachable(ErrorKind::TimedOut), 503, "does not answer"),
            (JoinError::Status, 503, "does not answer"),
            (JoinError::Client, 502, "cannot be believed"),
            (JoinError::Token(Refusal::Nonce), 502, "cannot be believed"),
        ] {
            let response = words.failed(error);
            assert_eq!(response.status(), status, "{error:?}");
            assert_eq!(response.headers().contains_key("retry-after"), status == 503);
            let page = text(response).await;
            assert!(page.contains(said) && page.contains("href=\"/join\"") && !page.contains("{{"), "{page}");
        }
        let page = text(words.admitted("a.b.c", 20, Timestamp::from_millis(1_700_000_000_000))).await;
        for said in [">a.b.c<", "sotto-cli relay admit -", "2023-11-13, by UTC", ">20 new mailboxes"] {
            assert!(page.contains(said), "{said}: {page}");
        }
    }
}
