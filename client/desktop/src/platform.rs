//! What differs between systems: where things lie. Linux first; a second system becomes a second module here.

use std::{env, path::PathBuf};

/// Where this computer's preferences lie: `$XDG_CONFIG_HOME/sotto/desktop.toml`, else below `~/.config` (XDG Base
/// Directory 0.8). None if the environment names neither.
#[must_use]
pub fn preferences() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("sotto/desktop.toml"))
}
