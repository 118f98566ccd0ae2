//! What a relay can do that does not keep to its rules: it keeps all that it ever delivered, and delivers it again, twice, in
//! another order, late, or with noise between; it says done of what it drops, lies about leases, and hands out other bundles
//! than it was given. It cannot make what its readers would believe.

use std::collections::BTreeMap;

use sotto_inner::limits::BUCKETS;
use sotto_outer::{
    Ack, Answer, Bundle, ClientFrame, Command, Deliver, EnvelopeId, LeaseOutcome, ReceiveId, RelayFrame, Subscribed,
};
use sotto_relay::core::Conn;

use super::{chance::Chance, relay::RelayId};

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
    /// Keeps an envelope to itself for good, as if its reader had acknowledged it.
    pub steal_one_in: u64,
    /// Says done of an envelope that it drops.
    pub false_ack_one_in: u64,
    /// Says that another state spoke for a mailbox.
    pub other_lease_one_in: u64,
}

/// What a relay answers to a command in place of doing it; none, and it keeps to its rules.
pub type Overrule = fn(RelayId, &Command) -> Option<Answer>;

/// In which order what was kept is delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// As it was.
    InOrder,
    /// The last first.
    Backwards,
    /// By chance.
    Shuffled,
}

/// A relay's bad side.
#[derive(Debug)]
pub(super) struct Hostile {
    pub(super) mischief: Mischief,
    /// What is answered in place of being done.
    pub(super) overrule: Option<Overrule>,
    /// Everything ever delivered, by mailbox.
    kept: BTreeMap<ReceiveId, Vec<Deliver>>,
    held: BTreeMap<Conn, Deliver>,
    /// Every bundle that was asked for, as the rules answered.
    pub(super) bundles: Vec<Bundle>,
    /// Given out in place of every bundle.
    pub(super) forged: Option<Bundle>,
    /// Envelopes that were dropped and said to be there.
    pub(super) dropped: u64,
    chance: Chance,
}

/// What becomes of a frame.
#[derive(Debug, Default)]
pub(super) struct Twisted {
    /// What goes out in its place.
    pub(super) out: Vec<RelayFrame>,
    /// What the rules are told that its reader said.
    pub(super) acknowledged: Option<Ack>,
}

impl From<Vec<RelayFrame>> for Twisted {
    fn from(out: Vec<RelayFrame>) -> Self {
        Self { out, acknowledged: None }
    }
}

impl Hostile {
    pub(super) fn new(seed: u64) -> Self {
        let chance = Chance::fork(seed, "hostile", 0);
        Self {
            mischief: Mischief::default(),
            overrule: None,
            kept: BTreeMap::new(),
            held: BTreeMap::new(),
            bundles: Vec::new(),
            forged: None,
            dropped: 0,
            chance,
        }
    }

    /// Everything ever delivered to a mailbox.
    pub(super) fn kept(&self, mailbox: &ReceiveId) -> &[Deliver] {
        self.kept.get(mailbox).map_or(&[], Vec::as_slice)
    }

    /// Everything ever delivered to a mailbox, in an order.
    pub(super) fn kept_again(&mut self, mailbox: &ReceiveId, order: Again) -> Vec<Deliver> {
        let mut kept = self.kept(mailbox).to_vec();
        match order {
            Again::InOrder => {}
            Again::Backwards => kept.reverse(),
            Again::Shuffled => {
                for last in (1..kept.len()).rev() {
                    kept.swap(last, self.chance.below(last as u64 + 1) as usize);
                }
            }
        }
        kept
    }

    /// Everything ever delivered to other mailboxes than this.
    pub(super) fn kept_elsewhere(&self, mailbox: &ReceiveId) -> Vec<Deliver> {
        let others = self.kept.iter().filter(|(other, _)| *other != mailbox);
        others.flat_map(|(_, kept)| kept.iter().cloned()).collect()
    }

    /// What is answered to bytes that no rule ever sees.
    pub(super) fn answer_falsely(&mut self, relay: RelayId, bytes: &[u8]) -> Option<RelayFrame> {
        if let Some(overrule) = self.overrule {
            let ClientFrame { request, command } = ClientFrame::decode(bytes).ok()?;
            if let Some(answer) = overrule(relay, &command) {
                return Some(RelayFrame::Answer { request, answer });
            }
        }
        if self.mischief.false_ack_one_in == 0 {
            return None;
        }
        let ClientFrame { request, command: Command::Send(_) } = ClientFrame::decode(bytes).ok()? else { return None };
        if !self.chance.one_in(self.mischief.false_ack_one_in) {
            return None;
        }
        self.dropped += 1;
        Some(RelayFrame::Answer { request, answer: Answer::Done })
    }

    /// What goes out in place of a frame.
    pub(super) fn twist(&mut self, conn: Conn, frame: RelayFrame) -> Twisted {
        match frame {
            RelayFrame::Deliver(deliver) => self.twist_delivery(conn, deliver),
            RelayFrame::Answer { request, answer } => {
                vec![RelayFrame::Answer { request, answer: self.twist_answer(answer) }].into()
            }
            RelayFrame::CaughtUp { mailbox: _ } | RelayFrame::Entry(_) => vec![frame].into(),
        }
    }

    fn twist_answer(&mut self, answer: Answer) -> Answer {
        match answer {
            Answer::Bundle(bundle) => {
                self.bundles.push(bundle.clone());
                Answer::Bundle(self.forged.clone().unwrap_or(bundle))
            }
            Answer::Subscribed(Subscribed { mut outcomes }) => {
                for outcome in &mut outcomes {
                    if self.chance.one_in(self.mischief.other_lease_one_in) {
                        *outcome = LeaseOutcome::Other;
                    }
                }
                Answer::Subscribed(Subscribed { outcomes })
            }
            Answer::Info(_)
            | Answer::Done
            | Answer::Denied
            | Answer::Full { retry_after_secs: _ }
            | Answer::Busy { retry_after_secs: _ }
            | Answer::Refused { reason: _ }
            | Answer::Appended { seq: _ }
            | Answer::Stale { generation: _ }
            | Answer::Entries(_)
            | Answer::Closed
            | Answer::Work { bits: _ }
            | Answer::Tokens(_)
            | Answer::Forwarded(_)
            | Answer::Blob(_)
            | Answer::Unreachable { retry_after_secs: _ } => answer,
        }
    }

    fn twist_delivery(&mut self, conn: Conn, deliver: Deliver) -> Twisted {
        self.kept.entry(deliver.mailbox).or_default().push(deliver.clone());
        let Mischief {
            duplicate_one_in,
            reorder_one_in,
            withhold_one_in,
            replay_one_in,
            junk_one_in,
            steal_one_in,
            false_ack_one_in: _,
            other_lease_one_in: _,
        } = self.mischief;
        if self.chance.one_in(steal_one_in) {
            let ack = Ack { mailbox: deliver.mailbox, ids: vec![deliver.id] };
            return Twisted { out: Vec::new(), acknowledged: Some(ack) };
        }
        if self.chance.one_in(withhold_one_in) {
            return Twisted::default();
        }
        if !self.held.contains_key(&conn) && self.chance.one_in(reorder_one_in) {
            self.held.insert(conn, deliver);
            return Twisted::default();
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
        out.into_iter().map(RelayFrame::Deliver).collect::<Vec<_>>().into()
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
