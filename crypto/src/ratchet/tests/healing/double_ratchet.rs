//! The Double Ratchet as far as what was stolen reaches.

use super::{
    super::super::{
        chain::{Chain, OldChain, ReceivingChain},
        chain_key::ChainKey,
        header::{Header, Kind},
        header_key::HeaderKey,
        root_key::RootKey,
    },
    line::{Line, kept},
    talk::{Sent, Talk},
    *,
};

/// What is known of the Double Ratchet.
pub(super) struct DoubleRatchet {
    /// None once a step was missed.
    root: Option<RootKey>,
    /// Ratchet keys, by their public halves.
    private: BTreeMap<[u8; 32], PrivateKey>,
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

/// A message's header, and its key in the Double Ratchet as far as that is known.
pub(super) struct Place {
    pub(super) header: Header,
    pub(super) key: Option<Secret32>,
}

impl DoubleRatchet {
    /// Taken apart, so that a new field asks what it is worth to a thief.
    pub(super) fn stolen(victim: usize, session: &Session, rows: &Stored) -> Self {
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
            private: BTreeMap::new(),
            public: [*peer; 2],
            next_header_key: [next_receiving_header_key, next_sending_header_key].map(|key| Some(key.duplicate())),
            chains: old.chain(receiving).chain(sending).collect(),
        };
        ratchet.learn(private);
        ratchet.public[victim] = Some(*private.public());
        if victim == 0 {
            ratchet.next_header_key.reverse();
        }
        ratchet
    }

    /// Takes in a private ratchet key.
    pub(super) fn learn(&mut self, key: &PrivateKey) {
        self.private.insert(*key.public().as_bytes(), key.duplicate());
    }

    /// What two ratchet keys agree on, if a private half of either is known.
    fn agree(&self, one: &AgreementKey, other: &AgreementKey) -> Option<Shared> {
        let found = |ours: &AgreementKey, theirs| self.private.get(ours.as_bytes())?.agree(theirs).ok();
        found(one, other).or_else(|| found(other, one))
    }

    /// Opens a header, and finds the message's key. The first of a chain is a step, taken here too.
    pub(super) fn place(&mut self, by: usize, sealed: &[u8; SEALED_HEADER_BYTES]) -> Option<Place> {
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
        let shared = self.public[1 - by].and_then(|other| self.agree(&public, &other));
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

/// Follows the Double Ratchet of a whole talk from its beginning, with every ratchet key's private half at hand: how it lies
/// open to whoever breaks X25519.
pub(super) fn broken(talk: &Talk) -> Vec<Place> {
    let alice = &talk.moments[0].loot[0];
    let mut ratchet = DoubleRatchet::stolen(0, &Session::decode(&alice.session).unwrap(), &alice.rows);
    for key in &talk.ratchet_keys {
        ratchet.learn(key);
    }
    let place = |sent: &Sent| {
        let place = ratchet.place(sent.by, sent.packet.first_chunk().unwrap()).unwrap();
        assert!(place.key.is_some(), "the Double Ratchet alone keeps nothing from it");
        place
    };
    talk.sent.iter().map(place).collect()
}
