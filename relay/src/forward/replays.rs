//! Which commands were taken a short while ago, so that none is taken twice, and none from before this process began.

use std::collections::{HashSet, VecDeque};

use sotto_outer::{ConnectionNonce, limits::FORWARD_CLOCK_SECS};

use crate::time::Timestamp;

/// Commands remembered: at two thousand a second all of the two minutes for which they could come again.
const REMEMBERED_MAX: usize = 250_000;
/// How far ahead of this relay's clock a client's may be; who is further ahead is told the time and asks again. For as long after
/// its start a relay takes nothing: what its time would allow the process before may have taken.
const AHEAD_SECS: u64 = 2;

/// What a command's time and name say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Never seen, and of this time.
    Fresh,
    /// Taken before.
    Repeated,
    /// The client's clock is too far off, or the command is older than this process.
    OtherTime,
    /// This process is so young that any command may have been taken before it.
    TooSoon,
    /// More has come than can be remembered.
    TooMany,
}

/// Remembers commands as long as their time would be accepted.
#[derive(Debug)]
pub(crate) struct Replays {
    /// The latest time of a command that the process before may have taken.
    before_secs: u64,
    seen: HashSet<[u8; 16]>,
    order: VecDeque<(u64, [u8; 16])>,
}

impl Replays {
    /// Nothing taken yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { before_secs: now.as_millis() / 1_000 + AHEAD_SECS, seen: HashSet::new(), order: VecDeque::new() }
    }

    /// Takes a command, once.
    pub(crate) fn take(&mut self, now: Timestamp, time_secs: u64, name: &ConnectionNonce) -> Freshness {
        let now_secs = now.as_millis() / 1_000;
        while self.order.front().is_some_and(|(until, _)| *until < now_secs) {
            let Some((_, gone)) = self.order.pop_front() else { break };
            self.seen.remove(&gone);
        }
        if now_secs <= self.before_secs {
            return Freshness::TooSoon;
        }
        let is_ahead = time_secs > now_secs + AHEAD_SECS;
        if is_ahead || time_secs.saturating_add(FORWARD_CLOCK_SECS) < now_secs || time_secs <= self.before_secs {
            return Freshness::OtherTime;
        }
        let name: [u8; 16] = *name.as_bytes().first_chunk().expect("32 bytes");
        if self.seen.contains(&name) {
            return Freshness::Repeated;
        }
        if self.seen.len() >= REMEMBERED_MAX {
            return Freshness::TooMany;
        }
        self.seen.insert(name);
        // Its time is at most this far ahead, and is accepted until as far behind.
        self.order.push_back((now_secs + AHEAD_SECS + FORWARD_CLOCK_SECS, name));
        Freshness::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn name(number: u32) -> ConnectionNonce {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes.into()
    }

    #[test]
    fn a_command_is_taken_once_while_its_time_would_be_accepted() {
        let mut replays = Replays::new(at(10_000));
        // A clock as far ahead as may be.
        assert_eq!(replays.take(at(11_000), 11_002, &name(1)), Freshness::Fresh);
        for secs in [11_000, 11_119, 11_122] {
            assert_eq!(replays.take(at(secs), 11_002, &name(1)), Freshness::Repeated, "{secs}");
        }
        assert_eq!(replays.take(at(11_123), 11_002, &name(1)), Freshness::OtherTime);
        assert!(replays.seen.is_empty(), "what cannot come again is forgotten");
    }

    #[test]
    fn clocks_far_off_and_times_before_the_start_are_told() {
        let mut replays = Replays::new(at(10_000));
        assert_eq!(
            replays.take(at(10_050), 9_999, &name(1)),
            Freshness::OtherTime,
            "the process before may have taken it"
        );
        assert_eq!(replays.take(at(10_200), 10_079, &name(1)), Freshness::OtherTime);
        assert_eq!(replays.take(at(10_200), 10_203, &name(1)), Freshness::OtherTime);
        assert_eq!(replays.take(at(10_200), u64::MAX, &name(1)), Freshness::OtherTime);
        assert_eq!(replays.take(at(10_200), 10_080, &name(1)), Freshness::Fresh);
    }

    #[test]
    fn no_command_is_taken_before_a_restart_and_after_it() {
        for sent in 9_870..10_130 {
            let mut before = Replays::new(at(9_000));
            let was_taken = (9_880..=10_000).any(|now| before.take(at(now), sent, &name(1)) == Freshness::Fresh);
            // The clock shows the same second still.
            let mut after = Replays::new(at(10_000));
            let is_taken = (10_000..=10_250).any(|now| after.take(at(now), sent, &name(1)) == Freshness::Fresh);
            assert!(!(was_taken && is_taken), "{sent}");
        }
    }

    #[test]
    fn who_is_told_the_time_comes_through_with_it() {
        let mut replays = Replays::new(at(10_000));
        for now in 10_000..=10_002 {
            assert_eq!(replays.take(at(now), now, &name(1)), Freshness::TooSoon);
        }
        assert_eq!(replays.take(at(10_003), 10_300, &name(1)), Freshness::OtherTime);
        assert_eq!(replays.take(at(10_003), 10_003, &name(1)), Freshness::Fresh);
    }

    #[test]
    fn memory_is_bounded_and_nothing_slips_through() {
        let mut replays = Replays::new(at(10_000));
        for number in 0..u32::try_from(REMEMBERED_MAX).unwrap() {
            assert_eq!(replays.take(at(10_010), 10_010, &name(number)), Freshness::Fresh);
        }
        assert_eq!(replays.take(at(10_010), 10_010, &name(u32::MAX)), Freshness::TooMany);
        assert_eq!(replays.take(at(10_133), 10_133, &name(u32::MAX)), Freshness::Fresh);
    }
}
