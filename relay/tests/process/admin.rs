//! What a host types while the relay runs, and while it does not.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::Output,
};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sotto_outer::{Answer, Command, EnvelopeId};

use crate::{
    blobs_client::Blob,
    channels::Log,
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

const FIRST: [u8; 16] = [1; 16];
const SECOND: [u8; 16] = [2; 16];

fn asked(name: &str, data: &Path, arguments: &[&str]) -> Output {
    relay::command(name, data).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[tokio::test]
async fn status_tells_how_a_running_relay_goes() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let still = asked("status", dir.path(), &[]);
    assert_eq!(still.status.code(), Some(1), "{still:?}");
    assert!(String::from_utf8_lossy(&still.stderr).contains("no relay runs from"), "{still:?}");

    let mut relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let _reader = Client::reader(relay.address, &bob).await.unwrap();
    let status = json(&asked("status", dir.path(), &["--json"]));
    assert_eq!(status["state"], "ready");
    assert_eq!((status["connections"].as_u64(), status["subscriptions"].as_u64()), (Some(1), Some(1)));
    assert_eq!(status["stored"]["mailboxes"], 1);
    assert_eq!(status["turned_away"], Value::Array(vec![]));
    let text = asked("status", dir.path(), &[]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("1 mailbox, 0 bundles"), "{text:?}");
    relay.terminate();
    assert!(!dir.path().join("admin.sock").exists(), "the door is gone with the relay");
}

#[tokio::test]
async fn block_and_unblock_work_on_a_running_relay_and_on_a_still_one() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut command = relay::command("run", dir.path());
    command.env("SOTTO_LOG", "debug");
    let mut relay = RelayProcess::spawn(command);
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(FIRST.into(), vec![1])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, EnvelopeId::from(FIRST));

    let id = hex(bob.receive_id().as_bytes());
    let blocked = json(&asked("block", dir.path(), &[&id, "--json"]));
    assert_eq!(blocked, serde_json::json!([{ "names": "mailbox", "is_new": true }]));
    assert_eq!(alice.ask(bob.send(SECOND.into(), vec![1])).await.unwrap(), Answer::Denied);
    assert_eq!(reader.ask(bob.ack(vec![FIRST.into()])).await.unwrap(), Answer::Denied, "its reader reads no more");
    let (_, log) = relay.terminate();
    assert!(!log.contains(&id), "{log}");

    let listed = json(&asked("blocked", dir.path(), &["--json"]));
    assert_eq!(listed[0]["id"], *id);
    let mut relay = RelayProcess::start(dir.path());
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(SECOND.into(), vec![1])).await.unwrap(), Answer::Denied, "after a restart too");
    relay.terminate();

    let given_back = json(&asked("unblock", dir.path(), &[&id, "--json"]));
    assert_eq!(given_back, serde_json::json!([{ "names": "mailbox", "is_new": true }]));
    let relay = RelayProcess::start(dir.path());
    let mut reader = Client::connect(relay.address).await.unwrap();
    reader.read(&bob).await.unwrap();
    assert_eq!(reader.deliver().await.unwrap().id, EnvelopeId::from(FIRST), "what waited is there again");
}

#[tokio::test]
async fn channels_and_blobs_are_counted_shown_and_blocked() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let (log, blob) = (Log::new(3), Blob { name: 7, bytes: 5_000_000 });
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(log.create()).await.unwrap(), Answer::Done);
    let append = log.append(&alice, 0, [9; 16].into());
    assert_eq!(alice.ask(append.clone()).await.unwrap(), Answer::Appended { seq: 1 });
    let create = Command::BlobCreate(blob.create());
    assert!(matches!(alice.ask(create.clone()).await.unwrap(), Answer::Blob(_)));

    let stored = json(&asked("status", dir.path(), &["--json"]))["stored"].clone();
    assert_eq!((&stored["channels"], &stored["entries"], &stored["blobs"]), (&1.into(), &1.into(), &1.into()));
    let seen = json(&asked("inspect", dir.path(), &["--json"]));
    let (channel_id, blob_id) = (hex(log.id().as_bytes()), hex(blob.create().blob.as_bytes()));
    assert_eq!(seen["channels"][0]["id"], *channel_id);
    assert_eq!(
        (&seen["channels"][0]["generations"][0]["number"], &seen["channels"][0]["entries"]),
        (&0.into(), &1.into())
    );
    assert_eq!(seen["channels"][0]["first_entry_bytes"], *"09".repeat(32));
    assert_eq!((&seen["blobs"][0]["id"], &seen["blobs"][0]["bytes"]), (&Value::from(&*blob_id), &5_000_000.into()));
    assert_eq!(seen["tokens"]["spent"], Value::Array(vec![]));
    let text = asked("inspect", dir.path(), &[]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains(&channel_id) && text.contains(&blob_id), "{text}");

    let ids = [&*channel_id, &*blob_id, "--json"];
    let blocked = json(&asked("block", dir.path(), &ids));
    let report = |names: &str| serde_json::json!({ "names": names, "is_new": true });
    assert_eq!(blocked, Value::Array(vec![report("channel"), report("blob")]));
    for command in [append.clone(), create.clone()] {
        assert_eq!(alice.ask(command).await.unwrap(), Answer::Denied);
    }
    json(&asked("unblock", dir.path(), &ids));
    assert_eq!(alice.ask(append).await.unwrap(), Answer::Appended { seq: 1 }, "it is there again");
    assert!(matches!(alice.ask(create).await.unwrap(), Answer::Blob(_)));
}

#[test]
fn what_is_no_id_is_refused_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let done = asked("block", dir.path(), &["0123"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("an id is 16 bytes"), "{done:?}");
}

#[tokio::test]
async fn drain_ends_a_relay_and_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut relay = RelayProcess::start(dir.path());
    let _alice = Client::connect(relay.address).await.unwrap();
    let data = dir.path().to_owned();
    let drained = tokio::task::spawn_blocking(move || asked("drain", &data, &["--wait"])).await.unwrap();
    assert!(drained.status.success(), "{drained:?}");
    let again = RelayProcess::start(dir.path());
    let (status, log) = relay.wait();
    assert!(status.success() && log.contains("stopped"), "{log}");
    drop(again);
    assert_eq!(asked("drain", dir.path(), &[]).status.code(), Some(1), "there is nothing to drain");
}

#[test]
fn the_door_is_the_owners_and_takes_one_bounded_question() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let _relay = RelayProcess::start(dir.path());
    let socket = dir.path().join("admin.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let endless = vec![b'x'; 100_000];
    let questions: [&[u8]; 4] =
        [b"\n", b"status\n", b"{\"version\":9,\"request\":{\"command\":\"status\"}}\n", &endless];
    for question in questions {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The relay may have heard enough before all of it is written.
        let _ = stream.write_all(question);
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        assert!(answer.is_empty() || answer.contains("nothing was changed"), "{answer}");
    }
    assert!(asked("status", dir.path(), &[]).status.success(), "and it goes on");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let done = std::process::Command::new(relay::BINARY).args(["completions", shell]).output().unwrap();
        assert!(done.status.success() && String::from_utf8_lossy(&done.stdout).contains("unblock"), "{shell}");
    }
}

#[tokio::test]
async fn a_doctor_finds_a_healthy_relay_well_and_says_what_ails_a_sick_one() {
    let dir = tempfile::tempdir().unwrap();
    let made = relay::command("init", dir.path()).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let relay = RelayProcess::start(dir.path());
    let findings = json(&asked("doctor", dir.path(), &["--json"]));
    let level = |what: &str| {
        let all = findings.as_array().unwrap();
        all.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {findings}"))["level"]
            .clone()
    };
    // Through TLS, against the pinned identity.
    for what in ["configuration", "identity key", "clock", "database", "database form", "name", "reachable"] {
        assert_eq!(level(what), "ok", "{what}: {findings}");
    }
    drop(relay);

    let key = dir.path().join("identity.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(dir.path().join("relay.toml"), "listen = \"127.0.0.1:0\"\npublic = \"relay.invalid:1\"\n").unwrap();
    let sick = asked("doctor", dir.path(), &[]);
    assert_eq!(sick.status.code(), Some(1), "{sick:?}");
    let text = String::from_utf8_lossy(&sick.stdout);
    assert!(text.contains("can be read by other users"), "{text}");
}
