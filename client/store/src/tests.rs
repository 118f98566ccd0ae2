//! Stories of the whole store, on real files. What needs a process of its own runs this test binary again.

mod durability;
mod keyring;
mod opening;
mod rows;
mod search;
mod secrecy;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tempfile::TempDir;

use crate::{RecoveryKey, Store, Unlock};

/// A fresh profile, and what opens it. A recovery key: unlike a passphrase it costs no time.
struct Profile {
    folder: TempDir,
    unlock: Unlock,
}

impl Profile {
    fn create() -> (Self, Store) {
        let profile =
            Self { folder: tempfile::tempdir().unwrap(), unlock: Unlock::Recovery(RecoveryKey::generate().unwrap()) };
        let store = Store::create(profile.path(), &profile.unlock).unwrap();
        (profile, store)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Store {
        Store::open(self.path(), &self.unlock).unwrap()
    }

    /// Every file's bytes, with its name.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = self.path().join("store").read_dir().unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
    }
}

/// A generator from `SEED`, or from a fresh seed; printed, so that a failure replays.
fn seeded() -> ChaCha20Rng {
    let seed = match env::var("SEED") {
        Ok(seed) => u64::from_str_radix(&seed, 16).unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("SEED={seed:x}");
    ChaCha20Rng::seed_from_u64(seed)
}

/// This binary again, running one test in the role of a child.
fn child(test: &str, profile: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, profile);
    command
}

/// The profile to work on, in the role of a child.
fn child_profile() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

const CHILD: &str = "SOTTO_STORE_TEST_CHILD";

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
