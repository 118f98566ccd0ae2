//! Rates, kept in memory: a burst, then one more each interval (the generic cell rate algorithm, ITU-T I.371 annex A).

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// A burst, then one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What may come at once after a long rest. At least 1.
    pub burst: u32,
    /// Milliseconds until one more may come.
    pub interval_millis: u64,
}

/// One party's use of a rate: the time at which its whole burst will be available again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    rested_at: Timestamp,
}

impl Meter {
    /// Takes `count` at once, or nothing.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn take(&mut self, now: Timestamp, rate: Rate, count: u32) -> Result<(), u32> {
        let cost = u64::from(count) * rate.interval_millis;
        let burst = u64::from(rate.burst) * rate.interval_millis;
        // Where the clock was set back, what was used before counts as just used, and not as used in times to come.
        self.rested_at = self.rested_at.clamp(now, now.plus_millis(burst));
        let rested_at = self.rested_at.plus_millis(cost);
        let debt = u64::try_from(rested_at.since(now).as_millis()).unwrap_or(u64::MAX);
        if debt > burst {
            return Err(u32::try_from((debt - burst).div_ceil(1_000)).unwrap_or(u32::MAX));
        }
        self.rested_at = rested_at;
        Ok(())
    }

    fn is_rested(&self, now: Timestamp) -> bool {
        self.rested_at <= now
    }
}

/// The meters of many parties.
#[derive(Debug)]
pub(crate) struct Rates<K>(BTreeMap<K, Meter>);

impl<K: Ord> Rates<K> {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes one for `key`.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn take(&mut self, key: K, now: Timestamp, rate: Rate) -> Result<(), u32> {
        self.0.entry(key).or_default().take(now, rate, 1)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets a party, as one that does not exist.
    pub(crate) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Forgets all whose burst is whole again: forgetting them changes nothing.
    pub(crate) fn forget_idle(&mut self, now: Timestamp) {
        self.0.retain(|_, meter| !meter.is_rested(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 6, interval_millis: 600_000 };

    #[test]
    fn a_burst_then_one_each_interval() {
        let mut meter = Meter::default();
        let start = Timestamp::from_millis(1_000_000);
        for _ in 0..6 {
            assert_eq!(meter.take(start, RATE, 1), Ok(()));
        }
        assert_eq!(meter.take(start, RATE, 1), Err(600));
        assert_eq!(meter.take(start.plus_secs(599), RATE, 1), Err(1));
        assert_eq!(meter.take(start.plus_secs(600), RATE, 1), Ok(()));
        assert_eq!(meter.take(start.plus_secs(600), RATE, 1), Err(600));
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut meter = Meter::default();
        let start = Timestamp::from_millis(0);
        assert_eq!(meter.take(start, RATE, 7), Err(600));
        assert_eq!(meter.take(start, RATE, 6), Ok(()));
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_for_longer() {
        let mut meter = Meter::default();
        let start = Timestamp::from_millis(100 * 86_400_000);
        assert_eq!(meter.take(start, RATE, 1), Ok(()));
        let a_day_before = Timestamp::from_millis(99 * 86_400_000);
        assert_eq!(meter.take(a_day_before, RATE, 1), Err(600));
        assert_eq!(meter.take(a_day_before.plus_secs(600), RATE, 1), Ok(()));
    }

    #[test]
    fn the_rested_are_forgotten() {
        let mut rates = Rates::new();
        let start = Timestamp::from_millis(0);
        assert_eq!(rates.take("alice", start, RATE), Ok(()));
        rates.forget_idle(start.plus_secs(599));
        assert_eq!(rates.0.len(), 1);
        rates.forget_idle(start.plus_secs(600));
        assert_eq!(rates.0.len(), 0);
    }
}
