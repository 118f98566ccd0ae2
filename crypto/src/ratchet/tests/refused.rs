//! Packets that must not open, each wrong in one way, and seals that must not happen.

use super::*;
use crate::aead::TAG_BYTES;

#[test]
fn a_flipped_bit_anywhere_changes_nothing() {
    let (mut alice, mut bob) = acquainted(20);
    let good = alice.seal(b"good");
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        let expected = match index {
            0..SEALED_HEADER_BYTES => OpenError::NotOurs,
            _ => OpenError::PeerMisbehaved(PeerMisbehaved::BodyNotAuthentic),
        };
        assert_eq!(bob.open(&bad).unwrap_err(), expected, "byte {index}");
    }
    assert_eq!(bob.open(&good).unwrap(), b"good");
}

#[test]
fn a_truncated_packet_changes_nothing() {
    let (mut alice, mut bob) = acquainted(21);
    let good = alice.seal(b"good");
    for length in 0..good.len() {
        let expected = match length {
            0..SEALED_HEADER_BYTES => OpenError::NotOurs,
            _ if length < SEALED_HEADER_BYTES + TAG_BYTES => OpenError::PeerMisbehaved(PeerMisbehaved::MalformedBody),
            _ => OpenError::PeerMisbehaved(PeerMisbehaved::BodyNotAuthentic),
        };
        assert_eq!(bob.open(&good[..length]).unwrap_err(), expected, "{length} bytes");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(bob.open(&longer).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
    assert_eq!(bob.open(&good).unwrap(), b"good");
}

#[test]
fn a_forged_body_on_a_dh_step_changes_nothing() {
    let (mut alice, mut bob) = alice_and_bob(22);
    let mut packet = alice.seal(b"first of all");
    *packet.last_mut().unwrap() ^= 1;
    assert_eq!(bob.open(&packet).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
    *packet.last_mut().unwrap() ^= 1;
    assert!(bob.open(&packet).is_ok());
}

#[test]
fn a_forged_body_on_a_skipped_key_leaves_the_key() {
    let (mut alice, mut bob) = acquainted(23);
    let packets = alice.seal_many(2);
    bob.open(&packets[1]).unwrap();
    let mut bad = packets[0].clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(bob.open(&bad).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
    assert_eq!(bob.missing(), 1);
    assert!(bob.open(&packets[0]).is_ok());
}

#[test]
fn one_packet_s_body_does_not_open_behind_another_s_header() {
    let (mut alice, mut bob) = acquainted(24);
    let packets = alice.seal_many(2);
    let mixed = [&packets[0][..SEALED_HEADER_BYTES], &packets[1][SEALED_HEADER_BYTES..]].concat();
    assert_eq!(bob.open(&mixed).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
}

#[test]
fn a_stranger_s_packet_is_not_ours() {
    let (_, mut bob) = acquainted(25);
    let (mut mallory, _) = acquainted(26);
    let packet = mallory.seal(b"from elsewhere");
    assert_eq!(bob.open(&packet).unwrap_err(), OpenError::NotOurs);
    assert_eq!(bob.open(&[0; 1_024]).unwrap_err(), OpenError::NotOurs);
}

#[test]
fn a_packet_does_not_open_at_its_sender() {
    let (mut alice, _) = acquainted(27);
    let packet = alice.seal(b"to bob");
    assert_eq!(alice.open(&packet).unwrap_err(), OpenError::NotOurs);
}

#[test]
fn another_pair_of_devices_reads_nothing() {
    let (mut alice, mut bob) = acquainted(28);
    bob.session.associated =
        AssociatedData::new((&[1; 32].into(), &[9; 16].into()), (&[3; 32].into(), &[4; 16].into()));
    let packet = alice.seal(b"to another device");
    assert_eq!(bob.open(&packet).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
}

/// Alice misbehaves: she has the keys, so only the checks behind the header's tag are left.
#[test]
fn a_chain_has_one_ratchet_key() {
    let (mut alice, mut bob) = acquainted(29);
    let first = alice.seal(b"as it should be");
    bob.open(&first).unwrap();
    alice.session.private = PrivateKey::generate(&mut alice.rng);
    let second = alice.seal(b"another key in the same chain");
    assert_eq!(bob.open(&second).unwrap_err(), PeerMisbehaved::MalformedHeader.into());
    let ephemeral = alice.seal_ephemeral(b"here too");
    assert_eq!(bob.open(&ephemeral).unwrap_err(), PeerMisbehaved::MalformedHeader.into());
}

/// An honest peer steps only after a packet of ours with a new key.
#[test]
fn a_second_step_without_an_answer_is_refused() {
    let (mut alice, mut bob) = acquainted(31);
    let first = alice.seal(b"one step");
    bob.open(&first).unwrap();
    alice.session.step_due = true;
    let second = alice.seal(b"and another");
    assert_eq!(bob.open(&second).unwrap_err(), PeerMisbehaved::MalformedHeader.into());
}

#[test]
fn a_ratchet_key_that_would_make_the_secret_public_is_refused() {
    let (mut alice, mut bob) = alice_and_bob(30);
    let zero = PrivateKey::from_parts(Secret32::copied(&[1; 32]), [0; 32].into());
    let above = PrivateKey::from_parts(Secret32::copied(&[1; 32]), [0xff; 32].into());
    for (key, error) in [(zero, PeerMisbehaved::NonContributory), (above, PeerMisbehaved::NonCanonicalPoint)] {
        alice.session.private = key;
        let packet = alice.seal(b"a bad key");
        assert_eq!(bob.open(&packet).unwrap_err(), error.into());
    }
}

#[test]
fn content_longer_than_the_largest_bucket_is_not_sealed() {
    let (mut alice, mut bob) = acquainted(31);
    let longest = vec![7; 65_536 - PACKET_OVERHEAD];
    let packet = alice.seal(&longest);
    assert_eq!(packet.len(), 65_536);
    assert_eq!(bob.open(&packet).unwrap(), longest);
    let longer = vec![7; 65_536 - PACKET_OVERHEAD + 1];
    for padding in [Padding::Bucket, Padding::None] {
        assert_eq!(alice.session.seal(&mut alice.rng, &longer, padding).unwrap_err(), SealError::TooLong);
    }
    let typing = vec![7; 1_024 - PACKET_OVERHEAD + 1];
    assert_eq!(alice.session.seal_ephemeral(&mut alice.rng, &typing).unwrap_err(), SealError::TooLong);
}

#[test]
fn a_responder_seals_nothing_before_it_has_opened_a_packet() {
    let (_, mut bob) = alice_and_bob(32);
    let refused = bob.session.seal(&mut bob.rng, b"too early", Padding::Bucket);
    assert_eq!(refused.unwrap_err(), SealError::NotBegun);
    assert_eq!(bob.session.seal_ephemeral(&mut bob.rng, b"too early").unwrap_err(), SealError::NotBegun);
}

#[test]
fn a_sender_stops_at_a_full_window() {
    let (mut alice, mut bob) = acquainted(33);
    let already = alice.session.unreceipted();
    for _ in already..1_500 {
        alice.seal(b"unheard");
    }
    let full = alice.session.seal(&mut alice.rng, b"one too many", Padding::Bucket);
    assert_eq!(full.unwrap_err(), SealError::WindowFull);
    assert!(alice.session.seal_ephemeral(&mut alice.rng, b"typing").is_ok(), "what takes no step is not counted");
    alice.session = alice.session.receipted(alice.session.sealed() - 1_499);
    let last = alice.seal(b"one receipt, one packet");
    assert_eq!(alice.session.unreceipted(), 1_500);
    assert!(bob.open(&last).is_ok(), "a full window is no gap too large");
}
