//! A Braid that an authentic packet broke: the session seals nothing more, another takes its place once and in its own time,
//! and nothing is lost meanwhile.

use sotto_crypto::{Padding, Session};
use sotto_engine::{
    ContactState, Intent, IntentError, Outcome, Rows, Table, Value,
    record::{Contact, OutboxRow, Record, SessionRow},
};
use sotto_tests::world::{
    Mischief, World,
    chance::{Chance, seed_or},
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
    relay::Crash,
};

use crate::{
    ask_to_send,
    copies::{NOTICED, REPAIRED, both_ways, happened},
    friends, holds, link, send, state, table, wait_for,
};

/// Sessions of a client that are broken.
fn broken(world: &World, client: ClientId) -> Vec<Vec<u8>> {
    let rows = table(world, client, Table::Session).into_iter();
    let broken = rows.filter(|(_, row)| {
        let row = SessionRow::from_row(row).unwrap();
        Session::decode(row.state.as_slice()).unwrap().is_broken()
    });
    broken.map(|(key, _)| key[32..].to_vec()).collect()
}

fn contact(world: &World, of: ClientId, contact: ClientId) -> Contact {
    let row = world.client(of).rows().get(Table::Contact, world.root(contact).as_bytes()).unwrap();
    Contact::from_row(&row.expect("they know each other")).unwrap()
}

/// Alice and Bob, of whom one has a spoiled Braid: it contradicts the other's with the next header or ciphertext.
fn spoiled(seed: u64, side: usize) -> (World, ClientId, ClientId) {
    let (mut world, alice, bob) = friends(seed);
    both_ways(&mut world, alice, bob);
    let spoiled = [alice, bob][side];
    spoil(&mut world, spoiled, spoil_braid);
    (world, alice, bob)
}

/// Restarts a client whose stored sessions are others.
fn spoil(world: &mut World, client: ClientId, how: fn(&[u8]) -> Vec<u8>) {
    world.stop(client);
    world.edit_rows(client, |rows| {
        let sessions: Vec<_> = rows.table(Table::Session).map(|(key, row)| (key.to_vec(), row.to_vec())).collect();
        for (key, row) in sessions {
            let mut row = SessionRow::from_row(&row).unwrap();
            row.state = how(row.state.as_slice()).into();
            rows.set(Table::Session, &key, Some(Value::new(row.to_row().to_vec())));
        }
    });
    world.start(client);
}

/// A session's stored state with one bit changed in the root of what vouches in its Braid: field 19, an array of the
/// state's number, epoch and that root.
fn spoil_braid(state: &[u8]) -> Vec<u8> {
    let mut decoder = minicbor::Decoder::new(state);
    let fields = decoder.map().unwrap().unwrap();
    for _ in 0..fields - 1 {
        decoder.skip().unwrap();
        decoder.skip().unwrap();
    }
    assert_eq!(decoder.u8().unwrap(), 19, "the Braid comes last");
    decoder.array().unwrap();
    decoder.skip().unwrap();
    decoder.skip().unwrap();
    assert_eq!(decoder.bytes().unwrap().len(), 32);
    let mut spoiled = state.to_vec();
    spoiled[decoder.position() - 1] ^= 1;
    spoiled
}

/// The stored state of a session that has sealed its first packet, with one bit changed in the tag of the header that it
/// offers, which comes last.
fn spoil_header(state: &[u8]) -> Vec<u8> {
    let mut spoiled = state.to_vec();
    *spoiled.last_mut().expect("a state is not empty") ^= 1;
    spoiled
}

/// A world in which a session was broken a moment ago.
struct Broken {
    world: World,
    /// Whose session is broken.
    victim: ClientId,
    /// Who knows of nothing.
    other: ClientId,
    /// Messages of the talk that came before.
    messages: usize,
}

/// Alice and Bob, of whom one has a spoiled Braid, talk until either finds in a packet that it contradicts.
#[track_caller]
fn break_braid(seed: u64, side: usize) -> Broken {
    let (mut world, alice, bob) = spoiled(seed, side);
    for messages in 0..60 {
        let (from, to) = [(alice, bob), (bob, alice)][messages % 2];
        ask_to_send(&mut world, from, to, &format!("message {messages}"));
        if world.run_until(10 * SECOND, |world| [alice, bob].iter().any(|side| !broken(world, *side).is_empty())) {
            let (victim, other) = if broken(&world, bob).is_empty() { (alice, bob) } else { (bob, alice) };
            return Broken { world, victim, other, messages };
        }
    }
    panic!("sixty messages are more than two epochs");
}

/// The same world, as it was when the packet that breaks the session had not been written yet.
#[track_caller]
fn before_it_breaks(seed: u64) -> Broken {
    let Broken { victim, other, messages, .. } = break_braid(seed, 1);
    let (mut world, alice, bob) = spoiled(seed, 1);
    for number in 0..messages {
        let (from, to) = [(alice, bob), (bob, alice)][number % 2];
        ask_to_send(&mut world, from, to, &format!("message {number}"));
        world.run_for(10 * SECOND);
    }
    assert!(broken(&world, victim).is_empty());
    Broken { world, victim, other, messages }
}

fn both_repaired(world: &World, alice: ClientId, bob: ClientId) -> bool {
    happened(world, alice, REPAIRED) > 0 && happened(world, bob, REPAIRED) > 0
}

/// Packets of a client that left so far.
fn sent(world: &World, client: ClientId) -> usize {
    world.released().iter().filter(|released| released.from == client && released.durable).count()
}

/// The other side notices in that packet, repairs once, and nothing is lost. No step of the repair is that of the packet.
#[test]
fn a_braid_that_contradicts_an_authentic_packet_is_repaired() {
    for side in 0..2 {
        let Broken { mut world, victim, other, messages: _ } = break_braid(94, side);
        world.run_for(4 * SECOND);
        assert_eq!(happened(&world, victim, REPAIRED), 0, "side {side}: a repair is no answer to an envelope");
        let packets = sent(&world, other);
        let repaired = world.run_until(70 * SECOND, |world| both_repaired(world, victim, other));
        assert!(repaired, "side {side}: both have another session within a minute");
        world.run_for(400);
        let waiting = table(&world, other, Table::Outbox).len();
        assert_eq!(sent(&world, other) - packets, waiting, "side {side}: what waits is sealed anew, and once");
        both_ways(&mut world, victim, other);
        world.settle();
        assert_eq!(happened(&world, victim, REPAIRED), 1, "side {side}: one repair");
        assert_eq!((happened(&world, victim, NOTICED), happened(&world, other, NOTICED)), (0, 0), "it is no copy");
    }
}

/// The repair's handshake lies in the outbox for more than a day: a broken session does not seal again because of that, neither
/// by the housekeeping nor by a packet of the peer, who knows of nothing.
#[test]
fn a_repair_that_cannot_leave_for_a_day_is_not_given_up_for_a_broken_session() {
    for peer_first in [false, true] {
        let Broken { mut world, victim, other, messages: _ } = break_braid(95, 1);
        world.stop_relay(Crash::BeforeCommit);
        ask_to_send(&mut world, other, victim, "sealed before I know");
        world.run_for(30 * HOUR);
        assert_eq!(happened(&world, victim, REPAIRED), 1, "the repair was begun in the dark");
        let active = contact(&world, victim, other).active.unwrap();
        assert!(!broken(&world, victim).contains(&active.to_vec()), "the housekeeping chose a broken session");
        world.set_online(if peer_first { victim } else { other }, false);
        world.start_relay();
        let there = send(&mut world, victim, other, "are you there?");
        let back = send(&mut world, other, victim, "I always was");
        world.run_for(10 * MINUTE);
        for client in [victim, other] {
            world.set_online(client, true);
        }
        let arrived = world.run_until(HOUR, |world| holds(world, other, &there) && holds(world, victim, &back));
        assert!(arrived, "peer first: {peer_first}");
        both_ways(&mut world, victim, other);
        world.settle();
        assert_eq!(happened(&world, victim, REPAIRED), 1, "one repair was enough");
    }
}

/// Nothing leaves for a contact who is held, no repair either; it comes once the person goes on. A copy that is noticed
/// meanwhile is told all the same, and once.
#[test]
fn a_repair_waits_for_the_person_and_a_copy_is_told_meanwhile() {
    let Broken { mut world, victim, other, messages: _ } = break_braid(96, 1);
    let contact = world.root(other);
    let carol = world.add_person("carol");
    let Outcome::Link(wrong) = world.expect(carol, Intent::Invite { once: false }) else { panic!("that is a link") };
    let answer = world.answer(victim, Intent::Reconnect { contact, link: wrong });
    assert_eq!(answer, Err(IntentError::AnotherPerson));
    world.run_for(HOUR);
    assert_eq!(happened(&world, victim, REPAIRED), 0, "a repair left for a contact who is held");

    world.set_mischief(Mischief { other_lease_one_in: 1, ..Mischief::default() });
    for _ in 0..3 {
        world.restart(victim);
        world.run_for(2 * DAY);
    }
    world.set_mischief(Mischief::default());
    assert_eq!((happened(&world, victim, NOTICED), happened(&world, victim, REPAIRED)), (1, 0));

    let waiting = send(&mut world, victim, other, "do you hear me now?");
    world.expect(victim, Intent::AcceptIdentity { contact, offered: None });
    assert!(world.run_until(2 * MINUTE, |world| holds(world, other, &waiting)), "the repair comes and all that waits");
    assert!(both_repaired(&world, victim, other));
    both_ways(&mut world, victim, other);
    world.settle();
    assert_eq!(happened(&world, victim, REPAIRED), 1);
}

/// A packet of before breaks a session that another has replaced: the one that seals is none the worse.
#[test]
fn what_breaks_an_archived_session_starts_no_repair() {
    let Broken { mut world, victim, other, messages: _ } = before_it_breaks(97);
    world.set_online(victim, false);
    for number in 0..4 {
        send(&mut world, other, victim, &format!("into the old session {number}"));
    }
    world.run_for(MINUTE);
    // A lease that is said to be another's replaces the session before what waits at the relay comes.
    world.set_mischief(Mischief { other_lease_one_in: 1, ..Mischief::default() });
    world.set_online(victim, true);
    assert!(world.run_until(HOUR, |world| !broken(world, victim).is_empty()), "the old session broke");
    world.set_mischief(Mischief::default());
    assert_eq!(happened(&world, victim, REPAIRED), 1, "it was replaced before");
    let active = contact(&world, victim, other).active.unwrap();
    assert!(!broken(&world, victim).contains(&active.to_vec()));
    world.run_for(40 * DAY);
    both_ways(&mut world, victim, other);
    assert_eq!(
        (happened(&world, victim, REPAIRED), happened(&world, other, REPAIRED)),
        (1, 1),
        "one repair was enough"
    );
    world.settle();
}

/// A packet that holds nothing of this version breaks a session as well as any other.
#[test]
fn a_packet_of_no_known_content_that_breaks_the_session_is_repaired_too() {
    let Broken { mut world, victim, other, messages: _ } = before_it_breaks(98);
    world.lossy = true;
    let (_, row) = table(&world, other, Table::Session).remove(0);
    let mut session = Session::decode(SessionRow::from_row(&row).unwrap().state.as_slice()).unwrap();
    let mut chance = Chance::fork(world.seed(), "no content", 0);
    for _ in 0..4 {
        let (next, _, packet) = session.seal(chance.rng(), b"no content", Padding::Bucket).unwrap().into_parts();
        session = next;
        world.inject_payload(victim, &packet);
    }
    assert!(world.run_until(SECOND, |world| !broken(world, victim).is_empty()), "it broke");
    world.run_for(4 * SECOND);
    assert_eq!(happened(&world, victim, REPAIRED), 0, "a repair is no answer to an envelope");
    assert!(world.run_until(70 * SECOND, |world| both_repaired(world, victim, other)));
    both_ways(&mut world, victim, other);
    world.settle();
    assert_eq!(happened(&world, victim, REPAIRED), 1);
}

/// It makes no request: nothing could be answered in its session. The next one does.
#[test]
fn a_first_message_that_breaks_its_session_is_refused() {
    let mut world = World::new(seed_or(99));
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    let (root_a, root_b) = (world.root(alice), world.root(bob));
    let link = link(&mut world, alice, false);
    world.set_mischief(Mischief { false_ack_one_in: 1, ..Mischief::default() });
    world.expect(bob, Intent::Connect { link, text: Some("it is me".to_owned()) });
    world.run_for(MINUTE);
    world.stop(bob);
    world.edit_rows(bob, |rows| {
        let waiting: Vec<_> = rows.table(Table::Outbox).map(|(key, row)| (key.to_vec(), row.to_vec())).collect();
        assert_eq!(waiting.len(), 1, "the greeting was dropped and called done");
        for (key, row) in waiting {
            let row = OutboxRow { sealed: None, ..OutboxRow::from_row(&row).unwrap() };
            rows.set(Table::Outbox, &key, Some(Value::new(row.to_row().to_vec())));
        }
    });
    spoil(&mut world, bob, spoil_header);
    world.set_mischief(Mischief::default());
    let before = sent(&world, bob);
    world.run_for(HOUR);
    assert_eq!(sent(&world, bob) - before, 1, "bob greets again, in a spoiled session");
    assert_eq!((state(&world, alice, &root_b), table(&world, alice, Table::Session).len()), (None, 0));
    wait_for(&mut world, alice, root_b, ContactState::Incoming);
    world.expect(alice, Intent::Accept { contact: root_b });
    wait_for(&mut world, bob, root_a, ContactState::Connected);
    both_ways(&mut world, alice, bob);
    world.settle();
}
