//! A relay in a test: the real core with the store in memory, one answer at a time.

use std::collections::VecDeque;

use ed25519_dalek::{Signer, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_outer::{
    Ack, Advance, Answer, Append, BundleId, CapabilityHash, ChannelId, ClientFrame, CloseChannel, Command,
    ConnectionNonce, Create, CreateChannel, Delete, Deliver, EntryId, EnvelopeId, Forward, Info, Lease, MailboxKind,
    OwnerKey, OwnerSignature, Proof, Publish, ReadCapability, ReadChannel, ReceiveId, RelayFrame, RelayIdentity,
    Rotate, Send, SendCapability, SendId, Subscribe, SubscribeChannel, Subscription, Target, VERSION, VerifyKey,
    signed, work::Purpose,
};
use zeroize::Zeroizing;

use crate::{
    Identity, Timestamp,
    access::{Job, NewKey, Worked, capability_hash, read_hash, shown_bits, tokens::tests::KEY},
    core::{Config, Conn, Context, Core, HostAnswer, HostCommand, HostTicket, Input, Output, Ticket},
    storage::{NewEnvelope, Op, Outcome, blocked::ReportedId, memory::MemoryStorage},
};

/// One relay, its store, and what it has sent to whom.
pub(crate) struct House {
    pub(crate) core: Core,
    pub(crate) storage: MemoryStorage,
    now: Timestamp,
    rng: ChaCha20Rng,
    storage_fails: bool,
    next_conn: u64,
    next_request: u32,
    sent: Vec<(Conn, RelayFrame)>,
    /// Outputs to many.
    pub(crate) broadcasts: usize,
    waiting: VecDeque<(Ticket, Op)>,
    /// What is to go to other relays.
    pub(crate) forwards: Vec<(Ticket, Forward)>,
    host_answer: Option<HostAnswer>,
    jobs: VecDeque<(Ticket, Job)>,
}

/// A channel with all its keys: those of each generation follow from its number.
pub(crate) struct Log {
    owner: SigningKey,
    seed: u8,
}

/// Somebody with a mailbox and a bundle.
pub(crate) struct Owner {
    key: SigningKey,
    seed: u8,
    kind: MailboxKind,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            core: Core::new(config, Identity::from_secret(&[77; 32])),
            storage: MemoryStorage::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
            rng: ChaCha20Rng::seed_from_u64(1),
            storage_fails: false,
            next_conn: 0,
            next_request: 0,
            sent: vec![],
            broadcasts: 0,
            waiting: VecDeque::new(),
            forwards: vec![],
            host_answer: None,
            jobs: VecDeque::new(),
        }
    }

    pub(crate) fn relay(&self) -> RelayIdentity {
        *self.core.identity.public()
    }

    pub(crate) fn nonce(&self, conn: Conn) -> ConnectionNonce {
        self.core.connections[&conn].nonce
    }

    pub(crate) fn open(&mut self) -> Conn {
        let conn = Conn(self.next_conn);
        self.next_conn += 1;
        self.input(Input::Opened(conn));
        conn
    }

    pub(crate) fn greeted(&mut self) -> Conn {
        let conn = self.open();
        self.ask(conn, Command::Info(Info { version: VERSION, nonce: [5; 32].into() }));
        conn
    }

    /// A connection that reads `owner`'s new mailbox and has caught up.
    pub(crate) fn reader(&mut self, owner: &Owner) -> Conn {
        let conn = self.greeted();
        self.ask(conn, owner.create());
        let subscribe = owner.subscribe(self, conn, None, [1; 16]);
        assert!(matches!(self.ask(conn, subscribe), Answer::Subscribed(_)));
        assert_eq!(self.heard(conn), [RelayFrame::CaughtUp { mailbox: owner.receive_id() }]);
        conn
    }

    /// Asks, lets the store do its work, and gives the answer.
    pub(crate) fn ask(&mut self, conn: Conn, command: Command) -> Answer {
        let request = self.request(conn, command);
        self.settle();
        let is_mine = |(to, frame): &(Conn, RelayFrame)| {
            *to == conn && matches!(frame, RelayFrame::Answer { request: of, .. } if *of == request)
        };
        let at = self.sent.iter().position(is_mine).expect("every request is answered");
        let (_, RelayFrame::Answer { answer, .. }) = self.sent.remove(at) else { unreachable!("an answer") };
        answer
    }

    /// Asks; what the store is to do waits.
    pub(crate) fn request(&mut self, conn: Conn, command: Command) -> u32 {
        self.next_request += 1;
        let request = self.next_request;
        self.handle(Input::Frame(conn, ClientFrame { request, command }));
        request
    }

    /// The host suspends what these ids name, or gives it back.
    pub(crate) fn block(&mut self, ids: &[ReportedId], blocked: bool) -> HostAnswer {
        self.request_block(ids, blocked);
        self.settle();
        self.host_answer.take().expect("the host is answered")
    }

    /// The same; what the store is to do waits.
    pub(crate) fn request_block(&mut self, ids: &[ReportedId], blocked: bool) {
        self.handle(Input::Host(HostTicket(0), HostCommand::Block { ids: ids.to_vec(), blocked }));
    }

    /// Gives one input and everything the store answers to it.
    pub(crate) fn input(&mut self, input: Input) {
        self.handle(input);
        self.settle();
    }

    /// Gives one input; what the store is to do waits.
    pub(crate) fn handle(&mut self, input: Input) {
        let mut cx = Context { now: self.now, rng: &mut self.rng };
        for output in self.core.handle(&mut cx, input) {
            match output {
                Output::Store(ticket, op) => self.waiting.push_back((ticket, op)),
                Output::Reply(conn, frame) => self.sent.push((conn, frame)),
                Output::Host(_, answer) => self.host_answer = Some(answer),
                Output::Forward(ticket, forward) => self.forwards.push((ticket, forward)),
                Output::Broadcast { readers, frame } => {
                    self.broadcasts += 1;
                    let frame = RelayFrame::decode(&frame).expect("what is sent is a frame");
                    self.sent.extend(readers.into_iter().map(|conn| (conn, frame.clone())));
                }
                Output::Job(ticket, job) => self.jobs.push_back((ticket, job)),
                Output::Wake(_) | Output::Close(_) => {}
            }
        }
    }

    /// Lets the store do all that waits, and what follows from it.
    pub(crate) fn settle(&mut self) {
        while !self.waiting.is_empty() || !self.jobs.is_empty() {
            self.apply(self.waiting.len());
            while let Some((ticket, job)) = self.jobs.pop_front() {
                let worked = match job {
                    // Making one takes seconds.
                    Job::MakeKey => Worked::Key(Some(NewKey(Zeroizing::new(KEY.to_vec())))),
                    job => job.run(&mut self.rng),
                };
                self.handle(Input::Worked(ticket, worked));
            }
        }
    }

    /// Lets the store do the first of what waits, as one batch.
    pub(crate) fn apply(&mut self, count: usize) {
        let (tickets, ops): (Vec<_>, Vec<_>) = self.waiting.drain(..count).unzip();
        let outcomes = if self.storage_fails {
            ops.iter().map(|_| Outcome::Failed).collect()
        } else {
            let outcomes = self.storage.apply(ops);
            self.storage.commit();
            outcomes
        };
        for (ticket, outcome) in tickets.into_iter().zip(outcomes) {
            self.handle(Input::Stored(ticket, outcome));
        }
    }

    /// The process ends: its memory is lost, and what the store was to do.
    pub(crate) fn crash(&mut self) {
        self.waiting.clear();
        self.storage.crash();
        self.core = Core::new(self.core.config.clone(), Identity::from_secret(&[77; 32]));
    }

    /// Operations that wait for the store.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// All that was sent since this was last asked.
    pub(crate) fn take_sent(&mut self) -> Vec<(Conn, RelayFrame)> {
        std::mem::take(&mut self.sent)
    }

    /// What a connection was sent since it was last asked, answers aside.
    pub(crate) fn heard(&mut self, conn: Conn) -> Vec<RelayFrame> {
        let (mine, others) = self.sent.drain(..).partition(|(to, _)| *to == conn);
        self.sent = others;
        mine.into_iter().map(|(_, frame)| frame).collect()
    }

    /// Ids of the envelopes a connection was delivered since it was last asked.
    pub(crate) fn delivered(&mut self, conn: Conn) -> Vec<EnvelopeId> {
        let id = |frame| match frame {
            RelayFrame::Deliver(Deliver { id, .. }) => Some(id),
            RelayFrame::Answer { .. } | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => None,
        };
        self.heard(conn).into_iter().filter_map(id).collect()
    }

    /// Numbers of the entries a connection was sent since it was last asked.
    pub(crate) fn entries(&mut self, conn: Conn) -> Vec<u64> {
        let seq = |frame| match frame {
            RelayFrame::Entry(entry) => Some(entry.seq),
            RelayFrame::Answer { .. } | RelayFrame::CaughtUp { .. } | RelayFrame::Deliver(_) => None,
        };
        self.heard(conn).into_iter().filter_map(seq).collect()
    }

    /// What another node does that shares the store.
    pub(crate) fn storage_direct_send(&mut self, owner: &Owner, id: u16) {
        let Send { mailbox, capability, id, payload, .. } = owner.envelope(id);
        let (shown, quota, now) = (capability_hash(&capability), self.core.config.quota(), self.now);
        let envelope = NewEnvelope {
            mailbox,
            shown,
            id,
            payload: payload.into(),
            now,
            expires_at: now.plus_secs(60),
            quota,
            owes: None,
        };
        self.storage.apply(vec![Op::Send(envelope)]);
        self.storage.commit();
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Ends and begins again with what is durable.
    pub(crate) fn restart(&mut self) {
        let config = self.core.config.clone();
        self.core = Core::new(config, Identity::from_secret(&[77; 32]));
    }

    pub(crate) fn wait_secs(&mut self, secs: u32) {
        self.now = self.now.plus_secs(secs);
    }

    pub(crate) fn fail_storage(&mut self, fails: bool) {
        self.storage_fails = fails;
    }
}

impl Owner {
    pub(crate) fn new(seed: u8) -> Self {
        Self::with_kind(seed, MailboxKind::Pairwise)
    }

    pub(crate) fn with_kind(seed: u8, kind: MailboxKind) -> Self {
        Self { key: SigningKey::from_bytes(&[seed; 32]), seed, kind }
    }

    pub(crate) fn receive_id(&self) -> ReceiveId {
        ReceiveId::from([self.seed; 16])
    }

    pub(crate) fn bundle_id(&self) -> BundleId {
        BundleId::from([self.seed; 16])
    }

    pub(crate) fn owner_key(&self) -> OwnerKey {
        OwnerKey::from(self.key.verifying_key().to_bytes())
    }

    pub(crate) fn create(&self) -> Command {
        Command::Create(Create {
            kind: self.kind,
            receive_id: self.receive_id(),
            send_id: SendId::from([self.seed ^ 0x80; 16]),
            owner: self.owner_key(),
            capability_hash: capability_hash(&SendCapability::from([self.seed; 32])),
            token: None,
            proof: None,
        })
    }

    /// An envelope to this owner.
    pub(crate) fn envelope(&self, id: u16) -> Send {
        Send {
            mailbox: SendId::from([self.seed ^ 0x80; 16]),
            capability: SendCapability::from([self.seed; 32]),
            id: envelope_id(id),
            ttl_secs: None,
            payload: vec![7; 100],
            proof: None,
        }
    }

    pub(crate) fn send(&self, id: u16) -> Command {
        Command::Send(self.envelope(id))
    }

    pub(crate) fn subscription(
        &self,
        house: &House,
        conn: Conn,
        confirmed: Option<[u8; 16]>,
        new: [u8; 16],
    ) -> Subscription {
        let (mailbox, confirmed, new) = (self.receive_id(), confirmed.map(Lease::from), Lease::from(new));
        let bytes = signed::subscribe(&house.relay(), &house.nonce(conn), &mailbox, confirmed.as_ref(), &new);
        Subscription { mailbox, confirmed, new, signature: self.sign(&bytes) }
    }

    pub(crate) fn subscribe(&self, house: &House, conn: Conn, confirmed: Option<[u8; 16]>, new: [u8; 16]) -> Command {
        Command::Subscribe(Subscribe { mailboxes: vec![self.subscription(house, conn, confirmed, new)] })
    }

    pub(crate) fn ack(&self, ids: &[EnvelopeId]) -> Command {
        Command::Ack(Ack { mailbox: self.receive_id(), ids: ids.to_vec() })
    }

    pub(crate) fn rotate(&self, house: &House, conn: Conn, capability_hash: CapabilityHash) -> Command {
        let mailbox = self.receive_id();
        let bytes = signed::rotate(&house.relay(), &house.nonce(conn), &mailbox, &capability_hash);
        Command::Rotate(Rotate { mailbox, capability_hash, signature: self.sign(&bytes) })
    }

    pub(crate) fn delete(&self, house: &House, conn: Conn, target: Target) -> Command {
        let bytes = signed::delete(&house.relay(), &house.nonce(conn), &target);
        Command::Delete(Delete { target, signature: self.sign(&bytes) })
    }

    /// A publish of whole parts with `pairs` one-time parts, each filled with its number from `first`.
    pub(crate) fn publish(&self, house: &House, conn: Conn, first: u8, pairs: u8) -> Publish {
        let publish = Publish {
            bundle: self.bundle_id(),
            owner: self.owner_key(),
            main: Some(vec![0xaa; 3_072]),
            last_resort: Some(vec![0xbb; 2_048]),
            pairs: (first..first + pairs).map(|fill| vec![fill; 2_048].into()).collect(),
            signature: [0; 64].into(),
        };
        self.signed(house, conn, publish)
    }

    pub(crate) fn signed(&self, house: &House, conn: Conn, publish: Publish) -> Publish {
        let bytes = signed::publish(&house.relay(), &house.nonce(conn), &publish);
        Publish { signature: self.sign(&bytes), ..publish }
    }

    fn sign(&self, bytes: &[u8]) -> OwnerSignature {
        OwnerSignature::from(self.key.sign(bytes).to_bytes())
    }
}

/// A proof of so many bits for this purpose on this connection, with a counter from `from` on.
pub(crate) fn proof(house: &House, conn: Conn, purpose: &Purpose, bits: u8, from: u64) -> Proof {
    let shown = |proof: &Proof| shown_bits(&house.relay(), &house.nonce(conn), purpose, proof);
    let mut proofs = (from..).map(|counter| Proof::from(counter.to_be_bytes()));
    proofs.find(|proof| shown(proof) >= bits).expect("counters are many")
}

impl Log {
    pub(crate) fn new(seed: u8) -> Self {
        Self { owner: SigningKey::from_bytes(&[seed; 32]), seed }
    }

    pub(crate) fn id(&self) -> ChannelId {
        ChannelId::from([self.seed; 16])
    }

    fn key(&self, generation: u32) -> SigningKey {
        let mut secret = [self.seed; 32];
        secret[..4].copy_from_slice(&generation.to_be_bytes());
        SigningKey::from_bytes(&secret)
    }

    fn verify_key(&self, generation: u32) -> VerifyKey {
        VerifyKey::from(self.key(generation).verifying_key().to_bytes())
    }

    pub(crate) fn capability(&self, generation: u32) -> ReadCapability {
        ReadCapability::from(self.key(generation).to_bytes())
    }

    pub(crate) fn create(&self) -> CreateChannel {
        CreateChannel {
            channel: self.id(),
            owner: OwnerKey::from(self.owner.verifying_key().to_bytes()),
            verify_key: self.verify_key(0),
            read_hash: read_hash(&self.capability(0)),
            token: None,
            proof: None,
        }
    }

    pub(crate) fn append(&self, house: &House, generation: u32, id: u16) -> Command {
        self.append_bytes(house, generation, id, vec![7; 100])
    }

    pub(crate) fn append_bytes(&self, house: &House, generation: u32, id: u16, entry: Vec<u8>) -> Command {
        let (channel, id) = (self.id(), entry_id(id));
        let append = Append { channel, generation, id, entry, signature: [0; 64].into() };
        let signature = sign(&self.key(generation), &signed::append(&house.relay(), &append));
        Command::Append(Append { signature, ..append })
    }

    pub(crate) fn advance(&self, house: &House, generation: u32, id: u16) -> Command {
        let advance = Advance {
            channel: self.id(),
            generation,
            id: entry_id(id),
            entry: vec![8; 100],
            next_verify_key: self.verify_key(generation + 1),
            next_read_hash: read_hash(&self.capability(generation + 1)),
            signature: [0; 64].into(),
        };
        let signature = sign(&self.key(generation), &signed::advance(&house.relay(), &advance));
        Command::Advance(Advance { signature, ..advance })
    }

    pub(crate) fn read(&self, generation: u32, after: u64, entries_max: u32) -> ReadChannel {
        let capability = self.capability(generation);
        ReadChannel { channel: self.id(), generation, capability, after, entries_max }
    }

    pub(crate) fn subscribe(&self, generation: u32, after: u64) -> Command {
        let capability = self.capability(generation);
        Command::SubscribeChannel(SubscribeChannel { channel: self.id(), generation, capability, after })
    }

    pub(crate) fn close(&self, house: &House, conn: Conn) -> Command {
        let bytes = signed::close_channel(&house.relay(), &house.nonce(conn), &self.id());
        Command::CloseChannel(CloseChannel { channel: self.id(), signature: sign(&self.owner, &bytes) })
    }
}

fn sign(key: &SigningKey, bytes: &[u8]) -> OwnerSignature {
    OwnerSignature::from(key.sign(bytes).to_bytes())
}

pub(crate) fn entry_id(id: u16) -> EntryId {
    EntryId::from(*envelope_id(id).as_bytes())
}

pub(crate) fn envelope_id(id: u16) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    EnvelopeId::from(bytes)
}
