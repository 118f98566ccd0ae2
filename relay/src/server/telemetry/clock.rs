//! Unix time of instants. It follows the system's clock where that is set, and else runs evenly, so that the parts of a trace
//! that leave apart still fit together.

use std::time::{Duration, Instant};

/// How far the system's clock may be from ours before ours is set by it.
const DRIFT_MAX: Duration = Duration::from_millis(50);

pub(super) struct Clock {
    instant: Instant,
    unix: Duration,
}

impl Clock {
    /// `unix` is the time since 1970-01-01 UTC at `instant`.
    pub(super) const fn new(instant: Instant, unix: Duration) -> Self {
        Self { instant, unix }
    }

    /// Sets it by the system's clock, where the two are apart.
    pub(super) fn follow(&mut self, instant: Instant, unix: Duration) {
        if self.unix(instant).abs_diff(unix) > DRIFT_MAX {
            *self = Self { instant, unix };
        }
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub(super) fn unix_nanos(&self, instant: Instant) -> u128 {
        self.unix(instant).as_nanos()
    }

    fn unix(&self, instant: Instant) -> Duration {
        let before = self.instant.saturating_duration_since(instant);
        (self.unix + instant.saturating_duration_since(self.instant)).saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_runs_evenly_until_the_systems_is_set() {
        let (secs, start) = (Duration::from_secs, Instant::now());
        let mut clock = Clock::new(start, secs(100));
        let now = start + secs(10);
        clock.follow(now, secs(110) + Duration::from_millis(1));
        assert_eq!(clock.unix_nanos(now), secs(110).as_nanos());
        clock.follow(now, secs(50));
        assert_eq!(clock.unix_nanos(now), secs(50).as_nanos());
        assert_eq!(clock.unix_nanos(start), secs(40).as_nanos());
    }
}
