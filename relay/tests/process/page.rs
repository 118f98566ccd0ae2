//! What a browser sees of a relay, and what the relay sees of a browser.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use crate::{
    browser::Browser,
    openapi::ask,
    relay::{self, RelayProcess},
};

const FRAGMENT: &str =
    "pQABAaQAYzo6MQEZEVECAgNYIE5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OAlggJpc5_OtWVhy00Hjfk0DaVzB3dG9nAA";

/// Stands before a relay and keeps all that is sent to it.
struct Ear {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Ear {
    async fn before(relay: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ear = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = Arc::clone(&ear.heard);
        tokio::spawn(async move {
            while let Ok((browser, _)) = listener.accept().await {
                let (mut from, mut to) = browser.into_split();
                let (mut answers, mut asked) = TcpStream::connect(relay).await.unwrap().into_split();
                tokio::spawn(async move { copy(&mut answers, &mut to).await });
                let heard = Arc::clone(&heard);
                tokio::spawn(async move {
                    let mut bytes = [0; 4_096];
                    while let Ok(length @ 1..) = from.read(&mut bytes).await {
                        heard.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..length]);
                        asked.write_all(&bytes[..length]).await?;
                    }
                    asked.shutdown().await
                });
            }
        });
        ear
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// What was asked for, once each, sorted.
    fn paths(&self) -> Vec<String> {
        let heard = self.heard();
        let lines = heard.lines().filter(|line| line.ends_with(" HTTP/1.1"));
        let mut paths: Vec<String> = lines.map(|line| line.trim_end_matches(" HTTP/1.1").to_owned()).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// A relay whose host has something to say; made where it is not yet.
pub(crate) fn start(data: &Path) -> RelayProcess {
    if !data.join("relay.toml").exists() {
        relay::init(data);
    }
    let path = data.join("relay.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    for (key, words) in [
        ("operator", "Anna & friends"),
        ("policy", "For <b>friends</b> and their friends.\\n\\nOn Sunday nights it may be away."),
        ("contact", "ops@relay.example"),
        ("download", "https://relay.example/sotto.deb"),
    ] {
        let empty = format!("{key} = \"\"");
        assert!(config.contains(&empty), "{config}");
        config = config.replace(&empty, &format!("{key} = \"{words}\""));
    }
    std::fs::write(&path, config).unwrap();
    RelayProcess::start(data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_tells_what_the_relay_is_and_its_code_is_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(dir.path());
    let ear = Ear::before(relay.address).await;
    let mut browser = Browser::start().await;
    browser.open(&format!("http://{}/", ear.address)).await;
    let text = browser.value("document.body.innerText").await;
    let text = text.as_str().unwrap();
    for words in [
        &relay.link,
        "Anna & friends",
        "For <b>friends</b> and their friends.",
        "1,000 messages or 16 MiB",
        "ops@relay.example",
        "What it cannot see",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for (width, scheme, background) in [
        (1_280, "light", "rgb(255, 255, 255)"),
        (1_280, "dark", "rgb(22, 24, 28)"),
        (320, "light", "rgb(255, 255, 255)"),
        (320, "dark", "rgb(22, 24, 28)"),
    ] {
        browser.look(width, scheme).await;
        let colour = browser.value("getComputedStyle(document.body).backgroundColor").await;
        assert_eq!(colour, background, "{scheme}");
        let span = browser.value("document.documentElement.scrollWidth").await;
        assert_eq!(span, width, "nothing is wider than the window");
        let png = browser.picture(&format!("home-{width}-{scheme}")).await;
        assert_eq!(code_in(&png), relay.link, "{width} {scheme}");
    }
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
    assert_eq!(browser.value("document.cookie").await, "");
    assert_eq!(ear.paths(), ["GET /", "GET /page/mark.svg", "GET /page/style.css"]);
    browser.close().await;
}

fn code_in(png: &[u8]) -> String {
    let picture = image::load_from_memory(png).unwrap().to_luma8();
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(
        picture.width().try_into().unwrap(),
        picture.height().try_into().unwrap(),
        |x, y| picture.get_pixel(x.try_into().unwrap(), y.try_into().unwrap()).0[0],
    );
    let found = picture.detect_grids();
    assert_eq!(found.len(), 1, "one code");
    found[0].decode().unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_shown_by_the_page_and_never_sent_to_the_relay() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(dir.path());
    let ear = Ear::before(relay.address).await;
    let mut browser = Browser::start().await;
    browser.open(&format!("http://{}/i#{FRAGMENT}", ear.address)).await;
    let link = format!("https://{}/i#{FRAGMENT}", relay.address);
    assert_eq!(browser.value("document.getElementById('link').textContent").await, link);
    let uri = browser.value("document.getElementById('open').href").await;
    assert_eq!(uri, format!("sotto:{FRAGMENT}"));
    assert_eq!(browser.value("location.href").await, format!("http://{}/i", ear.address), "the address bar forgets");
    let shown = "['ready', 'empty', 'damaged'].filter(id => document.getElementById(id).checkVisibility()).join()";
    assert_eq!(browser.value(shown).await, "ready");
    let text = browser.value("document.body.innerText").await;
    for words in ["stays unverified until safety numbers match", "https://relay.example/sotto.deb", "Add a contact"] {
        assert!(text.as_str().unwrap().contains(words), "{words}: {text}");
    }
    for (width, scheme) in [(1_280, "light"), (1_280, "dark"), (320, "light"), (320, "dark")] {
        browser.look(width, scheme).await;
        assert_eq!(browser.value("document.documentElement.scrollWidth").await, width, "nothing is wider");
        browser.picture(&format!("link-{width}-{scheme}")).await;
    }

    // Another link in the same window, one that was cut, and none at all.
    browser.value("location.hash = '#cut'").await;
    let changed = "new Promise(done => { const look = () => document.getElementById('damaged').checkVisibility() ? done('damaged') : requestAnimationFrame(look); look(); })";
    assert_eq!(browser.value(changed).await, "damaged");
    browser.open(&format!("http://{}/i?from=elsewhere", ear.address)).await;
    assert_eq!(browser.value(shown).await, "empty");

    // The policy holds where a script asks for more, and the browser says so: from here on it complains.
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
    let asks = "fetch('/livez').then(() => 'answered', () => 'refused')";
    assert_eq!(browser.value(asks).await, "refused");
    assert!(!browser.complaints().is_empty());

    let files = ["GET /i", "GET /i?from=elsewhere", "GET /page/link.js", "GET /page/mark.svg", "GET /page/style.css"];
    assert_eq!(ear.paths(), files);
    assert!(!ear.heard().contains(&FRAGMENT[..12]) && !ear.heard().contains("cut"), "{}", ear.heard());
    assert!(!ear.heard().to_lowercase().contains("\nreferer:"), "{}", ear.heard());
    for address in browser.asked_for() {
        assert!(address.starts_with(&format!("http://{}/", ear.address)), "{address}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_the_page_says_where_the_link_is() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(dir.path());
    let mut browser = Browser::start().await;
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true })).await;
    browser.open(&format!("http://{}/i#{FRAGMENT}", relay.address)).await;
    let text = browser.value("document.body.innerText").await;
    assert!(text.as_str().unwrap().contains("Copy it from the address bar"), "{text}");
    assert!(!text.as_str().unwrap().contains("Open in Sotto"), "{text}");
    assert_eq!(browser.complaints(), Vec::<&serde_json::Value>::new());
    browser.close().await;
}

#[test]
fn pages_come_with_headers_that_allow_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(dir.path());
    for (path, kind) in [("/", "text/html"), ("/i", "text/html"), ("/page/link.js", "text/javascript")] {
        let answer = ask(relay.address, "GET", path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for line in [
            &format!("content-type: {kind}; charset=utf-8"),
            "content-security-policy: default-src 'none';",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "cross-origin-opener-policy: same-origin",
            "cache-control: public, max-age=300",
            &format!("content-length: {}", body.len()),
        ] {
            assert!(head.contains(&format!("\r\n{line}")), "{line}: {head}");
        }
        assert!(!head.contains("set-cookie") && !head.contains("strict-transport-security"), "{head}");
        let asked = ask(relay.address, "HEAD", path);
        assert!(asked.ends_with("\r\n\r\n") && asked.contains(&format!("content-length: {}", body.len())), "{asked}");
    }
    for (method, path, status) in [("GET", "/nowhere", "404"), ("POST", "/", "405"), ("GET", "/v1/frames", "405")] {
        let answer = ask(relay.address, method, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("content-type: text/plain") && answer.contains("nosniff"), "{answer}");
    }
    assert!(ask(relay.address, "GET", "/robots.txt").ends_with("User-agent: *\nDisallow: /\n"));
    assert!(
        ask(relay.address, "GET", "/.well-known/security.txt").contains("Contact: mailto:ops@relay.example\nExpires: ")
    );
}
