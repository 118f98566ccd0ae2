//! Packets that come late, twice, or never.

use super::*;

#[test]
fn packets_open_in_any_order() {
    let (mut alice, mut bob) = acquainted(1);
    let packets = alice.seal_many(5);
    for place in [3_u32, 0, 4, 2, 1] {
        assert_eq!(bob.open(&packets[place as usize]).unwrap(), place.to_be_bytes());
    }
    assert_eq!(bob.missing(), 0);
}

#[test]
fn the_first_packet_may_come_last() {
    let (mut alice, mut bob) = alice_and_bob(2);
    let packets = alice.seal_many(3);
    for place in [2_u32, 1, 0] {
        assert_eq!(bob.open(&packets[place as usize]).unwrap(), place.to_be_bytes());
    }
}

#[test]
fn a_replayed_packet_changes_nothing() {
    let (mut alice, mut bob) = acquainted(3);
    let packets = alice.seal_many(3);
    for packet in [&packets[2], &packets[0]] {
        bob.open(packet).unwrap();
        assert_eq!(bob.open(packet).unwrap_err(), OpenError::Replayed);
    }
    assert_eq!(bob.missing(), 1, "the one that has not come");
}

#[test]
fn a_late_packet_of_an_ended_chain_opens_once() {
    let (mut alice, mut bob) = acquainted(4);
    let early = alice.seal_many(3);
    bob.open(&early[0]).unwrap();
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    let next = alice.seal(b"next chain");
    assert_eq!(bob.open(&next).unwrap(), b"next chain");
    assert_eq!(bob.missing(), 2, "PN tells how many the ended chain had");
    assert_eq!(bob.session.old.len(), 1);
    assert_eq!(bob.open(&early[2]).unwrap(), 2_u32.to_be_bytes());
    assert_eq!(bob.open(&early[2]).unwrap_err(), OpenError::Replayed);
    assert_eq!(bob.open(&early[1]).unwrap(), 1_u32.to_be_bytes());
    assert_eq!(bob.session.old.len(), 0, "a chain goes with its last key");
    assert_eq!(bob.open(&early[1]).unwrap_err(), OpenError::NotOurs, "and its header key with it");
}

#[test]
fn a_chain_without_losses_leaves_nothing_behind() {
    let (mut alice, mut bob) = acquainted(5);
    for _ in 0..20 {
        let (question, answer) = (alice.seal(b"?"), bob.seal(b"!"));
        bob.open(&question).unwrap();
        alice.open(&answer).unwrap();
    }
    assert_eq!((alice.session.old.len(), bob.session.old.len()), (0, 0));
    assert_eq!((alice.missing(), bob.missing()), (0, 0));
}

#[test]
fn old_chains_have_a_bound_and_the_oldest_goes() {
    let (mut alice, mut bob) = acquainted(6);
    let mut lost = Vec::new();
    for _ in 0..=SKIPPED_CHAINS_MAX {
        lost.push(alice.seal(b"lost"));
        let next = alice.seal(b"came");
        bob.open(&next).unwrap();
        let answer = bob.seal(b"answer");
        alice.open(&answer).unwrap();
    }
    let last = alice.seal(b"last");
    bob.open(&last).unwrap();
    assert_eq!(bob.session.old.len(), SKIPPED_CHAINS_MAX);
    assert_eq!(bob.open(&lost[0]).unwrap_err(), OpenError::NotOurs);
    for late in &lost[1..] {
        assert_eq!(bob.open(late).unwrap(), b"lost");
    }
    assert_eq!((bob.session.old.len(), bob.missing()), (0, 0));
}

#[test]
fn skipped_keys_have_a_bound_and_the_oldest_go() {
    let (mut alice, mut bob) = acquainted(7);
    let first = lose(&mut alice, 1_200);
    let came = alice.seal(b"came");
    bob.open(&came).unwrap();
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    assert_eq!(bob.missing(), 1_200);
    let second = lose(&mut alice, 1_300);
    let came = alice.seal(b"came");
    bob.open(&came).unwrap();
    assert_eq!(bob.missing(), 1_300, "both together would be more than 2,000");
    assert_eq!(bob.open(&first).unwrap_err(), OpenError::NotOurs);
    assert!(bob.open(&second).is_ok());
}

#[test]
fn one_step_may_skip_in_both_chains() {
    let (mut alice, mut bob) = acquainted(8);
    let begins = alice.seal(b"begins a chain");
    bob.open(&begins).unwrap();
    let first = lose(&mut alice, 900);
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    let second = lose(&mut alice, 1_000);
    let came = alice.seal(b"came");
    bob.open(&came).unwrap();
    assert_eq!(bob.missing(), 1_900);
    assert!(bob.open(&first).is_ok());
    assert!(bob.open(&second).is_ok());
}

#[test]
fn a_gap_over_the_bound_is_refused() {
    let (mut alice, mut bob) = acquainted(9);
    let mut packets = Vec::new();
    for _ in 0..=SKIPPED_GAP_MAX + 1 {
        alice.session = alice.session.receipted(u64::MAX);
        packets.push(alice.seal(b"one of many"));
    }
    let too_far = OpenError::PeerMisbehaved(PeerMisbehaved::GapTooLarge);
    assert_eq!(bob.open(packets.last().unwrap()).unwrap_err(), too_far);
    assert!(bob.open(&packets[SKIPPED_GAP_MAX as usize]).is_ok());
    assert_eq!(bob.missing(), SKIPPED_GAP_MAX as usize);
    assert!(bob.open(packets.last().unwrap()).is_ok());
}

#[test]
fn skipped_keys_age_out() {
    let (mut alice, mut bob) = acquainted(10);
    let packets = alice.seal_many(4);
    bob.open(&packets[1]).unwrap();
    let skipped_at = bob.now;
    bob.now += 86_400;
    bob.open(&packets[3]).unwrap();
    assert_eq!(bob.missing(), 2);
    bob.now = skipped_at + SKIPPED_KEY_SECS - 1;
    assert!(!bob.expire());
    bob.now += 1;
    assert_eq!(bob.open(&packets[0]).unwrap_err(), OpenError::Replayed, "too old even before it is swept");
    assert!(bob.expire());
    assert_eq!(bob.missing(), 1);
    assert!(bob.open(&packets[2]).is_ok(), "a day younger");
}

#[test]
fn an_old_chain_ages_out_with_its_keys() {
    let (mut alice, mut bob) = acquainted(11);
    let begins = alice.seal(b"begins a chain");
    bob.open(&begins).unwrap();
    let late = lose(&mut alice, 1);
    let answer = bob.seal(b"answer");
    alice.open(&answer).unwrap();
    let next = alice.seal(b"next");
    bob.open(&next).unwrap();
    assert_eq!(bob.session.old.len(), 1);
    bob.now += SKIPPED_KEY_SECS;
    assert!(bob.expire());
    assert_eq!((bob.session.old.len(), bob.missing()), (0, 0));
    assert_eq!(bob.open(&late).unwrap_err(), OpenError::NotOurs);
}

/// Alice seals `count` packets that do not arrive for now; the first of them is returned. Her window is kept open.
fn lose(alice: &mut Party, count: u32) -> Vec<u8> {
    alice.session = alice.session.receipted(u64::MAX);
    alice.seal_many(count).swap_remove(0)
}
