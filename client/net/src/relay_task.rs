//! A relay's task: dials, carries frames, notices death, waits, dials again, until it is stopped.
//!
//! ```text
//!            ┌───────────── fails, ends, is closed ─────────────┐
//!            ▼                                                  │
//!  spawn ► waiting ──back-off over──► dialling ──Connected──► carrying ──► Disconnected
//!            │                                                  │
//!            └────────────────── stop ──────────────────────────┴──► goodbye, end
//! ```
//!
//! On a network that lets no WebSocket live, long poll carries the frames; see `choice`.
//!
//! Whether a place was of use its proof alone tells: a connection that is not proven within 20 s is closed, and it is another
//! place's turn. How long it stood tells nothing, anyone can keep a connection open.
//!
//! Each connection has a number. An order names the one it is meant for, and is dropped once that one is gone: what was
//! signed for one connection never leaves on the next.

use std::{sync::Arc, time::Duration};

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tracing::{debug, warn};

use crate::{
    Backoff, Connection, NetError, Route, Transport,
    choice::{Choice, Pace},
    connection::{Arrival, Failed, Incoming, Outgoing},
    places::Places,
};

/// Orders that wait for a slow relay before its connection is given up.
const ORDERS_MAX: usize = 2_048;
/// Silence after which the relay is asked for a sign of life. It asks us more often; dead paths are found by TCP's probes.
const IDLE: Duration = Duration::from_secs(330);
/// The same through a proxy, which answers TCP's probes itself.
const IDLE_BEHIND_PROXY: Duration = Duration::from_secs(30);
/// How long a sign of life may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// How long a stop waits for what was ordered before it.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Counts the connections of one task, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionNumber(u64);

/// Names a task to whoever listens; chosen by who spawns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskNumber(pub u64);

/// What happened on a relay's connection.
#[derive(Debug)]
pub struct NetEvent {
    /// Of which task.
    pub task: TaskNumber,
    /// On which of its connections.
    pub connection: ConnectionNumber,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug)]
pub enum What {
    /// It stands.
    Connected {
        /// At which of the relay's places.
        address: RelayAddress,
        /// The TLS exporter (RFC 9266), where a public certificate carries TLS.
        exporter: Option<[u8; 32]>,
    },
    /// A frame came.
    Frame(RelayFrame),
    /// It stood and is gone; another one will be dialled.
    Disconnected(NetError),
    /// It could not be made; another one will be dialled.
    DialFailed(NetError),
}

/// What a task is told.
enum Order {
    Transmit(ConnectionNumber, ClientFrame),
    Close(ConnectionNumber),
}

/// A handle to a relay's task. Dropping it stops the task after what was ordered.
#[derive(Debug)]
pub struct RelayTask {
    places: Places,
    orders: mpsc::Sender<Order>,
    proven: watch::Sender<ConnectionNumber>,
    overflow: Arc<Notify>,
    hurry: Arc<Notify>,
    probe: Arc<Notify>,
    task: JoinHandle<()>,
}

impl RelayTask {
    /// Begins to dial along `route`, on the current Tokio runtime. `events` is where everything arrives, marked with
    /// `task`; while it is full, the relay waits.
    #[must_use]
    pub fn spawn(task: TaskNumber, address: RelayAddress, route: Route, events: mpsc::Sender<NetEvent>) -> Self {
        Self::spawn_at(Pace::default(), task, address, route, events)
    }

    /// With times of its own, for tests.
    pub(crate) fn spawn_at(
        pace: Pace,
        task: TaskNumber,
        address: RelayAddress,
        route: Route,
        events: mpsc::Sender<NetEvent>,
    ) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (overflow, hurry, probe) = <(Arc<Notify>, Arc<Notify>, Arc<Notify>)>::default();
        let (proven, judged) = watch::channel(ConnectionNumber::default());
        let places = Places::new(address);
        let worker = Worker {
            task,
            places: places.clone(),
            proven: judged,
            route,
            events,
            orders: inbox,
            overflow: Arc::clone(&overflow),
            hurry: Arc::clone(&hurry),
            probe: Arc::clone(&probe),
            number: ConnectionNumber::default(),
            pace,
            choice: Choice::new(pace),
            backoff: Backoff::default(),
        };
        Self { places, orders, proven, overflow, hurry, probe, task: tokio::spawn(worker.run()) }
    }

    /// Another place where the same relay is said to be. Each is dialled in turn until one is the relay: whoever tells
    /// us a wrong place keeps us from none of the others.
    pub fn also_at(&self, address: RelayAddress) {
        self.places.add(address);
    }

    /// The relay is said to be at this place no more.
    pub fn not_at(&self, address: &RelayAddress) {
        self.places.remove(address);
    }

    /// On this connection the relay proved who it is. One of which that is not said within 20 s is closed.
    pub fn proven(&self, connection: ConnectionNumber) {
        self.proven.send_replace(connection);
    }

    /// Sends a frame on this connection; if that one is gone, drops it. If the relay takes frames slower than they
    /// come, its connection is given up, and what was ordered for it is dropped.
    pub fn transmit(&self, connection: ConnectionNumber, frame: ClientFrame) {
        self.order(Order::Transmit(connection, frame));
    }

    /// Closes this connection, if it still stands; another one is dialled after a back-off.
    pub fn close(&self, connection: ConnectionNumber) {
        self.order(Order::Close(connection));
    }

    /// Ends the wait before the next dial, if there is one and the relay did not ask for it.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Asks the relay for a sign of life now, or dials anew: the machine slept or the clock jumped, and the network may
    /// be another one. A connection that does not answer within 6 s is given up.
    pub fn probe(&self) {
        self.probe.notify_one();
    }

    /// Sends what was ordered, says goodbye and ends; after 5 s without the goodbye.
    pub async fn stop(self) {
        let Self { orders, mut task, .. } = self;
        drop(orders);
        if timeout(STOP_TIMEOUT, &mut task).await.is_err() {
            task.abort();
        }
    }

    /// Ends at once, without a goodbye and without what was ordered: nothing leaves by this route any more.
    pub fn cut(&self) {
        self.task.abort();
    }

    fn order(&self, order: Order) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.orders.try_send(order) {
            self.overflow.notify_one();
        }
    }
}

struct Worker {
    task: TaskNumber,
    places: Places,
    /// The connection that was proven last.
    proven: watch::Receiver<ConnectionNumber>,
    route: Route,
    pace: Pace,
    choice: Choice,
    backoff: Backoff,
    events: mpsc::Sender<NetEvent>,
    orders: mpsc::Receiver<Order>,
    overflow: Arc<Notify>,
    hurry: Arc<Notify>,
    probe: Arc<Notify>,
    number: ConnectionNumber,
}

/// The task is to end: its handle or its listener is gone.
struct Stopped;

/// How a connection ended.
enum End {
    Lost(NetError),
    /// A WebSocket lives again, and takes the long poll's place.
    Moved(Connection),
}

impl Worker {
    async fn run(mut self) {
        while let Ok(reason) = self.connect_once().await {
            let rest = self.places.rest(Instant::now());
            let wait = rest + self.backoff.next_wait(&mut UnwrapErr(SysRng));
            debug!(kind = reason.kind(), wait_millis = wait.as_millis(), "no connection");
            if self.wait(wait, rest).await.is_err() {
                break;
            }
        }
    }

    /// One connection from dial to end, and why it ended.
    async fn connect_once(&mut self) -> Result<NetError, Stopped> {
        self.number.0 += 1;
        let address = self.places.pick(Instant::now());
        let mut connection = match self.dial(&address).await? {
            Ok(connection) => connection,
            Err(error) => {
                self.hold(&address, &error);
                self.places.failed();
                self.tell(What::DialFailed(error.clone())).await?;
                return Ok(error);
            }
        };
        loop {
            let exporter = connection.exporter();
            self.tell(What::Connected { address: address.clone(), exporter }).await?;
            let (transport, stands_since) = (connection.transport(), Instant::now());
            let end = self.carry(connection, &address).await?;
            let stood = stands_since.elapsed();
            let reason = match &end {
                End::Lost(reason) => reason.clone(),
                End::Moved(_) => NetError::Moved,
            };
            self.choice.ended(transport, stood, &reason, Instant::now());
            if self.is_proven() {
                self.places.proven(&address);
                if stood >= self.pace.lasted {
                    self.backoff.reset();
                }
            } else {
                // It answered and was of no use: another place may be the relay.
                self.places.failed();
            }
            self.hold(&address, &reason);
            self.tell(What::Disconnected(reason.clone())).await?;
            match end {
                End::Lost(_) => return Ok(reason),
                End::Moved(next) => {
                    self.choice.use_web_socket();
                    self.number.0 += 1;
                    connection = next;
                }
            }
        }
    }

    fn is_proven(&self) -> bool {
        *self.proven.borrow() == self.number
    }

    /// Leaves a place in peace that asked for it.
    fn hold(&self, address: &RelayAddress, reason: &NetError) {
        if let NetError::Overloaded { retry_after_secs } = reason {
            self.places.hold(address, Duration::from_secs(u64::from(*retry_after_secs)), Instant::now());
        }
    }

    async fn dial(&mut self, address: &RelayAddress) -> Result<Result<Connection, NetError>, Stopped> {
        loop {
            let Self { orders, route, choice, probe, .. } = self;
            tokio::select! {
                dialled = dial_either(address, route, choice) => return Ok(dialled),
                // What was dialled from another network does not answer on this one.
                () = probe.notified() => choice.forget_waits(Instant::now()),
                stopped = drop_orders(orders) => return Err(stopped),
            }
        }
    }

    /// Waits before the next dial. Who is in a hurry waits no longer than the relay `asked` for; on another network
    /// neither counts.
    async fn wait(&mut self, wait: Duration, asked: Duration) -> Result<(), Stopped> {
        let began = Instant::now();
        let mut until = began + wait;
        let Self { orders, hurry, probe, choice, backoff, places, .. } = self;
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                () = hurry.notified() => {
                    choice.forget_waits(Instant::now());
                    until = until.min(began + asked.min(wait));
                }
                () = probe.notified() => {
                    choice.forget_waits(Instant::now());
                    places.forget_holds();
                    backoff.reset();
                    return Ok(());
                }
                stopped = drop_orders(orders) => return Err(stopped),
            }
        }
    }

    /// Carries frames both ways until the connection ends.
    async fn carry(&mut self, connection: Connection, address: &RelayAddress) -> Result<End, Stopped> {
        let transport = connection.transport();
        let Connection { mut incoming, mut outgoing, .. } = connection;
        let (ping, look) = (Notify::new(), Notify::new());
        let Self { task, events, orders, overflow, probe, number, proven, route, choice, pace, .. } = self;
        let source = Source { task: *task, number: *number, events };
        let idle = if route.proxy.is_some() { IDLE_BEHIND_PROXY } else { IDLE };
        let patience = Patience { idle, woken: pace.woken };
        let end = tokio::select! {
            reason = read(&mut incoming, &source, &ping, &look, probe, patience) => reason.map(End::Lost),
            reason = write(&mut outgoing, orders, *number, &ping) => reason.map(End::Lost),
            web_socket = try_web_socket(address, route, choice, *pace, &look), if transport == Transport::LongPoll => {
                Ok(End::Moved(web_socket))
            }
            () = unproven(proven, *number, pace.proof) => Ok(End::Lost(NetError::Unproven)),
            () = overflow.notified() => {
                warn!("a relay takes frames slower than they come");
                Ok(End::Lost(NetError::TooSlow))
            }
        };
        // The goodbye is a courtesy where we end it; it waits for no one who is gone.
        if matches!(end, Err(Stopped) | Ok(End::Lost(NetError::ClosedHere) | End::Moved(_))) {
            tokio::select! {
                () = outgoing.close() => {}
                // Not acked, so it comes again; taken here, so that the goodbye does not wait behind it.
                () = discard(&mut incoming) => {}
            }
        }
        end
    }

    async fn tell(&self, what: What) -> Result<(), Stopped> {
        Source { task: self.task, number: self.number, events: &self.events }.tell(what).await
    }
}

/// Ends when the proof of this connection is late.
async fn unproven(proven: &mut watch::Receiver<ConnectionNumber>, number: ConnectionNumber, patience: Duration) {
    // Where nobody is left to tell, the task ends by itself.
    if timeout(patience, proven.wait_for(|proven| *proven == number)).await.is_ok() {
        std::future::pending().await
    }
}

/// Reads what nobody will hear, for as long as it is wanted.
async fn discard(incoming: &mut Incoming) {
    while incoming.next().await.is_ok() {}
    std::future::pending().await
}

/// Dials by the transport that is due, and by the other one where something is there that does not take the first.
async fn dial_either(address: &RelayAddress, route: &Route, choice: &mut Choice) -> Result<Connection, NetError> {
    let first = match choice.next(Instant::now()) {
        Transport::LongPoll if Transport::LongPoll.speaks_under(address.tls()) => Transport::LongPoll,
        Transport::LongPoll | Transport::WebSocket => Transport::WebSocket,
    };
    let failed = match Connection::try_dial(address, route, first).await {
        Ok(connection) => return Ok(connection),
        Err(failed) => failed,
    };
    let other = first.other();
    let patient = matches!(failed.error, NetError::Overloaded { .. });
    if !failed.reached || patient || !other.speaks_under(address.tls()) {
        return Err(failed.error);
    }
    let connection = match Connection::try_dial(address, route, other).await {
        Ok(connection) => connection,
        Err(Failed { error: error @ NetError::Overloaded { .. }, .. }) => return Err(error),
        Err(_) => return Err(failed.error),
    };
    debug!(kind = failed.error.kind(), transport = ?other, "one transport is refused, the other is not");
    match other {
        Transport::LongPoll => choice.use_long_poll(Instant::now()),
        Transport::WebSocket => choice.use_web_socket(),
    }
    Ok(connection)
}

/// While long poll carries the frames: tries a WebSocket from time to time, and gives one that lives.
async fn try_web_socket(
    address: &RelayAddress,
    route: &Route,
    choice: &mut Choice,
    pace: Pace,
    look: &Notify,
) -> Connection {
    loop {
        let at = choice.trial_at().unwrap_or_else(Instant::now);
        tokio::select! {
            () = sleep_until(at) => {}
            () = look.notified() => choice.forget_waits(Instant::now()),
        }
        if let Ok(mut connection) = Connection::try_dial(address, route, Transport::WebSocket).await
            && lives(&mut connection, pace.lasted).await
        {
            return connection;
        }
        choice.use_long_poll(Instant::now());
    }
}

/// Whether a connection on which nothing is said lives for this long.
async fn lives(connection: &mut Connection, lasted: Duration) -> bool {
    let until = Instant::now() + lasted;
    loop {
        match timeout_at(until, connection.incoming.next()).await {
            Err(_alive) => return true,
            Ok(Ok(Arrival::SignOfLife)) => {}
            Ok(Ok(Arrival::Frame(_)) | Err(_)) => return false,
        }
    }
}

/// Where events come from and go to.
struct Source<'a> {
    task: TaskNumber,
    number: ConnectionNumber,
    events: &'a mpsc::Sender<NetEvent>,
}

impl Source<'_> {
    async fn tell(&self, what: What) -> Result<(), Stopped> {
        let event = NetEvent { task: self.task, connection: self.number, what };
        self.events.send(event).await.map_err(|_| Stopped)
    }
}

/// How long silence is borne.
#[derive(Clone, Copy)]
struct Patience {
    /// Until the relay is asked for a sign of life.
    idle: Duration,
    /// Until that sign must come after the clock jumped.
    woken: Duration,
}

/// Reads until the connection ends. While the listener is busy the socket is not read, and TCP makes the relay wait.
async fn read(
    incoming: &mut Incoming,
    source: &Source<'_>,
    ping: &Notify,
    look: &Notify,
    probe: &Notify,
    patience: Patience,
) -> Result<NetError, Stopped> {
    let (mut asked, mut until) = (false, Instant::now() + patience.idle);
    loop {
        let arrival = tokio::select! {
            arrival = timeout_at(until, incoming.next()) => arrival,
            () = probe.notified() => {
                (asked, until) = (true, Instant::now() + patience.woken);
                look.notify_one();
                ping.notify_one();
                continue;
            }
        };
        match arrival {
            Ok(Ok(Arrival::Frame(frame))) => source.tell(What::Frame(*frame)).await?,
            Ok(Ok(Arrival::SignOfLife)) => {}
            Ok(Err(error)) => return Ok(error),
            Err(_silence) if asked => return Ok(NetError::Silent),
            Err(_silence) => {
                (asked, until) = (true, Instant::now() + SIGN_OF_LIFE);
                ping.notify_one();
                continue;
            }
        }
        (asked, until) = (false, Instant::now() + patience.idle);
    }
}

/// Writes what is ordered for this connection until it ends. What is ordered at once is flushed at once.
async fn write(
    outgoing: &mut Outgoing,
    orders: &mut mpsc::Receiver<Order>,
    number: ConnectionNumber,
    ping: &Notify,
) -> Result<NetError, Stopped> {
    loop {
        let result = tokio::select! {
            order = orders.recv() => match order {
                None => return Err(Stopped),
                Some(Order::Close(meant)) if meant == number => Err(NetError::ClosedHere),
                Some(Order::Transmit(meant, frame)) if meant == number => {
                    let fed = outgoing.feed(&frame).await;
                    if fed.is_ok() && orders.is_empty() { outgoing.flush().await } else { fed }
                }
                // Meant for a connection that is gone.
                Some(Order::Close(_) | Order::Transmit(..)) => outgoing.flush().await,
            },
            () = ping.notified() => outgoing.ping().await,
        };
        if let Err(error) = result {
            return Ok(error);
        }
    }
}

/// Drops orders while there is no connection they could be meant for; ends when the handle is gone.
async fn drop_orders(orders: &mut mpsc::Receiver<Order>) -> Stopped {
    while let Some(Order::Transmit(..) | Order::Close(_)) = orders.recv().await {}
    Stopped
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transmit(number, _) => f.debug_tuple("Transmit").field(number).finish_non_exhaustive(),
            Self::Close(number) => f.debug_tuple("Close").field(number).finish(),
        }
    }
}
