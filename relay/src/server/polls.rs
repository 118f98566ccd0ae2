//! The door of long poll, `POST /v1/frames`: finds the connection that a poll belongs to, and opens new ones.
//!
//! A connection is found by its token, which stands in the body alone: no proxy logs it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sotto_outer::{
    Poll, PollToken,
    limits::{POLL_HANG_SECS, POLL_IDLE_SECS},
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError, mpsc, oneshot},
    time::timeout,
};

use super::{
    House, RETRY_AFTER_SECS,
    accept::Caller,
    poll::{Asked, Session, Told},
};
use crate::core::{Conn, Origin};

/// How long a client may take to send a poll.
const BODY_SECS: u64 = 30;
/// Polls up to this size are taken in wherever they come: each connection's buffers have as much anyway.
const SMALL_BYTES: u64 = 16 * 1024;
/// Larger ones that are taken in at a time.
const LARGE_MAX: usize = 128;
/// Polls of one connection on their way to it: two, and each asked again.
const POLLS_MAX: usize = 4;

/// What long poll may use.
#[derive(Clone, Copy, Debug)]
pub struct LongPoll {
    /// Connections at a time; beyond, one that was never used gives way, or else new ones are turned away.
    pub connections_max: usize,
    /// How long without a poll until a connection has ended.
    pub idle: Duration,
    /// The same, until the first frame came.
    pub unused: Duration,
    /// How long a poll hangs where nothing is to be told.
    pub hang: Duration,
}

impl Default for LongPoll {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            idle: Duration::from_secs(POLL_IDLE_SECS.into()),
            unused: Duration::from_secs(10),
            hang: Duration::from_secs(POLL_HANG_SECS.into()),
        }
    }
}

/// All connections by long poll.
pub(super) struct Polls {
    settings: LongPoll,
    connections: Mutex<Connections>,
    large: Semaphore,
}

/// Connections by their tokens.
#[derive(Default)]
struct Connections {
    by_token: HashMap<PollToken, Connection>,
    /// In the order of their opening, those that were not seen in use yet.
    unused: VecDeque<(PollToken, Conn)>,
}

struct Connection {
    conn: Conn,
    polls: mpsc::Sender<Asked>,
    in_use: Arc<AtomicBool>,
    give_way: Arc<Notify>,
}

impl Connections {
    /// Lets the oldest connection go on which nothing was ever said. Says whether there was one.
    fn make_room(&mut self) -> bool {
        while let Some((token, conn)) = self.unused.pop_front() {
            let unused = |found: &Connection| found.conn == conn && !found.in_use.load(Ordering::Relaxed);
            if self.by_token.get(&token).is_some_and(unused)
                && let Some(gone) = self.by_token.remove(&token)
            {
                gone.give_way.notify_one();
                return true;
            }
        }
        false
    }

    /// Forgets a connection that has ended; another one may have its token since.
    fn forget(&mut self, token: &PollToken, conn: Conn) {
        if self.by_token.get(token).is_some_and(|found| found.conn == conn) {
            self.by_token.remove(token);
        }
        // The front alone: what is behind goes when it gets there, and there is no more of it than connections were opened
        // while the front one stood, at most 10 s.
        while let Some((token, conn)) = self.unused.front()
            && self.by_token.get(token).is_none_or(|found| found.conn != *conn || found.in_use.load(Ordering::Relaxed))
        {
            self.unused.pop_front();
        }
    }
}

impl Polls {
    pub(super) fn new(settings: LongPoll) -> Self {
        Self { settings, connections: Mutex::default(), large: Semaphore::new(LARGE_MAX) }
    }

    /// Room for a body while it is taken in; none where too many large ones are.
    fn room(&self, headers: &HeaderMap) -> Result<Option<SemaphorePermit<'_>>, TryAcquireError> {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        // Without a length it may become as long as any.
        if length.is_some_and(|length| length <= SMALL_BYTES) { Ok(None) } else { self.large.try_acquire().map(Some) }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `POST /v1/frames`.
pub(super) async fn frames(State(house): State<Arc<House>>, request: Request) -> Response {
    let origin = request.extensions().get::<Caller>().and_then(|caller| caller.origin);
    let Ok(room) = house.polls.room(request.headers()) else { return busy() };
    let bytes = match timeout(Duration::from_secs(BODY_SECS), Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Ok(Poll { token, number, frames, last }) = Poll::decode(&bytes) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    drop((bytes, room));
    let connection = match find(&house, token, number, origin) {
        Found::Here(connection) => connection,
        Found::Nowhere => return StatusCode::GONE.into_response(),
        Found::NoRoom => return busy(),
    };
    let (answer, told) = oneshot::channel();
    // It may end at this moment: then nobody answers.
    let _ = connection.send(Asked { number, frames, last, answer }).await;
    drop(connection);
    match told.await {
        Ok(Told::Answer(bytes)) => {
            let headers = [(header::CONTENT_TYPE, "application/cbor"), (header::CACHE_CONTROL, "no-store")];
            (headers, bytes).into_response()
        }
        Ok(Told::OutOfTurn) => StatusCode::CONFLICT.into_response(),
        Ok(Told::Gone) | Err(_) => StatusCode::GONE.into_response(),
    }
}

/// Where a poll belongs.
enum Found {
    Here(mpsc::Sender<Asked>),
    Nowhere,
    NoRoom,
}

/// The connection of this token; a new one, where its first poll comes.
fn find(house: &Arc<House>, token: PollToken, number: u32, origin: Option<Origin>) -> Found {
    let mut connections = house.polls.connections();
    if let Some(known) = connections.by_token.get(&token) {
        return Found::Here(known.polls.clone());
    }
    if number != 0 {
        return Found::Nowhere;
    }
    if !house.ready.load(Ordering::Relaxed) {
        return Found::NoRoom;
    }
    if connections.by_token.len() >= house.polls.settings.connections_max && !connections.make_room() {
        return Found::NoRoom;
    }
    let (sender, polls) = mpsc::channel(POLLS_MAX);
    let conn = Conn(house.next_conn.fetch_add(1, Ordering::Relaxed));
    let settings = house.polls.settings;
    let mut session = Session::new(conn, house.events.clone(), house.draining.clone(), polls, settings).from(origin);
    let (in_use, give_way) = (session.in_use(), session.give_way());
    connections.by_token.insert(token, Connection { conn, polls: sender.clone(), in_use, give_way });
    connections.unused.push_back((token, conn));
    let listed = Listed { house: Arc::clone(house), token, conn };
    tokio::spawn(async move {
        session.run().await;
        // Out of the list before its receiver goes: a token is found as long as it is answered.
        drop(listed);
    });
    Found::Here(sender)
}

/// A relay that takes nobody now.
pub(super) fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER_SECS)]).into_response()
}

/// Keeps a token in the list.
struct Listed {
    house: Arc<House>,
    token: PollToken,
    conn: Conn,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.house.polls.connections().forget(&self.token, self.conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(connections: &mut Connections, name: u8) -> Arc<AtomicBool> {
        let in_use = Arc::<AtomicBool>::default();
        let conn = Conn(name.into());
        let connection =
            Connection { conn, polls: mpsc::channel(1).0, in_use: Arc::clone(&in_use), give_way: Arc::default() };
        connections.by_token.insert([name; 32].into(), connection);
        connections.unused.push_back(([name; 32].into(), conn));
        in_use
    }

    #[test]
    fn the_oldest_unused_connection_gives_way_and_none_in_use() {
        let mut connections = Connections::default();
        let [first, _second, third] = [1, 2, 3].map(|name| open(&mut connections, name));
        first.store(true, Ordering::Relaxed);
        assert!(connections.make_room());
        assert!(!connections.by_token.contains_key(&[2; 32].into()));
        third.store(true, Ordering::Relaxed);
        assert!(!connections.make_room(), "both are in use");
        assert_eq!(connections.by_token.len(), 2);
    }

    #[test]
    fn what_has_ended_is_not_kept_in_mind() {
        let mut connections = Connections::default();
        for name in 1..=9 {
            open(&mut connections, name);
        }
        for name in 1..=9 {
            connections.forget(&[name; 32].into(), Conn(name.into()));
        }
        assert!(connections.by_token.is_empty() && connections.unused.is_empty());
    }

    #[test]
    fn large_bodies_have_so_much_room_and_small_ones_always() {
        let polls = Polls::new(LongPoll::default());
        let of = |length: u64| HeaderMap::from_iter([(header::CONTENT_LENGTH, length.into())]);
        let held: Vec<_> = (0..LARGE_MAX).map(|_| polls.room(&of(SMALL_BYTES + 1)).unwrap()).collect();
        assert!(polls.room(&of(SMALL_BYTES + 1)).is_err());
        assert!(polls.room(&HeaderMap::new()).is_err(), "its length is not told");
        assert!(polls.room(&of(SMALL_BYTES)).is_ok_and(|room| room.is_none()));
        drop(held);
        assert!(polls.room(&of(SMALL_BYTES + 1)).is_ok());
    }
}
