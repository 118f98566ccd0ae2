//! `subscribe`: makes this connection the reader of mailboxes, each signed for by its own owner.
//!
//! Two steps through the store: who owns them, then, for those whose signature is right, the new lease. The lease that was
//! held before tells a copied or restored reader from the one that lives on; the new one is stored in any case. Signatures cost
//! more than all else here, so the first step goes a few mailboxes at a time, and others get their turn between.

use sotto_outer::{
    Answer, LeaseOutcome, OwnerKey, ReceiveId, RefusedReason, Subscribe, Subscribed, Subscription,
    limits::{CONNECTION_MAILBOXES_MAX, SUBSCRIBE_MAILBOXES_MAX},
    signed,
};

use super::{BUSY, mismatch};
use crate::{
    core::{self, Asker, Core, Turn, Work},
    storage::{NewLease, Op, Outcome, Owned},
};

/// Mailboxes whose signatures are checked at a time: about a millisecond.
const CHECK_MAX: usize = 16;

/// A subscriber whose mailboxes' owners are being looked up.
#[derive(Debug)]
pub(crate) struct AwaitingOwners {
    asker: Asker,
    mailboxes: Vec<Subscription>,
    /// Of the first ones, whether each was signed by its owner.
    checked: Vec<bool>,
}

/// A subscriber whose leases are being stored.
#[derive(Debug)]
pub(crate) struct AwaitingLease {
    asker: Asker,
    /// All mailboxes of the frame, and whether each was signed by its owner.
    mailboxes: Vec<(ReceiveId, bool)>,
}

/// Takes the frame.
pub(crate) fn handle(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, subscribe: Subscribe) {
    let Subscribe { mailboxes } = subscribe;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return };
    let others = mailboxes.iter().filter(|entry| !connection.mailboxes.contains(&entry.mailbox)).count();
    let total = connection.reading_or_asked() + others;
    if !(1..=SUBSCRIBE_MAILBOXES_MAX).contains(&mailboxes.len()) || total > CONNECTION_MAILBOXES_MAX {
        return turn.refuse(asker, RefusedReason::Limit);
    }
    if let Err(retry_after_secs) = let_in(core, turn, asker, mailboxes.len()) {
        return turn.answer(asker, Answer::Busy { retry_after_secs });
    }
    let checked = Vec::with_capacity(mailboxes.len());
    look_up(core, turn, AwaitingOwners { asker, mailboxes, checked });
}

/// Asks who owns the next few.
fn look_up(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingOwners) {
    let next = awaiting.mailboxes.iter().skip(awaiting.checked.len()).take(CHECK_MAX);
    let things = next.map(|entry| Owned::Mailbox(entry.mailbox)).collect();
    core.store(turn, Op::Owners(things), core::Awaiting::Subscriber(awaiting));
}

fn let_in(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, count: usize) -> Result<(), u32> {
    core.admit(turn, Work::Subscribe)?;
    let Some(connection) = core.connections.get_mut(&asker.conn) else { return Ok(()) };
    connection.subscribes.take(turn.now, core.config.subscribe_rate, u32::try_from(count).unwrap_or(u32::MAX))?;
    connection.subscribing += count;
    Ok(())
}

/// Some owners are known, and their signatures are checked. When all are, the leases of those that are right go to the store.
pub(crate) fn owners_known(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingOwners, outcome: Outcome) {
    let AwaitingOwners { asker, mailboxes, mut checked } = awaiting;
    let asked = (mailboxes.len() - checked.len()).min(CHECK_MAX);
    let owners = match outcome {
        Outcome::Owners(owners) if owners.len() == asked => owners,
        Outcome::Failed => return fail(core, turn, asker, mailboxes.len(), BUSY),
        other => return fail(core, turn, asker, mailboxes.len(), mismatch(&other)),
    };
    for owner in owners {
        checked.push(is_signed(core, asker, &mailboxes[checked.len()], owner.as_ref()));
    }
    if checked.len() < mailboxes.len() {
        return look_up(core, turn, AwaitingOwners { asker, mailboxes, checked });
    }
    let leases = mailboxes.iter().zip(&checked).filter(|(_, is_owners)| **is_owners);
    let lease = |entry: &Subscription| NewLease { mailbox: entry.mailbox, confirmed: entry.confirmed, new: entry.new };
    let leases = leases.map(|(entry, _)| lease(entry)).collect();
    let mailboxes = mailboxes.into_iter().map(|entry| entry.mailbox).zip(checked).collect();
    let awaiting = AwaitingLease { asker, mailboxes };
    core.store(turn, Op::Lease { mailboxes: leases, day: turn.now.day() }, core::Awaiting::Lease(awaiting));
}

/// The leases are stored: the subscriber hears what was held, then what waits.
pub(crate) fn leased(core: &mut Core, turn: &mut Turn<'_>, awaiting: AwaitingLease, outcome: Outcome) {
    let AwaitingLease { asker, mailboxes } = awaiting;
    let mut leased = match outcome {
        Outcome::Leased(leased) => leased.into_iter(),
        Outcome::Failed => return fail(core, turn, asker, mailboxes.len(), BUSY),
        other => return fail(core, turn, asker, mailboxes.len(), mismatch(&other)),
    };
    let of = |(mailbox, signed): (ReceiveId, bool)| {
        let outcome = if signed { leased.next() } else { None };
        (mailbox, outcome.unwrap_or(LeaseOutcome::Denied))
    };
    let outcomes: Vec<_> = mailboxes.into_iter().map(of).collect();
    settle(core, asker, outcomes.len());
    let answer = Subscribed { outcomes: outcomes.iter().map(|(_, outcome)| *outcome).collect() };
    turn.answer(asker, Answer::Subscribed(answer));
    for (mailbox, outcome) in outcomes {
        match outcome {
            LeaseOutcome::Same | LeaseOutcome::Other => core.attach(turn, asker.conn, mailbox),
            LeaseOutcome::Denied => {}
        }
    }
}

/// Whether the mailbox's owner signed this entry for this connection.
fn is_signed(core: &Core, asker: Asker, entry: &Subscription, owner: Option<&OwnerKey>) -> bool {
    let Some(connection) = core.connections.get(&asker.conn) else { return false };
    let Subscription { mailbox, confirmed, new, signature } = entry;
    let relay = core.identity.public();
    let bytes = signed::subscribe(relay, &connection.nonce, mailbox, confirmed.as_ref(), new);
    core.identity.signed_by(owner, &bytes, signature)
}

fn fail(core: &mut Core, turn: &mut Turn<'_>, asker: Asker, count: usize, answer: Answer) {
    settle(core, asker, count);
    turn.answer(asker, answer);
}

/// A subscribe frame is answered.
fn settle(core: &mut Core, asker: Asker, count: usize) {
    if let Some(connection) = core.connections.get_mut(&asker.conn) {
        connection.subscribing -= count;
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Command, Lease, RelayFrame};

    use super::*;
    use crate::{
        command::testing::{House, Owner, envelope_id},
        core::{Admission, Conn, Input},
    };

    fn outcomes(house: &mut House, conn: Conn, subscribe: Command) -> Vec<LeaseOutcome> {
        let Answer::Subscribed(Subscribed { outcomes }) = house.ask(conn, subscribe) else { panic!("not subscribed") };
        outcomes
    }

    /// Bob's mailbox, and what the relay says to each (confirmed, new) in turn.
    fn leases(presented: &[(Option<u8>, u8)]) -> Vec<LeaseOutcome> {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        house.ask(conn, bob.create());
        let mut said = vec![];
        for (confirmed, new) in presented {
            let subscribe = bob.subscribe(&house, conn, confirmed.map(|fill| [fill; 16]), [*new; 16]);
            said.extend(outcomes(&mut house, conn, subscribe));
        }
        said
    }

    #[test]
    fn a_lease_is_the_same_where_either_is_held_or_none_is() {
        use LeaseOutcome::{Other, Same};
        assert_eq!(leases(&[(None, 1)]), [Same], "a new mailbox holds none");
        assert_eq!(leases(&[(None, 1), (Some(1), 2)]), [Same, Same], "the confirmed one is held");
        assert_eq!(leases(&[(None, 1), (None, 1)]), [Same, Same], "the new one is held: its answer was lost");
        assert_eq!(leases(&[(None, 1), (Some(1), 1)]), [Same, Same], "a reconnect presents it twice");
        assert_eq!(leases(&[(None, 1), (Some(3), 2)]), [Same, Other], "a copy went another way");
        assert_eq!(leases(&[(None, 1), (None, 2)]), [Same, Other], "a state from before the first lease");
        assert_eq!(
            leases(&[(None, 1), (Some(3), 2), (Some(2), 4)]),
            [Same, Other, Same],
            "the new one is stored in any case"
        );
    }

    #[test]
    fn only_the_owner_of_each_mailbox_may_read_it() {
        let (mut house, alice, bob, mallory) = (House::new(), Owner::new(1), Owner::new(2), Owner::new(3));
        let conn = house.greeted();
        house.ask(conn, alice.create());
        house.ask(conn, bob.create());
        let good = alice.subscription(&house, conn, None, [1; 16]);
        let forged = Subscription { mailbox: bob.receive_id(), ..mallory.subscription(&house, conn, None, [1; 16]) };
        let missing = mallory.subscription(&house, conn, None, [1; 16]);
        let other_lease = Subscription { new: Lease::from([2; 16]), ..bob.subscription(&house, conn, None, [1; 16]) };
        let subscribe = Command::Subscribe(Subscribe { mailboxes: vec![forged, good, missing, other_lease] });
        use LeaseOutcome::{Denied, Same};
        assert_eq!(outcomes(&mut house, conn, subscribe), [Denied, Same, Denied, Denied]);
        assert_eq!(house.heard(conn), [RelayFrame::CaughtUp { mailbox: alice.receive_id() }]);
    }

    #[test]
    fn a_signature_of_another_connection_is_denied() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (conn, other) = (house.reader(&bob), house.greeted());
        let replayed = bob.subscribe(&house, conn, None, [1; 16]);
        assert_eq!(outcomes(&mut house, other, replayed), [LeaseOutcome::Denied]);
    }

    #[test]
    fn a_frame_has_1_to_512_mailboxes_and_a_connection_4096() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        house.ask(conn, bob.create());
        let one = bob.subscription(&house, conn, None, [1; 16]);
        for (count, is_refused) in [(0, true), (1, false), (512, false), (513, true)] {
            let subscribe = Command::Subscribe(Subscribe { mailboxes: vec![one.clone(); count] });
            let refused = house.ask(conn, subscribe) == Answer::Refused { reason: RefusedReason::Limit };
            assert_eq!(refused, is_refused, "{count}");
        }
        house.core.connections.get_mut(&conn).unwrap().subscribing = 4_095;
        let other = Owner::new(2).subscribe(&house, conn, None, [1; 16]);
        assert_eq!(house.ask(conn, other), Answer::Refused { reason: RefusedReason::Limit }, "4,096 are taken");
        let again = bob.subscribe(&house, conn, None, [1; 16]);
        assert!(matches!(house.ask(conn, again), Answer::Subscribed(_)), "this one is among them");
    }

    #[test]
    fn all_that_is_not_acknowledged_is_delivered_again() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (first, alice) = (house.reader(&bob), house.greeted());
        for id in 1..=3 {
            house.ask(alice, bob.send(id));
        }
        assert_eq!(house.delivered(first), [1, 2, 3].map(envelope_id));
        house.ask(first, bob.ack(&[envelope_id(2)]));
        house.input(Input::Closed(first));

        let second = house.greeted();
        let subscribe = bob.subscribe(&house, second, Some([1; 16]), [1; 16]);
        house.ask(second, subscribe);
        assert_eq!(house.delivered(second), [1, 3].map(envelope_id));
    }

    #[test]
    fn a_newer_reader_takes_over() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (first, alice) = (house.reader(&bob), house.greeted());
        house.ask(alice, bob.send(1));
        assert_eq!(house.delivered(first), [envelope_id(1)]);
        let second = house.greeted();
        let subscribe = bob.subscribe(&house, second, Some([1; 16]), [1; 16]);
        house.ask(second, subscribe);
        house.ask(alice, bob.send(2));
        assert_eq!(house.delivered(second), [1, 2].map(envelope_id));
        assert_eq!(house.delivered(first), []);
        assert_eq!(house.ask(first, bob.ack(&[envelope_id(1)])), Answer::Denied);

        house.input(Input::Closed(first));
        house.ask(alice, bob.send(3));
        assert_eq!(house.delivered(second), [envelope_id(3)], "the first one's end is nothing to the second");
    }

    #[test]
    fn caught_up_comes_once_when_what_waited_is_acknowledged() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (alice, reading) = (house.greeted(), house.greeted());
        house.ask(alice, bob.create());
        for id in 1..=200 {
            house.ask(alice, bob.send(id));
        }
        let caught_up = RelayFrame::CaughtUp { mailbox: bob.receive_id() };
        let subscribe = bob.subscribe(&house, reading, None, [1; 16]);
        house.ask(reading, subscribe);
        assert_eq!(house.delivered(reading), (1..=128).map(envelope_id).collect::<Vec<_>>(), "the window");
        house.ask(reading, bob.ack(&(1..=128).map(envelope_id).collect::<Vec<_>>()));
        let rest = house.heard(reading);
        assert_eq!(rest.len(), 72);
        assert!(!rest.contains(&caught_up));
        house.ask(alice, bob.send(201));
        house.ask(reading, bob.ack(&(129..=199).map(envelope_id).collect::<Vec<_>>()));
        assert!(!house.heard(reading).contains(&caught_up));
        house.ask(reading, bob.ack(&[envelope_id(200)]));
        assert_eq!(house.heard(reading), [caught_up], "201 came later and does not count");
        house.ask(reading, bob.ack(&[envelope_id(201)]));
        assert_eq!(house.heard(reading), []);
    }

    #[test]
    fn many_mailboxes_share_one_window() {
        let mut house = House::new();
        let (alice, reading) = (house.greeted(), house.greeted());
        let owners: Vec<_> = (1..=40).map(Owner::new).collect();
        for owner in &owners {
            house.ask(alice, owner.create());
            for id in 0..10 {
                house.ask(alice, owner.send(id));
            }
        }
        let mailboxes = owners.iter().map(|owner| owner.subscription(&house, reading, None, [1; 16])).collect();
        house.ask(reading, Command::Subscribe(Subscribe { mailboxes }));
        let (mut got, mut caught_up) = (0, 0);
        loop {
            let frames = house.heard(reading);
            let delivered: Vec<_> = frames
                .iter()
                .filter_map(|frame| match frame {
                    RelayFrame::Deliver(deliver) => Some((deliver.mailbox, deliver.id)),
                    RelayFrame::CaughtUp { .. } | RelayFrame::Answer { .. } | RelayFrame::Entry(_) => None,
                })
                .collect();
            caught_up += frames.len() - delivered.len();
            if frames.is_empty() {
                break;
            }
            assert!(delivered.len() <= 128);
            got += delivered.len();
            for (mailbox, id) in delivered {
                house.ask(reading, Command::Ack(sotto_outer::Ack { mailbox, ids: vec![id] }));
            }
        }
        assert_eq!((got, caught_up), (400, 40));
    }

    #[test]
    fn a_read_that_failed_is_tried_again() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        for id in 0..150 {
            house.ask(alice, bob.send(id));
        }
        let window = house.delivered(reading);
        house.ask(reading, bob.ack(&window));
        assert_eq!(house.delivered(reading).len(), 22);

        house.input(Input::Woken(house.core.config.tag(&bob.receive_id())));
        house.fail_storage(true);
        house.input(Input::Woken(house.core.config.tag(&bob.receive_id())));
        house.storage_direct_send(&bob, 900);
        house.fail_storage(false);
        assert_eq!(house.delivered(reading), []);
        house.input(Input::Tick);
        assert_eq!(house.delivered(reading), [envelope_id(900)]);
    }

    #[test]
    fn another_nodes_envelope_comes_with_its_hint() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let reading = house.reader(&bob);
        house.storage_direct_send(&bob, 1);
        assert_eq!(house.delivered(reading), []);
        house.input(Input::Woken(house.core.config.tag(&bob.receive_id())));
        assert_eq!(house.delivered(reading), [envelope_id(1)]);
    }

    #[test]
    fn under_load_new_readers_wait() {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let conn = house.greeted();
        house.ask(conn, bob.create());
        house.core.config.admission = Admission { subscribe_max: 0, ..Admission::default() };
        let subscribe = bob.subscribe(&house, conn, None, [1; 16]);
        assert!(matches!(house.ask(conn, subscribe), Answer::Busy { .. }));
    }
}
