//! Everything that was ever delivered comes again: in any order, under other ids, in other mailboxes, long after.

use sotto_engine::{ContactState, Happening, Intent, Table};
use sotto_tests::world::{
    Again, Mischief, World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use super::{REPAIRED, assert_one_a_day, happened, journal, messages, mind, only_acks, repairs_begun};
use crate::{befriend, friends, link, send, state, table, wait_for};

const ORDERS: [Again; 3] = [Again::InOrder, Again::Backwards, Again::Shuffled];

/// Twenty days of talk.
fn twenty_days(world: &mut World, alice: ClientId, bob: ClientId) {
    for day in 0..20 {
        send(world, alice, bob, &format!("day {day}"));
        world.run_for(10 * HOUR);
        send(world, bob, alice, &format!("and night {day}"));
        world.run_for(14 * HOUR);
    }
    world.settle();
    world.run_for(MINUTE);
}

#[test]
fn twenty_days_of_envelopes_delivered_again_change_nothing() {
    let (mut world, alice, bob) = friends(30);
    twenty_days(&mut world, alice, bob);
    for (order, under_new_ids) in ORDERS.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        for client in [alice, bob] {
            let (before, notices) = (mind(&world, client), world.client(client).seen().notices.len());
            only_acks(&mut world, client, |world| {
                for _ in 0..3 {
                    let replayed = world.replay_all(client, order, under_new_ids);
                    assert!(replayed > 40, "{replayed} envelopes were kept");
                }
                world.run_for(10 * MINUTE);
            });
            assert!(mind(&world, client) == before, "an envelope of the past changed something ({order:?})");
            assert_eq!(world.client(client).seen().notices.len(), notices, "a person was told of the past");
        }
    }
    // A new process knows no less.
    world.restart(bob);
    world.run_for(MINUTE);
    let before = mind(&world, bob);
    only_acks(&mut world, bob, |world| {
        world.replay_all(bob, Again::Shuffled, true);
        world.run_for(10 * MINUTE);
    });
    assert!(mind(&world, bob) == before, "a restart made an envelope of the past new");
    send(&mut world, alice, bob, "still here");
    world.settle();
}

#[test]
fn envelopes_in_mailboxes_that_they_were_not_for_are_noise() {
    let (mut world, alice, bob) = friends(33);
    let carol = world.add_person("carol");
    befriend(&mut world, alice, carol);
    for number in 0..10 {
        send(&mut world, bob, alice, &format!("from bob {number}"));
        send(&mut world, carol, alice, &format!("from carol {number}"));
    }
    world.settle();
    world.run_for(MINUTE);
    let said = messages(&world, alice);
    for _ in 0..5 {
        let before = journal(&world, alice).len();
        only_acks(&mut world, alice, |world| {
            let replayed = world.replay_elsewhere(alice);
            assert!(replayed > 40, "{replayed} envelopes were kept");
            // Shorter than the least that a repair waits.
            world.run_for(4_000);
        });
        world.run_for(DAY + 2 * HOUR);
        let new = &journal(&world, alice)[before..];
        assert!(new.iter().all(|(_, happening)| REPAIRED(happening)), "noise had another notice: {new:?}");
    }
    assert!(messages(&world, alice) == said, "a message was shown for what was never sent so");
    for root in [world.root(bob), world.root(carol)] {
        let repaired = Happening::SessionRepaired { contact: root };
        let repairs = journal(&world, alice).into_iter().filter(|(_, happening)| *happening == repaired);
        let times: Vec<_> = repairs.map(|(time, _)| time).collect();
        assert_one_a_day("repairs with one contact", &times);
    }
    send(&mut world, alice, bob, "was that you?");
    send(&mut world, alice, carol, "or you?");
    world.settle();
}

#[test]
fn first_messages_come_again_and_no_request_is_made_of_them() {
    let mut world = World::new(seed_or(34));
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| world.add_person(name));
    let (root_b, root_c, root_d) = (world.root(bob), world.root(carol), world.root(dave));
    let address = link(&mut world, alice, false);
    for guest in [bob, carol, dave] {
        world.expect(guest, Intent::Connect { link: address.clone(), text: Some("it is me".to_owned()) });
        let root = world.root(guest);
        wait_for(&mut world, alice, root, ContactState::Incoming);
    }
    world.expect(alice, Intent::Accept { contact: root_b });
    world.expect(alice, Intent::Decline { contact: root_c });
    world.expect(alice, Intent::Block { contact: root_d });
    let root_a = world.root(alice);
    wait_for(&mut world, bob, root_a, ContactState::Connected);
    world.run_for(MINUTE);
    // Longer than envelopes are remembered, and than the keys live that they were made for. What is declined asks five times.
    for day in 0..45 {
        let (requests, sessions) = (world.client(alice).seen().notices.len(), table(&world, alice, Table::Session));
        let journal_before = journal(&world, alice).len();
        only_acks(&mut world, alice, |world| {
            for payload in world.kept_payloads(alice) {
                world.knock(alice, &payload);
            }
            world.run_for(4_000);
        });
        assert_eq!(journal(&world, alice).len(), journal_before, "day {day}: an old request made something happen");
        assert_eq!(world.client(alice).seen().notices.len(), requests, "day {day}: an old request was new");
        assert!(table(&world, alice, Table::Session) == sessions, "day {day}: an old handshake made a session");
        let states = [root_b, root_c, root_d].map(|root| state(&world, alice, &root));
        let wanted = [ContactState::Connected, ContactState::Declined, ContactState::Blocked].map(Some);
        assert_eq!(states, wanted);
        world.run_for(DAY);
    }
    send(&mut world, alice, bob, "you came once");
    send(&mut world, bob, alice, "I did");
    world.settle();
}

#[test]
fn repair_handshakes_come_again_and_repair_nothing() {
    let (mut world, alice, bob) = friends(35);
    for number in 0..5 {
        send(&mut world, alice, bob, &format!("before {number}"));
        send(&mut world, bob, alice, &format!("yes {number}"));
    }
    world.settle();
    world.lossy = true;
    world.stop(bob);
    world.edit_rows(bob, |rows| {
        let keys: Vec<_> = rows.table(Table::Session).map(|(key, _)| key.to_vec()).collect();
        for key in keys {
            rows.set(Table::Session, &key, None);
        }
    });
    world.start(bob);
    for number in 0..3 {
        send(&mut world, alice, bob, &format!("lost {number}"));
    }
    let repaired = |world: &World| happened(world, bob, REPAIRED) > 0 && happened(world, alice, REPAIRED) > 0;
    assert!(world.run_until(HOUR, repaired), "both have repaired");
    world.settle();
    for day in 0..25 {
        for client in [alice, bob] {
            let before = mind(&world, client);
            only_acks(&mut world, client, |world| {
                world.replay_all(client, Again::Shuffled, day % 2 == 0);
                world.run_for(4_000);
            });
            assert!(mind(&world, client) == before, "day {day}: a repair of the past changed something");
        }
        send(&mut world, alice, bob, &format!("day {day}"));
        send(&mut world, bob, alice, &format!("night {day}"));
        world.run_for(DAY);
    }
    assert_eq!([alice, bob].map(|client| happened(&world, client, REPAIRED)), [1, 1], "one repair was enough");
    world.settle();
}

#[test]
fn what_was_forgotten_comes_again_and_is_noise_at_worst() {
    let (mut world, alice, bob) = friends(36);
    twenty_days(&mut world, alice, bob);
    // The memory of envelopes ends, their keys are long gone.
    world.run_for(32 * DAY);
    world.settle();
    for _ in 0..16 {
        for client in [alice, bob] {
            let said = messages(&world, client);
            let before = journal(&world, client).len();
            only_acks(&mut world, client, |world| {
                world.replay_all(client, Again::Shuffled, true);
                world.run_for(4_000);
            });
            assert!(messages(&world, client) == said, "a message of the past was shown again");
            assert_eq!(journal(&world, client).len(), before, "an envelope of the past made something happen");
            // What one begins is over before the other is watched, and no pause of whole days ends while anyone is.
            world.run_for(HOUR);
        }
        world.run_for(DAY + 3 * HOUR + 13 * MINUTE);
    }
    for client in [alice, bob] {
        let begun = repairs_begun(&world, client);
        assert_one_a_day("repairs", &begun);
        assert!(begun.len() <= 5, "{} repairs in 21 days, each pause twice as long", begun.len());
    }
    send(&mut world, alice, bob, "enough of the past");
    send(&mut world, bob, alice, "indeed");
    world.settle();
}

#[test]
fn a_relay_that_repeats_reorders_and_withholds_loses_nothing_and_doubles_nothing() {
    let (mut world, alice, bob) = friends(32);
    world.set_mischief(Mischief {
        duplicate_one_in: 3,
        reorder_one_in: 3,
        withhold_one_in: 9,
        replay_one_in: 3,
        ..Mischief::default()
    });
    for number in 0..60 {
        send(&mut world, alice, bob, &format!("to bob {number}"));
        send(&mut world, bob, alice, &format!("to alice {number}"));
        if number % 10 == 9 {
            world.restart(bob);
            world.run_for(MINUTE);
        }
    }
    world.settle();
    let repairs = [alice, bob].map(|client| happened(&world, client, REPAIRED));
    assert_eq!(repairs, [0, 0], "a session was given up for nothing");
}
