//! A page or a file of one, ready to be sent: its bytes, and headers that let it do nothing it need not.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// What a page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing but be read, in its own style.
    Still,
    /// Its own script besides, which may ask nobody for anything.
    Script,
}

/// Something that is answered to `GET`.
pub(super) struct Sheet {
    headers: HeaderMap,
    etag: HeaderValue,
    body: Bytes,
}

impl Guard {
    const fn policy(self) -> &'static str {
        match self {
            Self::Still => {
                "default-src 'none'; style-src 'self'; img-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            Self::Script => {
                "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'none'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 require-trusted-types-for 'script'; trusted-types 'none'"
            }
        }
    }
}

impl Sheet {
    /// `is_public_tls`: browsers can verify this relay's certificate, so they may insist on it.
    pub(super) fn new(kind: &'static str, guard: Guard, is_public_tls: bool, body: String) -> Self {
        let digest = Sha256::digest(&body);
        let etag = format!("\"{}\"", BASE64URL_NOPAD.encode(&digest[..12]));
        let etag = HeaderValue::try_from(etag).expect("base64url in quotes: visible ASCII");
        let mut headers = headers(kind, guard, is_public_tls);
        headers.insert(header::ETAG, etag.clone());
        Self { headers, etag, body: body.into() }
    }

    /// The whole, or that it is as the browser has it (RFC 9110 §13.1.2).
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response {
        let etag = self.etag.as_bytes();
        let held = asked.get_all(header::IF_NONE_MATCH).iter().flat_map(|tags| tags.as_bytes().split(|c| *c == b','));
        let mut held = held.map(|tag| tag.trim_ascii()).map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag));
        if held.any(|tag| tag == etag || tag == b"*") {
            return (StatusCode::NOT_MODIFIED, self.headers.clone()).into_response();
        }
        (self.headers.clone(), self.body.clone()).into_response()
    }
}

/// A page for one browser alone, which keeps nothing of it.
pub(in crate::server) fn once(status: StatusCode, is_public_tls: bool, body: String) -> Response {
    let mut headers = headers("text/html; charset=utf-8", Guard::Still, is_public_tls);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, headers, body).into_response()
}

fn headers(kind: &'static str, guard: Guard, is_public_tls: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, guard.policy()),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let named = [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    for (name, value) in named {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_public_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=15552000"));
    }
    headers
}

/// What no page here needs; copying a link does need the clipboard.
const PERMISSIONS: &str = "accelerometer=(), camera=(), clipboard-read=(), clipboard-write=(self), \
    display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), microphone=(), midi=(), payment=(), \
    serial=(), usb=()";

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(guard: Guard, is_public_tls: bool) -> Sheet {
        Sheet::new("text/html; charset=utf-8", guard, is_public_tls, "words".to_owned())
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_page_may_do_nothing_it_need_not() {
        let still = sheet(Guard::Still, false).answer(&HeaderMap::new());
        let script = sheet(Guard::Script, false).answer(&HeaderMap::new());
        for response in [&still, &script] {
            let policy = header(response, "content-security-policy");
            for rule in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(rule), "{policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
            assert_eq!(header(response, "referrer-policy"), "no-referrer");
            assert_eq!(header(response, "x-content-type-options"), "nosniff");
            assert_eq!(header(response, "cross-origin-opener-policy"), "same-origin");
            assert!(!response.headers().contains_key("set-cookie"));
        }
        assert!(!header(&still, "content-security-policy").contains("script-src"));
        assert!(header(&script, "content-security-policy").contains("script-src 'self'; connect-src 'none'"));
    }

    #[test]
    fn what_is_for_one_browser_is_kept_by_none() {
        let response = once(StatusCode::OK, true, "words".to_owned());
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        assert_eq!(header(&response, "content-security-policy"), Guard::Still.policy());
        assert!(!response.headers().contains_key("etag"));
    }

    #[test]
    fn browsers_insist_on_tls_where_they_can_verify_it() {
        for is_public_tls in [false, true] {
            let response = sheet(Guard::Still, is_public_tls).answer(&HeaderMap::new());
            assert_eq!(response.headers().contains_key("strict-transport-security"), is_public_tls);
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let sheet = sheet(Guard::Still, false);
        let etag = header(&sheet.answer(&HeaderMap::new()), "etag").to_owned();
        for (held, status) in [
            (etag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/{etag}"), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, held.try_into().unwrap());
            assert_eq!(sheet.answer(&asked).status(), status);
        }
    }
}
