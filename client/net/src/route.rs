//! The way to a relay: straight, or through a SOCKS5 proxy (RFC 1928) such as Tor.
//!
//! With a proxy nothing is dialled around it, and no name is asked of this machine's resolver: relays' names, `.onion`
//! ones too, go to the proxy as they are.

use std::{fmt, io, str::FromStr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_socks::{Error as SocksError, tcp::Socks5Stream};

use crate::{NetError, ProxyRefusal, lookup};

/// What precedes a proxy's host.
const SCHEME: &str = "socks5://";
/// The password beside an isolation name: a proxy that isolates streams takes any.
const PASSWORD: &str = "sotto";
/// The longest user name (RFC 1929 §2), in bytes.
const USERNAME_BYTES_MAX: usize = 255;
/// The longest host of a proxy, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Silence after which the system asks the other for a sign of life (RFC 9293 §3.8.4): it costs a relay nothing.
const PROBE_AFTER: Duration = Duration::from_secs(45);
/// How often it asks then.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Probes without an answer after which the connection has ended.
const PROBES: u32 = 3;

/// How connections to a relay leave this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The proxy that dials for us; absent: we dial.
    pub proxy: Option<Proxy>,
    /// The user name shown to the proxy, at most 255 bytes. Tor builds a circuit of its own for each (`IsolateSOCKSAuth`).
    /// Random, and never an identity: the proxy reads it. Empty: none is offered.
    pub isolation: String,
}

/// A SOCKS5 proxy: `socks5://HOST:PORT`, an IPv6 literal in brackets.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
}

/// Why a text is no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It does not begin with `socks5://`.
    #[error("a proxy begins with socks5://")]
    Scheme,
    /// The host is empty, too long, or has characters no host has.
    #[error("the proxy's host is not valid")]
    Host,
    /// The port is missing or not a number from 1 to 65535.
    #[error("the proxy needs a port after the host")]
    Port,
}

impl Route {
    /// A TCP stream to this host, or to a proxy that has connected to it.
    pub(crate) async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let Some(proxy) = &self.proxy else { return dial(host, port).await };
        let stream = dial(&proxy.host, proxy.port).await.map_err(|error| match error {
            NetError::Unreachable(kind) => NetError::ProxyUnreachable(kind),
            _ => NetError::ProxyUnreachable(io::ErrorKind::NotFound),
        })?;
        let target = (host, port);
        let stream = if self.isolation.is_empty() {
            Socks5Stream::connect_with_socket(stream, target).await
        } else {
            let isolation = self.username();
            Socks5Stream::connect_with_password_and_socket(stream, target, isolation, PASSWORD).await
        };
        stream.map(Socks5Stream::into_inner).map_err(refused)
    }

    /// As much of the isolation name as SOCKS5 carries.
    fn username(&self) -> &str {
        &self.isolation[..self.isolation.floor_char_boundary(USERNAME_BYTES_MAX)]
    }
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, NetError> {
    let mut last = NetError::NameUnknown;
    for address in lookup::addresses(host).await? {
        match TcpStream::connect((address, port)).await {
            Ok(stream) => {
                // A frame waits for no other. Without the option it still arrives, only later.
                let _slower = stream.set_nodelay(true);
                let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
                // Without them a dead path is noticed when the relay has not been heard for long.
                let _later = SockRef::from(&stream).set_tcp_keepalive(&probes);
                return Ok(stream);
            }
            Err(error) => last = NetError::Unreachable(error.kind()),
        }
    }
    Err(last)
}

/// What a proxy said instead of connecting (RFC 1928 §6).
fn refused(error: SocksError) -> NetError {
    let refusal = match error {
        SocksError::GeneralSocksServerFailure => ProxyRefusal::General,
        SocksError::ConnectionNotAllowedByRuleset => ProxyRefusal::NotAllowed,
        SocksError::NetworkUnreachable => ProxyRefusal::NetworkUnreachable,
        SocksError::HostUnreachable => ProxyRefusal::HostUnreachable,
        SocksError::ConnectionRefused => ProxyRefusal::ConnectionRefused,
        SocksError::TtlExpired => ProxyRefusal::Expired,
        SocksError::CommandNotSupported => ProxyRefusal::CommandNotSupported,
        SocksError::AddressTypeNotSupported => ProxyRefusal::AddressNotSupported,
        SocksError::NoAcceptableAuthMethods
        | SocksError::PasswordAuthFailure(_)
        | SocksError::AuthorizationRequired => {
            return NetError::ProxyWantsPassword;
        }
        SocksError::Io(error) => return NetError::ProxyUnreachable(error.kind()),
        _ => return NetError::NotAProxy,
    };
    NetError::ProxyRefused(refusal)
}

impl Proxy {
    /// A proxy at this host, an IPv6 literal without brackets, and port.
    ///
    /// # Errors
    /// [`ProxyError::Host`] or [`ProxyError::Port`].
    pub fn new(host: &str, port: u16) -> Result<Self, ProxyError> {
        let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b':' | b'_');
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(known) {
            return Err(ProxyError::Host);
        }
        if port == 0 {
            return Err(ProxyError::Port);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let authority = text.trim().strip_prefix(SCHEME).ok_or(ProxyError::Scheme)?;
        let (host, port) = authority.trim_end_matches('/').rsplit_once(':').ok_or(ProxyError::Port)?;
        let port = port.parse().map_err(|_| ProxyError::Port)?;
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(literal) => Self::new(literal, port),
            // Without brackets the last colon could be the host's own.
            None if host.contains(':') => Err(ProxyError::Host),
            None => Self::new(host, port),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "{SCHEME}[{host}]:{port}") } else { write!(f, "{SCHEME}{host}:{port}") }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host: _, port: _ } = self;
        f.write_str("Proxy(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_written_as_it_is_read() {
        for text in ["socks5://127.0.0.1:9050", "socks5://[::1]:9150", "socks5://tor.example:1"] {
            assert_eq!(text.parse::<Proxy>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_proxy_says_why() {
        for (text, error) in [
            ("127.0.0.1:9050", ProxyError::Scheme),
            ("http://127.0.0.1:9050", ProxyError::Scheme),
            ("socks5://", ProxyError::Port),
            ("socks5://host", ProxyError::Port),
            ("socks5://host:0", ProxyError::Port),
            ("socks5://host:65536", ProxyError::Port),
            ("socks5://:9050", ProxyError::Host),
            ("socks5://::1:9050", ProxyError::Host),
            ("socks5://user@host:9050", ProxyError::Host),
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        }
    }
}
