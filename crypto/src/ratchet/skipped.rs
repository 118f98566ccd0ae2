//! What lost and late packets leave behind: message keys kept for a while, in rows of their own.
//!
//! A session holds no skipped key. It knows *runs*: which numbers of a chain, of the Double Ratchet's or an epoch's, were skipped at about the same time, and how
//! many of their keys are still kept. The keys lie in the store under (chain id, number), one chain id a run.
//!
//! Invariants:
//! - A run spans at most a day, so that its keys are aged out together: kept at least 27 days, at most 28. It holds at most
//!   as many keys as a session keeps, so that the oldest run that gives way is never all there is.
//! - Over all runs of a session, of either ratchet, at most `SKIPPED_KEYS_MAX` keys are kept: the oldest runs go first, none is refused.
//! - A key is deleted in the step that opens its packet, and a run with its last key.

use core::fmt;

use sotto_inner::limits::{SKIPPED_KEY_SECS, SKIPPED_KEYS_MAX};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{epoch_key::EpochMessageKey, message_key::MessageKey};
use crate::{error::StateError, secret::Secret32};

/// How long skipped keys join the run before them, in seconds.
const RUN_SECS: u64 = 86_400;

/// Names a run of skipped keys within its session. Never used twice in one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u64);

/// The key of a packet that has not come yet.
#[derive(ZeroizeOnDrop)]
pub struct SkippedKey(Secret32);

/// The store's rows of skipped keys of one session.
pub trait SkippedKeys {
    /// The key kept under a chain id and a packet number.
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey>;
}

/// No rows: for a session that has just begun, and for tests.
#[derive(Clone, Copy, Debug)]
pub struct NoSkippedKeys;

/// What a step changes among the rows, in any order: nothing is both put and deleted. What is not there needs no deleting.
#[derive(Debug, Default)]
pub struct SkippedChanges {
    /// Keys to keep.
    pub put: Vec<(ChainId, u32, SkippedKey)>,
    /// Keys that have been used.
    pub delete: Vec<(ChainId, u32)>,
    /// Runs of which every row goes.
    pub delete_chains: Vec<ChainId>,
}

/// Skipped numbers of one chain, from `from` up to the next run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: ChainId,
    /// The first number it may hold.
    pub(super) from: u32,
    /// Keys still kept; never zero in a state at rest.
    pub(super) kept: u32,
    /// When it began, in Unix seconds.
    pub(super) at: u64,
}

/// The runs of one chain, in order of their numbers and of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(pub(super) Vec<Run>);

impl Run {
    fn is_expired(&self, now: u64) -> bool {
        now.saturating_sub(self.at) >= SKIPPED_KEY_SECS
    }
}

impl Runs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys kept over all runs.
    pub(super) fn kept(&self) -> u32 {
        self.0.iter().map(|run| run.kept).sum()
    }

    /// The id under which `number` was kept, if it was and is not too old.
    pub(super) fn id_of(&self, number: u32, now: u64) -> Option<ChainId> {
        self.0.iter().rfind(|run| run.from <= number).filter(|run| !run.is_expired(now)).map(|run| run.id)
    }

    /// Takes note that `count` keys from `from` on are kept, and says under which id.
    pub(super) fn keep(&mut self, from: u32, count: u32, now: u64, next_id: &mut u64) -> ChainId {
        if let Some(last) = self.0.last_mut()
            && now < last.at.saturating_add(RUN_SECS)
            && last.kept + count <= SKIPPED_KEYS_MAX
        {
            last.kept += count;
            return last.id;
        }
        let id = ChainId(*next_id);
        *next_id += 1;
        self.0.push(Run { id, from, kept: count, at: now });
        id
    }

    /// Takes note that one key of a run was used.
    pub(super) fn used(&mut self, id: ChainId) {
        for run in self.0.iter_mut().filter(|run| run.id == id) {
            run.kept -= 1;
        }
        self.0.retain(|run| run.kept > 0);
    }

    /// Forgets the oldest run.
    pub(super) fn drop_oldest(&mut self) -> Option<ChainId> {
        (!self.0.is_empty()).then(|| self.0.remove(0).id)
    }

    /// Brings the runs of one ratchet, the oldest first, under the bound of a session: the oldest go.
    pub(super) fn drop_excess(mut all: Vec<&mut Self>, changes: &mut SkippedChanges) {
        while all.iter().map(|runs| runs.kept()).sum::<u32>() > SKIPPED_KEYS_MAX {
            let oldest = all.iter_mut().find_map(|runs| runs.drop_oldest()).expect("keys are kept, so there is a run");
            changes.delete_chain(oldest);
        }
    }

    /// Forgets runs that are too old.
    pub(super) fn drop_expired(&mut self, now: u64, changes: &mut SkippedChanges) {
        changes.delete_chains.extend(self.0.iter().filter(|run| run.is_expired(now)).map(|run| run.id));
        self.0.retain(|run| !run.is_expired(now));
    }
}

impl SkippedChanges {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { put, delete, delete_chains } = self;
        put.is_empty() && delete.is_empty() && delete_chains.is_empty()
    }

    /// Forgets a run, even one put in this very step.
    pub(super) fn delete_chain(&mut self, id: ChainId) {
        self.put.retain(|(put, _, _)| *put != id);
        self.delete_chains.push(id);
    }
}

impl SkippedKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Used, once its packet has come.
    pub(super) fn into_message_key(self) -> MessageKey {
        MessageKey::new(self.0.duplicate())
    }

    /// Used, once its packet has come: the Braid's key of it.
    pub(super) fn into_epoch_message_key(self) -> EpochMessageKey {
        EpochMessageKey::new(self.0.duplicate())
    }

    /// The 32 bytes of a row.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`StateError::Malformed`] unless there are 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        Secret32::from_slice(bytes).map(Self).ok_or(StateError::Malformed)
    }
}

impl SkippedKeys for NoSkippedKeys {
    fn get(&self, _: ChainId, _: u32) -> Option<SkippedKey> {
        None
    }
}

impl fmt::Debug for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SkippedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn keys_of_one_day_share_a_run() {
        let (mut runs, mut next_id) = (Runs::default(), 0);
        assert_eq!(runs.keep(0, 2, 10, &mut next_id), ChainId(0));
        assert_eq!(runs.keep(5, 1, 10 + DAY - 1, &mut next_id), ChainId(0));
        assert_eq!(runs.keep(9, 3, 10 + DAY, &mut next_id), ChainId(1));
        assert_eq!(runs.keep(20, 1, 0, &mut next_id), ChainId(1), "a clock set back begins no run");
        assert_eq!((runs.kept(), next_id), (7, 2));
        assert_eq!(runs.id_of(0, 10 + DAY), Some(ChainId(0)));
        assert_eq!(runs.id_of(8, 10 + DAY), Some(ChainId(0)));
        assert_eq!(runs.id_of(9, 10 + DAY), Some(ChainId(1)));
    }

    #[test]
    fn a_run_goes_with_its_last_key() {
        let (mut runs, mut next_id) = (Runs::default(), 7);
        let id = runs.keep(3, 2, 10, &mut next_id);
        assert_eq!(runs.id_of(2, 10 + DAY), None);
        runs.used(id);
        assert_eq!(runs.kept(), 1);
        runs.used(id);
        assert!(runs.is_empty());
    }

    #[test]
    fn runs_age_out_one_by_one() {
        let (mut runs, mut next_id, mut changes) = (Runs::default(), 0, SkippedChanges::default());
        runs.keep(0, 1, 0, &mut next_id);
        runs.keep(1, 1, DAY, &mut next_id);
        runs.drop_expired(SKIPPED_KEY_SECS - 1, &mut changes);
        assert!(changes.is_empty());
        runs.drop_expired(SKIPPED_KEY_SECS, &mut changes);
        assert_eq!(changes.delete_chains, [ChainId(0)]);
        assert_eq!(runs.kept(), 1);
    }

    #[test]
    fn a_row_survives_its_encoding() {
        let key = SkippedKey::new(Secret32::copied(&[7; 32]));
        assert_eq!(SkippedKey::from_bytes(&key.to_bytes()).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(SkippedKey::from_bytes(&[0; 33]).unwrap_err(), StateError::Malformed);
    }

    #[test]
    fn debug_prints_no_contents() {
        let changes = SkippedChanges {
            put: vec![(ChainId(1), 2, SkippedKey::new(Secret32::copied(&[7; 32])))],
            ..SkippedChanges::default()
        };
        insta::assert_snapshot!(
            format!("{changes:?}"),
            @"SkippedChanges { put: [(ChainId(1), 2, SkippedKey(..))], delete: [], delete_chains: [] }"
        );
    }
}
