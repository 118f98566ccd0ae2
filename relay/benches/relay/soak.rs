//! Twenty minutes at 2,000 messages a second: resident memory, a line a minute. After the fifth it stays within 5 %.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use sotto_outer::{Answer, ClientFrame, RelayFrame};
use tokio::{task::JoinSet, time::sleep_until};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Owner},
    load, process,
    relay::{self, RelayProcess},
    say,
};

const MINUTES: u64 = 20;
/// After this many it is to be flat.
const WARM_MINUTES: usize = 5;
const PAIRS: u64 = 50;
/// Between two messages of one pair: 2,000 a second of all.
const INTERVAL: Duration = Duration::from_millis(25);
const PAYLOAD_BYTES: usize = 1_024;

pub(crate) async fn measure() {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for pair in 0..PAIRS {
        let owner = Owner::new(pair);
        let reader = Client::reader(relay.address, &owner).await.expect("a reader");
        let sender = Client::connect(relay.address).await.expect("a sender");
        tasks.spawn(send(started, owner.clone(), sender));
        tasks.spawn(read(owner, reader));
    }
    let (mut sizes, mut cpu_before) = (vec![], process::cpu_secs(relay.pid()));
    for minute in 1..=MINUTES {
        sleep_until((started + Duration::from_secs(60) * u32::try_from(minute).expect("small")).into()).await;
        let (mib, cpu) = (process::resident_kib(relay.pid()) / 1_024.0, process::cpu_secs(relay.pid()));
        say(&format!("soak: minute {minute}: {mib:.1} MiB resident, {:.1} % CPU", (cpu - cpu_before) / 0.6));
        cpu_before = cpu;
        sizes.push(mib);
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("all was answered");
    }
    let flat = &sizes[WARM_MINUTES - 1..];
    let (least, most) = (flat.iter().fold(f64::MAX, |a, b| a.min(*b)), flat.iter().fold(0.0, |a: f64, b| a.max(*b)));
    let spread = (most - least) / (most + least) * 100.0;
    say(&format!("soak: {least:.1} to {most:.1} MiB after minute {WARM_MINUTES}: ± {spread:.1} % (goal 5.0)"));
}

/// At its pace, whatever became of those before; each is answered `done` in the end.
async fn send(started: Instant, owner: Owner, client: Client) {
    let (mut sink, mut stream) = client.socket.split();
    let count = MINUTES * 60 * 1_000 / INTERVAL.as_millis() as u64;
    let sending = async {
        for number in 0..count {
            let request = u32::try_from(number).expect("a small number");
            sleep_until((started + INTERVAL * request).into()).await;
            let frame = ClientFrame { request, command: owner.send(load::id(number), vec![7; PAYLOAD_BYTES]) };
            sink.send(Message::Binary(frame.encode().into())).await.expect("a relay");
        }
    };
    let answered = async {
        for _ in 0..count {
            let message = loop {
                let message = stream.next().await.expect("a relay").expect("a relay");
                if message.is_binary() {
                    break message;
                }
            };
            let answer = RelayFrame::decode(&message.into_data());
            assert!(matches!(answer, Ok(RelayFrame::Answer { answer: Answer::Done, .. })), "{answer:?}");
        }
    };
    tokio::join!(sending, answered);
}

/// Until all is sent and the relay ends.
async fn read(owner: Owner, mut reader: Client) {
    let mut left = MINUTES * 60 * 1_000 / INTERVAL.as_millis() as u64;
    while left > 0 {
        if let RelayFrame::Deliver(deliver) = reader.receive().await.expect("a relay") {
            reader.request(owner.ack(vec![deliver.id])).await.expect("a relay");
            left -= 1;
        }
    }
}
