//! The keys at the head of `relay.toml`: where the relay listens, and how it is reached there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use sotto_outer::{AddressError, RelayAddress, RelayIdentity, Tls};

use super::ConfigError;

/// Where a relay listens if nobody says otherwise: where only this machine reaches it.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4433);

/// Its keys.
pub(super) const KEYS: &[&str] = &["listen", "public", "tls"];

/// The keys that stand in no section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) listen: SocketAddr,
    /// `HOST:PORT`, or empty.
    pub(super) public: String,
    /// `own` or `off`.
    pub(super) tls: String,
}

impl Endpoint {
    pub(super) fn tls(&self) -> Result<Tls, ConfigError> {
        match self.tls.as_str() {
            "own" => Ok(Tls::Own),
            "off" => Ok(Tls::Off),
            "acme" => Err(ConfigError::Acme),
            other => Err(ConfigError::Tls(other.to_owned())),
        }
    }

    /// Host and port as clients reach this relay, if the host says them.
    pub(super) fn public(&self) -> Result<Option<(String, u16)>, ConfigError> {
        if self.public.is_empty() { Ok(None) } else { parse_public(&self.public).map(Some) }
    }

    /// Where clients reach this relay, listening at `bound`.
    pub(super) fn address(&self, identity: RelayIdentity, bound: SocketAddr) -> Result<RelayAddress, ConfigError> {
        let (host, port) = self.public()?.unwrap_or_else(|| (bound.ip().to_string(), bound.port()));
        // Port 0 stands for whatever port the system chose.
        let port = if port == 0 { bound.port() } else { port };
        RelayAddress::new(&host, port, self.tls()?, identity).map_err(ConfigError::Public)
    }

    /// Whether a new relay can be reached by these.
    pub(super) fn check_new(&self) -> Result<(), ConfigError> {
        self.tls()?;
        match self.public()? {
            None if self.listen.ip().is_unspecified() => Err(ConfigError::PublicMissing),
            None => Ok(()),
            Some((host, port)) => {
                let address = RelayAddress::new(&host, port, Tls::Own, RelayIdentity::from([0; 32]));
                address.map(drop).map_err(ConfigError::Public)
            }
        }
    }

    /// The head of a new `relay.toml`, with these values.
    pub(super) fn text(&self) -> String {
        let Self { listen, public, tls } = self;
        format!(
            r#"# A Sotto relay. Every key is listed, with the value it has if it is left out.
# `sotto-relay check --data DIR` says whether this file is right.

# Where to listen for clients. Port 0 lets the system choose; the file `listening` then says which.
listen = "{listen}"

# HOST:PORT as clients reach this relay, part of the address they are given. Empty: as `listen`.
public = "{public}"

# "own": TLS 1.3 whose certificate this relay's key signs; clients pin the key, and no authority is needed.
# "off": none, for loopback, an onion service, or a proxy before the relay that carries TLS.
tls = "{tls}"
"#
        )
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { listen: DEFAULT_LISTEN, public: String::new(), tls: "own".to_owned() }
    }
}

fn parse_public(text: &str) -> Result<(String, u16), ConfigError> {
    let (host, port) = text.rsplit_once(':').ok_or(ConfigError::Public(AddressError::Port))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| ConfigError::Public(AddressError::Port))?;
    Ok((host.to_owned(), port))
}
