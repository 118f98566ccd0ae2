//! Opening a packet: header first, then both ratchets on a copy, then the body, then what the Braid says, and only then a
//! next state.
//!
//! ```text
//! header opens under   the receiving key ──► number ahead: walk the chain ──┐   mixed with the
//!                      │                    number behind: skipped key ─────┤   epoch's key of
//!                      the next key ──────► Diffie-Hellman step, new chain ─┤   the same packet
//!                      an old chain's key ► skipped key ────────────────────┴──► body ──► Braid ──► Staged
//!                      the receiving key ─► ephemeral: ephemeral key ──────────► body ──► Staged
//!                      none ──────────────► NotOurs
//! ```
//!
//! Whoever has no header key gets no further than the first column: a forged packet costs one trial per header key, and
//! neither a chain step nor a Diffie-Hellman.

use super::{
    body,
    braid::Slot,
    chain::{Chain, ReceivingChain},
    header::{Header, Kind, SEALED_HEADER_BYTES},
    message_key::MessageKey,
    plaintext::Plaintext,
    session::Session,
    skipped::{ChainId, Runs, SkippedChanges, SkippedKeys},
    staged::Staged,
};
use crate::error::PeerMisbehaved;

/// Why a packet was not opened. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No header key opens it: another session's, another person's, damaged, or noise. Anybody's doing.
    #[error("this message belongs to none of the conversations on this device; it was dropped")]
    NotOurs,
    /// Its key was used or has been given up. The relay's doing or the network's, at worst a thief's.
    #[error("this message was read before or came too late; it was dropped")]
    Replayed,
    /// An ephemeral packet of a Diffie-Hellman step that is over or has not been seen. Nobody's fault; it has no worth
    /// by now.
    #[error("a sign of typing or presence came out of its time; it was dropped")]
    EphemeralOutOfStep,
    /// The other side's doing, or of someone who has its header key.
    #[error(transparent)]
    PeerMisbehaved(#[from] PeerMisbehaved),
}

/// What a packet held.
pub struct Opened {
    /// Its content, without padding.
    pub content: Plaintext,
    /// Whether it was ephemeral: it may then be a repetition, and nothing in it is ever stored.
    pub ephemeral: bool,
    /// Whether this authentic packet broke the Braid: its content stands, and the session must be replaced.
    pub broke: bool,
}

/// Which of a session's header keys opened a header.
#[derive(Clone, Copy)]
enum Whose {
    Receiving,
    Next,
    Old(usize),
}

/// When a packet is opened, and the rows that are kept by then.
#[derive(Clone, Copy)]
struct Moment<'r> {
    /// Unix seconds.
    now: u64,
    skipped: &'r dyn SkippedKeys,
}

/// A session on the way to its next state.
struct Work {
    next: Session,
    changes: SkippedChanges,
}

/// A packet whose header has been opened.
struct Packet<'p> {
    header: Header,
    sealed_header: &'p [u8; SEALED_HEADER_BYTES],
    body: &'p [u8],
}

impl Session {
    /// Opens a packet. `now` is in Unix seconds, `skipped` are this session's rows.
    ///
    /// # Errors
    /// [`OpenError`]; then there is no next state, and this one is as it was.
    pub fn open(&self, packet: &[u8], now: u64, skipped: &dyn SkippedKeys) -> Result<Staged<Opened>, OpenError> {
        let (sealed_header, body) = packet.split_first_chunk().ok_or(OpenError::NotOurs)?;
        let mut scratch = *sealed_header;
        let whose = self.whose(&mut scratch).ok_or(OpenError::NotOurs)?;
        let packet = Packet { header: Header::read(&scratch)?, sealed_header, body };
        let now = Moment { now, skipped };
        match (whose, packet.header.kind) {
            (Whose::Receiving, Kind::Message { previous: _, number, slot }) => {
                self.open_current(&packet, number, &slot, now)
            }
            (Whose::Receiving, Kind::Ephemeral) => self.open_ephemeral(&packet),
            (Whose::Next, Kind::Message { previous, number, slot }) => {
                self.open_next(&packet, previous, number, &slot, now)
            }
            (Whose::Old(index), Kind::Message { previous: _, number, slot }) => {
                self.open_skipped(&packet, &self.old[index].runs, number, &slot, now)
            }
            (Whose::Next | Whose::Old(_), Kind::Ephemeral) => Err(OpenError::EphemeralOutOfStep),
        }
    }

    /// Whether one of this session's header keys opens the header in `scratch`, which is untouched if not.
    pub(crate) fn recognises(&self, scratch: &mut [u8; SEALED_HEADER_BYTES]) -> bool {
        self.whose(scratch).is_some()
    }

    /// Tries the header keys: the receiving chain's, the next one's, the old ones'.
    fn whose(&self, scratch: &mut [u8; SEALED_HEADER_BYTES]) -> Option<Whose> {
        if self.receiving.as_ref().is_some_and(|receiving| receiving.chain.header_key.opens(scratch)) {
            return Some(Whose::Receiving);
        }
        if self.next_receiving_header_key.opens(scratch) {
            return Some(Whose::Next);
        }
        // The latest of them is the likeliest.
        self.old.iter().rposition(|chain| chain.header_key.opens(scratch)).map(Whose::Old)
    }

    /// A packet of the receiving chain.
    fn open_current(
        &self,
        packet: &Packet<'_>,
        number: u32,
        slot: &Slot,
        now: Moment<'_>,
    ) -> Result<Staged<Opened>, OpenError> {
        let receiving = self.receiving_of(packet)?;
        if number < receiving.chain.number {
            return self.open_skipped(packet, &receiving.runs, number, slot, now);
        }
        let mut work = self.begin(now);
        let receiving = work.next.receiving.take().expect("a packet of the receiving chain has one");
        let (receiving, message_key) = work.walk(receiving, number, now)?;
        work.next.receiving = Some(receiving);
        work.finish(packet, message_key, slot, now)
    }

    /// The first packet seen of the peer's next chain: the receiving half of a Diffie-Hellman step. The sending half waits for
    /// the next seal: a key drawn before it is needed is a key that can be stolen meanwhile.
    fn open_next(
        &self,
        packet: &Packet<'_>,
        previous: u32,
        number: u32,
        slot: &Slot,
        now: Moment<'_>,
    ) -> Result<Staged<Opened>, OpenError> {
        let theirs = packet.header.ratchet_key;
        // An honest peer takes its next step only once it has a packet of ours with a new key.
        if self.peer == Some(theirs) || self.step_due {
            return Err(PeerMisbehaved::MalformedHeader.into());
        }
        let mut work = self.begin(now);
        if let Some(ended) = work.next.receiving.take() {
            let ended = ended.skip_to(previous, now.now, &mut work.next.next_run, &mut work.changes)?;
            work.next.old.extend(ended.retire());
        }
        let next = &mut work.next;
        let step = next.root_key.duplicate().advance(&next.private.agree(&theirs)?);
        let chain = Chain {
            header_key: core::mem::replace(&mut next.next_receiving_header_key, step.next_header_key),
            chain_key: step.chain_key,
            number: 0,
            ephemeral_key: step.ephemeral_key,
        };
        next.root_key = step.root_key;
        next.peer = Some(theirs);
        next.step_due = true;
        // The peer's new key answers ours, which stood in every packet of the sending chain: it has one of them.
        next.receipted = next.receipted.max(next.sealed.min(next.sealed_before_chain + 1));
        let (begun, message_key) = work.walk(ReceivingChain { chain, runs: Runs::default() }, number, now)?;
        work.next.receiving = Some(begun);
        work.finish(packet, message_key, slot, now)
    }

    /// A late packet, of the receiving chain or an old one. Its key is used once and deleted.
    fn open_skipped(
        &self,
        packet: &Packet<'_>,
        runs: &Runs,
        number: u32,
        slot: &Slot,
        now: Moment<'_>,
    ) -> Result<Staged<Opened>, OpenError> {
        let id = runs.id_of(number, now.now).ok_or(OpenError::Replayed)?;
        let key = now.skipped.get(id, number).ok_or(OpenError::Replayed)?;
        let mut work = self.begin(now);
        work.next.use_key(id);
        work.changes.delete.push((id, number));
        work.finish(packet, key.into_message_key(), slot, now)
    }

    /// Typing or presence: no state changes.
    fn open_ephemeral(&self, packet: &Packet<'_>) -> Result<Staged<Opened>, OpenError> {
        let key = self.receiving_of(packet)?.chain.ephemeral_key.as_bytes();
        let content = body::open(key, &self.associated, packet.sealed_header, packet.body)?;
        let opened = Opened { content, ephemeral: true, broke: false };
        Ok(Staged::new(self.duplicate(), SkippedChanges::default(), opened))
    }

    /// A copy to work on, without what has grown too old.
    fn begin(&self, now: Moment<'_>) -> Work {
        let mut work = Work { next: self.duplicate(), changes: SkippedChanges::default() };
        work.next.drop_expired(now.now, &mut work.changes);
        work
    }

    /// The receiving chain, if the packet carries its ratchet key: one chain has one.
    fn receiving_of(&self, packet: &Packet<'_>) -> Result<&ReceivingChain, PeerMisbehaved> {
        let same_key = self.peer == Some(packet.header.ratchet_key);
        self.receiving.as_ref().filter(|_| same_key).ok_or(PeerMisbehaved::MalformedHeader)
    }

    /// Hands the Braid what an authentic packet carries of it. Whether that broke it.
    fn follow(&mut self, slot: &Slot) -> bool {
        match self.braid.take().map(|braid| braid.receive(&slot.message)) {
            Some(Ok((braid, known))) => {
                if let Some(known) = known {
                    self.epochs.add(&known);
                }
                self.braid = Some(braid);
                false
            }
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Takes note that one key of a run was used.
    fn use_key(&mut self, id: ChainId) {
        for runs in self.all_runs() {
            runs.used(id);
        }
        self.old.retain(|chain| !chain.runs.is_empty());
    }
}

impl Work {
    /// Walks a chain up to packet `number` and one further.
    fn walk(
        &mut self,
        receiving: ReceivingChain,
        number: u32,
        now: Moment<'_>,
    ) -> Result<(ReceivingChain, MessageKey), PeerMisbehaved> {
        let walked = receiving.skip_to(number, now.now, &mut self.next.next_run, &mut self.changes)?;
        let ReceivingChain { chain, runs } = walked;
        let (chain, message_key) = chain.advance().ok_or(PeerMisbehaved::MalformedHeader)?;
        Ok((ReceivingChain { chain, runs }, message_key))
    }

    /// The epoch's key, the body, and then, since all of it is authentic now, what the Braid says.
    fn finish(
        self,
        packet: &Packet<'_>,
        message_key: MessageKey,
        slot: &Slot,
        now: Moment<'_>,
    ) -> Result<Staged<Opened>, OpenError> {
        let Self { mut next, mut changes } = self;
        let epoch_key = next.epochs.open(slot, now.now, &mut next.next_run, &mut changes, now.skipped)?;
        let message_key = epoch_key.mix(&message_key);
        let content = body::open(message_key.as_bytes(), &next.associated, packet.sealed_header, packet.body)?;
        let broke = next.follow(slot);
        next.drop_excess(&mut changes);
        Ok(Staged::new(next, changes, Opened { content, ephemeral: false, broke }))
    }
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { content: _, ephemeral, broke } = self;
        f.debug_struct("Opened").field("ephemeral", ephemeral).field("broke", broke).finish_non_exhaustive()
    }
}
