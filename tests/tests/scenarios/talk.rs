//! Two people talk, and nothing goes wrong that does not go wrong every day: restarts, full mailboxes, weeks away.

use sotto_engine::{Intent, MessageStatus, Table, view};
use sotto_outer::{Limits, limits};
use sotto_relay::core::Config;
use sotto_tests::world::{
    World,
    chance::{Chance, seed_or},
    clock::{DAY, HOUR, MINUTE, SECOND},
    relay::Crash,
};

use crate::{ask_to_send, befriend, friends, holds, send, table};

#[test]
fn one_message_arrives_and_its_sender_learns_of_it() {
    let (mut world, alice, bob) = friends(1);
    let id = send(&mut world, alice, bob, "good morning");
    assert!(world.run_until(MINUTE, |world| holds(world, bob, &id)), "it arrives within a minute");
    world.settle();
    let message = view::message(world.client(alice).rows(), &id).unwrap().unwrap();
    assert_eq!(message.status, MessageStatus::Delivered);
    assert!(world.reader.opened >= 4, "hello, acceptance, text and receipt were opened: {}", world.reader.opened);
}

#[test]
fn a_thousand_each_way_arrive_once_through_restarts_and_a_full_mailbox() {
    let limits = Limits {
        mailbox_envelopes_max: 300,
        mailbox_bytes_max: limits::MAILBOX_BYTES_MAX,
        envelope_ttl_secs: limits::ENVELOPE_TTL_SECS,
    };
    let mut world = World::with_relay(seed_or(2), Config { limits, ..Config::default() });
    let mut chance = Chance::fork(world.seed(), "test", 0);
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    world.set_online(bob, false);
    for number in 0..1_000 {
        ask_to_send(&mut world, alice, bob, &format!("to bob {number}"));
        if chance.one_in(200) {
            world.run_for(SECOND);
            world.restart(alice);
        }
    }
    world.run_for(HOUR);
    assert!(world.relay().payloads().count() >= 300, "bob's mailbox is full");
    world.set_online(bob, true);
    for number in 0..1_000 {
        ask_to_send(&mut world, bob, alice, &format!("to alice {number}"));
        match chance.below(100) {
            0 => world.restart(alice),
            1 => world.restart(bob),
            2 => {
                world.stop_relay(Crash::BeforeCommit);
                world.start_relay();
            }
            3..30 => world.run_for(SECOND),
            _ => {}
        }
    }
    world.settle();
    // A restart may come between the intent and the commit: then nobody was told that the message is stored.
    assert!(world.accepted().len() > 1_900, "{} were accepted", world.accepted().len());
}

#[test]
fn what_expires_at_the_relay_is_sealed_anew_and_arrives_once() {
    let (mut world, alice, bob) = friends(3);
    world.run_for(MINUTE);
    world.set_online(bob, false);
    let ids: Vec<_> = (0..5).map(|number| send(&mut world, alice, bob, &format!("postcard {number}"))).collect();
    world.run_for(DAY);
    let released = world.released().len();
    world.run_for(29 * DAY);
    assert!(world.released().len() >= released + ids.len(), "every postcard was sealed a second time");
    world.set_online(bob, true);
    assert!(world.run_until(HOUR, |world| ids.iter().all(|id| holds(world, bob, id))), "bob has his post");
    world.settle();
}

#[test]
fn hours_of_typing_to_one_who_is_away_cost_nothing_durable() {
    let (mut world, alice, bob) = friends(4);
    let contact = world.root(bob);
    world.expect(alice, Intent::Typing { contact, active: true });
    assert!(world.run_until(MINUTE, |world| world.client(bob).seen().typing == [true]), "bob sees her type");
    world.settle();

    world.set_online(bob, false);
    let state = |world: &World| {
        let tables = [Table::Session, Table::SkippedKey, Table::Outbox, Table::Message, Table::Journal];
        tables.map(|of| table(world, alice, of))
    };
    let (before, released) = (state(&world), world.released().len());
    for second in 0..5 * 360 {
        world.ask(alice, Intent::Typing { contact, active: second % 2 == 0 });
        world.run_for(10 * SECOND);
    }
    assert!(world.released().len() >= released + 1_700, "she was online all the time");
    assert!(state(&world) == before, "typing left something in her database");
    assert_eq!(world.relay().payloads().count(), 0, "typing left something at the relay");
    assert_eq!(world.client(bob).seen().typing, [true], "typing reached one who is away");

    world.set_online(bob, true);
    send(&mut world, alice, bob, "are you back?");
    world.settle();
}
