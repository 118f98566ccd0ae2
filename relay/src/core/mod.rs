//! The relay's rules: a pure state machine. Time, chance, frames and outcomes of storage come in as arguments; answers and
//! storage operations come out.
//!
//! ```text
//!            Frame                 Store                  Stored               Reply
//!  connection ────► command::* ────────► storage::apply ────────► command::* ────────► connection
//!                       └── what is wrong at sight is answered at once ──────────────────▲
//! ```
//!
//! Two things must hold around it. Operations are applied in the order in which they came out, and their outcomes come back
//! in that order. An outcome is handed in only when it is durable, so that no answer can claim more than the disk holds.

mod admission;
mod awaiting;
pub(crate) mod channel;
mod config;
mod connection;
mod delivery;
mod event;
mod host;
#[cfg(test)]
mod random;
mod rate;
mod subscription;
mod tokens;
mod toll;
mod transit;
mod turn;

use std::{collections::BTreeMap, sync::Arc};

use sotto_outer::{
    BundleId, CapabilityHash, ClientFrame, Command, ConnectionNonce, Forward, ReceiveId, RefusedReason, VerifyKey,
    limits,
};

pub use admission::{Admission, Pressure, Shed};
pub(crate) use admission::{BUSY_RETRY_SECS, Work};
pub(crate) use awaiting::{Asker, Awaiting};
pub use config::Config;
pub(crate) use connection::Connection;
pub use event::{Conn, Context, ForwardOutcome, Input, Origin, Output, Tag, Ticket};
pub use host::{HostAnswer, HostCommand, HostTicket, Load};
pub use rate::Rate;
pub(crate) use rate::Rates;
pub(crate) use subscription::Subscription;
pub use toll::Toll;
pub use transit::Transit;
pub(crate) use turn::Turn;

use crate::{
    access::{Identity, Job, Worked},
    command,
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome},
    },
};

/// The relay's rules and all they remember between calls. Nothing here must survive a restart.
#[derive(Debug)]
pub struct Core {
    pub(crate) config: Config,
    pub(crate) identity: Arc<Identity>,
    pub(crate) connections: BTreeMap<Conn, Connection>,
    pub(crate) subscriptions: BTreeMap<ReceiveId, Subscription>,
    pub(crate) sends: Rates<CapabilityHash>,
    pub(crate) pairs: Rates<BundleId>,
    pub(crate) origins: Rates<Origin>,
    send_rush: toll::Rush,
    fetch_rush: toll::Rush,
    pub(crate) channels: channel::Channels,
    pub(crate) appends: Rates<VerifyKey>,
    pub(crate) tokens: tokens::Tokens,
    tags: BTreeMap<Tag, ReceiveId>,
    awaiting: BTreeMap<Ticket, Awaiting>,
    awaiting_bytes: usize,
    forwarding: BTreeMap<Ticket, Asker>,
    next_ticket: u64,
    sweeping: bool,
    pub(crate) sweeping_blobs: bool,
    pub(crate) transit: Transit,
    pressure: Pressure,
    shed: Shed,
    sweeping_channels: bool,
}

impl Core {
    /// A relay that knows nobody yet.
    pub fn new(config: Config, identity: impl Into<Arc<Identity>>) -> Self {
        let transit = Transit::new(config.transit_bytes_max);
        Self {
            config,
            identity: identity.into(),
            connections: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            sends: Rates::new(),
            pairs: Rates::new(),
            origins: Rates::new(),
            send_rush: toll::Rush::NONE,
            fetch_rush: toll::Rush::NONE,
            channels: channel::Channels::new(),
            appends: Rates::new(),
            tokens: tokens::Tokens::NONE,
            tags: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            awaiting_bytes: 0,
            forwarding: BTreeMap::new(),
            next_ticket: 0,
            sweeping: false,
            sweeping_blobs: false,
            transit,
            pressure: Pressure::NONE,
            shed: Shed::NONE,
            sweeping_channels: false,
        }
    }

    /// Takes one input and says what follows from it.
    pub fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Vec<Output> {
        let mut turn = Turn { now: cx.now, rng: &mut *cx.rng, outputs: vec![] };
        match input {
            Input::Opened(conn) => self.opened(&mut turn, conn),
            Input::OpenedByForward(conn, nonce) => self.opened_by_forward(conn, nonce),
            Input::Forwarded(ticket, outcome) => self.forwarded(&mut turn, ticket, outcome),
            Input::Bound(conn, exporter) => self.bound(conn, exporter),
            Input::From(conn, origin) => self.came_from(conn, origin),
            Input::Frame(conn, frame) => self.frame(&mut turn, conn, frame),
            Input::Malformed(conn) => self.malformed(&mut turn, conn),
            Input::Closed(conn) => self.closed(conn),
            Input::Stored(ticket, outcome) => self.stored(&mut turn, ticket, outcome),
            Input::Worked(ticket, worked) => self.worked(&mut turn, ticket, worked),
            Input::Woken(tag) => self.woken(&mut turn, tag),
            Input::Host(ticket, command) => self.host(&mut turn, ticket, command),
            Input::Tick => self.tick(&mut turn),
        }
        turn.outputs
    }

    /// While the disk is nearly full nothing new is stored, so that `ack` can go on emptying it.
    pub const fn set_disk_low(&mut self, disk_low: bool) {
        self.pressure.disk_low = disk_low;
    }

    /// How much of the memory that it may use this process uses, in thousandths: work is turned away before there is none.
    pub const fn set_memory_used(&mut self, thousandths: u32) {
        self.pressure.memory_thousandths = thousandths;
    }

    /// What was turned away since the start.
    pub const fn shed(&self) -> Shed {
        self.shed
    }

    /// What is on its way to readers.
    pub const fn transit(&self) -> Transit {
        self.transit
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Mailboxes subscribed now.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Storage operations on their way.
    pub fn awaiting(&self) -> usize {
        self.awaiting.len() - usize::from(self.tokens.making_job)
    }

    /// Payload bytes that wait for them.
    pub const fn awaiting_bytes(&self) -> usize {
        self.awaiting_bytes
    }

    fn opened(&mut self, turn: &mut Turn<'_>, conn: Conn) {
        let mut nonce = [0; 32];
        turn.rng.fill_bytes(&mut nonce);
        self.connections.insert(conn, Connection::new(nonce.into()));
    }

    fn opened_by_forward(&mut self, conn: Conn, nonce: ConnectionNonce) {
        self.connections.insert(conn, Connection { greeted: true, ..Connection::new(nonce) });
    }

    /// Sends something on its way to another relay.
    pub(crate) fn forward(&mut self, turn: &mut Turn<'_>, asker: Asker, forward: Forward) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.forwarding.insert(ticket, asker);
        turn.outputs.push(Output::Forward(ticket, forward));
    }

    fn forwarded(&mut self, turn: &mut Turn<'_>, ticket: Ticket, outcome: ForwardOutcome) {
        let Some(asker) = self.forwarding.remove(&ticket) else { return };
        command::forward::forwarded(self, turn, asker, outcome);
    }

    fn bound(&mut self, conn: Conn, exporter: Box<[u8; 32]>) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.exporter = Some(exporter);
        }
    }

    fn came_from(&mut self, conn: Conn, origin: Origin) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.origin = Some(origin);
        }
    }

    fn frame(&mut self, turn: &mut Turn<'_>, conn: Conn, frame: ClientFrame) {
        let ClientFrame { request, command } = frame;
        let asker = Asker { conn, request };
        let Some(connection) = self.connections.get(&conn) else { return };
        if !connection.greeted && !matches!(command, Command::Info(_)) {
            return turn.refuse(asker, RefusedReason::Order);
        }
        match command {
            Command::Info(info) => command::info::handle(self, turn, asker, &info),
            Command::Token(request) => command::token::handle(self, turn, asker, request),
            Command::Create(create) => command::create::handle(self, turn, asker, create),
            Command::Send(send) => command::send::handle(self, turn, asker, send),
            Command::Subscribe(subscribe) => command::subscribe::handle(self, turn, asker, subscribe),
            Command::Ack(ack) => command::ack::handle(self, turn, asker, ack),
            Command::Rotate(rotate) => command::rotate::handle(self, turn, asker, &rotate),
            Command::Delete(delete) => command::delete::handle(self, turn, asker, delete),
            Command::Publish(publish) => command::publish::handle(self, turn, asker, publish),
            Command::Fetch(fetch) => command::fetch::handle(self, turn, asker, &fetch),
            Command::Forward(forward) => command::forward::handle(self, turn, asker, forward),
            Command::CreateChannel(create) => command::channel_create::handle(self, turn, asker, create),
            Command::Append(append) => command::channel_append::append(self, turn, asker, append),
            Command::Advance(advance) => command::channel_append::advance(self, turn, asker, advance),
            Command::ReadChannel(read) => command::channel_read::handle(self, turn, asker, &read),
            Command::SubscribeChannel(subscribe) => command::channel_subscribe::handle(self, turn, asker, &subscribe),
            Command::CloseChannel(close) => command::channel_close::handle(self, turn, asker, &close),
            Command::BlobCreate(create) => command::blob_create::handle(self, turn, asker, create),
            Command::BlobCommit(writer) => command::blob::commit(self, turn, asker, &writer),
            Command::BlobDelete(writer) => command::blob::delete(self, turn, asker, &writer),
        }
    }

    fn malformed(&mut self, turn: &mut Turn<'_>, conn: Conn) {
        turn.refuse(Asker { conn, request: 0 }, RefusedReason::Malformed);
        turn.outputs.push(Output::Close(conn));
        self.closed(conn);
    }

    fn closed(&mut self, conn: Conn) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        self.transit.remove(connection.window.envelopes(), connection.window.bytes());
        for mailbox in &connection.mailboxes {
            self.tags.remove(&self.config.tag(mailbox));
            self.subscriptions.remove(mailbox);
        }
        self.forget_listener(conn, &connection.channels);
    }

    fn stored(&mut self, turn: &mut Turn<'_>, ticket: Ticket, outcome: Outcome) {
        let Some(awaiting) = self.awaiting.remove(&ticket) else { return };
        self.awaiting_bytes -= awaiting.bytes();
        match awaiting {
            Awaiting::Done(asker) => turn.answer(asker, command::done(&outcome)),
            Awaiting::Send(awaiting) => command::send::stored(self, turn, awaiting, &outcome),
            Awaiting::Ephemeral(awaiting) => command::send::admitted(self, turn, awaiting, &outcome),
            Awaiting::Subscriber(awaiting) => command::subscribe::owners_known(self, turn, awaiting, outcome),
            Awaiting::Lease(awaiting) => command::subscribe::leased(self, turn, awaiting, outcome),
            Awaiting::Ack(awaiting) => command::ack::stored(self, turn, awaiting, &outcome),
            Awaiting::Rotate(awaiting) => command::rotate::owner_known(self, turn, awaiting, &outcome),
            Awaiting::Deleter(awaiting) => command::delete::owner_known(self, turn, awaiting, &outcome),
            Awaiting::Delete(awaiting) => command::delete::stored(self, turn, awaiting, &outcome),
            Awaiting::Fetch(awaiting) => command::fetch::stored(self, turn, awaiting, outcome),
            Awaiting::Block(awaiting) => command::block::stored(self, turn, awaiting, outcome),
            Awaiting::Next(awaiting) => self.read(turn, ticket, awaiting, outcome),
            Awaiting::Writer(awaiting) => command::channel_append::key_known(self, turn, awaiting, &outcome),
            Awaiting::Append(awaiting) => command::channel_append::stored(self, turn, awaiting, &outcome),
            Awaiting::ChannelRead(asker) => command::channel_read::stored(self, turn, asker, outcome),
            Awaiting::Listener(awaiting) => command::channel_subscribe::admitted(self, turn, awaiting, &outcome),
            Awaiting::Closer(awaiting) => command::channel_close::owner_known(self, turn, awaiting, &outcome),
            Awaiting::Page(page) => self.page_read(turn, page, outcome),
            Awaiting::Sweep => self.swept(turn, &outcome),
            Awaiting::ChannelSweep => self.channels_swept(turn, &outcome),
            Awaiting::BlobState(asker) => turn.answer(asker, command::blob::state(outcome)),
            Awaiting::BlobSweep => command::blob::swept(self, turn, &outcome),
            Awaiting::TokenKeys => self.tokens_loaded(outcome),
            Awaiting::KeptKey(of, key) => self.key_kept(of, &key, &outcome),
            Awaiting::Counted(awaiting) => command::token::counted(self, turn, awaiting, &outcome),
            Awaiting::NewKey(_) | Awaiting::Signed(_) | Awaiting::Shown(_) => {}
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        self.sends.forget_idle(turn.now);
        self.pairs.forget_idle(turn.now);
        self.origins.forget_idle(turn.now);
        self.appends.forget_idle(turn.now);
        if !self.sweeping {
            self.sweep(turn);
        }
        if !self.sweeping_channels {
            self.sweep_channels(turn);
        }
        command::blob::sweep(self, turn);
        self.look_after_tokens(turn);
        self.refill_all(turn);
        self.read_pages(turn);
    }

    fn sweep(&mut self, turn: &mut Turn<'_>) {
        self.sweeping = true;
        let today = turn.now.day();
        let mailboxes_before = today.minus_days(limits::MAILBOX_LAPSE_DAYS);
        let bundles_before = today.minus_days(limits::BUNDLE_LAPSE_DAYS);
        self.store(turn, Op::Expire { now: turn.now, mailboxes_before, bundles_before }, Awaiting::Sweep);
    }

    fn swept(&mut self, turn: &mut Turn<'_>, outcome: &Outcome) {
        self.sweeping = false;
        if matches!(outcome, Outcome::Expired { more: true, .. }) {
            self.sweep(turn);
        }
    }

    fn sweep_channels(&mut self, turn: &mut Turn<'_>) {
        self.sweeping_channels = true;
        let lapsed_before = turn.now.day().minus_days(limits::CHANNEL_LAPSE_DAYS);
        let op = ChannelOp::Expire { now: turn.now, lapsed_before };
        self.store(turn, Op::Channel(op), Awaiting::ChannelSweep);
    }

    fn channels_swept(&mut self, turn: &mut Turn<'_>, outcome: &Outcome) {
        self.sweeping_channels = false;
        if matches!(outcome, Outcome::Channel(ChannelOutcome::Expired { more: true, .. })) {
            self.sweep_channels(turn);
        }
    }

    /// Gives a job away; its result comes back with what is awaited.
    pub(crate) fn work(&mut self, turn: &mut Turn<'_>, job: Job, awaiting: Awaiting) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.awaiting_bytes += awaiting.bytes();
        self.awaiting.insert(ticket, awaiting);
        self.tokens.jobs += 1;
        turn.outputs.push(Output::Job(ticket, job));
    }

    fn worked(&mut self, turn: &mut Turn<'_>, ticket: Ticket, worked: Worked) {
        let Some(awaiting) = self.awaiting.remove(&ticket) else { return };
        self.awaiting_bytes -= awaiting.bytes();
        self.tokens.jobs -= 1;
        match (awaiting, worked) {
            (Awaiting::NewKey(of), Worked::Key(key)) => self.key_made(turn, of, key),
            (Awaiting::Signed(asker), Worked::Signed(signed)) => command::token::signed(turn, asker, signed),
            (Awaiting::Shown(shown), Worked::Verified(valid)) => self.token_checked(turn, shown, valid),
            // A job's result is of its own sort.
            _ => {}
        }
    }

    /// Sends an operation on its way; its outcome comes back with what is awaited.
    pub(crate) fn store(&mut self, turn: &mut Turn<'_>, op: Op, awaiting: Awaiting) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.awaiting_bytes += awaiting.bytes();
        self.awaiting.insert(ticket, awaiting);
        turn.outputs.push(Output::Store(ticket, op));
        ticket
    }
}
