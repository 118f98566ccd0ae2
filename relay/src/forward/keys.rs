//! The keys to which commands from other relays are sealed: one a week, drawn at random, kept in a file of their own until the
//! week after it has ended. Whoever copies the relay later finds no key for what was carried before.
//!
//! The file: for each key its week (4 bytes, big-endian) and its seed (32 bytes). It is in no backup: a relay without it draws
//! new keys, and clients ask for them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ed25519_dalek::Signer;
use hpke::{Deserializable, Kem, Serializable, kem::XWing};
use rand_core::CryptoRng;
use sotto_outer::{ForwardKey, OwnerSignature, limits::FORWARD_KEY_BYTES};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{access::Identity, time::Timestamp};

const SEED_BYTES: usize = 32;
const ROW_BYTES: usize = 4 + SEED_BYTES;
const WEEK_MILLIS: u64 = 7 * 86_400_000;

/// Why the keys cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("the file of forward keys cannot be used: {0}; nothing was changed")]
    File(#[from] io::Error),
    /// It is not such a file.
    #[error("the file of forward keys is damaged; delete it, and clients will ask for the new key")]
    Damaged,
}

/// The keys of this week and the last.
#[derive(Clone, Debug)]
pub(crate) struct ForwardKeys {
    /// None keeps them in memory alone.
    file: Option<PathBuf>,
    keys: Vec<WeekKey>,
    /// The newest one, as it is told.
    signed: Option<ForwardKey>,
}

/// The seed of one week's key; in a place of its own, so that no list leaves copies of it behind.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct WeekKey {
    #[zeroize(skip)]
    week: u32,
    seed: Box<[u8; SEED_BYTES]>,
}

/// The week a time lies in, counted from 1970-01-01.
pub(crate) fn week(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / WEEK_MILLIS).unwrap_or(u32::MAX)
}

/// Whether a key of this week opens anything now.
fn is_due(of: u32, now: Timestamp) -> bool {
    of.abs_diff(week(now)) <= 1
}

impl ForwardKeys {
    /// Reads the file, if there is one, and forgets whose time was over while nobody ran.
    ///
    /// # Errors
    /// [`KeysError`].
    pub(crate) fn open(file: Option<PathBuf>, now: Timestamp) -> Result<Self, KeysError> {
        let keys = match &file {
            Some(path) => read(path)?,
            None => vec![],
        };
        let mut keys = Self { file, keys, signed: None };
        keys.forget(now)?;
        Ok(keys)
    }

    /// Forgets the keys of weeks long over, in the file too.
    ///
    /// # Errors
    /// [`KeysError::File`].
    pub(crate) fn forget(&mut self, now: Timestamp) -> Result<(), KeysError> {
        self.keys.retain(|key| is_due(key.week, now));
        if self.is_written() { Ok(()) } else { self.write() }
    }

    /// The key of this week as it was told before.
    pub(crate) fn signed(&self, now: Timestamp) -> Option<&ForwardKey> {
        self.signed.as_ref().filter(|key| key.week == week(now))
    }

    /// The key of this week, signed: drawn and kept if it is not there.
    ///
    /// # Errors
    /// [`KeysError::File`]: no key is told that is not kept.
    pub(crate) fn current(
        &mut self,
        identity: &Identity,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<ForwardKey, KeysError> {
        let week = week(now);
        if !self.keys.iter().any(|key| key.week == week) {
            let mut seed = Box::new([0; SEED_BYTES]);
            rng.fill_bytes(&mut *seed);
            self.keys.push(WeekKey { week, seed });
        }
        self.forget(now)?;
        let key = self.keys.iter().find(|key| key.week == week).expect("it was just made");
        let public = XWing::sk_to_pk(&key.expand()).to_bytes();
        let key = <[u8; FORWARD_KEY_BYTES]>::try_from(&public[..]).expect("X-Wing fixes the length");
        let signature = identity.signing_key().sign(&ForwardKey::signed(identity.public(), week, &key));
        let key = ForwardKey { week, key: key.into(), signature: OwnerSignature::from(signature.to_bytes()) };
        self.signed = Some(key.clone());
        Ok(key)
    }

    /// The key of a week, while it opens anything.
    pub(crate) fn of(&self, week: u32, now: Timestamp) -> Option<WeekKey> {
        self.keys.iter().find(|key| key.week == week && is_due(week, now)).cloned()
    }

    fn is_written(&self) -> bool {
        let Some(path) = &self.file else { return true };
        let expected = u64::try_from(self.keys.len() * ROW_BYTES).expect("a few keys");
        fs::metadata(path).map_or(self.keys.is_empty(), |file| file.len() == expected)
    }

    fn write(&self) -> Result<(), KeysError> {
        let Some(path) = &self.file else { return Ok(()) };
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.keys.len() * ROW_BYTES));
        for key in &self.keys {
            bytes.extend_from_slice(&key.week.to_be_bytes());
            bytes.extend_from_slice(key.seed.as_slice());
        }
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // Until the folder is synced a crash could bring back the file before, with keys that were forgotten.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    }
}

impl WeekKey {
    /// The private key itself.
    pub(super) fn expand(&self) -> <XWing as Kem>::PrivateKey {
        <XWing as Kem>::PrivateKey::from_bytes(&*self.seed).expect("32 bytes: the type fixes the length")
    }
}

impl core::fmt::Debug for WeekKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { week, seed: _ } = self;
        f.debug_struct("WeekKey").field("week", week).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<WeekKey>, KeysError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(error.into()),
    };
    let (rows, []) = bytes.as_chunks::<ROW_BYTES>() else { return Err(KeysError::Damaged) };
    let key = |row: &[u8; ROW_BYTES]| {
        let (week, seed) = row.split_first_chunk::<4>()?;
        Some(WeekKey { week: u32::from_be_bytes(*week), seed: Box::new(seed.try_into().ok()?) })
    };
    rows.iter().map(key).collect::<Option<_>>().ok_or(KeysError::Damaged)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, VerifyingKey};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn weeks(count: u64) -> Timestamp {
        Timestamp::from_millis(3_000 * WEEK_MILLIS + count * WEEK_MILLIS + 5)
    }

    fn relay() -> Identity {
        Identity::from_secret(&[1; 32])
    }

    fn rng(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    fn none() -> ForwardKeys {
        ForwardKeys::open(None, weeks(0)).unwrap()
    }

    fn opened(path: &Path, now: Timestamp) -> Result<ForwardKeys, KeysError> {
        ForwardKeys::open(Some(path.to_owned()), now)
    }

    #[test]
    fn the_key_of_a_week_stays_and_is_signed() {
        let mut keys = none();
        let first = keys.current(&relay(), weeks(0), &mut rng(1)).unwrap();
        assert_eq!(keys.current(&relay(), weeks(0), &mut rng(2)).unwrap(), first);
        let key = VerifyingKey::from_bytes(relay().public().as_bytes()).unwrap();
        let signed = ForwardKey::signed(relay().public(), first.week, &first.key);
        let signature = Signature::from_bytes(first.signature.as_bytes());
        assert!(key.verify_strict(&signed, &signature).is_ok());
    }

    #[test]
    fn a_key_opens_in_its_week_and_the_next_and_is_gone_after() {
        let mut keys = none();
        let first = keys.current(&relay(), weeks(0), &mut rng(1)).unwrap().week;
        let second = keys.current(&relay(), weeks(1), &mut rng(2)).unwrap().week;
        assert!(keys.of(first, weeks(1)).is_some() && keys.of(second, weeks(1)).is_some());
        keys.current(&relay(), weeks(2), &mut rng(3)).unwrap();
        assert!(keys.of(first, weeks(2)).is_none());
        assert_eq!(keys.keys.len(), 2, "and what is not asked for is not kept");
    }

    #[test]
    fn a_restart_finds_the_key_and_others_do_not_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("forward.keys");
        let first = opened(&path, weeks(0)).unwrap().current(&relay(), weeks(0), &mut rng(1)).unwrap();
        let again = opened(&path, weeks(0)).unwrap().current(&relay(), weeks(0), &mut rng(2)).unwrap();
        assert_eq!(again, first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, [0; ROW_BYTES + 1]).unwrap();
        assert!(matches!(opened(&path, weeks(0)), Err(KeysError::Damaged)));
    }

    #[test]
    fn the_keys_of_weeks_long_over_are_in_no_file_though_nobody_asks_for_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("forward.keys");
        opened(&path, weeks(0)).unwrap().current(&relay(), weeks(0), &mut rng(1)).unwrap();
        let mut keys = opened(&path, weeks(1)).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), ROW_BYTES, "it opens in the next week");
        keys.forget(weeks(2)).unwrap();
        assert!(keys.keys.is_empty() && fs::read(&path).unwrap().is_empty());
        keys.current(&relay(), weeks(2), &mut rng(2)).unwrap();
        opened(&path, weeks(9)).unwrap();
        assert!(fs::read(&path).unwrap().is_empty(), "its time was over while no relay ran");
    }

    #[test]
    fn no_seed_is_printed() {
        let mut keys = none();
        keys.current(&relay(), weeks(0), &mut rng(1)).unwrap();
        assert_eq!(format!("{:?}", keys.keys), "[WeekKey { week: 3000, .. }]");
    }
}
