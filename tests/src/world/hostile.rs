//! What a relay can do that does not keep to its rules: it keeps all that it ever delivered, and delivers it again, twice, in
//! another order, late, or with noise between. It cannot make what its readers would believe.

use std::collections::BTreeMap;

use sotto_inner::limits::BUCKETS;
use sotto_outer::{Deliver, EnvelopeId, ReceiveId, RelayFrame};
use sotto_relay::core::Conn;

use super::chance::Chance;

/// How a relay misbehaves. A number n means with one delivery in n, 0 never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mischief {
    /// Delivers an envelope twice.
    pub duplicate_one_in: u64,
    /// Delivers an envelope after the one that follows it.
    pub reorder_one_in: u64,
    /// Keeps an envelope back until the line is cut.
    pub withhold_one_in: u64,
    /// Delivers an old envelope of the same mailbox, half of the time under a new id.
    pub replay_one_in: u64,
    /// Delivers noise.
    pub junk_one_in: u64,
}

/// A relay's bad side.
#[derive(Debug)]
pub(super) struct Hostile {
    pub(super) mischief: Mischief,
    /// Everything ever delivered, by mailbox.
    kept: BTreeMap<ReceiveId, Vec<Deliver>>,
    held: BTreeMap<Conn, Deliver>,
    chance: Chance,
}

impl Hostile {
    pub(super) fn new(seed: u64) -> Self {
        let chance = Chance::fork(seed, "hostile", 0);
        Self { mischief: Mischief::default(), kept: BTreeMap::new(), held: BTreeMap::new(), chance }
    }

    /// Everything ever delivered to a mailbox.
    pub(super) fn kept(&self, mailbox: &ReceiveId) -> &[Deliver] {
        self.kept.get(mailbox).map_or(&[], Vec::as_slice)
    }

    /// What goes out in place of a frame.
    pub(super) fn twist(&mut self, conn: Conn, frame: RelayFrame) -> Vec<RelayFrame> {
        let RelayFrame::Deliver(deliver) = frame else { return vec![frame] };
        self.kept.entry(deliver.mailbox).or_default().push(deliver.clone());
        let Mischief { duplicate_one_in, reorder_one_in, withhold_one_in, replay_one_in, junk_one_in } = self.mischief;
        if self.chance.one_in(withhold_one_in) {
            return Vec::new();
        }
        if !self.held.contains_key(&conn) && self.chance.one_in(reorder_one_in) {
            self.held.insert(conn, deliver);
            return Vec::new();
        }
        let mut out = vec![deliver.clone()];
        if self.chance.one_in(duplicate_one_in) {
            out.push(deliver.clone());
        }
        out.extend(self.held.remove(&conn));
        if self.chance.one_in(replay_one_in) {
            out.extend(self.replay(&deliver.mailbox));
        }
        if self.chance.one_in(junk_one_in) {
            out.push(self.junk(deliver.mailbox));
        }
        out.into_iter().map(RelayFrame::Deliver).collect()
    }

    fn replay(&mut self, mailbox: &ReceiveId) -> Option<Deliver> {
        let kept = self.kept.get(mailbox)?;
        let mut old = self.chance.pick(kept)?.clone();
        if self.chance.one_in(2) {
            old.id = self.fresh_id();
        }
        Some(old)
    }

    /// Noise in the size of a packet.
    pub(super) fn junk(&mut self, mailbox: ReceiveId) -> Deliver {
        let bytes = *self.chance.pick(&BUCKETS[..2]).expect("there are buckets");
        Deliver { mailbox, id: self.fresh_id(), payload: self.chance.bytes(bytes) }
    }

    /// An envelope id that nobody has used.
    pub(super) fn fresh_id(&mut self) -> EnvelopeId {
        EnvelopeId::try_from(self.chance.bytes(EnvelopeId::LEN).as_slice()).expect("the length was asked for")
    }
}
