//! A relay with a million mailboxes and a million envelopes beside one with next to none: how long it takes to start, and what
//! one send and one fetch take. The same sample is in both, and both are asked in turn.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use sotto_outer::{Answer, CapabilityHash, Command, Create, EnvelopeId, MailboxKind, RelayFrame};
use sotto_relay::{
    Day, Timestamp,
    storage::{NewEnvelope, NewMailbox, Op, Outcome, Quota, Storage, sqlite::SqliteStorage},
};
use tempfile::TempDir;

use crate::{
    client::{Client, Owner},
    load, median,
    relay::{self, RelayProcess},
    say,
};

const MAILBOXES: u64 = 1_000_000;
/// Mailboxes that are sent to and read, among all the others.
const SAMPLE: u64 = 2_000;
const PAYLOAD_BYTES: usize = 1_024;
/// Operations of one batch while filling.
const FILL_OPS: usize = 20_000;
const QUOTA: Quota = Quota { pairwise_envelopes_max: 1_000, contact_envelopes_max: 200, bytes_max: 16 << 20 };

/// A relay, and a connection each way.
struct House {
    _dir: TempDir,
    relay: RelayProcess,
    sender: Client,
    reader: Client,
    sends: Vec<f64>,
    fetches: Vec<f64>,
}

pub(crate) async fn measure() {
    let (million, few) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let started = Instant::now();
    fill(million.path(), MAILBOXES).await;
    say(&format!("million: filled in {:.0} s", started.elapsed().as_secs_f64()));
    fill(few.path(), SAMPLE).await;
    let (mut million, mut few) = (House::open(million).await, House::open(few).await);
    for number in 0..SAMPLE {
        let owner = Owner::new(number);
        million.send(&owner, number).await;
        few.send(&owner, number).await;
    }
    for number in 0..SAMPLE {
        let owner = Owner::new(number);
        million.fetch(&owner).await;
        few.fetch(&owner).await;
    }
    compare("send", million.sends, few.sends);
    compare("fetch", million.fetches, few.fetches);
    say(&format!("million: {:.0} MiB resident", crate::process::resident_kib(million.relay.pid()) / 1_024.0));
}

fn compare(what: &str, million: Vec<f64>, few: Vec<f64>) {
    let (million, few) = (median(million), median(few));
    let ratio = million / few;
    say(&format!("million: {what} {million:.3} ms, {few:.3} ms where there is little: {ratio:.2} (goal 1.20)"));
}

impl House {
    async fn open(dir: TempDir) -> Self {
        let started = Instant::now();
        let relay = RelayProcess::start(dir.path());
        say(&format!("million: started in {:.3} s (goal 2)", started.elapsed().as_secs_f64()));
        let sender = Client::connect(relay.address).await.expect("a sender");
        let reader = Client::connect(relay.address).await.expect("a reader");
        Self { _dir: dir, relay, sender, reader, sends: vec![], fetches: vec![] }
    }

    async fn send(&mut self, owner: &Owner, number: u64) {
        let send = owner.send(load::id(number), vec![7; PAYLOAD_BYTES]);
        let started = Instant::now();
        assert_eq!(self.sender.ask(send).await.expect("a relay"), Answer::Done);
        self.sends.push(millis(started.elapsed()));
    }

    /// Subscribes, and takes the envelope that was there and the one just sent.
    async fn fetch(&mut self, owner: &Owner) {
        let subscribe = owner.subscribe(&self.reader);
        let (started, mut ids) = (Instant::now(), vec![]);
        self.reader.request(subscribe).await.expect("a relay");
        while ids.len() < 2 {
            if let RelayFrame::Deliver(deliver) = self.reader.receive().await.expect("a relay") {
                ids.push(deliver.id);
            }
        }
        self.fetches.push(millis(started.elapsed()));
        assert_eq!(self.reader.ask(owner.ack(ids)).await.expect("a relay"), Answer::Done);
    }
}

/// Makes a relay with mailboxes of one envelope each, the sample spread evenly among strangers.
async fn fill(dir: &Path, mailboxes: u64) {
    relay::init(dir);
    let mut storage = SqliteStorage::open(&dir.join("relay.db")).await.expect("a database");
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (mut creates, mut sends) = (vec![], vec![]);
    for number in 0..mailboxes {
        let each = mailboxes / SAMPLE;
        let made = if number % each == 0 { sample(number / each) } else { stranger(&mut rng) };
        sends.push(Op::Send(envelope(&made, rng.random())));
        creates.push(Op::Create(made, None));
        if creates.len() == FILL_OPS || number + 1 == mailboxes {
            for ops in [std::mem::take(&mut creates), std::mem::take(&mut sends)] {
                let outcomes = storage.apply(ops).await;
                assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done | Outcome::Sent { .. })));
            }
        }
    }
    storage.close().await;
}

fn sample(number: u64) -> NewMailbox {
    let Command::Create(create) = Owner::new(number).create() else { panic!("a create") };
    let Create { kind, receive_id, send_id, owner, capability_hash, .. } = create;
    NewMailbox { kind, receive_id, send_id, owner, capability_hash, day: today() }
}

fn stranger(rng: &mut ChaCha20Rng) -> NewMailbox {
    NewMailbox {
        kind: MailboxKind::Pairwise,
        receive_id: rng.random::<[u8; 16]>().into(),
        send_id: rng.random::<[u8; 16]>().into(),
        owner: rng.random::<[u8; 32]>().into(),
        capability_hash: CapabilityHash::from(<[u8; 32]>::from(Sha256::digest(rng.random::<[u8; 32]>()))),
        day: today(),
    }
}

fn envelope(made: &NewMailbox, id: [u8; 16]) -> NewEnvelope {
    let now = now();
    NewEnvelope {
        mailbox: made.send_id,
        shown: made.capability_hash,
        id: EnvelopeId::from(id),
        payload: vec![7; PAYLOAD_BYTES].into(),
        now,
        expires_at: now.plus_secs(7 * 86_400),
        quota: QUOTA,
        owes: None,
    }
}

fn today() -> Day {
    now().day()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(u64::try_from(since.as_millis()).expect("a time"))
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
