//! `[proxy]`: proxies before the relay that say whose a connection is.

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::{core::Rate, server::ProxySettings};

/// `[proxy]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Proxy {
    trusted_proxies: Vec<String>,
    connections_burst: u32,
    connections_per_minute: u32,
    makes_burst: u32,
    makes_per_minute: u32,
}

impl Proxy {
    /// What all connections from one address may make, and bundles that they may fetch, together.
    pub(super) fn origin_rate(&self) -> Rate {
        rate(self.makes_burst, self.makes_per_minute)
    }

    pub(super) fn settings(&self) -> Result<ProxySettings, ConfigError> {
        let Self { trusted_proxies, connections_burst, connections_per_minute, .. } = self;
        let trusted = trusted_proxies.iter().map(|network| {
            network.parse().map_err(|()| ConfigError::Value {
                key: "proxy.trusted_proxies",
                expected: "addresses, or networks as 10.0.0.0/8",
                found: network.clone(),
            })
        });
        let connections = rate(*connections_burst, *connections_per_minute);
        Ok(ProxySettings { trusted: trusted.collect::<Result<_, _>>()?, connections })
    }
}

fn rate(burst: u32, per_minute: u32) -> Rate {
    Rate { burst, interval_millis: 60_000 / u64::from(per_minute).max(1) }
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            trusted_proxies: vec![],
            connections_burst: 240,
            connections_per_minute: 240,
            makes_burst: 2_000,
            makes_per_minute: 240,
        }
    }
}

impl Section for Proxy {
    const KEYS: &'static [&'static str] =
        &["trusted_proxies", "connections_burst", "connections_per_minute", "makes_burst", "makes_per_minute"];

    fn check(&self) -> Result<(), ConfigError> {
        let wrong =
            |key, found: u32| Err(ConfigError::Value { key, expected: "from 1 to 60000", found: found.to_string() });
        match self {
            Self { connections_burst: found, .. } if !(1..=60_000).contains(found) => {
                wrong("proxy.connections_burst", *found)
            }
            Self { connections_per_minute: found, .. } if !(1..=60_000).contains(found) => {
                wrong("proxy.connections_per_minute", *found)
            }
            Self { makes_burst: found, .. } if !(1..=60_000).contains(found) => wrong("proxy.makes_burst", *found),
            Self { makes_per_minute: found, .. } if !(1..=60_000).contains(found) => {
                wrong("proxy.makes_per_minute", *found)
            }
            Self { .. } => self.settings().map(drop),
        }
    }

    fn text(&self) -> String {
        let Self { trusted_proxies, connections_burst, connections_per_minute, makes_burst, makes_per_minute } = self;
        format!(
            "# Proxies before the relay, as [\"10.0.0.0/8\", \"192.0.2.7\"]: each of their connections begins with a header of the PROXY
# protocol, version 1 or 2, that says whose it is. With any named, each address has a rate of new connections, and one of what it makes.
trusted_proxies = {trusted_proxies:?}
connections_burst = {connections_burst}
connections_per_minute = {connections_per_minute}
# Mailboxes, bundles, channels and blobs that are made from one address, and bundles fetched from there, together.
makes_burst = {makes_burst}
makes_per_minute = {makes_per_minute}
"
        )
    }
}
