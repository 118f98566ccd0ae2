//! Bytes that nobody sealed, and true envelopes with something wrong in them.

use sotto_engine::Table;
use sotto_inner::limits::{BUCKETS, FIRST_MESSAGE_BYTES};
use sotto_tests::world::{
    World,
    chance::Chance,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use super::{REPAIRED, assert_one_a_day, happened, journal, messages, mind, only_acks, repairs_begun};
use crate::{friends, send, table};

/// Injects payloads for a few seconds, fewer than the least that a repair waits, and then lets an hour pass. Nothing but a
/// repair may come of it.
#[track_caller]
fn bear(world: &mut World, client: ClientId, inject: impl FnOnce(&mut World)) {
    let (said, before) = (messages(world, client), journal(world, client).len());
    let notices = world.client(client).seen().notices.len();
    only_acks(world, client, |world| {
        inject(world);
        world.run_for(4_000);
    });
    world.run_for(HOUR);
    let new = journal(world, client).split_off(before);
    assert!(new.len() <= 1 && new.iter().all(|(_, happening)| REPAIRED(happening)), "noise came to {new:?}");
    assert!(messages(world, client) == said, "noise was shown as a message");
    assert_eq!(world.client(client).seen().notices.len(), notices, "a person was told of noise");
}

#[test]
fn junk_is_never_answered_and_a_flood_starts_one_repair_a_day_at_most() {
    let (mut world, alice, bob) = friends(31);
    world.settle();
    only_acks(&mut world, bob, |world| {
        world.inject_junk(bob, 2);
        world.run_for(5 * HOUR);
    });

    let days = 10;
    for _ in 0..days * 24 {
        world.inject_junk(bob, 20);
        world.run_for(HOUR);
    }
    // A day, then twice as long each time: days 0, 1, 3, 7.
    let repairs = happened(&world, bob, REPAIRED);
    assert!((1..=4).contains(&repairs), "{repairs} repairs in {days} days");
    assert_one_a_day("repairs", &repairs_begun(&world, bob));
    send(&mut world, alice, bob, "are you well?");
    send(&mut world, bob, alice, "there is so much noise");
    world.settle();
}

#[test]
fn thousands_of_each_size_in_the_contact_mailbox_leave_no_trace() {
    let (mut world, alice, bob) = friends(37);
    world.settle();
    world.run_for(MINUTE);
    let mut chance = Chance::fork(world.seed(), "test", 0);
    let rows = |world: &World| (mind(world, alice), table(world, alice, Table::Digest));
    let before = rows(&world);
    for (bytes, count) in [(BUCKETS[0], 2_000), (BUCKETS[1], 2_000), (BUCKETS[2], 500), (BUCKETS[3], 120)] {
        only_acks(&mut world, alice, |world| {
            for _ in 0..count {
                world.knock(alice, &chance.bytes(bytes));
            }
            world.run_for(10 * MINUTE);
        });
        assert!(rows(&world) == before, "noise of {bytes} bytes left something");
    }
    send(&mut world, bob, alice, "quite a crowd at your door");
    world.settle();
}

#[test]
fn noise_of_each_size_and_of_none_begins_one_repair_a_day_at_most() {
    let (mut world, alice, bob) = friends(38);
    world.settle();
    world.run_for(MINUTE);
    let mut chance = Chance::fork(world.seed(), "test", 0);
    for odd in [1, 100, BUCKETS[0] - 1, BUCKETS[0] + 1, BUCKETS[3] - 1] {
        let before = (mind(&world, bob), table(&world, bob, Table::Digest));
        only_acks(&mut world, bob, |world| {
            for _ in 0..100 {
                world.inject_payload(bob, &chance.bytes(odd));
            }
            world.run_for(10 * MINUTE);
        });
        assert!((mind(&world, bob), table(&world, bob, Table::Digest)) == before, "{odd} bytes left something");
    }
    for round in 0..12 {
        let (bytes, count) = [(BUCKETS[0], 300), (BUCKETS[1], 300), (BUCKETS[2], 100), (BUCKETS[3], 40)][round % 4];
        bear(&mut world, bob, |world| {
            for _ in 0..count {
                world.inject_payload(bob, &chance.bytes(bytes));
            }
        });
        world.run_for([HOUR, DAY][round % 2]);
    }
    assert!(happened(&world, bob, REPAIRED) > 0, "a flood begins a repair");
    assert_one_a_day("repairs", &repairs_begun(&world, bob));
    assert_eq!(repairs_begun(&world, alice).len(), 0, "she was sent no noise");
    send(&mut world, alice, bob, "are you well?");
    send(&mut world, bob, alice, "I am");
    world.settle();
}

#[test]
fn true_envelopes_with_one_thing_wrong_are_noise() {
    let (mut world, alice, bob) = friends(39);
    for number in 0..10 {
        send(&mut world, alice, bob, &format!("to bob {number}"));
        send(&mut world, bob, alice, &format!("to alice {number}"));
    }
    world.settle();
    world.run_for(MINUTE);
    let mut chance = Chance::fork(world.seed(), "test", 0);
    for day in 0..8 {
        for client in [alice, bob] {
            let kept = world.kept_payloads(client);
            bear(&mut world, client, |world| {
                for payload in &kept {
                    let mut wrong = payload.clone();
                    // What a relay sees of an envelope is kept: the id of a seal key, a repair's tag.
                    let open = if payload.len() == FIRST_MESSAGE_BYTES { 32 } else { 0 };
                    let at = chance.between(open, payload.len() as u64 - 1) as usize;
                    match day % 4 {
                        0 => wrong[at] ^= 1 << chance.below(8),
                        1 => wrong.truncate(at.max(1)),
                        2 => wrong.extend(chance.bytes(BUCKETS[1])),
                        _ => wrong[at..].copy_from_slice(&chance.bytes(payload.len() - at)),
                    }
                    world.inject_payload(client, &wrong);
                }
            });
        }
        world.run_for(DAY);
    }
    for client in [alice, bob] {
        assert_one_a_day("repairs", &repairs_begun(&world, client));
    }
    send(&mut world, alice, bob, "we understand each other");
    send(&mut world, bob, alice, "to the last bit");
    world.settle();
}
