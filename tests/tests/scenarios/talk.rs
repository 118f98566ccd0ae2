//! Two people meet and talk, and nothing goes wrong that does not go wrong every day.

use sotto_engine::MessageStatus;
use sotto_tests::world::clock::MINUTE;

use crate::{friends, holds, send};

#[test]
fn one_message_arrives_and_its_sender_learns_of_it() {
    let (mut world, alice, bob) = friends(1);
    let id = send(&mut world, alice, bob, "good morning");
    assert!(world.run_until(MINUTE, |world| holds(world, bob, &id)), "it arrives within a minute");
    world.settle();
    let message = sotto_engine::view::message(world.client(alice).rows(), &id).unwrap().unwrap();
    assert_eq!(message.status, MessageStatus::Delivered);
    assert!(world.reader.opened >= 4, "hello, acceptance, text and receipt were opened: {}", world.reader.opened);
}
