//! Healing, measured: all bytes of one side are stolen at every step of two epochs, and a thief follows all that is sealed
//! afterwards, in both directions, until it can open no more. Chapter 05, SES-43.
//!
//! Two thieves: a classical one, and one to whom the whole Double Ratchet lies open besides, before and after the theft, as to
//! someone who breaks X25519: only the Braid shuts that one out.

use sotto_inner::AgreementKey;

use super::*;
use crate::{
    aead::NONCE_BYTES,
    x25519::{PrivateKey, Shared},
};

mod double_ratchet;
mod epoch_keys;
mod line;
mod talk;
mod thief;

use double_ratchet::{Place, broken};
use talk::{Chance, Moment, Shape, Step, Talk};
use thief::Thief;

const SEED: u64 = 0x4ea1;
/// A thief that has read none of so many messages in a row, the talk's last, is shut out.
const SHUT_OUT: usize = 100;

/// Rows of skipped keys, as they are stolen.
type Stored = BTreeMap<(ChainId, u32), Vec<u8>>;

/// What came of one theft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Theft {
    /// Messages that the thief read: under way when it stole, or sealed later.
    read: usize,
    /// Messages that were sealed until the last one it read. None if it was never shut out.
    until: Option<usize>,
}

/// Robs `victim` at a moment, and follows the thief to the end of the talk. What is lost counts as sealed, and is no message
/// under way.
fn rob(talk: &Talk, moment: &Moment, victim: usize, broken: Option<&[Place]>) -> Theft {
    let mut thief = Thief::steal(victim, &moment.loot[victim], broken);
    let before = talk.sent[..moment.sealed].iter().enumerate();
    let under_way = before.filter(|(number, sent)| thief.read(*number, sent) && sent.opened.is_some()).count();
    let (mut read, mut sealed, mut last) = (under_way, 0, 0);
    for step in &talk.steps[moment.steps..] {
        sealed += usize::from(matches!(step, Step::Sealed(_)));
        if thief.follow(talk, *step) {
            (read, last) = (read + 1, sealed);
        }
    }
    Theft { read, until: (sealed >= last + SHUT_OUT).then_some(last) }
}

/// Every theft of a talk: at each moment, of each side.
fn thefts(talk: &Talk, broken: Option<&[Place]>) -> Vec<Theft> {
    talk.moments.iter().flat_map(|moment| [0, 1].map(|victim| rob(talk, moment, victim, broken))).collect()
}

/// Thefts from talks of one shape: by the classical thief, and by the one that breaks X25519.
fn measured(shape: Shape, seeds: impl IntoIterator<Item = u64>) -> [Vec<Theft>; 2] {
    let (mut classical, mut quantum) = (Vec::new(), Vec::new());
    for seed in seeds {
        eprintln!("{shape:?}, seed {seed:x}");
        let talk = Talk::record(seed, shape, Chance::Fresh);
        classical.extend(thefts(&talk, None));
        quantum.extend(thefts(&talk, Some(&broken(&talk))));
    }
    [classical, quantum]
}

/// Thefts, and messages read after each: the least, the median, that of nine in ten, the most.
fn row(thefts: &[Theft]) -> String {
    let mut read: Vec<usize> = thefts.iter().map(|theft| theft.read).collect();
    read.sort_unstable();
    let at = |tenths: usize| read[(read.len() - 1) * tenths / 10];
    let row = format!("{} | {} | {} | {} | {}", read.len(), at(0), at(5), at(9), at(10));
    eprintln!("{row}");
    row
}

/// Messages within which the last of these thieves was shut out.
fn within(thefts: &[Theft]) -> usize {
    thefts.iter().map(|theft| theft.until.expect("every thief is shut out at last")).max().unwrap()
}

#[test]
fn ping_pong_heals_within_two_messages_and_within_two_epochs() {
    let [classical, quantum] = measured(Shape::PingPong, [SEED]);
    assert_eq!(row(&classical), "232 | 0 | 1 | 1 | 2");
    assert_eq!(row(&quantum), "232 | 27 | 42 | 53 | 56");
    assert!(within(&classical) <= 2 && within(&quantum) <= 80, "the goal");
}

#[test]
fn bursts_heal_within_two_turns_and_within_two_epochs() {
    let [classical, quantum] = measured(Shape::Bursts, [SEED]);
    assert_eq!(row(&classical), "352 | 0 | 5 | 8 | 10");
    assert_eq!(row(&quantum), "352 | 35 | 60 | 78 | 84");
    assert!(within(&classical) <= 10 && within(&quantum) <= 100);
}

#[test]
fn a_talk_of_one_side_heals_by_its_receipts() {
    let [classical, quantum] = measured(Shape::OneSided, [SEED]);
    assert_eq!(row(&classical), "1144 | 0 | 5 | 10 | 11");
    assert_eq!(row(&quantum), "1144 | 122 | 208 | 264 | 284");
    assert!(within(&classical) <= 11 && within(&quantum) <= 300);
}

#[test]
fn a_talk_that_loses_messages_heals() {
    let [classical, quantum] = measured(Shape::Lossy, SEED..SEED + 20);
    assert_eq!(row(&classical), "4870 | 0 | 1 | 3 | 7");
    assert_eq!(row(&quantum), "4870 | 27 | 47 | 60 | 70");
    assert!(within(&classical) <= 10 && within(&quantum) <= 80);
}

/// Forward secrecy: of what was sealed before, a stolen state opens nothing but what its own side still waits for.
#[test]
fn what_was_opened_or_sealed_before_a_theft_stays_shut() {
    for (shape, quantum) in [(Shape::Lossy, false), (Shape::Lossy, true), (Shape::Bursts, false), (Shape::Bursts, true)]
    {
        eprintln!("{shape:?}, seed {SEED:x}");
        let talk = Talk::record(SEED, shape, Chance::Fresh);
        let places = quantum.then(|| broken(&talk));
        let mut waited_for = 0;
        for (moment, victim) in talk.moments.iter().flat_map(|moment| [(moment, 0), (moment, 1)]) {
            let mut thief = Thief::steal(victim, &moment.loot[victim], places.as_deref());
            for (number, sent) in talk.sent[..moment.sealed].iter().enumerate() {
                let opened = sent.opened.is_some_and(|opened| opened <= moment.steps);
                let read = thief.read(number, sent);
                assert!(!read || !(opened || sent.by == victim), "message {number}, after {} steps", moment.steps);
                waited_for += usize::from(read);
            }
        }
        assert!(waited_for > 0, "a thief who reads nothing proves nothing");
    }
}

/// The measure would tell: a generator that lives on between calls is stolen with the rest, and nothing heals.
#[test]
fn a_generator_that_is_kept_never_heals() {
    eprintln!("seed {SEED:x}");
    let talk = Talk::record(SEED, Shape::PingPong, Chance::Kept);
    let places = broken(&talk);
    for (moment, broken) in
        talk.moments.iter().step_by(10).flat_map(|moment| [(moment, None), (moment, Some(&*places))])
    {
        for theft in [0, 1].map(|victim| rob(&talk, moment, victim, broken)) {
            assert_eq!(theft.until, None, "after {} steps: {theft:?}", moment.steps);
            assert!(theft.read >= talk.sent.len() - moment.sealed, "it reads every message: {theft:?}");
        }
    }
}
