//! Answers that are not true: done of what was dropped, another lease than it held.

use sotto_engine::{ContactState, Happening, Intent, MessageStatus, view};
use sotto_inner::ContentId;
use sotto_tests::world::{
    Mischief, World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use super::{assert_one_a_day, journal, repairs_begun};
use crate::{friends, holds, link, send, state, wait_for};

const DROPS: fn(u64) -> Mischief = |false_ack_one_in| Mischief { false_ack_one_in, ..Mischief::default() };

fn status(world: &World, author: ClientId, id: &ContentId) -> MessageStatus {
    view::message(world.client(author).rows(), id).unwrap().unwrap().status
}

/// Lets time pass; at no moment of it is a message said to be delivered that is not.
#[track_caller]
fn run_truthfully(world: &mut World, millis: u64, said: &[(ClientId, ClientId, ContentId)]) {
    let lied = |world: &World| {
        said.iter().any(|(from, to, id)| {
            let told = matches!(status(world, *from, id), MessageStatus::Delivered | MessageStatus::Read);
            told && !holds(world, *to, id)
        })
    };
    assert!(!world.run_until(millis, lied), "an author was told that a message had arrived, and it had not");
}

#[test]
fn what_a_relay_drops_and_calls_done_goes_again_and_arrives_once() {
    let (mut world, alice, bob) = friends(230);
    world.settle();
    world.set_mischief(DROPS(1));
    let mut said = Vec::new();
    for number in 0..5 {
        said.push((alice, bob, send(&mut world, alice, bob, &format!("to bob {number}"))));
        said.push((bob, alice, send(&mut world, bob, alice, &format!("to alice {number}"))));
    }
    run_truthfully(&mut world, DAY, &said);
    assert!(world.dropped() >= 10, "{} were dropped", world.dropped());
    assert!(
        said.iter().all(|(from, to, id)| !holds(&world, *to, id) && status(&world, *from, id) == MessageStatus::Sent)
    );
    world.set_mischief(Mischief::default());
    run_truthfully(&mut world, 19 * DAY, &said);
    assert!(said.iter().all(|(_, to, id)| !holds(&world, *to, id)), "what was taken is not sent again at once");
    run_truthfully(&mut world, 3 * DAY, &said);
    assert!(said.iter().all(|(_, to, id)| holds(&world, *to, id)), "it goes again when it has expired");
    world.settle();
}

#[test]
fn some_of_everything_dropped_for_weeks_only_delays() {
    for seed in [231, 232] {
        let (mut world, alice, bob) = friends(seed);
        world.set_mischief(DROPS(3));
        let mut said = Vec::new();
        for day in 0..40 {
            said.push((alice, bob, send(&mut world, alice, bob, &format!("day {day}"))));
            said.push((bob, alice, send(&mut world, bob, alice, &format!("night {day}"))));
            if day % 7 == 3 {
                world.restart(alice);
            }
            run_truthfully(&mut world, DAY, &said);
        }
        assert!(world.dropped() > 30, "{} were dropped", world.dropped());
        world.settle();
        for client in [alice, bob] {
            assert_one_a_day("repairs", &repairs_begun(&world, client));
        }
    }
}

#[test]
fn a_request_that_was_dropped_and_called_done_is_made_again() {
    let mut world = World::new(seed_or(233));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    let link = link(&mut world, alice, true);
    world.set_mischief(DROPS(1));
    world.expect(bob, Intent::Connect { link, text: Some("it is me".to_owned()) });
    world.run_for(HOUR);
    assert_eq!(state(&world, bob, &root_a), Some(ContactState::Requested));
    world.set_mischief(Mischief::default());
    // The invitation's only pair went with the dropped request: it is sealed anew, as a message is, when it has expired.
    assert!(world.run_until(23 * DAY, |world| state(world, alice, &root_b) == Some(ContactState::Incoming)));
    world.set_mischief(DROPS(1));
    world.expect(alice, Intent::Accept { contact: root_b });
    world.run_for(HOUR);
    world.set_mischief(Mischief::default());
    world.run_for(22 * DAY);
    wait_for(&mut world, bob, root_a, ContactState::Connected);
    world.settle();
}

#[test]
fn a_relay_that_cries_copy_at_every_turn_is_heard_once_a_day() {
    let (mut world, alice, bob) = friends(234);
    world.settle();
    world.set_mischief(Mischief { other_lease_one_in: 1, ..Mischief::default() });
    let days = 10;
    for _ in 0..days * 6 {
        world.restart(bob);
        world.run_for(4 * HOUR);
    }
    let noticed = |contact| {
        let told = journal(&world, bob).into_iter();
        let told = told.filter(|(_, happening)| *happening == Happening::CopyNoticed { contact });
        told.map(|(time, _)| time).collect::<Vec<_>>()
    };
    for contact in [Some(world.root(alice)), None] {
        let times = noticed(contact);
        assert!((1..=days as usize + 1).contains(&times.len()), "told {} times in {days} days", times.len());
        assert_one_a_day("notices of a copy", &times);
    }
    let begun = repairs_begun(&world, bob);
    assert_one_a_day("repairs", &begun);
    assert!((1..=4).contains(&begun.len()), "{} repairs in {days} days", begun.len());
    send(&mut world, alice, bob, "are there two of you?");
    send(&mut world, bob, alice, "I am one");
    world.run_for(MINUTE);
    world.settle();
}
