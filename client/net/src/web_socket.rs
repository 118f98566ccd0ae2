//! Frames over a WebSocket at `GET /v1/stream`: every message is one frame.

use std::time::Duration;

use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, limits::FRAME_BYTES_MAX};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error as WsError, Message,
        error::ProtocolError,
        handshake::client::Response,
        protocol::{WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{NetError, connection::Arrival, dial::Stream};

/// tungstenite allocates this at once for each connection, where its default is 128 KiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// The longest goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// What close code 1013, "try again later", asks for: it carries no number.
const AGAIN_SECS: u32 = 5;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// What a relay sends.
pub(crate) struct Incoming(SplitStream<Socket>);

/// What is sent to a relay.
pub(crate) struct Outgoing(SplitSink<Socket, Message>);

/// Asks for the WebSocket.
pub(crate) async fn upgrade(address: &RelayAddress, stream: Box<dyn Stream>) -> Result<(Incoming, Outgoing), NetError> {
    let url = format!("ws://{}/v1/stream", address.authority());
    let (socket, _) = client_async_with_config(url, stream, Some(limits())).await.map_err(not_upgraded)?;
    let (outgoing, incoming) = socket.split();
    Ok((Incoming(incoming), Outgoing(outgoing)))
}

impl Incoming {
    /// The next arrival. May be dropped between polls without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival, NetError> {
        match self.0.next().await {
            Some(Ok(Message::Binary(bytes))) => Ok(Arrival::Frame(Box::new(RelayFrame::decode(&bytes)?))),
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

impl Outgoing {
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
        (429 | 503, Some(retry_after_secs)) => NetError::Overloaded { retry_after_secs },
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
