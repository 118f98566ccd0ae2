//! `[connections]`: how many clients at a time.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::server::PING_EVERY;

/// More often is a burden.
const PING_SECS_MIN: u64 = 10;
/// More seldom lets the dead stay.
const PING_SECS_MAX: u64 = 3_600;

/// `[connections]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Connections {
    max: usize,
    ping_secs: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self { max: 0, ping_secs: PING_EVERY.as_secs() }
    }
}

impl Connections {
    /// Connections at a time; none: what open files allow.
    pub(super) fn max(&self) -> Option<usize> {
        (self.max > 0).then_some(self.max)
    }

    /// How often a quiet client is asked whether it is still there.
    pub(super) const fn ping_every(&self) -> Duration {
        Duration::from_secs(self.ping_secs)
    }
}

impl Section for Connections {
    const KEYS: &'static [&'static str] = &["max", "ping_secs"];

    fn check(&self) -> Result<(), ConfigError> {
        let found = self.ping_secs;
        if (PING_SECS_MIN..=PING_SECS_MAX).contains(&found) {
            return Ok(());
        }
        let (key, expected) = ("connections.ping_secs", "from 10 to 3600");
        Err(ConfigError::Value { key, expected, found: found.to_string() })
    }

    fn text(&self) -> String {
        let Self { max, ping_secs } = self;
        format!(
            "# Connections at a time; beyond, they are closed at once. 0: as many as files may be open (`ulimit -Hn`), less 256.
max = {max}
# Seconds after which a quiet client is asked whether it is still there. The system asks its system each minute or two anyway, which
# holds paths open. Lower it below what a proxy before the relay bears of quiet: each ping costs some CPU.
ping_secs = {ping_secs}
"
        )
    }
}
