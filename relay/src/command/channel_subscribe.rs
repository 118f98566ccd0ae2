//! `subscribe` to a channel: the entries of one generation as they come, and first those that are stored.
//!
//! Said again it confirms what came, as an `ack` does for mailboxes, but nothing is deleted by it.

use sotto_outer::{Answer, ReadHash, RefusedReason, SubscribeChannel, limits::CONNECTION_MAILBOXES_MAX};

use super::{BUSY, mismatch};
use crate::{
    access,
    core::{self, Asker, Core, Turn, Work},
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome, Reader},
    },
};

/// A subscriber whose capability is being checked.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    reader: Reader,
    after: u64,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, subscribe: &SubscribeChannel) {
    let SubscribeChannel { channel, generation, capability, after } = *subscribe;
    let shown: ReadHash = access::read_hash(&capability);
    // Like an ack, what confirms is never turned away.
    if core.confirm_entries(turn, asker.conn, (channel, generation), &shown, after) {
        return turn.answer(asker, Answer::Done);
    }
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    let is_new = !connection.channels.contains(&(channel, generation));
    if connection.reading_or_asked() + usize::from(is_new) > CONNECTION_MAILBOXES_MAX {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if let Err(retry_after_secs) = let_in(core, turn, asker) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let reader = Reader { channel, generation, shown };
    let op = Op::Channel(ChannelOp::Admit { reader, after, day: turn.now.day() });
    core.store(turn, op, core::Awaiting::Listener(Awaiting { asker, reader, after }));
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker) -> Result<(), u32> {
    core.admit(turn, Work::Subscribe)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.subscribes.take(turn.now, core.config.subscribe_rate, 1)?;
    connection.subscribing += 1;
    Ok(())
}

/// The capability is right, or is not.
pub(crate) fn admitted(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, reader, after } = awaiting;
    if let Some(connection) = core.connections.get_mut(&asker.conn) {
        connection.subscribing -= 1;
    }
    match *outcome {
        // All of a generation that has ended is with the reader: it walks on with the next capability, if it has it.
        Outcome::Channel(ChannelOutcome::Admitted { waits: false, ended_for: Some(generation) }) => {
            turn.answer(asker, Answer::Stale { generation });
        }
        Outcome::Channel(ChannelOutcome::Admitted { waits, ended_for: _ }) => {
            turn.answer(asker, Answer::Done);
            core.listen(turn, asker.conn, reader, after, waits);
        }
        Outcome::Denied => turn.answer(asker, Answer::Denied),
        Outcome::Failed => turn.answer(asker, BUSY),
        ref other => turn.answer(asker, mismatch(other)),
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, RelayFrame};

    use super::*;
    use crate::{
        command::testing::{House, Log},
        core::{Admission, Conn, Input},
    };

    fn setting() -> (House, Conn, Log) {
        let (mut house, log) = (House::new(), Log::new(1));
        let alice = house.greeted();
        assert_eq!(house.ask(alice, Command::CreateChannel(log.create())), Answer::Done);
        (house, alice, log)
    }

    #[test]
    fn a_fresh_entry_reaches_all_readers_with_one_output() {
        let (mut house, alice, log) = setting();
        let readers: Vec<_> = (0..20).map(|_| house.greeted()).collect();
        for reader in &readers {
            assert_eq!(house.ask(*reader, log.subscribe(0, 0)), Answer::Done);
        }
        house.ask(alice, log.append(&house, 0, 1));
        assert_eq!(house.broadcasts, 1);
        for reader in readers {
            assert_eq!(house.entries(reader), [1]);
        }
    }

    #[test]
    fn what_is_stored_comes_first_and_one_page_serves_all_who_wait() {
        let (mut house, alice, log) = setting();
        for id in 1..=100 {
            house.ask(alice, log.append(&house, 0, id));
        }
        let readers: Vec<_> = (0..20).map(|_| house.greeted()).collect();
        for (reader, after) in readers.iter().zip(0..) {
            house.request(*reader, log.subscribe(0, after));
        }
        house.settle();
        assert!(house.broadcasts <= 200, "{} outputs for 20 readers of 100 entries", house.broadcasts);
        for (reader, after) in readers.into_iter().zip(0..) {
            assert_eq!(house.entries(reader), (after + 1..=100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_window_is_128_entries_until_they_are_confirmed() {
        let (mut house, alice, log) = setting();
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        for id in 1..=200 {
            house.ask(alice, log.append(&house, 0, id));
        }
        assert_eq!(house.entries(reading), (1..=128).collect::<Vec<_>>());
        assert_eq!(house.ask(reading, log.subscribe(0, 64)), Answer::Done);
        assert_eq!(house.entries(reading), (129..=192).collect::<Vec<_>>());
        assert_eq!(house.ask(reading, log.subscribe(0, 192)), Answer::Done);
        house.ask(alice, log.append(&house, 0, 201));
        assert_eq!(house.entries(reading), (193..=201).collect::<Vec<_>>());
    }

    #[test]
    fn all_channels_of_a_connection_share_one_window() {
        let (mut house, alice, log) = setting();
        let (other, reading) = (Log::new(2), house.greeted());
        house.ask(alice, Command::CreateChannel(other.create()));
        for log in [&log, &other] {
            house.ask(reading, log.subscribe(0, 0));
            for id in 1..=100 {
                house.ask(alice, log.append(&house, 0, id));
            }
        }
        assert_eq!(house.entries(reading).len(), 128);
        assert_eq!(house.ask(reading, log.subscribe(0, 100)), Answer::Done);
        assert_eq!(house.entries(reading), (29..=100).collect::<Vec<_>>(), "the other one's");
    }

    #[test]
    fn the_entry_that_ends_a_generation_ends_the_subscription() {
        let (mut house, alice, log) = setting();
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        house.ask(alice, log.advance(&house, 0, 1));
        house.ask(alice, log.append(&house, 1, 2));
        let frames = house.heard(reading);
        let [RelayFrame::Entry(entry)] = &frames[..] else { panic!("one entry") };
        assert!(entry.ends && entry.seq == 1);
        assert_eq!(house.ask(reading, log.subscribe(0, 1)), Answer::Stale { generation: 1 }, "all of it was read");
        assert_eq!(house.ask(reading, log.subscribe(1, 1)), Answer::Done);
        assert_eq!(house.entries(reading), [2]);
    }

    #[test]
    fn who_was_away_walks_forward_and_who_was_removed_stops() {
        let (mut house, alice, log) = setting();
        for generation in 0..3 {
            house.ask(alice, log.append(&house, generation, generation as u16 * 2 + 1));
            house.ask(alice, log.advance(&house, generation, generation as u16 * 2 + 2));
        }
        let (bob, mallory) = (house.greeted(), house.greeted());
        let mut seen = vec![];
        for generation in 0..4 {
            let after = seen.last().copied().unwrap_or(0);
            assert_eq!(house.ask(bob, log.subscribe(generation, after)), Answer::Done);
            seen.extend(house.entries(bob));
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
        // Mallory has the capability of generation 0 alone.
        house.ask(mallory, log.subscribe(0, 0));
        assert_eq!(house.entries(mallory), [1, 2]);
        let Command::SubscribeChannel(old) = log.subscribe(0, 2) else { unreachable!("a subscribe") };
        let next = SubscribeChannel { generation: 1, ..old };
        assert_eq!(house.ask(mallory, Command::SubscribeChannel(next)), Answer::Denied);
    }

    #[test]
    fn a_wrong_read_capability_is_denied_like_a_missing_channel() {
        let (mut house, alice, log) = setting();
        house.ask(alice, log.append(&house, 0, 1));
        let Command::SubscribeChannel(good) = log.subscribe(0, 0) else { unreachable!("a subscribe") };
        let wrong = [
            SubscribeChannel { capability: [9; 32].into(), ..good.clone() },
            SubscribeChannel { channel: [9; 16].into(), ..good.clone() },
            SubscribeChannel { generation: 1, ..good },
        ];
        for subscribe in wrong {
            assert_eq!(house.ask(alice, Command::SubscribeChannel(subscribe)), Answer::Denied);
        }
        assert!(house.entries(alice).is_empty());
    }

    #[test]
    fn whoever_asks_again_from_before_gets_it_again() {
        let (mut house, alice, log) = setting();
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        for id in 1..=3 {
            house.ask(alice, log.append(&house, 0, id));
        }
        house.ask(reading, log.subscribe(0, 3));
        assert_eq!(house.entries(reading), [1, 2, 3]);
        assert_eq!(house.ask(reading, log.subscribe(0, 1)), Answer::Done);
        assert_eq!(house.entries(reading), [2, 3]);
    }

    #[test]
    fn a_connection_reads_4096_mailboxes_and_channels() {
        let (mut house, alice, log) = setting();
        house.core.connections.get_mut(&alice).unwrap().subscribing = 4_096;
        assert_eq!(house.ask(alice, log.subscribe(0, 0)), Answer::Refused { reason: RefusedReason::Limit });
        house.core.connections.get_mut(&alice).unwrap().subscribing = 4_095;
        assert_eq!(house.ask(alice, log.subscribe(0, 0)), Answer::Done);
        assert_eq!(house.ask(alice, log.subscribe(0, 0)), Answer::Done, "this one is among them");
    }

    #[test]
    fn a_page_that_failed_is_read_again() {
        let (mut house, alice, log) = setting();
        house.ask(alice, log.append(&house, 0, 1));
        let reading = house.greeted();
        house.request(reading, log.subscribe(0, 0));
        house.apply(1);
        house.fail_storage(true);
        house.settle();
        house.fail_storage(false);
        assert!(house.entries(reading).is_empty());
        house.input(Input::Tick);
        assert_eq!(house.entries(reading), [1]);
    }

    #[test]
    fn under_load_new_listeners_wait_and_confirmations_do_not() {
        let (mut house, alice, log) = setting();
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        house.core.config.admission = Admission { subscribe_max: 0, ..Admission::default() };
        assert!(matches!(house.ask(alice, log.subscribe(0, 0)), Answer::Busy { .. }));
        assert_eq!(house.ask(reading, log.subscribe(0, 0)), Answer::Done);
    }

    #[test]
    fn a_closed_connection_leaves_nothing_behind() {
        let (mut house, alice, log) = setting();
        let reading = house.greeted();
        house.ask(reading, log.subscribe(0, 0));
        house.input(Input::Closed(reading));
        house.ask(alice, log.append(&house, 0, 1));
        assert_eq!(house.broadcasts, 0);
        assert!(house.core.channels.is_empty());
    }
}
