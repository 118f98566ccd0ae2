//! What stays at work while a profile is locked: it keeps the reading lines alive and counts what arrives. It opens nothing,
//! answers nothing and acknowledges nothing, so all of it is delivered again to the engine that comes after it.
//!
//! It holds where the mailboxes are, their receive ids, owner keys and leases; no key of a session, a prekey or the account,
//! and no text.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Encode;
use rand_core::CryptoRng;
use sotto_crypto::OwnerKeys;
use sotto_outer::{
    Answer, ClientFrame, Command, ConnectionNonce, Deliver, EnvelopeId, Info, Lease, ReceiveId, RelayAddress,
    RelayFrame, RelayIdentity, Subscribe, Subscription, VERSION, limits::SUBSCRIBE_MAILBOXES_MAX, signed,
};

use crate::{
    Effect, Event, Line, Order, Range, Role, Rows, RowsError, Value,
    memory::{Memory, Stage},
    proof::{Proof, Question},
    record::{Known, OwnMailbox, Record, SecretBytes},
};

/// Arrivals counted at most: a relay can make them up.
const ARRIVALS_MAX: usize = 100_000;

/// The number of a connection's first request.
const INFO_REQUEST: u32 = 1;

/// Watches mailboxes on behalf of a locked profile.
pub struct Watcher {
    mailboxes: BTreeMap<ReceiveId, Watched>,
    lines: BTreeMap<RelayIdentity, WatchedLine>,
    arrived: BTreeSet<(ReceiveId, EnvelopeId)>,
}

/// What it takes to read one mailbox's envelopes, sealed as they are.
#[derive(Encode)]
#[cbor(map)]
struct Watched {
    #[n(0)]
    relay: RelayAddress,
    #[n(1)]
    owner: SecretBytes,
    #[n(2)]
    confirmed: Option<Lease>,
    /// What a reconnect of the engine would show: no new lease is drawn here, for nothing here is durable.
    #[n(3)]
    new: Lease,
}

/// A line for reading.
struct WatchedLine {
    stage: Stage,
    requests: u32,
}

impl Watcher {
    /// Takes over from an engine: its lines for sending and for tokens end, and of those for reading each that is not proven begins anew.
    pub(crate) fn take_over(memory: &Memory, rows: &dyn Rows) -> Result<(Self, Vec<Effect>), RowsError> {
        let mut lines = BTreeMap::new();
        let mut effects = Vec::new();
        for (line, known) in &memory.lines {
            let stage = match (line.role, &known.stage) {
                (Role::Sending | Role::Admission, _) => {
                    effects.push(Effect::Disconnect(*line));
                    continue;
                }
                (Role::Reading, Stage::Online(nonce)) => Stage::Online(*nonce),
                (Role::Reading, Stage::Down | Stage::Asked(_) | Stage::Refused) => {
                    effects.push(Effect::Close(*line));
                    Stage::Down
                }
            };
            lines.insert(line.relay, WatchedLine { stage, requests: known.requests });
        }
        Ok((Self { mailboxes: mailboxes(rows)?, lines, arrived: BTreeSet::new() }, effects))
    }

    /// How many distinct envelopes arrived since the lock. A relay gives no more than it has under way at once, and whatever is
    /// sealed counts: messages, receipts, typing.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        self.arrived.len() as u64
    }

    /// Everything it holds but what it counted.
    #[must_use]
    pub fn to_bytes(&self) -> Value {
        let mut bytes = Value::new(Vec::new());
        minicbor::encode(&self.mailboxes, &mut *bytes).expect("writing to a Vec cannot fail");
        bytes
    }

    /// Handles what a relay does on lines for reading. Effects need no commit: nothing here is durable.
    pub fn handle(&mut self, rng: &mut dyn CryptoRng, event: Event) -> Vec<Effect> {
        match event {
            Event::Connected { role: Role::Reading, address, exporter } => self.on_connected(rng, &address, exporter),
            Event::Disconnected { line } => {
                if let Some(known) = self.line(line) {
                    known.stage = Stage::Down;
                }
                Vec::new()
            }
            Event::FrameReceived { line, frame } => self.on_frame(line, frame),
            Event::Connected { role: Role::Sending | Role::Admission, .. }
            | Event::Started
            | Event::Intent { .. }
            | Event::Woken => Vec::new(),
        }
    }

    fn on_connected(
        &mut self,
        rng: &mut dyn CryptoRng,
        address: &RelayAddress,
        exporter: Option<[u8; 32]>,
    ) -> Vec<Effect> {
        let line = Line::reading(*address.identity());
        let Some(known) = self.line(line) else { return Vec::new() };
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let nonce = ConnectionNonce::from(nonce);
        *known = WatchedLine { stage: Stage::Asked(Question::new(nonce, address, exporter)), requests: INFO_REQUEST };
        let command = Command::Info(Info { version: VERSION, nonce });
        vec![Effect::Transmit(line, ClientFrame { request: INFO_REQUEST, command })]
    }

    fn on_frame(&mut self, line: Line, frame: RelayFrame) -> Vec<Effect> {
        let Some(known) = self.line(line) else { return Vec::new() };
        match (&known.stage, frame) {
            (Stage::Asked(question), RelayFrame::Answer { request: INFO_REQUEST, answer }) => {
                match question.check(&line.relay, &answer) {
                    Proof::Given(nonce, _) => {
                        known.stage = Stage::Online(nonce);
                        [vec![Effect::Judged(line, Ok(()))], self.subscribe(line, &nonce)].concat()
                    }
                    Proof::Later => vec![Effect::Close(line)],
                    Proof::Failed(problem) => {
                        known.stage = Stage::Refused;
                        vec![Effect::Judged(line, Err(problem)), Effect::Close(line)]
                    }
                }
            }
            (Stage::Online(_), RelayFrame::Deliver(deliver)) => {
                self.count(&line.relay, &deliver);
                Vec::new()
            }
            // Patience: dialled again after a back-off, it asks again.
            (
                Stage::Online(_),
                RelayFrame::Answer { request: _, answer: Answer::Busy { .. } | Answer::Full { .. } },
            ) => {
                vec![Effect::Close(line)]
            }
            (Stage::Online(_) | Stage::Asked(_) | Stage::Down | Stage::Refused, _) => Vec::new(),
        }
    }

    fn subscribe(&mut self, line: Line, nonce: &ConnectionNonce) -> Vec<Effect> {
        let at_relay = self.mailboxes.iter().filter(|(_, watched)| *watched.relay.identity() == line.relay);
        let all: Vec<_> = at_relay.map(|(id, watched)| watched.subscription(*id, nonce)).collect();
        let Some(known) = self.line(line) else { return Vec::new() };
        let frames = all.chunks(SUBSCRIBE_MAILBOXES_MAX).map(|mailboxes| {
            known.requests = known.requests.wrapping_add(1);
            let command = Command::Subscribe(Subscribe { mailboxes: mailboxes.to_vec() });
            Effect::Transmit(line, ClientFrame { request: known.requests, command })
        });
        frames.collect()
    }

    fn count(&mut self, relay: &RelayIdentity, deliver: &Deliver) {
        let ours = self.mailboxes.get(&deliver.mailbox).is_some_and(|watched| watched.relay.identity() == relay);
        if ours && self.arrived.len() < ARRIVALS_MAX {
            self.arrived.insert((deliver.mailbox, deliver.id));
        }
    }

    fn line(&mut self, line: Line) -> Option<&mut WatchedLine> {
        if line.role == Role::Reading { self.lines.get_mut(&line.relay) } else { None }
    }
}

impl Watched {
    fn subscription(&self, mailbox: ReceiveId, nonce: &ConnectionNonce) -> Subscription {
        let bytes = signed::subscribe(self.relay.identity(), nonce, &mailbox, self.confirmed.as_ref(), &self.new);
        let owner = OwnerKeys::from_bytes(self.owner.as_slice()).expect("rows hold what to_bytes gave");
        Subscription { mailbox, confirmed: self.confirmed, new: self.new, signature: owner.sign(&bytes) }
    }
}

/// The mailboxes that are at their relays and were shown a lease there.
fn mailboxes(rows: &dyn Rows) -> Result<BTreeMap<ReceiveId, Watched>, RowsError> {
    let mut mailboxes = BTreeMap::new();
    for (key, row) in rows.scan(OwnMailbox::TABLE, &Range::all(), Order::Ascending, usize::MAX)? {
        let OwnMailbox { relay, owner, known, confirmed, new, .. } = OwnMailbox::from_row(&row)?;
        let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
        if let (Known::There, Some(new)) = (known, new.or(confirmed)) {
            mailboxes.insert(id, Watched { relay, owner, confirmed, new });
        }
    }
    Ok(mailboxes)
}

/// Tells how much, never what.
impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mailboxes, lines, arrived } = self;
        f.debug_struct("Watcher")
            .field("mailboxes", &mailboxes.len())
            .field("lines", &lines.len())
            .field("arrived", &arrived.len())
            .finish()
    }
}
