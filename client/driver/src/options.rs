//! What a client is opened with.

use std::path::PathBuf;

/// Where the profile lies, and whether relays are dialled.
#[derive(Clone, Debug)]
pub struct Options {
    /// The profile's folder.
    pub profile: PathBuf,
    /// Whether relays are dialled. Without, what is sent waits for the next time.
    pub network: bool,
}
