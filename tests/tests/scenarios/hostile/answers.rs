//! Relays that answer what they please to what they are asked to do.

use sotto_engine::{
    ContactState, Intent, Table,
    record::{OutboxRow, PrekeyRow, Record},
};
use sotto_inner::PrekeyKind;
use sotto_outer::{Answer, Command, RefusedReason};
use sotto_tests::world::{
    Overrule, World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
    relay::RelayId,
};

use crate::{friends, holds, link, relays::friends_with_two, send, state, table, wait_for};

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

/// Bob uses a link of Alice's while her relay answers so, and then answers by its rules. Says after how long he has her bundle.
fn fetched_after(seed: u64, answers: Overrule, for_millis: u64) -> Option<u64> {
    let mut world = World::new(seed_or(seed));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    let link = link(&mut world, alice, true);
    let root = link.root;
    world.overrule(Some(answers));
    // In the same breath as the account was made.
    world.expect(bob, Intent::Connect { link, text: None });
    world.run_for(for_millis);
    assert_eq!(state(&world, bob, &root), Some(ContactState::Connecting));
    world.overrule(None);
    let from = world.now();
    let fetched = world.run_until(DAY, |world| state(world, bob, &root) == Some(ContactState::Requested));
    world.settle();
    fetched.then(|| world.now() - from)
}

#[test]
fn whoever_uses_a_link_waits_no_longer_than_the_relay_needs() {
    const ANSWERS: [Overrule; 4] = [
        |_, command| matches!(command, Command::Fetch(_)).then_some(Answer::Busy { retry_after_secs: 2 }),
        |_, command| matches!(command, Command::Fetch(_)).then_some(Answer::Full { retry_after_secs: 0 }),
        |_, command| matches!(command, Command::Fetch(_)).then_some(Answer::Done),
        |_, command| matches!(command, Command::Fetch(_)).then_some(Answer::Refused { reason: RefusedReason::Limit }),
    ];
    for (answers, seed) in ANSWERS.into_iter().zip(260..) {
        let waited = fetched_after(seed, answers, 2 * SECOND);
        assert!(waited.is_some_and(|waited| waited <= 10 * SECOND), "after a moment: {waited:?} ms");
        let waited = fetched_after(seed, answers, HOUR);
        assert!(waited.is_some_and(|waited| waited <= 2 * HOUR), "after an hour: {waited:?} ms");
    }
}

#[test]
fn no_relay_keeps_a_bundle_back_longer_than_two_hours_by_asking_for_patience() {
    let busy: Overrule =
        |_, command| matches!(command, Command::Fetch(_)).then_some(Answer::Busy { retry_after_secs: u32::MAX });
    let waited = fetched_after(264, busy, MINUTE);
    assert!(waited.is_some_and(|waited| waited <= 2 * HOUR), "{waited:?} ms");
}

/// Somebody, and one who talks with a third person at the same relay: what they ask for leaves at once.
fn two_of_whom_one_is_sending(seed: u64) -> (World, ClientId, ClientId) {
    let (mut world, sending, _) = friends(seed);
    let other = world.add_person("carol");
    world.run_for(MINUTE);
    (world, other, sending)
}

#[test]
fn a_link_used_twice_in_one_breath_takes_one_key() {
    let (mut world, carol, bob) = two_of_whom_one_is_sending(265);
    let before = world.bundles().len();
    let link = link(&mut world, carol, false);
    for _ in 0..2 {
        world.ask(bob, Intent::Connect { link: link.clone(), text: None });
    }
    wait_for(&mut world, bob, link.root, ContactState::Requested);
    world.settle();
    assert_eq!(world.bundles().len() - before, 1);
}

#[test]
fn the_link_that_was_used_last_is_the_one_that_counts() {
    let (mut world, carol, bob) = two_of_whom_one_is_sending(266);
    let links = [link(&mut world, carol, false), link(&mut world, carol, true)];
    for link in links.clone() {
        world.ask(bob, Intent::Connect { link, text: None });
    }
    world.run_for(MINUTE);
    assert_eq!(state(&world, bob, &links[1].root), Some(ContactState::Requested), "two answers, and one is meant");
    world.settle();
}
