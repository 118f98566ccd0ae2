//! The simulated world: real engines, the real rules of the relay, and everything between them that can go wrong, all from one
//! seed. The same seed makes the same world, to the last byte.
//!
//! ```text
//!  person ─ Intent ─► client: engine + rows ─ frames ─► network ─► relay: core + store in memory
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
mod hostile;
mod mirror;
mod network;
pub mod person;
pub mod reader;
pub mod relay;
pub mod rows;
pub mod thief;

use std::collections::BTreeMap;

use sotto_engine::{Effect, Event, Intent, Outcome, Ticket, Timestamp, view};
use sotto_inner::ContentId;
use sotto_outer::{ClientFrame, Command, ReceiveId, RelayFrame, SendId};
use sotto_relay::core::{Config, Conn};

use chance::Chance;
use client::{Answer, Client, ClientId, Turn};
use clock::{Clock, HOUR, MINUTE, SECOND};
use hostile::Hostile;
pub use hostile::Mischief;
pub use network::Weather;
use network::{End, Network};
use reader::{Reader, Verdict};
use relay::{Crash, Relay, Wish};
use rows::MemoryRows;
use thief::{Direction, Thief};

/// Something on the agenda.
#[derive(Debug)]
enum Occurrence {
    /// A client tries to connect.
    Dial { client: ClientId, life: u32 },
    /// Bytes reach the relay.
    AtRelay { conn: Conn, bytes: Vec<u8> },
    /// Bytes reach a client.
    AtClient { conn: Conn, bytes: Vec<u8> },
    /// A client notices that its line is cut.
    LostAtClient { client: ClientId, conn: Conn, life: u32 },
    /// The relay notices that a line is cut.
    LostAtRelay { conn: Conn, life: u32 },
    /// A client works off its events.
    Turn { client: ClientId, life: u32 },
    /// A client wakes at the time it asked for.
    Wake { client: ClientId, life: u32, at: Timestamp },
    /// A client that crashed starts again.
    Start { client: ClientId, life: u32 },
    /// The relay's store commits.
    Commit { life: u32 },
    /// The relay sweeps.
    Tick,
    /// A relay that crashed starts again.
    RelayStart { life: u32 },
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
    pub to: sotto_engine::ContactId,
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

/// Clients, a relay, a network, a clock and chance.
#[derive(Debug)]
pub struct World {
    seed: u64,
    clock: Clock<Occurrence>,
    chance: Chance,
    network: Network,
    relay: Relay,
    clients: Vec<Client>,
    commit_planned: bool,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// Whose process ends after so many more effects and commits.
    doomed: Option<(ClientId, u64)>,
    sends: BTreeMap<(ClientId, Ticket), (sotto_engine::ContactId, String)>,
    accepted: Vec<Accepted>,
    released: Vec<Released>,
    /// Opens all that is released.
    pub reader: Reader,
    /// Whether packets that nobody can open are to be expected: where states were copied, rolled back or lost.
    pub lossy: bool,
    /// Whether the story is told.
    told: bool,
    hostile: Hostile,
    thieves: Vec<Thief>,
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
            relay: Relay::new(seed, config),
            clients: Vec::new(),
            commit_planned: false,
            faults: Faults::default(),
            doomed: None,
            sends: BTreeMap::new(),
            accepted: Vec::new(),
            released: Vec::new(),
            reader: Reader::default(),
            lossy: false,
            told: std::env::var_os("STORY").is_some(),
            hostile: Hostile::new(seed),
            thieves: Vec::new(),
        };
        world.clock.after(MINUTE, Occurrence::Tick);
        world
    }

    /// What all of this grows from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Now, in Unix milliseconds.
    pub const fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The relay.
    pub const fn relay(&self) -> &Relay {
        &self.relay
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

    // ---- clients

    /// A new client with an empty profile, running and online.
    pub fn add_client(&mut self, name: &str) -> ClientId {
        let id = self.add_profile(name, MemoryRows::default());
        self.start(id);
        id
    }

    /// A profile with these rows, not running: a copied folder or a restored backup.
    pub fn add_profile(&mut self, name: &str, rows: MemoryRows) -> ClientId {
        let id = ClientId(self.clients.len());
        self.clients.push(Client::new(self.seed, id, name, rows));
        id
    }

    /// A new client whose person has made an account at the relay.
    pub fn add_person(&mut self, name: &str) -> ClientId {
        let id = self.add_client(name);
        let relay = self.relay.address().clone();
        self.expect(id, Intent::CreateProfile { name: name.to_owned(), relay });
        id
    }

    /// Starts a client that does not run.
    pub fn start(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        if !client.is_running() {
            client.start();
            self.plan_turn(id);
        }
    }

    /// Ends a client's process at once. It stays down.
    pub fn stop(&mut self, id: ClientId) {
        self.cut_line_of(id);
        let client = &mut self.clients[id.0];
        client.conn = None;
        client.stop();
    }

    /// Ends a client's process at once and starts it again.
    pub fn restart(&mut self, id: ClientId) {
        self.stop(id);
        self.start(id);
    }

    /// Ends a client's process before the commit or effect that comes after so many others. It starts again by itself.
    pub const fn doom(&mut self, id: ClientId, after: u64) {
        self.doomed = Some((id, after));
    }

    /// Whether whoever is doomed has not met their doom.
    pub const fn is_doom_ahead(&self) -> bool {
        self.doomed.is_some()
    }

    /// Takes a client's machine off the network or puts it back.
    pub fn set_online(&mut self, id: ClientId, online: bool) {
        self.clients[id.0].online = online;
        if !online {
            self.cut_line_of(id);
        }
    }

    /// Changes a client's rows behind its back, while it does not run.
    pub fn edit_rows(&mut self, id: ClientId, edit: impl FnOnce(&mut MemoryRows)) {
        let client = &mut self.clients[id.0];
        assert!(!client.is_running(), "a running client's database is its own");
        edit(&mut client.rows);
        client.rows.commit();
    }

    /// Sets how far a client's clock is ahead.
    pub fn set_skew(&mut self, id: ClientId, millis: u64) {
        self.clients[id.0].skew_millis = millis;
    }

    // ---- the relay

    /// Ends the relay's process at once. It stays down.
    pub fn stop_relay(&mut self, crash: Crash) {
        self.relay.crash(crash);
        self.commit_planned = false;
        for conn in self.network.standing() {
            self.cut(conn);
        }
    }

    /// Starts a relay that does not run.
    pub fn start_relay(&mut self) {
        if !self.relay.is_running() {
            self.relay.start();
        }
    }

    /// Sets how the relay misbehaves.
    pub const fn set_mischief(&mut self, mischief: Mischief) {
        self.hostile.mischief = mischief;
    }

    /// Delivers to a client again all that was ever delivered to it, under the old ids or under new ones. Says how much.
    pub fn replay_all(&mut self, id: ClientId, under_new_ids: bool) -> usize {
        let mut count = 0;
        for mailbox in self.mailboxes(id) {
            for mut deliver in self.hostile.kept(&mailbox).to_vec() {
                if under_new_ids {
                    deliver.id = self.hostile.fresh_id();
                }
                self.inject(id, RelayFrame::Deliver(deliver));
                count += 1;
            }
        }
        count
    }

    /// Delivers noise to a client, so many envelopes a mailbox.
    pub fn inject_junk(&mut self, id: ClientId, count: usize) {
        for mailbox in self.mailboxes(id) {
            for _ in 0..count {
                let junk = self.hostile.junk(mailbox);
                self.inject(id, RelayFrame::Deliver(junk));
            }
        }
    }

    fn inject(&mut self, id: ClientId, frame: RelayFrame) {
        if let Some(conn) = self.clients[id.0].conn {
            self.transmit(conn, frame.encode(), End::Client);
        }
    }

    fn mailboxes(&self, id: ClientId) -> Vec<ReceiveId> {
        let keys = self.client(id).rows.table(sotto_engine::Table::Mailbox).map(|(key, _)| key);
        keys.map(|key| ReceiveId::try_from(key).expect("a mailbox lies under its receive id")).collect()
    }

    /// A thief copies all that a client has durably, and listens from now on. Says which thief.
    pub fn steal(&mut self, id: ClientId) -> usize {
        let number = self.thieves.len();
        self.thieves.push(Thief::new(self.seed, number as u64, id, &self.clients[id.0].rows));
        number
    }

    /// A thief.
    pub fn thief(&self, number: usize) -> &Thief {
        &self.thieves[number]
    }

    // ---- people

    /// Asks a running client for something and returns at once.
    ///
    /// # Panics
    /// If it does not run.
    pub fn ask(&mut self, id: ClientId, intent: Intent) -> Ticket {
        let client = &mut self.clients[id.0];
        assert!(client.is_running(), "nobody can ask a client that does not run");
        let said = match &intent {
            Intent::Send { contact, text, .. } => Some((*contact, text.clone())),
            _ => None,
        };
        let ticket = client.ask(intent);
        if let Some(said) = said {
            self.sends.insert((id, ticket), said);
        }
        self.plan_turn(id);
        ticket
    }

    /// Asks for something and waits for the answer.
    ///
    /// # Panics
    /// If none comes within a minute.
    pub fn answer(&mut self, id: ClientId, intent: Intent) -> Answer {
        let ticket = self.ask(id, intent);
        let answered = self.run_until(MINUTE, |world| world.client(id).seen.answers.contains_key(&ticket));
        assert!(answered, "{} got no answer", self.client(id).name);
        self.clients[id.0].seen.answers[&ticket].clone()
    }

    /// Asks for something that must go well.
    ///
    /// # Panics
    /// If it does not.
    pub fn expect(&mut self, id: ClientId, intent: Intent) -> Outcome {
        let answer = self.answer(id, intent);
        answer.unwrap_or_else(|error| panic!("{} was refused: {error}", self.client(id).name))
    }

    /// The root of a client's account.
    ///
    /// # Panics
    /// If it has none.
    pub fn root(&self, id: ClientId) -> sotto_engine::ContactId {
        self.account(id).expect("an account was made").root
    }

    fn account(&self, id: ClientId) -> Option<sotto_engine::AccountView> {
        view::account(&self.client(id).rows).expect("rows in memory can be read")
    }

    // ---- time

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
            Occurrence::Dial { client, life } => self.dial(client, life),
            Occurrence::AtRelay { conn, bytes } => self.at_relay(conn, &bytes),
            Occurrence::AtClient { conn, bytes } => self.at_client(conn, &bytes),
            Occurrence::LostAtClient { client, conn, life } => self.lost_at_client(client, conn, life),
            Occurrence::LostAtRelay { conn, life } if life == self.relay.life => {
                let wishes = self.relay.closed(self.clock.now(), conn);
                self.grant(wishes);
            }
            Occurrence::LostAtRelay { .. } => {}
            Occurrence::Turn { client, life } => self.turn(client, life),
            Occurrence::Wake { client, life, at } => self.wake(client, life, at),
            Occurrence::Start { client, life } if life == self.clients[client.0].life => self.start(client),
            Occurrence::Start { .. } => {}
            Occurrence::Commit { life } => self.commit(life),
            Occurrence::Tick => {
                let wishes = self.relay.tick(self.clock.now());
                self.grant(wishes);
                self.clock.after(MINUTE, Occurrence::Tick);
            }
            Occurrence::RelayStart { life } if life == self.relay.life => self.start_relay(),
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

    // ---- a client's life

    fn plan_turn(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        if client.is_running() && client.has_events() && !client.turn_planned {
            client.turn_planned = true;
            self.clock.after(self.chance.below(4), Occurrence::Turn { client: id, life: client.life });
        }
    }

    fn turn(&mut self, id: ClientId, life: u32) {
        let client = &mut self.clients[id.0];
        if client.life != life || !client.is_running() {
            return;
        }
        client.turn_planned = false;
        let events_max = self.chance.between(1, 8);
        let commit_fails = self.chance.one_in(self.faults.client_commit_fails_one_in);
        let crashes = self.client_crashes(id);
        match self.clients[id.0].turn(self.clock.now(), events_max, commit_fails || crashes) {
            Turn::Failed if crashes => return self.crash(id),
            Turn::Failed => return self.restart(id),
            Turn::Committed(effects) => self.carry_out(id, effects),
        }
        self.plan_turn(id);
    }

    fn carry_out(&mut self, id: ClientId, effects: Vec<Effect>) {
        for effect in &effects {
            self.observe(id, effect);
        }
        for effect in effects {
            if self.client_crashes(id) {
                return self.crash(id);
            }
            self.perform(id, effect);
        }
    }

    /// Takes note of what is free to go, whether or not it gets far.
    fn observe(&mut self, id: ClientId, effect: &Effect) {
        let Effect::Transmit(_, ClientFrame { request: _, command }) = effect else { return };
        let now = self.clock.now();
        match command {
            Command::Create(create) => self.reader.made(create),
            Command::Send(send) => {
                let verdict = self.reader.released(&self.clients, id, send.mailbox, &send.payload, now);
                for thief in &mut self.thieves {
                    let direction = if thief.victim == id { Direction::FromVictim } else { Direction::ToVictim };
                    thief.overhear(direction, &send.payload, now);
                }
                let durable = send.ttl_secs != Some(0);
                self.released.push(Released { time: now, from: id, mailbox: send.mailbox, durable, verdict });
            }
            Command::Info(_)
            | Command::Subscribe(_)
            | Command::Ack(_)
            | Command::Delete(_)
            | Command::Publish(_)
            | Command::Fetch(_) => {}
        }
    }

    fn perform(&mut self, id: ClientId, effect: Effect) {
        self.tell(|world| format!("{} does {effect:?}", world.client(id).name));
        match effect {
            Effect::Connect(_) => {
                self.clients[id.0].wants_connection = true;
                self.plan_dial(id, SECOND);
            }
            Effect::Transmit(_, frame) => {
                if let Some(conn) = self.clients[id.0].conn {
                    self.transmit(conn, frame.encode(), End::Relay);
                }
            }
            Effect::Close(_) => self.cut_line_of(id),
            Effect::WakeAt(at) => {
                let client = &mut self.clients[id.0];
                client.wake_at = Some(at);
                let time = at.0.saturating_sub(client.skew_millis);
                self.clock.at(time, Occurrence::Wake { client: id, life: client.life, at });
            }
            Effect::Show(change) => {
                self.note_acceptance(id, &change);
                self.clients[id.0].show(change);
            }
            Effect::Notify(notice) => self.clients[id.0].seen.notices.push(notice),
        }
    }

    fn note_acceptance(&mut self, id: ClientId, change: &sotto_engine::Change) {
        let sotto_engine::Change::Answered { ticket, result: Ok(Outcome::Message { chat: _, id: content, .. }) } =
            change
        else {
            return;
        };
        if let Some((to, text)) = self.sends.remove(&(id, *ticket)) {
            self.accepted.push(Accepted { from: id, to, id: *content, text });
        }
    }

    fn wake(&mut self, id: ClientId, life: u32, at: Timestamp) {
        let client = &mut self.clients[id.0];
        if client.life == life && client.is_running() && client.wake_at == Some(at) {
            client.wake_at = None;
            client.enqueue(Event::Woken);
            self.plan_turn(id);
        }
    }

    fn client_crashes(&mut self, id: ClientId) -> bool {
        let met = match &mut self.doomed {
            Some((doomed, after)) if *doomed == id => {
                let met = *after == 0;
                *after = after.saturating_sub(1);
                met
            }
            Some(_) | None => false,
        };
        if met {
            self.doomed = None;
        }
        met || self.chance.one_in(self.faults.client_crash_one_in)
    }

    /// Ends a client's process as a power cut does; somebody starts it again within the hour.
    fn crash(&mut self, id: ClientId) {
        self.stop(id);
        let life = self.clients[id.0].life;
        self.clock.after(self.chance.between(SECOND, HOUR), Occurrence::Start { client: id, life });
    }

    // ---- lines

    fn plan_dial(&mut self, id: ClientId, millis_max: u64) {
        let client = &mut self.clients[id.0];
        if client.wants_connection && client.conn.is_none() && !client.dialling {
            client.dialling = true;
            self.clock.after(self.chance.below(millis_max), Occurrence::Dial { client: id, life: client.life });
        }
    }

    fn dial(&mut self, id: ClientId, life: u32) {
        let now = self.clock.now();
        let client = &mut self.clients[id.0];
        if client.life != life || !client.is_running() {
            return;
        }
        client.dialling = false;
        if !client.online || !self.relay.is_running() {
            return self.plan_dial(id, MINUTE);
        }
        let conn = self.network.connect(id, now);
        client.conn = Some(conn);
        client.enqueue(Event::Connected { relay: *self.relay.address().identity(), exporter: None });
        let wishes = self.relay.opened(now, conn);
        self.grant(wishes);
        self.plan_turn(id);
    }

    fn transmit(&mut self, conn: Conn, bytes: Vec<u8>, to: End) {
        if !self.network.stands(conn) {
            return;
        }
        let Some(time) = self.network.arrival(conn, to, self.clock.now()) else { return self.cut(conn) };
        let occurrence = match to {
            End::Relay => Occurrence::AtRelay { conn, bytes },
            End::Client => Occurrence::AtClient { conn, bytes },
        };
        self.clock.at(time, occurrence);
    }

    fn at_relay(&mut self, conn: Conn, bytes: &[u8]) {
        if self.network.stands(conn) {
            let wishes = self.relay.received(self.clock.now(), conn, bytes);
            self.grant(wishes);
        }
    }

    fn at_client(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(id) = self.network.client(conn) else { return };
        let frame = RelayFrame::decode(bytes).expect("a relay's frames decode");
        let relay = *self.relay.address().identity();
        self.tell(|world| format!("{} hears {frame:?}", world.client(id).name));
        self.clients[id.0].enqueue(Event::FrameReceived { relay, frame });
        self.plan_turn(id);
    }

    fn cut_line_of(&mut self, id: ClientId) {
        if let Some(conn) = self.clients[id.0].conn {
            self.cut(conn);
        }
    }

    fn cut(&mut self, conn: Conn) {
        let Some(client) = self.network.client(conn) else { return };
        let Some((at_client, at_relay)) = self.network.cut(conn, self.clock.now()) else { return };
        let life = self.clients[client.0].life;
        self.clock.at(at_client, Occurrence::LostAtClient { client, conn, life });
        self.clock.at(at_relay, Occurrence::LostAtRelay { conn, life: self.relay.life });
    }

    fn lost_at_client(&mut self, id: ClientId, conn: Conn, life: u32) {
        let client = &mut self.clients[id.0];
        if client.life != life || client.conn != Some(conn) {
            return;
        }
        client.conn = None;
        client.enqueue(Event::Disconnected { relay: *self.relay.address().identity() });
        self.plan_dial(id, 30 * SECOND);
        self.plan_turn(id);
    }

    // ---- the relay's life

    fn grant(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send(conn, frame) => {
                    for frame in self.hostile.twist(conn, frame) {
                        self.transmit(conn, frame.encode(), End::Client);
                    }
                }
                Wish::Close(conn) => self.cut(conn),
            }
        }
        if self.relay.is_writing() && !self.commit_planned {
            self.commit_planned = true;
            self.clock.after(self.chance.between(1, 12), Occurrence::Commit { life: self.relay.life });
        }
    }

    fn commit(&mut self, life: u32) {
        if life != self.relay.life || !self.relay.is_running() {
            return;
        }
        self.commit_planned = false;
        if self.chance.one_in(self.faults.relay_crash_one_in) {
            let crash = if self.chance.one_in(2) { Crash::BeforeCommit } else { Crash::AfterCommit };
            self.stop_relay(crash);
            return self.clock.after(self.chance.between(SECOND, 10 * MINUTE), Occurrence::RelayStart { life });
        }
        let fails = self.chance.one_in(self.faults.relay_commit_fails_one_in);
        let wishes = self.relay.commit(self.clock.now(), fails);
        self.grant(wishes);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this world replays with SEED={:x}", self.seed);
        }
    }
}
