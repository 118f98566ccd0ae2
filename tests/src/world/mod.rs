//! The simulated world: real engines, the real rules of the relay, and everything between them that can go wrong, all from one
//! seed. The same seed makes the same world, to the last byte.
//!
//! ```text
//!  person ─ Intent ─► client: engine + rows ─ frames ─► network ─► relays: core + store in memory
//!                        ▲        │ released                │ cut, late        │ crash, failed commit
//!                        │        ▼                         ▼                  ▼
//!                      crash    reader: opens every packet, looks for a key used twice
//! ```
//!
//! A world that is dropped in a panic prints its seed; `SEED=81b2 cargo test -p sotto-tests` replays it.

pub mod chance;
pub mod check;
pub mod client;
pub mod clock;
mod hands;
mod hostile;
mod life;
mod lines;
mod mirror;
mod misdeeds;
mod network;
pub mod person;
pub mod reader;
pub mod relay;
pub mod rows;
pub mod thief;

use std::collections::{BTreeMap, BTreeSet};

use sotto_engine::{ContactId, Line, Ticket, Timestamp};
use sotto_inner::ContentId;
use sotto_outer::{AdmissionKind, ReceiveId, RelayIdentity, SendId, ShownToken, Terms};
use sotto_relay::core::{Config, Conn};

use chance::Chance;
use client::{Client, ClientId};
use clock::{Clock, MINUTE};
use hostile::Hostile;
pub use hostile::{Again, Mischief, Overrule};
use network::Network;
pub use network::Weather;
use reader::{Reader, Verdict};
use relay::{Relay, RelayId};
use thief::Thief;

/// Something on the agenda.
#[derive(Debug)]
enum Occurrence {
    /// A client tries to connect.
    Dial { client: ClientId, line: Line, life: u32 },
    /// Bytes reach the relay.
    AtRelay { conn: Conn, bytes: Vec<u8> },
    /// Bytes reach a client.
    AtClient { conn: Conn, bytes: Vec<u8> },
    /// A client notices that its line is cut.
    LostAtClient { client: ClientId, line: Line, conn: Conn, life: u32 },
    /// The relay notices that a line is cut.
    LostAtRelay { relay: RelayId, conn: Conn, life: u32 },
    /// A client works off its events.
    Turn { client: ClientId, life: u32 },
    /// A client wakes at the time it asked for.
    Wake { client: ClientId, life: u32, at: Timestamp },
    /// A client that crashed starts again.
    Start { client: ClientId, life: u32 },
    /// A relay's store commits.
    Commit { relay: RelayId, life: u32 },
    /// All relays sweep.
    Tick,
    /// A relay that crashed starts again.
    RelayStart { relay: RelayId, life: u32 },
}

/// The longest line of a story.
const STORY_LINE_BYTES: usize = 240;

/// What goes wrong by chance. A number n means once in n opportunities, 0 never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A client's process ends; an opportunity before each commit and before each effect.
    pub client_crash_one_in: u64,
    /// A client's commit fails.
    pub client_commit_fails_one_in: u64,
    /// The relay's process ends; an opportunity before each commit.
    pub relay_crash_one_in: u64,
    /// The relay's disk refuses a commit.
    pub relay_commit_fails_one_in: u64,
}

/// A message that a person was told is stored and on its way.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// By whom.
    pub from: ClientId,
    /// To whom.
    pub to: ContactId,
    /// Its id.
    pub id: ContentId,
    /// What it says.
    pub text: String,
}

/// An envelope that an engine let go.
#[derive(Clone, Debug)]
pub struct Released {
    /// When, in the world's milliseconds.
    pub time: u64,
    /// Whose.
    pub from: ClientId,
    /// Where to.
    pub mailbox: SendId,
    /// Whether the relay may keep it.
    pub durable: bool,
    /// What the reader made of it.
    pub verdict: Verdict,
}

/// Clients, relays, a network, a clock and chance.
#[derive(Debug)]
pub struct World {
    seed: u64,
    clock: Clock<Occurrence>,
    chance: Chance,
    network: Network,
    relays: Vec<Relay>,
    clients: Vec<Client>,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// Whose process ends after so many more effects and commits.
    doomed: Option<(ClientId, u64)>,
    sends: BTreeMap<(ClientId, Ticket), (ContactId, String)>,
    accepted: Vec<Accepted>,
    released: Vec<Released>,
    /// Opens all that is released.
    pub reader: Reader,
    /// Whether packets that nobody can open are to be expected: where states were copied, rolled back or lost.
    pub lossy: bool,
    /// Whether the story is told.
    told: bool,
    /// Relays that are gone for good.
    buried: BTreeSet<RelayId>,
    hostile: Hostile,
    thieves: Vec<Thief>,
    /// Tokens that were shown, and for which mailbox.
    pub tokens: BTreeMap<ShownToken, ReceiveId>,
}

impl World {
    /// An empty world with a relay.
    pub fn new(seed: u64) -> Self {
        Self::with_relay(seed, Config::default())
    }

    /// An empty world whose relay has these limits.
    pub fn with_relay(seed: u64, config: Config) -> Self {
        let mut world = Self {
            seed,
            clock: Clock::new(),
            chance: Chance::fork(seed, "world", 0),
            network: Network::new(seed),
            relays: vec![Relay::new(seed, RelayId(0), config)],
            clients: Vec::new(),
            faults: Faults::default(),
            doomed: None,
            sends: BTreeMap::new(),
            accepted: Vec::new(),
            released: Vec::new(),
            reader: Reader::default(),
            lossy: false,
            told: std::env::var_os("STORY").is_some(),
            buried: BTreeSet::new(),
            hostile: Hostile::new(seed),
            thieves: Vec::new(),
            tokens: BTreeMap::new(),
        };
        world.clock.after(MINUTE, Occurrence::Tick);
        world
    }

    /// An empty world whose relays admit nobody without a credential.
    pub fn minted(seed: u64) -> Self {
        let terms = Terms { admission: AdmissionKind::Minted, ..Terms::default() };
        Self::with_relay(seed, Config { terms, ..Config::default() })
    }

    /// A credential for one person at a relay that asks for one, good for a year.
    pub fn credential(&mut self, relay: RelayId, uses: u32) -> Option<String> {
        let until = self.now() + 365 * clock::DAY;
        self.relays[relay.0].mint(uses, until)
    }

    /// What all of this grows from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Now, in Unix milliseconds.
    pub const fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The relay that a world begins with.
    pub fn relay(&self) -> &Relay {
        &self.relays[0]
    }

    /// A relay.
    pub fn relay_of(&self, id: RelayId) -> &Relay {
        &self.relays[id.0]
    }

    /// One more relay, running.
    pub fn add_relay(&mut self) -> RelayId {
        let id = RelayId(self.relays.len());
        let config = self.relay().config().clone();
        self.relays.push(Relay::new(self.seed, id, config));
        id
    }

    fn relay_at(&self, identity: &RelayIdentity) -> Option<RelayId> {
        self.relays.iter().position(|relay| relay.address().identity() == identity).map(RelayId)
    }

    fn relay_ids(&self) -> impl Iterator<Item = RelayId> + use<> {
        (0..self.relays.len()).map(RelayId)
    }

    /// A client.
    pub fn client(&self, id: ClientId) -> &Client {
        &self.clients[id.0]
    }

    /// All clients.
    pub fn clients(&self) -> impl Iterator<Item = (ClientId, &Client)> {
        self.clients.iter().enumerate().map(|(index, client)| (ClientId(index), client))
    }

    /// Every message whose sender was told that it is stored.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// Every envelope that an engine let go, oldest first.
    pub fn released(&self) -> &[Released] {
        &self.released
    }

    /// Sets how the network treats lines.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.network.weather = weather;
    }

    /// Lets so many milliseconds pass.
    pub fn run_for(&mut self, millis: u64) {
        let until = self.now() + millis;
        while let Some(occurrence) = self.clock.next(until) {
            self.happen(occurrence);
        }
    }

    /// Lets time pass until something is so, at most so many milliseconds. Says whether it is.
    pub fn run_until(&mut self, millis_max: u64, is_so: impl Fn(&Self) -> bool) -> bool {
        let until = self.now() + millis_max;
        while !is_so(self) {
            let Some(occurrence) = self.clock.next(until) else { return is_so(self) };
            self.happen(occurrence);
        }
        true
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Dial { client, line, life } => self.dial(client, line, life),
            Occurrence::AtRelay { conn, bytes } => self.at_relay(conn, &bytes),
            Occurrence::AtClient { conn, bytes } => self.at_client(conn, &bytes),
            Occurrence::LostAtClient { client, line, conn, life } => self.lost_at_client(client, line, conn, life),
            Occurrence::LostAtRelay { relay, conn, life } if life == self.relays[relay.0].life => {
                let wishes = self.relays[relay.0].closed(self.clock.now(), conn);
                self.grant(relay, wishes);
            }
            Occurrence::LostAtRelay { .. } => {}
            Occurrence::Turn { client, life } => self.turn(client, life),
            Occurrence::Wake { client, life, at } => self.wake(client, life, at),
            Occurrence::Start { client, life } if life == self.clients[client.0].life => self.start(client),
            Occurrence::Start { .. } => {}
            Occurrence::Commit { relay, life } => self.commit(relay, life),
            Occurrence::Tick => {
                for relay in self.relay_ids() {
                    let wishes = self.relays[relay.0].tick(self.clock.now());
                    self.grant(relay, wishes);
                }
                self.clock.after(MINUTE, Occurrence::Tick);
            }
            Occurrence::RelayStart { relay, life } if life == self.relays[relay.0].life => self.start_relay_of(relay),
            Occurrence::RelayStart { .. } => {}
        }
    }

    /// Tells the story on stderr, where `STORY` is set: for whoever looks for the fault of a seed.
    fn tell(&self, line: impl Fn(&Self) -> String) {
        if self.told {
            let mut line = line(self);
            line.truncate(line.floor_char_boundary(STORY_LINE_BYTES));
            eprintln!("{:>12} {line}", self.now() - clock::BEGINNING);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this world replays with SEED={:x}", self.seed);
        }
    }
}
