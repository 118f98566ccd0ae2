//! What differs between systems. Linux first; a second system becomes a second module here.

use std::{env, io, os::unix::fs::MetadataExt as _, path::Path, path::PathBuf};

/// Where a profile lies unless told otherwise: `$XDG_DATA_HOME/sotto`, else `~/.local/share/sotto` (XDG Base Directory
/// 0.8). None if the environment names neither.
#[must_use]
pub fn default_profile() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("sotto"))
}

/// The user this process acts for.
#[must_use]
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whether only its owner, who is this user, may read and write what lies at a path.
///
/// # Errors
/// The system's, if there is nothing or it may not be looked at.
pub fn is_private(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    Ok(metadata.uid() == user() && metadata.mode() & 0o077 == 0)
}
