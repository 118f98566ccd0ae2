//! The SOCKS5 server (RFC 1928) that a profile's connections go through: Tor, or a way out of a closed network.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use sotto_outer::limits::HOST_BYTES_MAX;

use crate::{Rows, RowsError, Table, record::Record};

/// Where the proxy is: `socks5://HOST:PORT`, an IPv6 literal in brackets.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProxyAddress {
    #[n(0)]
    host: String,
    #[n(1)]
    port: u16,
}

/// Why a text is no proxy address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyAddressError {
    /// It does not begin with `socks5://`.
    #[error("a proxy address begins with socks5://")]
    Scheme,
    /// The host is empty, too long, or has characters no host has.
    #[error("the host in the proxy address is not valid")]
    Host,
    /// The port is missing or not a number from 1 to 65535.
    #[error("the proxy address needs a port after the host, as in socks5://127.0.0.1:9050")]
    Port,
}

impl ProxyAddress {
    /// The key of the one row.
    pub const KEY: &[u8] = b"proxy";

    /// Host name or IP literal, an IPv6 one without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Record for ProxyAddress {
    const TABLE: Table = Table::Meta;
}

impl FromStr for ProxyAddress {
    type Err = ProxyAddressError;

    fn from_str(text: &str) -> Result<Self, ProxyAddressError> {
        let authority = text.trim().strip_prefix("socks5://").ok_or(ProxyAddressError::Scheme)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or(ProxyAddressError::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
        let valid = match bracketed {
            Some(literal) => literal.parse::<core::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.bytes().all(known),
        };
        if !valid {
            return Err(ProxyAddressError::Host);
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(ProxyAddressError::Port),
            Ok(port) => Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port }),
        }
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "socks5://[{host}]:{port}") } else { write!(f, "socks5://{host}:{port}") }
    }
}

/// Prints no host: a proxy a person uses is nobody's business in a log.
impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyAddress(..)")
    }
}

/// The proxy that connections go through, if any.
///
/// # Errors
/// [`RowsError`].
pub fn proxy(rows: &dyn Rows) -> Result<Option<ProxyAddress>, RowsError> {
    rows.get(Table::Meta, ProxyAddress::KEY)?.map(|row| ProxyAddress::from_row(&row)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_written() {
        for text in ["socks5://127.0.0.1:9050", "socks5://[::1]:1080", "socks5://proxy.example:1"] {
            assert_eq!(text.parse::<ProxyAddress>().unwrap().to_string(), text);
        }
        assert_eq!("socks5://[::1]:1080/".parse::<ProxyAddress>().unwrap().host(), "::1");
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        let error = |text: &str| text.parse::<ProxyAddress>().unwrap_err();
        for text in ["", "127.0.0.1:9050", "http://127.0.0.1:9050", "socks4://127.0.0.1:9050"] {
            assert_eq!(error(text), ProxyAddressError::Scheme);
        }
        for text in ["socks5://:9050", "socks5://a b:9050", "socks5://user@host:9050", "socks5://::1:9050"] {
            assert_eq!(error(text), ProxyAddressError::Host);
        }
        for text in ["socks5://host", "socks5://host:", "socks5://host:0", "socks5://host:65536"] {
            assert_eq!(error(text), ProxyAddressError::Port);
        }
    }
}
