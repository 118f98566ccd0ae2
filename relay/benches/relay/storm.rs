//! Storms, and what others notice of them: 5,000 clients that come back at once, 100,000 malformed frames, 2,000 requests and as many
//! TLS hellos that come a byte at a time and never end, a flood of subscriptions with forged signatures. Others send 200 messages a
//! second meanwhile, and before.
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
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    blobs_client::{self, Place, Stream},
    client::{Client, Gone, Owner},
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
/// After a storm, or what it made ready.
const SETTLE: Duration = Duration::from_secs(2);
const RETURNING: u64 = 5_000;
const MALFORMED: u64 = 100_000;
const HALF_OPEN: usize = 2_000;
/// Between two bytes of those who never end.
const BYTE: Duration = Duration::from_millis(500);
const FLOODING: u64 = 10;

/// What the others' sends took: when, and milliseconds until `done`.
type Taken = Arc<Mutex<Vec<(Instant, f64)>>>;

/// A client, over TLS or not.
type Anybody = Client<Box<dyn Stream>>;

/// Clients in a process of their own, with low priority.
struct Storm {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    told: ChildStdin,
}

impl Storm {
    fn start(kind: &str, tls: &str, address: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new("nice");
        child.args(["-n", "19"]).arg(program).args(["storm-clients", kind, tls, &address.to_string()]);
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
    rage_at("off", &["returning", "malformed", "half-open", "flooding"]).await;
    rage_at("own", &["returning", "hellos", "half-open"]).await;
}

async fn rage_at(tls: &str, kinds: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init_tls(dir.path(), tls);
    let relay = RelayProcess::start(dir.path());
    let (taken, mut others, place) = (Taken::default(), JoinSet::new(), place(tls, relay.address));
    for number in 0..OTHERS {
        let owner = Owner::new(1_000_000 + number);
        let reader = reader(&place, &owner).await.expect("a reader");
        others.spawn(send(number, owner.clone(), connect(&place).await.expect("a sender"), Arc::clone(&taken)));
        others.spawn(read(owner, reader));
    }
    for kind in kinds {
        let mut storm = Storm::start(kind, tls, relay.address);
        storm.wait();
        sleep(SETTLE).await;
        process::forget_peak(relay.pid());
        let (began, before) = (Instant::now(), process::resident_kib(relay.pid()));
        sleep(WATCH).await;
        let struck = Instant::now();
        let storm = storm.rage().await;
        let (quiet, storming) = (p99(&taken, began, struck), p99(&taken, struck, Instant::now()));
        let (secs, ratio) = (struck.elapsed().as_secs_f64(), storming / quiet);
        let mib = |kib: f64| kib / 1_024.0;
        say(&format!(
            "storm: {kind}, TLS {tls}, {secs:.1} s: others' p99 {storming:.2} ms, {quiet:.2} ms before: {ratio:.2} (goal 2.00); \
             {:.0} MiB, {:.0} MiB before",
            mib(process::peak_kib(relay.pid())),
            mib(before)
        ));
        drop(storm);
        sleep(SETTLE).await;
    }
}

fn place(tls: &str, address: SocketAddr) -> Place {
    if tls == "off" { Place::plain(address) } else { Place::tls(address) }
}

async fn connect(place: &Place) -> Result<Anybody, Gone> {
    Client::over(place.dial().await.map_err(|_| Gone)?, place.address).await
}

async fn reader(place: &Place, owner: &Owner) -> Result<Anybody, Gone> {
    let mut client = connect(place).await?;
    assert_eq!(ask(&mut client, owner.create()).await?, Answer::Done);
    let subscribe = owner.subscribe(&client);
    let Answer::Subscribed(_) = ask(&mut client, subscribe).await? else { panic!("not subscribed") };
    Ok(client)
}

/// Asks as clients do: again when it is time to, where the relay has too much to do.
async fn ask(client: &mut Anybody, command: sotto_outer::Command) -> Result<Answer, Gone> {
    loop {
        match client.ask(command.clone()).await? {
            Answer::Busy { retry_after_secs } => sleep(Duration::from_secs(retry_after_secs.into())).await,
            answer => return Ok(answer),
        }
    }
}

/// Of the sends that were begun between two times.
fn p99(taken: &Taken, from: Instant, to: Instant) -> f64 {
    let taken = taken.lock().expect("a lock");
    let within: Vec<_> = taken.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, took)| *took).collect();
    quantile(&within, 0.99)
}

/// One of the others: sends when its time has come, one after the other.
async fn send(number: u64, owner: Owner, mut sender: Anybody, taken: Taken) {
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

async fn read(owner: Owner, mut reader: Anybody) {
    while let Ok(frame) = reader.receive().await {
        if let RelayFrame::Deliver(deliver) = frame {
            reader.request(owner.ack(vec![deliver.id])).await.expect("a relay");
        }
    }
}

/// The process of a storm: is ready, waits to be told, rages, is ready again, and lasts until it is killed.
pub(crate) fn serve(kind: &str, tls: &str, address: &str) {
    let address: SocketAddr = address.parse().expect("an address");
    let place = place(tls, address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut returning = if kind == "returning" { all_return(&place).await } else { JoinSet::new() };
        tell_ready();
        tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await.expect("a thread");
        match kind {
            "returning" => {
                returning.shutdown().await;
                returning = all_return(&place).await;
            }
            "hellos" => hellos(address).await,
            "malformed" => malformed(address).await,
            "half-open" => half_open(&place).await,
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
async fn all_return(place: &Place) -> JoinSet<()> {
    let (mut clients, (subscribed, mut waiting)) = (JoinSet::new(), tokio::sync::mpsc::unbounded_channel());
    for number in 0..RETURNING {
        let (subscribed, place) = (subscribed.clone(), place.clone());
        clients.spawn(async move {
            let mut client = loop {
                // Where the backlog is full the system turns them away.
                match reader(&place, &Owner::new(number)).await {
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
async fn half_open(place: &Place) {
    let mut clients = JoinSet::new();
    for _ in 0..HALF_OPEN {
        let place = place.clone();
        clients.spawn(async move {
            loop {
                let Ok(mut stream) = place.dial().await else {
                    sleep(BYTE).await;
                    continue;
                };
                let head = b"GET /v1/stream HTTP/1.1\r\nHost: relay\r\nX-Slow: ";
                drip(&mut stream, head.iter().chain(std::iter::repeat(&b'x'))).await;
            }
        });
    }
    sleep(WATCH).await;
}

/// The first message of TLS byte by byte, or all but its last byte and then nothing; whoever is cut begins anew.
async fn hellos(address: SocketAddr) {
    let mut clients = JoinSet::new();
    for number in 0..HALF_OPEN {
        clients.spawn(async move {
            let config = blobs_client::trusting();
            let mut tls = rustls::ClientConnection::new(config, blobs_client::name()).expect("a connection");
            let mut hello = vec![];
            tls.write_tls(&mut hello).expect("a hello");
            loop {
                let Ok(mut stream) = TcpStream::connect(address).await else {
                    sleep(BYTE).await;
                    continue;
                };
                if number % 2 == 0 {
                    drip(&mut stream, hello.iter()).await;
                } else if stream.write_all(&hello[..hello.len() - 1]).await.is_ok() {
                    let _ = stream.read(&mut [0]).await;
                }
            }
        });
    }
    sleep(WATCH).await;
}

/// Writes a byte at a time, until they end or it is cut.
async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: impl Iterator<Item = &u8>) {
    let mut ticks = interval(BYTE);
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        ticks.tick().await;
    }
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
