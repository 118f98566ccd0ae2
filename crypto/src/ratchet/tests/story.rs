//! Longer stories: conversations, ephemeral packets, books, receipts, theft, and a bad network.

use super::*;

#[test]
fn a_conversation_in_turns() {
    let (mut alice, mut bob) = acquainted(60);
    for round in 0..30_u32 {
        let question = alice.seal(&round.to_be_bytes());
        assert_eq!(bob.open(&question).unwrap(), round.to_be_bytes());
        let answer = bob.seal(&round.to_le_bytes());
        assert_eq!(alice.open(&answer).unwrap(), round.to_le_bytes());
    }
}

#[test]
fn a_packet_inside_a_first_message_is_not_padded() {
    let (alice, mut bob) = alice_and_bob(61);
    let mut alice = alice;
    let staged = alice.session.seal(&mut alice.rng, b"hello", Padding::None).unwrap();
    let (session, _, packet) = staged.into_parts();
    alice.session = session;
    assert_eq!(packet.len(), 5 + PACKET_OVERHEAD);
    assert_eq!(bob.open(&packet).unwrap(), b"hello");
}

#[test]
fn ephemeral_packets_open_in_any_order_and_change_nothing() {
    let (mut alice, mut bob) = acquainted(62);
    let message = alice.seal(b"message");
    bob.open(&message).unwrap();
    let typing: Vec<_> = (0..3_u8).map(|place| alice.seal_ephemeral(&[place])).collect();
    for place in [2, 0, 1, 1] {
        assert_eq!(typing[place].len(), 1_024);
        assert_eq!(bob.open(&typing[place]).unwrap(), [place as u8]);
    }
    let next = alice.seal(b"next message");
    assert_eq!(bob.open(&next).unwrap(), b"next message");
    assert_eq!(bob.missing(), 0, "an ephemeral packet takes no number");
}

#[test]
fn an_ephemeral_packet_out_of_its_step_is_dropped() {
    let (mut alice, mut bob) = acquainted(63);
    let before = alice.seal_ephemeral(b"before the step");
    assert_eq!(bob.open(&before).unwrap(), b"before the step", "the chain of before serves until then");
    let packets = alice.seal_many(2);
    let early = alice.seal_ephemeral(b"typing");
    assert_eq!(bob.open(&early).unwrap_err(), OpenError::EphemeralOutOfStep, "no packet of this step was seen");
    bob.open(&packets[1]).unwrap();
    assert_eq!(bob.open(&early).unwrap(), b"typing");
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    let next = alice.seal(b"next");
    bob.open(&next).unwrap();
    assert_eq!(bob.session.old.len(), 1, "its header key is still there");
    assert_eq!(bob.open(&early).unwrap_err(), OpenError::EphemeralOutOfStep, "the step is over");
}

#[test]
fn a_book_finds_the_session_of_a_packet() {
    let (mut sessions, mut packets) = (Vec::new(), Vec::new());
    for seed in 64..70 {
        let (mut alice, bob) = acquainted(seed);
        packets.push(alice.seal(b"one of six"));
        sessions.push(bob.session);
    }
    for (index, packet) in packets.iter().enumerate() {
        assert_eq!(book::find(&sessions, packet), Some(index));
    }
    assert_eq!(book::find(&sessions, &[0; 1_024]), None);
    assert_eq!(book::find(&sessions, &[]), None);
    assert_eq!(book::find(&[], &packets[0]), None);
}

#[test]
fn receipts_open_the_window_and_never_close_it() {
    let (mut alice, mut bob) = acquainted(71);
    assert_eq!((alice.session.sealed(), alice.session.unreceipted()), (1, 0), "an answer proves the hello");
    let packets = alice.seal_many(4);
    assert_eq!((alice.session.sealed(), alice.session.unreceipted()), (5, 4));
    let told = alice.session.receipted(3);
    assert_eq!(told.unreceipted(), 2);
    assert_eq!(told.receipted(1).unreceipted(), 2, "never lowered");
    assert_eq!(told.receipted(99).unreceipted(), 0, "never beyond what was sealed");
    bob.open(&packets[3]).unwrap();
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    assert_eq!(alice.session.unreceipted(), 3, "a Diffie-Hellman step proves the first packet of its chain");
}

/// In ping-pong, a thief of all bytes reads at most the next two messages.
#[test]
fn a_stolen_session_heals() {
    let mut readings = 0;
    for thefts_at in 0..4 {
        let (mut alice, mut bob) = acquainted(72);
        let mut thief = None;
        let mut read = 0;
        for turn in 0..10 {
            if turn == thefts_at {
                thief = Some((Session::decode(&alice.session.encode()).unwrap(), mirror(&alice.session)));
            }
            let (from, to) = if turn % 2 == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            let packet = from.seal(b"private");
            to.open(&packet).unwrap();
            if let Some((own, mirrored)) = &mut thief {
                for session in [own, mirrored] {
                    if let Ok(staged) = session.open(&packet, 0, &NoSkippedKeys) {
                        read += 1;
                        *session = staged.into_parts().0;
                    }
                }
            }
        }
        assert!(read <= 2, "theft before turn {thefts_at}: {read} messages were read");
        readings += read;
    }
    assert!(readings > 0, "a thief who reads nothing proves nothing");
}

/// The peer's side, as far as one's own bytes tell it: it opens what `session` seals on its chain.
fn mirror(session: &Session) -> Session {
    let mut mirror = session.duplicate();
    let sending = session.sending.as_ref().unwrap().duplicate();
    mirror.receiving = Some(super::super::chain::ReceivingChain { chain: sending, runs: Default::default() });
    mirror.next_receiving_header_key = session.next_sending_header_key.duplicate();
    mirror.peer = Some(*session.private.public());
    mirror
}

/// Two parties, thousands of packets, a network that loses, repeats and reorders. Each packet opens at most once, every
/// packet of which the network kept a copy within the bounds opens exactly once.
#[test]
fn a_long_run_over_a_bad_network() {
    for seed in [0x5eed, 0x81b2, 0xc0ffee] {
        eprintln!("seed {seed:x}");
        long_run(seed);
    }
}

fn long_run(seed: u64) {
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let (alice, bob) = acquainted(seed);
    let mut parties = [alice, bob];
    // Per receiver: packets under way with what they hold, and how often each content arrived.
    let mut network: [Vec<(u64, Vec<u8>)>; 2] = [Vec::new(), Vec::new()];
    let mut arrived: [BTreeMap<u64, u32>; 2] = Default::default();
    let mut lost = [0_usize; 2];
    let mut sent = [0_u64; 2];
    for step in 0..4_000_u64 {
        let who = (chance.next_u32() & 1) as usize;
        let other = 1 - who;
        if chance.random_bool(0.5) && network[other].len() < 100 {
            let content = sent[who];
            sent[who] += 1;
            let packet = parties[who].seal(&content.to_be_bytes());
            if chance.random_bool(0.05) {
                lost[other] += 1;
            } else {
                network[other].push((content, packet));
            }
        } else if !network[who].is_empty() {
            let near = network[who].len().min(12);
            let index = chance.random_range(0..near);
            let repeated = chance.random_bool(0.1);
            let (content, packet) = if repeated { network[who][index].clone() } else { network[who].remove(index) };
            let first = !arrived[who].contains_key(&content);
            match parties[who].open(&packet) {
                Ok(opened) => {
                    assert!(first, "step {step}: {content} opened twice");
                    assert_eq!(opened, content.to_be_bytes());
                    *arrived[who].entry(content).or_default() += 1;
                    // An end-to-end receipt.
                    let sealed = parties[other].session.sealed();
                    parties[other].session = parties[other].session.receipted(sealed);
                }
                Err(OpenError::Replayed) => assert!(!first, "step {step}: {content} never opened"),
                // Its chain, or the key it waited for, was given up for newer ones.
                Err(OpenError::NotOurs) => {}
                Err(error) => panic!("step {step}: {error}"),
            }
        }
    }
    for who in 0..2 {
        let waiting = network[who].len();
        let total = sent[1 - who] as usize;
        assert!(arrived[who].values().all(|&times| times == 1));
        assert!(arrived[who].len() + lost[who] + waiting >= total * 9 / 10, "{} of {total}", arrived[who].len());
    }
}
