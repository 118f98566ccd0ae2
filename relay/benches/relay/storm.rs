//! Storms, and what others notice of them: 5,000 clients that come back at once, 100,000 malformed frames, 500 requests that never
//! end, a flood of subscriptions with forged signatures. Others send 200 messages a second meanwhile, and before.
//!
//! The storms come from processes of low priority, so that what is measured is the relay and not a race for this machine.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::SinkExt;
use sotto_outer::{Answer, Lease, RelayFrame, Subscribe, Subscription};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    client::{Client, Owner},
    latency::quantile,
    load, process,
    relay::{self, RelayProcess},
    say,
};

/// Between two messages of the others.
const INTERVAL: Duration = Duration::from_millis(5);
const OTHERS: u64 = 10;
/// How long the others are watched before, and what has no end by itself lasts.
const WATCH: Duration = Duration::from_secs(10);
const RETURNING: u64 = 5_000;
const MALFORMED: u64 = 100_000;
const HALF_OPEN: usize = 500;
const FLOODING: u64 = 10;

/// What the others' sends took: when, and milliseconds until `done`.
type Taken = Arc<Mutex<Vec<(Instant, f64)>>>;

/// Clients in a process of their own, with low priority.
struct Storm {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    told: ChildStdin,
}

impl Storm {
    fn start(kind: &str, address: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new("nice");
        child.args(["-n", "19"]).arg(program).args(["storm-clients", kind, &address.to_string()]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let told = child.stdin.take().expect("a pipe");
        Self { child, said, told }
    }

    /// Tells it to begin, and waits until it is over.
    async fn rage(mut self) -> Self {
        let raged = tokio::task::spawn_blocking(move || {
            writeln!(self.told, "go").expect("a storm");
            self.wait();
            self
        });
        raged.await.expect("a storm")
    }

    fn wait(&mut self) {
        let line = self.said.next().expect("a line").expect("a line");
        assert_eq!(line, "ready");
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn measure() {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let (taken, mut others) = (Taken::default(), JoinSet::new());
    for number in 0..OTHERS {
        let owner = Owner::new(1_000_000 + number);
        let reader = Client::reader(relay.address, &owner).await.expect("a reader");
        let sender = Client::connect(relay.address).await.expect("a sender");
        others.spawn(send(number, owner.clone(), sender, Arc::clone(&taken)));
        others.spawn(read(owner, reader));
    }
    for kind in ["returning", "malformed", "half-open", "flooding"] {
        let mut storm = Storm::start(kind, relay.address);
        storm.wait();
        let began = Instant::now();
        sleep(WATCH).await;
        let struck = Instant::now();
        let storm = storm.rage().await;
        let (quiet, storming) = (p99(&taken, began, struck), p99(&taken, struck, Instant::now()));
        let (secs, ratio) = (struck.elapsed().as_secs_f64(), storming / quiet);
        say(&format!(
            "storm: {kind}, {secs:.1} s: others' p99 {storming:.2} ms, {quiet:.2} ms before: {ratio:.2} (goal 2.00); \
             {:.0} MiB at most",
            process::peak_kib(relay.pid()) / 1_024.0
        ));
        drop(storm);
        sleep(Duration::from_secs(2)).await;
    }
}

/// Of the sends that were begun between two times.
fn p99(taken: &Taken, from: Instant, to: Instant) -> f64 {
    let taken = taken.lock().expect("a lock");
    let within: Vec<_> = taken.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, took)| *took).collect();
    quantile(&within, 0.99)
}

/// One of the others: sends when its time has come, one after the other.
async fn send(number: u64, owner: Owner, mut sender: Client, taken: Taken) {
    let started = Instant::now() + INTERVAL * u32::try_from(number).expect("small");
    for nth in 0_u32.. {
        let due = started + INTERVAL * nth * OTHERS as u32;
        sleep_until(due.into()).await;
        let at = Instant::now();
        let answer = sender.ask(owner.send(load::id(nth.into()), vec![7; 1_024])).await.expect("a relay");
        assert_eq!(answer, Answer::Done);
        // From when it was due: what comes late because those before took long is late.
        taken.lock().expect("a lock").push((at, due.elapsed().as_secs_f64() * 1_000.0));
    }
}

async fn read(owner: Owner, mut reader: Client) {
    while let Ok(frame) = reader.receive().await {
        if let RelayFrame::Deliver(deliver) = frame {
            reader.request(owner.ack(vec![deliver.id])).await.expect("a relay");
        }
    }
}

/// The process of a storm: is ready, waits to be told, rages, is ready again, and lasts until it is killed.
pub(crate) fn serve(kind: &str, address: &str) {
    let address: SocketAddr = address.parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut returning = if kind == "returning" { all_return(address).await } else { JoinSet::new() };
        tell_ready();
        tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await.expect("a thread");
        match kind {
            "returning" => {
                returning.shutdown().await;
                returning = all_return(address).await;
            }
            "malformed" => malformed(address).await,
            "half-open" => half_open(address).await,
            "flooding" => flood(address).await,
            other => panic!("no storm is called {other}"),
        }
        tell_ready();
        std::future::pending::<()>().await;
        drop(returning);
    });
}

fn tell_ready() {
    let mut out = std::io::stdout();
    writeln!(out, "ready").and_then(|()| out.flush()).expect("an output");
}

/// All connect and subscribe at once; they stay until their tasks are dropped.
async fn all_return(address: SocketAddr) -> JoinSet<()> {
    let (mut clients, (subscribed, mut waiting)) = (JoinSet::new(), tokio::sync::mpsc::unbounded_channel());
    for number in 0..RETURNING {
        let subscribed = subscribed.clone();
        clients.spawn(async move {
            let mut client = loop {
                // Where the backlog is full the system turns them away.
                match Client::reader(address, &Owner::new(number)).await {
                    Ok(client) => break client,
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            };
            subscribed.send(()).expect("somebody waits");
            while client.receive().await.is_ok() {}
        });
    }
    for _ in 0..RETURNING {
        waiting.recv().await.expect("a client");
    }
    clients
}

/// Each on a connection of its own, for it ends it.
async fn malformed(address: SocketAddr) {
    let (turns, mut clients) = (Arc::new(Semaphore::new(64)), JoinSet::new());
    for number in 0..MALFORMED {
        let turn = Arc::clone(&turns).acquire_owned().await.expect("a turn");
        clients.spawn(async move {
            let stream = from_many_places(address, number).await;
            let (mut socket, _) = client_async(format!("ws://{address}/v1/stream"), stream).await.expect("a relay");
            let _ = socket.send(Message::Binary(vec![0xff; 100].into())).await;
            while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
            drop(turn);
        });
        while clients.try_join_next().is_some() {}
    }
    clients.join_all().await;
}

/// One address has not ports enough for connections that ended a short while ago.
async fn from_many_places(address: SocketAddr, number: u64) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let place = u8::try_from(number % 16).expect("small") + 1;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, place)), 0)).expect("an address");
    socket.connect(address).await.expect("a relay")
}

/// Requests that come byte by byte; whoever is cut begins anew.
async fn half_open(address: SocketAddr) {
    let mut clients = JoinSet::new();
    for _ in 0..HALF_OPEN {
        clients.spawn(async move {
            let mut ticks = interval(Duration::from_millis(500));
            loop {
                let mut stream = TcpStream::connect(address).await.expect("a relay");
                let head = b"GET /v1/stream HTTP/1.1\r\nHost: relay\r\nX-Slow: ";
                if stream.write_all(head).await.is_err() {
                    continue;
                }
                while stream.write_all(b"x").await.is_ok() {
                    ticks.tick().await;
                }
            }
        });
    }
    sleep(WATCH).await;
}

/// Subscriptions to mailboxes of others, with forged signatures, as many as the relay takes.
async fn flood(address: SocketAddr) {
    let mut clients = JoinSet::new();
    for number in 0..FLOODING {
        clients.spawn(async move {
            let forged = |nth: u64| Subscription {
                mailbox: Owner::new(nth % RETURNING).receive_id(),
                confirmed: None,
                new: Lease::from([1; 16]),
                signature: [9; 64].into(),
            };
            let mailboxes: Vec<_> = (number * 512..(number + 1) * 512).map(forged).collect();
            let mut client = Client::connect(address).await.expect("a relay");
            loop {
                let subscribe = sotto_outer::Command::Subscribe(Subscribe { mailboxes: mailboxes.clone() });
                if let Answer::Busy { .. } = client.ask(subscribe).await.expect("a relay") {
                    client = Client::connect(address).await.expect("a relay");
                }
            }
        });
    }
    sleep(WATCH).await;
}
