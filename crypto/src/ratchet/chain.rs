//! The chains of a session: one that seals, one that opens, and old ones whose late packets may still come.

use sotto_inner::limits::SKIPPED_GAP_MAX;

use super::{
    chain_key::ChainKey,
    ephemeral_key::EphemeralKey,
    header_key::HeaderKey,
    message_key::MessageKey,
    skipped::{Runs, SkippedChanges},
};
use crate::error::PeerMisbehaved;

/// One direction between two Diffie-Hellman steps, where it stands. Both sides hold the same.
pub(super) struct Chain {
    pub(super) header_key: HeaderKey,
    pub(super) chain_key: ChainKey,
    /// Number of the next packet, from 0.
    pub(super) number: u32,
    pub(super) ephemeral_key: EphemeralKey,
}

/// The chain on which the peer's packets arrive.
pub(super) struct ReceivingChain {
    pub(super) chain: Chain,
    pub(super) runs: Runs,
}

/// A chain that the peer has ended and some of whose packets have not come. Its chain key is gone.
pub(super) struct OldChain {
    pub(super) header_key: HeaderKey,
    /// Never empty.
    pub(super) runs: Runs,
}

impl Chain {
    /// One packet further; `None` at the last number, which is never used.
    pub(super) fn advance(self) -> Option<(Self, MessageKey)> {
        let number = self.number.checked_add(1)?;
        let (chain_key, message_key) = self.chain_key.advance();
        Some((Self { chain_key, number, ..self }, message_key))
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { header_key, chain_key, number, ephemeral_key } = self;
        Self {
            header_key: header_key.duplicate(),
            chain_key: chain_key.duplicate(),
            number: *number,
            ephemeral_key: ephemeral_key.duplicate(),
        }
    }
}

impl ReceivingChain {
    /// Walks up to packet `until` and keeps the keys in between. Linear in the gap, which is bounded, and which only the
    /// peer can make: the header that named `until` was authentic.
    pub(super) fn skip_to(
        self,
        until: u32,
        now: u64,
        next_id: &mut u64,
        changes: &mut SkippedChanges,
    ) -> Result<Self, PeerMisbehaved> {
        let Self { mut chain, mut runs } = self;
        let gap = until.saturating_sub(chain.number);
        if gap > SKIPPED_GAP_MAX {
            return Err(PeerMisbehaved::GapTooLarge);
        }
        if gap > 0 {
            let id = runs.keep(chain.number, gap, now, next_id);
            changes.put.reserve(gap as usize);
            for number in chain.number..until {
                let (next, message_key) = chain.advance().ok_or(PeerMisbehaved::MalformedHeader)?;
                changes.put.push((id, number, message_key.into_skipped()));
                chain = next;
            }
        }
        Ok(Self { chain, runs })
    }

    /// What is left to wait for once the peer has ended the chain.
    pub(super) fn retire(self) -> Option<OldChain> {
        let Self { chain, runs } = self;
        (!runs.is_empty()).then_some(OldChain { header_key: chain.header_key, runs })
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { chain, runs } = self;
        Self { chain: chain.duplicate(), runs: runs.clone() }
    }
}

impl OldChain {
    pub(super) fn duplicate(&self) -> Self {
        let Self { header_key, runs } = self;
        Self { header_key: header_key.duplicate(), runs: runs.clone() }
    }
}

impl core::fmt::Debug for Chain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { header_key: _, chain_key: _, number, ephemeral_key: _ } = self;
        f.debug_struct("Chain").field("number", number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret32;

    fn chain(number: u32) -> Chain {
        let secret = || Secret32::copied(&[7; 32]);
        Chain {
            header_key: HeaderKey::new(secret()),
            chain_key: ChainKey::new(secret()),
            number,
            ephemeral_key: EphemeralKey::new(secret()),
        }
    }

    #[test]
    fn the_last_number_is_never_used() {
        assert_eq!(chain(u32::MAX - 1).advance().unwrap().0.number, u32::MAX);
        assert!(chain(u32::MAX).advance().is_none());
    }

    #[test]
    fn skipped_keys_are_those_a_walk_yields() {
        let receiving = ReceivingChain { chain: chain(3), runs: Runs::default() };
        let (mut next_id, mut changes) = (0, SkippedChanges::default());
        let walked = receiving.skip_to(5, 0, &mut next_id, &mut changes).unwrap();
        let (one, third) = chain(3).advance().unwrap();
        let (two, fourth) = one.advance().unwrap();
        assert_eq!(changes.put.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(changes.put[0].2.to_bytes().as_slice(), third.as_bytes());
        assert_eq!(changes.put[1].2.to_bytes().as_slice(), fourth.as_bytes());
        assert_eq!(walked.chain.chain_key.as_bytes(), two.chain_key.as_bytes());
        assert_eq!(walked.runs.kept(), 2);
    }

    #[test]
    fn a_gap_has_a_bound() {
        let walk = |until| {
            let receiving = ReceivingChain { chain: chain(10), runs: Runs::default() };
            let mut changes = SkippedChanges::default();
            receiving.skip_to(until, 0, &mut 0, &mut changes).map(|_| changes.put.len())
        };
        assert_eq!(walk(5).unwrap(), 0, "nothing lies behind");
        assert_eq!(walk(2_010).unwrap(), 2_000);
        assert_eq!(walk(2_011).unwrap_err(), PeerMisbehaved::GapTooLarge);
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", chain(3)), @"Chain { number: 3, .. }");
    }
}
