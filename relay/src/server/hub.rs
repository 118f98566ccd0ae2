//! The task that owns the core: events of all connections and outcomes of storage go in, operations and answers go out.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::statvfs::statvfs;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{ClientFrame, RelayFrame};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::{MissedTickBehavior, interval},
};

use super::Metrics;
use crate::{
    core::{Conn, Context, Core, Input, Output, Ticket},
    storage::{Op, Outcome},
    time::Timestamp,
};

/// Events and outcomes taken at once.
const TAKE_MAX: usize = 256;
/// How often the core sweeps, and the disk is looked at.
const TICK_SECS: u64 = 5;

/// Something that happened on a connection.
pub(super) enum Event {
    /// A client connected; frames for it go there.
    Opened(Conn, mpsc::Sender<Outgoing>),
    /// A client sent a frame.
    Frame(Conn, ClientFrame),
    /// A client sent what is no frame.
    Malformed(Conn),
    /// A connection is gone.
    Closed(Conn),
}

/// Something for a connection.
pub(super) enum Outgoing {
    Frame(Box<RelayFrame>),
    Close,
}

/// The core with its surroundings.
pub(super) struct Hub {
    core: Core,
    outboxes: HashMap<Conn, mpsc::Sender<Outgoing>>,
    ops: mpsc::UnboundedSender<(Ticket, Op)>,
    disk: Option<(PathBuf, u64)>,
    metrics: Arc<Metrics>,
}

impl Hub {
    pub(super) fn new(
        core: Core,
        ops: mpsc::UnboundedSender<(Ticket, Op)>,
        disk: Option<(PathBuf, u64)>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { core, outboxes: HashMap::new(), ops, disk, metrics }
    }

    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut outcomes: mpsc::UnboundedReceiver<(Ticket, Outcome)>,
        mut draining: watch::Receiver<bool>,
    ) {
        let (mut new_events, mut new_outcomes) = (Vec::with_capacity(TAKE_MAX), Vec::with_capacity(TAKE_MAX));
        let mut tick = interval(Duration::from_secs(TICK_SECS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_drained(&draining) {
            tokio::select! {
                // Outcomes first: they empty the relay, events fill it.
                biased;
                count = outcomes.recv_many(&mut new_outcomes, TAKE_MAX) => {
                    if count == 0 {
                        return tracing::error!("storage has ended; the relay stops");
                    }
                }
                _ = events.recv_many(&mut new_events, TAKE_MAX) => {}
                _ = tick.tick() => self.tick().await,
                changed = draining.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            let now = now();
            for (ticket, outcome) in new_outcomes.drain(..) {
                self.input(now, Input::Stored(ticket, outcome));
            }
            for event in new_events.drain(..) {
                self.event(now, event);
            }
            self.metrics.set_gauges(&self.core);
        }
    }

    fn is_drained(&self, draining: &watch::Receiver<bool>) -> bool {
        *draining.borrow() && self.core.connections() == 0 && self.core.awaiting() == 0
    }

    fn event(&mut self, now: Timestamp, event: Event) {
        let input = match event {
            Event::Opened(conn, outbox) => {
                self.outboxes.insert(conn, outbox);
                Input::Opened(conn)
            }
            Event::Frame(conn, frame) => {
                self.metrics.count_command(&frame.command);
                Input::Frame(conn, frame)
            }
            Event::Malformed(conn) => Input::Malformed(conn),
            Event::Closed(conn) => {
                self.outboxes.remove(&conn);
                Input::Closed(conn)
            }
        };
        self.input(now, input);
    }

    fn input(&mut self, now: Timestamp, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut rng = UnwrapErr(SysRng);
            for output in self.core.handle(&mut Context { now, rng: &mut rng }, input) {
                inputs.extend(self.output(output));
            }
        }
    }

    /// Does one output; a connection that takes no more is closed.
    fn output(&mut self, output: Output) -> Option<Input> {
        let (conn, outgoing) = match output {
            Output::Store(ticket, op) => {
                // The writer ends only after this task has.
                let _ = self.ops.send((ticket, op));
                return None;
            }
            // One node alone has nobody to wake.
            Output::Wake(_) => return None,
            Output::Reply(conn, frame) => {
                self.metrics.count_reply(&frame);
                (conn, Outgoing::Frame(Box::new(frame)))
            }
            Output::Close(conn) => (conn, Outgoing::Close),
        };
        match self.outboxes.get(&conn)?.try_send(outgoing) {
            Ok(()) => None,
            Err(TrySendError::Closed(_)) => None,
            Err(TrySendError::Full(_)) => {
                self.outboxes.remove(&conn);
                Some(Input::Closed(conn))
            }
        }
    }

    async fn tick(&mut self) {
        if let Some((path, free_bytes_min)) = self.disk.clone() {
            let free = tokio::task::spawn_blocking(move || statvfs(&path)).await;
            if let Ok(Ok(free)) = free {
                let free_bytes = free.blocks_available() * free.fragment_size();
                self.metrics.set_disk_free(free_bytes);
                self.core.set_disk_low(free_bytes < free_bytes_min);
            }
        }
        self.input(now(), Input::Tick);
    }
}

/// The system's clock: the one place where the relay reads it.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
