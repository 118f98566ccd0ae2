//! Why a relay cannot run from a folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use sotto_outer::AddressError;

use super::keys::hint;

/// Why a folder is not one that a relay can run from. All of it is for the host to mend; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// There is a relay already.
    #[error("{} holds a relay already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("there is no relay in {}; `sotto-relay init` makes one", .0.display())]
    Missing(PathBuf),
    /// A file cannot be read or written.
    #[error("{} cannot be used: {error}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Not TOML, or a value of another kind than its key takes.
    #[error("relay.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key nobody knows.
    #[error("relay.toml has a key `{key}` that is not known; {}", hint(.nearest.as_deref()))]
    UnknownKey {
        /// As written, with its section.
        key: String,
        /// The known one that looks most like it.
        nearest: Option<String>,
    },
    /// A number that a protocol's limit forbids.
    #[error("relay.toml: `{key}` is from {min} to {max}")]
    OutOfRange {
        /// Which key.
        key: &'static str,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// An authority vouches for names alone.
    #[error("with tls = \"acme\", `public` is a name and a port, as \"relay.example:443\"")]
    Acme,
    /// Not one of the words.
    #[error("relay.toml: `admission.kind` is \"open\", \"minted\" or \"oidc\", not \"{0}\"")]
    Admission(String),
    /// A browser gives no cookie that is for TLS alone to such a place.
    #[error(
        "with admission.kind = \"oidc\", browsers need `tls` to be \"own\" or \"acme\"; \"off\" is for this machine and for onion services"
    )]
    JoinWithoutTls,
    /// Others on this machine could read it.
    #[error("{} can be read by all users of this machine; run `chmod 600` on it", .0.display())]
    SecretMode(PathBuf),
    /// Not one of the words.
    #[error("`tls` is \"own\", \"acme\" or \"off\", not \"{0}\"")]
    Tls(String),
    /// A text that is not of its key's kind.
    #[error("relay.toml: `{key}` is {expected}, not \"{found}\"")]
    Value {
        /// Which key.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// `public` does not say where.
    #[error("`public` is HOST:PORT as clients reach this relay: {0}")]
    Public(AddressError),
    /// Listening everywhere does not say under which name.
    #[error("listening on all addresses, the relay cannot know its own name: say it with --public HOST:PORT")]
    PublicMissing,
    /// The key file is not 64 hexadecimal digits.
    #[error("identity.key is damaged; restore it from a backup, for addresses that people hold pin this key")]
    Key,
    /// Others on this machine could read the key.
    #[error(
        "identity.key can be read by other users; run `chmod 600` on it, and think of it as known if they are not trusted"
    )]
    KeyMode,
    /// Others on this machine could look into the folder, and it cannot be taken from them.
    #[error("{} can be looked into by other users, and its mode cannot be changed; give it to the relay's user, and chmod 700 it", .0.display())]
    FolderMode(PathBuf),
    /// Another process runs from this folder.
    #[error("a relay is running from this folder already")]
    Running,
}

impl ConfigError {
    /// What the system says of the file at `path`.
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}

/// A number from 1 to `max`.
pub(super) fn within(key: &'static str, value: u64, max: u64) -> Result<(), ConfigError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { key, min: 1, max }) }
}
