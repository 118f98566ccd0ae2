//! A backup: one file with all that makes a relay this relay, and nothing that waits in it.
//!
//! A tar archive (POSIX.1-1988 ustar), so that it can be looked into without this program. First `manifest.json`: the format,
//! whose it is, and of each part its length and SHA-256; then the parts in that order. In it: the identity key, the
//! configuration, the key of credentials, and of the database mailboxes, bundles without their one-time parts, and what is blocked. Not in it: envelopes,
//! leases, channels, blobs, and all about tokens, see [`crate::storage::sqlite::snapshot`]; nor the keys of two hops, which must
//! outlive nothing, nor the account and certificate of a public authority, which a restored relay gets anew. **Who has it has
//! the relay's identity.**

mod read;
mod write;

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::{read::restore, read::verify, write::write};
use crate::{config::ConfigError, storage::sqlite::DatabaseError};

/// Of backups that this version writes and reads.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
const DATABASE: &str = "relay.db";

/// Files of a relay's folder that a backup holds.
const PARTS: &[PartKind] = &[
    PartKind { name: "identity.key", mode: 0o600, is_needed: true },
    PartKind { name: "relay.toml", mode: 0o644, is_needed: true },
    PartKind { name: "mint.key", mode: 0o600, is_needed: false },
    PartKind { name: DATABASE, mode: 0o600, is_needed: true },
];

/// A file that may be in a backup.
struct PartKind {
    name: &'static str,
    mode: u32,
    /// Without it there is no backup.
    is_needed: bool,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// The version of this program that wrote it.
    pub(crate) program: String,
    /// Seconds since 1970-01-01.
    pub(crate) made_at: u64,
    /// The relay's public key, as in its address.
    pub(crate) identity: String,
    parts: Vec<Part>,
}

/// One file in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    name: String,
    bytes: u64,
    /// In hexadecimal.
    sha256: String,
}

/// Why there is no backup, or none of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// Something has that name.
    #[error("{} is there already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// There is something in the folder.
    #[error("{} is not empty; a relay is restored into a new or empty folder. Nothing was changed", .0.display())]
    NotEmpty(PathBuf),
    /// Not one of ours.
    #[error("{} is no backup of a relay", .0.display())]
    NoBackup(PathBuf),
    /// Of a later version.
    #[error("the backup has format {0}, which this version does not know; use the version that wrote it")]
    Format(u32),
    /// A part is not what the manifest says.
    #[error("the backup is damaged: {0}. Use another one")]
    Damaged(String),
    /// The relay's folder, or the files in the backup.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database, or the one in the backup.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The system.
    #[error("{} cannot be used: {error}; nothing was changed", .path.display())]
    System {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl BackupError {
    fn system(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::System { path, error }
    }

    fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}
