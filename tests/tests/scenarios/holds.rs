//! Contacts to whom nothing leaves until the person has chosen.

use sotto_engine::{
    ContactState, Happening, HoldReason, Intent, IntentError, MessageStatus, Rows, Table, Value,
    record::{Account, Record},
    view,
};
use sotto_inner::ManifestHash;
use sotto_tests::world::{
    World,
    client::ClientId,
    clock::{HOUR, MINUTE},
};

use crate::{friends, holds, link, send, state};

fn held(world: &World, of: ClientId, contact: ClientId) -> Option<HoldReason> {
    view::contact(world.client(of).rows(), &world.root(contact)).unwrap().unwrap().held
}

fn told(world: &World, of: ClientId, is_it: impl Fn(&Happening) -> bool) -> usize {
    let journal = view::journal(world.client(of).rows(), 0, usize::MAX).unwrap();
    journal.iter().filter(|(_, entry)| is_it(&entry.happening)).count()
}

fn account(world: &World, of: ClientId) -> Account {
    let row = world.client(of).rows().get(Table::Meta, Account::KEY).unwrap();
    Account::from_row(&row.expect("an account was made")).unwrap()
}

/// A second client with the stolen root of a first one, and a device of its own under it.
fn impostor(world: &mut World, of: ClientId) -> ClientId {
    let thief = world.add_person("thief");
    world.run_for(MINUTE);
    world.stop(thief);
    let stolen = account(world, of);
    let root = sotto_crypto::Root::from_bytes(stolen.root.as_slice()).unwrap();
    let mut own = account(world, thief);
    own.manifest = root.sign_manifest(sotto_inner::ManifestBody { root: root.public(), ..own.manifest.body });
    own.root = stolen.root;
    world.edit_rows(thief, |rows| rows.set(Table::Meta, Account::KEY, Some(Value::new(own.to_row().to_vec()))));
    world.start(thief);
    thief
}

#[test]
fn an_identity_conflict_holds_what_is_written_until_the_person_goes_on() {
    let (mut world, alice, bob) = friends(90);
    let root_b = world.root(bob);
    let number = view::contact(world.client(alice).rows(), &root_b).unwrap().unwrap().safety_number;
    world.expect(alice, Intent::Verify { contact: root_b, number });
    world.settle();
    world.lossy = true;
    let address = link(&mut world, alice, false);
    let thief = impostor(&mut world, bob);
    world.expect(thief, Intent::Connect { link: address, text: Some("my new phone".to_owned()) });
    let conflict = |world: &World| held(world, alice, bob) == Some(HoldReason::IdentityConflict);
    assert!(world.run_until(HOUR, conflict), "alice is warned");
    world.run_for(MINUTE);

    let released = world.released().iter().filter(|released| released.from == alice).count();
    let waiting = send(&mut world, alice, bob, "is this you?");
    let theirs = send(&mut world, bob, alice, "of course");
    assert!(world.run_until(HOUR, |world| holds(world, alice, &theirs)), "what he sends is received");
    world.expect(alice, Intent::Typing { contact: root_b, active: true });
    world.run_for(HOUR);
    let left = world.released().iter().filter(|released| released.from == alice).count();
    assert_eq!(left, released, "something left for a contact who is held");
    let message = view::message(world.client(alice).rows(), &waiting).unwrap().unwrap();
    assert_eq!(message.status, MessageStatus::Queued);
    world.restart(alice);
    world.run_for(HOUR);
    assert!(conflict(&world), "a restart forgets nothing");
    assert_eq!(told(&world, alice, |h| matches!(h, Happening::IdentityConflict { contact: _ })), 1, "told once");

    world.stop(thief);
    // Only what the person was shown is accepted.
    let shown = view::contact(world.client(alice).rows(), &root_b).unwrap().unwrap().offered;
    assert!(shown.is_some());
    for stale in [None, Some(ManifestHash::from([9; 32]))] {
        let answer = world.answer(alice, Intent::AcceptIdentity { contact: root_b, offered: stale });
        assert_eq!(answer, Err(IntentError::IdentityChanged));
        assert!(conflict(&world));
    }
    world.expect(alice, Intent::AcceptIdentity { contact: root_b, offered: shown });
    assert!(world.run_until(HOUR, |world| holds(world, bob, &waiting)), "what waited goes");
    let contact = view::contact(world.client(alice).rows(), &root_b).unwrap().unwrap();
    assert!(contact.held.is_none() && !contact.verified, "she goes on, unverified");
    assert_eq!(told(&world, alice, |h| matches!(h, Happening::IdentityAccepted { contact: _ })), 1);
}

#[test]
fn a_link_of_someone_else_reconnects_nobody() {
    let (mut world, alice, bob) = friends(91);
    let carol = world.add_person("carol");
    let (root_b, root_c) = (world.root(bob), world.root(carol));
    let wrong = link(&mut world, carol, false);
    let answer = world.answer(alice, Intent::Reconnect { contact: root_b, link: wrong });
    assert_eq!(answer, Err(IntentError::AnotherPerson));
    assert_eq!(held(&world, alice, bob), Some(HoldReason::AnotherPerson));
    assert_eq!(state(&world, alice, &root_c), None, "nobody was asked");
    let waiting = send(&mut world, alice, bob, "hello?");
    world.run_for(HOUR);
    assert!(!holds(&world, bob, &waiting));
    world.expect(alice, Intent::AcceptIdentity { contact: root_b, offered: None });
    assert!(world.run_until(HOUR, |world| holds(world, bob, &waiting)));
    assert_eq!(state(&world, alice, &root_b), Some(ContactState::Connected));
    world.settle();
}

#[test]
fn whoever_is_held_can_be_blocked() {
    let (mut world, alice, bob) = friends(92);
    let carol = world.add_person("carol");
    let root_b = world.root(bob);
    let wrong = link(&mut world, carol, false);
    assert!(world.answer(alice, Intent::Reconnect { contact: root_b, link: wrong }).is_err());
    world.expect(alice, Intent::Block { contact: root_b });
    assert_eq!((state(&world, alice, &root_b), held(&world, alice, bob)), (Some(ContactState::Blocked), None));
}
