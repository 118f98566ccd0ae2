//! Asking another relay: resolve, check the addresses, dial, ask once. A relay that could not be reached is left alone for a
//! while, and one that was keeps its connection for what comes soon after.
//!
//! Who asks learns that a place could not be reached, and neither why nor whether somebody asked for it before: all failures
//! come after the same time and with the same words.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
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
    net::TcpStream,
    sync::{Semaphore, watch},
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    crowd::{Crowd, Way},
    kept::{IDLE, Kept, Line},
    left_alone::{LEFT_ALONE, LEFT_ALONE_SECS, LeftAlone, Mark},
    lock,
    names::{NameError, Names},
    neighbours::Neighbours,
    pin, reach,
};
use crate::core::ForwardOutcome;

/// Where another relay takes what is forwarded.
const PATH: &str = "/v1/forward";
/// How long looking a name up may take, and then dialling its addresses. Failures are told when it is over: what is open, closed
/// or filtered looks alike.
const REACH: Duration = Duration::from_secs(5);
/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(20);
/// How long a relay that could not be reached is left alone, as it is told.
const FAILED_SECS: u32 = LEFT_ALONE_SECS;
/// Commands on their way to other relays, of all connections.
const ON_THEIR_WAY_MAX: usize = 512;
/// When to come again where there is no room here.
const BUSY_SECS: u32 = 2;
/// An answer with a key: the key, a signature and little more.
const KEY_ANSWER_BYTES_MAX: usize = FORWARD_KEY_BYTES + 128;
/// How often this relay's own name is looked up.
const OWN_NAME: Duration = Duration::from_secs(600);

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
    names: Names,
    /// Where this relay's own name leads.
    own: Mutex<Vec<IpAddr>>,
    crowd: Crowd,
    left_alone: Arc<Mutex<LeftAlone>>,
    kept: Arc<Mutex<Kept>>,
    told_after: Duration,
}

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
    LeftAlone,
    /// It, or this relay, asks for patience.
    Busy {
        /// For how long, in seconds.
        retry_after_secs: u32,
    },
}

/// There is no room here.
const BUSY: Failure = Failure::Busy { retry_after_secs: BUSY_SECS };

impl From<Result<Forwarded, Failure>> for ForwardOutcome {
    fn from(result: Result<Forwarded, Failure>) -> Self {
        match result {
            Ok(forwarded) => Self::Forwarded(forwarded),
            Err(Failure::Busy { retry_after_secs }) => Self::Busy { retry_after_secs },
            Err(Failure::Address | Failure::Connect | Failure::Timeout | Failure::Protocol | Failure::LeftAlone) => {
                Self::Unreachable { retry_after_secs: FAILED_SECS }
            }
        }
    }
}

impl Hops {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            on_their_way: Semaphore::new(ON_THEIR_WAY_MAX),
            names: Names::default(),
            own: Mutex::default(),
            crowd: Crowd::default(),
            left_alone: Arc::default(),
            kept: Arc::default(),
            told_after: REACH,
        }
    }

    /// Keeps in mind where this relay's own name leads, until the relay stops: through a router that may be the host's own.
    pub(crate) async fn know_own_name(self: Arc<Self>, host: String, mut draining: watch::Receiver<bool>) {
        loop {
            // Where it is not found, what was found before holds.
            if let Ok(found) = self.names.look_up(&host, 0).await {
                *lock(&self.own) = found.iter().map(|address| reach::plain(address.ip())).collect();
            }
            tokio::select! {
                _ = draining.wait_for(|draining| *draining) => return,
                () = sleep(OWN_NAME) => {}
            }
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn ask(&self, forward: Forward) -> Result<Forwarded, Failure> {
        let told_at = Instant::now() + self.told_after;
        let is_pinned = forward.target.tls() == Tls::Own;
        let result = self.ask_now(forward).await;
        match result {
            Ok(_) | Err(Failure::Busy { .. }) => {}
            // It proved itself before it was asked anything.
            Err(Failure::Timeout | Failure::Protocol) if is_pinned => {}
            Err(Failure::Address | Failure::Connect | Failure::Timeout | Failure::Protocol | Failure::LeftAlone) => {
                sleep_until(told_at).await
            }
        }
        result
    }

    async fn ask_now(&self, forward: Forward) -> Result<Forwarded, Failure> {
        let Forward { target, hop } = forward;
        let Ok(_permit) = self.on_their_way.try_acquire() else { return Err(BUSY) };
        if self.leaves_alone(&Mark::Relay(target.clone())) || self.leaves_alone(&Mark::Name(target.host().to_owned())) {
            return Err(Failure::LeftAlone);
        }
        let Ok(result) = timeout(WHOLE, self.exchange(&target, &hop)).await else {
            self.leave_alone(Mark::Relay(target));
            return Err(Failure::Timeout);
        };
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
        let (response, line, _way) = self.send(target, request).await?;
        let forwarded = read(response, hop).await?;
        lock(&self.kept).keep(target, line, Instant::now());
        later(IDLE, &self.kept, Kept::forget);
        Ok(forwarded)
    }

    /// Sends on a connection that is there, or on a new one. What was begun to be sent is not sent again.
    async fn send(
        &self,
        target: &RelayAddress,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Line, Way), Failure> {
        let mut request = request;
        while let Some(mut line) = self.kept(target) {
            let way = self.crowd.enter(line.address.ip()).ok_or(BUSY)?;
            match line.requests.try_send_request(request).await {
                Ok(response) => return Ok((response, line, way)),
                Err(mut error) => request = error.take_message().ok_or(Failure::Protocol)?,
            }
        }
        let (mut line, way) = self.dial(target).await?;
        let response = line.requests.send_request(request).await.map_err(|_| Failure::Protocol)?;
        Ok((response, line, way))
    }

    fn kept(&self, target: &RelayAddress) -> Option<Line> {
        lock(&self.kept).take(target, Instant::now())
    }

    async fn dial(&self, target: &RelayAddress) -> Result<(Line, Way), Failure> {
        let addresses = self.addresses(target).await?;
        let told_at = Instant::now() + self.told_after;
        let share = REACH / u32::try_from(addresses.len()).unwrap_or(1);
        let mut failure = Failure::LeftAlone;
        for address in addresses {
            if self.leaves_alone(&Mark::Address(address)) {
                continue;
            }
            let Some(way) = self.crowd.enter(address.ip()) else {
                failure = BUSY;
                continue;
            };
            match connect(target, address, Instant::now() + share).await {
                Ok(line) => return Ok((line, way)),
                Err(mark) => self.leave_alone(mark),
            }
            failure = Failure::Connect;
        }
        // Counted from here: whoever has a name server of their own says how long a name takes.
        sleep_until(told_at).await;
        Err(failure)
    }

    /// What may be dialled for this relay.
    async fn addresses(&self, target: &RelayAddress) -> Result<Vec<SocketAddr>, Failure> {
        if target.tls() == Tls::Off && !self.settings.allow_private {
            return Err(Failure::Address);
        }
        let nowhere = || {
            self.leave_alone(Mark::Name(target.host().to_owned()));
            Failure::Address
        };
        let resolved = match timeout(REACH, self.names.look_up(target.host(), target.port())).await {
            Ok(Ok(resolved)) => resolved,
            Ok(Err(NameError::Busy)) => return Err(BUSY),
            Ok(Err(NameError::Nowhere)) | Err(_) => return Err(nowhere()),
        };
        let neighbours = match self.settings.allow_private {
            true => None,
            false => Some(spawn_blocking(Neighbours::now).await.map_err(|_| BUSY)?),
        };
        let own = lock(&self.own).clone();
        let permitted = reach::permitted(resolved, neighbours.as_ref(), &own);
        if permitted.is_empty() { Err(nowhere()) } else { Ok(permitted) }
    }

    fn leaves_alone(&self, mark: &Mark) -> bool {
        lock(&self.left_alone).holds(mark, Instant::now())
    }

    fn leave_alone(&self, mark: Mark) {
        lock(&self.left_alone).add(mark, Instant::now());
        later(LEFT_ALONE, &self.left_alone, LeftAlone::forget);
    }
}

/// A connection to one address by then; else what is left alone for it.
async fn connect(target: &RelayAddress, address: SocketAddr, until: Instant) -> Result<Line, Mark> {
    let stream = timeout_at(until, TcpStream::connect(address)).await;
    let Ok(Ok(stream)) = stream else { return Err(Mark::Address(address)) };
    match timeout_at(until, speak(target, address, stream)).await {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(_)) | Err(_) => Err(Mark::Relay(target.clone())),
    }
}

async fn speak(target: &RelayAddress, address: SocketAddr, stream: TcpStream) -> io::Result<Line> {
    stream.set_nodelay(true)?;
    let stream = pin::secure(target.tls(), target.host(), target.identity(), stream).await?;
    let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    Ok(Line::new(requests, address, tokio::spawn(connection).abort_handle()))
}

/// Lets something be forgotten when its time is over, also where nobody asks any more.
fn later<T: Send + 'static>(after: Duration, shared: &Arc<Mutex<T>>, forget: fn(&mut T, Instant)) {
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        sleep(after).await;
        if let Some(shared) = shared.upgrade() {
            forget(&mut lock(&shared), Instant::now());
        }
    });
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
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
        Hops { told_after: Duration::ZERO, ..Hops::new(Settings { allow_private: true }) }
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
        assert_eq!(outcome, Err(Failure::LeftAlone));
        let dialled = listener.accept().now_or_never();
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
    async fn whatever_fails_is_told_late_and_in_the_same_words() {
        let hops = Hops::new(Settings::default());
        let relay = |tls| RelayAddress::new("1.1.1.1", 2, tls, [9; 32].into()).unwrap();
        hops.leave_alone(Mark::Relay(relay(Tls::Own)));
        for tls in [Tls::Off, Tls::Own] {
            let told = hops.ask(Forward { target: relay(tls), hop: Hop::Key }).now_or_never();
            assert!(told.is_none(), "it is known at once, and not told");
        }
        for failure in [Failure::Address, Failure::Connect, Failure::Timeout, Failure::Protocol, Failure::LeftAlone] {
            let told = ForwardOutcome::from(Err(failure));
            assert!(matches!(told, ForwardOutcome::Unreachable { retry_after_secs: FAILED_SECS }), "{failure:?}");
        }
    }

    #[tokio::test]
    async fn one_place_holds_a_part_of_the_ways_and_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, hops) = (listener.local_addr().unwrap().port(), Arc::new(within()));
        let mut held = vec![];
        for _ in 0..8 {
            let hops = Arc::clone(&hops);
            tokio::spawn(async move { hops.ask(to(port)).await });
            held.push(listener.accept().await.unwrap());
        }
        assert_eq!(hops.ask(to(port)).await, Err(BUSY));
        assert_eq!(hops.on_their_way(), 8);
    }

    #[tokio::test]
    async fn private_networks_and_plain_text_are_for_hosts_to_allow() {
        let (port, mut connections) = says("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        for tls in [Tls::Off, Tls::Own, Tls::Acme] {
            let hops = Hops { told_after: Duration::ZERO, ..Hops::new(Settings::default()) };
            let target = RelayAddress::new("localhost", port, tls, [9; 32].into()).unwrap();
            let outcome = hops.ask(Forward { target, hop: Hop::Key }).await;
            assert_eq!(outcome, Err(Failure::Address));
        }
        assert!(connections.try_recv().is_err(), "nobody was dialled");
    }
}
