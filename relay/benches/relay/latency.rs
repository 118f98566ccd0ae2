//! Latency at an easy pace: 200 messages a second over 50 pairs, each sent when its time has come whatever became of those
//! before. From send to `done`, and from send to the reader.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use sotto_outer::{ClientFrame, RelayFrame};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::sleep_until,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message},
};

use crate::{
    bare,
    client::{Client, Owner},
    load, median,
    relay::{self, RelayProcess},
    say,
};

const PAIRS: u64 = 50;
const PER_SECOND: u32 = 200;
const MESSAGES_PER_PAIR: u64 = 40;
const PAYLOAD_BYTES: usize = 1_024;
const RUNS: usize = 5;

type Socket = WebSocketStream<TcpStream>;

/// What was measured of one message.
enum Took {
    Done(Duration),
    Delivered(Duration),
}

/// Milliseconds, from send to what.
#[derive(Default)]
struct Latencies {
    done: Vec<f64>,
    delivered: Vec<f64>,
}

/// When which message of which pair is to be sent.
#[derive(Clone, Copy)]
struct Pace {
    started: Instant,
}

impl Pace {
    fn start() -> Self {
        Self { started: Instant::now() + Duration::from_millis(100) }
    }

    /// When a message is due.
    fn due(self, pair: u64, number: u64) -> Instant {
        self.started + Duration::from_secs(1) * u32::try_from(number * PAIRS + pair).expect("small") / PER_SECOND
    }

    async fn until(self, pair: u64, number: u64) {
        sleep_until(self.due(pair, number).into()).await;
    }

    fn stamp(self) -> [u8; 8] {
        (self.started.elapsed().as_nanos() as u64).to_be_bytes()
    }

    fn since(self, stamp: &[u8]) -> Duration {
        let sent = Duration::from_nanos(u64::from_be_bytes(*stamp.first_chunk().expect("a stamp")));
        self.started.elapsed().saturating_sub(sent)
    }
}

/// Counts one run.
struct Meter {
    pace: Pace,
    took: UnboundedSender<Took>,
    taken: UnboundedReceiver<Took>,
}

impl Meter {
    fn new() -> Self {
        let (took, taken) = unbounded_channel();
        Self { pace: Pace::start(), took, taken }
    }

    async fn gather(self, tasks: JoinSet<Socket>) -> Latencies {
        let Self { pace: _, took, mut taken } = self;
        drop(took);
        let _open = tasks.join_all().await;
        let mut latencies = Latencies::default();
        while let Some(took) = taken.recv().await {
            match took {
                Took::Done(took) => latencies.done.push(took.as_secs_f64() * 1_000.0),
                Took::Delivered(took) => latencies.delivered.push(took.as_secs_f64() * 1_000.0),
            }
        }
        latencies
    }
}

/// The value below which this share of all lies.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

pub(crate) async fn measure() {
    let (mut relays, mut routers) = (vec![], vec![]);
    for _ in 0..RUNS {
        relays.push(relay_run().await);
        routers.push(router_run().await);
    }
    let of = |runs: &[Latencies], values: fn(&Latencies) -> &Vec<f64>, share| {
        median(runs.iter().map(|run| quantile(values(run), share)).collect())
    };
    for (what, values) in
        [("done", (|run| &run.done) as fn(&Latencies) -> &Vec<f64>), ("delivered", |run| &run.delivered)]
    {
        for (name, share, goal) in [("p50", 0.5, 1.5), ("p99", 0.99, 3.0)] {
            let (relay, limit) = (of(&relays, values, share), of(&routers, values, share));
            let ratio = relay / limit;
            say(&format!("latency: {what} {name} {relay:.3} ms, limit {limit:.3} ms: {ratio:.2} (goal {goal:.2})"));
        }
    }
}

async fn relay_run() -> Latencies {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut pairs = vec![];
    for pair in 0..PAIRS {
        let owner = Owner::new(pair);
        let reader = Client::reader(relay.address, &owner).await.expect("a reader");
        pairs.push((pair, owner, reader.socket, Client::connect(relay.address).await.expect("a sender").socket));
    }
    let (meter, mut tasks) = (Meter::new(), JoinSet::new());
    for (pair, owner, reader, sender) in pairs {
        let (pace, to) = (meter.pace, owner.clone());
        tasks.spawn(send(pace, pair, sender, meter.took.clone(), move |number| {
            let payload = [&pace.stamp()[..], &[7; PAYLOAD_BYTES - 8]].concat();
            let request = u32::try_from(number).expect("a small number");
            ClientFrame { request, command: to.send(load::id(number), payload) }.encode().into()
        }));
        tasks.spawn(read(reader, meter.took.clone(), move |frame| match RelayFrame::decode(&frame) {
            Ok(RelayFrame::Deliver(deliver)) => {
                let ack = ClientFrame { request: 1_000, command: owner.ack(vec![deliver.id]) };
                Some((pace.since(&deliver.payload), ack.encode().into()))
            }
            Ok(RelayFrame::Answer { .. } | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_)) => None,
            Err(error) => panic!("{error}"),
        }));
    }
    meter.gather(tasks).await
}

async fn router_run() -> Latencies {
    let dir = tempfile::tempdir().expect("a folder");
    let router = bare::Router::start(dir.path());
    let mut pairs = vec![];
    for pair in 0..PAIRS {
        let mut reader = bare::connect(router.address, "read", pair).await;
        reader.send(Message::Binary(Bytes::new())).await.expect("a router");
        pairs.push((pair, reader, bare::connect(router.address, "send", pair).await));
    }
    let (meter, mut tasks) = (Meter::new(), JoinSet::new());
    for (pair, reader, sender) in pairs {
        let pace = meter.pace;
        tasks.spawn(send(pace, pair, sender, meter.took.clone(), move |number| {
            [&number.to_be_bytes()[..], &pace.stamp(), &[7; PAYLOAD_BYTES - 8]].concat().into()
        }));
        tasks.spawn(read(reader, meter.took.clone(), move |message| {
            Some((pace.since(&message[8..]), message.slice(..8)))
        }));
    }
    meter.gather(tasks).await
}

/// Sends at its pace, waiting for no answer, and measures until each comes.
async fn send(
    pace: Pace,
    pair: u64,
    socket: Socket,
    took: UnboundedSender<Took>,
    message: impl Fn(u64) -> Bytes,
) -> Socket {
    let (mut sink, mut stream) = socket.split();
    let (sent, mut asked) = unbounded_channel();
    let sending = async {
        for number in 0..MESSAGES_PER_PAIR {
            pace.until(pair, number).await;
            sent.send(Instant::now()).expect("somebody counts");
            sink.send(Message::Binary(message(number))).await.expect("a server");
        }
    };
    let answered = async {
        for _ in 0..MESSAGES_PER_PAIR {
            stream.next().await.expect("an answer").expect("a server");
            let sent: Instant = asked.recv().await.expect("what was sent");
            took.send(Took::Done(sent.elapsed())).expect("somebody counts");
        }
    };
    tokio::join!(sending, answered);
    sink.reunite(stream).expect("one socket")
}

/// Takes what comes, and says that it did. `take` gives how long a message took, and its ack.
async fn read(
    mut socket: Socket,
    took: UnboundedSender<Took>,
    take: impl Fn(Bytes) -> Option<(Duration, Bytes)>,
) -> Socket {
    let mut left = MESSAGES_PER_PAIR;
    while left > 0 {
        let message = socket.next().await.expect("a message").expect("a server").into_data();
        let Some((since, ack)) = take(message) else { continue };
        took.send(Took::Delivered(since)).expect("somebody counts");
        socket.send(Message::Binary(ack)).await.expect("a server");
        left -= 1;
    }
    socket
}
