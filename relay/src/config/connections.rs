//! `[connections]`: how many clients at a time.

use serde::Deserialize;

use super::{ConfigError, section::Section};

/// `[connections]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Connections {
    max: usize,
}

impl Connections {
    /// Connections at a time; none: what open files allow.
    pub(super) fn max(&self) -> Option<usize> {
        (self.max > 0).then_some(self.max)
    }
}

impl Section for Connections {
    const KEYS: &'static [&'static str] = &["max"];

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn text(&self) -> String {
        let Self { max } = self;
        format!(
            "# Connections at a time; beyond, they are closed at once. 0: as many as files may be open (`ulimit -Hn`), less 256.
max = {max}
"
        )
    }
}
