//! Where a collector is.

use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use axum::http::{Uri, uri::Authority};

/// What OTLP over HTTP calls the place of traces, below a collector's own path.
const TRACES_PATH: &str = "/v1/traces";

/// A collector of OTLP over HTTP: `http` near by, `https` anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    pub(super) is_tls: bool,
    pub(super) authority: Authority,
    pub(super) path: String,
}

/// Not the address of a collector.
#[derive(Debug, PartialEq, Eq)]
pub struct NotACollector;

impl Collector {
    /// Its name or address, without brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Whether traces may go to this address: unprotected, they stay near by.
    pub(super) fn may_dial(&self, address: IpAddr) -> bool {
        self.is_tls || is_near(address)
    }
}

impl FromStr for Collector {
    type Err = NotACollector;

    /// `http://HOST:PORT` or `https://HOST:PORT`, with the path below which it takes OTLP, if any.
    fn from_str(text: &str) -> Result<Self, NotACollector> {
        let uri: Uri = text.parse().map_err(|_| NotACollector)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(NotACollector),
        };
        let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or(NotACollector)?.clone();
        if uri.query().is_some() {
            return Err(NotACollector);
        }
        let path = format!("{}{TRACES_PATH}", uri.path().trim_end_matches('/'));
        let collector = Self { is_tls, authority, path };
        match collector.host().parse() {
            Ok(address) if !collector.may_dial(address) => Err(NotACollector),
            Ok(_) | Err(_) => Ok(collector),
        }
    }
}

/// This machine, or a network of one's own (RFC 1918, RFC 4193, RFC 6598) or of one cable (RFC 3927, RFC 4291).
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprotected_traces_stay_near_by() {
        let collector = |text: &str| text.parse::<Collector>();
        let near = collector("http://127.0.0.1:4318").unwrap();
        assert_eq!((near.host(), near.port(), near.path.as_str()), ("127.0.0.1", 4318, "/v1/traces"));
        let far = collector("https://traces.example/otlp/").unwrap();
        assert_eq!((far.host(), far.port(), far.path.as_str()), ("traces.example", 443, "/otlp/v1/traces"));
        assert!(far.may_dial([192, 0, 2, 1].into()));
        for text in ["http://10.0.0.9", "http://[fd00::1]:4318", "http://100.100.0.1", "http://collector:4318"] {
            assert!(!collector(text).unwrap().may_dial([192, 0, 2, 1].into()), "{text}");
        }
        for text in ["", "127.0.0.1:4318", "http://", "ftp://127.0.0.1", "http://192.0.2.1", "http://[2001:db8::1]:1"] {
            assert_eq!(collector(text), Err(NotACollector), "{text}");
        }
        for text in ["http://user@127.0.0.1", "https://traces.example/?key=1"] {
            assert_eq!(collector(text), Err(NotACollector), "{text}");
        }
    }
}
