//! Frames in the bodies of HTTP requests: a connection that survives the TCP connections under it.
//!
//! ```text
//!  frames ──► unsent ──► poll n + 1 ─┐                    ┌─► answer n ──► frames
//!                        poll n ─────┴─► lanes, dialled ──┴─► answer n + 1, kept until n has come
//!                          ▲                  │
//!                          └── asked again ◄──┘ cut, lost, too late
//! ```
//!
//! At most two polls are on their way: one that hangs, and one that brings what is to be sent and makes the first return.
//! A poll whose answer did not come is asked again, with the same number and bytes, on another stream; the relay does
//! nothing twice. The token proves that it is us, the pin of each stream that it is the relay.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming as Body,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rand::rngs::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use sotto_outer::{
    ClientFrame, Poll, PollAnswer, PollToken, RelayAddress, RelayFrame,
    codec::CodecError,
    limits::{FRAME_BYTES_MAX, POLL_BYTES_MAX, POLL_HANG_SECS, POLL_IDLE_SECS},
    poll::{self, FrameBytes},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    Backoff, NetError, Route,
    connection::Arrival,
    dial::{self, Stream},
};

/// Polls on their way.
const WINDOW: usize = 2;
/// Frames that wait for a poll, before whoever sends them waits.
const UP_MAX: usize = 64;
/// Arrivals that wait for a listener.
const DOWN_MAX: usize = 64;
/// How long one request may take, its hanging included.
const ATTEMPT: Duration = Duration::from_secs(POLL_HANG_SECS as u64 + 15);
/// How long without an answer until the connection is given up: soon after, the relay gives it up as well.
const PATIENCE: Duration = Duration::from_secs(POLL_IDLE_SECS as u64 - 5);
/// A stream that lived this long is replaced at once.
const LIVED: Duration = Duration::from_secs(1);
/// The longest pause before a poll is asked again.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The longest goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a relay sends.
pub(crate) struct Incoming {
    down: mpsc::Receiver<Result<Arrival, NetError>>,
}

/// What is sent to a relay. The connection ends with it.
pub(crate) struct Outgoing {
    up: Option<mpsc::Sender<Vec<u8>>>,
    poke: Arc<Notify>,
    task: JoinSet<()>,
}

/// Opens a connection, by its first poll on a stream that stands.
pub(crate) async fn open(
    address: &RelayAddress,
    route: &Route,
    stream: Box<dyn Stream>,
) -> Result<(Incoming, Outgoing), NetError> {
    let mut token = [0; 32];
    UnwrapErr(SysRng).fill_bytes(&mut token);
    let place = Arc::new(Place { address: address.clone(), route: route.clone() });
    let mut lane = Lane::open(stream).await?;
    let first = Poll { token: token.into(), number: 0, frames: vec![], last: false };
    let answer = lane.ask(&place, first.encode().into()).await.map_err(|miss| miss.error)?;
    if answer.number != 0 {
        return Err(NetError::Protocol("the answer to another poll".to_owned()));
    }
    let (up, unsent) = mpsc::channel(UP_MAX);
    let (arrivals, down) = mpsc::channel(DOWN_MAX);
    let poke = Arc::new(Notify::new());
    let polls = Polls {
        place,
        token: token.into(),
        next: 1,
        up: Some(unsent),
        unsent: VecDeque::new(),
        unsent_bytes: 0,
        asked: BTreeMap::new(),
        lanes: vec![lane],
        attempts: JoinSet::new(),
        poke: Arc::clone(&poke),
        goodbye: None,
        backoff: Backoff::default(),
        heard: Instant::now(),
        down: arrivals,
    };
    let mut task = JoinSet::new();
    task.spawn(polls.run());
    Ok((Incoming { down }, Outgoing { up: Some(up), poke, task }))
}

impl Incoming {
    /// The next arrival.
    pub(crate) async fn next(&mut self) -> Result<Arrival, NetError> {
        self.down.recv().await.unwrap_or(Err(NetError::Ended))
    }
}

impl Outgoing {
    /// Queues a frame for the next poll.
    pub(crate) async fn feed(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        let up = self.up.as_ref().ok_or(NetError::ClosedHere)?;
        up.send(frame.encode()).await.map_err(|_| NetError::Ended)
    }

    /// Asks for an answer now, on new streams: the old ones may be dead.
    pub(crate) fn poke(&self) {
        self.poke.notify_one();
    }

    /// Sends what is queued in a last poll.
    pub(crate) async fn close(&mut self) {
        self.up = None;
        let _late = timeout(GOODBYE_TIMEOUT, self.task.join_next()).await;
        self.task.abort_all();
    }
}

/// Where streams are dialled to.
struct Place {
    address: RelayAddress,
    route: Route,
}

/// A stream on which one request at a time is asked.
struct Lane {
    requests: SendRequest<Full<Bytes>>,
    /// Moves the stream's bytes; ends with the lane.
    _carrier: JoinSet<()>,
}

/// A poll without an answer.
struct Miss {
    error: NetError,
    /// Whether asking again may help.
    again: bool,
}

/// A poll that was asked.
enum Asked {
    /// Its body, to be asked again if the answer does not come.
    Waiting(Bytes),
    /// The answer came before that of the poll before.
    Early(PollAnswer),
}

/// What became of a request.
struct Attempt {
    number: u32,
    took: Duration,
    outcome: Result<(PollAnswer, Lane), Miss>,
}

/// The polls of one connection.
struct Polls {
    place: Arc<Place>,
    token: PollToken,
    next: u32,
    /// Absent once the goodbye is asked for and all frames were taken.
    up: Option<mpsc::Receiver<Vec<u8>>>,
    unsent: VecDeque<Vec<u8>>,
    unsent_bytes: usize,
    asked: BTreeMap<u32, Asked>,
    /// Streams on which nothing is asked.
    lanes: Vec<Lane>,
    attempts: JoinSet<Attempt>,
    poke: Arc<Notify>,
    /// The number of the last poll, once it was asked.
    goodbye: Option<u32>,
    backoff: Backoff,
    /// When the last answer came.
    heard: Instant,
    down: mpsc::Sender<Result<Arrival, NetError>>,
}

/// How a connection ends.
enum End {
    Failed(NetError),
    /// Nobody listens any more, or the goodbye was answered.
    Over,
}

impl Polls {
    async fn run(mut self) {
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(End::Failed(error)) => {
                    let _unheard = self.down.send(Err(error)).await;
                    return;
                }
                Err(End::Over) => return,
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        self.launch();
        let room = self.unsent_fits(FRAME_BYTES_MAX);
        let Self { up, attempts, poke, down, heard, .. } = self;
        tokio::select! {
            Some(Ok(attempt)) = attempts.join_next() => return self.attempted(attempt).await,
            frame = receive(up), if room => match frame {
                Some(frame) => self.queue(frame),
                None => self.up = None,
            },
            () = poke.notified() => self.poked(),
            () = down.closed() => return Err(End::Over),
            () = sleep_until(*heard + PATIENCE) => return Err(End::Failed(NetError::Silent)),
        }
        Ok(())
    }

    /// Asks a new poll, if there is one to ask: something always hangs, and what is to be sent waits for nothing.
    fn launch(&mut self) {
        // What is queued already leaves together.
        while self.unsent_fits(FRAME_BYTES_MAX)
            && let Some(Ok(frame)) = self.up.as_mut().map(mpsc::Receiver::try_recv)
        {
            self.queue(frame);
        }
        let leaving = self.up.is_none();
        let wanted = self.asked.is_empty() || !self.unsent.is_empty() || leaving;
        if wanted && self.asked.len() < WINDOW && self.goodbye.is_none() {
            let number = self.ask();
            if leaving && self.unsent.is_empty() {
                self.goodbye = Some(number);
            }
        }
    }

    /// Asks the next poll, with as many frames as it takes.
    fn ask(&mut self) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while let Some(frame) = self.unsent.front()
            && poll::fits(frames.len(), bytes, frame.len())
        {
            bytes += frame.len();
            frames.extend(self.unsent.pop_front().map(FrameBytes::from));
        }
        self.unsent_bytes -= bytes;
        let last = self.up.is_none() && self.unsent.is_empty();
        let body = Bytes::from(Poll { token: self.token, number, frames, last }.encode());
        self.asked.insert(number, Asked::Waiting(body.clone()));
        self.attempt(number, body, Duration::ZERO);
        number
    }

    /// Asks a poll after a pause, on a lane that is free or on a new one.
    fn attempt(&mut self, number: u32, body: Bytes, pause: Duration) {
        let lane = self.lanes.pop().filter(|lane| !lane.requests.is_closed());
        let place = Arc::clone(&self.place);
        self.attempts.spawn(async move {
            sleep(pause).await;
            let began = Instant::now();
            let outcome = timeout(ATTEMPT, request(&place, lane, body))
                .await
                .unwrap_or(Err(Miss { error: NetError::Silent, again: true }));
            Attempt { number, took: began.elapsed(), outcome }
        });
    }

    async fn attempted(&mut self, Attempt { number, took, outcome }: Attempt) -> Result<(), End> {
        match outcome {
            Ok((answer, lane)) => {
                self.lanes.push(lane);
                self.backoff.reset();
                if answer.number != number {
                    return Err(End::Failed(NetError::Protocol("the answer to another poll".to_owned())));
                }
                self.asked.insert(number, Asked::Early(answer));
                self.tell().await?;
                let left = self.goodbye.is_some_and(|last| !self.asked.contains_key(&last));
                if left { Err(End::Over) } else { Ok(()) }
            }
            Err(Miss { error, again: false }) => Err(End::Failed(error)),
            Err(Miss { error: _, again: true }) => {
                let jitter = self.backoff.next_wait(&mut UnwrapErr(SysRng)).min(PAUSE_MAX);
                let pause = if took >= LIVED { Duration::ZERO } else { jitter };
                if let Some(Asked::Waiting(body)) = self.asked.get(&number) {
                    let body = body.clone();
                    self.attempt(number, body, pause);
                }
                Ok(())
            }
        }
    }

    /// Tells the answers whose turn it is.
    async fn tell(&mut self) -> Result<(), End> {
        while let Some(first) = self.asked.first_entry()
            && matches!(first.get(), Asked::Early(_))
        {
            let Asked::Early(answer) = first.remove() else { break };
            if answer.frames.is_empty() {
                self.arrived(Arrival::SignOfLife).await?;
            }
            for bytes in answer.frames {
                let frame = RelayFrame::decode(&bytes).map_err(|error| End::Failed(error.into()))?;
                self.arrived(Arrival::Frame(Box::new(frame))).await?;
            }
            self.heard = Instant::now();
        }
        Ok(())
    }

    /// While the listener is busy nothing is asked, and the relay waits.
    async fn arrived(&self, arrival: Arrival) -> Result<(), End> {
        self.down.send(Ok(arrival)).await.map_err(|_| End::Over)
    }

    /// Asks all again on new streams, and one more where nothing but the hanging one is asked: that makes it return.
    fn poked(&mut self) {
        self.lanes.clear();
        self.attempts = JoinSet::new();
        let waiting: Vec<_> = self
            .asked
            .iter()
            .filter_map(|(number, asked)| match asked {
                Asked::Waiting(body) => Some((*number, body.clone())),
                Asked::Early(_) => None,
            })
            .collect();
        for (number, body) in waiting {
            self.attempt(number, body, Duration::ZERO);
        }
        if self.asked.len() < WINDOW && self.up.is_some() {
            self.ask();
        }
    }

    fn queue(&mut self, frame: Vec<u8>) {
        self.unsent_bytes += frame.len();
        self.unsent.push_back(frame);
    }

    fn unsent_fits(&self, frame_bytes: usize) -> bool {
        poll::fits(self.unsent.len(), self.unsent_bytes, frame_bytes)
    }
}

async fn receive(up: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match up {
        Some(up) => up.recv().await,
        None => std::future::pending().await,
    }
}

/// One request, on this lane or, if there is none, on a new one.
async fn request(place: &Place, lane: Option<Lane>, body: Bytes) -> Result<(PollAnswer, Lane), Miss> {
    let mut lane = match lane {
        Some(lane) => lane,
        None => {
            let dialled = dial::dial(&place.address, &place.route).await.map_err(not_dialled)?;
            Lane::open(dialled.stream).await.map_err(Miss::of_network)?
        }
    };
    let answer = lane.ask(place, body).await?;
    Ok((answer, lane))
}

impl Lane {
    async fn open(stream: Box<dyn Stream>) -> Result<Self, NetError> {
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| NetError::Ended)?;
        let mut carrier = JoinSet::new();
        carrier.spawn(async move {
            // Whoever asked on it is told why it ended.
            let _ended = connection.await;
        });
        Ok(Self { requests, _carrier: carrier })
    }

    async fn ask(&mut self, place: &Place, body: Bytes) -> Result<PollAnswer, Miss> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/frames")
            .header(HOST, place.address.authority())
            .header(CONTENT_TYPE, "application/cbor")
            .body(Full::new(body))
            .map_err(|error| Miss::of_peer(NetError::Protocol(error.to_string())))?;
        let broken = |_| Miss::of_network(NetError::Ended);
        self.requests.ready().await.map_err(broken)?;
        let response = self.requests.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(refused(&response));
        }
        let body = Limited::new(response.into_body(), POLL_BYTES_MAX).collect().await.map_err(cut)?;
        PollAnswer::decode(&body.to_bytes()).map_err(|error| Miss::of_peer(error.into()))
    }
}

/// Whoever answers in the relay's place gets nothing, this time and the next.
fn not_dialled(error: NetError) -> Miss {
    match error {
        NetError::WrongPin | NetError::CertificateRefused(_) => Miss::of_peer(error),
        error => Miss::of_network(error),
    }
}

/// A status that is no answer.
fn refused(response: &Response<Body>) -> Miss {
    let again_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    match (response.status(), again_after) {
        (StatusCode::GONE, _) => Miss::of_peer(NetError::Ended),
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, Some(retry_after_secs)) => {
            Miss::of_peer(NetError::Overloaded { retry_after_secs })
        }
        // What stands between had trouble, or the same poll is asked on a stream of which we know nothing any more.
        (
            status @ (StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT),
            _,
        ) => Miss::of_network(NetError::NotARelay(status.as_u16())),
        (status, _) => Miss::of_peer(NetError::NotARelay(status.as_u16())),
    }
}

/// A body that broke off may come whole the next time; one that is too long does not get shorter.
fn cut(error: Box<dyn std::error::Error + Send + Sync>) -> Miss {
    match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Miss::of_peer(NetError::Garbage(CodecError::TooLong { max: POLL_BYTES_MAX })),
        None => Miss::of_network(NetError::Ended),
    }
}

impl Miss {
    const fn of_network(error: NetError) -> Self {
        Self { error, again: true }
    }

    const fn of_peer(error: NetError) -> Self {
        Self { error, again: false }
    }
}
