//! What a person sets for this computer, beside the profile: nothing secret. One small file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Light, dark, or as the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The file's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// The theme.
    pub theme: ThemeChoice,
    /// Percent, 80 to 200.
    pub zoom: u16,
    /// No fades.
    pub reduced_motion: bool,
    /// Folders of profiles other than the first.
    pub profiles: Vec<PathBuf>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: ThemeChoice::System, zoom: 100, reduced_motion: false, profiles: Vec::new() }
    }
}
