//! Two relays for each contact, relays that die for good, and moving house.

use sotto_engine::{
    ContactState, Intent, IntentError, MessageStatus, Rows, Table,
    record::{Contact, Record},
    view,
};
use sotto_inner::{ContentId, MailboxAddress};
use sotto_outer::RelayAddress;
use sotto_tests::world::{
    World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
    relay::{Crash, RelayId},
};

use crate::{befriend, holds, link, send, state, wait_for};

const A: RelayId = RelayId(0);

fn place(world: &World, relay: RelayId) -> RelayAddress {
    world.relay_of(relay).address().clone()
}

fn move_to(world: &mut World, who: ClientId, relays: &[RelayId]) {
    let relays = relays.iter().map(|relay| place(world, *relay)).collect();
    world.expect(who, Intent::SetRelays { relays });
}

/// Where a client believes that a contact reads.
fn known(world: &World, who: ClientId, of: ClientId) -> Vec<MailboxAddress> {
    let row = world.client(who).rows().get(Table::Contact, world.root(of).as_bytes()).unwrap();
    Contact::from_row(&row.expect("they are contacts")).unwrap().theirs.newest
}

fn knows_relays(world: &World, who: ClientId, of: ClientId, relays: &[RelayId]) -> bool {
    let known: Vec<_> = known(world, who, of).iter().map(|mailbox| *mailbox.relay.identity()).collect();
    known == relays.iter().map(|relay| *place(world, *relay).identity()).collect::<Vec<_>>()
}

/// Alice and Bob, who read at two relays each, and the second relay.
pub(crate) fn friends_with_two(seed: u64) -> (World, ClientId, ClientId, RelayId) {
    let mut world = World::new(seed_or(seed));
    let b = world.add_relay();
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    for who in [alice, bob] {
        move_to(&mut world, who, &[A, b]);
    }
    let told = |world: &World| knows_relays(world, alice, bob, &[A, b]) && knows_relays(world, bob, alice, &[A, b]);
    assert!(world.run_until(HOUR, told), "each knows both mailboxes of the other");
    (world, alice, bob, b)
}

fn delivered(world: &World, who: ClientId, ids: &[ContentId]) -> bool {
    let status = |id| view::message(world.client(who).rows(), id).unwrap().map(|message| message.status);
    ids.iter().all(|id| status(id) == Some(MessageStatus::Delivered))
}

#[test]
fn relay_a_dead_for_good_and_the_talk_goes_on_by_the_other() {
    let (mut world, alice, bob, _) = friends_with_two(70);
    world.settle();
    // Some lies at the relay that is about to die.
    world.set_online(bob, false);
    let lost: Vec<_> = (0..40).map(|number| send(&mut world, alice, bob, &format!("in its store {number}"))).collect();
    world.run_for(MINUTE);
    assert!(world.relay().payloads().count() >= 40, "the relay has them");
    world.bury_relay(A);
    world.set_online(bob, true);
    let there: Vec<_> = (0..10).map(|number| send(&mut world, alice, bob, &format!("and more {number}"))).collect();
    let back: Vec<_> = (0..10).map(|number| send(&mut world, bob, alice, &format!("back {number}"))).collect();
    let quick =
        |world: &World| there.iter().all(|id| holds(world, bob, id)) && back.iter().all(|id| holds(world, alice, id));
    assert!(world.run_until(5 * MINUTE, quick), "new messages go by the other relay within minutes");
    let all = |world: &World| delivered(world, alice, &lost) && delivered(world, bob, &back);
    assert!(world.run_until(HOUR, all), "what lay at the dead relay went again");
    world.settle();
    assert_eq!(state(&world, alice, &world.root(bob)), Some(ContactState::Connected));
}

#[test]
fn no_two_relays_see_the_same_bytes() {
    let (mut world, alice, bob, b) = friends_with_two(71);
    world.set_online(bob, false);
    for number in 0..20 {
        send(&mut world, alice, bob, &format!("twice under way {number}"));
    }
    world.run_for(MINUTE);
    world.stop_relay_of(A, Crash::AfterCommit);
    world.run_for(HOUR);
    let at_a: Vec<Vec<u8>> = world.relay_of(A).payloads().map(<[u8]>::to_vec).collect();
    let at_b: Vec<Vec<u8>> = world.relay_of(b).payloads().map(<[u8]>::to_vec).collect();
    assert!(at_a.len() >= 20 && at_b.len() >= 20, "both hold them: {} and {}", at_a.len(), at_b.len());
    assert!(at_a.iter().all(|payload| !at_b.contains(payload)), "an envelope lies at both relays");
    world.set_online(bob, true);
    world.settle();
}

#[test]
fn the_preferred_relay_is_preferred_again_when_it_is_back() {
    let (mut world, alice, bob, b) = friends_with_two(72);
    world.settle();
    let released_to = |world: &World, relay: RelayId, from: usize| {
        let there: Vec<_> = known(world, alice, bob)
            .into_iter()
            .filter(|mailbox| mailbox.relay.identity() == place(world, relay).identity())
            .map(|mailbox| mailbox.send_id)
            .collect();
        world.released()[from..].iter().filter(|released| there.contains(&released.mailbox)).count()
    };
    world.stop_relay_of(A, Crash::AfterCommit);
    world.run_for(5 * MINUTE);
    let from = world.released().len();
    let id = send(&mut world, alice, bob, "by the second");
    assert!(world.run_until(5 * MINUTE, |world| holds(world, bob, &id)));
    assert!(released_to(&world, b, from) > 0 && released_to(&world, A, from) == 0);
    world.start_relay_of(A);
    world.run_for(5 * MINUTE);
    world.settle();
    let from = world.released().len();
    let id = send(&mut world, alice, bob, "by the first");
    assert!(world.run_until(MINUTE, |world| holds(world, bob, &id)));
    assert!(released_to(&world, A, from) > 0 && released_to(&world, b, from) == 0);
    world.settle();
}

#[test]
fn relays_that_die_and_come_back_in_turn_lose_nothing() {
    let (mut world, alice, bob, b) = friends_with_two(73);
    for round in 0..12 {
        let down = if round % 2 == 0 { A } else { b };
        world.stop_relay_of(down, if round % 3 == 0 { Crash::BeforeCommit } else { Crash::AfterCommit });
        for number in 0..5 {
            send(&mut world, alice, bob, &format!("round {round} to bob {number}"));
            send(&mut world, bob, alice, &format!("round {round} to alice {number}"));
            world.run_for(20 * SECOND);
        }
        world.run_for([MINUTE, 15 * MINUTE, 3 * HOUR][round % 3]);
        world.start_relay_of(down);
    }
    world.settle();
    assert_eq!(world.accepted().len(), 120);
}

#[test]
fn whose_only_relay_died_moves_and_the_talk_goes_on() {
    let mut world = World::new(seed_or(74));
    let (b, c) = (world.add_relay(), world.add_relay());
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    move_to(&mut world, bob, &[b]);
    assert!(world.run_until(HOUR, |world| knows_relays(world, alice, bob, &[b])));
    world.settle();
    world.bury_relay(A);
    let into_the_dark: Vec<_> =
        (0..5).map(|number| send(&mut world, bob, alice, &format!("hello? {number}"))).collect();
    world.run_for(DAY);
    assert!(into_the_dark.iter().all(|id| !holds(&world, alice, id)), "alice reads nowhere");
    move_to(&mut world, alice, &[c]);
    let found = |world: &World| into_the_dark.iter().all(|id| holds(world, alice, id));
    assert!(world.run_until(HOUR, found), "bob was told, and wrote to the new relay");
    send(&mut world, alice, bob, "I have moved");
    world.settle();
    // The old relay is given up; nothing waits for it.
    world.run_for(60 * DAY);
    world.settle();
    let dead = place(&world, A);
    let left = crate::table(&world, alice, Table::Mailbox);
    let at_dead = |row: &[u8]| sotto_engine::record::OwnMailbox::from_row(row).unwrap().relay == dead;
    assert!(!left.iter().any(|(_, row)| at_dead(row)), "alice still hopes for the dead relay");
}

#[test]
fn moving_house_keeps_what_is_under_way_and_old_links_for_a_while() {
    let mut world = World::new(seed_or(75));
    let c = world.add_relay();
    let (alice, bob, carol) = (world.add_person("alice"), world.add_person("bob"), world.add_person("carol"));
    befriend(&mut world, alice, bob);
    let old_link = link(&mut world, alice, false);
    let invitation = link(&mut world, alice, true);
    world.set_online(alice, false);
    for number in 0..10 {
        send(&mut world, bob, alice, &format!("to the old house {number}"));
    }
    world.run_for(MINUTE);
    world.set_online(alice, true);
    move_to(&mut world, alice, &[c]);
    assert!(world.run_until(HOUR, |world| knows_relays(world, bob, alice, &[c])));
    world.settle();
    let new_link = link(&mut world, alice, false);
    assert_ne!(new_link.relay, old_link.relay);
    let root_c = world.root(carol);
    world.expect(carol, Intent::Connect { link: old_link, text: Some("found an old card".to_owned()) });
    wait_for(&mut world, alice, root_c, ContactState::Incoming);
    let dave = world.add_person("dave");
    let root_d = world.root(dave);
    world.expect(dave, Intent::Connect { link: invitation, text: None });
    wait_for(&mut world, alice, root_d, ContactState::Incoming);
    for day in 0..40 {
        send(&mut world, bob, alice, &format!("day {day} after the move"));
        world.run_for(DAY);
    }
    world.settle();
    let left = crate::table(&world, alice, Table::Mailbox);
    let there = |row: &[u8]| sotto_engine::record::OwnMailbox::from_row(row).unwrap().relay == place(&world, c);
    assert!(left.iter().all(|(_, row)| there(row)), "the old house is empty");
}

#[test]
fn an_account_has_one_relay_or_two_different_ones() {
    let mut world = World::new(seed_or(76));
    let b = world.add_relay();
    let c = world.add_relay();
    let alice = world.add_person("alice");
    for wrong in [vec![], vec![A, A], vec![A, b, c]] {
        let relays = wrong.iter().map(|relay| place(&world, *relay)).collect();
        assert_eq!(world.answer(alice, Intent::SetRelays { relays }), Err(IntentError::Relays));
    }
    move_to(&mut world, alice, &[b, A]);
    let account = view::account(world.client(alice).rows()).unwrap().unwrap();
    assert_eq!((account.relay, account.second), (place(&world, b), Some(place(&world, A))));
}
