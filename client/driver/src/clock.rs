//! The wall clock, and whether it jumped or the machine slept.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sotto_engine::Timestamp;

/// The longest pause between two looks at the clocks while nothing happens: so late is a sleep noticed.
pub(crate) const NAP: Duration = Duration::from_secs(5);
/// A difference between the two clocks that is no drift.
const JUMP: Duration = Duration::from_secs(5);
/// Nobody here pauses for so long: where the steady clock runs on during a sleep, this tells of it.
const GAP: Duration = Duration::from_secs(45);

/// Now, by the system's wall clock. A clock before 1970 reads as 1970.
pub(crate) fn now() -> Timestamp {
    Timestamp(millis(SystemTime::now()))
}

/// How long until a time comes, by the wall clock of this moment.
pub(crate) fn until(time: Timestamp) -> Duration {
    Duration::from_millis(time.0.saturating_sub(now().0))
}

/// What both clocks read at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    wall: SystemTime,
    steady: Instant,
}

impl Reading {
    pub(crate) fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// Compares the wall clock with the one that only runs forward, and on Linux stands still while the machine sleeps.
#[derive(Debug)]
pub(crate) struct JumpDetector {
    last: Reading,
}

impl JumpDetector {
    pub(crate) fn new(now: Reading) -> Self {
        Self { last: now }
    }

    /// Whether the wall clock was set, or the machine slept, since the last call.
    pub(crate) fn jumped(&mut self, now: Reading) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        let passed = now.steady.saturating_duration_since(before.steady);
        passed > GAP || differ(now.wall, before.wall + passed) > JUMP
    }
}

fn differ(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// A detector, and clocks that run as they are told.
    struct Bench {
        detector: JumpDetector,
        clocks: Reading,
    }

    impl Bench {
        fn new() -> Self {
            let clocks = Reading { wall: UNIX_EPOCH + 400_000 * HOUR, steady: Instant::now() };
            Self { detector: JumpDetector::new(clocks), clocks }
        }

        fn jumped_after(&mut self, wall: Duration, steady: Duration) -> bool {
            self.clocks = Reading { wall: self.clocks.wall + wall, steady: self.clocks.steady + steady };
            self.detector.jumped(self.clocks)
        }
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_once() {
        let mut bench = Bench::new();
        assert!(!bench.jumped_after(NAP, NAP));
        assert!(bench.jumped_after(HOUR, NAP), "forward");
        assert!(!bench.jumped_after(NAP, NAP));
        bench.clocks.wall -= HOUR;
        assert!(bench.jumped_after(NAP, NAP), "backward");
        assert!(!bench.jumped_after(NAP, NAP));
    }

    #[test]
    fn a_sleep_is_noticed_whether_or_not_the_steady_clock_slept_too() {
        let mut bench = Bench::new();
        assert!(bench.jumped_after(HOUR + NAP, NAP), "it stood still");
        assert!(bench.jumped_after(HOUR + NAP, HOUR + NAP), "it ran on");
        assert!(!bench.jumped_after(NAP, NAP));
    }

    #[test]
    fn drift_and_a_long_turn_are_no_jump() {
        let mut bench = Bench::new();
        assert!(!bench.jumped_after(NAP + 4 * SECOND, NAP));
        assert!(!bench.jumped_after(30 * SECOND, 30 * SECOND));
    }
}
