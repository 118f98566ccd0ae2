//! The epoch chains as far as what was stolen reaches.

use super::{
    super::super::{
        braid::EpochSecret,
        epoch_key::{EpochChainKey, EpochRoot},
        epochs::{EpochChain, Epochs, OldEpoch},
    },
    line::{Line, kept},
    *,
};

/// What is known of the epoch chains.
pub(super) struct EpochKeys {
    root: EpochRoot,
    /// The epoch that the root has taken in last.
    newest: u32,
    /// Who began the session.
    initiator: usize,
    /// By epoch and by who seals.
    lines: BTreeMap<(u32, usize), Line<EpochChainKey>>,
}

impl EpochKeys {
    pub(super) fn stolen(victim: usize, epochs: &Epochs, rows: &Stored) -> Self {
        let initiator = if epochs.initiator { victim } else { 1 - victim };
        let mut keys = Self { root: epochs.root.duplicate(), newest: 0, initiator, lines: BTreeMap::new() };
        keys.learn(victim, epochs, rows);
        keys
    }

    /// Takes in what the victim holds by now; of a chain that is known already, the earlier key is the better one.
    pub(super) fn learn(&mut self, victim: usize, epochs: &Epochs, rows: &Stored) {
        let Epochs {
            root,
            initiator: _,
            sending,
            previous: _,
            receiving,
            receiving_runs,
            ahead_sending,
            ahead_receiving,
            old,
        } = epochs;
        let newest = sending.epoch + u32::from(ahead_sending.is_some());
        if newest >= self.newest {
            (self.root, self.newest) = (root.duplicate(), newest);
        }
        let other = 1 - victim;
        for OldEpoch { epoch, runs } in old {
            self.learn_line(*epoch, other, None, kept(runs, rows));
        }
        let stands = |chain: &EpochChain| Some((chain.number, chain.key.duplicate()));
        self.learn_line(receiving.epoch, other, stands(receiving), kept(receiving_runs, rows));
        self.learn_line(sending.epoch, victim, stands(sending), BTreeMap::new());
        for (chain, ahead, by) in [(receiving, ahead_receiving, other), (sending, ahead_sending, victim)] {
            if let Some(ahead) = ahead {
                self.learn_line(chain.epoch + 1, by, Some((0, ahead.duplicate())), BTreeMap::new());
            }
        }
    }

    fn learn_line(&mut self, epoch: u32, by: usize, next: Option<(u32, EpochChainKey)>, kept: BTreeMap<u32, Secret32>) {
        self.lines.entry((epoch, by)).or_insert(Line { next, kept });
    }

    /// A secret that the stolen Braid has found.
    pub(super) fn add(&mut self, known: &EpochSecret) {
        if known.epoch.0 != self.newest + 1 {
            return;
        }
        let start = self.root.duplicate().advance(&known.secret);
        (self.root, self.newest) = (start.root, known.epoch.0);
        self.learn_line(self.newest, self.initiator, Some((0, start.initiator)), BTreeMap::new());
        self.learn_line(self.newest, 1 - self.initiator, Some((0, start.responder)), BTreeMap::new());
    }

    pub(super) fn key(&mut self, epoch: u32, by: usize, number: u32) -> Option<Secret32> {
        self.lines.get_mut(&(epoch, by))?.key(number)
    }
}
