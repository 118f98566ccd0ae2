//! Which addresses this relay dials for others: those of the public internet that are not its own or its neighbours'. A client
//! that could name any would have a foot in the host's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::neighbours::Neighbours;

/// Addresses of one name that are dialled: a name may have as many as its owner likes, of whomever they like.
const ADDRESSES_MAX: usize = 3;

/// Whether an address is one that anybody on the internet may dial (RFC 6890 and its registries).
pub(super) fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(*address),
        IpAddr::V6(address) => is_public_v6(*address),
    }
}

/// Those that may be dialled. No neighbours are given where a host allows its own networks.
pub(super) fn permitted(resolved: Vec<SocketAddr>, neighbours: Option<&Neighbours>, own: &[IpAddr]) -> Vec<SocketAddr> {
    let may = |address: IpAddr| match neighbours {
        Some(neighbours) => is_public(&address) && !neighbours.hold(address) && !own.contains(&plain(address)),
        None => true,
    };
    resolved.into_iter().filter(|address| may(address.ip())).take(ADDRESSES_MAX).collect()
}

/// An IPv4 address out of an IPv6 one that leads to it; any other as it is.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(outer) => embedded(outer).map_or(address, IpAddr::V4),
    }
}

/// IPv4 in IPv6: mapped, by a translator (RFC 6052), by 6to4 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            (high, low)
        }
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network; class E and broadcast; multicast.
        (0 | 240..=255 | 224..=239, _, _) => true,
        // Carrier-grade NAT (RFC 6598).
        (100, 64..=127, _) => true,
        // IETF protocol assignments; 6to4 relays; benchmarking (RFC 2544).
        (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => true,
        _ => false,
    };
    !(special || address.is_loopback() || address.is_private() || address.is_link_local() || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = embedded(address) {
        return is_public_v4(inner);
    }
    match address.segments() {
        // Teredo, benchmarking, ORCHID, protocol assignments; documentation, twice.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Of what is left, global unicast alone.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_dialled_for_others() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:a00:1::",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in private {
            assert!(!is_public(&text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2a01::1",
            "2001:4860::1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "::ffff:1.1.1.1",
        ];
        for text in public {
            assert!(is_public(&text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_a_name_resolves_to_is_asked_not_the_name() {
        let resolved = ["127.0.0.1:443", "1.1.1.1:443", "[::1]:443"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(permitted(resolved.to_vec(), Some(&Neighbours::default()), &[]), [resolved[1]]);
        assert_eq!(permitted(resolved.to_vec(), None, &[]), resolved);
    }

    #[test]
    fn where_this_relay_itself_is_reached_is_not_dialled() {
        let [own, other] = ["1.1.1.1:22", "1.0.0.1:22"].map(|text| text.parse::<SocketAddr>().unwrap());
        let mapped = "[::ffff:1.1.1.1]:22".parse().unwrap();
        assert_eq!(permitted(vec![own, mapped, other], Some(&Neighbours::default()), &[own.ip()]), [other]);
    }

    #[test]
    fn of_a_names_addresses_a_few_are_dialled() {
        let resolved: Vec<SocketAddr> = (1..=100).map(|host| ([1, 1, 1, host], 443).into()).collect();
        assert_eq!(permitted(resolved.clone(), Some(&Neighbours::default()), &[]), resolved[..ADDRESSES_MAX]);
    }
}
