//! A profile's store: making it, opening it, its ways in, its connections.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    Passphrase, Reader, RecoveryKey, SlotKind, StoreError, Transaction, database,
    files::{self, Layout, LockGuard},
    key_file::KeyFile,
    os_keyring,
    secret::{DatabaseKey, random},
    slot::Slot,
};

/// What a profile is created or opened with.
#[derive(Debug)]
pub enum Unlock {
    /// A passphrase. Its slot takes a moment (Argon2id, 64 MiB).
    Passphrase(Passphrase),
    /// The system's keyring, which may ask the person to unlock it; the call waits for that.
    Keyring,
    /// The recovery key.
    Recovery(RecoveryKey),
}

/// A profile that is held and not open: its key is wiped, and its lock still keeps others out.
pub struct LockedStore {
    folder: PathBuf,
    lock: LockGuard,
}

/// An open profile: the connection that writes, and the lock that keeps others out.
pub struct Store {
    // In this order they are dropped: the lock goes last.
    connection: Connection,
    key: DatabaseKey,
    folder: PathBuf,
    _lock: LockGuard,
}

impl Store {
    /// Creates a profile in a folder, which is made if it is not there, and opens it. A crash leaves a whole profile or none.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`], [`StoreError::InUse`], [`StoreError::KeyringUnavailable`], [`StoreError::Full`],
    /// [`StoreError::Io`].
    pub fn create(profile: &Path, unlock: &Unlock) -> Result<Self, StoreError> {
        files::create_folder(profile)?;
        let layout = Layout::of(profile);
        let lock = layout.lock()?;
        if layout.store().try_exists()? {
            return Err(StoreError::AlreadyExists);
        }
        let key = DatabaseKey::new(random()?);
        let slot = unlock.new_slot(&key)?;
        build(&layout, &key, slot).inspect_err(|_| drop(files::remove_folder(&layout.draft())))?;
        Self::assemble(layout.store(), key, lock).map_err(|(_, error)| error)
    }

    /// Opens a profile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::InUse`], the refusals of the slot, [`StoreError::Damaged`],
    /// [`StoreError::WrongVersion`], [`StoreError::Full`], [`StoreError::Io`].
    pub fn open(profile: &Path, unlock: &Unlock) -> Result<Self, StoreError> {
        let layout = Layout::of(profile);
        if !layout.store().try_exists()? {
            return Err(StoreError::NotFound);
        }
        LockedStore { folder: layout.store(), lock: layout.lock()? }.unlock(unlock).map_err(|(_, error)| error)
    }

    /// Closes the database and wipes its key. The profile stays this process's until what is left is dropped.
    #[must_use]
    pub fn lock(self) -> LockedStore {
        let Self { connection, key, folder, _lock: lock } = self;
        drop(connection);
        drop(key);
        LockedStore { folder, lock }
    }

    /// The ways to open a profile, for choosing what to ask the person. Needs no secret and no lock.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Damaged`], [`StoreError::WrongVersion`], [`StoreError::Io`].
    pub fn slots(profile: &Path) -> Result<Vec<SlotKind>, StoreError> {
        let folder = Layout::of(profile).store();
        if !folder.try_exists()? {
            return Err(StoreError::NotFound);
        }
        Ok(KeyFile::read(&folder)?.kinds())
    }

    /// Whether the system's keyring could hold a profile's key. It may ask the person to unlock it; the call waits for that.
    #[must_use]
    pub fn keyring_answers() -> bool {
        os_keyring::answers()
    }

    /// Opens the transaction that writes.
    ///
    /// # Errors
    /// [`StoreError`], if the database cannot be read.
    pub fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        Transaction::begin(&mut self.connection)
    }

    /// A further connection, for reading beside the transactions. Drop it before the store, so that closing can fold in the
    /// write-ahead log.
    ///
    /// # Errors
    /// [`StoreError`], if the database cannot be opened.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Ok(Reader::new(database::open_reader(&self.folder, &self.key)?))
    }

    /// Adds a way in, or replaces the one of its kind. Earlier copies of the key file still open with what they were locked
    /// with.
    ///
    /// # Errors
    /// [`StoreError::KeyringUnavailable`], [`StoreError::Full`], [`StoreError::Io`].
    pub fn add_slot(&mut self, unlock: &Unlock) -> Result<(), StoreError> {
        self.put_slot(unlock.new_slot(&self.key)?)
    }

    /// Removes a way in; never the last.
    ///
    /// # Errors
    /// [`StoreError::LastSlot`], [`StoreError::NoSuchSlot`], [`StoreError::Full`], [`StoreError::Io`].
    pub fn remove_slot(&mut self, kind: SlotKind) -> Result<(), StoreError> {
        let mut keys = KeyFile::read(&self.folder)?;
        let removed = keys.remove(kind)?;
        keys.write(&self.folder)?;
        removed.forget();
        Ok(())
    }

    /// Changes the passphrase for someone who knows the old one.
    ///
    /// # Errors
    /// [`StoreError::WrongPassphrase`], [`StoreError::NoSuchSlot`], [`StoreError::Full`], [`StoreError::Io`].
    pub fn change_passphrase(&mut self, old: &Passphrase, new: &Passphrase) -> Result<(), StoreError> {
        KeyFile::read(&self.folder)?.slot(SlotKind::Passphrase)?.open_with_passphrase(old)?;
        self.put_slot(Slot::for_passphrase(&self.key, new)?)
    }

    /// Draws a recovery key, adds its slot in place of an older one, and gives the key to be shown once.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`].
    pub fn add_recovery_key(&mut self) -> Result<RecoveryKey, StoreError> {
        let recovery = RecoveryKey::generate()?;
        self.put_slot(Slot::for_recovery(&self.key, &recovery)?)?;
        Ok(recovery)
    }

    /// Folds the write-ahead log into the database and empties it, so that what was deleted is gone from the files. With a
    /// snapshot open elsewhere it does what it can.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`].
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// The old slot's keyring entry goes only once the new slot is durable. A new one's stays even if that failed: the file
    /// may hold the slot after all.
    fn put_slot(&mut self, slot: Slot) -> Result<(), StoreError> {
        let mut keys = KeyFile::read(&self.folder)?;
        let replaced = keys.put(slot);
        keys.write(&self.folder)?;
        if let Some(slot) = replaced {
            slot.forget();
        }
        Ok(())
    }

    fn assemble(folder: PathBuf, key: DatabaseKey, lock: LockGuard) -> Result<Self, (LockedStore, StoreError)> {
        let connect = || {
            let connection = database::open_writer(&folder, &key)?;
            database::check_format(&connection)?;
            Ok(connection)
        };
        match connect() {
            Ok(connection) => Ok(Self { connection, key, folder, _lock: lock }),
            Err(error) => Err((LockedStore { folder, lock }, error)),
        }
    }
}

impl LockedStore {
    /// Opens the profile again; on an error it stays locked.
    ///
    /// # Errors
    /// Those of [`Store::open`], beside what is still held.
    pub fn unlock(self, unlock: &Unlock) -> Result<Store, (Self, StoreError)> {
        let Self { folder, lock } = self;
        match KeyFile::read(&folder).and_then(|keys| unlock.open(&keys)) {
            Ok(key) => Store::assemble(folder, key, lock),
            Err(error) => Err((Self { folder, lock }, error)),
        }
    }
}

impl fmt::Debug for LockedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockedStore(..)")
    }
}

#[cfg(test)]
impl Store {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn key(&self) -> &DatabaseKey {
        &self.key
    }

    pub(crate) fn keyring_entry(&self) -> String {
        KeyFile::read(&self.folder).unwrap().slot(SlotKind::Keyring).unwrap().keyring_entry().unwrap()
    }
}

/// Secrets and paths stay inside.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection: _, key, folder: _, _lock: _ } = self;
        f.debug_struct("Store").field("key", key).finish_non_exhaustive()
    }
}

impl Unlock {
    fn new_slot(&self, key: &DatabaseKey) -> Result<Slot, StoreError> {
        match self {
            Self::Passphrase(passphrase) => Slot::for_passphrase(key, passphrase),
            Self::Keyring => Slot::for_keyring(key),
            Self::Recovery(recovery) => Slot::for_recovery(key, recovery),
        }
    }

    fn open(&self, keys: &KeyFile) -> Result<DatabaseKey, StoreError> {
        match self {
            Self::Passphrase(passphrase) => keys.slot(SlotKind::Passphrase)?.open_with_passphrase(passphrase),
            Self::Keyring => keys.slot(SlotKind::Keyring)?.open_with_keyring(),
            Self::Recovery(recovery) => keys.slot(SlotKind::Recovery)?.open_with_recovery(recovery),
        }
    }
}

/// Builds a whole store aside, then puts it in place by one rename.
fn build(layout: &Layout, key: &DatabaseKey, slot: Slot) -> Result<(), StoreError> {
    let draft = layout.draft();
    files::remove_folder(&draft)?;
    files::create_folder(&draft)?;
    database::create(&draft, key)?;
    KeyFile::new(slot).write(&draft)?;
    layout.publish()
}
