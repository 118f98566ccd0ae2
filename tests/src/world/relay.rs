//! A relay as the world runs it: the real rules over the store in memory, with the moments between a write, its commit and its
//! answer at which a machine can fail.

use sotto_outer::{AdmissionKind, ClientFrame, RelayAddress, RelayFrame, Tls};
use sotto_relay::{
    Identity, Job, Mint, NewKey, Timestamp, Worked,
    core::{Config, Conn, Context, Core, ForwardOutcome, Input, Output, Ticket},
    storage::{Op, Outcome, memory::MemoryStorage},
};

use super::chance::Chance;

/// The key that every relay makes for tokens.
const TOKEN_KEY: &[u8] = include_bytes!("../../../relay/src/access/test-token-key.der");

/// Names a relay in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(pub usize);

/// How a relay's process ends in the middle of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// What was not committed is lost.
    BeforeCommit,
    /// What waited was committed, and nobody was told.
    AfterCommit,
}

/// The relay's process, its store and its machine.
#[derive(Debug)]
pub struct Relay {
    secret: [u8; 32],
    config: Config,
    address: RelayAddress,
    /// None while it is down.
    core: Option<Core>,
    storage: MemoryStorage,
    /// Handed to the store, not yet committed.
    waiting: Vec<(Ticket, Op)>,
    chance: Chance,
    /// Whether a commit is on the agenda.
    pub(super) commit_planned: bool,
    /// Counts processes, so that what was meant for one that ended reaches none.
    pub(super) life: u32,
}

/// What a relay wants of the network.
#[derive(Debug)]
pub(super) enum Wish {
    Send(Conn, Box<RelayFrame>),
    Close(Conn),
}

impl Relay {
    /// A relay with a fresh identity and an empty store, running.
    pub(super) fn new(seed: u64, id: RelayId, config: Config) -> Self {
        let mut chance = Chance::fork(seed, "relay", id.0 as u64);
        let secret: [u8; 32] = chance.bytes(32).try_into().expect("32 were asked for");
        let identity = *Identity::from_secret(&secret).public();
        let address =
            RelayAddress::new(&format!("relay{}.test", id.0), 443, Tls::Own, identity).expect("a plain host and port");
        let asks = config.terms.admission != AdmissionKind::Open;
        let mint = asks.then(|| Mint::from_secret(&secret, &identity));
        let config = Config { gives_tokens: asks, mint, ..config };
        let mut relay = Self {
            secret,
            config,
            address,
            core: None,
            storage: MemoryStorage::new(),
            waiting: Vec::new(),
            chance,
            commit_planned: false,
            life: 0,
        };
        relay.start();
        relay
    }

    /// Where clients find it.
    pub const fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// What it was set to.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// A credential that its host mints, where it asks for one.
    pub(super) fn mint(&mut self, uses: u32, until: u64) -> Option<String> {
        let subject = self.chance.bytes(16);
        self.config.mint.as_ref().map(|mint| mint.mint(&subject, uses, Timestamp::from_millis(until)))
    }

    /// Whether its process runs.
    pub const fn is_running(&self) -> bool {
        self.core.is_some()
    }

    /// Whether anything waits to be committed.
    pub const fn is_writing(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Payloads that lie in its store.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.storage.durable_payloads()
    }

    pub(super) fn start(&mut self) {
        self.life += 1;
        let config = Config { place: self.address.place(), ..self.config.clone() };
        self.core = Some(Core::new(config, Identity::from_secret(&self.secret)));
    }

    /// Ends the process at once: its memory is lost, and of its writes what was not durable.
    pub(super) fn crash(&mut self, crash: Crash) {
        let ops = self.waiting.drain(..).map(|(_, op)| op).collect();
        let _untold: Vec<Outcome> = self.storage.apply(ops);
        match crash {
            Crash::BeforeCommit => self.storage.crash(),
            Crash::AfterCommit => self.storage.commit(),
        }
        self.core = None;
        self.commit_planned = false;
    }

    pub(super) fn opened(&mut self, now: u64, conn: Conn) -> Vec<Wish> {
        self.input(now, Input::Opened(conn))
    }

    pub(super) fn closed(&mut self, now: u64, conn: Conn) -> Vec<Wish> {
        self.input(now, Input::Closed(conn))
    }

    pub(super) fn received(&mut self, now: u64, conn: Conn, bytes: &[u8]) -> Vec<Wish> {
        let input = match ClientFrame::decode(bytes) {
            Ok(frame) => Input::Frame(conn, frame),
            Err(_) => Input::Malformed(conn),
        };
        self.input(now, input)
    }

    pub(super) fn tick(&mut self, now: u64) -> Vec<Wish> {
        self.input(now, Input::Tick)
    }

    /// Commits what waits as one group, and tells the rules. A disk that fails leaves no trace of the group.
    pub(super) fn commit(&mut self, now: u64, disk_fails: bool) -> Vec<Wish> {
        let (tickets, ops): (Vec<_>, Vec<_>) = self.waiting.drain(..).unzip();
        let outcomes = if disk_fails {
            vec![Outcome::Failed; ops.len()]
        } else {
            let outcomes = self.storage.apply(ops);
            self.storage.commit();
            outcomes
        };
        let told = tickets.into_iter().zip(outcomes);
        told.flat_map(|(ticket, outcome)| self.input(now, Input::Stored(ticket, outcome))).collect()
    }

    fn input(&mut self, now: u64, input: Input) -> Vec<Wish> {
        let Some(core) = &mut self.core else { return Vec::new() };
        let mut cx = Context { now: Timestamp::from_millis(now), rng: self.chance.rng() };
        let (mut wishes, mut forwards, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
        for output in core.handle(&mut cx, input) {
            match output {
                Output::Store(ticket, op) => self.waiting.push((ticket, op)),
                Output::Reply(conn, frame) => wishes.push(Wish::Send(conn, Box::new(frame))),
                Output::Broadcast { readers, frame } => {
                    let frame = RelayFrame::decode(&frame).expect("a relay's frames decode");
                    wishes.extend(readers.into_iter().map(|conn| Wish::Send(conn, Box::new(frame.clone()))));
                }
                Output::Wake(_) | Output::Host(..) => {}
                Output::Job(ticket, job) => jobs.push((ticket, job)),
                // Relays of this world do not reach each other.
                Output::Forward(ticket, _) => forwards.push(ticket),
                Output::Close(conn) => wishes.push(Wish::Close(conn)),
            }
        }
        for (ticket, job) in jobs {
            let worked = match job {
                // Making one takes a second; each purpose and week has another name for it.
                Job::MakeKey => Worked::Key(Some(NewKey::from_der(TOKEN_KEY))),
                job => job.run(self.chance.rng()),
            };
            wishes.extend(self.input(now, Input::Worked(ticket, worked)));
        }
        for ticket in forwards {
            let outcome = ForwardOutcome::Unreachable { retry_after_secs: 60 };
            wishes.extend(self.input(now, Input::Forwarded(ticket, outcome)));
        }
        wishes
    }
}
