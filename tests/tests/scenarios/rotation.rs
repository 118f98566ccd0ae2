//! Pairwise mailboxes rotate: at moments of their own, through losses, crashes and copies, and nobody sees anything of it.

use std::collections::BTreeSet;

use sotto_engine::{
    ContactId, ContactState, Happening, Rows, Table,
    record::{Contact, OwnMailbox, Record},
    view,
};
use sotto_inner::limits::{MAILBOX_RETENTION_SECS, MAILBOX_ROTATION_SECS};
use sotto_outer::SendId;
use sotto_tests::world::{
    Faults, Weather, World,
    chance::Chance,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
};

use crate::{ask_to_send, befriend, friends, holds, send, state, table};

fn contact(world: &World, of: ClientId, id: &ContactId) -> Contact {
    contact_of(world.client(of).rows(), id)
}

fn contact_of(rows: &impl Rows, id: &ContactId) -> Contact {
    let row = rows.get(Table::Contact, id.as_bytes()).unwrap();
    Contact::from_row(&row.expect("they are contacts")).unwrap()
}

/// The mailboxes that a client has for a contact.
fn mailboxes(world: &World, of: ClientId, contact: &ContactId) -> BTreeSet<SendId> {
    let rows = table(world, of, Table::Mailbox);
    let all = rows.iter().map(|(_, row)| OwnMailbox::from_row(row).unwrap());
    all.filter(|mailbox| mailbox.contact == Some(*contact)).map(|mailbox| mailbox.send_id).collect()
}

fn happened(world: &World, client: ClientId, is_it: impl Fn(&Happening) -> bool) -> usize {
    let journal = view::journal(world.client(client).rows(), 0, usize::MAX).unwrap();
    journal.iter().filter(|(_, entry)| is_it(&entry.happening)).count()
}

const REPAIRED: fn(&Happening) -> bool = |happening| matches!(happening, Happening::SessionRepaired { contact: _ });

#[test]
fn mailboxes_rotate_every_month_and_the_old_ones_are_deleted() {
    let (mut world, alice, bob) = friends(60);
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    let mut used = BTreeSet::new();
    let mut most = 0;
    for week in 0..30 {
        send(&mut world, alice, bob, &format!("week {week}"));
        send(&mut world, bob, alice, &format!("and how was week {week}?"));
        world.run_for(7 * DAY);
        used.extend(mailboxes(&world, alice, &root_b));
        most = most.max(mailboxes(&world, alice, &root_b).len());
    }
    world.settle();
    assert!((5..=16).contains(&used.len()), "{} mailboxes in 30 weeks", used.len());
    assert!(most <= 4, "{most} mailboxes at a time");
    let sent_to: BTreeSet<_> = world.released().iter().filter(|r| r.from == bob).map(|r| r.mailbox).collect();
    assert!(sent_to.intersection(&used).count() >= 5, "bob followed");
    assert_eq!(happened(&world, alice, REPAIRED) + happened(&world, bob, REPAIRED), 0);
    assert_eq!(state(&world, bob, &root_a), Some(ContactState::Connected));
}

#[test]
fn two_contacts_mailboxes_never_rotate_together() {
    let (mut world, alice, bob) = friends(61);
    let carol = world.add_person("carol");
    befriend(&mut world, alice, carol);
    let roots = [world.root(bob), world.root(carol)];
    let mut rotations = Vec::new();
    let mut before = roots.map(|root| contact(&world, alice, &root).ours.generation);
    let mut look = |world: &World| {
        let now = roots.map(|root| contact(world, alice, &root).ours.generation);
        rotations.extend(now.iter().zip(&before).filter(|(now, before)| now != before).map(|(now, _)| *now));
        before = now;
    };
    for _ in 0..200 {
        world.run_for(DAY);
        look(&world);
    }
    // Both fall due while she is away, and are made one after the other when she is back.
    world.set_online(alice, false);
    world.stop(alice);
    world.run_for(60 * DAY);
    world.set_online(alice, true);
    world.start(alice);
    for _ in 0..48 {
        world.run_for(10 * MINUTE);
        look(&world);
    }
    rotations.sort_unstable();
    assert!(rotations.len() >= 8, "{} rotations", rotations.len());
    let closest = rotations.windows(2).map(|pair| pair[1] - pair[0]).min();
    // Made apart; how long each takes to be told is the network's.
    assert!(closest > Some(500), "two rotations lie {closest:?} s apart");
}

#[test]
fn rotations_through_cuts_crashes_and_failing_disks_lose_nothing() {
    for seed in [62, 63] {
        let (mut world, alice, bob) = friends(seed);
        let mut chance = Chance::fork(world.seed(), "test", 0);
        world.set_weather(Weather { delay_millis_max: 2_000, cut_one_in: 12 });
        world.faults = Faults {
            client_crash_one_in: 60,
            client_commit_fails_one_in: 40,
            relay_crash_one_in: 80,
            relay_commit_fails_one_in: 60,
        };
        for number in 0..60 {
            for (from, to) in [(alice, bob), (bob, alice)] {
                if world.client(from).is_running() {
                    ask_to_send(&mut world, from, to, &format!("message {number}"));
                }
            }
            world.run_for(chance.below(5 * DAY));
        }
        world.settle();
        let generations = contact(&world, alice, &world.root(bob)).ours.rotate_at;
        assert!(generations > world.now() / 1_000, "the next rotation is planned");
        assert!(world.accepted().len() > 60, "{} were accepted", world.accepted().len());
    }
}

#[test]
fn a_client_that_crashes_between_any_two_effects_of_a_rotation_loses_nothing() {
    for victim in 0..2 {
        for after in 0.. {
            let (mut world, alice, bob) = friends(64);
            world.run_for(MINUTE);
            let due = contact(&world, alice, &world.root(bob)).ours.rotate_at * SECOND;
            let before = contact(&world, alice, &world.root(bob)).ours.generation;
            world.run_for(due - world.now() - 30 * SECOND);
            world.doom([alice, bob][victim], after);
            world.run_for(5 * MINUTE);
            let met = !world.is_doom_ahead();
            world.run_for(2 * HOUR);
            ask_to_send(&mut world, bob, alice, "found you");
            world.settle();
            assert!(contact(&world, alice, &world.root(bob)).ours.generation > before, "it rotated");
            if !met {
                assert!(after > 3, "a rotation has more than {after} moments");
                break;
            }
        }
    }
}

#[test]
fn a_sender_who_was_away_finds_the_new_mailbox_through_the_old_one() {
    let (mut world, alice, bob) = friends(65);
    world.settle();
    world.set_online(bob, false);
    let span = (MAILBOX_ROTATION_SECS * 3 / 2 + MAILBOX_RETENTION_SECS) * SECOND;
    world.run_for(span + DAY);
    let root_b = world.root(bob);
    assert!(mailboxes(&world, alice, &root_b).len() > 1, "nothing came through the new one: the old ones stay");
    world.set_online(bob, true);
    let id = send(&mut world, bob, alice, "back from the sea");
    assert!(world.run_until(HOUR, |world| holds(world, alice, &id)), "it arrives");
    world.settle();
}

#[test]
fn a_copy_restored_from_before_a_rotation_is_noticed_and_found_again() {
    let (mut world, alice, bob) = friends(66);
    let root_a = world.root(alice);
    send(&mut world, alice, bob, "before");
    let due = contact(&world, bob, &root_a).ours.rotate_at * SECOND;
    world.run_for(due - world.now() - DAY);
    world.settle();
    let backup = world.client(bob).rows().clone();
    world.restart(bob);
    for day in 0..5 {
        send(&mut world, alice, bob, &format!("day {day}"));
        send(&mut world, bob, alice, &format!("reply {day}"));
        world.run_for(DAY);
    }
    let rotated = contact(&world, alice, &world.root(bob)).theirs;
    assert!(rotated.generation > contact_of(&backup, &root_a).ours.generation, "bob's mailboxes rotated");
    world.settle();
    world.lossy = true;

    world.stop(bob);
    world.edit_rows(bob, |rows| *rows = backup);
    world.start(bob);
    let noticed = |happening: &Happening| matches!(happening, Happening::CopyNoticed { contact: Some(_) });
    assert!(world.run_until(5 * MINUTE, |world| happened(world, bob, noticed) > 0), "bob is told");
    world.run_for(HOUR);
    let there = send(&mut world, alice, bob, "is that you?");
    let back = send(&mut world, bob, alice, "it is");
    let arrived = |world: &World| holds(world, bob, &there) && holds(world, alice, &back);
    assert!(world.run_until(MINUTE, arrived), "alice writes where the restored bob reads");
    let told = contact(&world, alice, &world.root(bob)).theirs;
    assert!(told.generation > rotated.generation, "a lower number would not have counted");
    assert_eq!(world.reader.reused, 0, "two bodies share a keystream");
}
