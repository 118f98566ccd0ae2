//! `block`: suspends what the host was told of, or gives it back. The one operation that no client asks for.
//!
//! What is suspended is as missing: the same `denied`, after the same work. Its reader, if one is connected, hears nothing more.

use crate::{
    core::{self, Core, HostAnswer, HostTicket, Turn},
    storage::{
        Op, Outcome,
        blocked::{Named, ReportedId},
    },
};

/// A host that waits for the store.
#[derive(Debug)]
pub(crate) struct Awaiting {
    ticket: HostTicket,
    blocked: bool,
}

/// Takes what the host asks.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, ticket: HostTicket, ids: Vec<ReportedId>, blocked: bool) {
    let op = Op::Block { ids, blocked, day: turn.now.day() };
    core.store(turn, op, core::Awaiting::Block(Awaiting { ticket, blocked }));
}

/// It is stored: suspended mailboxes and channels have no reader any more.
pub(crate) fn stored(core: &mut Core, turn: &mut Turn<'_>, awaiting: Awaiting, outcome: Outcome) {
    let Awaiting { ticket, blocked } = awaiting;
    let Outcome::Blocked(reports) = outcome else { return turn.answer_host(ticket, HostAnswer::Failed) };
    for report in reports.iter().filter(|_| blocked) {
        match report.named {
            Named::Mailbox(mailbox) => core.detach(&mailbox),
            Named::Channel(channel) => core.drop_readers(&channel),
            Named::Bundle(_) | Named::Blob(_) | Named::Nothing => {}
        }
    }
    turn.answer_host(ticket, HostAnswer::Blocked(reports));
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Answer, Command, Fetch, LeaseOutcome, Subscribed, Target};

    use super::*;
    use crate::command::{
        blob_create::tests::{blob, writer},
        testing::{House, Log, Owner, envelope_id},
    };

    const DENIED: Answer = Answer::Denied;

    fn send_id(owner: &Owner) -> ReportedId {
        owner.envelope(0).mailbox.into()
    }

    #[test]
    fn a_blocked_mailbox_is_as_missing_by_either_id_and_comes_back_whole() {
        for by_send_id in [true, false] {
            let (mut house, bob) = (House::new(), Owner::new(1));
            let (alice, reading) = (house.greeted(), house.greeted());
            house.ask(alice, bob.create());
            assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
            let id = if by_send_id { send_id(&bob) } else { bob.receive_id().into() };
            let HostAnswer::Blocked(reports) = house.block(&[id], true) else { panic!("not blocked") };
            assert!(matches!(reports[..], [report] if report.named == Named::Mailbox(bob.receive_id())));

            assert_eq!(house.ask(alice, bob.send(2)), DENIED);
            let subscribe = bob.subscribe(&house, reading, None, [1; 16]);
            let denied = Answer::Subscribed(Subscribed { outcomes: vec![LeaseOutcome::Denied] });
            assert_eq!(house.ask(reading, subscribe.clone()), denied);
            assert_eq!(house.ask(alice, bob.create()), DENIED, "it cannot be made again");
            let delete = bob.delete(&house, alice, Target::Mailbox(bob.receive_id()));
            assert_eq!(house.ask(alice, delete), DENIED);

            house.block(&[id], false);
            house.ask(reading, subscribe);
            assert_eq!(house.delivered(reading), [envelope_id(1)], "what waited before is there again");
            assert_eq!(house.ask(alice, bob.send(2)), Answer::Done);
        }
    }

    #[test]
    fn whoever_reads_a_mailbox_that_is_blocked_reads_it_no_longer() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        house.ask(alice, bob.send(1));
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
        house.block(&[send_id(&bob)], true);
        assert_eq!(house.ask(alice, bob.send(2)), DENIED);
        assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), DENIED);
        assert_eq!(house.delivered(reading), []);
    }

    #[test]
    fn a_subscription_that_is_half_done_is_denied_too() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (alice, reading) = (house.greeted(), house.greeted());
        house.ask(alice, bob.create());
        let subscribe = bob.subscribe(&house, reading, None, [1; 16]);
        house.request(reading, subscribe);
        house.request_block(&[bob.receive_id().into()], true);
        house.settle();
        let denied = Answer::Subscribed(Subscribed { outcomes: vec![LeaseOutcome::Denied] });
        let sent = house.take_sent();
        assert!(
            sent.iter()
                .any(|(_, frame)| matches!(frame, sotto_outer::RelayFrame::Answer { answer, .. } if *answer == denied))
        );
        assert_eq!(house.core.subscriptions(), 0);
    }

    #[test]
    fn a_blocked_bundle_is_neither_fetched_nor_published() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        let publish = Command::Publish(bob.publish(&house, conn, 1, 2));
        assert_eq!(house.ask(conn, publish.clone()), Answer::Done);
        let id = [ReportedId::from(bob.bundle_id())];
        house.block(&id, true);
        let fetch = Command::Fetch(Fetch { bundle: bob.bundle_id(), proof: None });
        assert_eq!(house.ask(conn, fetch.clone()), DENIED);
        assert_eq!(house.ask(conn, publish), DENIED);
        assert_eq!(house.ask(conn, bob.delete(&house, conn, Target::Bundle(bob.bundle_id()))), DENIED);
        house.block(&id, false);
        assert!(matches!(house.ask(conn, fetch), Answer::Bundle(bundle) if bundle.pair == Some(vec![1; 2_048])));
    }

    #[test]
    fn a_blocked_channel_is_neither_written_nor_read_and_its_readers_hear_no_more() {
        let (mut house, log) = (House::new(), Log::new(1));
        let (alice, reading) = (house.greeted(), house.greeted());
        house.ask(alice, Command::CreateChannel(log.create()));
        house.ask(alice, log.append(&house, 0, 1));
        house.ask(reading, log.subscribe(0, 0));
        assert_eq!(house.entries(reading), [1]);
        let id = [ReportedId::from(log.id())];
        let HostAnswer::Blocked(reports) = house.block(&id, true) else { panic!("not blocked") };
        assert!(matches!(reports[..], [report] if report.named == Named::Channel(log.id())));
        let close = log.close(&house, alice);
        for command in [
            Command::CreateChannel(log.create()),
            log.append(&house, 0, 2),
            log.advance(&house, 0, 3),
            Command::ReadChannel(log.read(0, 0, 10)),
            log.subscribe(0, 1),
            close,
        ] {
            assert_eq!(house.ask(alice, command), DENIED);
        }
        assert_eq!(house.ask(reading, log.subscribe(0, 1)), DENIED, "a confirmation too");
        house.block(&id, false);
        assert_eq!(house.ask(alice, log.append(&house, 0, 2)), Answer::Appended { seq: 2 });
        assert!(house.entries(reading).is_empty(), "who read it before asks anew");
        assert_eq!(house.ask(reading, log.subscribe(0, 1)), Answer::Done);
        assert_eq!(house.entries(reading), [2]);
    }

    #[test]
    fn a_blocked_blob_is_missing_and_comes_back() {
        let mut house = House::new();
        let conn = house.greeted();
        let created = house.ask(conn, Command::BlobCreate(blob(1, 1)));
        assert!(matches!(created, Answer::Blob(_)));
        let id = [ReportedId::from(blob(1, 1).blob)];
        let HostAnswer::Blocked(reports) = house.block(&id, true) else { panic!("not blocked") };
        assert!(matches!(reports[..], [report] if report.named == Named::Blob(blob(1, 1).blob)));
        for command in [Command::BlobCreate(blob(1, 1)), Command::BlobCommit(writer(1)), Command::BlobDelete(writer(1))]
        {
            assert_eq!(house.ask(conn, command), DENIED);
        }
        house.block(&id, false);
        assert_eq!(house.ask(conn, Command::BlobCreate(blob(1, 1))), created);
    }

    #[test]
    fn what_is_not_there_yet_can_be_blocked() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let alice = house.greeted();
        let HostAnswer::Blocked(reports) = house.block(&[send_id(&bob)], true) else { panic!("not blocked") };
        assert!(matches!(reports[..], [report] if report.named == Named::Nothing && report.is_new));
        assert_eq!(house.ask(alice, bob.create()), DENIED);
    }

    #[test]
    fn a_failing_store_blocks_nothing_and_says_so() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (_reading, alice) = (house.reader(&bob), house.greeted());
        house.fail_storage(true);
        assert_eq!(house.block(&[send_id(&bob)], true), HostAnswer::Failed);
        house.fail_storage(false);
        assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
        assert_eq!(house.core.subscriptions(), 1);
    }
}
