//! Where an issuer is: `https` anywhere, plain `http` on this machine alone.

use std::{net::IpAddr, str::FromStr};

use axum::http::{Uri, uri::Authority};

/// The longest address that is taken.
const BYTES_MAX: usize = 2_048;

/// An absolute address of an issuer, or of something it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerAddress {
    text: String,
    is_tls: bool,
    authority: Authority,
    path_and_query: String,
}

/// No address that may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAddress;

impl IssuerAddress {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its name or address, without brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    pub(super) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    pub(super) fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Whether it may be dialled there: unprotected, nothing leaves this machine.
    pub(super) fn may_dial(&self, address: IpAddr) -> bool {
        self.is_tls || address.to_canonical().is_loopback()
    }

    /// Where the issuer describes itself (OpenID Connect Discovery 1.0 §4).
    pub(super) fn discovery(&self) -> Result<Self, NotAnAddress> {
        format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/')).parse()
    }

    /// Something that the issuer's description names: with TLS where the issuer has it.
    pub(super) fn named(&self, text: &str) -> Result<Self, NotAnAddress> {
        text.parse().and_then(|named: Self| if self.is_tls && !named.is_tls { Err(NotAnAddress) } else { Ok(named) })
    }

    /// With more in its query.
    pub(super) fn with_query(&self, query: &str) -> String {
        let sign = if self.path_and_query.contains('?') { '&' } else { '?' };
        format!("{}{sign}{query}", self.text)
    }
}

impl FromStr for IssuerAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text.len() > BYTES_MAX || !text.bytes().all(|c| c.is_ascii_graphic()) || text.contains('#') {
            return Err(NotAnAddress);
        }
        let uri: Uri = text.parse().map_err(|_| NotAnAddress)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(NotAnAddress),
        };
        let authority = uri.authority().filter(|it| !it.as_str().contains('@') && !it.host().is_empty());
        let authority = authority.ok_or(NotAnAddress)?.clone();
        let path_and_query = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        let address = Self { text: text.to_owned(), is_tls, authority, path_and_query };
        let is_here = address.host().parse().map_or(address.host() == "localhost", |ip| address.may_dial(ip));
        if is_tls || is_here { Ok(address) } else { Err(NotAnAddress) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<IssuerAddress, NotAnAddress> {
        text.parse()
    }

    #[test]
    fn unprotected_an_issuer_is_on_this_machine() {
        for text in ["http://127.0.0.1:8080/realms/a", "http://[::1]:1", "http://localhost/a", "https://192.0.2.1/a"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "issuer.example",
            "http://issuer.example",
            "http://192.0.2.1",
            "http://10.0.0.1",
            "http://localhost.example",
            "ftp://localhost",
            "https://",
            "https://alice@issuer.example",
            "https://issuer.example/a#b",
            "https://issuer.example/a b",
            "https://issuer.example/\u{e9}",
            "javascript:alert(1)",
        ] {
            assert_eq!(address(text), Err(NotAnAddress), "{text}");
        }
        assert!(!address("http://localhost").unwrap().may_dial([192, 0, 2, 1].into()));
    }

    #[test]
    fn what_an_issuer_names_is_as_protected_as_itself() {
        let issuer = address("https://issuer.example/realms/a/").unwrap();
        let discovery = issuer.discovery().unwrap();
        assert_eq!(discovery.as_str(), "https://issuer.example/realms/a/.well-known/openid-configuration");
        assert_eq!((discovery.host(), discovery.port()), ("issuer.example", 443));
        assert!(issuer.named("https://keys.example/1?a=b").is_ok());
        assert_eq!(issuer.named("http://127.0.0.1/keys"), Err(NotAnAddress));
        assert!(address("http://127.0.0.1").unwrap().named("http://localhost:1/keys").is_ok());
    }

    #[test]
    fn a_query_is_added_to() {
        assert_eq!(address("https://a.example/x").unwrap().with_query("b=c"), "https://a.example/x?b=c");
        assert_eq!(address("https://a.example/x?y=z").unwrap().with_query("b=c"), "https://a.example/x?y=z&b=c");
    }
}
