//! One client's connection: WebSocket messages to frames and back.
//!
//! It reads no further while [`UNANSWERED_MAX`] requests are unanswered, so a client that asks without listening fills its own
//! socket and nothing else.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket, close_code},
};
use futures_util::SinkExt;
use sotto_outer::{ClientFrame, Command};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use super::{accept::Caller, hub::Event, metrics::Via, outbox::Outgoing, queue};
use crate::core::Conn;

/// Requests of one connection that may be unanswered.
const UNANSWERED_MAX: usize = 256;
/// Frames for one connection that may wait; answers, deliveries and what is told besides fit well.
const OUTGOING_MAX: usize = 1_024;
/// How long a client may take to take in what is sent.
const WRITE_SECS: u64 = 30;
/// How long a client may take to say `info`.
const INFO_SECS: u64 = 20;

/// A client that is connecting.
pub(super) struct Client {
    conn: Conn,
    caller: Caller,
    events: mpsc::Sender<Event>,
    draining: watch::Receiver<bool>,
    ping_every: Duration,
}

/// A client that is connected.
struct Connected {
    client: Client,
    socket: WebSocket,
    outgoing: queue::Receiver<Outgoing>,
    unanswered: usize,
    pings: Interval,
    greeting: Greeting,
    /// Pings since the client was last heard.
    silent_pings: u32,
}

/// Whether `info` has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// Not yet.
    Awaited,
    /// It has.
    Said,
    /// It had when it was looked for.
    Seen,
}

/// Whether a connection goes on.
enum Next {
    Go,
    /// It ends, with this reason told where the client still listens.
    End(Option<CloseFrame>),
}

impl Client {
    /// It is asked whether it is still there each `ping_every`; not to answer once is forgiven.
    pub(super) const fn new(
        conn: Conn,
        caller: Caller,
        events: mpsc::Sender<Event>,
        draining: watch::Receiver<bool>,
        ping_every: Duration,
    ) -> Self {
        Self { conn, caller, events, draining, ping_every }
    }

    pub(super) async fn run(mut self, socket: WebSocket) {
        let (outbox, outgoing) = queue::queue(OUTGOING_MAX);
        let (conn, events) = (self.conn, self.events.clone());
        if events.send(Event::Opened(conn, outbox, Via::WebSocket)).await.is_err() {
            return;
        }
        let Caller { exporter, origin } = std::mem::take(&mut self.caller);
        let (bound, from) = (exporter.map(|it| Event::Bound(conn, it)), origin.map(|it| Event::From(conn, it)));
        for event in bound.into_iter().chain(from) {
            if events.send(event).await.is_err() {
                return;
            }
        }
        // With the first tick `info` is looked for.
        let mut pings = interval_at(Instant::now() + Duration::from_secs(INFO_SECS), self.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let greeting = Greeting::Awaited;
        let mut connected =
            Connected { client: self, socket, outgoing, unanswered: 0, pings, greeting, silent_pings: 0 };
        let reason = loop {
            if let Next::End(reason) = connected.step().await {
                break reason;
            }
        };
        // The core forgets the connection first, so that its mailboxes can be read elsewhere while a slow socket closes.
        let _ = events.send(Event::Closed(conn)).await;
        if let Some(reason) = reason {
            let _ = timeout(Duration::from_secs(WRITE_SECS), connected.socket.send(Message::Close(Some(reason)))).await;
        }
    }
}

impl Connected {
    async fn step(&mut self) -> Next {
        let draining = *self.client.draining.borrow();
        if draining && self.unanswered == 0 && self.outgoing.is_empty() {
            return end(close_code::AWAY, "the relay is stopping");
        }
        tokio::select! {
            biased;
            outgoing = self.outgoing.recv() => self.write(outgoing).await,
            message = self.socket.recv(), if !draining && self.unanswered < UNANSWERED_MAX => self.read(message).await,
            _ = self.client.draining.changed(), if !draining => Next::Go,
            _ = self.pings.tick() => self.tick().await,
        }
    }

    /// Takes what came from the client.
    async fn read(&mut self, message: Option<Result<Message, axum::Error>>) -> Next {
        let Some(Ok(message)) = message else { return Next::End(None) };
        self.silent_pings = 0;
        let event = match message {
            Message::Binary(bytes) => match ClientFrame::decode(&bytes) {
                Ok(frame) => {
                    if self.greeting == Greeting::Awaited && matches!(frame.command, Command::Info(_)) {
                        self.greeting = Greeting::Said;
                    }
                    Event::Frame(self.client.conn, frame)
                }
                Err(_) => Event::Malformed(self.client.conn),
            },
            Message::Text(_) => Event::Malformed(self.client.conn),
            Message::Ping(_) | Message::Pong(_) => return Next::Go,
            Message::Close(_) => return Next::End(None),
        };
        self.unanswered += 1;
        match self.client.events.send(event).await {
            Ok(()) => Next::Go,
            Err(_) => end(close_code::AWAY, "the relay is stopping"),
        }
    }

    /// Sends what waits for the client, all of it at once.
    async fn write(&mut self, first: Option<Outgoing>) -> Next {
        let Some(first) = first else { return end(close_code::POLICY, "too much was left unread") };
        match timeout(Duration::from_secs(WRITE_SECS), self.write_all(first)).await {
            Ok(Ok(next)) => next,
            Ok(Err(_)) | Err(_) => Next::End(None),
        }
    }

    async fn write_all(&mut self, first: Outgoing) -> Result<Next, axum::Error> {
        let mut waiting = Some(first);
        while let Some(outgoing) = waiting {
            match outgoing {
                Outgoing::Frame(posted) => {
                    self.unanswered -= usize::from(posted.is_answer());
                    self.socket.feed(Message::Binary(posted.encode().into())).await?;
                    drop(posted.handed_over());
                }
                Outgoing::Shared(shared) => self.socket.feed(Message::Binary(shared.frame.clone())).await?,
                Outgoing::Close => {
                    self.socket.flush().await?;
                    return Ok(end(close_code::PROTOCOL, "not a frame of this protocol"));
                }
            }
            waiting = self.outgoing.try_recv();
        }
        self.socket.flush().await?;
        Ok(Next::Go)
    }

    async fn tick(&mut self) -> Next {
        match self.greeting {
            // Who never says it holds a place and has no use for it.
            Greeting::Awaited => end(close_code::POLICY, "no info came"),
            Greeting::Said => {
                self.greeting = Greeting::Seen;
                Next::Go
            }
            Greeting::Seen => self.ping().await,
        }
    }

    async fn ping(&mut self) -> Next {
        self.silent_pings += 1;
        if self.silent_pings > 2 {
            return Next::End(None);
        }
        let sent = timeout(Duration::from_secs(WRITE_SECS), self.socket.send(Message::Ping(Bytes::new()))).await;
        if matches!(sent, Ok(Ok(()))) { Next::Go } else { Next::End(None) }
    }
}

fn end(code: u16, reason: &'static str) -> Next {
    Next::End(Some(CloseFrame { code, reason: reason.into() }))
}
