//! The relay's throughput beside its limit: a bare WebSocket router with one batched SQLite insert and delete for each
//! message. `cargo bench -p sotto-relay`.
//!
//! Both run in a process of their own, in turn; the same load comes from this one: 50 pairs, 1 KiB a message, 16 on their way,
//! plain loopback, an ack after the commit, a delete after the receiver's ack. The router knows no mailbox, no capability, no
//! quota, no repeat; it cannot do less and still be durable. Then: what a quiet subscribed connection costs in memory.

#[path = "bare/mod.rs"]
mod bare;
#[path = "../tests/process/client.rs"]
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
mod client;
#[path = "../tests/process/relay.rs"]
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
mod relay;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use client::{Client, Owner};
use futures_util::FutureExt;
use relay::RelayProcess;
use sotto_outer::{Answer, EnvelopeId, RelayFrame};
use tokio::task::JoinSet;

const PAIRS: u64 = 50;
const WINDOW: usize = 16;
const PAYLOAD_BYTES: usize = 1_024;
const MESSAGES_PER_PAIR: u64 = 1_000;
const RUNS: usize = 5;
const QUIET_CONNECTIONS: u64 = 2_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("bare-router") {
        return bare::serve(Path::new(&arguments.next().expect("a folder")));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut relays, mut routers) = (vec![], vec![]);
        for run in 1..=RUNS {
            let (relay, router) = (relay_run().await, router_run().await);
            say(&format!("run {run}: relay {relay:>7.0} messages/s, bare router {router:>7.0} messages/s"));
            relays.push(relay);
            routers.push(router);
        }
        let (relay, router) = (median(relays), median(routers));
        say(&format!("median: relay {relay:.0}, bare router {router:.0}, ratio {:.2} (goal 0.40)", relay / router));
        say(&format!("quiet subscribed connection: {:.1} KiB resident (goal 16)", quiet_kib().await));
    });
}

/// Messages a second through the relay.
async fn relay_run() -> f64 {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let owner = Owner::new(number);
        let reader = Client::reader(relay.address, &owner).await.expect("a reader");
        let sender = Client::connect(relay.address).await.expect("a sender");
        pairs.push((owner, sender, reader));
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (owner, sender, reader) in pairs {
        tasks.spawn(send(owner.clone(), sender));
        tasks.spawn(read(owner, reader));
    }
    tasks.join_all().await;
    rate(started.elapsed())
}

async fn send(owner: Owner, mut sender: Client) {
    let (mut sent, mut answered) = (0, 0);
    while answered < MESSAGES_PER_PAIR {
        while sent < MESSAGES_PER_PAIR && sent - answered < WINDOW as u64 {
            sender.request(owner.send(id(sent), vec![7; PAYLOAD_BYTES])).await.expect("a relay");
            sent += 1;
        }
        let RelayFrame::Answer { answer, .. } = sender.receive().await.expect("a relay") else { panic!("an answer") };
        assert_eq!(answer, Answer::Done);
        answered += 1;
    }
}

/// Acknowledges whatever has come, in one frame.
async fn read(owner: Owner, mut reader: Client) {
    let (mut got, mut unanswered) = (0, 0);
    while got < MESSAGES_PER_PAIR || unanswered > 0 {
        let (mut ids, mut next) = (vec![], Some(reader.receive().await.expect("a relay")));
        while let Some(frame) = next {
            match frame {
                RelayFrame::Deliver(deliver) => ids.push(deliver.id),
                RelayFrame::Answer { answer, .. } => {
                    assert_eq!(answer, Answer::Done);
                    unanswered -= 1;
                }
                RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => {}
            }
            next = reader.receive().now_or_never().map(|frame| frame.expect("a relay"));
        }
        if !ids.is_empty() {
            got += ids.len() as u64;
            unanswered += 1;
            reader.request(owner.ack(ids)).await.expect("a relay");
        }
    }
}

/// Messages a second through the bare router.
async fn router_run() -> f64 {
    let dir = tempfile::tempdir().expect("a folder");
    let router = bare::Router::start(dir.path());
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let reader = bare::connect(router.address, "read", number).await;
        pairs.push((number, bare::connect(router.address, "send", number).await, reader));
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (number, sender, reader) in pairs {
        tasks.spawn(bare::send(sender, number * MESSAGES_PER_PAIR, MESSAGES_PER_PAIR, WINDOW as u64, PAYLOAD_BYTES));
        tasks.spawn(bare::read(reader, MESSAGES_PER_PAIR));
    }
    tasks.join_all().await;
    rate(started.elapsed())
}

/// Resident memory that one quiet subscribed connection costs, in KiB.
async fn quiet_kib() -> f64 {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut clients = vec![];
    // What the first ones cost is the relay's own.
    for number in 0..100 {
        clients.push(quiet(relay.address, number).await);
    }
    let before = resident_kib(relay.pid());
    for number in 100..100 + QUIET_CONNECTIONS {
        clients.push(quiet(relay.address, number).await);
    }
    (resident_kib(relay.pid()) - before) / QUIET_CONNECTIONS as f64
}

async fn quiet(address: SocketAddr, number: u64) -> Client {
    let mut client = Client::reader(address, &Owner::new(number)).await.expect("a reader");
    while !matches!(client.receive().await.expect("a relay"), RelayFrame::CaughtUp { .. }) {}
    client
}

fn resident_kib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn id(number: u64) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

fn rate(took: Duration) -> f64 {
    (PAIRS * MESSAGES_PER_PAIR) as f64 / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("an output");
}
