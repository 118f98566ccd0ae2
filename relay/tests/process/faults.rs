//! What a host meets: a full disk, a taken port, nonsense on the wire. The relay says so, loses nothing, and goes on.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    process::{Command, Stdio},
};

use futures_util::{SinkExt, StreamExt};
use sotto_outer::{Answer, EnvelopeId, RefusedReason, RelayFrame, limits::FRAME_BYTES_MAX};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

/// In a mount namespace of its own, with a small disk: makes a relay there and becomes it.
const ON_A_SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=32m tmpfs "$2" &&
    "$1" init --data "$2/relay" --listen 127.0.0.1:0 --tls off > "$2/init" &&
    sed -i 's/^free_mib_min = .*/free_mib_min = 0/' "$2/relay/relay.toml" &&
    exec "$1" run --data "$2/relay"
"#;

#[tokio::test]
async fn on_a_full_disk_senders_wait_and_readers_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut unshare = Command::new("unshare");
    // Without root, a user namespace gives the right to mount.
    unshare.arg(if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" });
    unshare.args(["sh", "-c", ON_A_SMALL_DISK, "sh", relay::BINARY]).arg(dir.path());
    let mut relay = RelayProcess::spawn(unshare);
    let mut sender = Client::connect(relay.address).await.unwrap();
    let owners = [Owner::new(1), Owner::new(2)];
    for owner in &owners {
        assert_eq!(sender.ask(owner.create()).await.unwrap(), Answer::Done);
    }
    let payload = vec![5; 60_000];
    let mut stored = vec![vec![], vec![]];
    let mut number = 0_u32;
    let refused = loop {
        let (at, id) = (number as usize % 2, id(number));
        match sender.ask(owners[at].send(id, payload.clone())).await.unwrap() {
            Answer::Done => stored[at].push(id),
            Answer::Busy { .. } => break id,
            other => panic!("{other:?}"),
        }
        number += 1;
    };
    assert!(number > 50, "there was room for more than {number} envelopes");

    for (owner, stored) in owners.iter().zip(&stored) {
        let mut reader = Client::connect(relay.address).await.unwrap();
        reader.read(owner).await.unwrap();
        let mut got = vec![];
        loop {
            match reader.receive().await.unwrap() {
                RelayFrame::Deliver(deliver) => {
                    assert!(deliver.payload == payload);
                    got.push(deliver.id);
                    reader.request(owner.ack(vec![deliver.id])).await.unwrap();
                }
                RelayFrame::Answer { answer, .. } => assert_eq!(answer, Answer::Done, "an ack on a full disk"),
                RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => break,
            }
        }
        assert_eq!(got, *stored, "nothing lost, nothing twice, in order");
    }
    let again = sender.ask(owners[0].send(refused, payload)).await.unwrap();
    assert_eq!(again, Answer::Done, "there is room again");
    let (status, log) = {
        let pid = relay.pid();
        assert!(Command::new("kill").arg("-TERM").arg(pid.to_string()).status().unwrap().success());
        relay.wait()
    };
    assert!(status.success() && log.contains("disk full"), "{log}");
}

#[tokio::test]
async fn garbage_closes_its_own_connection_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let garbage = [
        Message::Binary(vec![0xff; 100].into()),
        Message::Binary(vec![].into()),
        Message::Binary(vec![0; FRAME_BYTES_MAX + 1].into()),
        Message::Text("hello".into()),
    ];
    for message in garbage {
        let mut mallory = Client::connect(relay.address).await.unwrap();
        mallory.socket.send(message).await.unwrap();
        let refused = Answer::Refused { reason: RefusedReason::Malformed };
        assert_eq!(mallory.receive().await.unwrap(), RelayFrame::Answer { request: 0, answer: refused });
        let Some(Ok(Message::Close(Some(reason)))) = mallory.socket.next().await else { panic!("not closed") };
        assert_eq!(u16::from(reason.code), 1002);
    }
    // Too large to be answered at all.
    let mut mallory = Client::connect(relay.address).await.unwrap();
    let _ = mallory.socket.send(Message::Binary(vec![0; 4 * FRAME_BYTES_MAX].into())).await;
    assert!(mallory.receive().await.is_err());

    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(id(1), vec![1])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, id(1));
}

#[test]
fn a_taken_port_is_a_network_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let config = dir.path().join("relay.toml");
    let text = fs::read_to_string(&config).unwrap();
    let listen = format!("listen = \"{}\"", taken.local_addr().unwrap());
    fs::write(&config, text.replacen("listen = \"127.0.0.1:0\"", &listen, 1)).unwrap();
    let run = relay::output("run", dir.path());
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    assert!(String::from_utf8_lossy(&run.stderr).contains("cannot listen on port"));
}

#[test]
fn what_a_host_did_wrong_is_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let cases: [(&str, &[&str], &str); 3] = [
        ("run", &[], "there is no relay in"),
        ("inspect", &[], "there is no relay in"),
        ("init", &["--tls", "acme"], "`public` is a name and a port"),
    ];
    for (name, arguments, sentence) in cases {
        let done = relay::command(name, &nowhere).args(arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{name}: {done:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains(sentence), "{name}: {done:?}");
        assert!(!nowhere.exists(), "{name} made nothing");
    }
    relay::init(dir.path());
    fs::write(dir.path().join("relay.toml"), "[limits]\nenvelope_ttl_dais = 3\n").unwrap();
    let run = relay::output("run", dir.path());
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("did you mean `limits.envelope_ttl_days`?"), "{run:?}");
}

#[test]
fn a_second_process_does_not_run_from_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let _first = RelayProcess::start(dir.path());
    let second = relay::output("run", dir.path());
    assert_eq!(second.status.code(), Some(1), "{second:?}");
}

#[test]
fn a_damaged_database_is_said_to_be_so() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    fs::write(dir.path().join("relay.db"), vec![0x55; 8_192]).unwrap();
    for name in ["run", "check"] {
        let done = relay::output(name, dir.path());
        assert!(!done.status.success(), "{name}: {done:?}");
        let said = [done.stdout, done.stderr].concat();
        assert!(String::from_utf8_lossy(&said).contains("database cannot be used"), "{name}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut inspect = relay::command("inspect", dir.path());
    let mut inspect = inspect.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(inspect.stdout.take());
    let mut said = String::new();
    inspect.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    inspect.wait().unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

fn id(number: u32) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}
