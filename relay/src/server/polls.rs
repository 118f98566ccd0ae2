//! The door of long poll, `POST /v1/frames`: finds the connection that a poll belongs to, and opens new ones.
//!
//! A connection is found by its token, which stands in the body alone: no proxy logs it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sotto_outer::{
    Poll, PollToken,
    limits::{POLL_HANG_SECS, POLL_IDLE_SECS},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    House, RETRY_AFTER_SECS,
    poll::{Asked, Session, Told},
};
use crate::core::Conn;

/// How long a client may take to send a poll.
const BODY_SECS: u64 = 30;
/// Polls of one connection on their way to it: two, and each asked again.
const POLLS_MAX: usize = 4;

/// What long poll may use.
#[derive(Clone, Copy, Debug)]
pub struct LongPoll {
    /// Connections at a time; beyond, new ones are turned away.
    pub connections_max: usize,
    /// How long without a poll until a connection has ended.
    pub idle: Duration,
    /// How long a poll hangs where nothing is to be told.
    pub hang: Duration,
}

impl Default for LongPoll {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            idle: Duration::from_secs(POLL_IDLE_SECS.into()),
            hang: Duration::from_secs(POLL_HANG_SECS.into()),
        }
    }
}

/// All connections by long poll.
pub(super) struct Polls {
    settings: LongPoll,
    connections: Mutex<HashMap<PollToken, mpsc::Sender<Asked>>>,
}

impl Polls {
    pub(super) fn new(settings: LongPoll) -> Self {
        Self { settings, connections: Mutex::new(HashMap::new()) }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<PollToken, mpsc::Sender<Asked>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `POST /v1/frames`.
pub(super) async fn frames(State(house): State<Arc<House>>, request: Request) -> Response {
    let bytes = match timeout(Duration::from_secs(BODY_SECS), Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Ok(Poll { token, number, frames, last }) = Poll::decode(&bytes) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    drop(bytes);
    let connection = match find(&house, token, number) {
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
fn find(house: &Arc<House>, token: PollToken, number: u32) -> Found {
    let mut connections = house.polls.connections();
    if let Some(known) = connections.get(&token) {
        return Found::Here(known.clone());
    }
    if number != 0 {
        return Found::Nowhere;
    }
    if !house.ready.load(Ordering::Relaxed) || connections.len() >= house.polls.settings.connections_max {
        return Found::NoRoom;
    }
    let (sender, polls) = mpsc::channel(POLLS_MAX);
    connections.insert(token, sender.clone());
    let conn = Conn(house.next_conn.fetch_add(1, Ordering::Relaxed));
    let settings = house.polls.settings;
    let mut session = Session::new(conn, house.events.clone(), house.draining.clone(), polls, settings);
    let listed = Listed { house: Arc::clone(house), token };
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
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.house.polls.connections().remove(&self.token);
    }
}
