//! Thousands of packets over networks of every kind: lost, late, doubled, replayed, damaged, one side silent for long. After
//! every step the session is put away and taken up again. Replay a run by its seed.

use std::collections::BTreeSet;

use super::*;

/// A stored state is no longer than this, its rows apart.
const STATE_BYTES_MAX: usize = 8 * 1_024;

/// What a network does to packets, and who talks.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// In a hundred packets.
    lost: u32,
    /// In a hundred packets.
    doubled: u32,
    /// How many packets each way are kept back, of which any may come next.
    held: usize,
    /// Steps in which one side alone seals, before the other's turn; 0: both at random.
    silence: u32,
    /// Seconds between two steps.
    pause: u64,
}

/// At no time more late packets than chains are kept.
const CALM: Weather = Weather { lost: 0, doubled: 10, held: SKIPPED_CHAINS_MAX, silence: 0, pause: 1 };
const STORMY: Weather = Weather { lost: 15, doubled: 10, held: 40, silence: 0, pause: 60 };
const ONE_SIDED: Weather = Weather { lost: 5, doubled: 5, held: 10, silence: 300, pause: 1 };
const SLOW: Weather = Weather { lost: 10, doubled: 5, held: 3, silence: 0, pause: 6 * 3_600 };

/// A packet under way, and the number in it.
#[derive(Clone)]
struct UnderWay {
    number: u32,
    packet: Vec<u8>,
}

/// Two sides and what is between them. Of each pair the reader's index counts.
struct World {
    weather: Weather,
    chance: ChaCha20Rng,
    sides: [Party; 2],
    network: [Vec<UnderWay>; 2],
    /// Opened before, to be replayed.
    past: [Vec<UnderWay>; 2],
    opened: [BTreeSet<u32>; 2],
    sealed: [u32; 2],
    refused: [usize; 2],
    /// Skipped keys, of either ratchet, that went unused.
    given_up: [usize; 2],
    /// The epoch chains' root after each epoch's secret, from whoever knew it first.
    roots: BTreeMap<u32, [u8; 32]>,
    /// Of all stored states, in bytes.
    longest: usize,
}

impl World {
    fn new(weather: Weather, seed: u64) -> Self {
        let (alice, bob) = acquainted(seed);
        Self {
            weather,
            chance: ChaCha20Rng::seed_from_u64(seed),
            sides: [alice, bob],
            network: Default::default(),
            past: Default::default(),
            opened: Default::default(),
            sealed: [0; 2],
            refused: [0; 2],
            given_up: [0; 2],
            roots: BTreeMap::new(),
            longest: 0,
        }
    }

    fn run(&mut self, steps: u32) {
        for step in 0..steps {
            let Weather { silence, pause, .. } = self.weather;
            let by = match step.checked_div(silence) {
                Some(turn) => (turn & 1) as usize,
                None => self.chance.random_range(0..2),
            };
            self.seal(by);
            for reader in 0..2 {
                while self.network[reader].len() > self.weather.held {
                    self.deliver(reader);
                }
            }
            for (side, given_up) in self.sides.iter_mut().zip(&mut self.given_up) {
                side.now += pause;
                *given_up += side.expire_counting().unwrap_or(0);
            }
        }
    }

    /// Delivers all that is still under way.
    fn settle(&mut self) {
        for reader in 0..2 {
            while !self.network[reader].is_empty() {
                self.deliver(reader);
            }
        }
    }

    fn seal(&mut self, by: usize) {
        let number = self.sealed[by];
        self.sealed[by] += 1;
        let packet = self.sides[by].seal(&number.to_be_bytes());
        self.put_away(by);
        let under_way = UnderWay { number, packet };
        if self.chance.random_ratio(self.weather.doubled, 100) {
            self.network[1 - by].push(under_way.clone());
        }
        if !self.chance.random_ratio(self.weather.lost, 100) {
            self.network[1 - by].push(under_way);
        }
    }

    fn deliver(&mut self, reader: usize) {
        let place = self.chance.random_range(0..self.network[reader].len());
        let UnderWay { number, packet } = self.network[reader].remove(place);
        if self.chance.random_ratio(1, 8) {
            self.damage(reader, &packet);
        }
        if self.chance.random_ratio(1, 8) {
            self.replay(reader);
        }
        let first = !self.opened[reader].contains(&number);
        match self.sides[reader].open_counting(&packet) {
            Ok((content, given_up)) => {
                self.given_up[reader] += given_up;
                assert!(first, "{number} opened twice");
                assert_eq!(content, number.to_be_bytes());
                self.opened[reader].insert(number);
                self.past[reader].push(UnderWay { number, packet });
                let known = self.sides[1 - reader].session.sealed();
                self.sides[1 - reader].session = self.sides[1 - reader].session.receipted(known);
            }
            Err(OpenError::Replayed | OpenError::NotOurs) => {
                self.refused[reader] += usize::from(first);
                assert!(!first || self.given_up[reader] > 0, "{number} never opened, and no key was given up");
            }
            Err(error) => panic!("{number}: {error}"),
        }
        self.put_away(reader);
    }

    /// One bit, anywhere. That nothing has changed is looked at where packets are opened.
    fn damage(&mut self, reader: usize, packet: &[u8]) {
        let mut damaged = packet.to_vec();
        let bit = self.chance.random_range(0..8 * damaged.len());
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = self.sides[reader].open(&damaged).unwrap_err();
        let known = [OpenError::NotOurs, OpenError::Replayed, PeerMisbehaved::BodyNotAuthentic.into()];
        assert!(known.contains(&error), "{error}");
    }

    fn replay(&mut self, reader: usize) {
        let past = &self.past[reader];
        if past.is_empty() {
            return;
        }
        let UnderWay { number, packet } = past[self.chance.random_range(0..past.len())].clone();
        let error = self.sides[reader].open(&packet).unwrap_err();
        assert!(matches!(error, OpenError::Replayed | OpenError::NotOurs), "{number}: {error}");
    }

    /// Stores a session and goes on with what was stored.
    fn put_away(&mut self, who: usize) {
        let stored = self.sides[who].session.encode();
        self.longest = self.longest.max(stored.len());
        assert!(stored.len() <= STATE_BYTES_MAX, "{} bytes", stored.len());
        let session = Session::decode(&stored).unwrap();
        assert_eq!(*session.encode(), *stored);
        let epochs = &session.epochs;
        let newest = epochs.sending.epoch + u32::from(epochs.ahead_sending.is_some());
        let root = *epochs.root.as_bytes();
        assert_eq!(*self.roots.entry(newest).or_insert(root), root, "both sides have the secrets of epoch {newest}");
        self.sides[who].session = session;
    }
}

/// Runs one world to its end.
fn weathered(weather: Weather, seed: u64, steps: u32) -> World {
    eprintln!("seed {seed:x}, {weather:?}");
    let mut world = World::new(weather, seed);
    world.run(steps);
    world.settle();
    let World { sealed, opened, refused, given_up, roots, longest, .. } = &world;
    let opened = opened.each_ref().map(|opened| opened.len());
    let epochs = roots.len();
    eprintln!(
        "seed {seed:x}: sealed {sealed:?}, opened {opened:?}, never {refused:?}, {epochs} epochs, {longest} bytes"
    );
    assert!(world.sides.iter().all(|side| !side.session.is_broken()));
    assert!(refused.iter().zip(given_up).all(|(refused, given_up)| refused <= given_up), "each for a key given up");
    world
}

#[test]
fn what_is_only_late_or_doubled_all_opens_once() {
    for seed in 0xca10..0xca15 {
        let world = weathered(CALM, seed, 4_000);
        assert_eq!(world.refused, [0, 0]);
        for reader in 0..2 {
            assert_eq!(world.opened[reader].len(), world.sealed[1 - reader] as usize);
        }
        assert!(world.roots.len() > 20, "{} epochs", world.roots.len());
    }
}

#[test]
fn what_is_lost_harms_nothing_else() {
    for seed in 0x5700..0x5705 {
        let world = weathered(STORMY, seed, 4_000);
        assert!(world.roots.len() > 10, "{} epochs", world.roots.len());
        assert!(world.refused.iter().all(|&refused| refused > 0), "more is late than chains are kept");
        assert!(world.opened.iter().all(|opened| opened.len() > 500));
    }
}

#[test]
fn a_side_may_be_silent_for_long() {
    for seed in 0x0510..0x0512 {
        let world = weathered(ONE_SIDED, seed, 6_000);
        assert!(world.roots.len() >= 4, "{} epochs", world.roots.len());
        assert!(world.opened.iter().all(|opened| opened.len() > 2_500));
    }
}

/// Two years of four packets a day.
#[test]
fn keys_of_what_is_lost_age_out_along_the_way() {
    for seed in 0x51e0..0x51e3 {
        let world = weathered(SLOW, seed, 3_000);
        assert!(world.roots.len() > 20, "{} epochs", world.roots.len());
        assert!(world.given_up.iter().all(|&keys| keys > 0));
    }
}
