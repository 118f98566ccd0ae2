//! One connection to one relay: dialled, pinned, carrying whole frames both ways, whatever carries them.
//!
//! A WebSocket is the one way, long poll the other. Anything but frames of at most `FRAME_BYTES_MAX` bytes ends the
//! connection with an error that says so.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, Tls};
use tokio::time::timeout;

use crate::{NetError, Route, dial, long_poll, web_socket};

/// How long dialling, TLS and the first answer may take together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long they may take through a proxy: Tor looks for onion services, and builds circuits.
const PROXY_DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// What carries frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `GET /v1/stream`, upgraded.
    WebSocket,
    /// `POST /v1/frames`, again and again.
    LongPoll,
}

/// A standing connection, as two halves that move on their own: a relay that does not read cannot keep us from reading.
pub struct Connection {
    /// What comes.
    pub(crate) incoming: Incoming,
    /// What goes.
    pub(crate) outgoing: Outgoing,
    transport: Transport,
    exporter: Option<[u8; 32]>,
}

/// What a relay sends.
pub(crate) enum Incoming {
    WebSocket(web_socket::Incoming),
    LongPoll(long_poll::Incoming),
}

/// What is sent to a relay.
pub(crate) enum Outgoing {
    WebSocket(web_socket::Outgoing),
    LongPoll(long_poll::Outgoing),
}

/// What arrived: a frame, or a sign of life.
pub(crate) enum Arrival {
    Frame(Box<RelayFrame>),
    SignOfLife,
}

/// A dial that failed.
pub(crate) struct Failed {
    pub(crate) error: NetError,
    /// Whether the relay's host was there, and the TLS its address asks for: then another transport may work.
    pub(crate) reached: bool,
}

impl Transport {
    /// Whether it is spoken under this TLS. A relay behind a public certificate proves its identity for one TLS
    /// connection, and long poll needs several.
    pub(crate) const fn speaks_under(self, tls: Tls) -> bool {
        match (self, tls) {
            (Self::LongPoll, Tls::Acme) => false,
            (Self::WebSocket, Tls::Own | Tls::Acme | Tls::Off) | (Self::LongPoll, Tls::Own | Tls::Off) => true,
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::WebSocket => Self::LongPoll,
            Self::LongPoll => Self::WebSocket,
        }
    }
}

impl Connection {
    /// Dials a relay, in at most 20 s; through a proxy, 60 s.
    ///
    /// # Errors
    /// [`NetError`] for whatever stands between: nothing of ours was sent then but the request for a connection.
    pub async fn dial(address: &RelayAddress, route: &Route, transport: Transport) -> Result<Self, NetError> {
        Self::try_dial(address, route, transport).await.map_err(|failed| failed.error)
    }

    pub(crate) async fn try_dial(address: &RelayAddress, route: &Route, transport: Transport) -> Result<Self, Failed> {
        let reached = AtomicBool::new(false);
        let patience = if route.proxy.is_some() { PROXY_DIAL_TIMEOUT } else { DIAL_TIMEOUT };
        timeout(patience, Self::dial_patiently(address, route, transport, &reached))
            .await
            .unwrap_or(Err(NetError::Unreachable(io::ErrorKind::TimedOut)))
            .map_err(|error| Failed { error, reached: reached.load(Ordering::Relaxed) })
    }

    async fn dial_patiently(
        address: &RelayAddress,
        route: &Route,
        transport: Transport,
        reached: &AtomicBool,
    ) -> Result<Self, NetError> {
        if !transport.speaks_under(address.tls()) {
            return Err(NetError::TlsFailed("long poll is not spoken behind a public certificate".to_owned()));
        }
        let dialled = dial::dial(address, route).await?;
        reached.store(true, Ordering::Relaxed);
        let exporter = dialled.exporter;
        let (incoming, outgoing) = match transport {
            Transport::WebSocket => {
                let (incoming, outgoing) = web_socket::upgrade(address, dialled.stream).await?;
                (Incoming::WebSocket(incoming), Outgoing::WebSocket(outgoing))
            }
            Transport::LongPoll => {
                let (incoming, outgoing) = long_poll::open(address, route, dialled.stream).await?;
                (Incoming::LongPoll(incoming), Outgoing::LongPoll(outgoing))
            }
        };
        Ok(Self { incoming, outgoing, transport, exporter })
    }

    /// What carries it.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The TLS exporter (RFC 9266), where a public certificate carries TLS.
    pub const fn exporter(&self) -> Option<[u8; 32]> {
        self.exporter
    }

    /// Sends one frame and waits until it is handed on.
    ///
    /// # Errors
    /// [`NetError`]; the connection is of no use then.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        self.outgoing.feed(frame).await?;
        self.outgoing.flush().await
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`NetError`]; the connection is of no use then.
    pub async fn receive(&mut self) -> Result<RelayFrame, NetError> {
        loop {
            if let Arrival::Frame(frame) = self.incoming.next().await? {
                return Ok(*frame);
            }
        }
    }
}

impl Incoming {
    /// The next arrival. May be dropped between polls without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival, NetError> {
        match self {
            Self::WebSocket(incoming) => incoming.next().await,
            Self::LongPoll(incoming) => incoming.next().await,
        }
    }
}

impl Outgoing {
    /// Queues a frame; `flush` hands all queued ones on at once.
    pub(crate) async fn feed(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        match self {
            Self::WebSocket(outgoing) => outgoing.feed(frame).await,
            Self::LongPoll(outgoing) => outgoing.feed(frame).await,
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), NetError> {
        match self {
            Self::WebSocket(outgoing) => outgoing.flush().await,
            // What is queued leaves with the next poll, which waits for nothing.
            Self::LongPoll(_) => Ok(()),
        }
    }

    /// Asks for a sign of life.
    pub(crate) async fn ping(&mut self) -> Result<(), NetError> {
        match self {
            Self::WebSocket(outgoing) => outgoing.ping().await,
            Self::LongPoll(outgoing) => {
                outgoing.poke();
                Ok(())
            }
        }
    }

    /// Says goodbye, after what is queued; that nobody listens any more is no error.
    pub(crate) async fn close(&mut self) {
        match self {
            Self::WebSocket(outgoing) => outgoing.close().await,
            Self::LongPoll(outgoing) => outgoing.close().await,
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { incoming: _, outgoing: _, transport, exporter } = self;
        let mut shown = f.debug_struct("Connection");
        shown.field("transport", transport).field("bound", &exporter.is_some()).finish_non_exhaustive()
    }
}
