//! Machines fail at the worst moment: before a commit, after it, between any two effects.

use sotto_engine::{ContactState, Intent};
use sotto_tests::world::{
    Faults, Weather, World,
    chance::{Chance, seed_or},
    clock::{DAY, MINUTE, SECOND},
    relay::Crash,
};

use crate::{ask_to_send, friends, link, send, state, wait_for};

#[test]
fn a_relay_that_crashes_before_or_after_each_commit_loses_nothing() {
    for crash in [Crash::BeforeCommit, Crash::AfterCommit] {
        let (mut world, alice, bob) = friends(20);
        for number in 0..20 {
            let (from, to) = if number % 2 == 0 { (alice, bob) } else { (bob, alice) };
            send(&mut world, from, to, &format!("message {number}"));
            assert!(world.run_until(MINUTE, |world| world.relay().is_writing()), "the relay has something to write");
            world.stop_relay(crash);
            world.run_for(30 * SECOND);
            world.start_relay();
            world.run_for(2 * MINUTE);
        }
        world.settle();
        assert_eq!(world.accepted().len(), 20);
    }
}

#[test]
fn a_client_that_crashes_between_any_two_effects_of_a_talk_loses_nothing() {
    for victim in 0..2 {
        for after in 0.. {
            let (mut world, alice, bob) = friends(21);
            world.run_for(MINUTE);
            world.doom([alice, bob][victim], after);
            ask_to_send(&mut world, alice, bob, "one");
            ask_to_send(&mut world, bob, alice, "two");
            world.run_for(MINUTE);
            let met = !world.is_doom_ahead();
            world.settle();
            if !met {
                assert!(after > 5, "a talk has more than {after} moments");
                break;
            }
        }
    }
}

#[test]
fn a_client_that_crashes_between_any_two_effects_of_a_first_contact_still_meets() {
    for victim in 0..2 {
        for after in 0.. {
            let mut world = World::new(seed_or(22));
            let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
            let (root_a, root_b) = (world.root(alice), world.root(bob));
            let link = link(&mut world, alice, true);
            world.expect(bob, Intent::Connect { link, text: Some("it is me".to_owned()) });
            world.doom([alice, bob][victim], after);
            wait_for(&mut world, alice, root_b, ContactState::Incoming);
            while state(&world, alice, &root_b) == Some(ContactState::Incoming) {
                if world.client(alice).is_running() {
                    world.ask(alice, Intent::Accept { contact: root_b });
                }
                world.run_for(MINUTE);
            }
            wait_for(&mut world, bob, root_a, ContactState::Connected);
            world.run_for(MINUTE);
            let met = !world.is_doom_ahead();
            world.settle();
            if !met {
                assert!(after > 10, "a first contact has more than {after} moments");
                break;
            }
        }
    }
}

#[test]
fn commits_that_fail_change_nothing_and_lose_nothing() {
    let (mut world, alice, bob) = friends(23);
    world.faults = Faults { client_commit_fails_one_in: 4, relay_commit_fails_one_in: 6, ..Faults::default() };
    for number in 0..60 {
        ask_to_send(&mut world, alice, bob, &format!("to bob {number}"));
        ask_to_send(&mut world, bob, alice, &format!("to alice {number}"));
        world.run_for(20 * SECOND);
    }
    world.settle();
    assert!(world.accepted().len() > 60, "{} were accepted", world.accepted().len());
}

#[test]
fn lines_that_are_cut_all_the_time_only_delay() {
    let (mut world, alice, bob) = friends(24);
    world.set_weather(Weather { delay_millis_max: 5_000, cut_one_in: 8 });
    for number in 0..30 {
        ask_to_send(&mut world, alice, bob, &format!("to bob {number}"));
        ask_to_send(&mut world, bob, alice, &format!("to alice {number}"));
        world.run_for(30 * SECOND);
    }
    world.settle();
    assert_eq!(world.accepted().len(), 60);
}

#[test]
fn everyone_being_away_in_turn_only_delays() {
    let (mut world, alice, bob) = friends(25);
    let mut chance = Chance::fork(world.seed(), "test", 0);
    for number in 0..40 {
        let (away, here) = if number % 2 == 0 { (alice, bob) } else { (bob, alice) };
        world.set_online(away, false);
        world.set_online(here, true);
        ask_to_send(&mut world, here, away, &format!("from the one here {number}"));
        ask_to_send(&mut world, away, here, &format!("from the one away {number}"));
        world.run_for(chance.below(2 * DAY));
    }
    world.settle();
    assert_eq!(world.accepted().len(), 80);
}
