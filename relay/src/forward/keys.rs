//! The keys to which commands from other relays are sealed: one a week, drawn at random, kept in a file of their own until the
//! week after it has ended. Whoever copies the relay later finds no key for what was carried before.
//!
//! The file: for each key its week (4 bytes, big-endian) and its seed (32 bytes). It is in no backup: a relay without it draws
//! new keys, and clients ask for them.

use std::{
    fs::{self, OpenOptions},
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
#[derive(Debug)]
pub(crate) struct ForwardKeys {
    /// None keeps them in memory alone.
    file: Option<PathBuf>,
    keys: Vec<WeekKey>,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct WeekKey {
    #[zeroize(skip)]
    week: u32,
    seed: [u8; SEED_BYTES],
}

/// The week a time lies in, counted from 1970-01-01.
pub(crate) fn week(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / WEEK_MILLIS).unwrap_or(u32::MAX)
}

impl ForwardKeys {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// [`KeysError`].
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self, KeysError> {
        let keys = match &file {
            Some(path) => read(path)?,
            None => vec![],
        };
        Ok(Self { file, keys })
    }

    /// The key of this week, signed: drawn and kept if it is not there, while those of weeks long over are forgotten.
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
            let mut seed = [0; SEED_BYTES];
            rng.fill_bytes(&mut seed);
            self.keys.push(WeekKey { week, seed });
            seed.zeroize();
        }
        let is_due = |key: &WeekKey| key.week.abs_diff(week) <= 1;
        if !self.keys.iter().all(is_due) || !self.is_written() {
            self.keys.retain(is_due);
            self.write()?;
        }
        let key = self.keys.iter().find(|key| key.week == week).expect("it was just made");
        let public = XWing::sk_to_pk(&key.expand()).to_bytes();
        let key = <[u8; FORWARD_KEY_BYTES]>::try_from(&public[..]).expect("X-Wing fixes the length");
        let signature = identity.signing_key().sign(&ForwardKey::signed(identity.public(), week, &key));
        Ok(ForwardKey { week, key: key.into(), signature: OwnerSignature::from(signature.to_bytes()) })
    }

    /// The private key of a week, while it opens anything.
    pub(super) fn private(&self, of: u32, now: Timestamp) -> Option<<XWing as Kem>::PrivateKey> {
        let is_open = of.abs_diff(week(now)) <= 1;
        self.keys.iter().find(|key| key.week == of && is_open).map(WeekKey::expand)
    }

    fn is_written(&self) -> bool {
        let Some(path) = &self.file else { return true };
        let expected = u64::try_from(self.keys.len() * ROW_BYTES).expect("a few keys");
        fs::metadata(path).is_ok_and(|file| file.len() == expected)
    }

    fn write(&self) -> Result<(), KeysError> {
        let Some(path) = &self.file else { return Ok(()) };
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.keys.len() * ROW_BYTES));
        for key in &self.keys {
            bytes.extend_from_slice(&key.week.to_be_bytes());
            bytes.extend_from_slice(&key.seed);
        }
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(())
    }
}

impl WeekKey {
    fn expand(&self) -> <XWing as Kem>::PrivateKey {
        <XWing as Kem>::PrivateKey::from_bytes(&self.seed).expect("32 bytes: the type fixes the length")
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
        Some(WeekKey { week: u32::from_be_bytes(*week), seed: seed.try_into().ok()? })
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

    #[test]
    fn the_key_of_a_week_stays_and_is_signed() {
        let mut keys = ForwardKeys::open(None).unwrap();
        let first = keys.current(&relay(), weeks(0), &mut rng(1)).unwrap();
        assert_eq!(keys.current(&relay(), weeks(0), &mut rng(2)).unwrap(), first);
        let key = VerifyingKey::from_bytes(relay().public().as_bytes()).unwrap();
        let signed = ForwardKey::signed(relay().public(), first.week, &first.key);
        let signature = Signature::from_bytes(first.signature.as_bytes());
        assert!(key.verify_strict(&signed, &signature).is_ok());
    }

    #[test]
    fn a_key_opens_in_its_week_and_the_next_and_is_gone_after() {
        let mut keys = ForwardKeys::open(None).unwrap();
        let first = keys.current(&relay(), weeks(0), &mut rng(1)).unwrap().week;
        let second = keys.current(&relay(), weeks(1), &mut rng(2)).unwrap().week;
        assert!(keys.private(first, weeks(1)).is_some() && keys.private(second, weeks(1)).is_some());
        keys.current(&relay(), weeks(2), &mut rng(3)).unwrap();
        assert!(keys.private(first, weeks(2)).is_none());
        assert_eq!(keys.keys.len(), 2, "and what is not asked for is not kept");
    }

    #[test]
    fn a_restart_finds_the_key_and_others_do_not_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("forward.keys");
        let first = ForwardKeys::open(Some(path.clone())).unwrap().current(&relay(), weeks(0), &mut rng(1)).unwrap();
        let again = ForwardKeys::open(Some(path.clone())).unwrap().current(&relay(), weeks(0), &mut rng(2)).unwrap();
        assert_eq!(again, first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, [0; ROW_BYTES + 1]).unwrap();
        assert!(matches!(ForwardKeys::open(Some(path)), Err(KeysError::Damaged)));
    }

    #[test]
    fn no_seed_is_printed() {
        let mut keys = ForwardKeys::open(None).unwrap();
        keys.current(&relay(), weeks(0), &mut rng(1)).unwrap();
        assert_eq!(format!("{:?}", keys.keys), "[WeekKey { week: 3000, .. }]");
    }
}
