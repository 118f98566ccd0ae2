//! What watches the world can see: each checker is shown the fault that it is there for.

use sotto_crypto::{Padding, Session};
use sotto_engine::{
    Table,
    record::{Record, SessionRow},
};
use sotto_tests::world::{World, chance::Chance, check::problems, client::ClientId, reader::Reader};

use crate::{friends, send};

fn session_of(world: &World, client: ClientId) -> Session {
    let (_, row) = world.client(client).rows().table(Table::Session).next().unwrap();
    Session::decode(SessionRow::from_row(row).unwrap().state.as_slice()).unwrap()
}

#[test]
fn the_reader_sees_a_keystream_over_two_bodies() {
    let (world, _, bob) = friends(50);
    let session = session_of(&world, bob);
    let seal = |chance: u64, content: &[u8]| {
        let staged = session.seal(Chance::fork(chance, "test", 0).rng(), content, Padding::Bucket).unwrap();
        staged.into_parts().2
    };
    let mut reader = Reader::default();
    reader.remember(&seal(1, b"one"), b"one");
    reader.remember(&seal(1, b"one"), b"one");
    assert_eq!(reader.reused, 0, "the same packet again is a retry");
    reader.remember(&seal(2, b"other"), b"other");
    assert_eq!(reader.reused, 0, "a state that was rolled back draws another header nonce");
    reader.remember(&seal(1, b"another"), b"another");
    assert_eq!(reader.reused, 1, "the same state and the same chance made the same keystream");
}

#[test]
fn the_check_sees_a_message_that_is_lost_and_one_that_is_not_known_to_have_arrived() {
    let (mut world, alice, bob) = friends(51);
    send(&mut world, alice, bob, "here today");
    world.settle();
    assert!(problems(&world).is_empty());
    world.stop(bob);
    world.edit_rows(bob, |rows| {
        let key = rows.table(Table::Message).last().map(|(key, _)| key.to_vec()).unwrap();
        rows.set(Table::Message, &key, None);
    });
    assert!(!problems(&world).is_empty(), "a lost message was not noticed");
}

#[test]
fn the_check_sees_what_waits() {
    let (mut world, alice, bob) = friends(52);
    world.settle();
    world.set_online(bob, false);
    send(&mut world, alice, bob, "are you there?");
    assert!(!problems(&world).is_empty(), "a message under way was not noticed");
    world.settle();
}

#[test]
fn one_seed_makes_one_world() {
    let story = || {
        let (mut world, alice, bob) = friends(53);
        send(&mut world, alice, bob, "once upon a time");
        world.settle();
        (world.now(), world.released().iter().map(|released| released.time).collect::<Vec<_>>())
    };
    assert_eq!(story(), story());
}
