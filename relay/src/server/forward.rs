//! The door of two hops, `/v1/forward` [REL-64]: `GET` gives the key of the week, `POST` takes a sealed command that came through
//! another relay and gives the sealed answer.
//!
//! Such a command has a connection of its own in the core, for as long as its answer takes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{
    Answer, ClientFrame, Command, ConnectionNonce, ForwardKey, RefusedReason, RelayFrame, codec,
    forward::ForwardedAnswer,
};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{Clock, House, hub::Event, metrics::ForwardError, outbox::Outgoing, polls::busy, queue};
use crate::{
    access::Identity,
    core::Conn,
    forward::{ForwardKeys, Freshness, KeysError, OpenedCommand, Replays, open},
};

/// How long another relay may take to send a command: it has one of few places meanwhile.
const BODY: Duration = Duration::from_secs(5);
/// How long the core and its store may take to answer one.
const ANSWER: Duration = Duration::from_secs(15);
/// Commands from other relays that are being read or answered, at 66 KiB each.
const COMMANDS_MAX: usize = 256;
/// How often keys are looked at whose week is over.
const FORGET: Duration = Duration::from_secs(3_600);

/// What opens commands that come through other relays.
pub(super) struct Inbox {
    identity: Arc<Identity>,
    keys: Mutex<ForwardKeys>,
    /// Held while the keys' file is written; nobody waits for it who opens a command.
    writing: Mutex<()>,
    replays: Mutex<Replays>,
    room: Semaphore,
    clock: Clock,
}

/// What came of a sealed command.
enum Taken {
    Command(OpenedCommand),
    /// Its client's clock is off: it is told this relay's, in seconds.
    OtherTime(OpenedCommand, u64),
    /// Not for this relay, for a key long gone, or damaged.
    Unopenable,
    /// Taken before.
    Repeated,
    /// Another time it may be.
    Later,
}

impl Inbox {
    pub(super) fn new(identity: Arc<Identity>, keys: ForwardKeys, clock: Clock) -> Self {
        let (keys, replays) = (Mutex::new(keys), Mutex::new(Replays::new(clock.now())));
        Self { identity, keys, writing: Mutex::default(), replays, room: Semaphore::new(COMMANDS_MAX), clock }
    }

    /// Changes a copy of the keys, which takes their place when its file is written. For threads that may wait for a disk.
    fn change<T>(&self, change: impl FnOnce(&mut ForwardKeys) -> Result<T, KeysError>) -> Result<T, KeysError> {
        let _writing = lock(&self.writing);
        let mut keys = lock(&self.keys).clone();
        let changed = change(&mut keys)?;
        *lock(&self.keys) = keys;
        Ok(changed)
    }

    fn signed(&self) -> Option<ForwardKey> {
        lock(&self.keys).signed(self.clock.now()).cloned()
    }

    fn take(&self, sealed: &[u8]) -> Taken {
        let now = self.clock.now();
        let opened = open(|week| lock(&self.keys).of(week, now), self.identity.public(), sealed);
        let Some(opened) = opened else { return Taken::Unopenable };
        let freshness = lock(&self.replays).take(now, opened.command.time_secs, &opened.nonce);
        match freshness {
            Freshness::Fresh => Taken::Command(opened),
            Freshness::Repeated => Taken::Repeated,
            Freshness::OtherTime => Taken::OtherTime(opened, now.as_millis() / 1_000),
            Freshness::TooSoon | Freshness::TooMany => Taken::Later,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets keys whose time is over, until the relay stops: also where nobody asks for a new one.
pub(super) async fn forget_keys(house: Arc<House>) {
    let mut draining = house.draining.clone();
    loop {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            () = sleep(FORGET) => {}
        }
        let house = Arc::clone(&house);
        let forgotten = spawn_blocking(move || house.inbox.change(|keys| keys.forget(house.inbox.clock.now()))).await;
        if let Ok(Err(KeysError::File(error))) = forgotten {
            tracing::warn!(kind = %error.kind(), "the file of forward keys cannot be written; keys stay in it whose time is over");
        }
    }
}

/// The key of this week; a new one is drawn and written beside everything else.
async fn key_of_the_week(house: Arc<House>) -> Result<ForwardKey, KeysError> {
    if let Some(key) = house.inbox.signed() {
        return Ok(key);
    }
    let drawn = spawn_blocking(move || {
        let inbox = &house.inbox;
        inbox.change(|keys| match keys.signed(inbox.clock.now()) {
            Some(key) => Ok(key.clone()),
            None => keys.current(&inbox.identity, inbox.clock.now(), &mut UnwrapErr(SysRng)),
        })
    });
    drawn.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
}

/// Answers `GET /v1/forward`.
pub(super) async fn key(State(house): State<Arc<House>>) -> Response {
    match key_of_the_week(house).await {
        Ok(key) => {
            let headers = [(header::CONTENT_TYPE, "application/cbor"), (header::CACHE_CONTROL, "no-cache")];
            (headers, codec::encode(&key)).into_response()
        }
        Err(KeysError::File(error)) => {
            tracing::warn!(kind = %error.kind(), "the file of forward keys cannot be written; nobody comes through other relays");
            busy()
        }
        Err(KeysError::Damaged) => busy(),
    }
}

/// Answers `POST /v1/forward`.
pub(super) async fn command(State(house): State<Arc<House>>, request: Request) -> Response {
    let Ok(_room) = house.inbox.room.try_acquire() else { return busy() };
    if !house.ready.load(Ordering::Relaxed) {
        return busy();
    }
    let sealed = match timeout(BODY, Bytes::from_request(request, &())).await {
        Ok(Ok(sealed)) => sealed,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let (opened, answer) = match house.inbox.take(&sealed) {
        Taken::Unopenable => return StatusCode::BAD_REQUEST.into_response(),
        Taken::Repeated => {
            house.metrics.forwards().failed(ForwardError::Repeated);
            return StatusCode::BAD_REQUEST.into_response();
        }
        Taken::Later => return busy(),
        Taken::OtherTime(opened, time_secs) => (opened, ForwardedAnswer::Clock { time_secs }),
        Taken::Command(opened) => {
            let Some(answer) = ask(&house, opened.nonce, opened.command.command.clone()).await else { return busy() };
            (opened, ForwardedAnswer::Answer(answer))
        }
    };
    match opened.reply.seal(&answer, &mut UnwrapErr(SysRng)) {
        Some(sealed) => {
            let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
            (headers, sealed).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Asks the core on a connection of its own. None where the relay is stopping or too slow.
async fn ask(house: &House, nonce: ConnectionNonce, command: Command) -> Option<Answer> {
    if !needs_no_connection(&command) {
        return Some(Answer::Refused { reason: RefusedReason::Order });
    }
    let conn = Conn(house.next_conn.fetch_add(1, Ordering::Relaxed));
    let (outbox, mut outgoing) = queue::queue(1);
    house.events.send(Event::OpenedByForward(conn, nonce, outbox)).await.ok()?;
    let asked = house.events.send(Event::Frame(conn, ClientFrame { request: 0, command })).await.is_ok();
    let told = if asked { timeout(ANSWER, outgoing.recv()).await.ok().flatten() } else { None };
    house.events.send(Event::Closed(conn)).await.ok()?;
    match told? {
        Outgoing::Frame(posted) => match posted.frame() {
            RelayFrame::Answer { request: _, answer } => Some(answer.clone()),
            RelayFrame::Deliver(_) | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => None,
        },
        Outgoing::Shared(_) | Outgoing::Close => None,
    }
}

/// Whether a command means the same whichever connection it comes on: those that no signature binds to one.
const fn needs_no_connection(command: &Command) -> bool {
    match command {
        Command::Send(_) | Command::Fetch(_) | Command::Append(_) | Command::Advance(_) => true,
        Command::Info(_)
        | Command::Token(_)
        | Command::Create(_)
        | Command::Subscribe(_)
        | Command::Ack(_)
        | Command::Rotate(_)
        | Command::Delete(_)
        | Command::Publish(_)
        | Command::CreateChannel(_)
        | Command::ReadChannel(_)
        | Command::SubscribeChannel(_)
        | Command::CloseChannel(_)
        | Command::BlobCreate(_)
        | Command::BlobCommit(_)
        | Command::BlobDelete(_)
        | Command::Forward(_) => false,
    }
}
