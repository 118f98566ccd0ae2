//! What the backend begins with: places, what the command line proposed, and how a person is told of something.

use std::{path::PathBuf, sync::Arc};

use sotto_driver::ProxyAddress;

use super::notify::Notification;
use crate::action::SecretText;

/// Shows a notification, or takes the last one away where there is nothing to tell.
pub type Notifier = Arc<dyn Fn(Option<Notification>) + Send + Sync>;

/// Where to begin.
#[derive(Clone)]
pub struct Setup {
    /// The profile's folder; it need not be there yet.
    pub profile: PathBuf,
    /// The folder in which further profiles are made.
    pub profiles: PathBuf,
    /// The preferences' file; without one, nothing is kept.
    pub preferences: Option<PathBuf>,
    /// The relay proposed to a new profile.
    pub relay: Option<String>,
    /// The proxy through which the profile at hand is reached from its first connection on; it is proposed to new ones.
    pub proxy: Option<ProxyAddress>,
    /// A link that was opened with the program.
    pub link: Option<String>,
    /// What opens the profile without asking.
    pub passphrase: Option<SecretText>,
    /// Whether relays are dialled.
    pub network: bool,
    /// Whether the system's keyring is asked at all.
    pub keyring: bool,
    /// How a person who looks elsewhere is told.
    pub notifier: Notifier,
}

impl Setup {
    /// A profile in a folder, speaking to its relays, telling nobody.
    #[must_use]
    pub fn new(profile: PathBuf) -> Self {
        let profiles = profile.parent().map_or_else(|| profile.clone(), |parent| parent.join("sotto-profiles"));
        Self {
            profile,
            profiles,
            preferences: None,
            relay: None,
            proxy: None,
            link: None,
            passphrase: None,
            network: true,
            keyring: true,
            notifier: Arc::new(drop),
        }
    }
}
