//! A talk that is recorded whole: what went over the wire, and all bytes of both sides after every step of two epochs.

use super::*;

/// Epochs of the Braid during which each step is a moment.
const WATCHED: u32 = 2;
/// Messages that are sealed once those epochs and as many again are over.
const AFTERWARDS: usize = 200;

/// Who seals how much before the other side answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// One message each in turn.
    PingPong,
    /// Five in turn; they are under way together.
    Bursts,
    /// Alice speaks; Bob's device sends a receipt for ten of hers.
    OneSided,
    /// One each in turn, and each is lost with a probability of a tenth.
    Lossy,
}

/// Where private values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chance {
    /// From outside, anew at each call.
    Fresh,
    /// From a generator that lives on between calls, and so lies among the bytes of its side.
    Kept,
}

/// A message, as whoever watches the network has it.
pub(super) struct Sent {
    pub(super) by: usize,
    pub(super) packet: Vec<u8>,
    /// After how many steps the other side opened it. None if it was lost.
    pub(super) opened: Option<usize>,
}

/// One step of the talk; the number is the message's.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Sealed(usize),
    Opened(usize),
}

/// All bytes of one side.
pub(super) struct Loot {
    pub(super) session: Vec<u8>,
    pub(super) rows: BTreeMap<(ChainId, u32), Vec<u8>>,
    pub(super) generator: Option<ChaCha20Rng>,
}

/// Between two steps.
pub(super) struct Moment {
    /// Steps that were over.
    pub(super) steps: usize,
    /// Messages that were sealed.
    pub(super) sealed: usize,
    /// Alice's bytes, then Bob's.
    pub(super) loot: [Loot; 2],
}

/// The recording.
pub(super) struct Talk {
    pub(super) sent: Vec<Sent>,
    pub(super) steps: Vec<Step>,
    pub(super) moments: Vec<Moment>,
    /// Every ratchet key that either side ever had: what a quantum computer finds.
    pub(super) ratchet_keys: Vec<PrivateKey>,
    chance: Chance,
}

impl Talk {
    /// Records a talk from its first message on.
    pub(super) fn record(seed: u64, shape: Shape, chance: Chance) -> Self {
        let mut entropy = ChaCha20Rng::seed_from_u64(seed);
        let (alice, bob) = alice_and_bob(seed);
        let mut parties = [alice, bob];
        let (sent, steps, moments) = (Vec::new(), Vec::new(), Vec::new());
        let mut talk = Self { sent, steps, moments, ratchet_keys: Vec::new(), chance };
        talk.take_down(&parties);
        let mut last = None;
        for turn in 0.. {
            if last.is_some_and(|last: usize| talk.sent.len() > last + AFTERWARDS) {
                break;
            }
            talk.turn(&mut parties, shape, turn, &mut entropy);
            if last.is_none() && epochs_over(&parties) >= 2 * WATCHED {
                last = Some(talk.sent.len());
            }
        }
        talk
    }

    /// One side seals what is its share, then the other opens what came of it.
    fn turn(&mut self, parties: &mut [Party; 2], shape: Shape, turn: usize, entropy: &mut ChaCha20Rng) {
        let by = turn % 2;
        let first = self.sent.len();
        for _ in 0..shape.share(by) {
            if self.chance == Chance::Fresh {
                parties[by].rng = ChaCha20Rng::from_rng(entropy);
            }
            let staged = parties[by].session.seal(&mut parties[by].rng, b"private", Padding::None).unwrap();
            let (session, _, packet) = staged.into_parts();
            parties[by].session = session;
            self.steps.push(Step::Sealed(self.sent.len()));
            self.sent.push(Sent { by, packet, opened: None });
            self.take_down(parties);
        }
        for number in first..self.sent.len() {
            // The first message waits at the relay until it has come.
            if turn > 0 && entropy.random_bool(shape.loss()) {
                continue;
            }
            assert_eq!(parties[1 - by].open(&self.sent[number].packet).unwrap(), b"private");
            self.steps.push(Step::Opened(number));
            self.sent[number].opened = Some(self.steps.len());
            self.take_down(parties);
        }
    }

    /// A moment, if the epochs that are watched are not over.
    fn take_down(&mut self, parties: &[Party; 2]) {
        self.ratchet_keys.extend(parties.iter().map(|party| party.session.private.duplicate()));
        if epochs_over(parties) >= WATCHED {
            return;
        }
        let loot = |party: &Party| Loot {
            session: party.session.encode().to_vec(),
            rows: party.rows.0.clone(),
            generator: (self.chance == Chance::Kept).then(|| party.rng.clone()),
        };
        let loot = [loot(&parties[0]), loot(&parties[1])];
        self.moments.push(Moment { steps: self.steps.len(), sealed: self.sent.len(), loot });
    }
}

impl Shape {
    fn share(self, by: usize) -> usize {
        match (self, by) {
            (Self::PingPong | Self::Lossy, _) | (Self::OneSided, 1) => 1,
            (Self::Bursts, _) => 5,
            (Self::OneSided, _) => 10,
        }
    }

    fn loss(self) -> f64 {
        match self {
            Self::PingPong | Self::Bursts | Self::OneSided => 0.0,
            Self::Lossy => 0.1,
        }
    }
}

/// Epochs that both sides have left.
fn epochs_over(parties: &[Party; 2]) -> u32 {
    parties.iter().map(|party| party.session.braid.as_ref().unwrap().epoch().before().0).min().unwrap()
}
