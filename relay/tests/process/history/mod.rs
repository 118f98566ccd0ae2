//! A load whose history is checked, through random faults: kill -9, a full disk, a clock that jumps, a disk that takes 4 ms longer,
//! readers that stop reading. No envelope that was answered `done` is lost, none goes to a wrong mailbox, none comes back after it
//! was deleted, and each mailbox is read in order.
//!
//! `SEED=… FAULTS=200` replays the same faults in the same order; when exactly they strike is the machine's doing.

mod house;
mod record;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sotto_outer::{Answer, EnvelopeId, RelayFrame};
use tokio::{sync::watch, task::JoinSet};

use self::{
    house::{House, SmallDisk},
    record::{Reading, Record, payload},
};
use crate::client::{Client, Gone, Owner};

const FAULTS: usize = 10;
const MAILBOXES: u64 = 6;
const WINDOW: usize = 4;
/// Jumps of the clock reach two hours, and all together less than envelopes live.
const JUMP_MILLIS: i64 = 2 * 3_600_000;
/// After a jump as long as this the relay has forgotten ids.
const LONG_JUMP_MILLIS: i64 = 600_000;

/// What the load and the faults share.
struct Day {
    record: Mutex<Record>,
    /// Counts answers `done` and `busy`, so that faults can wait for them.
    counted: watch::Sender<(usize, usize)>,
    /// Where the relay is, while it runs.
    address: watch::Sender<Option<SocketAddr>>,
    /// The mailbox that is not read now.
    unread: watch::Sender<Option<u64>>,
    /// Nothing new is sent any more.
    evening: watch::Sender<bool>,
}

impl Day {
    fn record<T>(&self, write: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.record.lock().unwrap();
        let written = write(&mut record);
        self.counted.send_replace((record.done, record.busy));
        written
    }

    async fn address(&self) -> SocketAddr {
        self.address.subscribe().wait_for(Option::is_some).await.unwrap().unwrap()
    }

    /// Waits for that many more answers.
    async fn wait_done(&self, more: usize) {
        let mut counted = self.counted.subscribe();
        let enough = counted.borrow().0 + more;
        counted.wait_for(|(done, _)| *done >= enough).await.unwrap();
    }

    async fn wait_busy(&self, more: usize) {
        let mut counted = self.counted.subscribe();
        let enough = counted.borrow().1 + more;
        counted.wait_for(|(_, busy)| *busy >= enough).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_with_random_faults_keeps_every_promise() {
    let number = |name, radix| std::env::var(name).ok().and_then(|text| u64::from_str_radix(&text, radix).ok());
    let seed = number("SEED", 16).unwrap_or_else(|| rand::rng().random());
    let faults = number("FAULTS", 10).map_or(FAULTS, |faults| usize::try_from(faults).unwrap());
    eprintln!("SEED={seed:x}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path());
    let mut house = House::start(&disk, false);
    let day = Arc::new(Day {
        record: Mutex::default(),
        counted: watch::Sender::default(),
        address: watch::Sender::new(Some(house.address())),
        unread: watch::Sender::default(),
        evening: watch::Sender::default(),
    });
    let (mut senders, mut readers) = (JoinSet::new(), JoinSet::new());
    for mailbox in 0..MAILBOXES {
        senders.spawn(send(mailbox, rng.random(), Arc::clone(&day)));
        readers.spawn(read(mailbox, Arc::clone(&day)));
    }
    let (mut counts, mut ahead) = ([0; 5], 0);
    for _ in 0..faults {
        day.wait_done(rng.random_range(20..200)).await;
        let kind = rng.random_range(0..counts.len());
        counts[kind] += 1;
        match kind {
            0 | 1 => {
                day.address.send_replace(None);
                house.kill();
                house = House::start(&disk, kind == 1);
                // It begins by the system's clock again.
                ahead = 0;
                day.record(Record::long_jump);
                day.address.send_replace(Some(house.address()));
            }
            2 => {
                disk.fill();
                day.wait_busy(rng.random_range(1..50)).await;
                disk.make_room();
            }
            3 => {
                let millis = rng.random_range(-JUMP_MILLIS..JUMP_MILLIS);
                if millis.abs() >= LONG_JUMP_MILLIS {
                    day.record(Record::long_jump);
                }
                ahead += millis;
                house.jump(millis);
            }
            _ => {
                day.unread.send_replace(Some(rng.random_range(0..MAILBOXES)));
                day.wait_done(rng.random_range(100..1_000)).await;
                day.unread.send_replace(None);
            }
        }
    }
    house.jump(-ahead);
    day.evening.send_replace(true);
    senders.join_all().await;
    readers.shutdown().await;
    for mailbox in 0..MAILBOXES {
        drain(mailbox, &day).await.expect("a relay");
    }
    let record = day.record.lock().unwrap();
    let [kills, slow_disk, full_disk, jumps, slow_readers] = counts;
    eprintln!(
        "SEED={seed:x}: {faults} faults ({kills} kills, {slow_disk} onto a slow disk, {full_disk} full disks, {jumps} jumps of \
         the clock, {slow_readers} slow readers), {} envelopes acknowledged, {} lost, 0 to a wrong mailbox, {} delivered again",
        record.done,
        record.lost(),
        record.delivered_again
    );
    assert_eq!(record.lost(), 0, "SEED={seed:x}");
}

/// Sends until evening, and all that is unanswered again after each fault.
async fn send(mailbox: u64, seed: u64, day: Arc<Day>) {
    let (mut rng, mut unanswered) = (ChaCha20Rng::seed_from_u64(seed), VecDeque::new());
    while send_on(mailbox, &mut rng, &mut unanswered, &day).await.is_err() {
        tokio::task::yield_now().await;
    }
}

async fn send_on(
    mailbox: u64,
    rng: &mut ChaCha20Rng,
    unanswered: &mut VecDeque<EnvelopeId>,
    day: &Day,
) -> Result<(), Gone> {
    let owner = Owner::new(mailbox);
    let mut client = Client::connect(day.address().await).await?;
    while client.ask(owner.create()).await? != Answer::Done {}
    let (mut asked, mut again) = (HashMap::new(), unanswered.clone());
    loop {
        while asked.len() < WINDOW {
            let id = match again.pop_front() {
                Some(id) => id,
                None if *day.evening.borrow() => break,
                None => {
                    let id = EnvelopeId::from(rng.random::<[u8; 16]>());
                    unanswered.push_back(id);
                    id
                }
            };
            day.record(|record| record.sent(mailbox, id));
            asked.insert(client.request(owner.send(id, payload(id))).await?, id);
        }
        if asked.is_empty() {
            return Ok(());
        }
        let RelayFrame::Answer { request, answer } = client.receive().await? else { panic!("it reads nothing") };
        let id = asked.remove(&request).expect("an answer to what was asked");
        match answer {
            Answer::Done => {
                unanswered.retain(|other| *other != id);
                day.record(|record| record.done(id));
            }
            Answer::Busy { .. } | Answer::Full { .. } => {
                again.push_back(id);
                day.record(|record| record.busy += 1);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Reads and acknowledges, again after each fault.
async fn read(mailbox: u64, day: Arc<Day>) {
    loop {
        // Where the relay is gone, or has let go of a reader that did not read.
        let Err(Gone) = read_on(mailbox, &day, false).await else { continue };
        tokio::task::yield_now().await;
    }
}

/// Reads what is there, and no more.
async fn drain(mailbox: u64, day: &Day) -> Result<(), Gone> {
    read_on(mailbox, day, true).await
}

async fn read_on(mailbox: u64, day: &Day, until_caught_up: bool) -> Result<(), Gone> {
    let owner = Owner::new(mailbox);
    let mut client = Client::connect(day.address().await).await?;
    while client.ask(owner.create()).await? != Answer::Done {}
    let (mut reading, mut asked) = (Reading::default(), HashMap::new());
    let subscribe = owner.subscribe(&client);
    client.request(subscribe).await?;
    let mut unread = day.unread.subscribe();
    loop {
        unread.wait_for(|unread| *unread != Some(mailbox)).await.unwrap();
        match client.receive().await? {
            RelayFrame::Deliver(deliver) => {
                day.record(|record| record.delivered(mailbox, &mut reading, &deliver));
                day.record(|record| record.ack_asked(deliver.id));
                asked.insert(client.request(owner.ack(vec![deliver.id])).await?, deliver.id);
            }
            RelayFrame::Answer { request, answer: Answer::Done } => {
                let id = asked.remove(&request).expect("an answer to what was asked");
                day.record(|record| record.acked(id));
            }
            RelayFrame::Answer { answer: Answer::Subscribed(_), .. } => {}
            // On a full disk; it is delivered again, on another connection.
            RelayFrame::Answer { answer: Answer::Busy { .. }, .. } => return Err(Gone),
            RelayFrame::Answer { answer, .. } => panic!("{answer:?}"),
            RelayFrame::CaughtUp { .. } if until_caught_up => return Ok(()),
            RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => {}
        }
    }
}
