//! The profile's folder: private modes, files replaced whole, and the lock. All that is particular to Unix stands here.
//!
//! ```text
//! profile/            0700 if we make it
//!   lock              held by the one process that has the profile open
//!   store/            0700, appears in one rename, complete
//!     keys            the key slots
//!     database        SQLCipher, with -wal and -shm beside it
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::StoreError;

/// Where things lie in a profile's folder.
pub(crate) struct Layout {
    profile: PathBuf,
}

impl Layout {
    pub(crate) fn of(profile: &Path) -> Self {
        Self { profile: profile.to_owned() }
    }

    /// The finished store.
    pub(crate) fn store(&self) -> PathBuf {
        self.profile.join("store")
    }

    /// A store in the making, which a crash may leave behind.
    pub(crate) fn draft(&self) -> PathBuf {
        self.profile.join("store.new")
    }

    /// Takes the profile for this process until the guard is dropped.
    pub(crate) fn lock(&self) -> Result<LockGuard, StoreError> {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.profile.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(LockGuard { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Puts the finished draft in its place.
    pub(crate) fn publish(&self) -> Result<(), StoreError> {
        sync_folder(&self.draft())?;
        fs::rename(self.draft(), self.store())?;
        sync_folder(&self.profile)?;
        // The profile's own name lies in the folder above, which need not be ours to read.
        let _ = sync_folder(&self.profile.join(".."));
        Ok(())
    }
}

/// The profile is ours while this lives.
pub(crate) struct LockGuard {
    _file: File,
}

/// The key slots' file within a store's folder.
pub(crate) fn keys(store: &Path) -> PathBuf {
    store.join("keys")
}

/// The database within a store's folder.
pub(crate) fn database(store: &Path) -> PathBuf {
    store.join("database")
}

/// Makes a folder, and those above it, for its owner alone; one that is there is left as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes an empty file for its owner alone.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

/// Removes a folder if it is there.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Replaces a file: after a crash it holds the old bytes or the new ones.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
        return written;
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_file(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
