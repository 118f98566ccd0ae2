//! A client as the world runs it: a real engine over rows in memory, and the driver's rules around it. Some events a transaction,
//! each batch applied at once, one commit, then all effects one by one; and the moments between them at which a machine can fail.

use std::collections::{BTreeMap, VecDeque};

use sotto_engine::{
    Change, Committed, Context, Effect, Engine, Event, Happening, Intent, IntentError, Line, Notice, Outcome,
    ProxyAddress, RelayProblem, Ticket, Timestamp, Watcher,
};
use sotto_relay::core::Conn;

use super::{chance::Chance, rows::MemoryRows};

/// Names a client in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// How an intent was answered.
pub type Answer = Result<Outcome, IntentError>;

/// A profile, and the process that runs it from time to time.
#[derive(Debug)]
pub struct Client {
    pub(super) name: String,
    /// What survives the process.
    pub(super) rows: MemoryRows,
    /// None while it does not run.
    engine: Option<Engine>,
    /// Events that wait for a transaction.
    inbox: VecDeque<Event>,
    /// In place of the engine while the profile is locked.
    watcher: Option<Watcher>,
    /// The lines that the engine asked for.
    pub(super) lines: BTreeMap<Line, Wire>,
    /// What the engine said of how to dial, since it started.
    pub(super) proxy: Option<Option<ProxyAddress>>,
    /// Whether the machine has a network.
    pub(super) online: bool,
    /// Whether a turn is on the agenda.
    pub(super) turn_planned: bool,
    /// When the engine wants to be woken.
    pub(super) wake_at: Option<Timestamp>,
    /// How far its clock is ahead of the world's, in milliseconds.
    pub(super) skew_millis: u64,
    pub(super) chance: Chance,
    /// Counts processes, so that what was meant for one that ended reaches none.
    pub(super) life: u32,
    tickets: u64,
    pub(super) seen: Seen,
    pub(super) said: Said,
}

/// What carries a line.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The connection, while one stands.
    pub(super) conn: Option<Conn>,
    /// Whether a dial is on the agenda.
    pub(super) dialling: bool,
}

/// All that people and their programs were told by a client, through all its lives.
#[derive(Debug, Default)]
pub struct Seen {
    /// Answers to intents.
    pub answers: BTreeMap<Ticket, Answer>,
    /// The event stream as it was shown live.
    pub happenings: Vec<(u64, Happening)>,
    /// Notifications.
    pub notices: Vec<Notice>,
    /// Typing, as it was shown.
    pub typing: Vec<bool>,
    /// How often everything that waited had arrived.
    pub caught_up: u64,
    /// What was wrong with the relay.
    pub problems: Vec<RelayProblem>,
}

/// How many commands a client has let go to relays, through all its lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Acknowledgements of envelopes.
    pub acks: u64,
    /// Everything else.
    pub others: u64,
}

/// How a turn ended.
pub(super) enum Turn {
    /// Durable; these effects are free to go.
    Committed(Vec<Effect>),
    /// The commit failed, and nothing was changed.
    Failed,
}

impl Client {
    pub(super) fn new(seed: u64, id: ClientId, name: &str, rows: MemoryRows) -> Self {
        Self {
            name: name.to_owned(),
            rows,
            engine: None,
            inbox: VecDeque::new(),
            watcher: None,
            lines: BTreeMap::new(),
            proxy: None,
            online: true,
            turn_planned: false,
            wake_at: None,
            skew_millis: 0,
            chance: Chance::fork(seed, "client", id.0 as u64),
            life: 0,
            tickets: 0,
            seen: Seen::default(),
            said: Said::default(),
        }
    }

    /// Whether its process runs.
    pub const fn is_running(&self) -> bool {
        self.engine.is_some() || self.watcher.is_some()
    }

    /// What watches while it is locked.
    pub const fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    /// The proxy that its engine said to dial through, once it did.
    pub const fn proxy(&self) -> Option<&Option<ProxyAddress>> {
        self.proxy.as_ref()
    }

    /// The lines that its engine asked for.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.lines.keys().copied()
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its database.
    pub const fn rows(&self) -> &MemoryRows {
        &self.rows
    }

    /// What it has shown.
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What it has said.
    pub const fn said(&self) -> Said {
        self.said
    }

    /// What its own clock reads when the world's reads `now`.
    pub(super) const fn clock(&self, now: u64) -> Timestamp {
        Timestamp(now + self.skew_millis)
    }

    pub(super) fn start(&mut self) {
        self.life += 1;
        self.engine = Some(Engine::new());
        self.inbox.push_back(Event::Started);
    }

    /// Ends the process: its memory, the open transaction and all effects that were not carried out are lost.
    pub(super) fn stop(&mut self) {
        self.rows.roll_back();
        self.engine = None;
        self.watcher = None;
        self.inbox.clear();
        self.lines.clear();
        self.proxy = None;
        self.turn_planned = false;
        self.wake_at = None;
    }

    /// The connection of a line, while one stands.
    pub(super) fn conn(&self, line: Line) -> Option<Conn> {
        self.lines.get(&line)?.conn
    }

    /// All its connections.
    pub(super) fn conns(&self) -> Vec<Conn> {
        self.lines.values().filter_map(|wire| wire.conn).collect()
    }

    /// Locks a running client. What is to be done follows at once: nothing of it has to be durable.
    pub(super) fn lock(&mut self) -> Vec<Effect> {
        let engine = self.engine.take().expect("a client that is locked runs");
        let (watcher, effects) = engine.lock(&self.rows).expect("rows in memory can be read");
        self.watcher = Some(watcher);
        self.wake_at = None;
        effects
    }

    pub(super) fn enqueue(&mut self, event: Event) {
        self.inbox.push_back(event);
    }

    pub(super) fn has_events(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(super) fn ask(&mut self, intent: Intent) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.enqueue(Event::Intent { ticket, intent });
        ticket
    }

    /// One transaction of up to `events_max` events.
    pub(super) fn turn(&mut self, now: u64, events_max: u64, commit_fails: bool) -> Turn {
        if let Some(watcher) = &mut self.watcher {
            let events = self.inbox.drain(..);
            return Turn::Committed(events.flat_map(|event| watcher.handle(self.chance.rng(), event)).collect());
        }
        let now = self.clock(now);
        let Some(engine) = &mut self.engine else { return Turn::Committed(Vec::new()) };
        let mut steps = Vec::new();
        for _ in 0..events_max {
            let Some(event) = self.inbox.pop_front() else { break };
            let mut cx = Context { now, rng: self.chance.rng(), rows: &self.rows };
            let step = engine.handle(&mut cx, event).expect("rows in memory can be read");
            self.rows.apply(&step.batch);
            steps.push(step);
        }
        if commit_fails {
            self.rows.roll_back();
            return Turn::Failed;
        }
        self.rows.commit();
        let committed = Committed::after_commit();
        Turn::Committed(steps.into_iter().flat_map(|step| step.release(&committed)).collect())
    }

    /// Shows a change to whoever watches.
    pub(super) fn show(&mut self, change: Change) {
        match change {
            Change::Answered { ticket, result } => {
                self.seen.answers.insert(ticket, result);
            }
            Change::Happened { sequence, happening } => self.seen.happenings.push((sequence, happening)),
            Change::Typing { contact: _, active } => self.seen.typing.push(active),
            Change::CaughtUp { relay: _ } => self.seen.caught_up += 1,
            Change::RelayRefused { relay: _, problem } => self.seen.problems.push(problem),
            Change::Online { relay: _ } | Change::Offline { relay: _ } => {}
        }
    }
}
