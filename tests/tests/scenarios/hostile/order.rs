//! Envelopes that are kept back for days, and delivered in another order: within what a session remembers, and beyond it.

use sotto_engine::Happening;
use sotto_inner::ContentId;
use sotto_tests::world::{
    Again, Mischief, World,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
};

use super::{REPAIRED, assert_one_a_day, happened, journal, repairs_begun};
use crate::{ask_to_send, friends, holds, send};

const STEALS: Mischief = Mischief {
    duplicate_one_in: 0,
    reorder_one_in: 0,
    withhold_one_in: 0,
    replay_one_in: 0,
    junk_one_in: 0,
    steal_one_in: 1,
    false_ack_one_in: 0,
    other_lease_one_in: 0,
};

/// A message that the relay keeps to itself.
fn stolen(world: &mut World, from: ClientId, to: ClientId, text: &str) -> ContentId {
    world.set_mischief(STEALS);
    let id = send(world, from, to, text);
    world.run_for(2 * SECOND);
    world.set_mischief(Mischief::default());
    assert!(!holds(world, to, &id), "the relay took it");
    id
}

#[test]
fn days_of_envelopes_that_come_backwards_are_all_read() {
    let (mut world, alice, bob) = friends(240);
    world.settle();
    world.set_mischief(STEALS);
    for number in 0..700 {
        ask_to_send(&mut world, alice, bob, &format!("message {number}"));
        if number % 100 == 99 {
            world.run_for(DAY);
        }
    }
    assert_eq!(world.accepted().len(), 700);
    let ids: Vec<_> = world.accepted().iter().map(|accepted| accepted.id).collect();
    assert!(ids.iter().all(|id| !holds(&world, bob, id)), "nothing has come");
    world.set_mischief(Mischief::default());
    world.replay_all(bob, Again::Backwards, false);
    let all = |world: &World| ids.iter().all(|id| holds(world, bob, id));
    world.run_for(10 * MINUTE);
    assert!(all(&world), "a message was lost by coming in another order");
    world.replay_all(bob, Again::Shuffled, true);
    world.run_for(10 * MINUTE);
    world.settle();
    assert_eq!([alice, bob].map(|client| happened(&world, client, REPAIRED)), [0, 0]);
}

#[test]
fn what_comes_after_its_chain_is_forgotten_goes_again_and_arrives_once() {
    let (mut world, alice, bob) = friends(241);
    world.settle();
    let mut late = Vec::new();
    for round in 0..9 {
        late.push(stolen(&mut world, alice, bob, &format!("kept back {round}")));
        for (from, to) in [(bob, alice), (alice, bob), (bob, alice)] {
            let id = send(&mut world, from, to, &format!("round {round}"));
            assert!(world.run_until(MINUTE, |world| holds(world, to, &id)), "the talk goes on");
        }
    }
    world.run_for(MINUTE);
    let before = journal(&world, bob);
    world.replay_all(bob, Again::Shuffled, false);
    world.run_for(HOUR);
    assert!(late[..3].iter().all(|id| !holds(&world, bob, id)), "the keys of the oldest chains are gone");
    assert!(late[5..].iter().all(|id| holds(&world, bob, id)), "the newest five are remembered");
    let new = journal(&world, bob).split_off(before.len());
    // Texts, and receipts that were kept back with them.
    let due =
        |happening: &Happening| matches!(happening, Happening::MessageNew { .. } | Happening::MessageStatus { .. });
    assert!(new.iter().all(|(_, happening)| due(happening)), "{new:?}");
    // Sealed anew when the lost envelopes have expired.
    assert!(world.run_until(22 * DAY, |world| late.iter().all(|id| holds(world, bob, id))), "all have come in the end");
    world.settle();
    assert_one_a_day("repairs", &repairs_begun(&world, bob));
    assert_eq!(repairs_begun(&world, alice).len(), 0);
}

#[test]
fn an_envelope_kept_back_for_weeks_shows_nothing_twice() {
    // While its key is still kept, and after.
    for days in [24, 40] {
        let (mut world, alice, bob) = friends(242);
        world.settle();
        let id = stolen(&mut world, alice, bob, "kept back for weeks");
        for day in 0..days {
            send(&mut world, bob, alice, &format!("day {day}"));
            world.run_for(DAY);
        }
        assert!(holds(&world, bob, &id), "it was sealed anew when it had expired");
        world.run_for(MINUTE);
        let before = journal(&world, bob);
        world.replay_all(bob, Again::Backwards, false);
        world.run_for(HOUR);
        let new = journal(&world, bob).split_off(before.len());
        assert!(new.iter().all(|(_, happening)| REPAIRED(happening)), "after {days} days: {new:?}");
        send(&mut world, alice, bob, "better late than twice");
        world.settle();
        assert_one_a_day("repairs", &repairs_begun(&world, bob));
    }
}
