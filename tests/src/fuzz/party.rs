//! One side of a session, with its rows and its chance. After each step it checks what holds of every session.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_crypto::{ChainId, OpenError, Padding, SealError, Session, SkippedChanges, SkippedKey, SkippedKeys, find};
use sotto_inner::limits::{SKIPPED_CHAINS_MAX, SKIPPED_KEYS_MAX};

use super::stored::{Kept, Stored};

/// One side of a session.
#[derive(Debug)]
pub struct Party {
    /// What it knows.
    pub session: Session,
    rows: Rows,
    /// Its chance.
    pub rng: ChaCha20Rng,
}

/// A packet that was opened.
#[derive(Debug)]
pub struct Came {
    /// What it held.
    pub content: Vec<u8>,
    /// Whether it was beside the chain.
    pub ephemeral: bool,
    /// Whether it broke the Braid.
    pub broke: bool,
}

/// Rows of skipped keys.
#[derive(Debug, Default)]
struct Rows(BTreeMap<(ChainId, u32), Vec<u8>>);

impl SkippedKeys for Rows {
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey> {
        self.0.get(&(chain, number)).map(|bytes| SkippedKey::from_bytes(bytes).expect("a row that was written"))
    }
}

impl Rows {
    fn apply(&mut self, changes: SkippedChanges) {
        let SkippedChanges { put, delete, delete_chains } = changes;
        for (chain, number, key) in put {
            assert!(self.0.insert((chain, number), key.to_bytes().to_vec()).is_none(), "a row is put once");
        }
        for row in delete {
            assert!(self.0.remove(&row).is_some(), "a used key had its row");
        }
        if !delete_chains.is_empty() {
            self.0.retain(|(chain, _), _| !delete_chains.contains(chain));
        }
    }
}

impl Party {
    /// With a session, and chance from a seed.
    pub fn new(session: Session, seed: u64) -> Self {
        Self { session, rows: Rows::default(), rng: ChaCha20Rng::seed_from_u64(seed) }
    }

    /// Seals a packet and takes the step.
    ///
    /// # Errors
    /// As the session's.
    pub fn seal(&mut self, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let staged = self.session.seal(&mut self.rng, content, Padding::Bucket)?;
        let (session, changes, packet) = staged.into_parts();
        assert!(changes.is_empty(), "sealing skips nothing");
        self.session = session;
        Ok(packet)
    }

    /// Seals a packet beside the chain.
    ///
    /// # Errors
    /// As the session's.
    pub fn seal_ephemeral(&mut self, content: &[u8]) -> Result<Vec<u8>, SealError> {
        self.session.seal_ephemeral(&mut self.rng, content)
    }

    /// Opens a packet and takes the step.
    ///
    /// # Errors
    /// As the session's.
    pub fn open(&mut self, packet: &[u8], now: u64) -> Result<Came, OpenError> {
        let recognised = find(std::slice::from_ref(&self.session), packet).is_some();
        let staged = self.session.open(packet, now, &self.rows);
        assert_eq!(
            recognised,
            !matches!(staged, Err(OpenError::NotOurs)),
            "the book and the session agree whose it is"
        );
        let (session, changes, opened) = staged?.into_parts();
        if opened.ephemeral {
            let same = changes.is_empty() && *session.encode() == *self.session.encode();
            assert!(same, "an ephemeral packet changes nothing");
        } else {
            self.take(session, changes);
        }
        Ok(Came { content: opened.content.to_vec(), ephemeral: opened.ephemeral, broke: opened.broke })
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: u64) {
        if let Some(staged) = self.session.expire(now) {
            let (session, changes, ()) = staged.into_parts();
            self.take(session, changes);
        }
    }

    /// Puts the session away and takes it up again.
    pub fn store(&mut self) {
        self.session = Session::decode(&self.session.encode()).expect("a state that was encoded");
    }

    /// The session's stored form.
    pub fn stored(&self) -> Stored {
        Stored::of(&self.session)
    }

    fn take(&mut self, session: Session, changes: SkippedChanges) {
        self.rows.apply(changes);
        self.session = session;
        self.check();
    }

    /// What holds after every step: state and rows agree, bounds are kept, the state survives its encoding.
    ///
    /// # Panics
    /// Otherwise.
    pub fn check(&self) {
        let bytes = self.session.encode();
        // Decoding compares: what it reads, it would write the same way.
        Session::decode(&bytes).expect("a state survives its encoding");
        let Stored { ratchet, epochs, braid, .. } = Stored::read(&bytes);
        for Kept { keys, ended } in [ratchet, epochs] {
            assert!(keys <= u64::from(SKIPPED_KEYS_MAX) && ended <= SKIPPED_CHAINS_MAX as u64, "bounds are kept");
        }
        assert_eq!(ratchet.keys + epochs.keys, self.rows.0.len() as u64, "state and rows agree");
        assert_eq!(self.session.is_broken(), braid.is_none());
    }
}
