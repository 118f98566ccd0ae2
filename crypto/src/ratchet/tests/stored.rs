//! What is stored: states, and what becomes of one that is put back.

use std::collections::BTreeSet;

use super::{super::epochs::OldEpoch, *};

#[test]
fn a_state_rolled_back_and_sealing_again_repeats_no_keystream() {
    let (mut alice, mut bob) = acquainted(40);
    let begun = alice.seal(b"a chain");
    bob.open(&begun).unwrap();
    let stored = alice.session.encode();
    let once = alice.seal(&[0; 700]);
    alice.session = Session::decode(&stored).unwrap();
    let again = alice.seal(&[0; 700]);
    let keystream = |packet: &[u8]| packet[SEALED_HEADER_BYTES..].to_vec();
    assert_ne!(keystream(&once), keystream(&again));
    assert_eq!(bob.open(&once).unwrap(), [0; 700]);
    assert_eq!(bob.open(&again).unwrap_err(), OpenError::Replayed, "one number, one packet");
}

#[test]
fn a_state_rolled_back_before_its_step_draws_another_key() {
    let (mut alice, mut bob) = acquainted(48);
    let stored = alice.session.encode();
    let once = alice.seal(&[0; 700]);
    alice.session = Session::decode(&stored).unwrap();
    let again = alice.seal(&[0; 700]);
    assert_ne!(once[SEALED_HEADER_BYTES..], again[SEALED_HEADER_BYTES..]);
    assert_eq!(bob.open(&once).unwrap(), [0; 700]);
    assert_eq!(bob.open(&again).unwrap_err(), PeerMisbehaved::MalformedHeader.into(), "a chain has one ratchet key");
}

#[test]
fn a_state_survives_its_encoding_in_every_shape() {
    let (mut alice, mut bob) = alice_and_bob(41);
    let survives = |party: &Party| {
        let stored = party.session.encode();
        assert_eq!(*Session::decode(&stored).unwrap().encode(), *stored);
    };
    survives(&alice);
    survives(&bob);
    let packets = alice.seal_many(3);
    bob.open(&packets[2]).unwrap();
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    let next = alice.seal_many(3);
    bob.open(&next[1]).unwrap();
    assert_eq!((bob.session.old.len(), bob.missing()), (1, 3));
    survives(&alice);
    survives(&bob);
}

#[test]
fn a_restored_session_talks_on() {
    let (mut alice, mut bob) = acquainted(42);
    let packets = alice.seal_many(2);
    bob.open(&packets[1]).unwrap();
    bob.session = Session::decode(&bob.session.encode()).unwrap();
    alice.session = Session::decode(&alice.session.encode()).unwrap();
    assert_eq!(bob.open(&packets[0]).unwrap(), 0_u32.to_be_bytes());
    let answer = bob.seal(b"answer");
    assert_eq!(alice.open(&answer).unwrap(), b"answer");
    assert_eq!(alice.session.id(), bob.session.id());
}

#[test]
fn a_damaged_state_is_refused() {
    let (mut alice, mut bob) = acquainted(43);
    let packets = alice.seal_many(3);
    bob.open(&packets[2]).unwrap();
    let stored = bob.session.encode();
    for length in 0..stored.len() {
        assert!(Session::decode(&stored[..length]).is_err(), "{length} bytes");
    }
    let longer = [stored.as_slice(), &[0]].concat();
    assert_eq!(Session::decode(&longer).unwrap_err(), StateError::Malformed, "a byte too many");

    let mut version = stored.to_vec();
    assert_eq!(version[1..3], [0, 1]);
    version[2] = 0;
    assert_eq!(Session::decode(&version).unwrap_err(), StateError::Version(0));

    let spelled = [&[0xb8, 20], &stored[1..]].concat();
    assert_eq!(Session::decode(&spelled).unwrap_err(), StateError::Malformed, "a map's length in two bytes");

    for index in 0..stored.len() {
        let mut changed = stored.to_vec();
        changed[index] ^= 1;
        // A bit inside a key makes another key; nothing decodes to what it does not encode to.
        if let Ok(session) = Session::decode(&changed) {
            assert_eq!(*session.encode(), changed);
        }
    }
}

#[test]
fn a_state_that_no_session_can_reach_is_refused() {
    let (mut alice, mut bob) = acquainted(44);
    let packets = alice.seal_many(3);
    bob.open(&packets[2]).unwrap();
    let refuse = |what: &str, spoil: fn(&mut Session)| {
        let mut session = bob.session.duplicate();
        spoil(&mut session);
        assert_eq!(Session::decode(&session.encode()).unwrap_err(), StateError::Malformed, "{what}");
    };
    refuse("more receipts than packets", |session| session.receipted = session.sealed + 1);
    refuse("a chain that began after its end", |session| session.sealed_before_chain = session.sealed + 1);
    refuse("a run whose id is still to come", |session| session.next_run = 0);
    refuse("a chain without a peer", |session| session.peer = None);
    refuse("a run without keys", |session| session.receiving.as_mut().unwrap().runs.0[0].kept = 0);
    refuse("too many keys", |session| session.receiving.as_mut().unwrap().runs.0[0].kept = 2_001);
    refuse("too many keys of epochs", |session| session.epochs.receiving_runs.0[0].kept = 2_001);
    refuse("an epoch chain behind the Braid", |session| session.epochs.sending.epoch = 7);
    refuse("no chain of an epoch whose secret is known", |session| session.epochs.ahead_sending = None);
    refuse("the other side's turn to offer", |session| session.epochs.initiator = true);
    refuse("one run in both ratchets", |session| {
        session.epochs.receiving_runs.0[0].id = session.receiving.as_ref().unwrap().runs.0[0].id;
    });
    refuse("an old epoch without keys", |session| {
        session.epochs.old.push(OldEpoch { epoch: 0, runs: Default::default() });
    });
    assert!(Session::decode(&bob.session.encode()).is_ok());
}

/// The documented keys are what other programs read: CBOR heads of a state at rest.
#[test]
fn a_state_has_the_documented_keys() {
    let (alice, _) = alice_and_bob(45);
    let stored = alice.session.encode();
    let mut decoder = minicbor::Decoder::new(&stored);
    assert_eq!(decoder.map().unwrap(), Some(20));
    for key in 0..20_u8 {
        assert_eq!(decoder.u8().unwrap(), key);
        match key {
            0 => assert_eq!(decoder.u8().unwrap(), 1),
            1 | 3..=6 | 8 | 10 => assert_eq!(decoder.bytes().unwrap().len(), 32),
            2 => assert_eq!(decoder.bytes().unwrap().len(), 97),
            7 => {
                assert_eq!(decoder.map().unwrap(), Some(4));
                for field in 0..4_u8 {
                    assert_eq!(decoder.u8().unwrap(), field);
                    decoder.skip().unwrap();
                }
            }
            9 => decoder.null().unwrap(),
            12 => assert_eq!(decoder.array().unwrap(), Some(0)),
            17 => assert!(!decoder.bool().unwrap()),
            18 => {
                assert_eq!(decoder.map().unwrap(), Some(9));
                for field in 0..9_u8 {
                    assert_eq!(decoder.u8().unwrap(), field);
                    decoder.skip().unwrap();
                }
            }
            19 => {
                assert_eq!(decoder.array().unwrap(), Some(4));
                assert_eq!((decoder.u8().unwrap(), decoder.u32().unwrap()), (0, 1), "KeysUnsampled of the first epoch");
                assert_eq!((decoder.bytes().unwrap().len(), decoder.bytes().unwrap().len()), (32, 32));
            }
            _ => assert_eq!(decoder.u64().unwrap(), 0),
        }
    }
    assert_eq!(decoder.position(), stored.len());
}

#[test]
fn every_packet_has_a_body_key_of_its_own() {
    let (mut alice, _) = acquainted(46);
    let mut bodies = BTreeSet::new();
    for _ in 0..50 {
        assert!(bodies.insert(alice.seal(&[0; 100])[SEALED_HEADER_BYTES..].to_vec()));
        assert!(bodies.insert(alice.seal_ephemeral(&[0; 100])[SEALED_HEADER_BYTES..].to_vec()));
    }
}

#[test]
fn debug_prints_no_contents() {
    let (alice, bob) = acquainted(47);
    insta::assert_snapshot!(
        format!("{:?}", alice.session),
        @"Session { old_chains: 0, sealed: 1, receipted: 1, braid: Some(HeaderSent(1)), .. }"
    );
    let mut alice = alice;
    let packet = alice.seal(b"secret");
    let opened = bob.session.open(&packet, 0, &NoSkippedKeys).unwrap();
    insta::assert_snapshot!(
        format!("{opened:?}"),
        @"Staged { session: Session { old_chains: 0, sealed: 1, receipted: 1, braid: Some(Ct1Sampled(1)), .. }, changes: SkippedChanges { put: [], delete: [], delete_chains: [] }, value: Opened { ephemeral: false, broke: false, .. } }"
    );
}

/// A peer's ratchet key that a damaged store gives back and that nobody can agree with is an error, found by fuzzing.
#[test]
fn a_stored_key_that_nobody_agrees_with_seals_nothing() {
    let (mut alice, mut bob) = acquainted(49);
    let packet = alice.seal(b"begins a chain");
    bob.open(&packet).unwrap();
    assert!(bob.session.step_due);
    for key in [[0xff; 32], [0; 32]] {
        bob.session.peer = Some(key.into());
        let sealed = bob.session.seal(&mut bob.rng, b"answer", Padding::Bucket);
        assert_eq!(sealed.unwrap_err(), SealError::Broken);
    }
}
