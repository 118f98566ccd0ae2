//! What a host watches: metrics and what is made of them, the service manager's view, memory that runs out.

use std::{
    collections::BTreeSet,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use sotto_outer::{Answer, EnvelopeId, RelayFrame};
use sotto_relay::{
    Identity,
    server::{Relay, Settings},
    storage::sqlite::SqliteStorage,
};

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
    story::get,
};

const ALERTS: &str = include_str!("../../deploy/alerts.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana.json");
/// Words of PromQL and of other programs' series that look like series.
const NOT_OURS: [&str; 1] = ["up"];

/// A relay that stored, delivered and deleted something, and its metrics.
async fn metrics_of_a_day() -> String {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    let id = EnvelopeId::from([0xab; 16]);
    assert_eq!(alice.ask(bob.send(id, vec![0xcd; 64])).await.unwrap(), Answer::Done);
    assert_eq!(reader.deliver().await.unwrap().id, id);
    assert_eq!(reader.ask(bob.ack(vec![id])).await.unwrap(), Answer::Done);
    get(relay.metrics, "/metrics").await
}

/// The names of all series as Prometheus knows them.
fn series(metrics: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in metrics.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else { continue };
        let ends: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        names.extend(ends.iter().map(|end| format!("{name}{end}")));
    }
    names
}

/// What looks like a series in an expression.
fn named(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("sotto_relay_") || word.starts_with("process_") || NOT_OURS.contains(word))
}

#[tokio::test]
async fn a_day_is_counted_by_command_answer_and_delivery() {
    let metrics = metrics_of_a_day().await;
    for line in [
        "sotto_relay_answers_total{command=\"send\",answer=\"done\"} 1",
        "sotto_relay_command_seconds_count{command=\"send\"} 1",
        "sotto_relay_deliveries_total{kind=\"fresh\"} 1",
        "sotto_relay_delivery_lag_seconds_count 1",
        "sotto_relay_connections{transport=\"websocket\"} 2",
        "sotto_relay_unacknowledged 0",
        "sotto_relay_ready 1",
        "sotto_relay_backlog_envelopes ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn every_series_of_dashboard_and_alerts_is_told_by_a_relay() {
    let told = series(&metrics_of_a_day().await);
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = vec![];
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            expressions.push(target["expr"].as_str().unwrap());
        }
    }
    let on_dashboard = expressions.len();
    expressions.extend(ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: ")));
    assert!(on_dashboard > 30 && expressions.len() > on_dashboard + 10);
    for expression in expressions {
        let names: Vec<_> = named(expression).collect();
        assert!(!names.is_empty(), "{expression}");
        for name in names.iter().filter(|name| !NOT_OURS.contains(name)) {
            assert!(told.contains(*name), "{name} of `{expression}` is not among {told:#?}");
        }
    }
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do() {
    let alerts: Vec<_> = ALERTS.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        for part in ["expr: ", "severity: ", "summary: ", "meaning: ", "action: "] {
            assert_eq!(alert.matches(part).count(), 1, "{part} in {alert}");
        }
    }
}

/// What the relay says to a service manager that listens at `name`.
fn under_a_manager(socket: &UnixDatagram, name: &str) {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut command = relay::command("run", dir.path());
    command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "300000");
    let mut relay = RelayProcess::spawn(command);
    let said = |beginning: &str| {
        let mut bytes = [0; 1_024];
        loop {
            let length = socket.recv(&mut bytes).unwrap();
            let text = str::from_utf8(&bytes[..length]).unwrap();
            if text.starts_with(beginning) {
                return text.to_owned();
            }
        }
    };
    let ready = said("READY=1\n");
    assert!(ready.contains("STATUS=0 connections, 0 mailboxes read, storage works"), "{ready}");
    // Each of these has been through core and writer.
    for _ in 0..3 {
        said("WATCHDOG=1\n");
    }
    let (status, log) = relay.terminate();
    assert!(status.success(), "{log}");
    said("STOPPING=1\n");
}

#[test]
fn a_service_manager_hears_ready_alive_and_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    under_a_manager(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
    let name = format!("sotto-relay-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    under_a_manager(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

#[tokio::test]
async fn where_memory_runs_out_senders_wait_and_readers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let bob = Owner::new(1);
    let id = EnvelopeId::from([1; 16]);
    {
        let mut relay = RelayProcess::start(dir.path());
        let mut alice = Client::reader(relay.address, &bob).await.unwrap();
        assert_eq!(alice.ask(bob.send(id, vec![1; 64])).await.unwrap(), Answer::Done);
        assert!(relay.terminate().0.success());
    }
    // Of so little this process uses more than nine tenths, whatever it is built with; a host's configuration refuses it.
    let memory_bytes_max = Some(1024 * 1024);
    let here = "127.0.0.1:0".parse().unwrap();
    let settings = Settings { memory_bytes_max, metrics_listen: Some(here), ..Settings::plain(here) };
    let storage = SqliteStorage::open(&dir.path().join("relay.db")).await.unwrap();
    let relay = Relay::start(settings, Identity::from_secret(&[7; 32]), storage).unwrap();
    let mut alice = Client::connect(relay.address()).await.unwrap();
    // The first look at the memory is the first thing that the relay does.
    for command in [Owner::new(2).create(), bob.send(EnvelopeId::from([2; 16]), vec![1])] {
        let Answer::Busy { retry_after_secs } = alice.ask(command).await.unwrap() else { panic!("let in") };
        assert!(retry_after_secs > 2);
    }
    let metrics = get(relay.metrics_address().unwrap(), "/metrics").await;
    assert!(metrics.contains("sotto_relay_memory_max_bytes 1048576"), "{metrics}");
}

#[tokio::test]
async fn who_does_not_read_holds_a_window_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let bob = Owner::new(1);
    let mut reader = Client::reader(relay.address, &bob).await.unwrap();
    let mut alice = Client::connect(relay.address).await.unwrap();
    for number in 0_u8..200 {
        assert_eq!(alice.ask(bob.send(EnvelopeId::from([number; 16]), vec![2; 60_000])).await.unwrap(), Answer::Done);
    }
    let metrics = get(relay.metrics, "/metrics").await;
    let bytes = metrics.lines().find_map(|line| line.strip_prefix("sotto_relay_unacknowledged_bytes ")).unwrap();
    assert!(bytes.parse::<usize>().unwrap() <= 4 * 1024 * 1024, "{bytes}");
    let mut got = 0;
    while got < 200 {
        if let RelayFrame::Deliver(deliver) = reader.receive().await.unwrap() {
            got += 1;
            reader.request(bob.ack(vec![deliver.id])).await.unwrap();
        }
    }
}
