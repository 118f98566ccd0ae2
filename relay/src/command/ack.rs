//! `ack`: these envelopes are safe with their reader. The relay deletes them, and nothing else makes it delete one before its time.

use sotto_outer::{
    Ack, Answer, EnvelopeId, ReceiveId, RefusedReason,
    limits::{ACK_IDS_MAX, ENVELOPE_ID_MEMORY_SECS},
};

use super::done;
use crate::{
    core::{self, Asker, Core, Turn},
    storage::{Op, Outcome},
};

/// A reader whose envelopes are being deleted.
#[derive(Debug)]
pub(crate) struct Awaiting {
    asker: Asker,
    mailbox: ReceiveId,
    ids: Vec<EnvelopeId>,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, ack: Ack) {
    let Ack { mailbox, ids } = ack;
    if !(1..=ACK_IDS_MAX).contains(&ids.len()) {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if !core.reads(asker.conn, &mailbox) {
        return turn.answer(asker, Answer::Denied);
    }
    let forget_at = turn.now.plus_secs(ENVELOPE_ID_MEMORY_SECS);
    let op = Op::Acknowledge { mailbox, ids: ids.clone(), forget_at };
    core.store(turn, op, core::Awaiting::Ack(Awaiting { asker, mailbox, ids }));
}

/// The envelopes are deleted, or the store failed and they stay in flight.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: &Outcome) {
    let Awaiting { asker, mailbox, ids } = awaiting;
    turn.answer(asker, done(outcome));
    if *outcome == Outcome::Done {
        core.acknowledged(turn, asker.conn, &mailbox, &ids);
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::Command;

    use super::*;
    use crate::command::testing::{House, Owner, envelope_id};

    #[test]
    fn acknowledged_envelopes_are_deleted_and_no_others() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        for id in 1..=3 {
            house.ask(alice, bob.send(id));
        }
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1), envelope_id(3)])), Answer::Done);
        assert_eq!(house.storage.durable_payloads().count(), 1);
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), Answer::Done, "again");
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(77)])), Answer::Done, "never was");
        assert_eq!(house.storage.durable_payloads().count(), 1);
    }

    #[test]
    fn who_does_not_read_a_mailbox_acknowledges_nothing_in_it() {
        let (mut house, alice, bob) = (House::new(), Owner::new(1), Owner::new(2));
        let (reading, other) = (house.reader(&bob), house.reader(&alice));
        house.ask(other, bob.send(1));
        assert_eq!(house.ask(other, bob.ack(&[envelope_id(1)])), Answer::Denied);
        assert_eq!(house.storage.durable_payloads().count(), 1);
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
    }

    #[test]
    fn an_ack_names_1_to_256_ids() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let reading = house.reader(&bob);
        for (count, is_refused) in [(0, true), (1, false), (256, false), (257, true)] {
            let ids = vec![envelope_id(1); count];
            let refused = house.ask(reading, Command::Ack(Ack { mailbox: bob.receive_id(), ids }))
                == Answer::Refused { reason: RefusedReason::Limit };
            assert_eq!(refused, is_refused, "{count}");
        }
    }

    #[test]
    fn an_ack_that_the_store_did_not_take_frees_no_window() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        for id in 0..129 {
            house.ask(alice, bob.send(id));
        }
        assert_eq!(house.delivered(reading).len(), 128);
        house.fail_storage(true);
        assert!(matches!(house.ask(reading, bob.ack(&[envelope_id(0)])), Answer::Busy { .. }));
        house.fail_storage(false);
        assert_eq!(house.delivered(reading), []);
        house.ask(reading, bob.ack(&[envelope_id(0)]));
        assert_eq!(house.delivered(reading), [envelope_id(128)]);
    }
}
