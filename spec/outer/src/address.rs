//! Where a relay is and who it must be: `sotto://HOST:PORT/IDENTITY` (base64url), with `?tls=off` or `?tls=acme` where it is
//! not the default, `own`.

use core::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use crate::{RelayIdentity, limits::HOST_BYTES_MAX};

/// How the transport to a relay is protected. Envelopes are end-to-end encrypted under any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Tls {
    /// TLS 1.3, the leaf signed by the pinned relay identity; nothing else is checked.
    #[n(0)]
    Own,
    /// TLS with a certificate of the public web.
    #[n(1)]
    Acme,
    /// None here: loopback, an onion service, or a proxy before the relay.
    #[n(2)]
    Off,
}

/// A relay's address, with its pinned identity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct RelayAddress {
    #[n(0)]
    host: String,
    #[n(1)]
    port: u16,
    #[n(2)]
    tls: Tls,
    #[n(3)]
    identity: RelayIdentity,
}

/// Why a text or a value is no relay address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not begin with `sotto://`.
    #[error("a relay address begins with sotto://")]
    Scheme,
    /// The host is empty, too long, or has characters no host has.
    #[error("the host in the relay address is not valid")]
    Host,
    /// The port is missing or not a number from 1 to 65535.
    #[error("the relay address needs a port after the host")]
    Port,
    /// The identity is missing or not 32 bytes of base64url: the address was cut or mistyped.
    #[error("the relay address is incomplete: its identity is missing or cut")]
    Identity,
    /// An option is unknown.
    #[error("the relay address has an option this version does not know")]
    Option,
}

impl RelayAddress {
    /// Builds an address. A host of an IPv6 literal stands without brackets.
    ///
    /// # Errors
    /// [`AddressError::Host`] or [`AddressError::Port`].
    pub fn new(host: &str, port: u16, tls: Tls, identity: RelayIdentity) -> Result<Self, AddressError> {
        let address = Self { host: host.to_owned(), port, tls, identity };
        address.validate()?;
        Ok(address)
    }

    /// Checks what decoding alone does not: host characters and port.
    ///
    /// # Errors
    /// [`AddressError::Host`] or [`AddressError::Port`].
    pub fn validate(&self) -> Result<(), AddressError> {
        let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b':');
        if self.host.is_empty() || self.host.len() > HOST_BYTES_MAX || !self.host.bytes().all(known) {
            return Err(AddressError::Host);
        }
        if self.port == 0 {
            return Err(AddressError::Port);
        }
        Ok(())
    }

    /// Host name or IP literal, an IPv6 one without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How the transport is protected.
    pub const fn tls(&self) -> Tls {
        self.tls
    }

    /// Who must answer there.
    pub const fn identity(&self) -> &RelayIdentity {
        &self.identity
    }

    /// What the relay signs of where it was reached: how the transport is protected, then the authority. Whoever names another place
    /// for the same identity, to stand in between, is found out by it.
    pub fn place(&self) -> Vec<u8> {
        let tls = match self.tls {
            Tls::Own => 0,
            Tls::Acme => 1,
            Tls::Off => 2,
        };
        [&[tls], self.authority().as_bytes()].concat()
    }

    /// `HOST:PORT`, an IPv6 literal in brackets.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Prints no host: a relay a person uses is nobody's business in a log.
impl fmt::Debug for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host: _, port: _, tls, identity: _ } = self;
        f.debug_struct("RelayAddress").field("tls", tls).finish_non_exhaustive()
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = BASE64URL_NOPAD.encode(self.identity.as_bytes());
        let tls = match self.tls {
            Tls::Own => "",
            Tls::Acme => "?tls=acme",
            Tls::Off => "?tls=off",
        };
        write!(f, "sotto://{}/{identity}{tls}", self.authority())
    }
}

impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.trim().strip_prefix("sotto://").ok_or(AddressError::Scheme)?;
        let (authority, rest) = rest.split_once('/').ok_or(AddressError::Identity)?;
        let (host, port) = authority.rsplit_once(':').ok_or(AddressError::Port)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| AddressError::Port)?;
        let (identity, tls) = match rest.split_once('?') {
            None => (rest, Tls::Own),
            Some((identity, "tls=own")) => (identity, Tls::Own),
            Some((identity, "tls=acme")) => (identity, Tls::Acme),
            Some((identity, "tls=off")) => (identity, Tls::Off),
            Some(_) => return Err(AddressError::Option),
        };
        let identity = BASE64URL_NOPAD.decode(identity.as_bytes()).map_err(|_| AddressError::Identity)?;
        let identity = RelayIdentity::try_from(identity.as_slice()).map_err(|_| AddressError::Identity)?;
        Self::new(host, port, tls, identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<RelayAddress, AddressError> {
        text.parse()
    }

    #[test]
    fn an_address_reads_back_as_written() {
        for (host, tls) in [("relay.example", Tls::Own), ("::1", Tls::Off), ("192.0.2.7", Tls::Acme)] {
            let written = RelayAddress::new(host, 4433, tls, RelayIdentity::from([7; 32])).unwrap();
            assert_eq!(written.to_string().parse(), Ok(written));
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        let identity = BASE64URL_NOPAD.encode(&[7; 32]);
        assert_eq!(address(&format!("https://a:1/{identity}")), Err(AddressError::Scheme));
        assert_eq!(address(&format!("sotto://a b:1/{identity}")), Err(AddressError::Host));
        assert_eq!(address(&format!("sotto://a/{identity}")), Err(AddressError::Port));
        assert_eq!(address(&format!("sotto://a:0/{identity}")), Err(AddressError::Port));
        assert_eq!(address("sotto://a:1/c2hvcnQ"), Err(AddressError::Identity));
        assert_eq!(address(&format!("sotto://a:1/{identity}?tls=no")), Err(AddressError::Option));
    }
}
