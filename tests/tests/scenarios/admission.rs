//! Relays that ask for tokens: who is admitted lives there as elsewhere, and who is not is told.

use sotto_engine::{Admission, ContactState, Happening, Intent, IntentError, Line, Role, Table, record::Known, view};
use sotto_tests::world::{
    World,
    chance::seed_or,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE},
    relay::{Crash, RelayId},
};

use crate::{befriend, link, send, state, table, wait_for};

fn admission(world: &World, client: ClientId) -> Admission {
    view::admissions(world.client(client).rows()).unwrap()[0].state
}

/// Lets time pass until somebody stands so with the relay.
#[track_caller]
fn wait_until_stands(world: &mut World, client: ClientId, wanted: Admission) {
    let reached = world.run_until(HOUR, |world| admission(world, client) == wanted);
    assert!(reached, "{} is {:?}", world.client(client).name(), admission(world, client));
}

/// A person without a credential.
fn stranger(world: &mut World, name: &str) -> ClientId {
    let id = world.add_client(name);
    let relay = world.relay().address().clone();
    world.expect(id, Intent::CreateProfile { name: name.to_owned(), relay });
    id
}

fn mailboxes(world: &World, client: ClientId) -> Vec<Known> {
    use sotto_engine::record::{OwnMailbox, Record};
    table(world, client, Table::Mailbox).iter().map(|(_, row)| OwnMailbox::from_row(row).unwrap().known).collect()
}

fn tokens_left(world: &World, client: ClientId) -> usize {
    view::admissions(world.client(client).rows()).unwrap()[0].tokens
}

#[test]
fn two_who_are_admitted_meet_and_talk_through_weeks() {
    let mut world = World::minted(seed_or(90));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    for number in 0..30 {
        let (from, to) = if number % 2 == 0 { (alice, bob) } else { (bob, alice) };
        send(&mut world, from, to, &format!("message {number}"));
        world.run_for(3 * DAY);
    }
    world.settle();
    for client in [alice, bob] {
        assert_eq!(admission(&world, client), Admission::Admitted);
        assert!(mailboxes(&world, client).iter().all(|known| *known == Known::There), "each rotation found its token");
    }
    // The address, a mailbox for the contact, and two rotations at least.
    assert!(world.tokens.len() >= 6, "{} tokens were shown", world.tokens.len());
}

#[test]
fn who_has_no_credential_is_told_and_goes_on_once_it_is_given() {
    let mut world = World::minted(seed_or(91));
    let alice = stranger(&mut world, "alice");
    wait_until_stands(&mut world, alice, Admission::NeedsCredential);
    world.run_for(DAY);
    assert_eq!(mailboxes(&world, alice), [Known::Wanted], "its mailbox waits");
    assert!(world.tokens.is_empty());
    let relay = *world.relay().address().identity();
    let told = Happening::Admission { relay, state: Admission::NeedsCredential };
    assert_eq!(world.client(alice).seen().happenings.iter().filter(|(_, said)| *said == told).count(), 1, "told once");

    world.admit(alice, RelayId(0));
    wait_until_stands(&mut world, alice, Admission::Admitted);
    world.run_for(MINUTE);
    assert_eq!(mailboxes(&world, alice), [Known::There]);
    let bob = world.add_person("bob");
    befriend(&mut world, alice, bob);
    world.settle();
}

#[test]
fn a_credential_can_be_given_before_there_is_an_account_and_for_ones_own_relay_alone() {
    let mut world = World::minted(seed_or(92));
    let alice = world.add_client("alice");
    let credential = world.credential(RelayId(0), 100).unwrap();
    world.expect(alice, Intent::Admit { credential });
    let relay = world.relay().address().clone();
    world.expect(alice, Intent::CreateProfile { name: "alice".to_owned(), relay });
    world.run_for(10 * MINUTE);
    assert_eq!(mailboxes(&world, alice), [Known::There]);
    let told = world.client(alice).seen().happenings.iter().any(
        |(_, said)| matches!(said, Happening::Admission { relay: _, state } if *state == Admission::NeedsCredential),
    );
    assert!(!told, "nobody was asked for what was given");

    let elsewhere = world.add_relay();
    let credential = world.credential(elsewhere, 100).unwrap();
    assert_eq!(world.answer(alice, Intent::Admit { credential }), Err(IntentError::CredentialElsewhere));
    let credential = "not a credential".to_owned();
    assert_eq!(world.answer(alice, Intent::Admit { credential }), Err(IntentError::Credential));
}

#[test]
fn a_forged_credential_is_refused_and_another_one_helps() {
    let mut world = World::minted(seed_or(93));
    let alice = stranger(&mut world, "alice");
    world.run_for(2 * MINUTE);
    let genuine = world.credential(RelayId(0), 100).unwrap();
    let (signed, _) = genuine.rsplit_once('.').unwrap();
    world.expect(alice, Intent::Admit { credential: format!("{signed}.{}", "A".repeat(86)) });
    wait_until_stands(&mut world, alice, Admission::Refused);
    let said = world.client(alice).said();
    world.run_for(DAY);
    assert!(world.client(alice).said().others <= said.others + 8, "a refused credential is not shown again and again");
    world.expect(alice, Intent::Admit { credential: genuine });
    wait_until_stands(&mut world, alice, Admission::Admitted);
}

#[test]
fn a_credential_that_is_used_up_is_told_and_what_there_is_goes_on() {
    let mut world = World::minted(seed_or(94));
    let (alice, bob) = (stranger(&mut world, "alice"), world.add_person("bob"));
    // The address, one contact, and no more.
    let credential = world.credential(RelayId(0), 2).unwrap();
    world.expect(alice, Intent::Admit { credential });
    befriend(&mut world, alice, bob);
    wait_until_stands(&mut world, alice, Admission::UsedUp);
    send(&mut world, bob, alice, "are you still there?");
    send(&mut world, alice, bob, "yes");
    world.settle();
    world.expect(alice, Intent::Invite { once: true });
    world.run_for(HOUR);
    assert!(mailboxes(&world, alice).contains(&Known::Wanted), "nothing new is made");
    world.admit(alice, RelayId(0));
    world.run_for(HOUR);
    assert!(mailboxes(&world, alice).iter().all(|known| *known == Known::There));
}

#[test]
fn tokens_are_asked_for_on_a_line_of_their_own_that_ends_with_it() {
    let mut world = World::minted(seed_or(95));
    let alice = world.add_person("alice");
    let asks = |world: &World| world.client(alice).lines().any(|line: Line| line.role == Role::Admission);
    assert!(world.run_until(10 * MINUTE, asks), "a line for tokens");
    wait_until_stands(&mut world, alice, Admission::Admitted);
    world.run_for(MINUTE);
    assert!(!asks(&world), "it is kept no longer than it is needed");
    assert!(tokens_left(&world, alice) > 10);
}

#[test]
fn a_client_that_crashes_between_any_two_effects_of_being_admitted_is_admitted() {
    for after in 0.. {
        let mut world = World::minted(seed_or(96));
        let alice = stranger(&mut world, "alice");
        let credential = world.credential(RelayId(0), 100).unwrap();
        // Its keys are made.
        world.run_for(5 * MINUTE);
        world.doom(alice, after);
        world.ask(alice, Intent::Admit { credential: credential.clone() });
        world.run_for(2 * HOUR);
        let met = !world.is_doom_ahead();
        if admission(&world, alice) == Admission::NeedsCredential {
            world.expect(alice, Intent::Admit { credential });
        }
        wait_until_stands(&mut world, alice, Admission::Admitted);
        world.run_for(MINUTE);
        assert_eq!(mailboxes(&world, alice), [Known::There], "after {after}");
        if !met {
            assert!(after > 8, "being admitted has more than {after} moments");
            break;
        }
    }
}

#[test]
fn a_relay_that_crashes_around_each_commit_takes_each_token_once() {
    for crash in [Crash::BeforeCommit, Crash::AfterCommit] {
        let mut world = World::minted(seed_or(97));
        let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
        for _ in 0..12 {
            if world.run_until(5 * MINUTE, |world| world.relay().is_writing()) {
                world.stop_relay(crash);
                world.run_for(MINUTE);
                world.start_relay();
            }
        }
        befriend(&mut world, alice, bob);
        send(&mut world, alice, bob, "hello");
        world.settle();
    }
}

#[test]
fn a_week_that_turns_under_standing_lines_stops_nothing() {
    let mut world = World::minted(seed_or(98));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    befriend(&mut world, alice, bob);
    world.run_for(20 * DAY);
    let carol = world.add_person("carol");
    let link = link(&mut world, alice, true);
    let root = world.root(carol);
    world.expect(carol, Intent::Connect { link, text: None });
    wait_for(&mut world, alice, root, ContactState::Incoming);
    world.expect(alice, Intent::Accept { contact: root });
    let alices = world.root(alice);
    wait_for(&mut world, carol, alices, ContactState::Connected);
    world.settle();
    assert_eq!(state(&world, alice, &root), Some(ContactState::Connected));
    assert_eq!(admission(&world, alice), Admission::Admitted);
}
