//! This machine's own addresses and those of its networks. Some are of the public internet, and yet whoever dials them from here
//! stands inside the host's walls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    sys::socket::SockaddrStorage,
};

use super::reach::plain;

/// An address and the mask of its network, as numbers of the family's own width.
type Network = (IpAddr, IpAddr);

/// The networks this machine is in now.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours(Vec<Network>);

impl Neighbours {
    /// Asks the system. What it does not tell is not known: then the list of [`super::reach`] alone holds.
    pub(super) fn now() -> Self {
        Self(getifaddrs().map(|interfaces| interfaces.filter_map(network).collect()).unwrap_or_default())
    }

    /// Whether an address is this machine's or in one of its networks.
    pub(super) fn hold(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.0.iter().any(|(own, mask)| match (address, own, mask) {
            (IpAddr::V4(address), IpAddr::V4(own), IpAddr::V4(mask)) => {
                (address.to_bits() ^ own.to_bits()) & mask.to_bits() == 0
            }
            (IpAddr::V6(address), IpAddr::V6(own), IpAddr::V6(mask)) => {
                (address.to_bits() ^ own.to_bits()) & mask.to_bits() == 0
            }
            _ => false,
        })
    }
}

/// An interface's address and mask; a mask of nothing would be everywhere, and stands for the address alone.
fn network(interface: InterfaceAddress) -> Option<Network> {
    let address = interface.address.as_ref().and_then(ip)?;
    let mask = interface.netmask.as_ref().and_then(ip).filter(|mask| !mask.is_unspecified());
    let alone = match address {
        IpAddr::V4(_) => Ipv4Addr::BROADCAST.into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(u128::MAX).into(),
    };
    Some((address, mask.filter(|mask| mask.is_ipv4() == address.is_ipv4()).unwrap_or(alone)))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_and_those_of_own_networks_are_neighbours() {
        let network = |address: &str, mask: &str| (address.parse().unwrap(), mask.parse().unwrap());
        let neighbours = Neighbours(vec![
            network("2a01:1:2:3::5", "ffff:ffff:ffff:ffff::"),
            network("5.6.7.8", "255.255.255.0"),
            network("9.9.9.9", "255.255.255.255"),
        ]);
        for inside in
            ["2a01:1:2:3::5", "2a01:1:2:3:ffff::1", "5.6.7.200", "9.9.9.9", "::ffff:5.6.7.9", "2002:506:709::1"]
        {
            assert!(neighbours.hold(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["2a01:1:2:4::5", "5.6.8.8", "9.9.9.8", "::ffff:9.9.9.8"] {
            assert!(!neighbours.hold(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn this_machine_is_its_own_neighbour() {
        assert!(Neighbours::now().hold(Ipv4Addr::LOCALHOST.into()));
    }
}
