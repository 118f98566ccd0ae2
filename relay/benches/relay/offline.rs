//! Throughput with nobody there: 5,000 envelopes of 1 KiB are stored for readers who are away, then the readers come and take all:
//! until the last one has come.

use std::time::Instant;

use sotto_outer::{Command, Subscribe};
use tokio::task::JoinSet;

use crate::{
    bare,
    client::{Client, Owner},
    load, median,
    relay::{self, RelayProcess},
    say,
};

/// Senders, and as many readers.
const CONNECTIONS: u64 = 50;
const MAILBOXES_PER_CONNECTION: u64 = 2;
const ENVELOPES_PER_MAILBOX: u64 = 50;
const PER_CONNECTION: u64 = MAILBOXES_PER_CONNECTION * ENVELOPES_PER_MAILBOX;
const WINDOW: usize = 16;
const PAYLOAD_BYTES: usize = 1_024;
const RUNS: usize = 7;

/// Envelopes a second.
struct Run {
    store: f64,
    drain: f64,
}

pub(crate) async fn measure() {
    let mut runs = vec![];
    for run in 1..=RUNS {
        let (relay, router) = (relay_run().await, router_run().await);
        say(&format!(
            "offline, run {run}: store {:.0}/s, drain {:.0}/s; limit {:.0}/s and {:.0}/s",
            relay.store, relay.drain, router.store, router.drain
        ));
        runs.push((relay, router));
    }
    let store = median(runs.iter().map(|(relay, router)| relay.store / router.store).collect());
    let drain = median(runs.iter().map(|(relay, router)| relay.drain / router.drain).collect());
    say(&format!("offline: store {store:.2} of the limit (goal 0.60), drain {drain:.2} (goal 0.60)"));
}

async fn relay_run() -> Run {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let (mut storing, mut open) = (vec![], vec![]);
    for number in 0..CONNECTIONS {
        let mut sender = Client::connect(relay.address).await.expect("a sender");
        let mut frames = vec![];
        for owner in owners(number) {
            assert_eq!(sender.ask(owner.create()).await.expect("a relay"), sotto_outer::Answer::Done);
            frames.extend(load::sends(&owner, 0..ENVELOPES_PER_MAILBOX, PAYLOAD_BYTES));
        }
        storing.push((sender, frames));
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (sender, frames) in storing {
        tasks.spawn(load::send(frames, sender, WINDOW));
    }
    open.extend(tasks.join_all().await);
    let store = rate(started);

    let mut draining = vec![];
    for number in 0..CONNECTIONS {
        let reader = Client::connect(relay.address).await.expect("a reader");
        let mailboxes = owners(number).map(|owner| owner.subscription(&reader)).collect();
        draining.push((number, reader, Command::Subscribe(Subscribe { mailboxes })));
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (number, mut reader, subscribe) in draining {
        tasks.spawn(async move {
            reader.request(subscribe).await.expect("a relay");
            load::read(owners(number).collect(), reader, PER_CONNECTION as usize).await
        });
    }
    open.extend(tasks.join_all().await);
    Run { store, drain: rate(started) }
}

fn owners(connection: u64) -> impl Iterator<Item = Owner> {
    let first = connection * MAILBOXES_PER_CONNECTION;
    (first..first + MAILBOXES_PER_CONNECTION).map(Owner::new)
}

async fn router_run() -> Run {
    let dir = tempfile::tempdir().expect("a folder");
    let router = bare::Router::start(dir.path());
    let (mut storing, mut open) = (vec![], vec![]);
    for pair in 0..CONNECTIONS {
        let messages = bare::messages(pair * PER_CONNECTION, PER_CONNECTION, PAYLOAD_BYTES);
        storing.push((bare::connect(router.address, "send", pair).await, messages));
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (sender, messages) in storing {
        tasks.spawn(bare::send(sender, messages, WINDOW));
    }
    open.extend(tasks.join_all().await);
    let store = rate(started);

    let mut draining = vec![];
    for pair in 0..CONNECTIONS {
        draining.push(bare::connect(router.address, "read", pair).await);
    }
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for reader in draining {
        tasks.spawn(bare::read(reader, PER_CONNECTION));
    }
    open.extend(tasks.join_all().await);
    Run { store, drain: rate(started) }
}

fn rate(started: Instant) -> f64 {
    (CONNECTIONS * PER_CONNECTION) as f64 / started.elapsed().as_secs_f64()
}
