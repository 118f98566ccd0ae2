//! `append` and `advance`: an entry for the current generation of a channel, which the second one ends with it.
//!
//! What must hold:
//! - `appended` is answered when the entry is durable; a repeat of its id gets the same number and stores nothing, also after the
//!   generation has ended.
//! - Of all that would end a generation one does: the store compares and switches keys in one step. The others, and whoever
//!   appends to what has ended, hear `stale`.
//! - Only whoever signed with the key of the generation named hears more than `denied`.
//!
//! ```text
//!                 at sight            keys looked up, signature       in the store, durable
//!  Append ──► Refused, Busy ──► Denied, Busy (rate of the key) ──► Appended, Stale, Full, Closed ──► Entry to its readers
//! ```

use bytes::Bytes;
use sotto_outer::{
    Advance, Answer, Append, ChannelId, EntryId, OwnerKey, OwnerSignature, RefusedReason, limits::ENTRY_BYTES_MAX,
    limits::ENTRY_TTL_SECS, signed,
};

use super::{BUSY, mismatch};
use crate::{
    core::{self, Asker, Core, Turn, Work},
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome, GenerationKeys, NewEntry, StoredEntry},
    },
};

/// Seconds after which a writer may try a full channel again: entries must expire first.
const FULL_RETRY_SECS: u32 = 3_600;

/// An entry on its way, from either command.
#[derive(Debug)]
struct Entry {
    channel: ChannelId,
    generation: u32,
    id: EntryId,
    entry: Bytes,
    next: Option<GenerationKeys>,
}

/// A writer; the generation's key is being looked up.
#[derive(Debug)]
pub(crate) struct AwaitingKey {
    asker: Asker,
    entry: Entry,
    /// What must have been signed.
    signed: Vec<u8>,
    signature: OwnerSignature,
}

/// A writer whose entry is being stored.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    entry: Entry,
}

impl AwaitingKey {
    /// Bytes held meanwhile.
    pub(crate) fn bytes(&self) -> usize {
        self.entry.entry.len() + self.signed.len()
    }
}

impl Awaiting {
    /// Bytes held meanwhile.
    pub(crate) fn bytes(&self) -> usize {
        self.entry.entry.len()
    }
}

/// Takes an `append`.
pub(crate) fn append(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, append: Append) {
    let signed = signed::append(core.identity.public(), &append);
    let Append { channel, generation, id, entry, signature } = append;
    let entry = Entry { channel, generation, id, entry: entry.into(), next: None };
    handle(core, turn, AwaitingKey { asker, entry, signed, signature });
}

/// Takes an `advance`.
pub(crate) fn advance(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, advance: Advance) {
    let signed = signed::advance(core.identity.public(), &advance);
    let Advance { channel, generation, id, entry, next_verify_key, next_read_hash, signature } = advance;
    let next = Some(GenerationKeys { verify_key: next_verify_key, read_hash: next_read_hash });
    let entry = Entry { channel, generation, id, entry: entry.into(), next };
    handle(core, turn, AwaitingKey { asker, entry, signed, signature });
}

fn handle(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingKey) {
    let asker = awaiting.asker;
    let Entry { channel, generation, ref entry, .. } = awaiting.entry;
    if !(1..=ENTRY_BYTES_MAX).contains(&entry.len()) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    let let_in = core
        .admit(turn, Work::Send)
        .and_then(|()| core.take_connection_send(turn.now, asker.conn))
        .and_then(|()| core.check_wrong_signatures(turn.now, asker.conn));
    if let Err(retry_after_secs) = let_in {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    core.store(turn, Op::Channel(ChannelOp::Find { channel, generation }), core::Awaiting::Writer(awaiting));
}

/// The generation's key is known: the signature is checked, and the entry goes to the store.
pub(crate) fn key_known(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingKey, outcome: &Outcome) {
    let AwaitingKey { asker, entry, signed, signature } = awaiting;
    let verify_key = match outcome {
        Outcome::Channel(ChannelOutcome::Found(found)) => found.and_then(|found| found.verify_key),
        Outcome::Failed => return turn.answer(asker, BUSY),
        other => return turn.answer(asker, mismatch(other)),
    };
    let key = verify_key.map(|key| OwnerKey::from(*key.as_bytes()));
    let is_signed = core.identity.signed_by(key.as_ref(), &signed, &signature);
    let Some(verify_key) = verify_key.filter(|_| is_signed) else {
        core.count_wrong_signature(turn.now, asker.conn);
        return turn.answer(asker, Answer::Denied);
    };
    if let Err(retry_after_secs) = core.appends.take(verify_key, turn.now, core.config.send_rate) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let Entry { channel, generation, id, entry: bytes, next } = &entry;
    let (channel, generation, id, next) = (*channel, *generation, *id, *next);
    let (day, expires_at) = (turn.now.day(), turn.now.plus_secs(ENTRY_TTL_SECS));
    let quota = core.config.channel_quota;
    let new = NewEntry { channel, generation, id, entry: bytes.clone(), next, day, expires_at, quota };
    let op = Op::Channel(ChannelOp::Append(new));
    core.store(turn, op, core::Awaiting::Append(Awaiting { asker, entry }));
}

/// The entry was stored, or was not.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, entry } = awaiting;
    match *outcome {
        Outcome::Channel(ChannelOutcome::Appended { seq, fresh }) => {
            turn.answer(asker, Answer::Appended { seq });
            if fresh {
                let Entry { channel, generation, id, entry, next } = entry;
                let stored = StoredEntry { seq, id, entry, ends: next.is_some() };
                core.deliver_entry(turn, (channel, generation), &stored);
            }
        }
        Outcome::Channel(ChannelOutcome::Stale { generation }) => turn.answer(asker, Answer::Stale { generation }),
        Outcome::Channel(ChannelOutcome::Closed) => turn.answer(asker, Answer::Closed),
        Outcome::Denied => turn.answer(asker, Answer::Denied),
        Outcome::Full => turn.answer(asker, Answer::Full { retry_after_secs: FULL_RETRY_SECS }),
        Outcome::Failed => turn.answer(asker, BUSY),
        ref other => turn.answer(asker, mismatch(other)),
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::Command;

    use super::*;
    use crate::{
        command::testing::{House, Log},
        core::{Config, Conn, Rate},
        storage::channel::ChannelQuota,
    };

    fn setting(config: Config) -> (House, Conn, Log) {
        let (mut house, log) = (House::with(config), Log::new(1));
        let alice = house.greeted();
        assert_eq!(house.ask(alice, Command::CreateChannel(log.create())), Answer::Done);
        (house, alice, log)
    }

    fn seq(seq: u64) -> Answer {
        Answer::Appended { seq }
    }

    #[test]
    fn entries_are_numbered_over_all_generations() {
        let (mut house, alice, log) = setting(Config::default());
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), seq(1));
        assert_eq!(house.ask(alice, log.append(&house, 0, 2)), seq(2));
        assert_eq!(house.ask(alice, log.advance(&house, 0, 3)), seq(3));
        assert_eq!(house.ask(alice, log.append(&house, 1, 4)), seq(4));
    }

    #[test]
    fn a_repeated_entry_gets_the_first_answer_even_after_its_generation() {
        let (mut house, alice, log) = setting(Config::default());
        let (first, last) = (log.append(&house, 0, 1), log.advance(&house, 0, 2));
        for _ in 0..2 {
            assert_eq!(house.ask(alice, first.clone()), seq(1));
            assert_eq!(house.ask(alice, last.clone()), seq(2));
        }
        assert_eq!(house.storage.durable_payloads().count(), 2);
    }

    #[test]
    fn one_advance_wins_and_the_others_are_stale() {
        let (mut house, alice, log) = setting(Config::default());
        let bob = house.greeted();
        let (first, second) = (log.advance(&house, 0, 1), log.advance(&house, 0, 2));
        assert_eq!(house.ask(bob, second), seq(1));
        assert_eq!(house.ask(alice, first), Answer::Stale { generation: 1 });
        assert_eq!(
            house.ask(alice, log.append(&house, 0, 3)),
            Answer::Stale { generation: 1 },
            "a member that is behind"
        );
        assert_eq!(house.ask(alice, log.advance(&house, 1, 4)), seq(2));
    }

    #[test]
    fn a_stranger_is_denied_and_learns_no_generation() {
        let (mut house, alice, log) = setting(Config::default());
        let other = Log::new(2);
        house.ask(alice, log.advance(&house, 0, 1));
        let Command::Append(good) = log.append(&house, 1, 2) else { unreachable!("an append") };
        let Command::Append(next) = log.append(&house, 2, 2) else { unreachable!("an append") };
        let Command::Append(forged) = other.append(&house, 1, 2) else { unreachable!("an append") };
        let Command::Advance(ending) = log.advance(&house, 1, 3) else { unreachable!("an advance") };
        let wrong = [
            Append { channel: log.id(), ..forged.clone() },
            Append { generation: 0, ..good.clone() },
            Append { entry: vec![9], ..good.clone() },
            Append { id: [9; 16].into(), ..good.clone() },
            Append { channel: [9; 16].into(), ..good },
            next,
            forged,
        ];
        for append in wrong {
            assert_eq!(house.ask(alice, Command::Append(append)), Answer::Denied);
        }
        let wrong = [
            Advance { next_verify_key: [9; 32].into(), ..ending.clone() },
            Advance { next_read_hash: [9; 32].into(), ..ending.clone() },
            Advance { entry: vec![9], ..ending },
        ];
        for advance in wrong {
            assert_eq!(house.ask(alice, Command::Advance(advance)), Answer::Denied);
        }
    }

    #[test]
    fn an_entry_has_1_to_65536_bytes() {
        let (mut house, alice, log) = setting(Config::default());
        for (bytes, is_refused) in [(0, true), (1, false), (65_536, false), (65_537, true)] {
            let append = log.append_bytes(&house, 0, 1, vec![7; bytes]);
            let refused = house.ask(alice, append) == Answer::Refused { reason: RefusedReason::Limit };
            assert_eq!(refused, is_refused, "{bytes}");
        }
    }

    #[test]
    fn a_full_channel_can_still_be_advanced() {
        let quota = ChannelQuota { entries_max: 2, reserve_entries: 1, ..ChannelQuota::default() };
        let (mut house, alice, log) = setting(Config { channel_quota: quota, ..Config::default() });
        for id in 1..=2 {
            assert!(matches!(house.ask(alice, log.append(&house, 0, id)), Answer::Appended { .. }));
        }
        assert!(matches!(house.ask(alice, log.append(&house, 0, 3)), Answer::Full { .. }));
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), seq(1), "a repeat needs no room");
        assert_eq!(house.ask(alice, log.advance(&house, 0, 4)), seq(3));
        assert!(matches!(house.ask(alice, log.advance(&house, 1, 5)), Answer::Full { .. }), "the reserve ends too");
    }

    #[test]
    fn all_channels_together_have_a_bound() {
        let quota = ChannelQuota { all_bytes_max: 30, ..ChannelQuota::default() };
        let (mut house, alice, log) = setting(Config { channel_quota: quota, ..Config::default() });
        let other = Log::new(2);
        house.ask(alice, Command::CreateChannel(other.create()));
        assert_eq!(house.ask(alice, log.append_bytes(&house, 0, 1, vec![7; 16])), seq(1));
        assert!(matches!(house.ask(alice, other.append_bytes(&house, 0, 2, vec![7; 16])), Answer::Full { .. }));
        assert_eq!(house.ask(alice, other.append_bytes(&house, 0, 3, vec![7; 14])), seq(1));
        assert_eq!(house.ask(alice, other.advance(&house, 0, 4)), seq(2), "and who was removed from a group stays out");
        house.wait_secs(ENTRY_TTL_SECS);
        house.input(core::Input::Tick);
        assert_eq!(house.ask(alice, log.append_bytes(&house, 0, 5, vec![7; 30])), seq(2), "what expires makes room");
    }

    #[test]
    fn who_brings_wrong_signatures_waits_and_nobody_else() {
        let (mut house, alice, log) = setting(Config::default());
        let mallory = house.greeted();
        let Command::Append(forged) = Log::new(2).append(&house, 0, 1) else { unreachable!("an append") };
        let forged = || Command::Append(Append { channel: log.id(), ..forged.clone() });
        for _ in 0..64 {
            assert_eq!(house.ask(mallory, forged()), Answer::Denied);
        }
        assert_eq!(house.ask(mallory, forged()), Answer::Busy { retry_after_secs: 1 });
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), seq(1));
        house.wait_secs(1);
        assert_eq!(house.ask(mallory, forged()), Answer::Denied);
    }

    #[test]
    fn beyond_its_rate_a_generation_waits_and_a_stranger_uses_none_of_it() {
        let send_rate = Rate { burst: 1, interval_millis: 10_000 };
        let (mut house, alice, log) = setting(Config { send_rate, ..Config::default() });
        let Command::Append(forged) = Log::new(2).append(&house, 0, 1) else { unreachable!("an append") };
        let forged = Append { channel: log.id(), ..forged };
        assert_eq!(house.ask(alice, Command::Append(forged)), Answer::Denied);
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), seq(1));
        assert_eq!(house.ask(alice, log.append(&house, 0, 2)), Answer::Busy { retry_after_secs: 10 });
    }

    #[test]
    fn an_entry_that_the_store_did_not_take_reaches_nobody() {
        let (mut house, alice, log) = setting(Config::default());
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        house.fail_storage(true);
        assert!(matches!(house.ask(alice, log.append(&house, 0, 1)), Answer::Busy { .. }));
        house.fail_storage(false);
        assert!(house.entries(reading).is_empty());
        assert_eq!(house.ask(alice, log.append(&house, 0, 1)), seq(1));
        assert_eq!(house.entries(reading), [1]);
    }
}
