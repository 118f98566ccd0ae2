//! `read` of a channel: entries of one generation, as many as fit a frame. One at a time for a connection; others wait for it.

use sotto_outer::{
    Answer, Entries, NumberedEntry, ReadChannel, RefusedReason,
    limits::{FRAME_BYTES_MAX, READ_ENTRIES_MAX},
};

use super::{BUSY, mismatch};
use crate::{
    access,
    core::{self, Asker, Conn, Core, Turn, Work},
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome, Reader, StoredEntry},
    },
};

/// What an answer takes beyond its entries.
const ANSWER_COST_BYTES: usize = 64;

/// A read that waits for its turn.
#[derive(Debug)]
pub(crate) struct Asked {
    request: u32,
    reader: Reader,
    after: u64,
    entries_max: usize,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, read: &ReadChannel) {
    let ReadChannel { channel, generation, capability, after, entries_max } = *read;
    if !(1..=READ_ENTRIES_MAX).contains(&entries_max) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    let reader = Reader { channel, generation, shown: access::read_hash(&capability) };
    let entries_max = entries_max as usize;
    connection.reads.push_back(Asked { request: asker.request, reader, after, entries_max });
    next(core, turn, asker.conn);
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Subscribe)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.channel_reads.take(turn.now, core.config.channel_read_rate, 1)
}

/// Begins the next read of a connection where none is on its way.
fn next(core: &mut Core, turn: &mut Turn<'_>, conn: Conn) {
    let Some(connection) = core.connections.get_mut(&conn).filter(|connection| !connection.reads_channel) else {
        return;
    };
    let Some(Asked { request, reader, after, entries_max }) = connection.reads.pop_front() else { return };
    connection.reads_channel = true;
    let (bytes_max, day) = (FRAME_BYTES_MAX - ANSWER_COST_BYTES, turn.now.day());
    let op = Op::Channel(ChannelOp::Read { reader, after, entries_max, bytes_max, day });
    core.store(turn, op, core::Awaiting::ChannelRead(Asker { conn, request }));
}

/// The entries come from the store.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, outcome: Outcome) {
    let answer = match outcome {
        Outcome::Channel(ChannelOutcome::Entries { entries, more, ended }) => {
            Answer::Entries(Entries { entries: entries.into_iter().map(numbered).collect(), more, ended })
        }
        Outcome::Denied => Answer::Denied,
        Outcome::Failed => BUSY,
        other => mismatch(&other),
    };
    turn.answer(asker, answer);
    if let Some(connection) = core.connections.get_mut(&asker.conn) {
        connection.reads_channel = false;
    }
    next(core, turn, asker.conn);
}

fn numbered(entry: StoredEntry) -> NumberedEntry {
    let StoredEntry { seq, id, entry, ends: _ } = entry;
    NumberedEntry { seq, id, entry: entry.into() }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, RelayFrame};

    use super::*;
    use crate::{
        command::testing::{House, Log},
        core::{Admission, Rate},
    };

    fn setting() -> (House, Conn, Log) {
        let (mut house, log) = (House::new(), Log::new(1));
        let alice = house.greeted();
        assert_eq!(house.ask(alice, Command::CreateChannel(log.create())), Answer::Done);
        (house, alice, log)
    }

    /// Numbers of the entries, whether there are more, whether the generation has ended.
    fn read(house: &mut House, conn: Conn, read: ReadChannel) -> (Vec<u64>, bool, bool) {
        let Answer::Entries(Entries { entries, more, ended }) = house.ask(conn, Command::ReadChannel(read)) else {
            panic!("no entries")
        };
        (entries.iter().map(|entry| entry.seq).collect(), more, ended)
    }

    #[test]
    fn a_capability_opens_exactly_its_generation() {
        let (mut house, alice, log) = setting();
        for id in 1..=2 {
            house.ask(alice, log.append(&house, 0, id));
        }
        assert_eq!(read(&mut house, alice, log.read(0, 0, 256)), (vec![1, 2], false, false));
        house.ask(alice, log.advance(&house, 0, 3));
        house.ask(alice, log.append(&house, 1, 4));
        assert_eq!(read(&mut house, alice, log.read(0, 0, 256)), (vec![1, 2, 3], false, true), "with what ended it");
        assert_eq!(read(&mut house, alice, log.read(1, 0, 256)), (vec![4], false, false));
        assert_eq!(read(&mut house, alice, log.read(0, 1, 1)), (vec![2], true, true));
        assert_eq!(read(&mut house, alice, log.read(0, u64::MAX, 1)), (vec![], false, true));
        let wrong = [
            ReadChannel { capability: log.read(0, 0, 1).capability, ..log.read(1, 0, 256) },
            ReadChannel { channel: [9; 16].into(), ..log.read(0, 0, 256) },
            log.read(2, 0, 256),
        ];
        for read in wrong {
            assert_eq!(house.ask(alice, Command::ReadChannel(read)), Answer::Denied);
        }
    }

    #[test]
    fn an_answer_holds_what_fits_a_frame_and_at_least_one_entry() {
        let (mut house, alice, log) = setting();
        for (id, bytes) in [(1, 65_536), (2, 65_536), (3, 1), (4, 300), (5, 300)] {
            house.ask(alice, log.append_bytes(&house, 0, id, vec![7; bytes]));
        }
        for id in 6..=400 {
            house.ask(alice, log.append_bytes(&house, 0, id, vec![7; 300]));
        }
        assert_eq!(read(&mut house, alice, log.read(0, 0, 256)), (vec![1], true, false));
        let mut after = 1;
        loop {
            let request = house.request(alice, Command::ReadChannel(log.read(0, after, 256)));
            house.settle();
            let frames = house.heard(alice);
            let [frame @ RelayFrame::Answer { request: of, answer: Answer::Entries(entries) }] = &frames[..] else {
                panic!("one answer")
            };
            assert!(*of == request && frame.encode().len() <= FRAME_BYTES_MAX);
            assert_eq!(entries.entries.first().unwrap().seq, after + 1);
            after = entries.entries.last().unwrap().seq;
            if !entries.more {
                break;
            }
        }
        assert_eq!(after, 400);
    }

    #[test]
    fn a_read_asks_for_1_to_256_entries() {
        let (mut house, alice, log) = setting();
        for (count, is_refused) in [(0, true), (1, false), (256, false), (257, true)] {
            let read = Command::ReadChannel(log.read(0, 0, count));
            assert_eq!(
                house.ask(alice, read) == Answer::Refused { reason: RefusedReason::Limit },
                is_refused,
                "{count}"
            );
        }
    }

    #[test]
    fn reads_have_a_rate_and_wait_under_load() {
        let (mut house, alice, log) = setting();
        house.core.config.channel_read_rate = Rate { burst: 2, interval_millis: 3_000 };
        let read = || Command::ReadChannel(log.read(0, 0, 256));
        for _ in 0..2 {
            assert!(matches!(house.ask(alice, read()), Answer::Entries(_)));
        }
        assert_eq!(house.ask(alice, read()), Answer::Busy { retry_after_secs: 3 });
        let bob = house.greeted();
        house.core.config.admission = Admission { subscribe_max: 0, ..Admission::default() };
        house.core.set_memory_used(1_001);
        assert!(matches!(house.ask(bob, read()), Answer::Busy { .. }));
        house.core.set_memory_used(0);
        house.core.config.admission = Admission::default();
        assert!(matches!(house.ask(bob, read()), Answer::Entries(_)));
    }

    #[test]
    fn one_read_of_a_connection_is_on_its_way_and_none_is_forgotten() {
        let (mut house, alice, log) = setting();
        for _ in 0..10 {
            house.request(alice, Command::ReadChannel(log.read(0, 0, 256)));
            assert_eq!(house.waiting(), 1);
        }
        house.settle();
        assert_eq!(house.heard(alice).len(), 10);
    }
}
