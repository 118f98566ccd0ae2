//! Throughput and CPU with everybody there: 50 pairs, 1 KiB a message, 16 on their way, an ack after the commit, a delete after
//! the receiver's ack.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{
    bare,
    client::{Client, Owner},
    load, median, process,
    relay::{self, RelayProcess},
    say,
};

const PAIRS: u64 = 50;
const WINDOW: usize = 16;
const PAYLOAD_BYTES: usize = 1_024;
const MESSAGES_PER_PAIR: u64 = 1_000;
const RUNS: usize = 5;

/// One run.
struct Run {
    /// Messages a second.
    rate: f64,
    /// CPU seconds of the server for a thousand messages.
    cpu_secs: f64,
}

impl Run {
    fn of(started: Instant, cpu_secs: f64) -> Self {
        let messages = (PAIRS * MESSAGES_PER_PAIR) as f64;
        Self { rate: messages / started.elapsed().as_secs_f64(), cpu_secs: cpu_secs / messages * 1_000.0 }
    }
}

pub(crate) async fn measure() {
    let (mut relays, mut routers) = (vec![], vec![]);
    for run in 1..=RUNS {
        let (relay, router) = (relay_run().await, router_run().await);
        let (rate, limit) = (relay.rate, router.rate);
        let (cpu, limit_cpu) = (relay.cpu_secs, router.cpu_secs);
        say(&format!("online, run {run}: {rate:.0}/s, {cpu:.4} s CPU per 1,000; limit {limit:.0}/s, {limit_cpu:.4} s"));
        relays.push(relay);
        routers.push(router);
    }
    let ratios = relays.iter().zip(&routers).map(|(relay, router)| relay.rate / router.rate);
    say(&format!("online: {:.2} of the limit (goal 0.60)", median(ratios.collect())));
    let cpu_secs = |runs: Vec<Run>| median(runs.iter().map(|run| run.cpu_secs).collect());
    let (cpu, limit) = (cpu_secs(relays), cpu_secs(routers));
    say(&format!("online: {cpu:.4} s server CPU per 1,000 messages (goal 0.0200); limit {limit:.4} s"));
}

async fn relay_run() -> Run {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let owner = Owner::new(number);
        let reader = Client::reader(relay.address, &owner).await.expect("a reader");
        let sender = Client::connect(relay.address).await.expect("a sender");
        let frames = load::sends(&owner, 0..MESSAGES_PER_PAIR, PAYLOAD_BYTES);
        pairs.push((owner, sender, reader, frames));
    }
    let cpu_before = process::cpu_secs(relay.pid());
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (owner, sender, reader, frames) in pairs {
        tasks.spawn(load::send(frames, sender, WINDOW));
        tasks.spawn(load::read(vec![owner], reader, MESSAGES_PER_PAIR as usize));
    }
    let _open = tasks.join_all().await;
    Run::of(started, process::cpu_secs(relay.pid()) - cpu_before)
}

async fn router_run() -> Run {
    let dir = tempfile::tempdir().expect("a folder");
    let router = bare::Router::start(dir.path());
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let reader = bare::connect(router.address, "read", number).await;
        let frames = bare::messages(number * MESSAGES_PER_PAIR, MESSAGES_PER_PAIR, PAYLOAD_BYTES);
        pairs.push((bare::connect(router.address, "send", number).await, reader, frames));
    }
    let cpu_before = process::cpu_secs(router.pid());
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for (sender, reader, frames) in pairs {
        tasks.spawn(bare::send(sender, frames, WINDOW));
        tasks.spawn(bare::read(reader, MESSAGES_PER_PAIR));
    }
    let _open = tasks.join_all().await;
    Run::of(started, process::cpu_secs(router.pid()) - cpu_before)
}
