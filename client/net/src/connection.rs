//! One connection to one relay: dialled, pinned, upgraded to a WebSocket of whole frames.
//!
//! Every message is one frame of at most `FRAME_BYTES_MAX` bytes. Anything else ends the connection with an error that
//! says so.

use std::{io, time::Duration};

use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, Tls, limits::FRAME_BYTES_MAX};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error as WsError, Message,
        error::ProtocolError,
        handshake::client::Response,
        protocol::{WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{NetError, Route, tls};

/// How long dialling, TLS and the upgrade may take together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// tungstenite allocates this at once for each connection, where its default is 128 KiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// The longest goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

type Socket = WebSocketStream<Box<dyn Transport>>;

/// A standing connection, as two halves that move on their own: a relay that does not read cannot keep us from reading.
pub struct Connection {
    /// What comes.
    pub(crate) incoming: Incoming,
    /// What goes.
    pub(crate) outgoing: Outgoing,
    exporter: Option<[u8; 32]>,
}

/// What a relay sends.
pub(crate) struct Incoming(SplitStream<Socket>);

/// What is sent to a relay.
pub(crate) struct Outgoing(SplitSink<Socket, Message>);

impl Connection {
    /// Dials a relay, in at most 20 s.
    ///
    /// # Errors
    /// [`NetError`] for whatever stands between: nothing of ours was sent then but the request for `/v1/stream`.
    pub async fn dial(address: &RelayAddress, route: &Route) -> Result<Self, NetError> {
        timeout(DIAL_TIMEOUT, Self::dial_patiently(address, route))
            .await
            .unwrap_or(Err(NetError::Unreachable(io::ErrorKind::TimedOut)))
    }

    async fn dial_patiently(address: &RelayAddress, route: &Route) -> Result<Self, NetError> {
        let stream = route.reach(address.host(), address.port()).await?;
        let (transport, exporter): (Box<dyn Transport>, _) = match address.tls() {
            Tls::Own => (Box::new(tls::connect_own(address.host(), address.identity(), stream).await?), None),
            Tls::Acme => {
                let stream = tls::connect_acme(address.host(), stream).await?;
                let exporter = tls::exporter(&stream)?;
                (Box::new(stream), Some(exporter))
            }
            Tls::Off => (Box::new(stream), None),
        };
        let url = format!("ws://{}/v1/stream", address.authority());
        let (socket, _) = client_async_with_config(url, transport, Some(limits())).await.map_err(not_upgraded)?;
        let (outgoing, incoming) = socket.split();
        Ok(Self { incoming: Incoming(incoming), outgoing: Outgoing(outgoing), exporter })
    }

    /// The TLS exporter (RFC 9266), where a public certificate carries TLS.
    pub const fn exporter(&self) -> Option<[u8; 32]> {
        self.exporter
    }

    /// Sends one frame and waits until it is handed to the system.
    ///
    /// # Errors
    /// [`NetError`]; the connection is of no use then.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        self.outgoing.send(frame).await
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`NetError`]; the connection is of no use then.
    pub async fn receive(&mut self) -> Result<RelayFrame, NetError> {
        loop {
            if let Arrival::Frame(frame) = self.incoming.next().await? {
                return Ok(frame);
            }
        }
    }
}

/// What arrived: a frame, or a sign of life.
pub(crate) enum Arrival {
    Frame(RelayFrame),
    SignOfLife,
}

impl Incoming {
    /// The next arrival. May be dropped between polls without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival, NetError> {
        match self.0.next().await {
            Some(Ok(Message::Binary(bytes))) => Ok(Arrival::Frame(RelayFrame::decode(&bytes)?)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Arrival::SignOfLife),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => Err(NetError::Protocol("a text".to_owned())),
            Some(Ok(Message::Close(goodbye))) => Err(match goodbye.map(|goodbye| goodbye.code) {
                Some(CloseCode::Again) => NetError::Overloaded { retry_after_secs: AGAIN_SECS },
                _ => NetError::Ended,
            }),
            Some(Err(error)) => Err(broken(error)),
            None => Err(NetError::Ended),
        }
    }
}

/// What close code 1013, "try again later", asks for: it carries no number.
const AGAIN_SECS: u32 = 5;

impl Outgoing {
    pub(crate) async fn send(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        self.0.send(Message::Binary(frame.encode().into())).await.map_err(broken)
    }

    /// Queues a frame; `flush` hands all queued ones to the system at once.
    pub(crate) async fn feed(&mut self, frame: &ClientFrame) -> Result<(), NetError> {
        self.0.feed(Message::Binary(frame.encode().into())).await.map_err(broken)
    }

    pub(crate) async fn flush(&mut self) -> Result<(), NetError> {
        self.0.flush().await.map_err(broken)
    }

    pub(crate) async fn ping(&mut self) -> Result<(), NetError> {
        self.0.send(Message::Ping(Vec::new().into())).await.map_err(broken)
    }

    /// Says goodbye; that nobody listens any more is no error.
    pub(crate) async fn close(&mut self) {
        let _gone = timeout(GOODBYE_TIMEOUT, self.0.close()).await;
    }
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(2 * FRAME_BYTES_MAX + BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}

fn not_upgraded(error: WsError) -> NetError {
    let WsError::Http(response) = error else { return broken(error) };
    match (response.status().as_u16(), retry_after_secs(&response)) {
        (429 | 503, hint) => NetError::Overloaded { retry_after_secs: hint.unwrap_or(AGAIN_SECS) },
        (status, _) => NetError::NotARelay(status),
    }
}

fn retry_after_secs(response: &Response) -> Option<u32> {
    response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()
}

fn broken(error: WsError) -> NetError {
    match error {
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Io(_)
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => NetError::Ended,
        error => NetError::Protocol(error.to_string()),
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { incoming: _, outgoing: _, exporter } = self;
        f.debug_struct("Connection").field("bound", &exporter.is_some()).finish_non_exhaustive()
    }
}
