//! A relay that does not keep to its rules, and whoever else can put bytes into a mailbox.

use sotto_engine::{Happening, Table, view};
use sotto_tests::world::{
    Mischief, World,
    client::ClientId,
    clock::{HOUR, MINUTE},
};

use crate::{friends, send, table};

/// Everything that an envelope could change, but for the memory of envelopes.
fn mind(world: &World, client: ClientId) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let tables = [
        Table::Contact,
        Table::Session,
        Table::SkippedKey,
        Table::Message,
        Table::Prekey,
        Table::Outbox,
        Table::Receipt,
        Table::Journal,
    ];
    tables.map(|of| table(world, client, of)).into()
}

fn repairs(world: &World, client: ClientId) -> usize {
    let journal = view::journal(world.client(client).rows(), 0, usize::MAX).unwrap();
    journal.iter().filter(|(_, entry)| matches!(entry.happening, Happening::SessionRepaired { contact: _ })).count()
}

#[test]
fn twenty_days_of_envelopes_delivered_again_change_nothing() {
    let (mut world, alice, bob) = friends(30);
    for day in 0..20 {
        send(&mut world, alice, bob, &format!("day {day}"));
        world.run_for(10 * HOUR);
        send(&mut world, bob, alice, &format!("and night {day}"));
        world.run_for(14 * HOUR);
    }
    world.settle();
    world.run_for(MINUTE);
    for under_new_ids in [false, true] {
        for client in [alice, bob] {
            let (before, released) = (mind(&world, client), world.released().len());
            let replayed = world.replay_all(client, under_new_ids);
            assert!(replayed > 40, "{replayed} envelopes were kept");
            world.run_for(10 * MINUTE);
            assert!(mind(&world, client) == before, "an envelope of the past changed something");
            assert_eq!(world.released().len(), released, "an envelope of the past was answered");
        }
    }
    send(&mut world, alice, bob, "still here");
    world.settle();
}

#[test]
fn junk_is_never_answered_and_a_flood_starts_one_repair_a_day_at_most() {
    let (mut world, alice, bob) = friends(31);
    world.settle();
    let released = world.released().len();
    world.inject_junk(bob, 2);
    world.run_for(5 * HOUR);
    assert_eq!(world.released().len(), released, "junk was answered");

    let days = 10;
    for _ in 0..days * 24 {
        world.inject_junk(bob, 20);
        world.run_for(HOUR);
    }
    // A day, then twice as long each time: days 0, 1, 3, 7.
    assert!((1..=4).contains(&repairs(&world, bob)), "{} repairs in {days} days", repairs(&world, bob));
    send(&mut world, alice, bob, "are you well?");
    send(&mut world, bob, alice, "there is so much noise");
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
        junk_one_in: 0,
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
    assert_eq!(repairs(&world, alice) + repairs(&world, bob), 0, "a session was given up for nothing");
}
