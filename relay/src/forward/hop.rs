//! Asking another relay: resolve, check the addresses, dial, ask once. A relay that could not be reached is left alone for a
//! while, and one that was keeps its connection for what comes soon after.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Body, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use sotto_outer::{
    Forward, ForwardKey, Forwarded, Hop, RelayAddress, Tls, codec,
    limits::{FORWARD_KEY_BYTES, FORWARD_RESPONSE_BYTES},
};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
    time::timeout,
};

use super::{pin, reach};
use crate::core::ForwardOutcome;

/// Where another relay takes what is forwarded.
const PATH: &str = "/v1/forward";
/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(5);
/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(20);
/// How long a relay that could not be reached is left alone.
const FAILED_SECS: u32 = 60;
/// Relays that are left alone.
const FAILED_MAX: usize = 4_096;
/// Commands on their way to other relays, of all connections.
const ON_THEIR_WAY_MAX: usize = 512;
/// How long a connection without use is kept: a little less than the other side does.
const IDLE: Duration = Duration::from_secs(8);
/// Connections kept, to one relay and in all.
const IDLE_MAX: (usize, usize) = (4, 256);
/// When to come again where there is no room here.
const BUSY_SECS: u32 = 2;
/// An answer with a key: the key, a signature and little more.
const KEY_ANSWER_BYTES_MAX: usize = FORWARD_KEY_BYTES + 128;

/// What a host decides about forwarding.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Also dial addresses that are not the public internet's, and without TLS: for relays within one network.
    pub allow_private: bool,
}

/// The way to other relays.
pub(crate) struct Hops {
    settings: Settings,
    on_their_way: Semaphore,
    failed: Mutex<HashMap<RelayAddress, Instant>>,
    idle: Mutex<HashMap<RelayAddress, Vec<(Connection, Instant)>>>,
}

type Connection = http1::SendRequest<Full<Bytes>>;

/// Why another relay gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It has no address that may be dialled.
    Address,
    /// Nobody, or somebody else, is there.
    Connect,
    /// It did not answer in time.
    Timeout,
    /// It answered otherwise than a relay does.
    Protocol,
    /// One of the above a while ago: it was not asked.
    LeftAlone {
        /// When it may be asked again, in seconds.
        retry_after_secs: u32,
    },
    /// It, or this relay, asks for patience.
    Busy {
        /// For how long, in seconds.
        retry_after_secs: u32,
    },
}

impl From<Result<Forwarded, Failure>> for ForwardOutcome {
    fn from(result: Result<Forwarded, Failure>) -> Self {
        match result {
            Ok(forwarded) => Self::Forwarded(forwarded),
            Err(Failure::Address | Failure::Connect | Failure::Timeout | Failure::Protocol) => {
                Self::Unreachable { retry_after_secs: FAILED_SECS }
            }
            Err(Failure::LeftAlone { retry_after_secs }) => Self::Unreachable { retry_after_secs },
            Err(Failure::Busy { retry_after_secs }) => Self::Busy { retry_after_secs },
        }
    }
}

impl Hops {
    pub(crate) fn new(settings: Settings) -> Self {
        let on_their_way = Semaphore::new(ON_THEIR_WAY_MAX);
        Self { settings, on_their_way, failed: Mutex::default(), idle: Mutex::default() }
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn ask(&self, forward: Forward) -> Result<Forwarded, Failure> {
        let Forward { target, hop } = forward;
        let Ok(_permit) = self.on_their_way.try_acquire() else {
            return Err(Failure::Busy { retry_after_secs: BUSY_SECS });
        };
        if let Some(retry_after_secs) = self.left_alone(&target) {
            return Err(Failure::LeftAlone { retry_after_secs });
        }
        let result = timeout(WHOLE, self.exchange(&target, &hop)).await.unwrap_or(Err(Failure::Timeout));
        if matches!(result, Err(Failure::Address | Failure::Connect | Failure::Timeout)) {
            self.leave_alone(target);
        }
        result
    }

    /// Commands on their way to other relays.
    pub(crate) fn on_their_way(&self) -> usize {
        ON_THEIR_WAY_MAX - self.on_their_way.available_permits()
    }

    async fn exchange(&self, target: &RelayAddress, hop: &Hop) -> Result<Forwarded, Failure> {
        let (method, body) = match hop {
            Hop::Key => (Method::GET, Bytes::new()),
            Hop::Request { sealed } => (Method::POST, Bytes::copy_from_slice(sealed)),
        };
        let request = Request::builder().method(method).uri(PATH).header(header::HOST, target.authority());
        let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(Full::new(body));
        let request = request.map_err(|_| Failure::Protocol)?;
        let (response, connection) = self.send(target, request).await?;
        let forwarded = read(response, hop).await?;
        self.keep(target, connection);
        Ok(forwarded)
    }

    /// Sends on a connection that is there, or on a new one. What was begun to be sent is not sent again.
    async fn send(
        &self,
        target: &RelayAddress,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), Failure> {
        let mut request = request;
        while let Some(mut connection) = self.kept(target) {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => request = error.take_message().ok_or(Failure::Protocol)?,
            }
        }
        let mut connection = self.dial(target).await?;
        let response = connection.send_request(request).await.map_err(|_| Failure::Protocol)?;
        Ok((response, connection))
    }

    async fn dial(&self, target: &RelayAddress) -> Result<Connection, Failure> {
        if target.tls() == Tls::Off && !self.settings.allow_private {
            return Err(Failure::Address);
        }
        let resolved = lookup_host((target.host(), target.port())).await.map_err(|_| Failure::Address)?;
        let permitted = reach::permitted(resolved, self.settings.allow_private);
        if permitted.is_empty() {
            return Err(Failure::Address);
        }
        for address in permitted {
            if let Ok(Ok(connection)) = timeout(CONNECT, connect(target, address)).await {
                return Ok(connection);
            }
        }
        Err(Failure::Connect)
    }

    /// Seconds for which this relay is still left alone.
    fn left_alone(&self, target: &RelayAddress) -> Option<u32> {
        let since = lock(&self.failed).get(target)?.elapsed().as_secs();
        u32::try_from(since).ok().and_then(|secs| FAILED_SECS.checked_sub(secs)).filter(|secs| *secs > 0)
    }

    fn leave_alone(&self, target: RelayAddress) {
        let mut failed = lock(&self.failed);
        if failed.len() >= FAILED_MAX {
            failed.retain(|_, since| since.elapsed().as_secs() < u64::from(FAILED_SECS));
        }
        if failed.len() < FAILED_MAX {
            failed.insert(target, Instant::now());
        }
    }

    fn kept(&self, target: &RelayAddress) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let connections = idle.get_mut(target)?;
        let mut found = None;
        while let Some((connection, since)) = connections.pop() {
            if since.elapsed() < IDLE && !connection.is_closed() {
                found = Some(connection);
                break;
            }
        }
        if connections.is_empty() {
            idle.remove(target);
        }
        found
    }

    fn keep(&self, target: &RelayAddress, connection: Connection) {
        let (of_one_max, max) = IDLE_MAX;
        let mut idle = lock(&self.idle);
        if idle.values().map(Vec::len).sum::<usize>() >= max {
            idle.retain(|_, connections| {
                connections.retain(|(_, since)| since.elapsed() < IDLE);
                !connections.is_empty()
            });
        }
        if idle.values().map(Vec::len).sum::<usize>() < max {
            let connections = idle.entry(target.clone()).or_default();
            if connections.len() < of_one_max {
                connections.push((connection, Instant::now()));
            }
        }
    }
}

async fn connect(target: &RelayAddress, address: SocketAddr) -> io::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = pin::secure(target.tls(), target.host(), target.identity(), stream).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the sender, or with the other side.
    tokio::spawn(connection);
    Ok(sender)
}

async fn read(response: Response<Incoming>, hop: &Hop) -> Result<Forwarded, Failure> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(Failure::Busy { retry_after_secs: after.unwrap_or(BUSY_SECS).min(FAILED_SECS) });
        }
        _ => return Err(Failure::Protocol),
    }
    let bytes_max = FORWARD_RESPONSE_BYTES.max(KEY_ANSWER_BYTES_MAX);
    if response.body().size_hint().lower() > bytes_max as u64 {
        return Err(Failure::Protocol);
    }
    let body = Limited::new(response.into_body(), bytes_max).collect().await.map_err(|_| Failure::Protocol)?.to_bytes();
    match hop {
        Hop::Key => {
            let key: ForwardKey = codec::decode(&body, KEY_ANSWER_BYTES_MAX).map_err(|_| Failure::Protocol)?;
            Ok(Forwarded::Key(Box::new(key)))
        }
        Hop::Request { .. } if body.len() == FORWARD_RESPONSE_BYTES => Ok(Forwarded::Response { sealed: body.into() }),
        Hop::Request { .. } => Err(Failure::Protocol),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn to(port: u16) -> Forward {
        let target = RelayAddress::new("127.0.0.1", port, Tls::Off, [9; 32].into()).unwrap();
        Forward { target, hop: Hop::Key }
    }

    fn within() -> Hops {
        Hops::new(Settings { allow_private: true })
    }

    /// A web server that answers each request with these bytes, and counts its connections.
    async fn says(answer: &'static str) -> (u16, tokio::sync::mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, connections) = tokio::sync::mpsc::channel(100);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = accepted.send(()).await;
                tokio::spawn(async move {
                    let mut request = [0; 1_024];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (port, connections)
    }

    #[tokio::test]
    async fn a_relay_that_fails_is_left_alone_for_a_while() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let hops = within();
        let outcome = hops.ask(to(port)).await;
        assert_eq!(outcome, Err(Failure::Connect));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let outcome = hops.ask(to(port)).await;
        assert!(matches!(outcome, Err(Failure::LeftAlone { .. })), "{outcome:?}");
        let dialled = futures_util::FutureExt::now_or_never(listener.accept());
        assert!(dialled.is_none(), "nobody is dialled meanwhile");
    }

    #[tokio::test]
    async fn what_answers_as_no_relay_does_is_no_relay() {
        for answer in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\nhello",
            "this is not HTTP\r\n\r\n",
        ] {
            let (port, _connections) = says(answer).await;
            let outcome = within().ask(to(port)).await;
            assert_eq!(outcome, Err(Failure::Protocol), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_busy_relay_is_told_of_as_busy_and_not_for_long() {
        let (port, _connections) =
            says("HTTP/1.1 503 Service Unavailable\r\nretry-after: 99999\r\ncontent-length: 0\r\n\r\n").await;
        let outcome = within().ask(to(port)).await;
        assert_eq!(outcome, Err(Failure::Busy { retry_after_secs: FAILED_SECS }));
    }

    #[tokio::test]
    async fn private_networks_and_plain_text_are_for_hosts_to_allow() {
        let (port, mut connections) = says("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        let hops = Hops::new(Settings::default());
        for tls in [Tls::Off, Tls::Own, Tls::Acme] {
            let target = RelayAddress::new("localhost", port, tls, [9; 32].into()).unwrap();
            let outcome = hops.ask(Forward { target, hop: Hop::Key }).await;
            assert_eq!(outcome, Err(Failure::Address));
        }
        assert!(connections.try_recv().is_err(), "nobody was dialled");
    }
}
