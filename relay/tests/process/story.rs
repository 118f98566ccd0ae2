//! A relay's day: made, checked, run, used, looked into, stopped, started again.

use sotto_outer::{Answer, EnvelopeId, RelayAddress, Tls};

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    assert!(relay::output("check", dir.path()).status.success());
    let bob = Owner::new(1);
    let (first, second) = (EnvelopeId::from([1; 16]), EnvelopeId::from([2; 16]));

    let mut relay = RelayProcess::start(dir.path());
    let link: RelayAddress = relay.link.parse().unwrap();
    assert_eq!((link.tls(), link.port()), (Tls::Off, relay.address.port()));
    assert!(relay::output("check", dir.path()).status.success(), "beside a running relay");
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    assert_eq!(reader.relay, *link.identity());
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(first, vec![0xa5; 1_024])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().payload, vec![0xa5; 1_024]);
    let shown = inspect(dir.path());
    assert_eq!(shown["mailboxes"][0]["envelopes"], 1);
    assert_eq!(shown["mailboxes"][0]["envelope_bytes"], 1_024);
    assert!(shown["mailboxes"][0]["first_payload_bytes"].as_str().unwrap().starts_with("a5a5"));
    let (status, log) = relay.terminate();
    assert!(status.success(), "{log}");
    assert_eq!(inspect(dir.path())["mailboxes"][0]["envelopes"], 1, "beside a stopped relay");

    let mut relay = RelayProcess::start(dir.path());
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    assert_eq!(reader.deliver().await.unwrap().id, first, "it was not acknowledged");
    assert_eq!(reader.ask(bob.ack(vec![first])).await.unwrap(), Answer::Done);
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(first, vec![1])).await.unwrap(), Answer::Done, "a repeat");
    assert_eq!(alice.ask(bob.send(second, vec![2])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, second, "the repeat was not delivered");
    relay.kill();
    let relay = RelayProcess::start(dir.path());
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(first, vec![1])).await.unwrap(), Answer::Done, "a repeat after a crash");
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    assert_eq!(reader.deliver().await.unwrap().id, second, "is still none");
}

#[tokio::test]
async fn a_relay_that_stops_says_so_and_answers_what_it_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let _reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    let stopping = tokio::task::spawn_blocking(move || relay.terminate());
    // Sends on until the relay closes; each answer that came is true.
    let mut answered = 0;
    for number in 0_u64.. {
        let id = EnvelopeId::from([number.to_be_bytes(), [0; 8]].concat().first_chunk().copied().unwrap());
        match alice.ask(bob.send(id, vec![1])).await {
            Ok(Answer::Done) => answered += 1,
            Ok(Answer::Full { .. }) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    let (status, log) = stopping.await.unwrap();
    assert!(status.success(), "{log}");
    assert!(log.contains("stopped"), "{log}");
    let kept = inspect(dir.path())["mailboxes"][0]["envelopes"].as_u64().unwrap();
    assert!(kept >= answered, "{kept} of {answered}");
}

#[tokio::test]
async fn logs_and_metrics_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut command = relay::command("run", dir.path());
    command.env("SOTTO_LOG", "debug");
    let mut relay = RelayProcess::spawn(command);
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    let id = EnvelopeId::from([0xab; 16]);
    alice.ask(bob.send(id, vec![0xcd; 64])).await.unwrap();
    let got = reader.deliver().await.unwrap();
    reader.ask(bob.ack(vec![got.id])).await.unwrap();
    let metrics = get(relay.metrics, "/metrics").await;
    assert!(metrics.contains("sotto_relay_commands_total{command=\"send\"} 1"), "{metrics}");
    assert!(get(relay.address, "/livez").await.contains("alive"));
    assert!(get(relay.address, "/readyz").await.contains("ready"));
    let shown = inspect(dir.path());
    let (_, log) = relay.terminate();
    let mailbox = shown["mailboxes"][0].as_object().unwrap();
    let mut names: Vec<String> = ["receive_id", "send_id", "owner_key", "capability_hash", "lease"]
        .iter()
        .map(|name| mailbox[*name].as_str().unwrap().to_owned())
        .collect();
    names.extend(["abababab", "cdcdcdcd", "127.0.0.1"].map(str::to_owned));
    names.push(dir.path().display().to_string());
    for value in label_values(&metrics) {
        assert!(is_word(value), "`{value}` is no word");
    }
    for name in names {
        assert!(!log.contains(&name) && !metrics.contains(&name), "a name in\n{log}\n{metrics}");
    }
}

/// The values of all labels of a relay's metrics.
fn label_values(metrics: &str) -> Vec<&str> {
    let (_, text) = metrics.split_once("# ").unwrap();
    let told = text.lines().filter(|line| !line.starts_with('#'));
    let values: Vec<_> = told.flat_map(|line| line.split('"').skip(1).step_by(2)).collect();
    assert!(values.len() > 100, "{metrics}");
    values
}

/// A word of the relay's own list, its version, or a bound of a histogram.
pub(crate) fn is_word(value: &str) -> bool {
    let (_, list) = include_str!("../../src/server/metrics/words.rs").split_once("WORDS: &[&str] = &[").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let is_bound = value == "+Inf" || value.parse::<f64>().is_ok();
    is_bound || value == env!("CARGO_PKG_VERSION") || list.split('"').skip(1).step_by(2).any(|word| word == value)
}

fn inspect(data: &std::path::Path) -> serde_json::Value {
    let done = relay::command("inspect", data).arg("--json").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A page of the relay's HTTP.
pub(crate) async fn get(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
