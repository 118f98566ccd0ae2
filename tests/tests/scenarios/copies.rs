//! States that were copied, restored, lost or stolen.

use sotto_engine::{ContactState, Happening, Table, view};
use sotto_tests::world::{
    World,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use crate::{ask_to_send, friends, holds, send, state};

pub(crate) fn happened(world: &World, client: ClientId, is_it: impl Fn(&Happening) -> bool) -> usize {
    let journal = view::journal(world.client(client).rows(), 0, usize::MAX).unwrap();
    journal.iter().filter(|(_, entry)| is_it(&entry.happening)).count()
}

pub(crate) const NOTICED: fn(&Happening) -> bool =
    |happening| matches!(happening, Happening::CopyNoticed { contact: Some(_) });
pub(crate) const REPAIRED: fn(&Happening) -> bool =
    |happening| matches!(happening, Happening::SessionRepaired { contact: _ });

#[track_caller]
pub(crate) fn both_ways(world: &mut World, alice: ClientId, bob: ClientId) {
    let there = send(world, alice, bob, "do you hear me?");
    let back = send(world, bob, alice, "I do");
    let arrived = world.run_until(MINUTE, |world| holds(world, bob, &there) && holds(world, alice, &back));
    assert!(arrived, "a message each way within a minute");
}

#[test]
fn a_copied_profile_beside_the_original_reuses_no_keystream_and_is_noticed_and_repaired() {
    let (mut world, alice, bob) = friends(40);
    for number in 0..10 {
        send(&mut world, bob, alice, &format!("before {number}"));
        send(&mut world, alice, bob, &format!("yes {number}"));
    }
    world.settle();
    world.lossy = true;

    let copy = world.client(bob).rows().clone();
    let twin = world.add_profile("bob's twin", copy);
    world.start(twin);
    // Both seal with the same state, each its own texts.
    for number in 0..5 {
        ask_to_send(&mut world, twin, alice, &format!("from the copy {number}"));
        ask_to_send(&mut world, bob, alice, &format!("from the original, which says more {number}"));
    }
    world.run_for(10 * MINUTE);
    assert_eq!(world.reader.reused, 0, "two bodies share a keystream");

    // The original comes back on a new line and finds another lease.
    world.set_online(bob, false);
    world.run_for(5 * MINUTE);
    world.set_online(bob, true);
    assert!(world.run_until(5 * MINUTE, |world| happened(world, bob, NOTICED) > 0), "the original is told");
    world.stop(twin);
    let repaired = |world: &World| happened(world, bob, REPAIRED) > 0 && happened(world, alice, REPAIRED) > 0;
    assert!(world.run_until(5 * MINUTE, repaired), "both have repaired");
    both_ways(&mut world, alice, bob);
    assert_eq!(world.reader.reused, 0, "two bodies share a keystream");
}

#[test]
fn a_restored_old_copy_is_noticed_and_repaired_and_reuses_no_keystream() {
    let (mut world, alice, bob) = friends(41);
    both_ways(&mut world, alice, bob);
    world.settle();
    let backup = world.client(bob).rows().clone();
    world.restart(bob);
    for number in 0..20 {
        send(&mut world, bob, alice, &format!("after the backup {number}"));
        send(&mut world, alice, bob, &format!("so it is {number}"));
    }
    world.settle();
    world.lossy = true;

    world.stop(bob);
    world.edit_rows(bob, |rows| *rows = backup);
    world.start(bob);
    for number in 0..5 {
        ask_to_send(&mut world, bob, alice, &format!("as if nothing had happened {number}"));
    }
    assert!(world.run_until(5 * MINUTE, |world| happened(world, bob, NOTICED) > 0), "bob is told");
    let repaired = |world: &World| happened(world, bob, REPAIRED) > 0 && happened(world, alice, REPAIRED) > 0;
    assert!(world.run_until(5 * MINUTE, repaired), "both have repaired");
    both_ways(&mut world, alice, bob);
    assert_eq!(world.reader.reused, 0, "two bodies share a keystream");
}

#[test]
fn a_restart_is_no_copy() {
    let (mut world, alice, bob) = friends(42);
    for number in 0..10 {
        send(&mut world, alice, bob, &format!("message {number}"));
        world.restart(bob);
        world.run_for(if number % 2 == 0 { MINUTE } else { 100 });
    }
    world.settle();
    assert_eq!(happened(&world, bob, |happening| matches!(happening, Happening::CopyNoticed { contact: _ })), 0);
    assert_eq!(happened(&world, bob, REPAIRED), 0);
}

#[test]
fn lost_sessions_are_repaired_after_three_envelopes_that_do_not_open() {
    let (mut world, alice, bob) = friends(43);
    both_ways(&mut world, alice, bob);
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
    for number in 0..2 {
        send(&mut world, alice, bob, &format!("message {number}"));
    }
    world.run_for(HOUR);
    assert_eq!(happened(&world, bob, REPAIRED), 0, "two envelopes are no cause");
    send(&mut world, alice, bob, "the third");
    let repaired = |world: &World| happened(world, bob, REPAIRED) > 0 && happened(world, alice, REPAIRED) > 0;
    assert!(world.run_until(HOUR, repaired), "both have repaired");
    world.settle();
    assert_eq!(happened(&world, bob, REPAIRED), 1, "one repair was enough");
}

#[test]
fn a_thief_of_all_bytes_reads_the_next_two_messages_at_most() {
    let (mut world, alice, bob) = friends(44);
    world.settle();
    let mut thieves = Vec::new();
    for number in 0..40 {
        let (from, to) = if number % 2 == 0 { (alice, bob) } else { (bob, alice) };
        thieves.push(world.steal(alice));
        thieves.push(world.steal(bob));
        let id = send(&mut world, from, to, &format!("volley {number}"));
        // At any moment of the volley: sealed and not gone, under way, arrived and not receipted.
        world.run_for(number * 37 % 900);
        thieves.push(world.steal(alice));
        thieves.push(world.steal(bob));
        assert!(world.run_until(MINUTE, |world| holds(world, to, &id)), "a volley arrives");
    }
    world.settle();
    let read: Vec<_> = thieves.iter().map(|thief| world.thief(*thief).texts()).collect();
    assert!(read.iter().all(|texts| *texts <= 2), "a thief read {:?}", read.iter().max());
    assert!(read.contains(&2) && read.contains(&1), "thieves read something, or they were no thieves: {read:?}");
}

#[test]
fn the_dead_relay_of_a_friendship_ends_nothing() {
    let (mut world, alice, bob) = friends(45);
    world.stop_relay(sotto_tests::world::relay::Crash::BeforeCommit);
    for number in 0..5 {
        send(&mut world, alice, bob, &format!("into the dark {number}"));
    }
    world.run_for(90 * DAY);
    world.start_relay();
    world.settle();
    assert_eq!(state(&world, alice, &world.root(bob)), Some(ContactState::Connected));
}
