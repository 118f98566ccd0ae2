//! Backup, restore and upgrade, with the real program and the clients that live through them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use sotto_outer::{Answer, EnvelopeId, LeaseOutcome, Subscribed};
use sqlx::{Connection, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions};

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

fn run(arguments: &[&Path]) -> Output {
    Command::new(relay::BINARY).args(arguments).output().unwrap()
}

fn words(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn inspect(data: &Path) -> Value {
    let done = relay::command("inspect", data).arg("--json").output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

#[tokio::test]
async fn a_relay_restored_from_a_backup_goes_on_and_clients_make_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("backup.tar"));
    relay::init(&old);
    let mut relay = RelayProcess::start(&old);
    let (before, after) = (Owner::new(1), Owner::new(2));
    let mut reader = Client::reader(relay.address, &before).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(before.send([1; 16].into(), vec![9])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, EnvelopeId::from([1; 16]));

    // Beside the running relay.
    words(&relay::command("backup", &old).arg(&file).output().unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it holds the key");
    let again = relay::command("backup", &old).arg(&file).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "a backup is never written over");
    assert!(words(&run(&["verify".as_ref(), &file])).contains("1 mailbox"));
    assert_eq!(alice.ask(after.create()).await.unwrap(), Answer::Done);
    relay.kill();

    words(&run(&["restore".as_ref(), &file, "--data".as_ref(), &new]));
    assert_eq!(run(&["restore".as_ref(), &file, "--data".as_ref(), &new]).status.code(), Some(1), "it is not empty");
    let relay = RelayProcess::start(&new);
    let mut reader = Client::connect(relay.address).await.unwrap();
    // `read` asserts that the lease is `same`: none was kept.
    reader.read(&before).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(before.send([2; 16].into(), vec![9])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, EnvelopeId::from([2; 16]), "the envelope of before is not there");

    let missing = after.subscribe(&alice);
    let denied = Answer::Subscribed(Subscribed { outcomes: vec![LeaseOutcome::Denied] });
    assert_eq!(alice.ask(missing).await.unwrap(), denied, "made after the backup");
    assert_eq!(alice.ask(after.create()).await.unwrap(), Answer::Done);
    alice.read(&after).await.unwrap();
}

#[tokio::test]
async fn a_restored_relay_is_the_same_one_and_what_it_minted_admits() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("backup.tar"));
    relay::init(&old);
    assert!(relay::command("mint", &old).output().unwrap().status.success());
    let mut relay = RelayProcess::start(&old);
    let identity = Client::connect(relay.address).await.unwrap().relay;
    relay.terminate();
    // What must not come along: keys of two hops, and what public authorities know this machine by.
    fs::write(old.join("forward.keys"), [0; 36]).unwrap();
    fs::create_dir(old.join("acme")).unwrap();

    words(&relay::command("backup", &old).arg(&file).output().unwrap());
    words(&run(&["restore".as_ref(), &file, "--data".as_ref(), &new]));
    for key in ["identity.key", "mint.key"] {
        assert_eq!(fs::read(new.join(key)).unwrap(), fs::read(old.join(key)).unwrap(), "{key}");
        assert_eq!(fs::metadata(new.join(key)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for left_out in ["forward.keys", "acme"] {
        assert!(!new.join(left_out).exists(), "{left_out}");
    }
    let relay = RelayProcess::start(&new);
    assert_eq!(Client::connect(relay.address).await.unwrap().relay, identity, "what addresses pin");
}

#[test]
fn in_a_folder_that_was_there_before_all_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (data, new, file) = (dir.path().join("relay"), dir.path().join("new"), dir.path().join("backup.tar"));
    for folder in [&data, &new] {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    relay::init(&data);
    words(&relay::command("backup", &data).arg(&file).output().unwrap());
    words(&run(&["restore".as_ref(), &file, "--data".as_ref(), &new]));
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let _relay = RelayProcess::start(&data);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    for folder in [&data, &new] {
        assert_eq!(mode(folder), 0, "{}", folder.display());
    }
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    let named = |name: &str| files.contains(&data.join(name));
    assert!(named("relay.db") && named("relay.db-wal") && named("relay.db-reserve"), "{files:?}");
    for file in files.iter().filter(|file| !file.ends_with("relay.toml")) {
        assert_eq!(mode(file), 0, "{}", file.display());
    }
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, new) = (dir.path().join("relay"), dir.path().join("new"));
    relay::init(&data);
    // Into a folder: the file is named by the time.
    words(&relay::command("backup", &data).arg(dir.path()).output().unwrap());
    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = entries.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "tar")).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    for arguments in [vec!["verify".as_ref(), file.as_path()], vec!["restore".as_ref(), &file, "--data".as_ref(), &new]]
    {
        let done = run(&arguments);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("damaged"), "{done:?}");
    }
    assert!(!new.exists());
}

#[tokio::test]
async fn run_brings_an_older_database_up_to_date_and_rollback_takes_it_back() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let database = dir.path().join("relay.db");
    older(&database).await;
    let check = words(&relay::command("upgrade", dir.path()).arg("--check").output().unwrap());
    assert!(check.contains("form 1"), "{check}");

    let mut relay = RelayProcess::start(dir.path());
    let (_, log) = relay.terminate();
    assert!(log.contains("a copy lies beside it"), "{log}");
    assert!(dir.path().join("before-upgrade-from-1.db").exists());
    assert_eq!(inspect(dir.path())["mailboxes"].as_array().unwrap().len(), 1, "what was there is there");

    let back = words(&relay::command("upgrade", dir.path()).arg("--rollback").output().unwrap());
    assert!(back.contains("form 1 again"), "{back}");
    let again = words(&relay::output("upgrade", dir.path()));
    assert!(again.contains("The database has form"), "{again}");
    let check = words(&relay::command("upgrade", dir.path()).arg("--check").output().unwrap());
    assert!(check.contains("there is nothing to do"), "{check}");
}

/// A database as the first version wrote it, with one mailbox.
async fn older(path: &Path) {
    fs::remove_file(path).unwrap();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let first = MIGRATIONS.iter().take(1).cloned().collect::<Vec<_>>();
    Migrator { migrations: first.into(), ..Migrator::DEFAULT }.run(&mut connection).await.unwrap();
    let insert = "INSERT INTO mailbox (receive_id, send_id, kind, owner, capability_hash, day_last_used)
                  VALUES (zeroblob(16), zeroblob(16), 0, zeroblob(32), zeroblob(32), 99999)";
    sqlx::query(insert).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
