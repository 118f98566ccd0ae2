//! Two sessions and what may come between them. Every randomised test prints its seed.

use std::collections::BTreeMap;

use rand::{Rng as _, RngExt as _, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRng;
use sotto_inner::limits::{BRAID_SLOT_BYTES, SKIPPED_CHAINS_MAX, SKIPPED_GAP_MAX, SKIPPED_KEY_SECS, SKIPPED_KEYS_MAX};

use super::{
    AssociatedData, ChainId, NoSkippedKeys, OpenError, PACKET_OVERHEAD, Padding, SealError, Session, SessionSecret,
    SkippedChanges, SkippedKey, SkippedKeys,
    braid::Slot,
    header::{HEADER_BYTES, Kind, SEALED_HEADER_BYTES},
};
use crate::{PeerMisbehaved, StateError, aead::NONCE_BYTES, book, secret::Secret32, x25519::PrivateKey};

mod bad_network;
mod healing;
mod hostile;
mod late;
mod refused;
mod stored;
mod stored_braids;
mod story;
mod vectors;

/// One side: its session, and its rows as a store would hold them.
pub(super) struct Party {
    pub(super) session: Session,
    pub(super) rows: Rows,
    pub(super) rng: ChaCha20Rng,
    pub(super) now: u64,
}

/// Rows of skipped keys.
#[derive(Default)]
pub(super) struct Rows(BTreeMap<(ChainId, u32), Vec<u8>>);

impl SkippedKeys for Rows {
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey> {
        self.0.get(&(chain, number)).map(|row| SkippedKey::from_bytes(row).unwrap())
    }
}

impl Rows {
    /// How many rows went unused.
    fn apply(&mut self, changes: SkippedChanges) -> usize {
        let SkippedChanges { put, delete, delete_chains } = changes;
        for (chain, number, key) in put {
            assert!(self.0.insert((chain, number), key.to_bytes().to_vec()).is_none(), "a row is put once");
        }
        for row in delete {
            assert!(self.0.remove(&row).is_some(), "a used key had its row");
        }
        let before = self.0.len();
        self.0.retain(|(chain, _), _| !delete_chains.contains(chain));
        before - self.0.len()
    }
}

impl Party {
    fn new(session: Session, seed: u64) -> Self {
        Self { session, rows: Rows::default(), rng: ChaCha20Rng::seed_from_u64(seed), now: 1_000_000 }
    }

    pub(super) fn seal(&mut self, content: &[u8]) -> Vec<u8> {
        let staged = self.session.seal(&mut self.rng, content, Padding::Bucket).unwrap();
        let (session, changes, packet) = staged.into_parts();
        assert!(changes.is_empty(), "sealing skips nothing");
        self.session = session;
        packet
    }

    /// Seals `count` packets, each with its place as content.
    pub(super) fn seal_many(&mut self, count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|place| self.seal(&place.to_be_bytes())).collect()
    }

    pub(super) fn seal_ephemeral(&mut self, content: &[u8]) -> Vec<u8> {
        self.session.seal_ephemeral(&mut self.rng, content).unwrap()
    }

    /// Opens a packet. On an error, and for what is ephemeral, checks that nothing has changed.
    pub(super) fn open(&mut self, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.open_counting(packet).map(|(content, _)| content)
    }

    /// The same, and how many keys of other packets were given up by it.
    fn open_counting(&mut self, packet: &[u8]) -> Result<(Vec<u8>, usize), OpenError> {
        let before = self.session.encode();
        let staged = self.session.open(packet, self.now, &self.rows);
        assert_eq!(*self.session.encode(), *before, "a session is a value");
        let (session, changes, opened) = staged?.into_parts();
        if opened.ephemeral {
            assert!(changes.is_empty());
            assert_eq!(*session.encode(), *before, "an ephemeral packet changes nothing");
        }
        let given_up = self.rows.apply(changes);
        self.session = session;
        self.check();
        Ok((opened.content.to_vec(), given_up))
    }

    /// Packets that may still come late, as the Double Ratchet knows them; the epoch chains keep a key of each too.
    pub(super) fn missing(&mut self) -> usize {
        self.session.all_runs().map(|runs| runs.kept()).sum::<u32>() as usize
    }

    pub(super) fn expire(&mut self) -> bool {
        self.expire_counting().is_some()
    }

    /// How many keys were given up for their age, if any.
    fn expire_counting(&mut self) -> Option<usize> {
        let (session, changes, ()) = self.session.expire(self.now)?.into_parts();
        let given_up = self.rows.apply(changes);
        self.session = session;
        self.check();
        Some(given_up)
    }

    /// What holds after every step: session and rows agree, the bounds are kept, the state survives its encoding.
    fn check(&mut self) {
        let epochs: u32 = self.session.epochs.all_runs().map(|runs| runs.kept()).sum();
        assert_eq!(self.missing() + epochs as usize, self.rows.0.len());
        assert!(self.missing() <= SKIPPED_KEYS_MAX as usize && self.session.old.len() <= SKIPPED_CHAINS_MAX);
        assert!(epochs <= SKIPPED_KEYS_MAX && self.session.epochs.old.len() <= SKIPPED_CHAINS_MAX);
        let stored = self.session.encode();
        assert_eq!(*Session::decode(&stored).unwrap().encode(), *stored);
    }
}

/// Alice, who has sealed nothing yet, and Bob, who waits for her first packet.
pub(super) fn alice_and_bob(seed: u64) -> (Party, Party) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let signed_prekey = PrivateKey::generate(&mut rng);
    let secret = Secret32::random(&mut rng);
    let associated = AssociatedData::new((&[1; 32].into(), &[2; 16].into()), (&[3; 32].into(), &[4; 16].into()));
    let id = [seed as u8; 32].into();
    let public = *signed_prekey.public();
    let alice = SessionSecret::new(secret.duplicate());
    let alice = Session::initiator(id, alice, public, associated.clone(), &mut rng).unwrap();
    let bob = Session::responder(id, SessionSecret::new(secret), &signed_prekey, associated);
    (Party::new(alice, seed ^ 0xa), Party::new(bob, seed ^ 0xb))
}

/// Alice and Bob after a packet each way.
pub(super) fn acquainted(seed: u64) -> (Party, Party) {
    let (mut alice, mut bob) = alice_and_bob(seed);
    let hello = alice.seal(b"hello");
    assert_eq!(bob.open(&hello).unwrap(), b"hello");
    let answer = bob.seal(b"hello too");
    assert_eq!(alice.open(&answer).unwrap(), b"hello too");
    (alice, bob)
}

/// Seals as [`Session::seal`] does, and says what it pleases in the Braid's slot: a peer that has all keys and lies. Places in
/// the chains stay true.
fn lie(
    session: &Session,
    rng: &mut dyn CryptoRng,
    content: &[u8],
    say: impl FnOnce(&mut [u8; BRAID_SLOT_BYTES]),
) -> (Session, Vec<u8>) {
    let mut next = session.duplicate();
    if next.step_due {
        next = next.begin_sending(rng).unwrap();
    }
    let (braid, message, known) = next.braid.take().unwrap().send(rng);
    next.braid = Some(braid);
    let mut said = Slot { message, number: 0, previous: 0 }.encode();
    say(&mut said);
    let message = Slot::decode(&said).expect("a slot that a header may hold").message;
    let (epoch_key, place) = next.epochs.seal(message.epoch).unwrap();
    if let Some(known) = known {
        next.epochs.add(&known);
    }
    let slot = Slot { message, number: place.number, previous: place.previous };
    let chain = next.sending.take().unwrap();
    let kind = Kind::Message { previous: next.previous, number: chain.number, slot };
    let (chain, message_key) = chain.advance().unwrap();
    let message_key = epoch_key.mix(&message_key);
    let length = Padding::None.packet_bytes(content.len()).unwrap();
    let packet = next.packet(rng, &chain, kind, message_key.as_bytes(), content, length);
    next.sending = Some(chain);
    next.sealed += 1;
    (next, packet)
}

/// The packet with another header, authentic again under the sender's header key; its body is not.
fn with_header(sender: &Session, packet: &[u8], change: impl FnOnce(&mut [u8; HEADER_BYTES])) -> Vec<u8> {
    let key = &sender.sending.as_ref().unwrap().header_key;
    let (sealed, body) = packet.split_first_chunk::<SEALED_HEADER_BYTES>().unwrap();
    let mut sealed = *sealed;
    assert!(key.opens(&mut sealed), "a packet of the running chain");
    change(sealed[NONCE_BYTES..].first_chunk_mut().unwrap());
    key.seal(&mut sealed);
    [&sealed, body].concat()
}
