//! `[forward]`: what this relay carries to other relays for its clients.

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::ForwardSettings;

/// `[forward]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Forward {
    pub(super) enabled: bool,
    allow_private: bool,
}

impl Forward {
    pub(super) const fn settings(&self) -> ForwardSettings {
        ForwardSettings { allow_private: self.allow_private }
    }
}

impl Default for Forward {
    fn default() -> Self {
        Self { enabled: true, allow_private: false }
    }
}

impl Section for Forward {
    const KEYS: &'static [&'static str] = &["enabled", "allow_private"];

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn text(&self) -> String {
        let Self { enabled, allow_private } = self;
        format!(
            "# Whether clients may send to other relays through this one, which then does not see what, and the other not who.
enabled = {enabled}
# Also to addresses of private networks and of those this machine is in, and to relays without TLS: for relays within one network
# alone. With it a client can find out what listens in that network.
allow_private = {allow_private}
"
        )
    }
}
