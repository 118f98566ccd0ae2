//! What could not be reached a short while ago, and is not tried now.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use sotto_outer::RelayAddress;
use tokio::time::Instant;

/// How long.
pub(super) const LEFT_ALONE_SECS: u32 = 60;
/// The same.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(LEFT_ALONE_SECS as u64);
/// So much at a time; beyond, the oldest is tried again.
const MARKS_MAX: usize = 4_096;

/// What is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    /// A name without an address that may be dialled.
    Name(String),
    /// Nobody listens there, whatever the name and the identity were.
    Address(SocketAddr),
    /// Somebody else listens there, or answers too late. With its identity: a wrong one must not cut off whoever asks for the
    /// right one.
    Relay(RelayAddress),
}

/// All that is left alone.
#[derive(Debug, Default)]
pub(super) struct LeftAlone {
    since: HashMap<Mark, Instant>,
    order: VecDeque<Mark>,
}

impl LeftAlone {
    /// Leaves something alone from now on.
    pub(super) fn add(&mut self, mark: Mark, now: Instant) {
        self.forget(now);
        if self.since.contains_key(&mark) {
            return;
        }
        if self.order.len() >= MARKS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.since.remove(&oldest);
        }
        self.order.push_back(mark.clone());
        self.since.insert(mark, now);
    }

    /// Whether it is left alone.
    pub(super) fn holds(&self, mark: &Mark, now: Instant) -> bool {
        self.since.get(mark).is_some_and(|since| now.duration_since(*since) < LEFT_ALONE)
    }

    /// Forgets whose time is over.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front()
            && !self.holds(oldest, now)
        {
            self.since.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::Tls;

    use super::*;

    fn name(number: usize) -> Mark {
        Mark::Name(format!("{number}.example"))
    }

    #[test]
    fn a_mark_is_forgotten_after_its_time() {
        let (mut left_alone, now) = (LeftAlone::default(), Instant::now());
        left_alone.add(name(1), now);
        left_alone.add(name(2), now + LEFT_ALONE / 2);
        assert!(left_alone.holds(&name(1), now + LEFT_ALONE / 2));
        assert!(!left_alone.holds(&name(1), now + LEFT_ALONE) && left_alone.holds(&name(2), now + LEFT_ALONE));
        left_alone.forget(now + LEFT_ALONE);
        assert_eq!((left_alone.since.len(), left_alone.order.len()), (1, 1));
    }

    #[test]
    fn many_marks_push_out_the_oldest_and_never_the_newest() {
        let (mut left_alone, now) = (LeftAlone::default(), Instant::now());
        for number in 0..=MARKS_MAX {
            left_alone.add(name(number), now);
        }
        assert!(!left_alone.holds(&name(0), now));
        assert!((1..=MARKS_MAX).all(|number| left_alone.holds(&name(number), now)));
        assert_eq!(left_alone.order.len(), MARKS_MAX);
    }

    #[test]
    fn a_wrong_identity_leaves_the_right_one_reachable() {
        let (mut left_alone, now) = (LeftAlone::default(), Instant::now());
        let relay = |identity: u8| RelayAddress::new("relay.example", 443, Tls::Own, [identity; 32].into()).unwrap();
        left_alone.add(Mark::Relay(relay(1)), now);
        assert!(left_alone.holds(&Mark::Relay(relay(1)), now));
        assert!(!left_alone.holds(&Mark::Relay(relay(2)), now));
    }
}
