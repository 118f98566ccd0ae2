//! Why the store refused, grouped by whose doing it was. The sentences are for the person at the screen: what happened, what
//! is safe, what to do. None names a path, a key or a content.

use std::io;

use rusqlite::ErrorCode;
use sotto_engine::RowsError;

use crate::SlotKind;

/// Why the store refused. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    // What was asked does not fit what is there.
    /// The folder holds no profile.
    #[error(
        "There is no profile here. Nothing was changed. Check the profile folder, or create a profile with `init`."
    )]
    NotFound,
    /// The folder holds a profile already.
    #[error("There is a profile here already; it was left as it is. Open it, or choose another folder.")]
    AlreadyExists,
    /// Another process, or another handle of this one, holds the profile.
    #[error(
        "This profile is in use by another Sotto process. Your messages are safe. Close the other one, or ask it instead, and try again."
    )]
    InUse,
    /// The passphrase opens no slot, or that slot's secret part was altered.
    #[error(
        "The passphrase is wrong. Nothing was changed. Try again; capital letters and the keyboard's language matter."
    )]
    WrongPassphrase,
    /// The recovery key is well formed but not this profile's, or that slot's secret part was altered.
    #[error("This recovery key belongs to another profile, or to an older key of this one. Nothing was changed.")]
    WrongRecoveryKey,
    /// The profile cannot be opened in the way that was asked for.
    #[error("This profile is not locked with a {0}. Nothing was changed. Open it another way.")]
    NoSuchSlot(SlotKind),
    /// The last key slot was to be removed.
    #[error(
        "This is the only way left to open the profile, so it was kept. Add another way first, then remove this one."
    )]
    LastSlot,

    // The machine's doing.
    /// The system's keyring is not there, locked, or does not answer.
    #[error(
        "The system's keyring does not answer. Your messages are safe. Unlock it and try again, or use a passphrase or the recovery key."
    )]
    KeyringUnavailable,
    /// The system's keyring answers, but has lost this profile's key, or holds another.
    #[error(
        "The system's keyring no longer holds this profile's key. Your messages are safe. Open the profile with the passphrase or the recovery key."
    )]
    KeyringLost,
    /// The disk is full. The transaction was rolled back whole; the store works on once there is room.
    #[error(
        "The disk is full. What was saved before is safe; the last change was not made. Free some space and try again."
    )]
    Full,
    /// The disk failed; the text is the system's, without paths. The transaction was rolled back whole.
    #[error(
        "The disk could not be read or written ({0}). What was saved before is safe. Check the disk, then try again."
    )]
    Io(String),

    // The files' doing.
    /// The key file or the database is not as it was written.
    #[error(
        "The profile is damaged: {0}. Nothing was changed. Keep a copy of the folder before anything else, and restore a backup if there is one."
    )]
    Damaged(&'static str),
    /// A passphrase slot asks for less work than the floor allows: somebody changed the key file.
    #[error(
        "The key file asks for less protection than Sotto ever writes: somebody may have changed it. The passphrase was not used. Restore the key file from a backup, or use the recovery key."
    )]
    WeakSlot,
    /// The profile has another format.
    #[error(
        "This profile has format {found}; this Sotto reads format {expected}. Nothing was changed. Use the version of Sotto that wrote it."
    )]
    WrongVersion {
        /// The format of the files.
        found: i64,
        /// The format of this build.
        expected: i64,
    },

    // The caller's and the build's doing.
    /// An earlier call in this transaction failed; it can only be rolled back, by dropping it.
    #[error(
        "An earlier step of this change failed, so none of it was saved. What was saved before is safe. Try again."
    )]
    Failed,
    /// This build's SQLite cannot encrypt; nothing was written with it.
    #[error("This build of Sotto cannot encrypt its database, so it wrote nothing. Install a complete build.")]
    NoCipher,
}

impl StoreError {
    /// A word for logs and for programs; it stays the same between versions.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::InUse => "in_use",
            Self::WrongPassphrase => "wrong_passphrase",
            Self::WrongRecoveryKey => "wrong_recovery_key",
            Self::NoSuchSlot(_) => "no_such_slot",
            Self::LastSlot => "last_slot",
            Self::KeyringUnavailable => "keyring_unavailable",
            Self::KeyringLost => "keyring_lost",
            Self::Full => "disk_full",
            Self::Io(_) => "io",
            Self::Damaged(_) => "damaged",
            Self::WeakSlot => "weak_slot",
            Self::WrongVersion { .. } => "wrong_version",
            Self::Failed => "failed",
            Self::NoCipher => "no_cipher",
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Io(kind.to_string()),
        }
    }
}

/// SQLite's own messages can hold a path, so the code speaks instead.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error() else {
            return Self::Damaged("a row has another shape than was written");
        };
        match code.code {
            ErrorCode::DiskFull => Self::Full,
            // The index of the write-ahead log could not grow: of its causes only a full disk is not a programming error.
            _ if code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
                Self::Damaged("the database is not as it was written")
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse,
            _ => Self::Io(code.to_string()),
        }
    }
}

impl From<StoreError> for RowsError {
    fn from(error: StoreError) -> Self {
        Self(error.kind().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_failing_one() {
        assert!(matches!(StoreError::from(io::Error::from(io::ErrorKind::StorageFull)), StoreError::Full));
        let StoreError::Io(text) = StoreError::from(io::Error::new(io::ErrorKind::NotFound, "/home/alice/profile"))
        else {
            panic!("a missing file is not a full disk");
        };
        assert!(!text.contains("alice"), "{text}");
    }
}
