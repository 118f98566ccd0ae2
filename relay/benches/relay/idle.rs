//! What a quiet subscribed connection costs: 15,000 of them, held by another process, for one round of pings. Each reads a mailbox
//! of its own and a channel that all of them read; then entries are appended to that, one at a time.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use sotto_outer::{
    Answer, Append, ChannelId, Command as RelayCommand, CreateChannel, OwnerKey, OwnerSignature, ReadCapability,
    ReadHash, RelayFrame, RelayIdentity, SubscribeChannel, VerifyKey, signed,
};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    client::{Client, Owner},
    load, median, process,
    relay::{self, RelayProcess},
    say,
};

const CONNECTIONS: u64 = 15_000;
/// Their own, so that what the first ones cost is the relay's own.
const FIRST: u64 = 100;
/// Of the clients' process.
const CONNECTING_MAX: usize = 64;
/// One round of pings: each is asked once.
const QUIET_SECS: u64 = 300;
const ENTRIES: u64 = 5;
const ENTRY_BYTES: usize = 1_024;
/// After an entry, so that all of its cost is counted.
const SETTLE: Duration = Duration::from_secs(1);

/// Clients in a process of their own.
pub(crate) struct IdleClients {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl IdleClients {
    /// Starts them, and returns when all have subscribed.
    pub(crate) fn start(address: SocketAddr, count: u64) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program);
        child.args(["idle-clients", &address.to_string(), &count.to_string()]).stdout(Stdio::piped());
        let mut child = child.spawn().expect("a process");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut clients = Self { child, said };
        clients.wait("subscribed");
        clients
    }

    fn wait(&mut self, expected: &str) {
        assert_eq!(self.said.next().expect("a line").expect("a line"), expected);
    }
}

impl Drop for IdleClients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let mut writer = Client::connect(relay.address).await.expect("a writer");
    assert_eq!(writer.ask(Channel::new().create()).await.expect("a relay"), Answer::Done);
    let before = process::resident_kib(relay.pid());
    let address = relay.address;
    let started = Instant::now();
    let clients = tokio::task::spawn_blocking(move || IdleClients::start(address, CONNECTIONS)).await;
    let clients = clients.expect("clients");
    say(&format!("idle: {CONNECTIONS} connected and subscribed in {:.1} s", started.elapsed().as_secs_f64()));
    let each = || (process::resident_kib(relay.pid()) - before) / CONNECTIONS as f64;
    let (at_once, cpu_before) = (each(), process::cpu_secs(relay.pid()));
    sleep(Duration::from_secs(QUIET_SECS)).await;
    let cpu_secs = process::cpu_secs(relay.pid()) - cpu_before;
    say(&format!("idle: {at_once:.1} KiB resident each, {:.1} KiB after {QUIET_SECS} s (goal 14.0)", each()));
    say(&format!("idle: {:.2} % CPU over {QUIET_SECS} s (goal 0.50)", cpu_secs / QUIET_SECS as f64 * 100.0));
    reach_all(&relay, clients, writer).await;
    say(&format!("idle: {:.1} KiB resident each after {ENTRIES} entries", each()));
}

/// Appends entries, one when the one before has reached everybody.
async fn reach_all(relay: &RelayProcess, mut clients: IdleClients, mut writer: Client) {
    let (mut took, cpu_before) = (vec![], process::cpu_secs(relay.pid()));
    for number in 1..=ENTRIES {
        let append = Channel::new().append(&writer.relay, number);
        let started = Instant::now();
        assert_eq!(writer.ask(append).await.expect("a relay"), Answer::Appended { seq: number });
        let waiting = tokio::task::spawn_blocking(move || {
            clients.wait(&format!("entry {number}"));
            clients
        });
        clients = waiting.await.expect("clients");
        took.push(started.elapsed().as_secs_f64());
        sleep(SETTLE).await;
    }
    let cpu_secs = process::cpu_secs(relay.pid()) - cpu_before;
    let micros = cpu_secs / (ENTRIES * CONNECTIONS) as f64 * 1e6;
    let (most, middle) = (took.iter().copied().fold(0.0, f64::max), median(took));
    say(&format!("idle: an entry reaches all in {middle:.2} s, {most:.2} s at most (goal 2.00)"));
    say(&format!("idle: {micros:.1} µs CPU a reader for an entry (goal 25.0)"));
}

/// What everybody reads.
struct Channel(SigningKey);

impl Channel {
    fn new() -> Self {
        Self(SigningKey::from_bytes(&[9; 32]))
    }

    fn id() -> ChannelId {
        [9; 16].into()
    }

    fn capability() -> ReadCapability {
        [9; 32].into()
    }

    fn create(&self) -> RelayCommand {
        let key = self.0.verifying_key().to_bytes();
        RelayCommand::CreateChannel(CreateChannel {
            channel: Self::id(),
            owner: OwnerKey::from(key),
            verify_key: VerifyKey::from(key),
            read_hash: ReadHash::from(<[u8; 32]>::from(Sha256::digest(Self::capability().as_bytes()))),
            token: None,
            proof: None,
        })
    }

    fn subscribe() -> RelayCommand {
        let (channel, capability) = (Self::id(), Self::capability());
        RelayCommand::SubscribeChannel(SubscribeChannel { channel, generation: 0, capability, after: 0 })
    }

    fn append(&self, relay: &RelayIdentity, number: u64) -> RelayCommand {
        let (id, entry) = (*load::id(number).as_bytes(), vec![7; ENTRY_BYTES]);
        let append = Append {
            channel: Self::id(),
            generation: 0,
            id: id.into(),
            entry,
            signature: OwnerSignature::from([0; 64]),
        };
        let signature = self.0.sign(&signed::append(relay, &append)).to_bytes().into();
        RelayCommand::Append(Append { signature, ..append })
    }
}

async fn quiet(address: SocketAddr, number: u64) -> Client {
    let mut client = Client::reader(address, &Owner::new(number)).await.expect("a reader");
    while !matches!(client.receive().await.expect("a relay"), RelayFrame::CaughtUp { .. }) {}
    client
}

/// Holds `count` clients until it is killed; says when all have subscribed, and when all have an entry.
pub(crate) fn serve(address: &str, count: &str) {
    let (address, count): (SocketAddr, u64) = (address.parse().expect("an address"), count.parse().expect("a count"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (connecting, mut clients) = (Arc::new(Semaphore::new(CONNECTING_MAX)), JoinSet::new());
        let (subscribed, mut waiting) = tokio::sync::mpsc::unbounded_channel();
        let (has, mut having) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..count {
            let (connecting, subscribed, has) = (Arc::clone(&connecting), subscribed.clone(), has.clone());
            clients.spawn(async move {
                let turn = connecting.acquire_owned().await.expect("a turn");
                let mut client = quiet(address, number).await;
                assert_eq!(client.ask(Channel::subscribe()).await.expect("a relay"), Answer::Done);
                drop(turn);
                subscribed.send(()).expect("somebody waits");
                // Answers pings as they come.
                while let Ok(frame) = client.receive().await {
                    if let RelayFrame::Entry(entry) = frame {
                        has.send(entry.seq).expect("somebody counts");
                    }
                }
            });
        }
        for _ in 0..count {
            waiting.recv().await.expect("a client");
        }
        writeln!(std::io::stdout(), "subscribed").expect("an output");
        for number in 1.. {
            for _ in 0..count {
                assert_eq!(having.recv().await.expect("a client"), number, "one after the other");
            }
            writeln!(std::io::stdout(), "entry {number}").expect("an output");
        }
    });
}
