//! Commits outlive kills, full disks undo whole transactions, and failed ones stay failed.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use rand::RngExt as _;
use sotto_engine::{Order, Range, Rows, Table};

use super::{Profile, child, child_profile, seeded};
use crate::{Passphrase, RecoveryKey, SlotKind, Store, StoreError, Unlock};

/// Rows of one commit, in as many tables.
const TABLES: [Table; 3] = [Table::Session, Table::Outbox, Table::Message];

/// A child commits and tells; it is killed at a random moment, five times over; whatever it told is there, and every commit
/// is whole.
#[test]
fn every_reported_commit_outlives_a_kill() {
    if let Some(path) = child_profile() {
        return commit_until_killed(&path);
    }
    let mut rng = seeded();
    let (profile, store) = Profile::create();
    drop(store);
    let Unlock::Recovery(key) = &profile.unlock else { panic!("profiles open by recovery key here") };
    fs::write(profile.path().join("recovery"), key.to_text().as_bytes()).unwrap();

    let mut reported = 0;
    for _ in 0..5 {
        reported = kill_after(&profile, reported + rng.random_range(1..60));
        let mut store = profile.open();
        let transaction = store.begin().unwrap();
        let counts = TABLES.map(|table| numbers(&transaction, table));
        assert!(counts[0].len() as u64 >= reported, "{} of {reported} commits", counts[0].len());
        assert_eq!(counts[0], (0..counts[0].len() as u64).collect::<Vec<_>>());
        assert!(counts.iter().all(|numbers| *numbers == counts[0]), "a commit is there in part");
    }
}

/// Kills the child once it has reported `enough` commits; the number it had reported by its end.
fn kill_after(profile: &Profile, enough: u64) -> u64 {
    let name = "tests::durability::every_reported_commit_outlives_a_kill";
    let mut child = child(name, profile.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut reported = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((_, number)) = line.split_once("committed ") else { continue };
        reported = number.parse::<u64>().unwrap() + 1;
        if reported == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(reported >= enough, "the child ended by itself");
    reported
}

fn commit_until_killed(path: &Path) {
    let key = RecoveryKey::parse(&fs::read_to_string(path.join("recovery")).unwrap()).unwrap();
    let mut store = Store::open(path, &Unlock::Recovery(key)).unwrap();
    let first = numbers(&store.begin().unwrap(), TABLES[0]).len() as u64;
    for number in first.. {
        let transaction = store.begin().unwrap();
        for table in TABLES {
            transaction.write(table, &number.to_be_bytes(), Some(&[number as u8; 700])).unwrap();
        }
        let _proof = transaction.commit().unwrap();
        writeln!(io::stdout(), "committed {number}").unwrap();
    }
}

fn numbers(rows: &dyn Rows, table: Table) -> Vec<u64> {
    let rows = rows.scan(table, &Range::all(), Order::Ascending, usize::MAX).unwrap();
    rows.into_iter().map(|(key, _)| u64::from_be_bytes(key.try_into().unwrap())).collect()
}

/// The files as they lie in the middle of a transaction, as a power cut would leave them.
#[test]
fn a_copy_of_the_files_holds_what_was_committed_and_no_more() {
    let (profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"done", Some(b"1")).unwrap();
    let _proof = transaction.commit().unwrap();
    let transaction = store.begin().unwrap();
    for number in 0..3000_u64 {
        transaction.write(Table::Journal, &number.to_be_bytes(), Some(&[7; 1000])).unwrap();
    }

    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("store")).unwrap();
    for (name, bytes) in profile.files().into_iter().filter(|(name, _)| name != "database-shm") {
        fs::write(copy.path().join("store").join(name), bytes).unwrap();
    }
    let mut copied = Store::open(copy.path(), &profile.unlock).unwrap();
    let rows = copied.begin().unwrap();
    assert!(rows.get(Table::Meta, b"done").unwrap().is_some());
    assert!(numbers(&rows, Table::Journal).is_empty());
}

/// SQLite itself refuses to grow: the same answer as a full disk's, on every machine.
#[test]
fn a_full_database_undoes_the_transaction_whole_and_works_again_with_room() {
    let (_profile, mut store) = Profile::create();
    let pages: i64 = store.connection().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let most = |store: &mut Store, pages: i64| {
        store.connection().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    most(&mut store, pages + 20);
    fill_until_full(&mut store);
    most(&mut store, pages + 2000);
    write_rows(&mut store, 40).unwrap();
}

#[test]
fn after_a_failed_write_nothing_more_is_written_and_no_commit_is_tried() {
    let (_profile, mut store) = Profile::create();
    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"before", Some(b"1")).unwrap();
    let failure = transaction.guard(|connection| connection.execute("INSERT INTO meta VALUES (1, NULL)", []).map(drop));
    assert!(failure.is_err());
    assert!(matches!(transaction.write(Table::Meta, b"after", Some(b"1")), Err(StoreError::Failed)));
    assert!(matches!(transaction.commit(), Err(StoreError::Failed)));
    let transaction = store.begin().unwrap();
    assert!(transaction.get(Table::Meta, b"before").unwrap().is_none());
    assert!(transaction.get(Table::Meta, b"after").unwrap().is_none());
}

/// A file system of 2 MiB of its own, in a mount namespace that ends with the child. Where the system forbids that, the test
/// above stands alone.
#[test]
fn a_full_disk_loses_nothing_and_the_store_works_again_with_room() {
    if let Some(path) = child_profile() {
        return fill_the_disk(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("mount -t tmpfs -o size=2m tmpfs \"$0\" && {then}")]);
        command.arg(folder.path());
        command
    };
    if !mount("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("no mount namespaces here: a full disk was not tried");
        return;
    }
    let inner =
        child("tests::durability::a_full_disk_loses_nothing_and_the_store_works_again_with_room", folder.path());
    let mut outer = mount("exec \"$@\"");
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(outer.status().unwrap().success());
}

fn fill_the_disk(path: &Path) {
    let ballast = path.join("ballast");
    let profile = path.join("profile");
    let passphrase = || Unlock::Passphrase(Passphrase::new("words".into()));

    exhaust(&ballast);
    assert!(matches!(Store::create(&profile, &passphrase()), Err(StoreError::Full)));
    assert!(matches!(Store::slots(&profile), Err(StoreError::NotFound)));

    fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
    let mut store = Store::create(&profile, &passphrase()).unwrap();
    let committed = fill_until_full(&mut store);

    exhaust(&path.join("more"));
    assert!(matches!(store.add_recovery_key(), Err(StoreError::Full)));
    assert_eq!(Store::slots(&profile).unwrap(), [SlotKind::Passphrase]);

    fs::remove_file(ballast).unwrap();
    write_rows(&mut store, 10).unwrap();
    drop(store);
    let mut store = Store::open(&profile, &passphrase()).unwrap();
    assert_eq!(numbers(&store.begin().unwrap(), Table::Journal).len(), committed + 10);
}

/// Takes every byte the disk has left.
fn exhaust(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let mut bytes = 64 * 1024;
    while bytes > 0 {
        if file.write_all(&vec![0; bytes]).is_err() {
            bytes /= 2;
        }
    }
}

/// Commits batches until one is refused; checks that the refused one left nothing. The rows that are there.
fn fill_until_full(store: &mut Store) -> usize {
    let mut committed = 0;
    let refusal = loop {
        match write_rows(store, 10) {
            Ok(()) => committed += 10,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, StoreError::Full), "{refusal:?}");
    assert!(committed > 0);
    assert_eq!(numbers(&store.begin().unwrap(), Table::Journal).len(), committed);
    committed
}

/// Commits further rows, a kilobyte each, in one transaction.
fn write_rows(store: &mut Store, count: u64) -> Result<(), StoreError> {
    let transaction = store.begin()?;
    let next = numbers(&transaction, Table::Journal).len() as u64;
    for number in next..next + count {
        transaction.write(Table::Journal, &number.to_be_bytes(), Some(&[7; 1000]))?;
    }
    transaction.commit().map(drop)
}
