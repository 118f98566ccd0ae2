//! Two profiles over a real relay: they meet, and write to each other while everything goes away and comes back.

use std::path::Path;

use serde_json::Value;
use sotto_tests::world::chance::{Chance, seed_or};

use crate::{house::folder, profile::Profile, relay::Relay};

/// Messages each way.
const MESSAGES: usize = 1_000;

/// Two profiles with daemons; the second has used the first one's link, and was accepted.
pub(crate) fn friends(folder: &Path, relay: &Relay, names: [&str; 2]) -> [Profile; 2] {
    let [mut alice, mut bob] = names.map(|name| Profile::made(folder, name, relay.address()));
    alice.start_daemon();
    bob.start_daemon();
    let people = [alice, bob];
    befriend(&people, names);
    people
}

/// The second of two with daemons uses the first one's link, and is accepted.
pub(crate) fn befriend([alice, bob]: &[Profile; 2], names: [&str; 2]) {
    let link = alice.ok(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    bob.ok(&["connect", &link, "-m", "may I come in?"]);
    let request = alice.listen(0).next("contact.request");
    assert_eq!(request["from"]["name"], names[1]);
    let listed = alice.ok(&["requests", "list"]);
    assert_eq!(listed[0]["text"], "may I come in?");
    alice.ok(&["requests", "accept", names[1]]);
    bob.listen(0).next("contact.connected");
}

#[test]
fn a_thousand_messages_each_way_arrive_once_and_in_order_while_everyone_comes_and_goes() {
    let folder = folder();
    let mut relay = Relay::new(folder.path());
    let mut people = friends(folder.path(), &relay, ["alice", "bob"]);
    let seed = seed_or(0x5077);
    eprintln!("SEED={seed:x}");
    let mut chance = Chance::fork(seed, "process", 0);

    let mut written = [0; 2];
    while written != [MESSAGES; 2] {
        disturb(&mut chance, &mut relay, &mut people);
        for (number, to) in [(0, "bob"), (1, "alice")] {
            if people[number].has_daemon() && written[number] < MESSAGES {
                let text = format!("message {}", written[number]);
                people[number].send(to, &text, &text);
                if chance.one_in(50) {
                    // As someone does who did not hear the answer.
                    people[number].send(to, &text, &text);
                }
                written[number] += 1;
            }
        }
    }
    if !relay.is_running() {
        relay.start();
    }
    for person in people.iter_mut().filter(|person| !person.has_daemon()) {
        person.start_daemon();
    }

    // Both wait until the last of their own is known to have arrived.
    for person in &people {
        let mut events = person.listen(0);
        for _ in 0..MESSAGES {
            events.find(|event| event["type"] == "message.status" && event["status"] == "delivered");
        }
    }
    let [at_alice, at_bob] = [(&people[0], "bob"), (&people[1], "alice")].map(|(person, other)| history(person, other));
    assert!(at_alice == at_bob, "both see one conversation");
    for author in ["alice", "bob"] {
        let texts = at_alice.iter().filter(|(_, from, _)| from == author).map(|(_, _, text)| text.as_str());
        let texts: Vec<_> = texts.filter(|text| text.starts_with("message")).collect();
        let expected: Vec<_> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
        assert!(texts == expected, "{author}'s {} messages are there once and in order", texts.len());
    }
    assert!(relay.terminate(), "the relay ends in order");
    assert!(people.iter_mut().all(Profile::end_daemon), "daemons end in order");
}

/// Now and then something goes away, or comes back.
fn disturb(chance: &mut Chance, relay: &mut Relay, people: &mut [Profile; 2]) {
    if !relay.is_running() {
        if chance.one_in(30) {
            relay.start();
        }
    } else if chance.one_in(200) {
        relay.kill();
    } else if chance.one_in(300) {
        assert!(relay.terminate(), "the relay ends in order");
    }
    for person in people {
        if !person.has_daemon() {
            if chance.one_in(20) {
                person.start_daemon();
            }
        } else if chance.one_in(250) {
            person.kill_daemon();
        } else if chance.one_in(250) {
            assert!(person.end_daemon(), "a daemon ends in order");
        }
    }
}

/// Id, author and text of each message, oldest first.
pub(crate) fn history(person: &Profile, other: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = person.ok(&["history", other, "-n", "10000"]);
    messages.iter().map(|m| (text(&m["id"]), text(&m["from"]["name"]), text(&m["body"]["text"]))).collect()
}

#[test]
fn verbs_without_a_daemon_meet_and_talk() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let [alice, bob] = ["alice", "bob"].map(|name| Profile::made(folder.path(), name, relay.address()));
    let link = alice.ok(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    let connected = bob.ok(&["connect", &link]);
    assert_eq!(connected[0]["state"], "requested");
    assert_eq!(alice.ok(&["requests", "list"])[0]["name"], "bob");
    alice.ok(&["requests", "accept", "bob"]);
    bob.ok(&["send", "alice", "-m", "good morning"]);
    let heard = alice.ok(&["history", "bob"]);
    assert_eq!(heard.last().unwrap()["body"]["text"], "good morning");

    let numbers = [(&alice, "bob"), (&bob, "alice")].map(|(person, other)| {
        let shown = person.ok(&["contact", "show", other]);
        shown[0]["safety_number"].as_str().unwrap().to_owned()
    });
    assert_eq!(numbers[0], numbers[1], "both see one safety number");
    let verified = alice.ok(&["contact", "verify", "bob", "--number", &numbers[1]]);
    assert_eq!(verified[0]["verified"], true);
}
