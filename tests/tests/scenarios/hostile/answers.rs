//! Relays that answer what they please to what they are asked to do.

use sotto_engine::{
    Intent, Table,
    record::{OutboxRow, PrekeyRow, Record},
};
use sotto_inner::PrekeyKind;
use sotto_outer::{Answer, Command, RefusedReason};
use sotto_tests::world::{
    Overrule, World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
    relay::RelayId,
};

use crate::{friends, holds, link, relays::friends_with_two, send, table};

fn is_send(command: &Command) -> bool {
    matches!(command, Command::Send(_))
}

const DENIED: Overrule = |_, command| is_send(command).then_some(Answer::Denied);

/// The highest number that a session of this client gave a packet which is not delivered.
fn last_index(world: &World, of: ClientId) -> u64 {
    let rows = table(world, of, Table::Outbox).into_iter().map(|(_, row)| OutboxRow::from_row(&row).unwrap());
    rows.filter_map(|row| row.sealed).map(|sealed| sealed.index).max().unwrap_or(0)
}

#[test]
fn whoever_is_denied_for_a_month_seals_next_to_nothing_in_vain() {
    let (mut world, alice, bob, _) = friends_with_two(190);
    world.settle();
    // Both have mailboxes of before.
    world.run_for(100 * DAY);
    send(&mut world, alice, bob, "the first of many");
    world.settle();
    world.overrule(Some(DENIED));
    let sent: Vec<_> =
        (0..100).map(|number| send(&mut world, alice, bob, &format!("into the void {number}"))).collect();
    world.run_for(MINUTE);
    let before = last_index(&world, alice);
    world.run_for(30 * DAY);
    let sealed = last_index(&world, alice) - before;
    assert!(sealed < 150, "{sealed} packets were sealed for nobody in a month");
    world.overrule(None);
    let word = send(&mut world, bob, alice, "are you there?");
    assert!(world.run_until(2 * DAY, |world| holds(world, alice, &word)));
    assert!(world.run_until(HOUR, |world| sent.iter().all(|id| holds(world, bob, id))), "a sign of life ends the wait");
    world.settle();
}

#[test]
fn one_false_denial_shows_no_mailboxes_of_before() {
    let (mut world, alice, bob) = friends(191);
    for _ in 0..10 {
        world.run_for(14 * DAY);
        send(&mut world, alice, bob, "still here");
        world.settle();
    }
    let from = world.released().len();
    world.overrule(Some(DENIED));
    send(&mut world, alice, bob, "and now?");
    world.run_for(2 * HOUR);
    let tries: Vec<_> = world.released()[from..].iter().filter(|released| released.from == alice).collect();
    let others = tries.windows(2).filter(|pair| pair[0].mailbox != pair[1].mailbox);
    let closest = others.map(|pair| pair[1].time - pair[0].time).min();
    assert!(closest.is_some_and(|closest| closest >= MINUTE), "two generations were tried {closest:?} ms apart");
    world.overrule(None);
    world.settle();
}

#[test]
fn a_relay_that_takes_nothing_holds_up_nobody_who_has_another() {
    const A: RelayId = RelayId(0);
    const ANSWERS: [Overrule; 3] = [
        |relay, command| (relay == A && is_send(command)).then_some(Answer::Full { retry_after_secs: u32::MAX }),
        |relay, command| (relay == A && is_send(command)).then_some(Answer::Busy { retry_after_secs: u32::MAX }),
        |relay, command| (relay == A && is_send(command)).then_some(Answer::Refused { reason: RefusedReason::Limit }),
    ];
    for (answers, seed) in ANSWERS.into_iter().zip(192..) {
        let (mut world, alice, bob, _) = friends_with_two(seed);
        world.settle();
        world.overrule(Some(answers));
        let sent: Vec<_> =
            (0..100).map(|number| send(&mut world, alice, bob, &format!("around it {number}"))).collect();
        assert!(world.run_until(5 * MINUTE, |world| sent.iter().all(|id| holds(world, bob, id))), "by the other");
        world.overrule(None);
        world.settle();
    }
}

#[test]
fn no_relay_makes_a_contact_wait_longer_than_two_hours() {
    let (mut world, alice, bob) = friends(195);
    world.settle();
    world.overrule(Some(|_, command| is_send(command).then_some(Answer::Busy { retry_after_secs: u32::MAX })));
    let id = send(&mut world, alice, bob, "patience");
    world.run_for(10 * DAY);
    assert!(!holds(&world, bob, &id));
    world.overrule(None);
    assert!(world.run_until(2 * HOUR, |world| holds(world, bob, &id)));
    world.settle();
}

#[test]
fn a_relay_that_takes_no_bundle_makes_nobody_draw_keys_without_end() {
    let mut world = World::new(seed_or(196));
    let alice = world.add_person("alice");
    link(&mut world, alice, false);
    let pairs = |world: &World| {
        let rows = table(world, alice, Table::Prekey).into_iter().map(|(_, row)| PrekeyRow::from_row(&row).unwrap());
        rows.filter(|row| row.public.body.kind == PrekeyKind::OneTimePair).count()
    };
    let refuse: Overrule =
        |_, command| matches!(command, Command::Publish(_)).then_some(Answer::Busy { retry_after_secs: 1 });
    world.overrule(Some(refuse));
    world.expect(alice, Intent::ResetAddress);
    world.run_for(HOUR / 4);
    assert_eq!(pairs(&world), 25, "the pairs that were drawn are published again");
    // It loses them, or says so, at every turn.
    for _ in 0..8 {
        world.restart(alice);
        world.run_for(MINUTE);
    }
    assert!(pairs(&world) <= 100, "{} pairs lie here", pairs(&world));
    world.overrule(None);
    world.run_for(HOUR);
    link(&mut world, alice, false);
}
