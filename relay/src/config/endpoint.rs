//! The keys at the head of `relay.toml`: where the relay listens, and how it is reached there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Deserializer};
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
    /// One address at least.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) listen: Vec<SocketAddr>,
    /// `HOST:PORT`, or empty.
    pub(super) public: String,
    /// `own`, `acme` or `off`.
    pub(super) tls: String,
}

impl Endpoint {
    pub(super) fn tls(&self) -> Result<Tls, ConfigError> {
        match self.tls.as_str() {
            "own" => Ok(Tls::Own),
            "off" => Ok(Tls::Off),
            "acme" => Ok(Tls::Acme),
            other => Err(ConfigError::Tls(other.to_owned())),
        }
    }

    /// Where the relay listens first of all.
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen.first().copied().unwrap_or(DEFAULT_LISTEN)
    }

    /// Whether these can be, together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_name = |host: &str| host.parse::<IpAddr>().is_err();
        match (self.tls()?, self.public()?) {
            (Tls::Acme, Some((host, _))) if is_name(&host) => Ok(()),
            (Tls::Acme, _) => Err(ConfigError::Acme),
            (Tls::Own | Tls::Off, _) => Ok(()),
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

    /// Whether browsers keep what is for protected connections alone.
    pub(super) fn has_cookies(&self) -> Result<bool, ConfigError> {
        let host = self.public()?.map_or_else(|| self.listen().ip().to_string(), |(host, _)| host);
        let is_here = host.parse().map_or(host == "localhost", |ip: IpAddr| ip.to_canonical().is_loopback());
        Ok(self.tls()? != Tls::Off || is_here || host.ends_with(".onion"))
    }

    /// Whether a new relay can be reached by these.
    pub(super) fn check_new(&self) -> Result<(), ConfigError> {
        self.check()?;
        match self.public()? {
            None if self.listen().ip().is_unspecified() => Err(ConfigError::PublicMissing),
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
        let listen = one_or_many_text(listen);
        format!(
            r#"# A Sotto relay. Every key is listed, with the value it has if it is left out.
# `sotto-relay check --data DIR` says whether this file is right.

# Where to listen for clients: an address, or several as ["192.0.2.7:443", "[2001:db8::7]:443"]. "[::]:443" is everywhere,
# by IPv6 and IPv4. Port 0 lets the system choose; the file `listening` then says which.
listen = {listen}

# HOST:PORT as clients reach this relay, part of the address they are given. Empty: as `listen`.
public = "{public}"

# "own": TLS 1.3 whose certificate this relay's key signs; clients pin the key, and no authority is needed.
# "acme": TLS 1.3 with a certificate of the public web, for a name; see [acme].
# "off": none, for loopback, an onion service or a VPN. A proxy before the relay passes TCP through: TLS ends here.
tls = "{tls}"
"#
        )
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { listen: vec![DEFAULT_LISTEN], public: String::new(), tls: "own".to_owned() }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`listen` is ADDRESS:PORT, or a list of them")]
    enum OneOrMany {
        One(SocketAddr),
        Many(Vec<SocketAddr>),
    }
    match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(address) => Ok(vec![address]),
        OneOrMany::Many(addresses) if addresses.is_empty() => {
            Err(serde::de::Error::custom("`listen` names no address"))
        }
        OneOrMany::Many(addresses) => Ok(addresses),
    }
}

fn one_or_many_text(addresses: &[SocketAddr]) -> String {
    if let [address] = addresses {
        return format!("\"{address}\"");
    }
    let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn parse_public(text: &str) -> Result<(String, u16), ConfigError> {
    let (host, port) = text.rsplit_once(':').ok_or(ConfigError::Public(AddressError::Port))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| ConfigError::Public(AddressError::Port))?;
    Ok((host.to_owned(), port))
}
