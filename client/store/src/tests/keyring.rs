//! The slot in the system's keyring: with a keyring, with one that lost the key, without any. Each in a child whose session
//! bus is not the person's, so that no real keyring is touched.

use std::{path::Path, process::Command};

use keyring::v1::Entry;
use sotto_engine::{Rows as _, Table};

use super::{child, child_profile};
use crate::{RecoveryKey, SlotKind, Store, StoreError, Unlock};

#[test]
fn without_a_keyring_the_refusal_is_clean_and_nothing_is_made() {
    if let Some(path) = child_profile() {
        assert!(matches!(Store::create(&path, &Unlock::Keyring), Err(StoreError::KeyringUnavailable)));
        assert!(matches!(Store::slots(&path), Err(StoreError::NotFound)));
        let mut store = Store::create(&path, &Unlock::Recovery(RecoveryKey::generate().unwrap())).unwrap();
        assert!(matches!(store.add_slot(&Unlock::Keyring), Err(StoreError::KeyringUnavailable)));
        assert_eq!(Store::slots(&path).unwrap(), [SlotKind::Recovery]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "tests::keyring::without_a_keyring_the_refusal_is_clean_and_nothing_is_made";
    let mut child = child(name, folder.path());
    let status = child.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus").status().unwrap();
    assert!(status.success());
}

/// Where no bus or no GNOME keyring is installed, this is not tried.
#[test]
fn a_keyring_opens_the_profile_until_it_loses_the_key() {
    if let Some(path) = child_profile() {
        return open_by_keyring(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let tools = ["dbus-run-session", "gnome-keyring-daemon"];
    if !tools.iter().all(|tool| Command::new(tool).arg("--version").output().is_ok()) {
        eprintln!("no keyring to start here: opening by keyring was not tried");
        return;
    }
    let child = child("tests::keyring::a_keyring_opens_the_profile_until_it_loses_the_key", folder.path());
    assert!(with_keyring(folder.path(), &child).status().unwrap().success());
}

fn open_by_keyring(path: &Path) {
    let profile = path.join("profile");
    let mut store = Store::create(&profile, &Unlock::Keyring).unwrap();
    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"key", Some(b"value")).unwrap();
    let _proof = transaction.commit().unwrap();
    drop(store);

    let mut store = Store::open(&profile, &Unlock::Keyring).unwrap();
    assert!(store.begin().unwrap().get(Table::Meta, b"key").unwrap().is_some());
    store.add_slot(&Unlock::Keyring).unwrap();
    let recovery = store.add_recovery_key().unwrap();
    drop(store);

    let store = Store::open(&profile, &Unlock::Keyring).unwrap();
    let entry = Entry::new("sotto", &store.keyring_entry()).unwrap();
    drop(store);
    entry.delete_credential().unwrap();
    assert!(matches!(Store::open(&profile, &Unlock::Keyring), Err(StoreError::KeyringLost)));
    entry.set_secret(&[0; 32]).unwrap();
    assert!(matches!(Store::open(&profile, &Unlock::Keyring), Err(StoreError::KeyringLost)));

    let mut store = Store::open(&profile, &Unlock::Recovery(recovery)).unwrap();
    store.remove_slot(SlotKind::Keyring).unwrap();
    assert!(entry.get_secret().is_err(), "a removed slot leaves nothing in the keyring");
}

/// The command, beside a session bus and an unlocked keyring of its own, whose files lie in `home`.
fn with_keyring(home: &Path, inner: &Command) -> Command {
    let mut command = Command::new("dbus-run-session");
    let start = "printf words | gnome-keyring-daemon --unlock --components=secrets >\"$HOME/started\" && exec \"$@\"";
    command.args(["--", "sh", "-c", start, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for name in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, home);
    }
    command
}
