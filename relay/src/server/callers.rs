//! How often one address may connect, where proxies are trusted to say whose it is. In memory alone, forgotten when idle,
//! never told to anybody.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::proxy::Network;
use crate::{
    core::{Origin, Rate, Rates},
    time::Timestamp,
};

/// Connections between two looks for addresses that rest.
const SWEEP_EVERY: u32 = 1_024;

/// Who is trusted to say whose a connection is, and how often one address may connect.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Proxies before the relay. None: addresses are not looked at.
    pub trusted: Vec<Network>,
    /// New connections of an address, an IPv6 one by its /64.
    pub connections: Rate,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self { trusted: vec![], connections: Rate { burst: 240, interval_millis: 250 } }
    }
}

/// Addresses and what they used.
pub(super) struct Callers {
    settings: ProxySettings,
    started: Instant,
    seen: Mutex<Seen>,
    /// Drawn for each run: what the core is told of an address.
    names: RandomState,
}

struct Seen {
    rates: Rates<IpAddr>,
    until_sweep: u32,
}

impl Callers {
    pub(super) fn new(settings: ProxySettings) -> Self {
        let seen = Mutex::new(Seen { rates: Rates::new(), until_sweep: SWEEP_EVERY });
        Self { settings, started: Instant::now(), seen, names: RandomState::new() }
    }

    /// Whether a header of the PROXY protocol comes from this address.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.settings.trusted.iter().any(|network| network.contains(address))
    }

    /// What the core is told of an address; nothing where no proxy is trusted.
    pub(super) fn origin(&self, address: IpAddr) -> Option<Origin> {
        (!self.settings.trusted.is_empty()).then(|| Origin(self.names.hash_one(household(address))))
    }

    /// Whether one more connection may come from this address. All may where no proxy is trusted.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        if self.settings.trusted.is_empty() {
            return true;
        }
        let now = Timestamp::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.until_sweep -= 1;
        if seen.until_sweep == 0 {
            seen.until_sweep = SWEEP_EVERY;
            seen.rates.forget_idle(now);
        }
        seen.rates.take(household(address), now, self.settings.connections).is_ok()
    }
}

/// An IPv6 address stands for its /64: whoever has one has all.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers(trusted: &[&str]) -> Callers {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Callers::new(ProxySettings { trusted, connections: Rate { burst: 2, interval_millis: 3_600_000 } })
    }

    #[test]
    fn an_address_connects_so_often_and_an_ipv6_one_is_its_network() {
        let callers = callers(&["127.0.0.1"]);
        let admits = |address: &str| callers.admits(address.parse().unwrap());
        assert!(admits("192.0.2.7") && admits("192.0.2.7") && !admits("192.0.2.7"));
        assert!(!admits("::ffff:192.0.2.7") && admits("192.0.2.8"));
        assert!(admits("2001:db8::1") && admits("2001:db8::ffff:2") && !admits("2001:db8::3"));
        assert!(admits("2001:db8:0:1::1"));
    }

    #[test]
    fn the_core_knows_an_address_by_a_number_of_this_run() {
        let origin = |callers: &Callers, address: &str| callers.origin(address.parse().unwrap());
        let (first, second, none) = (callers(&["127.0.0.1"]), callers(&["127.0.0.1"]), callers(&[]));
        assert_eq!(origin(&first, "2001:db8::1"), origin(&first, "2001:db8::ffff:2"));
        assert_ne!(origin(&first, "192.0.2.7"), origin(&first, "192.0.2.8"));
        assert_ne!(origin(&first, "192.0.2.7"), origin(&second, "192.0.2.7"));
        assert_eq!(origin(&none, "192.0.2.7"), None);
    }

    #[test]
    fn without_a_trusted_proxy_nobody_is_counted() {
        let callers = callers(&[]);
        assert!((0..10).all(|_| callers.admits("192.0.2.7".parse().unwrap())));
        assert!(callers.seen.lock().unwrap().rates.is_empty());
    }
}
