//! A file that holds room on the disk for the day when there is none: SQLite needs room even to delete, and deleting is the way
//! out. When the disk is full the reserve is given up, and nothing new is stored until it could be taken back.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::fcntl::posix_fallocate;

/// Enough to copy a write-ahead log back, and to write another.
const RESERVE_BYTES: i64 = 16 * 1024 * 1024;
/// What `stat` counts in.
const BLOCK_BYTES: u64 = 512;

pub(super) struct Reserve {
    path: PathBuf,
    is_held: bool,
}

impl Reserve {
    /// Takes the room beside a database, or finds it taken. Without it the relay still runs.
    pub(super) fn take(database: &Path) -> Self {
        let mut reserve = Self { path: database.with_extension("db-reserve"), is_held: false };
        if let Err(error) = reserve.retake() {
            tracing::warn!(kind = %error.kind(), "no room on the disk can be reserved; nothing new is stored until it can");
        }
        reserve
    }

    pub(super) const fn is_held(&self) -> bool {
        self.is_held
    }

    pub(super) fn give_up(&mut self) {
        if self.is_held {
            self.is_held = false;
            // Where it cannot be removed it is not the reserve's room that is missing.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Takes the room, all of it or none.
    pub(super) fn retake(&mut self) -> io::Result<()> {
        let held = fs::metadata(&self.path).map_or(0, |held| held.blocks() * BLOCK_BYTES);
        if held >= RESERVE_BYTES.unsigned_abs() {
            self.is_held = true;
            return Ok(());
        }
        let file = File::options().create(true).write(true).truncate(false).open(&self.path)?;
        match posix_fallocate(&file, 0, RESERVE_BYTES) {
            Ok(()) => {
                self.is_held = true;
                Ok(())
            }
            Err(errno) => {
                fs::remove_file(&self.path)?;
                Err(errno.into())
            }
        }
    }
}
