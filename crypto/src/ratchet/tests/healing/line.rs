//! Keys of packets along one chain, of either ratchet. A thief walks on and forgets nothing.

use super::{
    super::super::{chain_key::ChainKey, epoch_key::EpochChainKey, skipped::Runs},
    *,
};

/// Keys of packets: those that were found, and those that a walk yields.
pub(super) struct Line<K> {
    pub(super) next: Option<(u32, K)>,
    pub(super) kept: BTreeMap<u32, Secret32>,
}

/// A chain key of either ratchet.
pub(super) trait Walk: Sized {
    fn walk(self, number: u32) -> (Self, Secret32);
}

impl<K: Walk> Line<K> {
    pub(super) fn key(&mut self, number: u32) -> Option<Secret32> {
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
pub(super) fn kept(runs: &Runs, rows: &Stored) -> BTreeMap<u32, Secret32> {
    let of_run = |id: ChainId| rows.range((id, 0)..=(id, u32::MAX));
    let rows = runs.0.iter().flat_map(|run| of_run(run.id));
    rows.map(|((_, number), row)| (*number, Secret32::from_slice(row).unwrap())).collect()
}
