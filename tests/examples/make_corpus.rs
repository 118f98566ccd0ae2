//! Writes `fuzz/corpus`: for each decoder examples of what it reads, for the stories short scripts that lead far. What a fuzzer
//! has found lies beside them and stays.
//!
//! `cargo run -p sotto-tests --example make_corpus`

use std::fs;

use sotto_crypto::PrivateKey;
use sotto_engine::{
    ContactState, Intent, Outcome, Rows, Table, record::Known, record::OwnBundle, record::Record, view,
};
use sotto_inner::Mailboxes;
use sotto_outer::blob::authorization;
use sotto_tests::{
    conformance::cases,
    fuzz::{
        cast::{NOW, cast},
        decoders::{self, HELLO},
        party::Party,
        stored::Stored,
    },
    layering::root,
    world::{World, clock::HOUR},
};

/// Longer examples teach a fuzzer little and make the repository heavy.
const BYTES_MAX: usize = 4_200;

/// Why encoding into memory succeeds.
const TO_VEC: &str = "writing to a Vec cannot fail";

fn main() {
    let mut inputs = wire();
    inputs.extend(vectors());
    inputs.extend(commands());
    inputs.extend(sessions());
    inputs.extend(keys());
    inputs.extend(rows());
    inputs.retain(|(_, bytes)| bytes.len() <= BYTES_MAX);
    for (number, (decoder, bytes)) in inputs.iter().enumerate() {
        let place = inputs[..number].iter().filter(|(other, _)| other == decoder).count();
        write("decoders", &format!("{decoder}-{place:02}"), &decoders::input(decoder, bytes));
    }
    for (name, script) in stories() {
        write("session", name, &[&[0], &script[..]].concat());
    }
    // From each eighth turn on: a few packets late and out of order, of either side.
    for turns in (1..64).step_by(8) {
        write("session", &format!("from-turn-{turns:02}"), &[&[turns], &few()[..]].concat());
    }
    for (name, script) in lies() {
        for (who, begins) in [("initiator", 0), ("responder", 1), ("initiator-later", 24), ("responder-later", 25)] {
            write("hostile", &format!("{name}-{who}"), &[&[begins], &script[..]].concat());
        }
    }
}

/// An input of a decoder: its name, and what it reads.
type Input = (&'static str, Vec<u8>);

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).expect("the repository is writable");
    fs::write(folder.join(name), bytes).expect("the repository is writable");
}

/// The examples of the wire's types.
fn wire() -> Vec<Input> {
    let decoder = |rule: &str| match rule {
        "signed-prekey" | "one-time-pair" | "last-resort-prekey" | "seal-prekey" => Some("prekey"),
        rule => decoders::DECODERS.iter().map(|(name, _)| *name).find(|name| *name == rule),
    };
    let all = cases().into_iter().filter_map(|case| Some((decoder(case.rule)?, case.examples)));
    all.flat_map(|(name, examples)| examples.into_iter().map(move |(_, bytes)| (name, bytes))).collect()
}

/// Frames at the relay's door whose like is nowhere else.
fn commands() -> Vec<Input> {
    let names = [
        "token keys",
        "token with a credential",
        "create pairwise",
        "fetch",
        "forward a key request",
        "create a channel",
        "append",
        "advance",
        "read a channel",
        "subscribe to a channel",
        "close a channel",
        "blob create",
        "blob commit",
    ];
    let frames = cases().into_iter().find(|case| case.rule == "client-frame").expect("frames have examples").examples;
    let chosen = frames.into_iter().filter(|(name, _)| names.contains(name));
    chosen.map(|(_, bytes)| ("command", bytes)).collect()
}

/// What known answers have as text or sealed, and a bundle with its changes.
fn vectors() -> Vec<Input> {
    let mailboxes = Mailboxes { generation: NOW, addresses: vec![cast().bob.bundle_main().mailbox] };
    let mut all = vec![
        ("bundle-main", minicbor::to_vec(cast().bob.bundle_main()).expect(TO_VEC)),
        ("sealed-bundle", vec![]),
        ("sealed-bundle", vec![0, 1, 200, 1, 1, 0, 3, 9]),
        ("sealed-bundle", vec![0, 5, 0, 0]),
        ("relay-address-text", cast().link.relay.to_string().into_bytes()),
        ("relay-address-text", b"sotto://[2001:db8::7]:1/BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ?tls=off".to_vec()),
        ("proxy-address-text", b"socks5://127.0.0.1:9050".to_vec()),
        ("proxy-address-text", b"127.0.0.1:9050".to_vec()),
        ("proxy-address-text", b"[::1]:9050".to_vec()),
        ("mailbox-address", minicbor::to_vec(cast().bob.bundle_main().mailbox).expect(TO_VEC)),
        ("mailboxes", minicbor::to_vec(mailboxes).expect(TO_VEC)),
        ("handshake", minicbor::to_vec(&cast().handshake).expect(TO_VEC)),
        ("blob-authorization", authorization(&[1; 16].into(), &[2; 32].into()).into_bytes()),
        ("shown-token", vec![7; 352]),
    ];
    for (file, field, decoder) in [
        ("link", "link", "link-text"),
        ("link", "uri", "link-text"),
        ("safety_number", "number", "safety-number-text"),
        ("first_message", "envelope", "sealed-first-message"),
    ] {
        let text = fs::read_to_string(root().join(format!("spec/vectors/{file}.json"))).expect("a file of vectors");
        let file: serde_json::Value = serde_json::from_str(&text).expect("vectors are JSON");
        for entry in
            [&file["accepted"], &file["refused"]].into_iter().filter_map(|list| list.as_array()).flatten().take(6)
        {
            let Some(value) = entry[field].as_str() else { continue };
            let bytes = data_encoding::HEXLOWER.decode(value.as_bytes()).unwrap_or_else(|_| value.as_bytes().to_vec());
            all.push((decoder, bytes));
        }
    }
    all
}

/// A stored session for each state of the Braid, one with lost packets, and packets.
fn sessions() -> Vec<Input> {
    let (alice, bob) = cast().sessions();
    let mut parties = [Party::new(alice, 1), Party::new(bob, 2)];
    let (mut seen, mut all) = (vec![], vec![("packet", HELLO.clone()), ("packet", vec![7; 1_024])]);
    for turn in 0..80_usize {
        let (from, to) = (turn % 2, 1 - turn % 2);
        if turn == 70 {
            (0..3).for_each(|_| drop(parties[from].seal(b"lost")));
        }
        let packet = parties[from].seal(b"turn").expect("an open window");
        parties[to].open(&packet, NOW).expect("an honest packet");
        for party in &parties {
            let state = Stored::of(&party.session).braid.map(|braid| braid.state);
            if turn == 70 || !seen.contains(&state) {
                seen.push(state);
                all.push(("session", party.session.encode().to_vec()));
            }
        }
    }
    all
}

fn keys() -> Vec<Input> {
    let bob = &cast().bob;
    let secrets = [&bob.signed.0, &bob.pair.0, &bob.last_resort.0, &bob.seal.0];
    let mut all: Vec<Input> = secrets.map(|secret| ("prekey-secret", secret.to_bytes().to_vec())).into();
    all.push(("device-keys", bob.device.to_bytes().to_vec()));
    for name in ["root", "owner-keys", "skipped-key"] {
        all.push((name, vec![7; 32]));
    }
    let private = PrivateKey::generate(&mut Party::new(cast().sessions().0, 1).rng);
    all.push(("private-key", private.to_bytes().to_vec()));
    all
}

/// Rows of two people who have talked.
fn rows() -> Vec<Input> {
    let mut world = World::new(1);
    let (alice, bob) = (world.add_person("alice"), world.add_person("bob"));
    let Outcome::Link(link) = world.expect(alice, Intent::Invite { once: false }) else { panic!("a link") };
    let bundle = link.bundle;
    let published = world.run_until(HOUR, |world| {
        let row = world.client(alice).rows().get(Table::Bundle, bundle.as_bytes());
        row.ok().flatten().is_some_and(|row| OwnBundle::from_row(&row).is_ok_and(|bundle| bundle.known == Known::There))
    });
    assert!(published);
    world.expect(bob, Intent::Connect { link, text: Some("it is me".to_owned()) });
    let (alices, bobs) = (world.root(alice), world.root(bob));
    let is = |world: &World, of, contact, wanted| {
        view::contact(world.client(of).rows(), contact).ok().flatten().is_some_and(|view| view.state == wanted)
    };
    assert!(world.run_until(HOUR, |world| is(world, alice, &bobs, ContactState::Incoming)));
    world.expect(alice, Intent::Accept { contact: bobs });
    assert!(world.run_until(HOUR, |world| is(world, bob, &alices, ContactState::Connected)));
    world.expect(bob, Intent::Send { contact: alices, text: "hello".to_owned(), idempotency_key: None });
    let tables = [
        (Table::Meta, "account-row"),
        (Table::Contact, "contact-row"),
        (Table::Mailbox, "mailbox-row"),
        (Table::Bundle, "mailbox-row"),
        (Table::Message, "message-row"),
        (Table::Outbox, "outbox-row"),
        (Table::Prekey, "prekey-row"),
        (Table::RepairTag, "prekey-row"),
        (Table::Session, "session-row"),
    ];
    let mut all = vec![];
    for (table, decoder) in tables {
        let rows = world.client(bob).rows().table(table).chain(world.client(alice).rows().table(table));
        all.extend(rows.take(2).map(|(_, value)| (decoder, value.to_vec())));
    }
    all
}

/// One thing that happens: what, by whom, and its argument.
fn act(what: u8, side: u8, argument: u8) -> Vec<u8> {
    vec![what << 1 | side, argument]
}

/// What may happen at any time.
fn few() -> Vec<u8> {
    let seals = [act(0, 0, 3), act(0, 1, 3)].concat().repeat(3);
    let comes = [act(5, 0, 0), act(5, 1, 0), act(4, 0, 1), act(4, 1, 1), act(3, 0, 0), act(3, 1, 0)].concat();
    [seals, comes, act(15, 0, 8)].concat()
}

fn stories() -> Vec<(&'static str, Vec<u8>)> {
    let talk = |turns: u8| act(15, 0, turns * 4);
    let lose = |side, dozens: u8| act(15, side, 192 + dozens);
    let (seal, oldest, any, newest) =
        (|side| act(0, side, 3), |side| act(3, side, 0), |side, pick| act(4, side, pick), |side| act(5, side, 0));
    vec![
        ("talk", talk(47).repeat(2)),
        (
            "late",
            [seal(0).repeat(3), oldest(0), seal(1), oldest(1), seal(0).repeat(4), newest(0), oldest(0).repeat(5)]
                .concat(),
        ),
        (
            "reordered",
            [
                talk(5),
                [seal(0), seal(1)].concat().repeat(20),
                any(0, 17).repeat(10),
                any(1, 11).repeat(10),
                newest(0).repeat(8),
            ]
            .concat(),
        ),
        (
            "lost",
            [
                talk(20),
                lose(0, 16),
                seal(0),
                newest(0),
                lose(1, 28),
                seal(1),
                newest(1),
                talk(30),
                any(0, 80).repeat(6),
            ]
            .concat(),
        ),
        (
            "a-window-lost",
            [lose(0, 63), lose(1, 63), newest(0), seal(1), newest(1), seal(0), talk(15), oldest(0).repeat(10)].concat(),
        ),
        (
            "old-chains",
            [[lose(0, 4), talk(1), lose(1, 4), talk(1)].concat().repeat(9), oldest(0).repeat(6), oldest(1).repeat(6)]
                .concat(),
        ),
        (
            "damaged",
            [
                talk(10),
                seal(0),
                vec![14, 0, 0, 9, 14, 0, 6, 3, 16, 0, 4, 0],
                act(14, 0, 3),
                act(14, 1, 1),
                act(6, 0, 4),
                oldest(0),
            ]
            .concat(),
        ),
        (
            "ephemeral",
            [
                talk(2),
                act(10, 0, 5),
                act(11, 0, 0),
                act(10, 1, 5),
                act(11, 1, 0),
                talk(2),
                act(11, 0, 0),
                act(10, 0, 255),
            ]
            .concat(),
        ),
        (
            "weeks",
            [
                talk(10),
                lose(0, 3),
                act(12, 0, 80),
                talk(2),
                oldest(0),
                act(12, 0, 120),
                oldest(0),
                act(9, 0, 0),
                talk(47),
            ]
            .concat(),
        ),
        ("stored", [talk(3), act(9, 0, 0), act(9, 1, 0)].concat().repeat(12)),
        ("large", [talk(1), act(2, 0, 255), oldest(0), act(2, 1, 100), oldest(1)].concat()),
        (
            "one-sided",
            [seal(0).repeat(60), oldest(0).repeat(60), seal(1), oldest(1), seal(0).repeat(40), newest(0)].concat(),
        ),
    ]
}

/// Without the first byte, which says who begins.
fn lies() -> Vec<(&'static str, Vec<u8>)> {
    let epoch: &[u8] = &[0, 100];
    let of = |parts: &[&[u8]]| parts.concat();
    let raw = of(&[&[3, 1, 13, 112, 0, 0, 0, 2, 5], &[7; 107]]);
    vec![
        ("honest", epoch.repeat(4)),
        ("epoch", of(&[epoch, &[3, 1, 0, 1], epoch, &[3, 1, 0, 10, 5, 1, 0, 1]])),
        (
            "counters",
            of(&[epoch, &[3, 2, 4, 7, 10, 8, 3, 1, 4, 8, 3, 1, 5, 6, 3, 1, 9, 8], epoch, &[3, 2, 9, 5, 10, 5], epoch]),
        ),
        (
            "gaps",
            of(&[
                epoch,
                &[3, 1, 10, 7, 3, 1, 4, 7],
                epoch,
                &[3, 2, 10, 6, 4, 6],
                epoch,
                &[2, 0, 3, 1, 10, 7, 2, 0, 3, 1, 9, 6],
            ]),
        ),
        (
            "chunks",
            of(&[
                &[0, 20, 3, 1, 7, 9, 3, 1, 7, 40],
                epoch,
                &[3, 1, 8, 3, 3, 2, 2, 9, 8, 2, 5, 1, 1, 2, 5, 1, 1, 5],
                epoch,
            ]),
        ),
        ("kinds", vec![0, 40, 3, 1, 11, 1, 3, 1, 11, 2, 3, 1, 6, 1, 5, 1, 12, 0, 5, 1, 12, 1, 3, 1, 1, 0]),
        ("another-key", of(&[&[7, 255, 0], epoch, &[7, 0, 0], epoch, &[0, 60, 7, 255, 0], epoch, epoch])),
        ("another-key-unpromised", of(&[&[0, 4, 7, 1, 1], epoch, epoch])),
        ("damaged", of(&[&[0, 30, 8, 3, 0, 1], epoch, &[0, 100, 8, 2, 0, 1], epoch])),
        ("padding", of(&[&[0, 8, 3, 205, 0, 0, 0, 0, 0, 3, 200, 3, 210], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])),
        ("lost", of(&[epoch, &[1, 200, 2, 0], epoch, &[1, 250, 1, 250], epoch, &[9, 100], epoch, &[9, 200], epoch])),
        ("raw", of(&[epoch, &raw, epoch])),
    ]
}
