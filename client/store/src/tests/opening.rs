//! Making and opening a profile, its slots, and everything that must not open.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rusqlite::{Connection, types::Value};
use sotto_engine::{Order, Range, Rows as _, Table};

use super::{Profile, child, child_profile};
use crate::{Passphrase, RecoveryKey, SlotKind, Store, StoreError, Unlock, table};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.into())
}

#[test]
fn a_passphrase_opens_and_another_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::create(folder.path(), &Unlock::Passphrase(passphrase("right"))).unwrap());
    let refusal = Store::open(folder.path(), &Unlock::Passphrase(passphrase("wrong"))).unwrap_err();
    assert!(matches!(refusal, StoreError::WrongPassphrase));
    Store::open(folder.path(), &Unlock::Passphrase(passphrase("right"))).unwrap();
}

#[test]
fn a_changed_passphrase_opens_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), &Unlock::Passphrase(passphrase("old"))).unwrap();
    let refusal = store.change_passphrase(&passphrase("wrong"), &passphrase("new"));
    assert!(matches!(refusal, Err(StoreError::WrongPassphrase)));
    store.change_passphrase(&passphrase("old"), &passphrase("new")).unwrap();
    drop(store);
    let refusal = Store::open(folder.path(), &Unlock::Passphrase(passphrase("old"))).unwrap_err();
    assert!(matches!(refusal, StoreError::WrongPassphrase));
    Store::open(folder.path(), &Unlock::Passphrase(passphrase("new"))).unwrap();
}

#[test]
fn slots_come_and_go_but_the_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), &Unlock::Passphrase(passphrase("words"))).unwrap();
    assert!(matches!(store.remove_slot(SlotKind::Passphrase), Err(StoreError::LastSlot)));
    let recovery = store.add_recovery_key().unwrap();
    assert_eq!(Store::slots(folder.path()).unwrap(), [SlotKind::Passphrase, SlotKind::Recovery]);
    store.remove_slot(SlotKind::Passphrase).unwrap();
    assert!(matches!(store.remove_slot(SlotKind::Passphrase), Err(StoreError::NoSuchSlot(SlotKind::Passphrase))));
    assert!(matches!(store.remove_slot(SlotKind::Recovery), Err(StoreError::LastSlot)));
    drop(store);

    let refusal = Store::open(folder.path(), &Unlock::Passphrase(passphrase("words"))).unwrap_err();
    assert!(matches!(refusal, StoreError::NoSuchSlot(SlotKind::Passphrase)));
    let written_down = RecoveryKey::parse(&recovery.to_text()).unwrap();
    Store::open(folder.path(), &Unlock::Recovery(written_down)).unwrap();
}

#[test]
fn a_new_recovery_key_replaces_the_old_one() {
    let (profile, mut store) = Profile::create();
    let new = store.add_recovery_key().unwrap();
    assert_eq!(Store::slots(profile.path()).unwrap(), [SlotKind::Recovery]);
    drop(store);
    assert!(matches!(Store::open(profile.path(), &profile.unlock), Err(StoreError::WrongRecoveryKey)));
    Store::open(profile.path(), &Unlock::Recovery(new)).unwrap();
}

#[test]
fn one_handle_at_a_time_in_one_process() {
    let (profile, store) = Profile::create();
    assert!(matches!(Store::open(profile.path(), &profile.unlock), Err(StoreError::InUse)));
    assert!(matches!(Store::create(profile.path(), &profile.unlock), Err(StoreError::InUse)));
    drop(store);
    profile.open();
}

#[test]
fn one_process_at_a_time() {
    if let Some(path) = child_profile() {
        let unlock = Unlock::Recovery(RecoveryKey::generate().unwrap());
        assert!(matches!(Store::open(&path, &unlock), Err(StoreError::InUse)));
        return;
    }
    let (profile, _store) = Profile::create();
    let status = child("tests::opening::one_process_at_a_time", profile.path()).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_empty_folder_holds_no_profile() {
    let (profile, _store) = Profile::create();
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path(), &profile.unlock), Err(StoreError::NotFound)));
    assert!(matches!(Store::slots(folder.path()), Err(StoreError::NotFound)));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    assert!(matches!(Store::open(&folder.path().join("none"), &profile.unlock), Err(StoreError::NotFound)));
}

#[test]
fn a_profile_is_never_created_over_another() {
    let (profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"key", Some(b"value")).unwrap();
    let _proof = transaction.commit().unwrap();
    drop(store);
    assert!(matches!(Store::create(profile.path(), &profile.unlock), Err(StoreError::AlreadyExists)));
    assert_eq!(profile.open().begin().unwrap().get(Table::Meta, b"key").unwrap().unwrap().as_slice(), b"value");
}

#[test]
fn what_a_crash_left_of_a_creation_is_no_profile_and_no_obstacle() {
    let (finished, store) = Profile::create();
    drop(store);
    let folder = tempfile::tempdir().unwrap();
    fs::rename(finished.path().join("store"), folder.path().join("store.new")).unwrap();
    assert!(matches!(Store::open(folder.path(), &finished.unlock), Err(StoreError::NotFound)));
    drop(Store::create(folder.path(), &finished.unlock).unwrap());
    assert!(!folder.path().join("store.new").exists());
    Store::open(folder.path(), &finished.unlock).unwrap();
}

#[test]
fn a_missing_file_is_damage_and_nothing_takes_its_place() {
    for name in ["keys", "database"] {
        let (profile, store) = Profile::create();
        drop(store);
        fs::remove_file(profile.path().join("store").join(name)).unwrap();
        assert!(matches!(Store::open(profile.path(), &profile.unlock), Err(StoreError::Damaged(_))), "{name}");
        assert!(!profile.path().join("store").join(name).exists(), "{name}");
        assert!(matches!(Store::create(profile.path(), &profile.unlock), Err(StoreError::AlreadyExists)), "{name}");
    }
}

#[test]
fn a_damaged_key_file_is_not_called_a_wrong_passphrase() {
    let (profile, store) = Profile::create();
    drop(store);
    let path = profile.path().join("store/keys");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Store::open(profile.path(), &profile.unlock), Err(StoreError::Damaged(_))));
}

#[test]
fn another_profiles_database_is_damage() {
    let (profile, store) = Profile::create();
    let (other, other_store) = Profile::create();
    drop((store, other_store));
    fs::copy(other.path().join("store/database"), profile.path().join("store/database")).unwrap();
    assert!(matches!(Store::open(profile.path(), &profile.unlock), Err(StoreError::Damaged(_))));
}

#[test]
fn a_damaged_page_is_noticed_when_it_is_read() {
    let (profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    for number in 0..200_u64 {
        transaction.write(Table::Journal, &number.to_be_bytes(), Some(&[1; 500])).unwrap();
    }
    let _proof = transaction.commit().unwrap();
    drop(store);
    let path = profile.path().join("store/database");
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    for page in pages - 20..pages {
        bytes[page * 4096 + 100] ^= 1;
    }
    fs::write(&path, bytes).unwrap();

    let refusal = Store::open(profile.path(), &profile.unlock).and_then(|store| {
        let rows = table::scan(store.connection(), Table::Journal, &Range::all(), Order::Ascending, 1000);
        Ok(rows.map(drop)?)
    });
    assert!(matches!(refusal, Err(StoreError::Damaged(_))), "{refusal:?}");
}

#[test]
fn another_format_is_refused_by_number() {
    let (profile, store) = Profile::create();
    store.connection().pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    let refusal = Store::open(profile.path(), &profile.unlock);
    assert!(matches!(refusal, Err(StoreError::WrongVersion { found: 7, expected: 1 })));
}

#[test]
fn connections_are_set_up_as_the_design_says() {
    let (_profile, store) = Profile::create();
    let reader = store.reader().unwrap();
    let value = |connection: &Connection, name: &str| -> String {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, Value>(0)).unwrap();
        match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    for (name, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("secure_delete", "1"),
        ("temp_store", "2"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("query_only", "0"),
    ] {
        assert_eq!(value(store.connection(), name), expected, "{name}");
    }
    assert_eq!(value(reader.connection(), "query_only"), "1");
    let secure: i64 = store
        .connection()
        .query_row("SELECT v FROM message_text_config WHERE k = 'secure-delete'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(secure, 1);
}

#[test]
fn files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/profile");
    let mut store = Store::create(&path, &Unlock::Recovery(RecoveryKey::generate().unwrap())).unwrap();
    store.add_recovery_key().unwrap();
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    for folder in ["", "store"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in ["lock", "store/keys", "store/database", "store/database-wal", "store/database-shm"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}
