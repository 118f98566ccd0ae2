//! The task that owns the core: events of all connections and outcomes of storage go in, operations and answers go out.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
    vec,
};

use bytes::Bytes;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_outer::{ClientFrame, ConnectionNonce, Forward, RelayFrame};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::yield_now,
    time::{MissedTickBehavior, interval},
};

use super::{
    Clock, Metrics,
    accept::Exporter,
    disk::Disk,
    memory,
    metrics::{Delivery, Via, words},
    outbox::{AllUnread, Outbox, Outgoing, TooMuch},
    queue,
    telemetry::{Context as TraceContext, Traced, Traces},
    writer::{Applied, Job},
};
use crate::{
    access::Worked,
    core::{Conn, Context, Core, ForwardOutcome, HostAnswer, HostCommand, HostTicket, Input, Origin, Output, Ticket},
    forward::Hops,
    storage::{Outcome, channel::ChannelOutcome},
    time::Timestamp,
};

/// Events and outcomes taken at once.
const TAKE_MAX: usize = 256;
/// Readers that one entry is handed to before others have their turn.
const BROADCAST_READERS: usize = 512;
/// How often the core sweeps, and disk and memory are looked at.
pub(super) const TICK_SECS: u64 = 5;

/// Something that happened on a connection.
pub(super) enum Event {
    /// A client connected; frames for it go there.
    Opened(Conn, queue::Sender<Outgoing>, Via),
    /// A command came through another relay, under this name; its answer goes there.
    OpenedByForward(Conn, ConnectionNonce, queue::Sender<Outgoing>),
    /// Another relay has answered, or could not be asked.
    Forwarded(Ticket, ForwardOutcome),
    /// Its TLS ends here, and the proof of who this is covers that.
    Bound(Conn, Box<Exporter>),
    /// It comes from here, where proxies are trusted to say that.
    From(Conn, Origin),
    /// A client sent a frame.
    Frame(Conn, ClientFrame),
    /// A client sent what is no frame.
    Malformed(Conn),
    /// A connection is gone.
    Closed(Conn),
    /// Somebody asks whether hub and writer still work.
    Pulse(oneshot::Sender<()>),
    /// The host asks something.
    Host(HostCommand, oneshot::Sender<HostAnswer>),
}

/// What the hub watches beside connections.
pub(super) struct Watched {
    /// The disk below whose floor nothing new is stored.
    pub(super) disk: Option<Disk>,
    /// Memory that this process may use, in bytes.
    pub(super) memory_bytes_max: u64,
    /// What time it is.
    pub(super) clock: Clock,
}

/// The core with its surroundings.
pub(super) struct Hub {
    core: Core,
    links: HashMap<Conn, Link>,
    /// What goes to many, in its order; windows bound how much waits.
    broadcasts: VecDeque<Broadcast>,
    unread: Arc<AllUnread>,
    /// For whom something was posted in this turn.
    untold: Vec<Conn>,
    jobs: mpsc::UnboundedSender<Job>,
    watched: Watched,
    hosts: HashMap<HostTicket, oneshot::Sender<HostAnswer>>,
    next_host: u64,
    /// Outcomes after which signatures are checked: one a turn, or whoever subscribes would hold up whoever sends.
    to_check: VecDeque<Applied>,
    metrics: Arc<Metrics>,
    hops: Arc<Hops>,
    /// Where what other relays say comes in.
    events: mpsc::WeakSender<Event>,
    traces: Traces,
    results: mpsc::UnboundedSender<(Ticket, Worked)>,
    results_waiting: mpsc::UnboundedReceiver<(Ticket, Worked)>,
}

/// A frame, and who is still to get it.
struct Broadcast {
    readers: vec::IntoIter<Conn>,
    frame: Bytes,
    /// What it counts for each of them.
    bytes: usize,
}

/// A connection's other end.
struct Link {
    outbox: Outbox,
    via: Via,
    /// Requests without an answer, in their order.
    asked: VecDeque<Asked>,
}

/// A request that is being worked on.
pub(super) struct Asked {
    request: u32,
    pub(super) command: &'static str,
    pub(super) at: Instant,
    pub(super) traced: Option<Box<Traced>>,
}

/// Why frames leave in one turn of the core.
#[derive(Clone, Copy, Default)]
struct Cause {
    delivery: Option<Delivery>,
    durable_at: Option<Instant>,
    /// The request it goes back to, if that is traced.
    traced: Option<TraceContext>,
}

impl Cause {
    fn of(applied: &Applied) -> Self {
        let delivery = match applied.outcome {
            Outcome::Sent { .. } => Delivery::Fresh,
            Outcome::Admitted { .. } => Delivery::Ephemeral,
            _ => Delivery::Waited,
        };
        let durable_at = (delivery == Delivery::Fresh).then_some(applied.at);
        Self { delivery: Some(delivery), durable_at, traced: None }
    }
}

impl Hub {
    pub(super) fn new(
        core: Core,
        jobs: mpsc::UnboundedSender<Job>,
        watched: Watched,
        unread: Arc<AllUnread>,
        metrics: Arc<Metrics>,
        hops: Arc<Hops>,
        events: mpsc::WeakSender<Event>,
    ) -> Self {
        metrics.set_memory_max(watched.memory_bytes_max);
        let (results, results_waiting) = mpsc::unbounded_channel();
        let (links, hosts) = (HashMap::new(), HashMap::new());
        let mut hub = Self {
            core,
            links,
            broadcasts: VecDeque::new(),
            unread,
            untold: vec![],
            jobs,
            watched,
            hosts,
            next_host: 0,
            to_check: VecDeque::new(),
            metrics,
            hops,
            events,
            traces: Traces::off(),
            results,
            results_waiting,
        };
        // Before anybody is let in.
        hub.look_at_memory();
        hub
    }

    /// With traces of some requests.
    pub(super) fn with_traces(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut outcomes: mpsc::UnboundedReceiver<Vec<Applied>>,
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
                Some((ticket, worked)) = self.results_waiting.recv() => {
                    self.input(self.watched.clock.now(), Input::Worked(ticket, worked), Cause::default());
                }
                _ = events.recv_many(&mut new_events, TAKE_MAX) => {}
                _ = tick.tick() => self.tick(),
                changed = draining.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = yield_now(), if !self.broadcasts.is_empty() || !self.to_check.is_empty() => {}
            }
            let now = self.watched.clock.now();
            for applied in new_outcomes.drain(..).flatten() {
                match applied.outcome {
                    Outcome::Owners(_) | Outcome::Channel(ChannelOutcome::Found(_)) => self.to_check.push_back(applied),
                    _ => self.applied(now, applied),
                }
            }
            if let Some(applied) = self.to_check.pop_front() {
                self.applied(now, applied);
            }
            for event in new_events.drain(..) {
                self.event(now, event);
            }
            self.broadcast_some(now);
            self.tell();
            self.metrics.set_gauges(&self.core);
            self.metrics.set_unread(self.unread.bytes());
        }
    }

    fn is_drained(&self, draining: &watch::Receiver<bool>) -> bool {
        *draining.borrow() && self.core.connections() == 0 && self.core.awaiting() == 0
    }

    fn applied(&mut self, now: Timestamp, applied: Applied) {
        let cause = Cause { traced: self.traces.applied(&applied), ..Cause::of(&applied) };
        self.input(now, Input::Stored(applied.ticket, applied.outcome), cause);
    }

    fn event(&mut self, now: Timestamp, event: Event) {
        let mut cause = Cause::default();
        let input = match event {
            Event::Opened(conn, sender, via) => {
                self.link(conn, sender, via);
                Input::Opened(conn)
            }
            Event::OpenedByForward(conn, nonce, sender) => {
                self.link(conn, sender, Via::Forward);
                Input::OpenedByForward(conn, nonce)
            }
            Event::Forwarded(ticket, outcome) => Input::Forwarded(ticket, outcome),
            Event::Bound(conn, exporter) => Input::Bound(conn, exporter),
            Event::From(conn, origin) => Input::From(conn, origin),
            Event::Frame(conn, frame) => {
                let command = self.metrics.count_command(&frame.command);
                if let Some(link) = self.links.get_mut(&conn) {
                    let (at, traced) = (Instant::now(), self.traces.begin(&frame.command));
                    cause.traced = traced.as_ref().map(|it| it.context);
                    link.asked.push_back(Asked { request: frame.request, command, at, traced });
                }
                Input::Frame(conn, frame)
            }
            Event::Malformed(conn) => Input::Malformed(conn),
            Event::Closed(conn) => {
                self.unlink(conn);
                Input::Closed(conn)
            }
            Event::Pulse(answer) => {
                // On to the writer, behind all that waits there.
                let _ = self.jobs.send(Job::Pulse(answer));
                return;
            }
            Event::Host(command, asker) => {
                let ticket = HostTicket(self.next_host);
                self.next_host += 1;
                self.hosts.insert(ticket, asker);
                Input::Host(ticket, command)
            }
        };
        self.input(now, input, cause);
    }

    fn link(&mut self, conn: Conn, sender: queue::Sender<Outgoing>, via: Via) {
        let outbox = Outbox::new(sender, &self.unread);
        self.links.insert(conn, Link { outbox, via, asked: VecDeque::new() });
        self.metrics.opened(via);
    }

    /// Hands what goes to many to some of them.
    fn broadcast_some(&mut self, now: Timestamp) {
        let Some(broadcast) = self.broadcasts.front_mut() else { return };
        let (frame, bytes) = (broadcast.frame.clone(), broadcast.bytes);
        let readers: Vec<_> = broadcast.readers.by_ref().take(BROADCAST_READERS).collect();
        if broadcast.readers.len() == 0 {
            self.broadcasts.pop_front();
        }
        self.metrics.count_entries(readers.len());
        for conn in readers {
            let Some(link) = self.links.get_mut(&conn) else { continue };
            let posted = link.outbox.post_shared(frame.clone(), bytes);
            if link.outbox.is_news() {
                self.untold.push(conn);
            }
            if posted.is_err() {
                let closed = self.let_go(conn);
                self.input(now, closed, Cause::default());
            }
        }
    }

    /// Tells connections what was posted for them in this turn.
    fn tell(&mut self) {
        for conn in self.untold.drain(..) {
            // Who was let go in the same turn hears so from the end of its queue.
            if let Some(link) = self.links.get_mut(&conn) {
                link.outbox.tell();
            }
        }
    }

    /// A connection takes no more.
    fn let_go(&mut self, conn: Conn) -> Input {
        self.metrics.count_let_go();
        self.unlink(conn);
        Input::Closed(conn)
    }

    fn unlink(&mut self, conn: Conn) {
        if let Some(link) = self.links.remove(&conn) {
            self.metrics.closed(link.via);
            for asked in &link.asked {
                self.traces.ended(asked, words::GONE, link.via);
            }
        }
    }

    fn input(&mut self, now: Timestamp, input: Input, cause: Cause) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut rng = UnwrapErr(SysRng);
            for output in self.core.handle(&mut Context { now, rng: &mut rng }, input) {
                inputs.extend(self.output(output, cause));
            }
        }
    }

    /// Does one output; a connection that takes no more is closed.
    fn output(&mut self, output: Output, cause: Cause) -> Option<Input> {
        let (conn, posted) = match output {
            Output::Store(ticket, op) => {
                self.traces.queued(ticket, cause.traced);
                // The writer ends only after this task has.
                let _ = self.jobs.send(Job::Apply(ticket, op));
                return None;
            }
            Output::Forward(ticket, forward) => {
                self.forward(ticket, forward);
                return None;
            }
            Output::Job(ticket, job) => {
                let results = self.results.clone();
                // The hub ends only when nothing is awaited, so the channel is there.
                tokio::task::spawn_blocking(move || results.send((ticket, job.run(&mut UnwrapErr(SysRng)))));
                return None;
            }
            // One node alone has nobody to wake.
            Output::Wake(_) => return None,
            Output::Host(ticket, answer) => {
                if let Some(asker) = self.hosts.remove(&ticket) {
                    // The host may have gone away meanwhile.
                    let _ = asker.send(answer);
                }
                return None;
            }
            Output::Reply(conn, frame) => (conn, self.reply(conn, frame, cause)?),
            Output::Broadcast { readers, frame } => {
                let bytes = frame.len().div_ceil(readers.len().max(1));
                self.broadcasts.push_back(Broadcast { readers: readers.into_iter(), frame, bytes });
                return None;
            }
            Output::Close(conn) => (conn, self.links.get_mut(&conn)?.outbox.close()),
        };
        if self.links.get_mut(&conn)?.outbox.is_news() {
            self.untold.push(conn);
        }
        if posted == Ok(()) {
            return None;
        }
        Some(self.let_go(conn))
    }

    fn reply(&mut self, conn: Conn, frame: RelayFrame, cause: Cause) -> Option<Result<(), TooMuch>> {
        let link = self.links.get_mut(&conn)?;
        match &frame {
            RelayFrame::Answer { request, answer } => {
                let at = link.asked.iter().position(|asked| asked.request == *request);
                let asked = at.and_then(|at| link.asked.remove(at));
                if let Some(asked) = &asked {
                    self.traces.ended(asked, words::answer(answer), link.via);
                }
                let (command, took) = asked.map_or((words::MALFORMED, None), |it| (it.command, Some(it.at.elapsed())));
                self.metrics.count_answer(command, answer, took);
                Some(link.outbox.post(frame, None))
            }
            RelayFrame::Deliver(_) => {
                let delivery = cause.delivery.unwrap_or(Delivery::Waited);
                if delivery == Delivery::Ephemeral && !link.outbox.takes_ephemeral() {
                    return None;
                }
                self.metrics.count_delivery(delivery);
                let hand_over = self.traces.hand_over(cause.traced, words::delivery(delivery));
                Some(link.outbox.post_traced(frame, cause.durable_at, hand_over))
            }
            RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => Some(link.outbox.post(frame, None)),
        }
    }

    /// Asks another relay beside everything else; what it says is an event.
    fn forward(&self, ticket: Ticket, forward: Forward) {
        let Some(events) = self.events.upgrade() else { return };
        let (hops, metrics) = (Arc::clone(&self.hops), Arc::clone(&self.metrics));
        tokio::spawn(async move {
            let (asked_at, counts) = (Instant::now(), metrics.forwards());
            let result = hops.ask(forward).await;
            counts.set_in_flight(hops.on_their_way());
            match &result {
                Ok(_) => counts.answered(asked_at.elapsed()),
                Err(failure) => counts.failed((*failure).into()),
            }
            // Nobody waits any more where the hub has ended.
            let _ = events.send(Event::Forwarded(ticket, result.into())).await;
        });
    }

    fn tick(&mut self) {
        if let Some(disk) = &self.watched.disk
            && let Some(free_bytes) = disk.free_bytes()
        {
            self.metrics.set_disk_free(free_bytes);
            self.core.set_disk_low(free_bytes < disk.free_bytes_min);
        }
        self.look_at_memory();
        self.metrics.set_shed(self.core.shed());
        self.input(self.watched.clock.now(), Input::Tick, Cause::default());
    }

    fn look_at_memory(&mut self) {
        if let Some(used) = memory::resident_bytes() {
            self.core.set_memory_used(memory::used_thousandths(used, self.watched.memory_bytes_max));
        }
    }
}
