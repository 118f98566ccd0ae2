//! What a browser sees: what this relay is, its address and limits, and the page on which a Sotto link lands.
//!
//! All of it is made when the relay starts; a request costs a look-up. Nothing comes from anyone else, nothing is kept about
//! who asks, and no page needs a script but the one that shows a link, which no server may see [REL-61].

mod qr;
pub(super) mod render;
pub(super) mod security_txt;
pub(super) mod sheet;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sotto_outer::{RelayAddress, Tls};

pub(crate) use self::security_txt::contact_uri;
use self::sheet::{Guard, Sheet};
use super::clock::now;
use crate::core::Config;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("link.js");
const MARK: &str = include_str!("mark.svg");
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// The host's own words. Plain text; empty where they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSettings {
    /// Who runs this relay.
    pub operator: String,
    /// What they ask of those who use it; an empty line begins a paragraph.
    pub policy: String,
    /// Where to reach them: an e-mail address, or what begins with `https://` or `mailto:`.
    pub contact: String,
    /// Where people get the client: what begins with `https://`.
    pub download: String,
}

/// What the pages tell.
struct About<'a> {
    address: &'a RelayAddress,
    words: &'a PageSettings,
    rules: &'a Config,
}

/// The routes of the pages, for the clients' port.
pub(super) fn router(address: &RelayAddress, words: &PageSettings, rules: &Config) -> Router {
    let about = About { address, words, rules };
    let is_public_tls = address.tls() == Tls::Acme;
    let sheet = |kind, guard, body: String| Arc::new(Sheet::new(kind, guard, is_public_tls, body));
    let router = Router::new()
        .route("/", get(answer).with_state(sheet(HTML, Guard::Still, render::home(&about))))
        .route("/i", get(answer).with_state(sheet(HTML, Guard::Script, render::link(&about))))
        .route(
            "/page/link.js",
            get(answer).with_state(sheet("text/javascript; charset=utf-8", Guard::Still, SCRIPT.into())),
        )
        .route("/robots.txt", get(answer).with_state(sheet(TEXT, Guard::Still, ROBOTS.into())));
    match contact_uri(&words.contact) {
        Some(contact) => router.route("/.well-known/security.txt", get(security_txt).with_state(contact.into())),
        None => router,
    }
}

/// What all pages show, those of [`super::join`] too.
pub(super) fn looks(is_public_tls: bool) -> Router {
    let sheet = |kind, body: &str| Arc::new(Sheet::new(kind, Guard::Still, is_public_tls, body.to_owned()));
    Router::new()
        .route("/page/style.css", get(answer).with_state(sheet("text/css; charset=utf-8", STYLE)))
        .route("/page/mark.svg", get(answer).with_state(sheet("image/svg+xml", MARK)))
}

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

async fn answer(State(sheet): State<Arc<Sheet>>, asked: HeaderMap) -> Response {
    sheet.answer(&asked)
}

/// RFC 9116.
async fn security_txt(State(contact): State<Arc<str>>) -> Response {
    text(StatusCode::OK, security_txt::text(&contact, now()))
}

/// For an address that leads nowhere.
pub(super) async fn nothing_here() -> Response {
    text(StatusCode::NOT_FOUND, "Nothing is here. What this relay is stands at /\n".to_owned())
}

/// For a method that an address does not take; axum adds which ones it takes.
pub(super) async fn not_that_way() -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "This address does not take that method.\n".to_owned())
}

fn text(status: StatusCode, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_and_the_colours_are_the_clients() {
        assert_eq!(MARK, include_str!("../../../../client/desktop/package/org.sotto.Sotto.svg"));
        let light: toml::Table = include_str!("../../../../client/desktop/assets/themes/light.toml").parse().unwrap();
        let dark: toml::Table = include_str!("../../../../client/desktop/assets/themes/dark.toml").parse().unwrap();
        let (first, second) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let second = second.split_once("\n}\n").unwrap().0;
        let mut compared = 0;
        for (css, theme) in [(first, light), (second, dark)] {
            for line in css.lines().filter_map(|line| line.trim().strip_prefix("--")) {
                let (name, value) = line.trim_end_matches(';').split_once(": ").unwrap();
                assert_eq!(theme["colors"][name.replace('-', "_")].as_str(), Some(value), "{name}");
                compared += 1;
            }
        }
        assert_eq!(compared, 32, "sixteen colours in each theme");
    }
}
