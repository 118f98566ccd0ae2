//! Two Braids and what may come between them. Every randomised test prints its seed.

use std::collections::BTreeMap;

use minicbor::{Decoder as Reader, Encoder};
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;

mod erasure_vectors;
mod vectors;

/// One side, and the secrets it knows.
struct Side {
    braid: Braid,
    secrets: BTreeMap<u32, Vec<u8>>,
    rng: ChaCha20Rng,
}

impl Side {
    fn send(&mut self) -> Message {
        let (braid, message, known) = self.braid.duplicate().send(&mut self.rng);
        self.braid = braid;
        self.learn(known);
        message
    }

    fn receive(&mut self, message: &Message) -> Result<(), BraidFailure> {
        let (braid, known) = self.braid.duplicate().receive(message)?;
        self.braid = braid;
        self.learn(known);
        self.survives();
        Ok(())
    }

    fn learn(&mut self, known: Option<EpochSecret>) {
        if let Some(EpochSecret { epoch, secret }) = known {
            assert!(self.secrets.insert(epoch.0, secret.as_bytes().to_vec()).is_none(), "one secret an epoch");
        }
    }

    fn stored(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.braid.write(&mut Encoder::new(&mut bytes)).unwrap();
        bytes
    }

    /// The state's encoding is one, and within its bound.
    fn survives(&self) {
        let stored = self.stored();
        assert!(stored.len() <= state::BRAID_BYTES_MAX, "{:?}: {}", self.braid, stored.len());
        let mut again = Vec::new();
        let read = Braid::read(&mut Reader::new(&stored)).unwrap();
        read.write(&mut Encoder::new(&mut again)).unwrap();
        assert_eq!(again, stored);
    }

    fn name(&self) -> String {
        format!("{:?}", self.braid)
    }
}

fn sides(seed: u64) -> (Side, Side) {
    let secret = Secret32::copied(&[9; 32]);
    let side = |braid, salt| Side { braid, secrets: BTreeMap::new(), rng: ChaCha20Rng::seed_from_u64(seed ^ salt) };
    (side(Braid::initiator(&secret), 0xa), side(Braid::responder(&secret), 0xb))
}

/// One message each way; the names of both states afterwards.
fn round(a: &mut Side, b: &mut Side) -> (String, String) {
    let message = a.send();
    b.receive(&message).unwrap();
    let message = b.send();
    a.receive(&message).unwrap();
    (a.name(), b.name())
}

#[test]
fn the_states_follow_the_picture() {
    let (mut a, mut b) = sides(1);
    let mut seen = vec![(a.name(), b.name())];
    while seen.last().unwrap().0 != "KeysUnsampled(3)" {
        let states = round(&mut a, &mut b);
        if seen.last() != Some(&states) {
            seen.push(states);
        }
        assert!(seen.len() < 30, "{seen:?}");
    }
    let seen: Vec<String> = seen.into_iter().map(|(a, b)| format!("{a} {b}")).collect();
    let expected = [
        "KeysUnsampled(1) NoHeaderReceived(1)",
        "HeaderSent(1) Ct1Sampled(1)",
        "Ct1Received(1) Ct1Sampled(1)",
        "Ct1Received(1) Ct1Acknowledged(1)",
        "EkSentCt1Received(1) Ct2Sampled(1)",
        "NoHeaderReceived(2) Ct2Sampled(1)",
        "HeaderReceived(2) KeysSampled(2)",
        "Ct1Sampled(2) HeaderSent(2)",
        "Ct1Acknowledged(2) Ct1Received(2)",
        "Ct2Sampled(2) Ct1Received(2)",
        "Ct2Sampled(2) EkSentCt1Received(2)",
        "KeysUnsampled(3) NoHeaderReceived(3)",
    ];
    assert_eq!(seen, expected);
    assert_eq!(a.secrets, b.secrets);
    assert_eq!(a.secrets.keys().copied().collect::<Vec<_>>(), [1, 2]);
}

/// Loss, reorder, bursts, from seeds: secrets come in order on both sides and are the same.
#[test]
fn both_sides_know_the_same_secrets_over_a_bad_network() {
    for seed in 0..40_u64 {
        eprintln!("seed {seed}");
        let mut chance = ChaCha20Rng::seed_from_u64(seed);
        let (a, b) = sides(seed);
        let mut sides = [a, b];
        let mut network: [Vec<Message>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..1_500 {
            let who = usize::from(chance.random_bool(0.5));
            if chance.random_bool(0.5) {
                let message = sides[who].send();
                sides[who].survives();
                if chance.random_bool(0.8) {
                    network[1 - who].push(message);
                }
            } else if !network[who].is_empty() {
                let near = network[who].len().min(4);
                let message = network[who].remove(chance.random_range(0..near));
                sides[who].receive(&message).unwrap();
            }
        }
        let [a, b] = &sides;
        let common = a.secrets.len().min(b.secrets.len());
        assert!(common >= 5, "{common} epochs");
        assert!(a.secrets.len().abs_diff(b.secrets.len()) <= 1);
        for (epoch, secret) in a.secrets.iter().take(common) {
            assert_eq!(b.secrets.get(epoch), Some(secret), "epoch {epoch}");
        }
        let distinct: std::collections::BTreeSet<_> = a.secrets.values().collect();
        assert_eq!(distinct.len(), a.secrets.len());
    }
}

/// A message that is changed in one way breaks the Braid where a tag or a hash covers it, and only when the object is whole.
#[test]
fn what_is_not_vouched_for_is_a_failure() {
    let spoil = |piece: &mut Piece, kind: usize| {
        let before = *piece;
        match (&mut *piece, kind) {
            (Piece::Header(chunk), 0) => chunk[0] ^= 1,
            (Piece::Header(chunk), 1) => chunk[95] ^= 1,
            (Piece::FirstHalf(Indexed { chunk, .. }), 2)
            | (Piece::Vector { chunk: Indexed { chunk, .. }, .. }, 3)
            | (Piece::SecondHalf(Indexed { chunk, .. }), 4) => chunk[5] ^= 1,
            (Piece::SecondHalf(Indexed { index: 1, chunk }), 5) => chunk[95] ^= 1,
            _ => {}
        }
        before != *piece
    };
    let expected = [
        (0, BraidFailure::NotAuthentic),
        (1, BraidFailure::NotAuthentic),
        (2, BraidFailure::NotAuthentic),
        (3, BraidFailure::Key),
        (4, BraidFailure::NotAuthentic),
        (5, BraidFailure::Padding),
    ];
    for (kind, failure) in expected {
        let (mut a, mut b) = sides(3);
        let mut spoiled = false;
        let mut found = None;
        for _ in 0..40 {
            for turn in 0..2 {
                let (from, to) = if turn == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
                let mut message = from.send();
                if !spoiled {
                    spoiled = spoil(&mut message.piece, kind);
                }
                if let Err(failure) = to.receive(&message) {
                    found = found.or(Some(failure));
                }
            }
            if found.is_some() {
                break;
            }
        }
        assert_eq!(found, Some(failure), "kind {kind}");
    }
}

#[test]
fn an_epoch_that_cannot_have_begun_is_a_failure_and_one_that_is_over_is_nothing() {
    let (mut a, mut b) = sides(4);
    let first = a.send();
    let ahead = Message { epoch: Epoch(2), piece: Piece::Nothing };
    assert_eq!(b.receive(&ahead), Err(BraidFailure::Epoch));
    while b.braid.epoch() < Epoch(2) {
        round(&mut a, &mut b);
    }
    let before = b.stored();
    b.receive(&first).unwrap();
    assert_eq!(b.stored(), before);
    assert_eq!(b.receive(&Message { epoch: Epoch(3), piece: Piece::Nothing }), Err(BraidFailure::Epoch));
}

#[test]
fn a_side_that_never_hears_sends_on_and_begins_its_indices_anew() {
    let (mut a, mut b) = sides(5);
    let header = a.send();
    assert_eq!(a.send(), header, "the header is one chunk, whenever it is sent");
    b.receive(&header).unwrap();
    let mut indices = Vec::new();
    for _ in 0..65_538 {
        let Piece::FirstHalf(Indexed { index, .. }) = b.send().piece else { panic!("chunks of ct1") };
        indices.push(index);
    }
    assert!(indices.iter().copied().eq((0..=u16::MAX).chain([0, 1])));
}

#[test]
fn a_state_that_is_cut_or_longer_is_refused() {
    let (mut a, mut b) = sides(6);
    for _ in 0..5 {
        round(&mut a, &mut b);
    }
    for side in [&a, &b] {
        let stored = side.stored();
        for length in 0..stored.len() {
            assert!(Braid::read(&mut Reader::new(&stored[..length])).is_err(), "{length} bytes");
        }
    }
}
