//! A thief of all bytes of one side, who goes on listening to both directions of the wire.
//!
//! It is as strong as its knowledge: it forgets no key, walks every chain it has, steps each ratchet whose private half it
//! holds, and gathers the chunks of a key pair that was stolen until it can decapsulate. It knows who sealed what, and hears
//! also what the network lost. What it lacks is what is drawn after the theft, unless that comes of a generator it stole.

use super::{
    super::super::{
        body,
        braid::{Braid, EpochSecret, Message},
        chain::{Chain, OldChain, ReceivingChain},
        chain_key::ChainKey,
        epoch_key::{EpochChainKey, EpochMessageKey, EpochRoot},
        epochs::{EpochChain, Epochs, OldEpoch},
        header::{Header, Kind},
        header_key::HeaderKey,
        message_key::MessageKey,
        root_key::RootKey,
        skipped::Runs,
    },
    talk::{Loot, Sent, Step, Talk},
    *,
};

/// The thief and all it knows.
pub(super) struct Thief<'t> {
    /// Who was robbed.
    victim: usize,
    associated: AssociatedData,
    ratchet: KnownRatchet<'t>,
    epochs: EpochKeys,
    /// The stolen Braid, which hears all that the other side says of it.
    braid: Option<Braid>,
    /// The victim itself, run with its own generator, as long as that foretells what it seals.
    shadow: Option<Party>,
}

/// The Double Ratchet, as a thief has it.
enum KnownRatchet<'t> {
    /// As far as what was stolen reaches.
    Stolen(Ratchet),
    /// All of it, by message: X25519 is broken.
    Broken(&'t [Place]),
}

/// A message's header, and its key in the Double Ratchet as far as that is known.
pub(super) struct Place {
    header: Header,
    key: Option<Secret32>,
}

/// What is known of the Double Ratchet.
struct Ratchet {
    /// None once a step was missed.
    root: Option<RootKey>,
    private: RatchetKeys,
    /// The ratchet key of each side that the root stands at.
    public: [Option<AgreementKey>; 2],
    /// What the header of each side's next chain is sealed under.
    next_header_key: [Option<HeaderKey>; 2],
    chains: Vec<KnownChain>,
}

/// A chain whose headers are open, and of whose message keys some may be known.
struct KnownChain {
    by: usize,
    header_key: HeaderKey,
    line: Line<ChainKey>,
}

/// What is known of the epoch chains.
struct EpochKeys {
    root: EpochRoot,
    /// The epoch that the root has taken in last.
    newest: u32,
    /// Who began the session.
    initiator: usize,
    /// By epoch and by who seals.
    lines: BTreeMap<(u32, usize), Line<EpochChainKey>>,
}

/// Keys of packets: those that were found, and those that a walk yields.
struct Line<K> {
    next: Option<(u32, K)>,
    kept: BTreeMap<u32, Secret32>,
}

/// Follows the Double Ratchet of a whole talk from its beginning, with every ratchet key's private half at hand: how it lies
/// open to whoever breaks X25519.
pub(super) fn broken(talk: &Talk) -> Vec<Place> {
    let alice = &talk.moments[0].loot[0];
    let mut ratchet = Ratchet::stolen(0, &Session::decode(&alice.session).unwrap(), &alice.rows);
    ratchet.private.extend(talk.ratchet_keys.iter().map(PrivateKey::duplicate));
    let place = |sent: &Sent| {
        let place = ratchet.place(sent.by, sent.packet.first_chunk().unwrap()).unwrap();
        assert!(place.key.is_some(), "the Double Ratchet alone keeps nothing from it");
        place
    };
    talk.sent.iter().map(place).collect()
}

/// A chain key of either ratchet.
trait Walk: Sized {
    fn walk(self, number: u32) -> (Self, Secret32);
}

impl<'t> Thief<'t> {
    /// Takes all bytes of `victim`. With `broken`, the Double Ratchet lies open besides.
    pub(super) fn steal(victim: usize, loot: &Loot, broken: Option<&'t [Place]>) -> Self {
        let session = Session::decode(&loot.session).unwrap();
        let shadow = loot.generator.clone().map(|rng| Party {
            rows: Rows(loot.rows.clone()),
            rng,
            ..Party::new(session.duplicate(), 0)
        });
        Self {
            victim,
            associated: session.associated.clone(),
            ratchet: match broken {
                Some(places) => KnownRatchet::Broken(places),
                None => KnownRatchet::Stolen(Ratchet::stolen(victim, &session, &loot.rows)),
            },
            epochs: EpochKeys::stolen(victim, &session.epochs, &loot.rows),
            braid: session.braid.as_ref().map(Braid::duplicate),
            shadow,
        }
    }

    /// Goes one step along with the talk. Whether a message was read in it.
    pub(super) fn follow(&mut self, talk: &Talk, step: Step) -> bool {
        let (Step::Sealed(number) | Step::Opened(number)) = step;
        let sent = &talk.sent[number];
        match step {
            Step::Sealed(_) if sent.by == self.victim => self.foresee(|shadow| {
                let sealed = shadow.seal(b"whatever");
                sealed[..NONCE_BYTES] == sent.packet[..NONCE_BYTES]
            }),
            Step::Opened(_) if sent.by != self.victim => self.foresee(|shadow| shadow.open(&sent.packet).is_ok()),
            Step::Sealed(_) | Step::Opened(_) => {}
        }
        matches!(step, Step::Sealed(_)) && self.read(number, sent)
    }

    /// Reads a message, and learns what its header tells.
    pub(super) fn read(&mut self, number: usize, sent: &Sent) -> bool {
        let (sealed_header, body) = sent.packet.split_first_chunk().unwrap();
        let found;
        let Place { header, key } = match &mut self.ratchet {
            KnownRatchet::Stolen(ratchet) => {
                let Some(place) = ratchet.place(sent.by, sealed_header) else { return false };
                found = place;
                &found
            }
            KnownRatchet::Broken(places) => &places[number],
        };
        let Kind::Message { previous: _, number: _, slot } = header.kind else { return false };
        if sent.by != self.victim {
            self.hear(&slot.message);
        }
        let epoch_key = self.epochs.key(slot.message.epoch.before().0, sent.by, slot.number);
        let (Some(key), Some(epoch_key)) = (key, epoch_key) else { return false };
        let key = EpochMessageKey::new(epoch_key).mix(&MessageKey::new(key.duplicate()));
        body::open(key.as_bytes(), &self.associated, sealed_header, body).is_ok()
    }

    /// What the other side says to the Braid. A key pair that was stolen opens what is encapsulated to it.
    fn hear(&mut self, message: &Message) {
        // Where the victim would have gone on with a draw of its own, the stolen Braid is left behind, and fails.
        let Some(Ok((braid, known))) = self.braid.take().map(|braid| braid.receive(message)) else { return };
        self.braid = Some(braid);
        if let Some(known) = known {
            self.epochs.add(&known);
        }
    }

    /// Lets the victim's shadow do what the victim does, and robs it again if that was right.
    fn foresee(&mut self, act: impl FnOnce(&mut Party) -> bool) {
        self.shadow = self.shadow.take().and_then(|mut shadow| act(&mut shadow).then_some(shadow));
        if let Some(Party { session, rows, .. }) = &self.shadow {
            if let KnownRatchet::Stolen(ratchet) = &mut self.ratchet {
                ratchet.private.extend([session.private.duplicate()]);
            }
            self.epochs.learn(self.victim, &session.epochs, &rows.0);
        }
    }
}

impl Ratchet {
    /// Taken apart, so that a new field asks what it is worth to a thief.
    fn stolen(victim: usize, session: &Session, rows: &Stored) -> Self {
        let Session {
            id: _,
            associated: _,
            root_key,
            private,
            peer,
            sending,
            next_sending_header_key,
            receiving,
            next_receiving_header_key,
            step_due: _,
            previous: _,
            old,
            next_run: _,
            sealed: _,
            receipted: _,
            sealed_before_chain: _,
            braid: _,
            epochs: _,
        } = session;
        let other = 1 - victim;
        let old = old.iter().map(|OldChain { header_key, runs }| KnownChain {
            by: other,
            header_key: header_key.duplicate(),
            line: Line { next: None, kept: kept(runs, rows) },
        });
        let receiving = receiving.iter().map(|receiving| {
            let ReceivingChain { chain, runs } = receiving;
            KnownChain::stolen(other, chain, kept(runs, rows))
        });
        let sending = sending.iter().map(|sending| KnownChain::stolen(victim, sending, BTreeMap::new()));
        let mut ratchet = Self {
            root: Some(root_key.duplicate()),
            private: RatchetKeys::default(),
            public: [*peer; 2],
            next_header_key: [next_receiving_header_key, next_sending_header_key].map(|key| Some(key.duplicate())),
            chains: old.chain(receiving).chain(sending).collect(),
        };
        ratchet.private.extend([private.duplicate()]);
        ratchet.public[victim] = Some(*private.public());
        if victim == 0 {
            ratchet.next_header_key.reverse();
        }
        ratchet
    }

    /// Opens a header, and finds the message's key. The first of a chain is a step, taken here too.
    fn place(&mut self, by: usize, sealed: &[u8; SEALED_HEADER_BYTES]) -> Option<Place> {
        let mut scratch = *sealed;
        let (header, chain) = if self.next_header_key[by].as_ref().is_some_and(|key| key.opens(&mut scratch)) {
            let header = Header::read(&scratch).unwrap();
            self.step(by, header.ratchet_key);
            (header, self.chains.last_mut().expect("a step begins one"))
        } else {
            let opens = |chain: &&mut KnownChain| chain.by == by && chain.header_key.opens(&mut scratch);
            let chain = self.chains.iter_mut().rev().find(opens)?;
            (Header::read(&scratch).unwrap(), chain)
        };
        let Kind::Message { number, .. } = header.kind else { return None };
        Some(Place { header, key: chain.line.key(number) })
    }

    /// A side has drawn a ratchet key. Root and chain are followed if a private half of either side's key is known.
    fn step(&mut self, by: usize, public: AgreementKey) {
        self.public[by] = Some(public);
        let header_key = self.next_header_key[by].take().expect("it has just opened a header");
        let mut line = Line { next: None, kept: BTreeMap::new() };
        let shared = self.public[1 - by].and_then(|other| self.private.agree(&public, &other));
        if let (Some(root), Some(shared)) = (self.root.take(), shared) {
            let step = root.advance(&shared);
            self.root = Some(step.root_key);
            self.next_header_key[by] = Some(step.next_header_key);
            line.next = Some((0, step.chain_key));
        }
        self.chains.push(KnownChain { by, header_key, line });
    }
}

impl KnownChain {
    fn stolen(by: usize, chain: &Chain, kept: BTreeMap<u32, Secret32>) -> Self {
        let line = Line { next: Some((chain.number, chain.chain_key.duplicate())), kept };
        Self { by, header_key: chain.header_key.duplicate(), line }
    }
}

impl EpochKeys {
    fn stolen(victim: usize, epochs: &Epochs, rows: &Stored) -> Self {
        let initiator = if epochs.initiator { victim } else { 1 - victim };
        let mut keys = Self { root: epochs.root.duplicate(), newest: 0, initiator, lines: BTreeMap::new() };
        keys.learn(victim, epochs, rows);
        keys
    }

    /// Takes in what the victim holds by now; of a chain that is known already, the earlier key is the better one.
    fn learn(&mut self, victim: usize, epochs: &Epochs, rows: &Stored) {
        let Epochs {
            root,
            initiator: _,
            sending,
            previous: _,
            receiving,
            receiving_runs,
            ahead_sending,
            ahead_receiving,
            old,
        } = epochs;
        let newest = sending.epoch + u32::from(ahead_sending.is_some());
        if newest >= self.newest {
            (self.root, self.newest) = (root.duplicate(), newest);
        }
        let other = 1 - victim;
        for OldEpoch { epoch, runs } in old {
            self.learn_line(*epoch, other, None, kept(runs, rows));
        }
        let stands = |chain: &EpochChain| Some((chain.number, chain.key.duplicate()));
        self.learn_line(receiving.epoch, other, stands(receiving), kept(receiving_runs, rows));
        self.learn_line(sending.epoch, victim, stands(sending), BTreeMap::new());
        for (chain, ahead, by) in [(receiving, ahead_receiving, other), (sending, ahead_sending, victim)] {
            if let Some(ahead) = ahead {
                self.learn_line(chain.epoch + 1, by, Some((0, ahead.duplicate())), BTreeMap::new());
            }
        }
    }

    fn learn_line(&mut self, epoch: u32, by: usize, next: Option<(u32, EpochChainKey)>, kept: BTreeMap<u32, Secret32>) {
        self.lines.entry((epoch, by)).or_insert(Line { next, kept });
    }

    /// A secret that the stolen Braid has found.
    fn add(&mut self, known: &EpochSecret) {
        if known.epoch.0 != self.newest + 1 {
            return;
        }
        let start = self.root.duplicate().advance(&known.secret);
        (self.root, self.newest) = (start.root, known.epoch.0);
        self.learn_line(self.newest, self.initiator, Some((0, start.initiator)), BTreeMap::new());
        self.learn_line(self.newest, 1 - self.initiator, Some((0, start.responder)), BTreeMap::new());
    }

    fn key(&mut self, epoch: u32, by: usize, number: u32) -> Option<Secret32> {
        self.lines.get_mut(&(epoch, by))?.key(number)
    }
}

impl<K: Walk> Line<K> {
    fn key(&mut self, number: u32) -> Option<Secret32> {
        while let Some((at, key)) = self.next.take_if(|(at, _)| *at <= number) {
            let (next, found) = key.walk(at);
            self.kept.insert(at, found);
            self.next = Some((at + 1, next));
        }
        self.kept.get(&number).map(Secret32::duplicate)
    }
}

impl Walk for ChainKey {
    fn walk(self, _: u32) -> (Self, Secret32) {
        let (next, key) = self.advance();
        (next, Secret32::copied(key.as_bytes()))
    }
}

impl Walk for EpochChainKey {
    fn walk(self, number: u32) -> (Self, Secret32) {
        let (next, key) = self.advance(number);
        (next, Secret32::from_slice(&key.into_skipped().to_bytes()).unwrap())
    }
}

/// The rows of some runs.
fn kept(runs: &Runs, rows: &Stored) -> BTreeMap<u32, Secret32> {
    let of_run = |id: ChainId| rows.range((id, 0)..=(id, u32::MAX));
    let rows = runs.0.iter().flat_map(|run| of_run(run.id));
    rows.map(|((_, number), row)| (*number, Secret32::from_slice(row).unwrap())).collect()
}
