//! A blob of 1 GiB up and then down over TLS. On each way the relay is killed three times in the middle, started anew, and the
//! client goes on from what is there.
//!
//! What a way takes is counted while a relay is there; how long the starts take is told apart. Memory is the most that was ever
//! resident beyond what the same process had when it was idle.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    bare_blob,
    blobs_client::{Blob, Frames, Place},
    median, process,
    relay::{self, RelayProcess},
    say,
};

const BLOB: Blob = Blob { name: 7, bytes: 1 << 30 };
const KILLS: u32 = 3;
/// Parts on their way up at a time.
pub(crate) const UPLOADS: usize = 3;
const RUNS: usize = 3;
const MIB: f64 = 1024.0;

/// A relay that may be killed.
struct House<'a> {
    dir: &'a Path,
    relay: RelayProcess,
    place: Place,
    /// Of this process, when it had nothing to do, in KiB.
    idle_kib: f64,
}

/// One way of the blob.
#[derive(Default)]
struct Leg {
    moving: Duration,
    starting: Duration,
    over_idle_kib: f64,
}

pub(crate) async fn measure() {
    let sent = hash_of_all();
    let (mut ups, mut downs) = (vec![], vec![]);
    for _ in 0..RUNS {
        let (up, down) = relay_run(&sent).await;
        let limit = tokio::task::spawn_blocking(|| bare_blob::run(&BLOB)).await.expect("a limit");
        for (ratios, what, leg, limit) in [(&mut ups, "up", up, limit.up), (&mut downs, "down", down, limit.down)] {
            let (rate, limit) = (megabytes_per_sec(leg.moving), megabytes_per_sec(limit));
            say(&format!(
                "blob: {what} {rate:.0} MB/s (goal 100), limit {limit:.0} MB/s; {KILLS} starts anew {:.2} s; {:.1} MiB over \
                 idle (goal 32.0)",
                leg.starting.as_secs_f64(),
                leg.over_idle_kib / MIB
            ));
            ratios.push(rate / limit);
        }
    }
    say(&format!(
        "blob: up {:.2} of the limit, down {:.2}; what came down is what went up",
        median(ups),
        median(downs)
    ));
}

fn megabytes_per_sec(took: Duration) -> f64 {
    BLOB.bytes as f64 / 1e6 / took.as_secs_f64()
}

fn hash_of_all() -> Vec<u8> {
    let mut hash = Sha256::new();
    (0..BLOB.parts()).for_each(|part| hash.update(BLOB.part(part)));
    hash.finalize().to_vec()
}

async fn relay_run(sent: &[u8]) -> (Leg, Leg) {
    let dir = tempfile::tempdir().expect("a folder");
    relay::init_tls(dir.path(), "own");
    // Each way has processes of its own.
    let up = up(House::open(dir.path()).await).await;
    let (down, hash) = down(House::open(dir.path()).await).await;
    assert!(hash == sent, "what came down is what went up");
    (up, down)
}

async fn up(mut house: House<'_>) -> Leg {
    let mut leg = Leg::default();
    for kill in 1..=KILLS {
        let started = Instant::now();
        let _on_their_way = house.put(BLOB.parts() * kill / (KILLS + 1)).await;
        leg.moving += started.elapsed();
        house.kill_and_start(&mut leg).await;
    }
    let started = Instant::now();
    let _done = house.put(BLOB.parts()).await;
    assert!(house.frames().await.commit(&BLOB).await.expect("a relay").committed);
    leg.moving += started.elapsed();
    house.look(&mut leg);
    leg
}

async fn down(mut house: House<'_>) -> (Leg, Vec<u8>) {
    let (mut leg, mut hash, mut got) = (Leg::default(), Sha256::new(), 0);
    for kill in 1..=KILLS {
        let started = Instant::now();
        let goal = BLOB.bytes * u64::from(kill) / u64::from(KILLS + 1);
        house.get(&mut got, goal, &mut hash).await;
        leg.moving += started.elapsed();
        house.kill_and_start(&mut leg).await;
    }
    let started = Instant::now();
    house.get(&mut got, BLOB.bytes, &mut hash).await;
    leg.moving += started.elapsed();
    assert_eq!(got, BLOB.bytes);
    house.look(&mut leg);
    (leg, hash.finalize().to_vec())
}

impl<'a> House<'a> {
    /// Starts a relay; it is idle once it has greeted somebody.
    async fn open(dir: &'a Path) -> Self {
        let relay = RelayProcess::start(dir);
        let place = Place::tls(relay.address);
        let house = Self { dir, relay, place, idle_kib: 0.0 };
        let _greeted = house.frames().await;
        process::forget_peak(house.relay.pid());
        Self { idle_kib: process::resident_kib(house.relay.pid()), ..house }
    }

    async fn frames(&self) -> Frames {
        self.place.frames().await.expect("a relay")
    }

    /// Notes the most that was resident.
    fn look(&self, leg: &mut Leg) {
        let over = process::peak_kib(self.relay.pid()) - self.idle_kib;
        leg.over_idle_kib = leg.over_idle_kib.max(over);
    }

    async fn kill_and_start(&mut self, leg: &mut Leg) {
        self.look(leg);
        self.relay.kill();
        let started = Instant::now();
        *self = Self::open(self.dir).await;
        leg.starting += started.elapsed();
    }

    /// Asks what is there and puts what is not, until so many parts are held. Gives what is still on its way.
    async fn put(&self, goal: u32) -> JoinSet<()> {
        let state = self.frames().await.create(&BLOB).await.expect("a relay");
        let missing: VecDeque<_> = (0..BLOB.parts()).filter(|part| !state.holds(*part)).collect();
        let held = BLOB.parts() - u32::try_from(missing.len()).expect("few");
        let (missing, mut uploads) = (Arc::new(Mutex::new(missing)), JoinSet::new());
        let (put, mut puts) = mpsc::unbounded_channel();
        for _ in 0..UPLOADS {
            uploads.spawn(upload(self.place.clone(), Arc::clone(&missing), put.clone()));
        }
        for _ in held..goal {
            assert_eq!(puts.recv().await.expect("an upload"), StatusCode::NO_CONTENT);
        }
        uploads
    }

    /// Asks for what has not come yet, until so many bytes have.
    async fn get(&self, got: &mut u64, goal: u64, hash: &mut Sha256) {
        let mut http = self.place.http().await.expect("a relay");
        let range = format!("bytes={got}-");
        let response = http.ask(Method::GET, &BLOB.reader_shows(), Some(&range)).await.expect("a relay");
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let mut body = response.into_body();
        while *got < goal {
            let chunk = body.frame().await.expect("more").expect("a relay").into_data().expect("bytes");
            hash.update(&chunk);
            *got += chunk.len() as u64;
        }
    }
}

/// Puts one part after the other, until there is none left or the relay is gone.
async fn upload(place: Place, missing: Arc<Mutex<VecDeque<u32>>>, put: mpsc::UnboundedSender<StatusCode>) {
    let mut http = place.http().await.expect("a relay");
    loop {
        let Some(part) = missing.lock().expect("a lock").pop_front() else { return };
        let Ok(status) = http.put(&BLOB, part).await else { return };
        // Nobody counts any more where the relay is about to be killed.
        let _ = put.send(status);
    }
}
