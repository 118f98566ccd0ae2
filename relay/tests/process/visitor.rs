//! A browser as far as a login needs one: it follows where it is led, keeps one cookie, and shows the page in the end.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A browser that was sent to the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    relay: SocketAddr,
    /// At the issuer.
    pub(crate) sent_to: String,
    /// As the relay is shown it.
    pub(crate) cookie: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The credential on the page.
    pub(crate) fn credential(&self) -> &str {
        let (_, rest) = self.body.split_once("id=\"credential\">").unwrap_or_else(|| panic!("{self:?}"));
        rest.split('<').next().unwrap()
    }
}

/// One request on a connection of its own.
pub(crate) fn get(server: SocketAddr, path: &str, cookie: Option<&str>) -> Answer {
    let mut socket = TcpStream::connect(server).unwrap();
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{cookie}\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// The server and the path of an address.
pub(crate) fn place(address: &str) -> (SocketAddr, String) {
    let rest = address.strip_prefix("http://").unwrap();
    let (server, path) = rest.split_once('/').unwrap();
    (server.parse().unwrap(), format!("/{path}"))
}

impl Visitor {
    /// Begins a login.
    pub(crate) fn begin(relay: SocketAddr) -> Self {
        let answer = get(relay, "/join", None);
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { relay, sent_to: answer.header("location").unwrap().to_owned(), cookie }
    }

    /// Logs in at the issuer, and gives the address to which that sends the browser back.
    pub(crate) fn log_in(&self) -> String {
        let (server, path) = place(&self.sent_to);
        let answer = get(server, &path, None);
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.header("location").unwrap().to_owned()
    }

    /// Comes back, and gives the page.
    pub(crate) fn come_back(&self, address: &str) -> Answer {
        let (server, path) = place(address);
        assert_eq!(server, self.relay);
        get(server, &path, Some(&self.cookie))
    }
}

/// All of a login.
pub(crate) fn log_in(relay: SocketAddr) -> Answer {
    let visitor = Visitor::begin(relay);
    visitor.come_back(&visitor.log_in())
}

/// What a credential claims.
pub(crate) fn claims(credential: &str) -> Value {
    let claims = credential.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
}
