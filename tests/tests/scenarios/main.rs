//! Stories of clients, a relay and everything between them, each told from one seed: `SEED=81b2 cargo test -p sotto-tests`
//! replays one with another.

mod address;
mod admission;
mod broken;
mod checkers;
mod copies;
mod corpus;
mod faults;
mod holds;
mod hostile;
mod lines;
mod lock;
mod meet;
mod relays;
mod rotation;
mod simulate;
mod talk;

use sotto_engine::{
    ContactId, ContactState, Intent, Outcome, Rows, Table,
    record::{Known, OwnBundle, Record},
    view,
};
use sotto_inner::{ContentId, Link};
use sotto_tests::world::{World, client::ClientId, clock::HOUR};

/// A link of a client, usable from now on.
#[track_caller]
fn link(world: &mut World, of: ClientId, once: bool) -> Link {
    let Outcome::Link(link) = world.expect(of, Intent::Invite { once }) else { panic!("an invitation is a link") };
    let published = world.run_until(HOUR, |world| {
        let row = world.client(of).rows().get(Table::Bundle, link.bundle.as_bytes()).unwrap();
        row.is_some_and(|row| OwnBundle::from_row(&row).unwrap().known == Known::There)
    });
    assert!(published, "the bundle of {}'s link is not at the relay", world.client(of).name());
    link
}

/// How far a contact is.
fn state(world: &World, of: ClientId, contact: &ContactId) -> Option<ContactState> {
    view::contact(world.client(of).rows(), contact).unwrap().map(|contact| contact.state)
}

/// Lets time pass until a contact is so far.
#[track_caller]
fn wait_for(world: &mut World, of: ClientId, contact: ContactId, wanted: ContactState) {
    let reached = world.run_until(48 * HOUR, |world| state(world, of, &contact) == Some(wanted));
    assert!(reached, "{} is not {wanted:?} but {:?}", world.client(of).name(), state(world, of, &contact));
}

/// Alice and Bob, who talk.
#[track_caller]
fn friends(seed: u64) -> (World, ClientId, ClientId) {
    let mut world = World::new(sotto_tests::world::chance::seed_or(seed));
    let alice = world.add_person("alice");
    let bob = world.add_person("bob");
    befriend(&mut world, alice, bob);
    (world, alice, bob)
}

/// One uses the link of the other, who accepts.
#[track_caller]
fn befriend(world: &mut World, inviter: ClientId, guest: ClientId) {
    let link = link(world, inviter, false);
    world.expect(guest, Intent::Connect { link, text: Some("it is me".to_owned()) });
    let guests_root = world.root(guest);
    wait_for(world, inviter, guests_root, ContactState::Incoming);
    world.expect(inviter, Intent::Accept { contact: guests_root });
    let inviters_root = world.root(inviter);
    wait_for(world, guest, inviters_root, ContactState::Connected);
}

/// Sends a text that is stored and on its way afterwards.
#[track_caller]
fn send(world: &mut World, from: ClientId, to: ClientId, text: &str) -> ContentId {
    let contact = world.root(to);
    match world.expect(from, Intent::Send { contact, text: text.to_owned(), idempotency_key: None }) {
        Outcome::Message { chat: _, id, status: _ } => id,
        other => panic!("a text is answered by {other:?}"),
    }
}

/// Asks for a text to be sent, and does not wait to hear whether it is stored.
fn ask_to_send(world: &mut World, from: ClientId, to: ClientId, text: &str) {
    let contact = world.root(to);
    world.ask(from, Intent::Send { contact, text: text.to_owned(), idempotency_key: None });
}

/// All rows of a table.
fn table(world: &World, client: ClientId, of: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = world.client(client).rows().table(of);
    rows.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// Whether a client holds a message.
fn holds(world: &World, client: ClientId, id: &ContentId) -> bool {
    view::message(world.client(client).rows(), id).unwrap().is_some()
}
