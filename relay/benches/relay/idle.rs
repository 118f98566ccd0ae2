//! What a quiet subscribed connection costs: 15,000 of them, held by another process, for two rounds of pings.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use sotto_outer::RelayFrame;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    client::{Client, Owner},
    process,
    relay::{self, RelayProcess},
    say,
};

const CONNECTIONS: u64 = 15_000;
/// Their own, so that what the first ones cost is the relay's own.
const FIRST: u64 = 100;
/// Of the clients' process.
const CONNECTING_MAX: usize = 64;
/// Two rounds of pings.
const QUIET_SECS: u64 = 90;

/// Clients in a process of their own.
pub(crate) struct IdleClients(Child);

impl IdleClients {
    /// Starts them, and returns when all have subscribed.
    pub(crate) fn start(address: SocketAddr, count: u64) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program);
        child.args(["idle-clients", &address.to_string(), &count.to_string()]).stdout(Stdio::piped());
        let mut child = child.spawn().expect("a process");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "subscribed\n");
        Self(child)
    }
}

impl Drop for IdleClients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn measure() {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut first = vec![];
    for number in CONNECTIONS..CONNECTIONS + FIRST {
        first.push(quiet(relay.address, number).await);
    }
    let before = process::resident_kib(relay.pid());
    let address = relay.address;
    let started = std::time::Instant::now();
    let clients = tokio::task::spawn_blocking(move || IdleClients::start(address, CONNECTIONS)).await;
    let _clients = clients.expect("clients");
    say(&format!("idle: {CONNECTIONS} connected and subscribed in {:.1} s", started.elapsed().as_secs_f64()));
    let each = || (process::resident_kib(relay.pid()) - before) / CONNECTIONS as f64;
    let (at_once, cpu_before) = (each(), process::cpu_secs(relay.pid()));
    sleep(Duration::from_secs(QUIET_SECS)).await;
    let cpu_secs = process::cpu_secs(relay.pid()) - cpu_before;
    say(&format!("idle: {at_once:.1} KiB resident each, {:.1} KiB after {QUIET_SECS} s (goal 14.0)", each()));
    say(&format!("idle: {:.2} % CPU over {QUIET_SECS} s (goal 0.50)", cpu_secs / QUIET_SECS as f64 * 100.0));
}

async fn quiet(address: SocketAddr, number: u64) -> Client {
    let mut client = Client::reader(address, &Owner::new(number)).await.expect("a reader");
    while !matches!(client.receive().await.expect("a relay"), RelayFrame::CaughtUp { .. }) {}
    client
}

/// Holds `count` clients until it is killed; says when all have subscribed.
pub(crate) fn serve(address: &str, count: &str) {
    let (address, count): (SocketAddr, u64) = (address.parse().expect("an address"), count.parse().expect("a count"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (connecting, mut clients) = (Arc::new(Semaphore::new(CONNECTING_MAX)), JoinSet::new());
        let (subscribed, mut waiting) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..count {
            let (connecting, subscribed) = (Arc::clone(&connecting), subscribed.clone());
            clients.spawn(async move {
                let turn = connecting.acquire_owned().await.expect("a turn");
                let mut client = quiet(address, number).await;
                drop(turn);
                subscribed.send(()).expect("somebody waits");
                // Answers pings as they come.
                while client.receive().await.is_ok() {}
            });
        }
        for _ in 0..count {
            waiting.recv().await.expect("a client");
        }
        writeln!(std::io::stdout(), "subscribed").expect("an output");
        clients.join_all().await;
    });
}
