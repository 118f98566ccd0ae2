//! The epoch chains of a session: what the Braid's secrets feed, and what each packet's key is mixed with.
//!
//! ```text
//! handshake ─► root ──secret of 1──► root ──secret of 2──► root …
//!               ├► chain of epoch 0   ├► chain of epoch 1   ├► chain of epoch 2      one in each direction
//! ```
//!
//! A packet that carries the Braid's epoch e is sealed under the chain of e - 1: whoever reads it knows that epoch's secret.
//!
//! Invariants:
//! - In each direction one chain runs; of the newest epoch one more may wait ahead, until its first packet.
//! - The first packet of an epoch ends the chain before it at the length it tells: what is missing is kept as skipped keys,
//!   and the chain key is gone.

use sotto_inner::limits::{SKIPPED_CHAINS_MAX, SKIPPED_GAP_MAX};

use super::{
    braid::{Epoch, EpochSecret, Slot},
    epoch_key::{EpochChainKey, EpochMessageKey, EpochRoot, EpochStart},
    open::OpenError,
    skipped::{Runs, SkippedChanges, SkippedKeys},
};
use crate::{error::PeerMisbehaved, secret::Secret32};

/// All epoch chains of one side.
pub(super) struct Epochs {
    pub(super) root: EpochRoot,
    /// Whether this side began the session: which of an epoch's two chains is the sending one.
    pub(super) initiator: bool,
    pub(super) sending: EpochChain,
    /// Packets in the sending chain before.
    pub(super) previous: u32,
    pub(super) receiving: EpochChain,
    pub(super) receiving_runs: Runs,
    /// The chains of the epoch after the running one, as far as it is known.
    pub(super) ahead_sending: Option<EpochChainKey>,
    pub(super) ahead_receiving: Option<EpochChainKey>,
    /// Ended receiving chains some of whose packets have not come, the oldest first.
    pub(super) old: Vec<OldEpoch>,
}

/// One direction of one epoch, where it stands.
pub(super) struct EpochChain {
    pub(super) epoch: u32,
    pub(super) key: EpochChainKey,
    /// Number of the next packet, from 0.
    pub(super) number: u32,
}

/// An epoch that the peer has left and some of whose packets have not come. Its chain key is gone.
pub(super) struct OldEpoch {
    pub(super) epoch: u32,
    /// Never empty.
    pub(super) runs: Runs,
}

/// The place of a packet that is sealed: what the slot tells of it.
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) previous: u32,
}

impl Epochs {
    /// Epoch 0.
    pub(super) fn start(secret: &Secret32, initiator: bool) -> Self {
        let start = EpochStart::of_handshake(secret);
        let (sending, receiving) =
            if initiator { (start.initiator, start.responder) } else { (start.responder, start.initiator) };
        Self {
            root: start.root,
            initiator,
            sending: EpochChain::first(0, sending),
            previous: 0,
            receiving: EpochChain::first(0, receiving),
            receiving_runs: Runs::default(),
            ahead_sending: None,
            ahead_receiving: None,
            old: Vec::new(),
        }
    }

    /// Takes in an epoch's secret. Its chains wait until a packet is sealed or opened under them.
    pub(super) fn add(&mut self, known: &EpochSecret) {
        debug_assert_eq!(known.epoch.0, self.sending.epoch + 1, "no epoch is left out");
        let start = self.root.duplicate().advance(&known.secret);
        let (sending, receiving) =
            if self.initiator { (start.initiator, start.responder) } else { (start.responder, start.initiator) };
        self.root = start.root;
        (self.ahead_sending, self.ahead_receiving) = (Some(sending), Some(receiving));
    }

    /// One packet further in the sending chain of the epoch before `braid`. `None` at the last number, which is never used.
    pub(super) fn seal(&mut self, braid: Epoch) -> Option<(EpochMessageKey, Place)> {
        let epoch = braid.before().0;
        if self.sending.epoch < epoch {
            let key = self.ahead_sending.take().expect("the Braid enters an epoch with the secret of the one before");
            self.previous = self.sending.number;
            self.sending = EpochChain::first(epoch, key);
        }
        let place = Place { number: self.sending.number, previous: self.previous };
        let (sending, message_key) = self.sending.duplicate().advance()?;
        self.sending = sending;
        Some((message_key, place))
    }

    /// The key of the packet at a slot's place: of the running chain, of the next epoch's first packet, or kept.
    pub(super) fn open(
        &mut self,
        slot: &Slot,
        now: u64,
        next_id: &mut u64,
        changes: &mut SkippedChanges,
        skipped: &dyn SkippedKeys,
    ) -> Result<EpochMessageKey, OpenError> {
        let epoch = slot.message.epoch.before().0;
        if epoch > self.receiving.epoch {
            self.begin_receiving(epoch, slot.previous, now, next_id, changes)?;
        }
        if epoch == self.receiving.epoch && slot.number >= self.receiving.number {
            self.skip_to(slot.number, now, next_id, changes)?;
            let (receiving, key) = self.receiving.duplicate().advance().ok_or(PeerMisbehaved::MalformedHeader)?;
            self.receiving = receiving;
            return Ok(key);
        }
        self.use_skipped(epoch, slot.number, now, changes, skipped)
    }

    /// The peer has left the running epoch for the next one.
    fn begin_receiving(
        &mut self,
        epoch: u32,
        previous: u32,
        now: u64,
        next_id: &mut u64,
        changes: &mut SkippedChanges,
    ) -> Result<(), PeerMisbehaved> {
        let next = self.ahead_receiving.take().filter(|_| self.receiving.epoch.checked_add(1) == Some(epoch));
        let key = next.ok_or(PeerMisbehaved::MalformedHeader)?;
        self.skip_to(previous, now, next_id, changes)?;
        let runs = core::mem::take(&mut self.receiving_runs);
        if !runs.is_empty() {
            self.old.push(OldEpoch { epoch: self.receiving.epoch, runs });
        }
        self.receiving = EpochChain::first(epoch, key);
        Ok(())
    }

    /// Walks up to packet `until` of the running chain and keeps the keys in between. Linear in the gap, which is bounded.
    fn skip_to(
        &mut self,
        until: u32,
        now: u64,
        next_id: &mut u64,
        changes: &mut SkippedChanges,
    ) -> Result<(), PeerMisbehaved> {
        let from = self.receiving.number;
        let gap = until.saturating_sub(from);
        if gap > SKIPPED_GAP_MAX {
            return Err(PeerMisbehaved::GapTooLarge);
        }
        if gap > 0 {
            let id = self.receiving_runs.keep(from, gap, now, next_id);
            changes.put.reserve(gap as usize);
            for number in from..until {
                let (next, key) = self.receiving.duplicate().advance().ok_or(PeerMisbehaved::MalformedHeader)?;
                changes.put.push((id, number, key.into_skipped()));
                self.receiving = next;
            }
        }
        Ok(())
    }

    /// A late packet's key: used once and deleted.
    fn use_skipped(
        &mut self,
        epoch: u32,
        number: u32,
        now: u64,
        changes: &mut SkippedChanges,
        skipped: &dyn SkippedKeys,
    ) -> Result<EpochMessageKey, OpenError> {
        let runs = if epoch == self.receiving.epoch {
            &mut self.receiving_runs
        } else {
            let old = self.old.iter_mut().find(|old| old.epoch == epoch);
            &mut old.ok_or(OpenError::Replayed)?.runs
        };
        let id = runs.id_of(number, now).ok_or(OpenError::Replayed)?;
        let key = skipped.get(id, number).ok_or(OpenError::Replayed)?;
        runs.used(id);
        changes.delete.push((id, number));
        self.old.retain(|old| !old.runs.is_empty());
        Ok(key.into_epoch_message_key())
    }

    /// Forgets runs that are too old, and epochs without runs.
    pub(super) fn drop_expired(&mut self, now: u64, changes: &mut SkippedChanges) {
        for runs in self.all_runs() {
            runs.drop_expired(now, changes);
        }
        self.old.retain(|old| !old.runs.is_empty());
    }

    /// Brings old epochs and skipped keys under their bounds: the oldest go.
    pub(super) fn drop_excess(&mut self, changes: &mut SkippedChanges) {
        while self.old.len() > SKIPPED_CHAINS_MAX {
            for run in self.old.remove(0).runs.0 {
                changes.delete_chain(run.id);
            }
        }
        Runs::drop_excess(self.all_runs().collect(), changes);
        self.old.retain(|old| !old.runs.is_empty());
    }

    /// The runs of all epochs, the oldest first.
    pub(super) fn all_runs(&mut self) -> impl Iterator<Item = &mut Runs> {
        self.old.iter_mut().map(|old| &mut old.runs).chain(core::iter::once(&mut self.receiving_runs))
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { root, initiator, sending, previous, receiving, receiving_runs, ahead_sending, ahead_receiving, old } =
            self;
        Self {
            root: root.duplicate(),
            initiator: *initiator,
            sending: sending.duplicate(),
            previous: *previous,
            receiving: receiving.duplicate(),
            receiving_runs: receiving_runs.clone(),
            ahead_sending: ahead_sending.as_ref().map(EpochChainKey::duplicate),
            ahead_receiving: ahead_receiving.as_ref().map(EpochChainKey::duplicate),
            old: old.iter().map(|OldEpoch { epoch, runs }| OldEpoch { epoch: *epoch, runs: runs.clone() }).collect(),
        }
    }
}

impl EpochChain {
    fn first(epoch: u32, key: EpochChainKey) -> Self {
        Self { epoch, key, number: 0 }
    }

    /// One packet further; `None` at the last number, which is never used.
    fn advance(self) -> Option<(Self, EpochMessageKey)> {
        let Self { epoch, key, number } = self;
        let next = number.checked_add(1)?;
        let (key, message_key) = key.advance(number);
        Some((Self { epoch, key, number: next }, message_key))
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { epoch, key, number } = self;
        Self { epoch: *epoch, key: key.duplicate(), number: *number }
    }
}

impl core::fmt::Debug for Epochs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Epochs")
            .field("sending", &self.sending.epoch)
            .field("receiving", &self.receiving.epoch)
            .field("old", &self.old.len())
            .finish_non_exhaustive()
    }
}
