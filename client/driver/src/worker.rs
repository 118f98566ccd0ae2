//! The thread that owns the engine and the write connection.
//!
//! ```text
//! wait ─► BEGIN ─► up to 256 × (event ─► engine ─► batch applied at once) ─► COMMIT ─► release all effects, in order ─► wait
//!                          │ any failure                                       │ failure
//!                          └──────────────► drop the engine's memory, roll back, tell the intents, dial anew ◄─┘
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_engine::{Change, Context, Effect, Engine, Event, IntentError, Notice, Outcome, Step, Ticket, Timestamp};
use sotto_net::NetEvent;
use sotto_store::Store;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, oneshot, watch},
};
use tracing::{error, info, warn};

use crate::{
    ClientError, Health, Locked, clock,
    locked::Watch,
    relays::{Heard, Relays},
    request::{Reply, Request},
};

/// Events in one transaction.
const BATCH_EVENTS_MAX: usize = 256;
/// After a failed transaction relays are not heard for this long; it doubles up to the cap.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);
const STORAGE_PAUSE_CAP: Duration = Duration::from_secs(30);

pub(crate) struct Worker {
    store: Store,
    engine: Engine,
    runtime: Handle,
    network: bool,
    requests: mpsc::Receiver<Request>,
    net: mpsc::Receiver<NetEvent>,
    relays: Relays,
    /// Intents that were handled and not answered yet.
    waiting: BTreeMap<Ticket, Reply>,
    last_ticket: u64,
    /// Intents up to this one are durable, answered or not.
    durable_ticket: u64,
    wake_at: Option<Timestamp>,
    clock: clock::JumpDetector,
    /// Whether this engine was told that it started, and that is durable.
    started: bool,
    storage: Option<StorageTrouble>,
    changes: broadcast::Sender<Change>,
    notices: broadcast::Sender<Notice>,
    health: watch::Sender<Health>,
}

/// What woke the worker.
enum Input {
    Request(Request),
    Net(NetEvent),
    Woken,
}

/// One thing to release after the commit.
enum Held {
    Step(Step),
    Heard(Heard),
}

/// An answer that is told once everything it rests on was released.
type Answer = (Ticket, Result<Outcome, IntentError>);

struct StorageTrouble {
    error: ClientError,
    pause: Duration,
    until: Instant,
}

impl Worker {
    pub(crate) fn new(
        store: Store,
        requests: mpsc::Receiver<Request>,
        changes: broadcast::Sender<Change>,
        notices: broadcast::Sender<Notice>,
        health: watch::Sender<Health>,
        network: bool,
    ) -> Self {
        let (events, net) = mpsc::channel(sotto_net::EVENTS_MAX);
        Self {
            store,
            engine: Engine::new(),
            runtime: Handle::current(),
            network,
            requests,
            net,
            relays: Relays::new(events),
            waiting: BTreeMap::new(),
            last_ticket: 0,
            durable_ticket: 0,
            wake_at: None,
            clock: clock::JumpDetector::new(clock::Reading::now()),
            started: false,
            storage: None,
            changes,
            notices,
            health,
        }
    }

    pub(crate) fn run(mut self) {
        // Relay tasks are spawned from this thread.
        let runtime = self.runtime.clone();
        let _spawning = runtime.enter();
        self.turn(Vec::new());
        let done = loop {
            let inputs = runtime.block_on(self.inputs());
            match self.sort(inputs) {
                Sorted::Work(events) => self.turn(events),
                Sorted::Stop(events, done) => {
                    self.turn(events);
                    break done;
                }
                Sorted::Lock(events, reply) => {
                    self.turn(events);
                    return self.lock(reply);
                }
            }
        };
        self.stop(done);
    }

    /// Waits for the first input, then takes what else is there.
    async fn inputs(&mut self) -> Vec<Input> {
        let nap = self.nap();
        let mut inputs = vec![tokio::select! {
            request = self.requests.recv() => Input::Request(request.unwrap_or_else(stop_unheard)),
            Some(event) = self.net.recv(), if self.storage.is_none() => Input::Net(event),
            () = tokio::time::sleep(nap) => Input::Woken,
        }];
        while inputs.len() < BATCH_EVENTS_MAX {
            let before = inputs.len();
            if let Ok(request) = self.requests.try_recv() {
                inputs.push(Input::Request(request));
            }
            if self.storage.is_none()
                && let Ok(event) = self.net.try_recv()
            {
                inputs.push(Input::Net(event));
            }
            if inputs.len() == before {
                break;
            }
        }
        inputs
    }

    fn nap(&self) -> Duration {
        match (&self.storage, self.wake_at) {
            (Some(trouble), _) => trouble.until.saturating_duration_since(Instant::now()),
            (None, Some(time)) => clock::until(time).min(clock::NAP),
            (None, None) => clock::NAP,
        }
    }

    /// Turns inputs to events.
    fn sort(&mut self, inputs: Vec<Input>) -> Sorted {
        let mut events = Vec::with_capacity(inputs.len());
        let mut lock = None;
        for input in inputs {
            match input {
                Input::Request(Request::Intent(intent, reply)) => {
                    self.last_ticket += 1;
                    let ticket = Ticket(self.last_ticket);
                    self.waiting.insert(ticket, reply);
                    events.push((Event::Intent { ticket, intent }, None));
                }
                Input::Request(Request::Store(act)) => act(&mut self.store),
                Input::Request(Request::Lock(reply)) => lock = Some(reply),
                Input::Request(Request::Hurry(done)) => {
                    self.relays.hurry();
                    self.publish_health();
                    let _gone = done.send(());
                }
                Input::Request(Request::Stop(done)) => return Sorted::Stop(events, done),
                Input::Net(event) => events.extend(self.relays.translate(event)),
                Input::Woken => {}
            }
        }
        events.extend(self.time_events());
        match lock {
            Some(reply) => Sorted::Lock(events, reply),
            None => Sorted::Work(events),
        }
    }

    /// A wake-up that is due, or a clock that jumped: then what is due is another question, and connections may be
    /// dead.
    fn time_events(&mut self) -> Option<(Event, Option<Heard>)> {
        let jumped = self.clock.jumped(clock::Reading::now());
        if jumped {
            self.relays.wake();
        }
        let due = self.wake_at.is_some_and(|time| time <= clock::now());
        if due {
            self.wake_at = None;
        }
        (due || jumped).then_some((Event::Woken, None))
    }

    /// One transaction, and what follows from it.
    fn turn(&mut self, events: Vec<(Event, Option<Heard>)>) {
        if !events.is_empty() || !self.started {
            match self.commit(events) {
                Ok(answers) => {
                    self.storage = None;
                    self.started = true;
                    self.durable_ticket = self.last_ticket;
                    // The answers go last: who has one sees its effects under way.
                    self.publish_health();
                    self.answer(answers);
                    return;
                }
                Err(error) => self.begin_anew(error),
            }
        }
        self.publish_health();
    }

    /// Handles events in one transaction and releases their effects once it is durable.
    fn commit(&mut self, events: Vec<(Event, Option<Heard>)>) -> Result<Vec<Answer>, ClientError> {
        let transaction = self.store.begin()?;
        let mut held = Vec::with_capacity(events.len() + 1);
        let started = (!self.started).then_some((Event::Started, None));
        for (event, heard) in started.into_iter().chain(events) {
            // The system's generator holds no state of ours between calls: a thief of memory learns no future keys.
            let mut rng = UnwrapErr(SysRng);
            let mut cx = Context { now: clock::now(), rng: &mut rng, rows: &transaction };
            let step = self.engine.handle(&mut cx, event)?;
            // At once, so that the next event sees it.
            transaction.apply(&step.batch)?;
            held.extend(heard.map(Held::Heard));
            held.push(Held::Step(step));
        }
        // Commit before anything leaves, or a crash reuses a key, or shows what was never stored. [SES-7]
        let committed = transaction.commit()?;
        let mut answers = Vec::new();
        for held in held {
            match held {
                Held::Heard(heard) => self.relays.switch(heard),
                Held::Step(step) => {
                    for effect in step.release(&committed) {
                        self.perform(effect, &mut answers);
                    }
                }
            }
        }
        Ok(answers)
    }

    fn perform(&mut self, effect: Effect, answers: &mut Vec<Answer>) {
        match effect {
            Effect::UseProxy(proxy) => self.relays.use_proxy(proxy.as_ref()),
            Effect::Connect(role, address) => {
                if self.network {
                    self.relays.connect(role, address);
                }
            }
            Effect::Leave(role, address) => self.relays.leave(role, &address),
            Effect::Disconnect(line) => self.relays.disconnect(line),
            Effect::Transmit(line, frame) => self.relays.transmit(line, frame),
            Effect::Close(line) => self.relays.close(line),
            Effect::Judged(line, verdict) => self.relays.judge(line, verdict),
            Effect::WakeAt(time) => self.wake_at = Some(time),
            Effect::Show(Change::Answered { ticket, result }) => answers.push((ticket, result)),
            Effect::Show(change) => {
                self.relays.note(&change);
                // Nobody may be watching.
                let _unwatched = self.changes.send(change);
            }
            Effect::Notify(notice) => {
                let _unwatched = self.notices.send(notice);
            }
        }
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        for (ticket, result) in answers {
            if let Some(reply) = self.waiting.remove(&ticket) {
                // Who asked may have gone.
                let _gone = reply.send(result.map_err(ClientError::from));
            }
        }
    }

    /// Nothing of the transaction happened. The engine's memory may say otherwise, so it goes; what relays sent is not
    /// acked, so they send it again on their next connections.
    fn begin_anew(&mut self, error: ClientError) {
        error!(kind = error.kind(), "a transaction failed; beginning anew from what is stored");
        self.engine = Engine::new();
        self.started = false;
        self.wake_at = None;
        self.relays.begin_anew();
        for (ticket, reply) in std::mem::take(&mut self.waiting) {
            let answer = if ticket.0 <= self.durable_ticket { ClientError::Interrupted } else { error.clone() };
            let _gone = reply.send(Err(answer));
        }
        self.durable_ticket = self.last_ticket;
        let pause = self.storage.take().map_or(STORAGE_PAUSE, |trouble| (trouble.pause * 2).min(STORAGE_PAUSE_CAP));
        self.storage = Some(StorageTrouble { error, pause, until: Instant::now() + pause });
    }

    fn publish_health(&self) {
        let health = Health {
            started: self.started,
            relays: self.relays.states(),
            storage: self.storage.as_ref().map(|trouble| trouble.error.clone()),
        };
        self.health.send_replace(health);
    }

    /// Drops everything that can read the profile. What is left watches on this thread.
    fn lock(self, reply: oneshot::Sender<Locked>) {
        let Self {
            mut store, engine, runtime, network, net, relays, requests, waiting, changes, notices, health, ..
        } = self;
        // Whoever still holds an end of these is told that the client is closed.
        drop((requests, waiting, changes, notices, health));
        let taken_over = store.begin().map_err(ClientError::from).and_then(|rows| Ok(engine.lock(&rows)?));
        if let Err(error) = store.checkpoint() {
            info!(kind = error.kind(), "the write-ahead log stays");
        }
        let (told, arrivals) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let locked = Locked::new(store.lock(), network, arrivals, stop);
        if reply.send(locked).is_err() {
            return;
        }
        match taken_over {
            Ok((watcher, effects)) => {
                let mut watch = Watch { runtime, watcher, relays, net, arrivals: told };
                watch.perform(effects);
                watch.run(stopped);
            }
            // Locked all the same: what comes waits at the relays.
            Err(error) => warn!(kind = error.kind(), "nothing is watched while the profile is locked"),
        }
    }

    fn stop(self, done: oneshot::Sender<()>) {
        let Self { mut store, runtime, net, relays, mut requests, .. } = self;
        requests.close();
        runtime.block_on(relays.stop(net));
        if let Err(error) = store.checkpoint() {
            // The log is as durable as the database; it is folded in at the next start.
            info!(kind = error.kind(), "the write-ahead log stays");
        }
        drop(store);
        let _gone = done.send(());
    }
}

/// Events for one transaction, and whether they are the last ones.
enum Sorted {
    Work(Vec<(Event, Option<Heard>)>),
    Stop(Vec<(Event, Option<Heard>)>, oneshot::Sender<()>),
    Lock(Vec<(Event, Option<Heard>)>, oneshot::Sender<Locked>),
}

/// The handle is gone: nobody waits for the end.
fn stop_unheard() -> Request {
    Request::Stop(oneshot::channel().0)
}
