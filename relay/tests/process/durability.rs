//! Ack means fsynced: nothing that was acknowledged is lost, and each answer follows its own sync.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sotto_outer::{Answer, EnvelopeId, RelayFrame};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    client::{Client, Gone, Owner},
    relay::{self, RelayProcess},
};

const KILLS: u64 = 50;
const WRITERS: u64 = 4;
const WINDOW: usize = 16;

/// What one writer was answered before the relay was gone.
struct Written {
    writer: u64,
    answered: BTreeSet<EnvelopeId>,
}

/// Counts answers, and says when there are enough.
struct Load {
    answers: AtomicUsize,
    enough: usize,
    reached: Notify,
}

impl Load {
    fn answered(&self) {
        if self.answers.fetch_add(1, Ordering::Relaxed) + 1 == self.enough {
            self.reached.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_under_load_lose_nothing_acknowledged() {
    let seed = std::env::var("SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    eprintln!("SEED={seed:x}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut answered: HashMap<u64, BTreeSet<EnvelopeId>> = HashMap::new();
    let mut read: BTreeSet<EnvelopeId> = BTreeSet::new();
    for round in 0..=KILLS {
        let mut relay = RelayProcess::start(dir.path());
        for writer in 0..WRITERS {
            let expected = answered.remove(&writer).unwrap_or_default();
            let got = drain(relay.address, &Owner::new(writer)).await;
            assert!(got.is_superset(&expected), "SEED={seed:x}, round {round}: an acknowledged envelope is lost");
            assert!(got.is_disjoint(&read), "SEED={seed:x}, round {round}: a deleted envelope came back");
            read.extend(got);
        }
        if round == KILLS {
            break;
        }
        let enough = rng.random_range(5..200);
        let load = Arc::new(Load { answers: AtomicUsize::new(0), enough, reached: Notify::new() });
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(relay.address, writer, rng.random(), Arc::clone(&load)));
        }
        load.reached.notified().await;
        relay.kill();
        answered = writers.join_all().await.into_iter().map(|written| (written.writer, written.answered)).collect();
    }
}

/// Reads and acknowledges all that waits in a mailbox.
async fn drain(address: SocketAddr, owner: &Owner) -> BTreeSet<EnvelopeId> {
    let mut reader = Client::reader(address, owner).await.expect("a relay");
    let mut got = BTreeSet::new();
    loop {
        match reader.receive().await.expect("a relay") {
            RelayFrame::Deliver(deliver) => {
                assert!(got.insert(deliver.id), "an envelope is delivered once a connection");
                reader.request(owner.ack(vec![deliver.id])).await.expect("a relay");
            }
            RelayFrame::Answer { answer, .. } => assert_eq!(answer, Answer::Done),
            RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => return got,
        }
    }
}

/// Sends until the relay is gone.
async fn write(address: SocketAddr, writer: u64, seed: u64, load: Arc<Load>) -> Written {
    let mut written = Written { writer, answered: BTreeSet::new() };
    // It ends with the relay, whenever that is.
    let Err(Gone) = write_on(address, seed, &load, &mut written).await;
    written
}

async fn write_on(
    address: SocketAddr,
    seed: u64,
    load: &Load,
    written: &mut Written,
) -> Result<core::convert::Infallible, Gone> {
    let (mut rng, owner) = (ChaCha20Rng::seed_from_u64(seed), Owner::new(written.writer));
    let mut client = Client::connect(address).await?;
    let mut asked = HashMap::new();
    loop {
        while asked.len() < WINDOW {
            let id = EnvelopeId::from(rng.random::<[u8; 16]>());
            asked.insert(client.request(owner.send(id, vec![9; 700])).await?, id);
        }
        if let RelayFrame::Answer { request, answer } = client.receive().await? {
            let id = asked.remove(&request).expect("an answer to what was asked");
            // A mailbox may be full when a round lasts; then nothing was promised.
            if answer == Answer::Done {
                written.answered.insert(id);
            }
            load.answered();
        }
    }
}

const TRACED_CLIENTS: u32 = 3;
const TRACED_SENDS: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_follows_a_sync_begun_after_its_insert() {
    assert!(
        Command::new("strace").arg("-V").output().is_ok(),
        "this test needs strace, the Debian package of that name: apt-get install strace"
    );
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let log = dir.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-xx", "-s", "5000", "-e", "trace=fdatasync,fsync,sendto,write,writev,pwrite64", "-o"]);
    strace.arg(&log).arg(relay::BINARY).args(["run", "--data"]).arg(dir.path());
    let mut relay = RelayProcess::spawn(strace);
    let mut clients = JoinSet::new();
    for number in 0..TRACED_CLIENTS {
        clients.spawn(traced_client(relay.address, number));
    }
    clients.join_all().await;
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", relay.pid())).unwrap();
    assert!(Command::new("kill").arg("-TERM").arg(children.trim()).status().unwrap().success());
    relay.wait();

    let trace = Trace::read(&log);
    for number in 0..TRACED_CLIENTS {
        for send in 0..TRACED_SENDS {
            trace.check(&marker(number, send), request(number, send));
        }
    }
}

/// One envelope after the other, each marked in its payload and by its request number.
async fn traced_client(address: SocketAddr, number: u32) {
    let owner = Owner::new(u64::from(number));
    let mut client = Client::connect(address).await.expect("a relay");
    assert_eq!(client.ask(owner.create()).await.expect("a relay"), Answer::Done);
    for send in 0..TRACED_SENDS {
        client.next_request = request(number, send) - 1;
        let mut payload = marker(number, send);
        let id = EnvelopeId::from(*payload.last_chunk().unwrap());
        payload.resize(300, 0);
        assert_eq!(client.ask(owner.send(id, payload)).await.expect("a relay"), Answer::Done);
    }
}

fn marker(number: u32, send: u32) -> Vec<u8> {
    format!("sotto traced send {number:04} {send:04}").into_bytes()
}

fn request(number: u32, send: u32) -> u32 {
    100_000 + number * 1_000 + send
}

/// What the relay asked of the system, in order.
struct Trace {
    lines: Vec<String>,
}

impl Trace {
    fn read(path: &Path) -> Self {
        Self { lines: std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect() }
    }

    /// The insert is written, then a sync begins and ends, then the answer is sent.
    fn check(&self, marker: &[u8], request: u32) {
        let answer = RelayFrame::Answer { request, answer: Answer::Done }.encode();
        let answer = [&[0x82, u8::try_from(answer.len()).unwrap()], &answer[..]].concat();
        let inserted = self.position(0, |line| line.contains(&hex(marker))).expect("an insert");
        let answered = self.position(0, |line| line.contains(&hex(&answer))).expect("an answer");
        assert!(inserted < answered, "request {request} was answered before it was written");
        let is_synced = (inserted + 1..answered).any(|at| self.sync_begun_at(at).is_some_and(|end| end < answered));
        assert!(is_synced, "request {request} was answered without a sync begun after its insert");
    }

    /// Where a sync that begins in this line ends.
    fn sync_begun_at(&self, at: usize) -> Option<usize> {
        let line = &self.lines[at];
        let (pid, call) = line.split_once(' ')?;
        if !call.trim_start().starts_with("fdatasync(") && !call.trim_start().starts_with("fsync(") {
            return None;
        }
        if line.ends_with("= 0") {
            return Some(at);
        }
        self.position(at, |line| line.starts_with(pid) && line.contains("sync resumed>") && line.ends_with("= 0"))
    }

    fn position(&self, from: usize, is_it: impl Fn(&str) -> bool) -> Option<usize> {
        self.lines[from..].iter().position(|line| is_it(line)).map(|at| from + at)
    }
}

/// As strace -xx writes bytes.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}
