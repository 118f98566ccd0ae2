//! How many commands are on their way to one place, so that nobody fills all ways with a place that answers late.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

use super::lock;

/// Commands on their way to one place.
const OF_ONE_MAX: usize = 8;

/// Who is on the way where.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One command's way; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Way {
    crowd: Crowd,
    place: IpAddr,
}

impl Crowd {
    /// A way to this address; none where enough are taken.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Way> {
        let place = place(address);
        let mut ways = lock(&self.0);
        let taken = ways.entry(place).or_default();
        if *taken >= OF_ONE_MAX {
            return None;
        }
        *taken += 1;
        Some(Way { crowd: self.clone(), place })
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let mut ways = lock(&self.crowd.0);
        if let Some(taken) = ways.get_mut(&self.place) {
            *taken -= 1;
            if *taken == 0 {
                ways.remove(&self.place);
            }
        }
    }
}

/// What one person may have: an IPv4 address with all its ports, an IPv6 site (/48).
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_so_many_ways_and_others_have_theirs() {
        let crowd = Crowd::default();
        let to = |text: &str| text.parse().unwrap();
        let ways: Vec<_> = (0..OF_ONE_MAX).map(|host| crowd.enter(to(&format!("2a01:1:2::{host}")))).collect();
        assert!(ways.iter().all(Option::is_some));
        assert!(crowd.enter(to("2a01:1:2:ffff::1")).is_none(), "another address of the same site");
        assert!(crowd.enter(to("2a01:1:3::1")).is_some() && crowd.enter(to("1.1.1.1")).is_some());
        drop(ways);
        assert!(crowd.enter(to("2a01:1:2::1")).is_some());
        assert!(lock(&crowd.0).is_empty(), "who is on no way is forgotten");
    }
}
