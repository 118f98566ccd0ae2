//! A relay's folder: its configuration, its key, its database.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use zeroize::Zeroizing;

use super::{Config, ConfigError};
use crate::access::{Identity, Mint};

/// A folder with a relay in it.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("relay.db")
    }

    /// Where a running relay says where it listens.
    pub(crate) fn listening(&self) -> PathBuf {
        self.0.join("listening")
    }

    fn config(&self) -> PathBuf {
        self.0.join("relay.toml")
    }

    fn key(&self) -> PathBuf {
        self.0.join("identity.key")
    }

    /// Whether there is no relay here yet.
    pub(crate) fn check_vacant(&self) -> Result<(), ConfigError> {
        if self.config().exists() || self.key().exists() { Err(ConfigError::Exists(self.0.clone())) } else { Ok(()) }
    }

    /// Makes the folder, for its owner alone, with a configuration and a key. Never touches what is there.
    pub(crate) fn create(&self, config: &str, secret: &[u8; 32]) -> Result<(), ConfigError> {
        self.check_vacant()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(|e| ConfigError::file(&self.0, e))?;
        let hex = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(secret));
        write_new(&self.key(), 0o600, hex.as_bytes())?;
        write_new(&self.config(), 0o644, config.as_bytes())
    }

    /// Takes from everybody but its owner what they may do in a folder that was there before. Says whether they could.
    pub(crate) fn keep_private(&self) -> Result<bool, ConfigError> {
        let metadata = fs::metadata(&self.0).map_err(|error| ConfigError::file(&self.0, error))?;
        let mode = metadata.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(false);
        }
        let private = fs::Permissions::from_mode(mode & 0o700);
        fs::set_permissions(&self.0, private).map_err(|_| ConfigError::FolderMode(self.0.clone()))?;
        Ok(true)
    }

    pub(crate) fn read_config(&self) -> Result<Config, ConfigError> {
        let path = self.config();
        match fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConfigError::Missing(self.0.clone())),
            Err(error) => Err(ConfigError::file(&path, error)),
        }
    }

    pub(crate) fn read_identity(&self) -> Result<Identity, ConfigError> {
        Ok(Identity::from_secret(&*read_secret(&self.key())?))
    }

    /// What signs credentials; made when it is first needed. A key of its own, so that whoever takes it cannot be this relay.
    pub(crate) fn mint(&self) -> Result<Mint, ConfigError> {
        let (path, identity) = (self.0.join("mint.key"), self.read_identity()?);
        if !path.exists() {
            let mut secret = Zeroizing::new([0; 32]);
            UnwrapErr(SysRng).fill_bytes(&mut *secret);
            let hex = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(&*secret));
            write_new(&path, 0o600, hex.as_bytes())?;
        }
        Ok(Mint::from_secret(&*read_secret(&path)?, identity.public()))
    }

    /// Held by the one process that runs from here, until it ends.
    pub(crate) fn lock(&self) -> Result<File, ConfigError> {
        self.try_lock()?.ok_or(ConfigError::Running)
    }

    /// The lock, unless a relay runs from here.
    pub(crate) fn try_lock(&self) -> Result<Option<File>, ConfigError> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| ConfigError::file(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(ConfigError::file(&path, error)),
        }
    }

    /// Replaces a small file in one step.
    pub(crate) fn write_listening(&self, text: &str) -> Result<(), ConfigError> {
        let (path, new) = (self.listening(), self.0.join("listening.new"));
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        written.map_err(|error| ConfigError::file(&path, error))
    }
}

/// 32 bytes in hexadecimal digits, which nobody else on this machine can read.
fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    let mode = fs::metadata(path).map_err(|error| ConfigError::file(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(ConfigError::KeyMode);
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| ConfigError::file(path, error))?);
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| ConfigError::Key)?);
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| ConfigError::Key)
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), ConfigError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| ConfigError::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create("", &[1; 32]).unwrap();
        assert_eq!(data.read_identity().unwrap().public(), Identity::from_secret(&[1; 32]).public());
        assert!(matches!(data.create("", &[2; 32]), Err(ConfigError::Exists(_))));
        fs::set_permissions(data.key(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(data.read_identity(), Err(ConfigError::KeyMode)));
        fs::set_permissions(data.key(), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(data.key(), "0123").unwrap();
        assert!(matches!(data.read_identity(), Err(ConfigError::Key)));
    }

    #[test]
    fn a_folder_that_was_there_before_is_for_its_owner_alone_then() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        for (before, is_changed) in [(0o700, false), (0o755, true), (0o770, true), (0o700, false)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(before)).unwrap();
            assert_eq!(data.keep_private().unwrap(), is_changed);
            assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn one_process_runs_from_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let held = data.lock().unwrap();
        assert!(matches!(data.lock(), Err(ConfigError::Running)));
        drop(held);
        assert!(data.lock().is_ok());
    }
}
