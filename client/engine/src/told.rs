//! Which places of relays that others tell us are dialled. A contact names any host and port it likes; this machine, its
//! network and lines without encryption are not theirs to choose, unless we live like that ourselves.

use core::net::{IpAddr, Ipv4Addr};

use sotto_outer::{RelayAddress, Tls};

/// Whether a place that someone told is dialled by one whose own relays are these.
pub(crate) fn is_dialled<'a>(told: &RelayAddress, mut own: impl Iterator<Item = &'a RelayAddress> + Clone) -> bool {
    if is_nearby(told.host()) {
        return own.any(|own| is_nearby(own.host()));
    }
    let onion = told.host().to_ascii_lowercase().ends_with(".onion");
    told.tls() != Tls::Off || onion || own.any(|own| own.tls() == Tls::Off)
}

/// Whether a host is this machine or a literal of its own network.
fn is_nearby(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") {
        return true;
    }
    let v4 = |ip: Ipv4Addr| {
        ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast()
    };
    match host.parse() {
        Ok(IpAddr::V4(ip)) => v4(ip),
        Ok(IpAddr::V6(ip)) => {
            let first = ip.segments()[0];
            let unique_or_link_local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
            ip.is_loopback() || ip.is_unspecified() || unique_or_link_local || ip.to_ipv4_mapped().is_some_and(v4)
        }
        // Resolvers read 127.1, 2130706433 and 0x7f000001 as addresses too; no name ends in a number.
        Err(_) => host.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::RelayIdentity;

    use super::*;

    fn at(host: &str, tls: Tls) -> RelayAddress {
        RelayAddress::new(host, 443, tls, RelayIdentity::from([7; 32])).unwrap()
    }

    #[test]
    fn a_contact_makes_nobody_dial_their_own_network() {
        let public = [at("relay.example", Tls::Own)];
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "192.168.0.1",
            "10.1.2.3",
            "169.254.1.1",
            "0.0.0.0",
            "localhost",
            "LOCALHOST.",
            "printer.local",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_dialled(&at(host, Tls::Own), public.iter()), "{host} was dialled");
            assert!(is_dialled(&at(host, Tls::Own), [at("127.0.0.1", Tls::Off)].iter()), "{host} among neighbours");
        }
        assert!(is_dialled(&at("93.184.215.14", Tls::Own), public.iter()));
        assert!(is_dialled(&at("other.example", Tls::Acme), public.iter()));
    }

    #[test]
    fn a_contact_takes_nobodys_encryption_away() {
        let (off, onion) = (at("other.example", Tls::Off), at("abcdef.onion", Tls::Off));
        assert!(!is_dialled(&off, [at("relay.example", Tls::Own)].iter()));
        assert!(is_dialled(&onion, [at("relay.example", Tls::Own)].iter()));
        assert!(is_dialled(&off, [at("relay.example", Tls::Off)].iter()));
    }
}
