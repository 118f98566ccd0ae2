//! The talk goes on over networks that misbehave, and all messages arrive once; and what a network sees of it is frames
//! whose payloads look like chance.

use std::{collections::BTreeSet, time::Duration};

use sotto_outer::{Answer, ClientFrame, Command, RelayFrame};
use sotto_tests::world::chance::seed_or;

use crate::{
    house::{folder, free_port},
    profile::Profile,
    relay::Relay,
    road::{Fault, Road, Seen, Socks},
    secrecy::{Secret, assert_absent, of_people},
    talk::{befriend, friends, history},
};

/// A relay that people reach by a road, and the road.
fn relay_behind(folder: &std::path::Path, fault: Fault, tls: &str) -> (Relay, Road) {
    let listen = format!("127.0.0.1:{}", free_port());
    let road = Road::new(&listen, fault);
    let relay = Relay::named(folder, "relay", &listen, &["--public", &road.place(), "--tls", tls]);
    (relay, road)
}

/// Writes to and fro, each message answered once it came, until it is enough; gives how many each wrote. In the end both know
/// that the last ones were delivered. (Receipts wait up to three seconds each, so that their moment tells nothing.)
fn talk(people: &[Profile; 2], names: [&str; 2], enough: impl Fn(usize) -> bool) -> usize {
    let mut events = [people[0].listen(0), people[1].listen(0)];
    let mut written = 0;
    while !enough(written) {
        for (number, to) in [(0, names[1]), (1, names[0])] {
            let text = format!("message {written}");
            people[number].send(to, &text, &text);
            let author = names[number];
            events[1 - number].find(|event| event["body"]["text"] == text.as_str() && event["from"]["name"] == author);
        }
        written += 1;
    }
    for (person, to) in people.iter().zip([names[1], names[0]]) {
        person.ok(&["send", to, "-m", "the end", "--wait", "delivered", "--timeout", "120"]);
    }
    written
}

/// Both have every message of both once, in one order.
#[track_caller]
fn assert_whole(people: &[Profile; 2], names: [&str; 2], written: usize) {
    let [at_first, at_second] = [(0, names[1]), (1, names[0])].map(|(number, other)| history(&people[number], other));
    assert!(at_first == at_second, "both see one conversation");
    for author in names {
        let texts: Vec<_> = at_first
            .iter()
            .filter(|(_, from, text)| from == author && text.starts_with("message"))
            .map(|(_, _, text)| text.clone())
            .collect();
        let expected: Vec<_> = (0..written).map(|number| format!("message {number}")).collect();
        assert_eq!(texts, expected, "{author}'s messages are there once and in order");
    }
}

#[test]
fn where_websockets_are_refused_the_talk_goes_by_long_poll() {
    let folder = folder();
    let (relay, road) = relay_behind(folder.path(), Fault::RefusesUpgrade, "off");
    let people = friends(folder.path(), &relay, ["alice", "bob"]);
    let written = talk(&people, ["alice", "bob"], |written| written == 100);
    assert_whole(&people, ["alice", "bob"], written);
    let polled = road.take().iter().filter(|seen| seen.up.starts_with(b"POST /v1/frames")).count();
    assert!(polled >= 2, "{polled} connections polled");
}

#[test]
fn where_every_connection_is_cut_after_two_seconds_the_talk_goes_on() {
    let folder = folder();
    let (relay, road) = relay_behind(folder.path(), Fault::Cuts(Duration::from_secs(2)), "own");
    let people = friends(folder.path(), &relay, ["alice", "bob"]);
    let before = road.connections();
    let cut_often = |written| written >= 50 && road.connections() >= before + 16;
    let written = talk(&people, ["alice", "bob"], cut_often);
    assert_whole(&people, ["alice", "bob"], written);
}

#[test]
fn where_pieces_wait_for_seconds_the_talk_goes_on() {
    let seed = seed_or(0x0de1a7);
    eprintln!("SEED={seed:x}");
    let folder = folder();
    let (relay, _road) = relay_behind(folder.path(), Fault::Delays(Duration::from_secs(2), seed), "own");
    let people = friends(folder.path(), &relay, ["alice", "bob"]);
    let written = talk(&people, ["alice", "bob"], |written| written == 20);
    assert_whole(&people, ["alice", "bob"], written);
}

#[test]
fn where_a_socks_proxy_is_the_only_way_out_the_talk_goes_there_each_line_by_itself() {
    let folder = folder();
    let listen = format!("127.0.0.1:{}", free_port());
    // A name that no resolver knows (RFC 6761): whoever asks one instead of the proxy goes nowhere.
    let socks = Socks::new("relay.invalid", &listen);
    let relay = Relay::named(folder.path(), "relay", &listen, &["--public", "relay.invalid:4433", "--tls", "own"]);
    let proxy = socks.address();
    let people = ["alice", "bob"].map(|name| {
        let mut person = Profile::new(folder.path(), name);
        person.ok(&["init", "--name", name, "--relay", relay.address(), "--proxy", &proxy]);
        person.start_daemon();
        person
    });
    befriend(&people, ["alice", "bob"]);
    let written = talk(&people, ["alice", "bob"], |written| written == 20);
    assert_whole(&people, ["alice", "bob"], written);

    let asked = socks.asked();
    assert!(asked.iter().all(|asked| asked.host == "relay.invalid"));
    let circuits: BTreeSet<_> = asked.iter().map(|asked| asked.username.as_str()).collect();
    assert!(circuits.len() >= 4, "two people with two lines each share no circuit: {}", circuits.len());
}

#[test]
fn a_relay_that_dies_for_good_ends_no_talk_of_people_with_two() {
    let folder = folder();
    let [mut first, second] =
        ["first", "second"].map(|name| Relay::named(folder.path(), name, &format!("127.0.0.1:{}", free_port()), &[]));
    let people = friends(folder.path(), &first, ["alice", "bob"]);
    for person in &people {
        person.ok(&["profile", "set", "--relay", first.address(), "--relay", second.address()]);
    }
    let both = talk(&people, ["alice", "bob"], |written| written == 20);
    assert_whole(&people, ["alice", "bob"], both);
    // Each has a mailbox at either relay for the other.
    let knows = |relay: &Relay| relay.inspect()["mailboxes"].as_array().map_or(0, Vec::len);
    assert!(knows(&second) >= 2, "{}", knows(&second));

    first.kill();
    let mut events = [people[0].listen(0), people[1].listen(0)];
    for number in 0..20 {
        people[0].send("bob", &format!("after {number}"), &format!("a{number}"));
        people[1].send("alice", &format!("after {number}"), &format!("b{number}"));
    }
    for (events, other) in events.iter_mut().zip(["bob", "alice"]) {
        events.find(|event| event["body"]["text"] == "after 19" && event["from"]["name"] == other);
    }
    for (number, other) in [(0, "bob"), (1, "alice")] {
        let texts: Vec<_> = history(&people[number], other).into_iter().map(|(_, from, text)| (from, text)).collect();
        for author in ["alice", "bob"] {
            let after: Vec<_> = texts
                .iter()
                .filter(|(from, text)| from == author && text.starts_with("after"))
                .map(|(_, text)| text)
                .collect();
            let expected: Vec<_> = (0..20).map(|number| format!("after {number}")).collect();
            assert!(after.iter().copied().eq(&expected), "{author}'s are there once and in order: {after:?}");
        }
    }
}

#[test]
fn what_a_network_records_is_frames_whose_payloads_look_like_chance() {
    const NAMES: [&str; 2] = ["Alexandrine", "Bartholomew"];
    let folder = folder();
    let (relay, road) = relay_behind(folder.path(), Fault::None, "off");
    let mut people = friends(folder.path(), &relay, NAMES);
    let written = talk(&people, NAMES, |written| written == 100);
    assert_whole(&people, NAMES, written);
    let long = "the heron stands at the weir ".repeat(400);
    people[0].send(NAMES[1], &long, "long");
    people[1].listen(0).find(|event| event["body"]["text"] == long.as_str());
    assert!(people.iter_mut().all(Profile::end_daemon));

    let recorded = road.take();
    let mut secrets = vec![Secret::new("a text", b"the heron stands"), Secret::new("a text", b"may I come in?")];
    secrets.extend(NAMES.map(|name| Secret::new("a name", name.as_bytes())));
    for person in &people {
        of_people(person, &mut secrets);
        secrets.push(Secret::new("a passphrase", person.passphrase().as_bytes()));
    }
    for Seen { up, down } in &recorded {
        assert_absent("what went up", up, &secrets);
        assert_absent("what came down", down, &secrets);
    }
    // What goes up for one comes down for the other: each once.
    let payloads: BTreeSet<Vec<u8>> = recorded.iter().flat_map(payloads).collect();
    assert!(payloads.len() >= 200, "{} payloads", payloads.len());
    for payload in payloads.iter().filter(|payload| payload.len() >= 1_024) {
        assert_random(payload);
    }
    assert_random(&payloads.into_iter().flatten().collect::<Vec<u8>>());
}

/// What a connection's frames carry for others. Everything that was recorded must be frames.
fn payloads(seen: &Seen) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for message in messages(&seen.up) {
        match ClientFrame::decode(&message).expect("all that goes up is frames").command {
            Command::Send(send) => all.push(send.payload),
            Command::Publish(publish) => {
                all.extend(publish.main);
                all.extend(publish.last_resort);
                all.extend(publish.pairs.into_iter().map(Into::into));
            }
            Command::Info(_)
            | Command::Token(_)
            | Command::Create(_)
            | Command::Subscribe(_)
            | Command::Ack(_)
            | Command::Rotate(_)
            | Command::Delete(_)
            | Command::Fetch(_)
            | Command::BlobCreate(_)
            | Command::BlobCommit(_)
            | Command::BlobDelete(_)
            | Command::Forward(_)
            | Command::CreateChannel(_)
            | Command::Append(_)
            | Command::Advance(_)
            | Command::ReadChannel(_)
            | Command::SubscribeChannel(_)
            | Command::CloseChannel(_) => {}
        }
    }
    for message in messages(&seen.down) {
        match RelayFrame::decode(&message).expect("all that comes down is frames") {
            RelayFrame::Deliver(deliver) => all.push(deliver.payload),
            RelayFrame::Answer { request: _, answer: Answer::Bundle(bundle) } => {
                all.push(bundle.main);
                all.extend(bundle.pair);
                all.extend(bundle.last_resort);
            }
            RelayFrame::Answer { .. } | RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => {}
        }
    }
    all
}

/// The binary messages of one direction of a WebSocket (RFC 6455, section 5.2), behind the HTTP head. The last one may be cut.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let mut left = &bytes[head..];
    let mut messages = Vec::new();
    while let Some((opcode, message, rest)) = message(left) {
        assert!(matches!(opcode, 0x2 | 0x8 | 0x9 | 0xa), "a message of kind {opcode:x}");
        if opcode == 0x2 {
            messages.push(message);
        }
        left = rest;
    }
    messages
}

fn message(bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert!(first & 0x80 != 0, "a frame is one message");
    let (len, rest) = match second & 0x7f {
        126 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_be_bytes(*len)), rest))?,
        127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len) as usize, rest))?,
        len => (usize::from(len), rest),
    };
    let (mask, rest) =
        if second & 0x80 == 0 { ([0; 4], rest) } else { rest.split_first_chunk().map(|(m, r)| (*m, r))? };
    let (payload, rest) = rest.split_at_checked(len)?;
    let message = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((first & 0x0f, message, rest))
}

/// Chi-squared over byte values: for random bytes about 255, with a deviation of 22.6. Eight deviations off happens by chance
/// once in 10^15 runs, and any text or structure lies thousands off.
#[track_caller]
fn assert_random(bytes: &[u8]) {
    let mut counts = [0_u64; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = bytes.len() as f64 / 256.0;
    let chi: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!((255.0 - 8.0 * 22.6..255.0 + 8.0 * 22.6).contains(&chi), "{chi:.0} in {} bytes", bytes.len());
}

#[test]
fn the_randomness_test_knows_a_text_and_a_structure() {
    let text = "the heron stands at the weir ".repeat(40);
    let counter: Vec<u8> = (0..2_048_u32).flat_map(|number| number.to_be_bytes()).collect();
    for bytes in [text.as_bytes(), &counter] {
        assert!(std::panic::catch_unwind(|| assert_random(bytes)).is_err());
    }
}
