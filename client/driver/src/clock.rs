//! The wall clock, and whether it jumped.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sotto_engine::Timestamp;

/// A difference between the two clocks that is no drift.
const JUMP: Duration = Duration::from_secs(5);

/// Now, by the system's wall clock. A clock before 1970 reads as 1970.
pub(crate) fn now() -> Timestamp {
    Timestamp(millis(SystemTime::now()))
}

/// How long until a time comes, by the wall clock of this moment.
pub(crate) fn until(time: Timestamp) -> Duration {
    Duration::from_millis(time.0.saturating_sub(now().0))
}

/// Compares the wall clock with the one that only runs forward and stands still while the machine sleeps.
#[derive(Debug)]
pub(crate) struct JumpDetector {
    wall: SystemTime,
    steady: Instant,
}

impl JumpDetector {
    pub(crate) fn new() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// Whether the wall clock was set, or the machine slept, since the last call.
    pub(crate) fn jumped(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        differ(self.wall, before.wall + (self.steady - before.steady)) > JUMP
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

    #[test]
    fn a_clock_that_was_set_is_noticed_once() {
        let mut detector = JumpDetector::new();
        assert!(!detector.jumped());
        detector.wall -= Duration::from_secs(3_600);
        assert!(detector.jumped());
        assert!(!detector.jumped());
        detector.wall += Duration::from_secs(3_600);
        assert!(detector.jumped());
    }
}
