//! How people meet: by a link, a request and its acceptance; and what the other ways in come to.

use sotto_engine::{ContactState, Intent};
use sotto_tests::world::{
    World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
};

use crate::{befriend, link, send, state, wait_for};

fn strangers(seed: u64) -> (World, ClientId, ClientId) {
    let mut world = World::new(seed_or(seed));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    (world, alice, bob)
}

fn released_by(world: &World, client: ClientId) -> usize {
    world.released().iter().filter(|released| released.from == client).count()
}

#[test]
fn a_link_leads_to_a_request_and_its_acceptance_to_talk() {
    for once in [false, true] {
        let (mut world, alice, bob) = strangers(10);
        let link = link(&mut world, alice, once);
        world.expect(bob, Intent::Connect { link, text: Some("it is me".to_owned()) });
        let (root_a, root_b) = (world.root(alice), world.root(bob));
        wait_for(&mut world, alice, root_b, ContactState::Incoming);
        world.run_for(HOUR);
        assert_eq!(released_by(&world, alice), 0, "nothing leaves before a request is accepted");
        assert_eq!(state(&world, bob, &root_a), Some(ContactState::Requested));

        world.expect(alice, Intent::Accept { contact: root_b });
        wait_for(&mut world, bob, root_a, ContactState::Connected);
        send(&mut world, alice, bob, "so it is");
        send(&mut world, bob, alice, "how are you?");
        world.settle();
    }
}

#[test]
fn declining_is_silent() {
    let (mut world, alice, bob) = strangers(11);
    let link = link(&mut world, alice, false);
    world.expect(bob, Intent::Connect { link, text: Some("buy this".to_owned()) });
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    wait_for(&mut world, alice, root_b, ContactState::Incoming);
    world.expect(alice, Intent::Decline { contact: root_b });
    world.run_for(40 * DAY);
    assert_eq!(released_by(&world, alice), 0, "something left for one who was declined");
    assert_eq!(state(&world, alice, &root_b), Some(ContactState::Declined), "asking again changes nothing");
    assert_eq!(state(&world, bob, &root_a), Some(ContactState::Requested), "bob learned of it");
}

#[test]
fn an_invitation_serves_the_first_who_uses_it() {
    let (mut world, alice, bob) = strangers(12);
    let carol = world.add_person("carol");
    let link = link(&mut world, alice, true);
    let (root_a, root_b, root_c) = (world.root(alice), world.root(bob), world.root(carol));
    world.expect(bob, Intent::Connect { link: link.clone(), text: None });
    wait_for(&mut world, alice, root_b, ContactState::Incoming);
    world.run_for(MINUTE);
    world.expect(carol, Intent::Connect { link, text: None });
    wait_for(&mut world, carol, root_a, ContactState::LinkDead);
    assert_eq!(state(&world, alice, &root_c), None);
}

#[test]
fn an_invitation_that_two_use_at_once_serves_one() {
    let (mut world, alice, bob) = strangers(13);
    let carol = world.add_person("carol");
    world.run_for(MINUTE);
    let link = link(&mut world, alice, true);
    let (root_b, root_c) = (world.root(bob), world.root(carol));
    // Both have its bundle before alice comes to delete it.
    world.set_online(alice, false);
    world.expect(bob, Intent::Connect { link: link.clone(), text: None });
    world.expect(carol, Intent::Connect { link, text: None });
    world.run_for(HOUR);
    world.set_online(alice, true);
    world.run_for(10 * DAY);
    let served = [root_b, root_c].map(|root| state(&world, alice, &root));
    assert!(
        matches!(served, [Some(ContactState::Incoming), None] | [None, Some(ContactState::Incoming)]),
        "one of two was served: {served:?}"
    );
}

#[test]
fn two_who_use_each_others_links_at_once_are_connected() {
    let (mut world, alice, bob) = strangers(14);
    let (from_alice, from_bob) = (link(&mut world, alice, false), link(&mut world, bob, true));
    world.run_for(MINUTE);
    world.ask(alice, Intent::Connect { link: from_bob, text: Some("hello bob".to_owned()) });
    world.ask(bob, Intent::Connect { link: from_alice, text: Some("hello alice".to_owned()) });
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    wait_for(&mut world, alice, root_b, ContactState::Connected);
    wait_for(&mut world, bob, root_a, ContactState::Connected);
    for number in 0..5 {
        send(&mut world, alice, bob, &format!("from alice {number}"));
        send(&mut world, bob, alice, &format!("from bob {number}"));
    }
    world.settle();
}

#[test]
fn three_people_talk_in_pairs() {
    let (mut world, alice, bob) = strangers(15);
    let carol = world.add_person("carol");
    for (inviter, guest) in [(alice, bob), (bob, carol), (carol, alice)] {
        befriend(&mut world, inviter, guest);
        send(&mut world, inviter, guest, "welcome");
        send(&mut world, guest, inviter, "thanks");
    }
    world.settle();
}
