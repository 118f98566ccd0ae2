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
pub(crate) mod channel;
mod connection;
mod delivery;
mod host;
#[cfg(test)]
mod random;
mod rate;
mod subscription;
mod tokens;
mod toll;
mod transit;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rand_core::CryptoRng;
use sotto_outer::{
    Answer, BundleId, CapabilityHash, ClientFrame, Command, ConnectionNonce, Forward, Forwarded, Limits, MailboxKind,
    ReceiveId, RefusedReason, RelayFrame, Terms, VerifyKey, limits,
};

pub use admission::{Admission, Pressure, Shed};
pub(crate) use admission::{BUSY_RETRY_SECS, Work};
pub(crate) use connection::Connection;
pub use host::{HostAnswer, HostCommand, HostTicket, Load};
pub use rate::Rate;
pub(crate) use rate::Rates;
pub(crate) use subscription::Subscription;
pub use toll::Toll;
pub use transit::Transit;

use crate::{
    access::{Identity, Job, Mint, NewKey, Worked},
    command,
    storage::{
        Op, Outcome, Quota,
        blob::BlobQuota,
        channel::{ChannelOp, ChannelOutcome, ChannelQuota},
    },
    time::Timestamp,
};

/// A connection, named by whoever holds its socket; a name is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// Where a connection comes from, as a number that is drawn for each address and run of the relay and says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u64);

/// A storage operation on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What relay nodes call a mailbox among each other: keyed, so that the wire between them carries no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A client connected.
    Opened(Conn),
    /// Its TLS ends at this relay under a public certificate: the proof of identity covers this exporter (RFC 9266).
    Bound(Conn, Box<[u8; 32]>),
    /// It comes from where others may come from too: together they have a rate.
    From(Conn, Origin),
    /// A client sent a frame.
    Frame(Conn, ClientFrame),
    /// A client sent bytes that are no frame.
    Malformed(Conn),
    /// A connection is gone.
    Closed(Conn),
    /// A storage operation is done, and durable.
    Stored(Ticket, Outcome),
    /// Another relay has answered, or could not be asked.
    Forwarded(Ticket, ForwardOutcome),
    /// A command came through another relay: a connection that is greeted already and asks once. Its nonce is the hash of the
    /// ciphertext that brought it.
    OpenedByForward(Conn, ConnectionNonce),
    /// A job is done.
    Worked(Ticket, Worked),
    /// Another node stored something for a mailbox.
    Woken(Tag),
    /// The host asks something.
    Host(HostTicket, HostCommand),
    /// Some seconds went by: sweep, and try again what failed.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Apply an operation; hand its outcome back with this ticket.
    Store(Ticket, Op),
    /// Do what takes long elsewhere; hand the result back with this ticket.
    Job(Ticket, Job),
    /// Send a frame.
    Reply(Conn, RelayFrame),
    /// Ask another relay; hand what it says back with this ticket.
    Forward(Ticket, Forward),
    /// Send one encoded frame to many. To each connection they go in the order in which they came out.
    Broadcast {
        /// Each once.
        readers: Vec<Conn>,
        /// A [`RelayFrame::Entry`].
        frame: Bytes,
    },
    /// Tell other nodes that something was stored for a mailbox that nobody reads here. A hint: it may be lost.
    Wake(Tag),
    /// Answer the host.
    Host(HostTicket, HostAnswer),
    /// Close a connection, after what was replied before.
    Close(Conn),
}

/// How asking another relay went.
#[derive(Debug)]
pub enum ForwardOutcome {
    /// It answered.
    Forwarded(Forwarded),
    /// It cannot be reached, or answers as no relay does.
    Unreachable {
        /// When to try again, in seconds.
        retry_after_secs: u32,
    },
    /// It, or this relay, has too much to do.
    Busy {
        /// When to try again, in seconds.
        retry_after_secs: u32,
    },
}

/// What a call may use of the world.
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// The generator; no state of it is kept.
    pub rng: &'a mut dyn CryptoRng,
}

/// The numbers a host may choose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients reach this relay ([`sotto_outer::RelayAddress::place`]); empty is nowhere, and no client believes it.
    pub place: Vec<u8>,
    /// What `info` tells.
    pub limits: Limits,
    /// What it asks, as far as that does not change while it runs.
    pub terms: Terms,
    /// Envelopes a contact mailbox holds.
    pub contact_envelopes_max: u32,
    /// Mailboxes a connection may create.
    pub create_rate: Rate,
    /// Envelopes that may be sent under one capability.
    pub send_rate: Rate,
    /// Envelopes that a connection may send.
    pub connection_send_rate: Rate,
    /// Times that a connection may ask who this relay is: each is a signature.
    pub info_rate: Rate,
    /// Wrong signatures of entries that a connection may have checked.
    pub wrong_signature_rate: Rate,
    /// Reads of channels by a connection.
    pub channel_read_rate: Rate,
    /// Mailboxes a connection may subscribe.
    pub subscribe_rate: Rate,
    /// Publishes and deletes of a connection.
    pub publish_rate: Rate,
    /// Bundle fetches of a connection.
    pub fetch_rate: Rate,
    /// Fetches of one bundle that get a one-time part.
    pub pair_rate: Rate,
    /// Whether commands are carried to other relays.
    pub forwards: bool,
    /// Forwards of a connection.
    pub forward_rate: Rate,
    /// What a channel may hold.
    pub channel_quota: ChannelQuota,
    /// Creations, commits and deletions of blobs by a connection.
    pub blob_rate: Rate,
    /// What this relay keeps of blobs; none where it keeps no blobs.
    pub blobs: Option<BlobQuota>,
    /// When load is shed.
    pub admission: Admission,
    /// What all connections from one place may make, and bundles that they may fetch, together.
    pub origin_rate: Rate,
    /// Payload bytes on their way to all readers; beyond them a reader gets one envelope of the largest size at a time.
    pub transit_bytes_max: usize,
    /// Work asked for what anyone may do.
    pub toll: Toll,
    /// Whether keys for tokens are made and tokens given.
    pub gives_tokens: bool,
    /// What signs credentials, where the host mints them.
    pub mint: Option<Mint>,
    /// Times that a connection may ask for tokens.
    pub token_rate: Rate,
    /// Keys the tags; nodes that share a store share it.
    pub wake_key: [u8; 32],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            place: Vec::new(),
            limits: Limits {
                mailbox_envelopes_max: limits::MAILBOX_ENVELOPES_MAX,
                mailbox_bytes_max: limits::MAILBOX_BYTES_MAX,
                envelope_ttl_secs: limits::ENVELOPE_TTL_SECS,
            },
            terms: Terms::default(),
            contact_envelopes_max: limits::CONTACT_MAILBOX_ENVELOPES_MAX,
            create_rate: Rate { burst: 256, interval_millis: 1_000 },
            send_rate: Rate { burst: 4_000, interval_millis: 2 },
            connection_send_rate: Rate { burst: 8_000, interval_millis: 1 },
            info_rate: Rate { burst: 8, interval_millis: 10_000 },
            wrong_signature_rate: Rate { burst: 64, interval_millis: 1_000 },
            channel_read_rate: Rate { burst: 512, interval_millis: 20 },
            subscribe_rate: Rate { burst: 16_384, interval_millis: 20 },
            publish_rate: Rate { burst: 256, interval_millis: 500 },
            fetch_rate: Rate { burst: 64, interval_millis: 1_000 },
            pair_rate: Rate {
                burst: limits::BUNDLE_FETCH_BURST,
                interval_millis: limits::BUNDLE_FETCH_INTERVAL_SECS as u64 * 1_000,
            },
            forwards: true,
            forward_rate: Rate { burst: 128, interval_millis: 50 },
            channel_quota: ChannelQuota::default(),
            blob_rate: Rate { burst: 64, interval_millis: 1_000 },
            blobs: Some(BlobQuota::default()),
            admission: Admission::default(),
            origin_rate: Rate { burst: 2_000, interval_millis: 250 },
            transit_bytes_max: 256 * 1024 * 1024,
            toll: Toll::NONE,
            gives_tokens: false,
            mint: None,
            token_rate: Rate { burst: 8, interval_millis: 10_000 },
            wake_key: [0; 32],
        }
    }
}

impl Config {
    pub(crate) const fn quota(&self) -> Quota {
        Quota {
            pairwise_envelopes_max: self.limits.mailbox_envelopes_max,
            contact_envelopes_max: self.contact_envelopes_max,
            bytes_max: self.limits.mailbox_bytes_max,
        }
    }

    /// Envelopes a mailbox of this kind holds.
    pub const fn envelopes_max(&self, kind: MailboxKind) -> u32 {
        match kind {
            MailboxKind::Pairwise => self.limits.mailbox_envelopes_max,
            MailboxKind::Contact => self.contact_envelopes_max,
        }
    }
}

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

/// Who is to be answered: one request of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) conn: Conn,
    pub(crate) request: u32,
}

/// What an outcome of storage is waited for with.
#[derive(Debug)]
pub(crate) enum Awaiting {
    /// `create` of a mailbox or channel, and `rotate`, `delete` or `publish` once they are checked.
    Done(Asker),
    Send(command::send::Awaiting),
    Ephemeral(command::send::Awaiting),
    Subscriber(command::subscribe::AwaitingOwners),
    Lease(command::subscribe::AwaitingLease),
    Ack(command::ack::Awaiting),
    Rotate(command::rotate::Awaiting),
    Deleter(command::delete::AwaitingOwner),
    Delete(command::delete::Awaiting),
    Fetch(command::fetch::Awaiting),
    Block(command::block::Awaiting),
    /// `blob create` and `blob commit`.
    BlobState(Asker),
    BlobSweep,
    Next(subscription::Reader),
    Writer(command::channel_append::AwaitingKey),
    Append(command::channel_append::Awaiting),
    ChannelRead(Asker),
    Listener(command::channel_subscribe::Awaiting),
    Closer(command::channel_close::Awaiting),
    Page(channel::Page),
    Sweep,
    ChannelSweep,
    /// The keys that are stored.
    TokenKeys,
    /// A key that is being made, then stored.
    NewKey(tokens::NewKeyOf),
    KeptKey(tokens::NewKeyOf, NewKey),
    /// Tokens that were counted and are being signed.
    Counted(command::token::Awaiting),
    Signed(Asker),
    /// A token that is being checked, and what it buys.
    Shown(tokens::Shown),
}

/// One call of [`Core::handle`]: what it may use, and what has come out so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn CryptoRng,
    outputs: Vec<Output>,
}

impl Turn<'_> {
    pub(crate) fn answer(&mut self, asker: Asker, answer: Answer) {
        let Asker { conn, request } = asker;
        self.outputs.push(Output::Reply(conn, RelayFrame::Answer { request, answer }));
    }

    pub(crate) fn refuse(&mut self, asker: Asker, reason: RefusedReason) {
        self.answer(asker, Answer::Refused { reason });
    }

    pub(crate) fn reply(&mut self, conn: Conn, frame: RelayFrame) {
        self.outputs.push(Output::Reply(conn, frame));
    }

    pub(crate) fn broadcast(&mut self, readers: Vec<Conn>, frame: Bytes) {
        self.outputs.push(Output::Broadcast { readers, frame });
    }

    pub(crate) fn wake(&mut self, tag: Tag) {
        self.outputs.push(Output::Wake(tag));
    }
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

impl Awaiting {
    /// Payload bytes that are held until the outcome comes.
    fn bytes(&self) -> usize {
        match self {
            Self::Send(awaiting) | Self::Ephemeral(awaiting) => awaiting.bytes(),
            Self::Writer(awaiting) => awaiting.bytes(),
            Self::Append(awaiting) => awaiting.bytes(),
            Self::Shown(shown) => shown.then.bytes(),
            Self::Done(_)
            | Self::TokenKeys
            | Self::NewKey(_)
            | Self::KeptKey(..)
            | Self::Counted(_)
            | Self::Signed(_)
            | Self::Subscriber(_)
            | Self::Lease(_)
            | Self::Ack(_)
            | Self::Rotate(_)
            | Self::Deleter(_)
            | Self::Delete(_)
            | Self::Fetch(_)
            | Self::Block(_)
            | Self::Next(_)
            | Self::ChannelRead(_)
            | Self::Listener(_)
            | Self::Closer(_)
            | Self::Page(_)
            | Self::Sweep
            | Self::ChannelSweep
            | Self::BlobState(_)
            | Self::BlobSweep => 0,
        }
    }
}
