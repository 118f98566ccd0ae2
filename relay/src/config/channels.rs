//! `[channels]`: how much is kept of groups' logs.

use serde::Deserialize;

use super::{ConfigError, MIB, error::within, section::Section};
use crate::storage::channel::ChannelQuota;

/// The most that `gib_max` can say.
const GIB_MAX: u64 = 1024 * 1024;

/// `[channels]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Channels {
    gib_max: u64,
}

impl Channels {
    /// As the core takes it.
    pub(super) fn quota(&self) -> ChannelQuota {
        ChannelQuota { all_bytes_max: self.gib_max * 1024 * MIB, ..ChannelQuota::default() }
    }
}

impl Default for Channels {
    fn default() -> Self {
        Self { gib_max: 4 }
    }
}

impl Section for Channels {
    const KEYS: &'static [&'static str] = &["gib_max"];

    fn check(&self) -> Result<(), ConfigError> {
        within("channels.gib_max", self.gib_max, GIB_MAX)
    }

    fn text(&self) -> String {
        let Self { gib_max } = self;
        format!(
            "# Groups' logs that are kept, of all channels together, in GiB: they lie in the database. One channel holds 256 MiB at most.
gib_max = {gib_max}
"
        )
    }
}
