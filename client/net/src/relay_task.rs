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
//! Each connection has a number. An order names the one it is meant for, and is dropped once that one is gone: what was
//! signed for one connection never leaves on the next.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use crate::{
    Backoff, Connection, NetError, Route,
    connection::{Arrival, Incoming, Outgoing},
};

/// Orders that wait for a slow relay before its connection is given up.
const ORDERS_MAX: usize = 2_048;
/// Silence after which the relay is asked for a sign of life.
const IDLE: Duration = Duration::from_secs(30);
/// How long a sign of life may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// A connection that stood this long forgets the failures before it.
const LASTED: Duration = Duration::from_secs(5);
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
    addresses: Addresses,
    orders: mpsc::Sender<Order>,
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
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (overflow, hurry, probe) = <(Arc<Notify>, Arc<Notify>, Arc<Notify>)>::default();
        let addresses = Addresses(Arc::new(Mutex::new(vec![address])));
        let worker = Worker {
            task,
            addresses: addresses.clone(),
            route,
            events,
            orders: inbox,
            overflow: Arc::clone(&overflow),
            hurry: Arc::clone(&hurry),
            probe: Arc::clone(&probe),
            number: ConnectionNumber::default(),
            failures: 0,
        };
        Self { addresses, orders, overflow, hurry, probe, task: tokio::spawn(worker.run()) }
    }

    /// Another place where the same relay is said to be. Each is dialled in turn until one is the relay: whoever tells
    /// us a wrong place keeps us from none of the others.
    pub fn also_at(&self, address: RelayAddress) {
        self.addresses.add(address);
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

    /// Ends the wait before the next dial, if there is one.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Asks the relay for a sign of life now: the clock jumped, and the network may be another one.
    pub fn probe(&self) {
        self.probe.notify_one();
    }

    /// Sends what was ordered, says goodbye and ends; after 5 s without the goodbye.
    pub async fn stop(self) {
        let Self { addresses: _, orders, overflow: _, hurry: _, probe: _, mut task } = self;
        drop(orders);
        if timeout(STOP_TIMEOUT, &mut task).await.is_err() {
            task.abort();
        }
    }

    fn order(&self, order: Order) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.orders.try_send(order) {
            self.overflow.notify_one();
        }
    }
}

/// The places where one relay is said to be.
#[derive(Clone, Debug)]
struct Addresses(Arc<Mutex<Vec<RelayAddress>>>);

impl Addresses {
    fn add(&self, address: RelayAddress) {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    /// The first, or after `failures` dials the next in turn.
    fn pick(&self, failures: usize) -> RelayAddress {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        addresses[failures % addresses.len()].clone()
    }
}

struct Worker {
    task: TaskNumber,
    addresses: Addresses,
    route: Route,
    /// Dials that failed since the start: which address is next.
    failures: usize,
    events: mpsc::Sender<NetEvent>,
    orders: mpsc::Receiver<Order>,
    overflow: Arc<Notify>,
    hurry: Arc<Notify>,
    probe: Arc<Notify>,
    number: ConnectionNumber,
}

/// The task is to end: its handle or its listener is gone.
struct Stopped;

impl Worker {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let Ok(reason) = self.connect_once(&mut backoff).await {
            let hint = match reason {
                NetError::Overloaded { retry_after_secs } => Some(Duration::from_secs(u64::from(retry_after_secs))),
                _ => None,
            };
            let wait = backoff.next_wait(hint, &mut UnwrapErr(SysRng));
            debug!(kind = reason.kind(), wait_millis = wait.as_millis(), "no connection");
            if self.wait(wait).await.is_err() {
                break;
            }
        }
    }

    /// One connection from dial to end, and why it ended.
    async fn connect_once(&mut self, backoff: &mut Backoff) -> Result<NetError, Stopped> {
        self.number.0 += 1;
        let address = self.addresses.pick(self.failures);
        let connection = match self.dial(&address).await? {
            Ok(connection) => connection,
            Err(error) => {
                self.failures = self.failures.wrapping_add(1);
                self.tell(What::DialFailed(error.clone())).await?;
                return Ok(error);
            }
        };
        self.tell(What::Connected { address, exporter: connection.exporter() }).await?;
        let stands_since = Instant::now();
        let reason = self.carry(connection).await?;
        if stands_since.elapsed() >= LASTED {
            backoff.reset();
        } else {
            // It answered and was of no use: another place may be the relay.
            self.failures = self.failures.wrapping_add(1);
        }
        self.tell(What::Disconnected(reason.clone())).await?;
        Ok(reason)
    }

    async fn dial(&mut self, address: &RelayAddress) -> Result<Result<Connection, NetError>, Stopped> {
        let Self { orders, route, .. } = self;
        tokio::select! {
            dialled = Connection::dial(address, route) => Ok(dialled),
            stopped = drop_orders(orders) => Err(stopped),
        }
    }

    async fn wait(&mut self, wait: Duration) -> Result<(), Stopped> {
        let Self { orders, hurry, .. } = self;
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = hurry.notified() => Ok(()),
            stopped = drop_orders(orders) => Err(stopped),
        }
    }

    /// Carries frames both ways until the connection ends.
    async fn carry(&mut self, connection: Connection) -> Result<NetError, Stopped> {
        let Connection { mut incoming, mut outgoing, .. } = connection;
        let ping = Notify::new();
        let Self { task, events, orders, overflow, probe, number, .. } = self;
        let source = Source { task: *task, number: *number, events };
        let reason = tokio::select! {
            reason = read(&mut incoming, &source, &ping, probe) => reason,
            reason = write(&mut outgoing, orders, *number, &ping) => reason,
            () = overflow.notified() => {
                warn!("a relay takes frames slower than they come");
                Ok(NetError::TooSlow)
            }
        };
        // The goodbye is a courtesy where we end it; it waits for no one who is gone.
        if matches!(reason, Err(Stopped) | Ok(NetError::ClosedHere)) {
            outgoing.close().await;
        }
        reason
    }

    async fn tell(&self, what: What) -> Result<(), Stopped> {
        Source { task: self.task, number: self.number, events: &self.events }.tell(what).await
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

/// Reads until the connection ends. While the listener is busy the socket is not read, and TCP makes the relay wait.
async fn read(
    incoming: &mut Incoming,
    source: &Source<'_>,
    ping: &Notify,
    probe: &Notify,
) -> Result<NetError, Stopped> {
    let mut asked = false;
    loop {
        let patience = if asked { SIGN_OF_LIFE } else { IDLE };
        let arrival = tokio::select! {
            arrival = timeout(patience, incoming.next()) => arrival,
            () = probe.notified(), if !asked => {
                asked = true;
                ping.notify_one();
                continue;
            }
        };
        match arrival {
            Ok(Ok(Arrival::Frame(frame))) => source.tell(What::Frame(frame)).await?,
            Ok(Ok(Arrival::SignOfLife)) => {}
            Ok(Err(error)) => return Ok(error),
            Err(_silence) if asked => return Ok(NetError::Silent),
            Err(_silence) => {
                asked = true;
                ping.notify_one();
                continue;
            }
        }
        asked = false;
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
