//! `[storage]`: the disk that is kept free.

use serde::Deserialize;

use super::{ConfigError, MIB, section::Section};

/// `[storage]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Storage {
    free_mib_min: u64,
}

impl Storage {
    /// The free bytes below which nothing new is stored.
    pub(super) const fn free_bytes_min(&self) -> u64 {
        self.free_mib_min.saturating_mul(MIB)
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { free_mib_min: 64 }
    }
}

impl Section for Storage {
    const KEYS: &'static [&'static str] = &["free_mib_min"];

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn text(&self) -> String {
        let Self { free_mib_min } = self;
        format!(
            "# With less free space than this on the disk nothing new is stored; what is there is still delivered and deleted.
free_mib_min = {free_mib_min}
"
        )
    }
}
