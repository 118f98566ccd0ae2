//! The relay on a network: sockets, TLS, the tasks around the core, and an orderly end.
//!
//! ```text
//!  connection tasks ──frames──► hub task: core ──operations──► writer task: storage
//!        ▲                        │     ▲                          │
//!        └────────answers─────────┘     └────────outcomes──────────┘
//! ```
//!
//! What waits is bounded everywhere: a connection reads no further while too many of its requests are unanswered, the core
//! turns work away when storage falls behind, and a client that does not read is let go.

mod accept;
mod acme;
mod backlog;
mod blobs;
mod callers;
mod certificate;
mod clock;
mod connection;
mod disk;
mod files;
mod forward;
mod host;
mod hub;
mod join;
mod memory;
mod metrics;
mod notify;
mod outbox;
mod page;
mod poll;
mod polls;
mod proxy;
mod queue;
mod roots;
mod sockets;
mod telemetry;
mod tls;
mod transport;
mod validity;
mod writer;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, State, ws::WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use sotto_outer::{
    RelayAddress, Tls,
    limits::{FORWARD_REQUEST_BYTES, FRAME_BYTES_MAX, POLL_BYTES_MAX},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};

pub(crate) use self::host::Host;
pub(crate) use self::join::redirect_address;
pub(crate) use self::page::contact_uri;
use self::{
    accept::{Caller, Door, Rules},
    blobs::BlobTransfers,
    callers::Callers,
    connection::Client,
    disk::Disk,
    hub::{Event, Watched},
    join::Join,
    outbox::AllUnread,
    polls::Polls,
    sockets::{connections_max, listen, listen_all},
    telemetry::Traces,
    transport::Ending,
};
pub use self::{
    acme::{Acme, LETS_ENCRYPT},
    blobs::{BlobPlace, BlobSettings},
    callers::ProxySettings,
    clock::Clock,
    files::{CertificateFiles, FilesError},
    join::{ClientSecret, IssuerAddress, JoinSettings, NotAnAddress},
    metrics::{AdmittedBy, Blobs, Direction, ForwardError, Forwards, Metrics, Tokens},
    notify::Notify,
    page::PageSettings,
    polls::LongPoll,
    proxy::Network,
    telemetry::{Collector, TelemetrySettings},
    tls::TlsError,
    transport::{RotateError, Transport},
};
use crate::{
    access::Identity,
    core::{Config, Conn, Core},
    forward::{ForwardKeys, Hops, KeysError, Settings as ForwardSettings},
    storage::{Storage, objects::ObjectError},
};

/// Bytes read from a socket at once. A buffer this small is what keeps a quiet connection small.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes gathered before they are written to a socket.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Bytes of an HTTP request that are read ahead, or of an answer that wait to be written.
const HTTP_BUFFER_BYTES: usize = 64 * 1024;
/// Frames from all connections that wait for the core.
const EVENTS_MAX: usize = 1_024;
/// How long a client may take to ask for its WebSocket.
const HTTP_HEADER_SECS: u64 = 10;
/// When a client that is turned away may come again, in seconds.
const RETRY_AFTER_SECS: u32 = 5;
/// Connections of a host's monitoring at a time.
const METRICS_CONNECTIONS_MAX: usize = 64;
/// How long an orderly end may take.
const DRAIN_SECS: u64 = 10;
/// How often a quiet client is asked, where the host says nothing else.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(300);
/// How long HTTP requests may finish while the relay ends.
const HTTP_DRAIN_SECS: u64 = 1;

/// Where and how to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect: one address or more.
    pub listen: Vec<SocketAddr>,
    /// Where `/metrics` is, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Host and port as clients reach this relay; absent: as it listens.
    pub public: Option<(String, u16)>,
    /// How the port is protected.
    pub transport: Transport,
    /// Connections at a time, of all kinds; absent: what open files allow.
    pub connections_max: Option<usize>,
    /// How often a quiet client is asked whether it is still there. The system asks its system more often.
    pub ping_every: Duration,
    /// Which proxies say whose a connection is, and how often one address may connect.
    pub proxy: ProxySettings,
    /// What long poll may use.
    pub long_poll: LongPoll,
    /// The rules' numbers.
    pub core: Config,
    /// The folder whose disk is watched, and the free bytes below which nothing new is stored.
    pub disk: Option<(PathBuf, u64)>,
    /// The database whose backlog is counted for monitoring.
    pub database: Option<PathBuf>,
    /// Memory this process may use, in bytes; none: four fifths of what this machine or its control group has.
    pub memory_bytes_max: Option<u64>,
    /// How commands are carried to other relays.
    pub forward: ForwardSettings,
    /// Where the keys are kept to which commands that come through others are sealed; absent: nowhere.
    pub forward_keys: Option<PathBuf>,
    /// The host's words on the pages that browsers see; absent: there are no pages.
    pub page: Option<PageSettings>,
    /// Where people log in for a credential; absent: nowhere.
    pub join: Option<JoinSettings>,
    /// Where traces go; absent: there are none.
    pub telemetry: Option<TelemetrySettings>,
    /// Where blobs are kept, if they are.
    pub blobs: Option<BlobSettings>,
    /// What time it is.
    pub clock: Clock,
}

impl Settings {
    /// The least: plain, listening here, nothing measured, no disk watched and no pages. What a host writes comes on top.
    pub fn plain(listen: SocketAddr) -> Self {
        Self {
            listen: vec![listen],
            metrics_listen: None,
            public: None,
            transport: Transport::Plain,
            connections_max: None,
            ping_every: PING_EVERY,
            proxy: ProxySettings::default(),
            long_poll: LongPoll::default(),
            core: Config::default(),
            disk: None,
            database: None,
            memory_bytes_max: None,
            forward: ForwardSettings::default(),
            forward_keys: None,
            page: None,
            join: None,
            blobs: None,
            telemetry: None,
            clock: Clock::default(),
        }
    }
}

/// Why a relay could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or this user may not open it.
    #[error("cannot listen on port {port}: {error}; nothing was changed")]
    Listen {
        /// Which port.
        port: u16,
        /// What the system says.
        error: io::Error,
    },
    /// The TLS leaf could not be made.
    #[error("TLS cannot be set up: {0}; nothing was changed")]
    Tls(#[from] TlsError),
    /// No address was named.
    #[error("there is no address to listen at; nothing was changed")]
    Nowhere,
    /// The keys for what comes through other relays.
    #[error("{0}")]
    ForwardKeys(#[from] KeysError),
    /// The file of the issuer's root.
    #[error("admission.issuer_root is no PEM file with a certificate; nothing was changed")]
    IssuerRoot,
    /// The place of the blobs cannot be used.
    #[error("blobs cannot be kept: {0}; nothing was changed")]
    Blobs(#[from] ObjectError),
}

/// A running relay.
pub struct Relay<S> {
    addresses: Vec<SocketAddr>,
    tls: Option<Arc<Ending>>,
    metrics_address: Option<SocketAddr>,
    house: Arc<House>,
    servers: Vec<Handle<SocketAddr>>,
    drain: watch::Sender<bool>,
    hub: JoinHandle<()>,
    writer: JoinHandle<S>,
}

/// What all connections share.
struct House {
    events: mpsc::Sender<Event>,
    draining: watch::Receiver<bool>,
    ready: AtomicBool,
    next_conn: AtomicU64,
    ping_every: Duration,
    metrics: Arc<Metrics>,
    polls: Polls,
    inbox: forward::Inbox,
    blobs: Option<Arc<BlobTransfers>>,
}

/// Where clients reach this relay, as `info` proves it. None where no address can name the host: `config` refuses such a one.
fn public_address(settings: &Settings, identity: &Identity, bound: SocketAddr) -> Option<RelayAddress> {
    let (host, port) = settings.public.clone().unwrap_or_else(|| (bound.ip().to_string(), bound.port()));
    // Port 0 stands for whatever port the system chose.
    let port = if port == 0 { bound.port() } else { port };
    RelayAddress::new(&host, port, settings.transport.tls(), *identity.public()).ok()
}

/// The pages that browsers see, and where they log in, where there are to be any.
fn pages(settings: &Settings, address: Option<&RelayAddress>, metrics: &Arc<Metrics>) -> Result<Router, StartError> {
    let Some(address) = address else { return Ok(Router::new()) };
    let home = settings.page.as_ref().map(|words| page::router(address, words, &settings.core));
    let join = match (&settings.join, &settings.core.mint) {
        (Some(join), Some(mint)) => {
            Some(Join::new(join.clone(), address, mint.clone(), Arc::clone(metrics), settings.clock.clone())?)
        }
        (None, _) | (_, None) => None,
    };
    let looks = (home.is_some() || join.is_some()).then(|| page::looks(address.tls() == Tls::Acme));
    let join = join.map(|join| join::router(Arc::new(join)));
    Ok([home, join, looks].into_iter().flatten().fold(Router::new(), Router::merge))
}

impl<S: Storage> Relay<S> {
    /// Opens the ports and serves until [`Self::drain`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(settings: Settings, identity: Identity, storage: S) -> Result<Self, StartError> {
        let listeners = listen_all(&settings.listen)?;
        let asked = listeners.iter().zip(&settings.listen);
        let addresses: Vec<_> = asked.map(|(listener, asked)| local(listener, *asked)).collect::<Result<_, _>>()?;
        let address = *addresses.first().ok_or(StartError::Nowhere)?;
        let identity = Arc::new(identity);
        let keys = ForwardKeys::open(settings.forward_keys.clone(), settings.clock.now())?;
        let metrics = Arc::new(Metrics::new());
        let metrics_listener = settings.metrics_listen.map(|address| listen(address, false)).transpose()?;
        let metrics_address = match (&metrics_listener, settings.metrics_listen) {
            (Some(listener), Some(asked)) => Some(local(listener, asked)?),
            _ => None,
        };

        let (ops, ops_waiting) = mpsc::unbounded_channel();
        let (outcomes, outcomes_waiting) = mpsc::unbounded_channel();
        let blobs =
            settings.blobs.as_ref().map(|settings| BlobTransfers::open(settings, ops.downgrade())).transpose()?;
        let blobs = blobs.map(Arc::new);
        let writer = tokio::spawn(writer::run(storage, ops_waiting, outcomes, Arc::clone(&metrics)));
        let (events, events_waiting) = mpsc::channel(EVENTS_MAX);
        let (drain, draining) = watch::channel(false);
        let name = settings.public.as_ref().map_or("", |(host, _)| host);
        let tls = Ending::start(&settings.transport, &identity, name, &metrics, &draining)?;
        let door = door(&settings, tls.as_deref(), &metrics)?;
        let has_long_poll = settings.transport.tls() != Tls::Acme;

        let memory_bytes_max = settings.memory_bytes_max.unwrap_or_else(memory::usable_bytes);
        // A quarter for what is on its way to readers, and as much again for what else waits for clients to take it.
        let quarter = usize::try_from(memory_bytes_max / 4).unwrap_or(usize::MAX);
        let transit_bytes_max = settings.core.transit_bytes_max.min(quarter);
        let public = public_address(&settings, &identity, address);
        let pages = pages(&settings, public.as_ref(), &metrics)?;
        let place = public.as_ref().map(RelayAddress::place).unwrap_or_default();
        let blob_quota = settings.blobs.as_ref().map(|blobs| blobs.quota);
        let config = Config { place, blobs: blob_quota, transit_bytes_max, ..settings.core };
        let core = Core::new(config, Arc::clone(&identity));
        let unread = Arc::new(AllUnread::new(2 * transit_bytes_max, Arc::clone(&metrics)));
        if let Some(database) = settings.database {
            tokio::spawn(backlog::watch(database, Arc::clone(&metrics), draining.clone()));
        }
        let clock = settings.clock;
        let disk = settings.disk.map(|(path, free_bytes_min)| Disk::watch(path, free_bytes_min));
        let watched = Watched { disk, memory_bytes_max, clock: clock.clone() };
        let hops = Arc::new(Hops::new(settings.forward));
        if let Some((host, _)) = settings.public.as_ref().filter(|_| settings.transport.tls() != Tls::Off) {
            // Without TLS it may be a name that no name server should hear of.
            tokio::spawn(Arc::clone(&hops).know_own_name(host.clone(), draining.clone()));
        }
        let hub = hub::Hub::new(core, ops, watched, unread, Arc::clone(&metrics), hops, events.downgrade());
        let hub = hub.with_traces(Traces::new(settings.telemetry, &metrics));
        let hub = tokio::spawn(hub.run(events_waiting, outcomes_waiting, draining.clone()));

        let inbox = forward::Inbox::new(identity, keys, clock);
        if let Some(blobs) = &blobs {
            tokio::spawn(blobs::sweep(Arc::clone(blobs), Arc::clone(&metrics), draining.clone()));
        }
        let (ready, next_conn) = (AtomicBool::new(true), AtomicU64::new(0));
        let house = Arc::new(House {
            events,
            draining,
            ready,
            next_conn,
            ping_every: settings.ping_every,
            metrics,
            polls: Polls::new(settings.long_poll),
            inbox,
            blobs,
        });
        tokio::spawn(forward::forget_keys(Arc::clone(&house)));
        let mut servers = vec![];
        for listener in listeners {
            servers.push(serve(listener, router(&house, has_long_poll).merge(pages.clone()), door.clone()));
        }
        if let Some(listener) = metrics_listener {
            let door = metrics_door(&house.metrics);
            servers.push(serve(listener, metrics_router(&house), door));
        }
        Ok(Self { addresses, tls, metrics_address, house, servers, drain, hub, writer })
    }

    /// Where clients connect first of all: with the port that the system chose, where it was asked to choose one.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Everywhere that clients connect.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Shows clients another certificate from now on: the relay's own with a new key, or what is in the host's files now. An
    /// authority is asked for a new one, which comes by itself. Connections that stand stay.
    ///
    /// # Errors
    /// [`RotateError`]; what was shown before is shown on.
    pub fn rotate_certificate(&self) -> Result<(), RotateError> {
        self.host().rotate_certificate()
    }

    /// Where `/metrics` is.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Counts for monitoring.
    pub fn metrics(&self) -> &Metrics {
        &self.house.metrics
    }

    /// A line about now, once hub and writer have done what waits before it; none where either has ended.
    pub async fn pulse(&self) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        self.house.events.send(Event::Pulse(answer)).await.ok()?;
        answered.await.ok()?;
        Some(self.house.metrics.status())
    }

    /// Tells the service manager that the relay is ready, and from then on that it lives, as often as is expected.
    pub async fn keep_telling(&self, notify: &Notify) {
        notify.ready(&self.house.metrics.status());
        let Some(beat) = notify.beat() else { return std::future::pending().await };
        let mut beats = tokio::time::interval(beat);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            match self.pulse().await {
                Some(status) => notify.alive(&status),
                // Silence: the manager starts it anew.
                None => return std::future::pending().await,
            }
        }
    }

    /// This relay as its host asks it.
    pub(crate) fn host(&self) -> Host {
        Host::new(Arc::clone(&self.house), self.tls.clone())
    }

    /// Ends in order: says that it is not ready, accepts nobody, answers what was asked, closes all connections, and writes what waits.
    ///
    /// Gives the storage back, to be closed; none where its task has panicked.
    pub async fn drain(self) -> Option<S> {
        self.house.ready.store(false, Ordering::Relaxed);
        for server in &self.servers {
            server.graceful_shutdown(Some(Duration::from_secs(HTTP_DRAIN_SECS)));
        }
        // The hub ends when no connection is left and nothing is awaited from the storage.
        let _ = self.drain.send(true);
        if tokio::time::timeout(Duration::from_secs(DRAIN_SECS), self.hub).await.is_err() {
            tracing::warn!("some connections did not end in time; what they were answered is stored");
        }
        tokio::time::timeout(Duration::from_secs(DRAIN_SECS), self.writer).await.ok()?.ok()
    }
}

fn local(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen { port: asked.port(), error })
}

/// What clients pass.
fn door(settings: &Settings, tls: Option<&Ending>, metrics: &Arc<Metrics>) -> Result<Door, StartError> {
    let places = settings.connections_max.unwrap_or_else(connections_max);
    Ok(Door::new(Rules {
        tls: tls.map(Ending::config).transpose()?,
        is_bound: settings.transport.tls() == Tls::Acme,
        places: Arc::new(Semaphore::new(places)),
        callers: Callers::new(settings.proxy.clone()),
        metrics: Arc::clone(metrics),
    }))
}

/// What a host's monitoring passes.
fn metrics_door(metrics: &Arc<Metrics>) -> Door {
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    Door::new(Rules {
        tls: None,
        is_bound: false,
        places,
        callers: Callers::new(ProxySettings::default()),
        metrics: Arc::clone(metrics),
    })
}

/// Serves until its handle says that it ends. What fails at accepting is tried again shortly.
fn serve(listener: TcpListener, router: Router, door: Door) -> Handle<SocketAddr> {
    let handle = Handle::new();
    let mut server = match axum_server::from_tcp(listener) {
        Ok(server) => server.http1_only().handle(handle.clone()),
        Err(error) => {
            tracing::error!(kind = %error.kind(), "a port cannot be served");
            return handle;
        }
    };
    let http = server.http_builder();
    http.http1().max_buf_size(HTTP_BUFFER_BYTES);
    http.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HTTP_HEADER_SECS));
    let router = router.fallback(page::nothing_here).method_not_allowed_fallback(page::not_that_way);
    tokio::spawn(server.acceptor(door).serve(router.into_make_service()));
    handle
}

fn router(house: &Arc<House>, has_long_poll: bool) -> Router {
    let router = Router::new().route("/v1/stream", get(stream));
    let router = match has_long_poll {
        true => router.route("/v1/frames", post(polls::frames).layer(DefaultBodyLimit::max(POLL_BYTES_MAX))),
        false => router,
    };
    let forward = get(forward::key).post(forward::command).layer(DefaultBodyLimit::max(FORWARD_REQUEST_BYTES));
    let router = router.route("/v1/forward", forward);
    let router = router.route("/v1/blob", get(blobs::get).head(blobs::head).put(blobs::put));
    router.merge(health()).with_state(Arc::clone(house))
}

/// What anybody may ask who looks whether the relay lives.
fn health() -> Router<Arc<House>> {
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(readyz))
}

/// What a host's monitoring asks, and nothing that clients do: this port has no TLS and its connections no rate.
fn metrics_router(house: &Arc<House>) -> Router {
    health().route("/metrics", get(metrics_text)).with_state(Arc::clone(house))
}

async fn stream(
    State(house): State<Arc<House>>,
    Extension(caller): Extension<Caller>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !house.ready.load(Ordering::Relaxed) {
        return polls::busy();
    }
    let conn = Conn(house.next_conn.fetch_add(1, Ordering::Relaxed));
    let client = Client::new(conn, caller, house.events.clone(), house.draining.clone(), house.ping_every);
    // A little over the largest frame, so that one that is too large can be answered before the connection is closed.
    let message_bytes_max = 2 * FRAME_BYTES_MAX;
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(message_bytes_max)
        .max_message_size(message_bytes_max)
        .on_upgrade(|socket| client.run(socket))
}

async fn readyz(State(house): State<Arc<House>>) -> Response {
    let (status, text) = match () {
        () if !house.ready.load(Ordering::Relaxed) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        () if !house.metrics.storage_works() => (StatusCode::SERVICE_UNAVAILABLE, "storage fails\n"),
        () => (StatusCode::OK, "ready\n"),
    };
    (status, text).into_response()
}

async fn metrics_text(State(house): State<Arc<House>>) -> Response {
    let kind = [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    let ready = house.ready.load(Ordering::Relaxed) && house.metrics.storage_works();
    (kind, house.metrics.encode(ready)).into_response()
}
