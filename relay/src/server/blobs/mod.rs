//! Blobs over HTTP: parts come in and ranges go out as streams, and what a client may do the store's rows say.
//!
//! ```text
//!  PUT /v1/blob ──may it write?──► body ──► object, durable ──part stored?──► 204
//!  GET /v1/blob ──may it read?──► objects, part after part ──► body
//! ```
//!
//! No id stands in an address, and none in a log. A transfer has little memory whatever its size, and the number of
//! transfers is bounded; who sends or takes too little in a while is let go.

mod header;
mod sweep;

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header as names},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use nix::sys::statvfs::statvfs;
use sotto_outer::{blob, limits::BLOB_PART_BYTES};
use tokio::{
    sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use self::header::{Asked, PutRange};
pub(super) use self::sweep::run as sweep;
use super::{House, Metrics, RETRY_AFTER_SECS, clock::now, metrics::Direction, writer::Job};
use crate::{
    access::blob_capability_hash,
    storage::{
        Op, Outcome,
        blob::{BlobOp, BlobOutcome, BlobQuota},
        objects::{Chunks, Directory, ObjectError, ObjectName, Objects, S3, S3Settings, Writer},
    },
};

/// Questions to the store at a time.
const QUESTIONS_MAX: usize = 256;
/// A body that is slower than this many bytes ...
const STEP_BYTES: usize = 64 * 1024;
/// ... in this many seconds is let go.
const STEP_SECS: u64 = 30;
/// The same while all places for transfers are taken: then who is slow keeps others out.
const STEP_SECS_FULL: u64 = 4;
/// Turns of parts: each part has one of so many.
const TURNS: usize = 64;
/// Chunks on their way out that wait for the client.
const CHUNKS_MAX: usize = 1;

/// Where blobs are kept, and how much of them.
#[derive(Clone, Debug)]
pub struct BlobSettings {
    /// Where their objects lie.
    pub place: BlobPlace,
    /// How much is kept.
    pub quota: BlobQuota,
    /// Parts and ranges that move at a time.
    pub transfers_max: usize,
}

/// Where objects lie.
#[derive(Clone, Debug)]
pub enum BlobPlace {
    /// In a folder, on a disk that keeps this many bytes free.
    Directory(PathBuf, u64),
    /// At an S3-compatible store.
    S3(S3Settings),
}

/// What moves blobs.
pub(super) struct BlobTransfers {
    objects: Objects,
    quota: BlobQuota,
    free_bytes_min: u64,
    transfers: Arc<Semaphore>,
    turns: [Mutex<()>; TURNS],
    questions: Semaphore,
    /// The writer's; weak, so that it ends when the hub does.
    ops: mpsc::WeakUnboundedSender<Job>,
}

/// Why a request is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Malformed,
    Denied,
    TooSlow,
    Committed,
    LengthRequired,
    TooLarge,
    /// The range is none of this blob, whose size is told to who may know it.
    Range(Option<u64>),
    Busy,
    Full,
}

impl BlobTransfers {
    pub(super) fn open(settings: &BlobSettings, ops: mpsc::WeakUnboundedSender<Job>) -> Result<Self, ObjectError> {
        let (objects, free_bytes_min) = match &settings.place {
            BlobPlace::Directory(path, free_bytes_min) => {
                let directory =
                    Directory::open(path).map_err(|_| ObjectError::Unavailable("its folder cannot be used"))?;
                (Objects::Directory(directory), *free_bytes_min)
            }
            BlobPlace::S3(settings) => (Objects::S3(S3::new(settings)?), 0),
        };
        let (transfers, questions) = (Arc::new(Semaphore::new(settings.transfers_max)), Semaphore::new(QUESTIONS_MAX));
        let turns = [const { Mutex::const_new(()) }; TURNS];
        Ok(Self { objects, quota: settings.quota, free_bytes_min, transfers, turns, questions, ops })
    }

    /// Asks the store, beside the core.
    async fn ask(&self, op: BlobOp) -> Result<Outcome, Refusal> {
        let _permit = self.questions.try_acquire().map_err(|_| Refusal::Busy)?;
        let (asker, outcome) = oneshot::channel();
        let ops = self.ops.upgrade().ok_or(Refusal::Busy)?;
        ops.send(Job::Ask(Op::Blob(op), asker)).map_err(|_| Refusal::Busy)?;
        drop(ops);
        match outcome.await {
            Ok(Outcome::Denied) => Err(Refusal::Denied),
            Ok(Outcome::Failed) | Err(_) => Err(Refusal::Busy),
            Ok(outcome) => Ok(outcome),
        }
    }

    fn transfer(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.transfers).try_acquire_owned().map_err(|_| Refusal::Busy)
    }

    /// Lets one request at a time give a part its name.
    async fn turn(&self, name: ObjectName) -> MutexGuard<'_, ()> {
        let number = usize::from(name.key.0[0]) + usize::try_from(name.part).unwrap_or(0);
        self.turns[number % TURNS].lock().await
    }

    /// In what time a body moves on by [`STEP_BYTES`].
    fn patience(&self) -> Duration {
        let is_full = self.transfers.available_permits() == 0;
        Duration::from_secs(if is_full { STEP_SECS_FULL } else { STEP_SECS })
    }

    /// Whether the disk has room for one more part.
    fn has_room(&self) -> bool {
        let Objects::Directory(directory) = &self.objects else { return true };
        let free = statvfs(directory.root()).map(|free| free.blocks_available() * free.fragment_size());
        free.is_ok_and(|free| free >= self.free_bytes_min.saturating_add(BLOB_PART_BYTES))
    }
}

/// Answers `PUT /v1/blob`: one part.
pub(super) async fn put(State(house): State<Arc<House>>, headers: HeaderMap, body: Body) -> Response {
    let Some(blobs) = &house.blobs else { return StatusCode::NOT_FOUND.into_response() };
    let mut body = body.into_data_stream();
    match Arc::clone(blobs).put(&headers, &mut body, &house.metrics).await {
        Ok(()) => (StatusCode::NO_CONTENT, NO_STORE).into_response(),
        Err(refusal) => {
            // Who sends before it hears would not hear it: its connection would break under its hands.
            if !headers.contains_key(names::EXPECT) {
                let _ = blobs.receive(&mut body, BLOB_PART_BYTES, None).await;
            }
            refuse(refusal, &house.metrics)
        }
    }
}

/// Answers `GET /v1/blob`: all of a blob, or one range.
pub(super) async fn get(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    let Some(blobs) = &house.blobs else { return StatusCode::NOT_FOUND.into_response() };
    match Arc::clone(blobs).get(&headers, &house.metrics).await {
        Ok(response) => response,
        Err(refusal) => refuse(refusal, &house.metrics),
    }
}

/// Answers `HEAD /v1/blob`: a blob's size.
pub(super) async fn head(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    let Some(blobs) = &house.blobs else { return StatusCode::NOT_FOUND.into_response() };
    match blobs.readable(&headers).await {
        Ok((_, bytes)) => (NO_STORE, [(names::ACCEPT_RANGES, "bytes".to_owned()), length(bytes)]).into_response(),
        Err(refusal) => refuse(refusal, &house.metrics),
    }
}

impl BlobTransfers {
    async fn put(
        self: Arc<Self>,
        headers: &HeaderMap,
        body: &mut BodyDataStream,
        metrics: &Arc<Metrics>,
    ) -> Result<(), Refusal> {
        let (id, capability) = header::shown(headers)?;
        let range = PutRange::read(headers)?;
        let shown = blob_capability_hash(&capability);
        let may_write = BlobOp::Write { blob: id, shown, now: now() };
        let asked = self.ask(may_write.clone()).await?;
        let Outcome::Blob(BlobOutcome::Writable { object, bytes, state, used }) = asked else {
            return Err(Refusal::Busy);
        };
        let part = range.part(bytes)?;
        if state.committed {
            return Err(Refusal::Committed);
        }
        let transfer = self.transfer()?;
        let name = ObjectName { key: object, part };
        if state.holds(part) {
            // What it holds stays; who asks again wants to hear that it is there.
            return self.receive(body, range.bytes(), None).await;
        }
        if !self.quota.has_room(used, range.bytes()) || !self.has_room() {
            return Err(Refusal::Full);
        }
        let mut writer = self.objects.begin(name, range.bytes()).map_err(|error| of(error, metrics))?;
        self.receive(body, range.bytes(), Some((&mut writer, metrics))).await?;
        let counts = Arc::clone(metrics);
        // Not given up when the client goes: its turn lasts until the part has its name, or has not.
        let finished = tokio::spawn(async move {
            let _transfer = transfer;
            self.finish(writer, name, may_write, &counts).await?;
            counts.blobs().part(Direction::Up, usize::try_from(range.bytes()).unwrap_or(0));
            Ok(())
        });
        finished.await.unwrap_or(Err(Refusal::Busy))
    }

    /// Gives a part its name, unless another request did so since this one began: what is held, and perhaps committed, stays.
    async fn finish(
        &self,
        writer: Writer,
        name: ObjectName,
        may_write: BlobOp,
        metrics: &Metrics,
    ) -> Result<(), Refusal> {
        let _turn = self.turn(name).await;
        let ObjectName { key: object, part } = name;
        match self.ask(may_write).await? {
            Outcome::Blob(BlobOutcome::Writable { state, .. }) if state.committed => return Err(Refusal::Committed),
            Outcome::Blob(BlobOutcome::Writable { object: now, .. }) if now != object => return Err(Refusal::Denied),
            Outcome::Blob(BlobOutcome::Writable { state, .. }) if state.holds(part) => return Ok(()),
            Outcome::Blob(BlobOutcome::Writable { .. }) => {}
            _ => return Err(Refusal::Busy),
        }
        writer.finish().await.map_err(|error| of(error, metrics))?;
        // The row after the object, so that a part that is held can be read.
        if let Err(refusal) = self.ask(BlobOp::PartStored { object, part }).await {
            if refusal == Refusal::Denied {
                // The blob went meanwhile, and perhaps its objects before this one came.
                let _ = self.objects.remove(name).await;
            }
            return Err(refusal);
        }
        Ok(())
    }

    /// Takes a body of exactly this size, and writes it where it is to be written.
    async fn receive(
        &self,
        body: &mut BodyDataStream,
        bytes: u64,
        mut to: Option<(&mut Writer, &Metrics)>,
    ) -> Result<(), Refusal> {
        let (mut left, mut deadline, mut step) = (bytes, Instant::now() + self.patience(), 0);
        while left > 0 {
            let chunk = match timeout_at(deadline, body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(_)) | None) => return Err(Refusal::Malformed),
                Err(_) => return Err(Refusal::TooSlow),
            };
            step += chunk.len();
            if step >= STEP_BYTES {
                (deadline, step) = (Instant::now() + self.patience(), 0);
            }
            left = left.checked_sub(chunk.len() as u64).ok_or(Refusal::Malformed)?;
            if let Some((writer, metrics)) = &mut to {
                writer.write(chunk).await.map_err(|error| of(error, metrics))?;
            }
        }
        Ok(())
    }

    /// What may be read with these headers, and its size.
    async fn readable(&self, headers: &HeaderMap) -> Result<(ObjectName, u64), Refusal> {
        let (blob, capability) = header::shown(headers)?;
        let op = BlobOp::Read { blob, shown: blob_capability_hash(&capability), now: now() };
        match self.ask(op).await? {
            Outcome::Blob(BlobOutcome::Readable { object, bytes }) => Ok((ObjectName { key: object, part: 0 }, bytes)),
            _ => Err(Refusal::Busy),
        }
    }

    async fn get(self: Arc<Self>, headers: &HeaderMap, metrics: &Arc<Metrics>) -> Result<Response, Refusal> {
        let asked = Asked::read(headers)?;
        let (name, bytes) = self.readable(headers).await?;
        let range = asked.range(bytes)?;
        let transfer = self.transfer()?;
        let (pieces, mut chunks) = Pieces::new(self, name, bytes, range.clone());
        // What is not there is told while it can be: later the connection breaks.
        let first = match chunks.recv().await {
            Some(Ok(first)) => first,
            Some(Err(error)) => return Err(of(error, metrics)),
            None => return Err(Refusal::Busy),
        };
        let (out, body) = mpsc::channel(CHUNKS_MAX);
        let counts = Arc::clone(metrics);
        tokio::spawn(async move {
            let _transfer = transfer;
            give(first, pieces, chunks, out, &counts).await;
        });
        let body =
            Body::from_stream(stream::unfold(body, async |mut body| body.recv().await.map(|chunk| (chunk, body))));
        let size = range.end - range.start;
        let headers = [(names::ACCEPT_RANGES, "bytes".to_owned()), length(size)];
        let kind = [(names::CONTENT_TYPE, "application/octet-stream")];
        if !asked.is_range() {
            return Ok((NO_STORE, kind, headers, body).into_response());
        }
        let of_all = format!("bytes {}-{}/{bytes}", range.start, range.end - 1);
        let partial = [(names::CONTENT_RANGE, of_all)];
        Ok((StatusCode::PARTIAL_CONTENT, NO_STORE, kind, headers, partial, body).into_response())
    }
}

/// Sends a range to its client, until all of it is there, it cannot be read on, or the client takes no more.
async fn give(
    first: Bytes,
    mut pieces: Pieces,
    mut chunks: Chunks,
    out: mpsc::Sender<Result<Bytes, ObjectError>>,
    counts: &Metrics,
) {
    let mut next = Some(Ok(first));
    while let Some(chunk) = next {
        let failed = chunk.as_ref().err().copied();
        // A chunk is two steps.
        match timeout(2 * pieces.blobs.patience(), out.send(chunk)).await {
            Ok(Ok(())) => {}
            // The client is gone.
            Ok(Err(_)) => return,
            Err(_) => return counts.blobs().refused("slow"),
        }
        if let Some(error) = failed {
            of(error, counts);
            return;
        }
        next = pieces.next(&mut chunks, counts).await;
    }
}

/// The objects that a range lies in, one after the other.
struct Pieces {
    blobs: Arc<BlobTransfers>,
    name: ObjectName,
    bytes: u64,
    /// What is not asked for yet.
    left: Range<u64>,
    /// Bytes of the piece that is being read.
    piece: u64,
}

impl Pieces {
    fn new(blobs: Arc<BlobTransfers>, name: ObjectName, bytes: u64, left: Range<u64>) -> (Self, Chunks) {
        let mut pieces = Self { blobs, name, bytes, left, piece: 0 };
        let chunks = pieces.open();
        (pieces, chunks)
    }

    /// Reads what lies in the next object.
    fn open(&mut self) -> Chunks {
        let part = u32::try_from(self.left.start / BLOB_PART_BYTES).unwrap_or(u32::MAX);
        let held = blob::part_range(self.bytes, part);
        let end = held.end.min(self.left.end);
        let range = self.left.start - held.start..end - held.start;
        (self.left.start, self.piece) = (end, range.end - range.start);
        self.blobs.objects.read(ObjectName { part, ..self.name }, range)
    }

    /// The next bytes; none at the end.
    async fn next(&mut self, chunks: &mut Chunks, metrics: &Metrics) -> Option<Result<Bytes, ObjectError>> {
        if let Some(chunk) = chunks.recv().await {
            return Some(chunk);
        }
        metrics.blobs().part(Direction::Down, usize::try_from(self.piece).unwrap_or(0));
        if self.left.is_empty() {
            return None;
        }
        *chunks = self.open();
        chunks.recv().await
    }
}

/// What a client is told of an object that was not written or read.
fn of(error: ObjectError, metrics: &Metrics) -> Refusal {
    let (kind, refusal) = match error {
        // Its blob is being deleted, or a host lost it: for a client it is not there.
        ObjectError::Missing => ("missing", Refusal::Denied),
        ObjectError::Length => ("length", Refusal::Malformed),
        ObjectError::Full => ("full", Refusal::Full),
        ObjectError::Unavailable(what) => {
            tracing::warn!(kind = what, "an object could not be written or read");
            ("unavailable", Refusal::Busy)
        }
    };
    metrics.blobs().refused(kind);
    refusal
}

const NO_STORE: [(names::HeaderName, &str); 1] = [(names::CACHE_CONTROL, "no-store")];

fn length(bytes: u64) -> (names::HeaderName, String) {
    (names::CONTENT_LENGTH, bytes.to_string())
}

fn refuse(refusal: Refusal, metrics: &Metrics) -> Response {
    let (kind, status) = match refusal {
        Refusal::Malformed => ("malformed", StatusCode::BAD_REQUEST),
        Refusal::Denied => ("denied", StatusCode::FORBIDDEN),
        Refusal::TooSlow => ("slow", StatusCode::REQUEST_TIMEOUT),
        Refusal::Committed => ("committed", StatusCode::CONFLICT),
        Refusal::LengthRequired => ("malformed", StatusCode::LENGTH_REQUIRED),
        Refusal::TooLarge => ("malformed", StatusCode::PAYLOAD_TOO_LARGE),
        Refusal::Range(_) => ("range", StatusCode::RANGE_NOT_SATISFIABLE),
        Refusal::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE),
        Refusal::Full => ("full", StatusCode::INSUFFICIENT_STORAGE),
    };
    metrics.blobs().refused(kind);
    let mut response = (status, NO_STORE).into_response();
    match refusal {
        Refusal::Busy => {
            response.headers_mut().insert(names::RETRY_AFTER, RETRY_AFTER_SECS.into());
        }
        Refusal::Range(Some(bytes)) => {
            if let Ok(value) = format!("bytes */{bytes}").parse() {
                response.headers_mut().insert(names::CONTENT_RANGE, value);
            }
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::blob::ObjectKey;

    /// One place for a transfer, in a folder.
    fn transfers(root: &std::path::Path) -> Arc<BlobTransfers> {
        let place = BlobPlace::Directory(root.to_owned(), 0);
        let quota = BlobQuota { blob_bytes_max: u64::MAX, bytes_max: u64::MAX };
        let settings = BlobSettings { place, quota, transfers_max: 1 };
        let (ops, _) = mpsc::unbounded_channel();
        Arc::new(BlobTransfers::open(&settings, ops.downgrade()).unwrap())
    }

    async fn store(blobs: &BlobTransfers, name: ObjectName, bytes: u64) -> Result<(), ObjectError> {
        let mut writer = blobs.objects.begin(name, bytes)?;
        writer.write(vec![7; usize::try_from(bytes).unwrap()].into()).await?;
        writer.finish().await
    }

    #[tokio::test]
    async fn a_range_is_read_no_further_once_its_client_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (blobs, metrics) = (transfers(dir.path()), Metrics::new());
        let (name, bytes) = (ObjectName { key: ObjectKey([1; 16]), part: 0 }, 2 * BLOB_PART_BYTES);
        for part in [0, 1] {
            store(&blobs, ObjectName { part, ..name }, BLOB_PART_BYTES).await.unwrap();
        }
        let (pieces, mut chunks) = Pieces::new(blobs, name, bytes, 0..bytes);
        let first = chunks.recv().await.unwrap().unwrap();
        let (out, body) = mpsc::channel(CHUNKS_MAX);
        drop(body);
        give(first, pieces, chunks, out, &metrics).await;
        let text = metrics.encode(true);
        assert!(text.contains("blob_parts_total{direction=\"down\"} 0\n"), "{text}");
    }

    #[tokio::test]
    async fn who_is_slow_is_let_go_sooner_while_all_places_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = transfers(dir.path());
        let patience = blobs.patience();
        let place = blobs.transfer().unwrap();
        assert!(blobs.patience() < patience);
        drop(place);
        assert_eq!(blobs.patience(), patience);
    }
}
