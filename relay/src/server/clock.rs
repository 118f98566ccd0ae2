//! The system's clock: the one place where the relay reads it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::time::Timestamp;

/// A clock that a test may make jump, as a host's clock does.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds between the system's clock and this one.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(millis.saturating_add_signed(self.ahead.load(Ordering::Relaxed)))
    }

    /// Sets it forward, or back, by milliseconds.
    pub fn jump(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }
}

/// The system's time, for what stands beside the rules.
pub(super) fn now() -> Timestamp {
    Clock::default().now()
}
