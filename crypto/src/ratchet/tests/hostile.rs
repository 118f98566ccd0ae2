//! A peer that has all keys and lies about the Braid inside packets that verify. Their contents stand; the session is broken, and
//! says so; it still opens what comes under the chains it knows, and seals nothing.

use super::*;

/// Spoils a byte of the chunk, where the slot is of one of these types.
fn spoil(slot: &mut [u8; BRAID_SLOT_BYTES], types: &[u8], byte: usize) {
    if types.contains(&slot[4]) {
        slot[16 + byte] ^= 1;
    }
}

/// Talks in turns. From the first packet on that the lie changes, side `liar` tells it once, or always. The two, the liar first,
/// once the other is broken, and how many packets it took.
fn lied_to(seed: u64, liar: usize, once: bool, say: impl Fn(&mut [u8; BRAID_SLOT_BYTES])) -> (Party, Party, u32) {
    let (alice, bob) = acquainted(seed);
    let mut sides = [alice, bob];
    let mut told = false;
    for turn in 0..400_u32 {
        let by = (turn & 1) as usize;
        let mut tells = false;
        let lying = by == liar && !(once && told);
        let (session, packet) =
            lie(&sides[by].session, &mut ChaCha20Rng::seed_from_u64(turn.into()), b"true", |slot| {
                let honest = *slot;
                if lying {
                    say(slot);
                }
                tells = *slot != honest;
            });
        told |= tells;
        sides[by].session = session;
        assert_eq!(sides[1 - by].open(&packet).unwrap(), b"true", "the content stands");
        if sides[1 - by].session.is_broken() {
            assert_eq!(by, liar, "only who was lied to finds it out");
            let [alice, bob] = sides;
            return if liar == 0 { (alice, bob, turn) } else { (bob, alice, turn) };
        }
    }
    panic!("the lie was never found out");
}

/// What a broken session still does and what it does not.
fn is_broken_and_opens(liar: &mut Party, victim: &mut Party) {
    for _ in 0..3 {
        let refused = victim.session.seal(&mut victim.rng, b"more", Padding::Bucket);
        assert_eq!(refused.unwrap_err(), SealError::Broken);
        let packet = liar.seal(b"later");
        let (session, _, opened) = victim.session.open(&packet, victim.now, &victim.rows).unwrap().into_parts();
        assert!(!opened.broke && session.is_broken(), "it breaks once");
        assert_eq!(victim.open(&packet).unwrap(), b"later");
        assert_eq!(victim.open(&packet).unwrap_err(), OpenError::Replayed);
        victim.session = Session::decode(&victim.session.encode()).unwrap();
        assert!(victim.session.is_broken(), "that is stored");
    }
}

#[test]
fn a_spoiled_header_breaks_the_session() {
    let (mut liar, mut victim, _) = lied_to(90, 1, true, |slot| spoil(slot, &[1], 40));
    is_broken_and_opens(&mut liar, &mut victim);
}

#[test]
fn a_vector_that_does_not_fit_breaks_the_session_once_it_is_whole() {
    let (mut liar, mut victim, at_once) = lied_to(91, 0, true, |slot| spoil(slot, &[2, 3], 0));
    is_broken_and_opens(&mut liar, &mut victim);
    let (.., always) = lied_to(91, 0, false, |slot| spoil(slot, &[2, 3], 0));
    assert_eq!(at_once, always, "twelve chunks are one vector");
}

#[test]
fn a_spoiled_first_half_breaks_the_session_at_the_tag() {
    let (mut liar, mut victim, _) = lied_to(92, 1, true, |slot| spoil(slot, &[4], 95));
    is_broken_and_opens(&mut liar, &mut victim);
}

#[test]
fn a_spoiled_second_half_breaks_the_session() {
    // Of the ciphertext, of its tag or the next chunk's padding.
    for (seed, byte) in [(93, 0), (94, 95)] {
        let (mut liar, mut victim, turn) = lied_to(seed, 1, true, |slot| spoil(slot, &[5], byte));
        is_broken_and_opens(&mut liar, &mut victim);
        assert!(turn > 20, "the second half comes last");
    }
}

/// The peer says that the next epoch has begun before this one can have ended: it cannot have its secret.
#[test]
fn an_epoch_ahead_breaks_the_session() {
    let (mut alice, mut bob) = acquainted(96);
    let packet = alice.seal(b"true");
    bob.open(&packet).unwrap();
    // What Mallory would need to be authentic at all: the chain of an epoch of which only Bob has the secret.
    alice.session.epochs.ahead_sending = bob.session.epochs.ahead_receiving.as_ref().map(|key| key.duplicate());
    assert!(alice.session.epochs.ahead_sending.is_some(), "Bob has encapsulated");
    let (_, packet) = lie(&alice.session, &mut alice.rng, b"ahead", |slot| {
        slot.fill(0);
        slot[3] = 2;
    });
    let (session, _, opened) = bob.session.open(&packet, bob.now, &bob.rows).unwrap().into_parts();
    assert!(opened.broke && session.is_broken());
    assert_eq!(opened.content[..], *b"ahead");
}

/// Two epochs ahead there is no chain: the header alone is refused, and nothing is broken by it.
#[test]
fn an_epoch_without_a_chain_is_refused() {
    let (mut alice, mut bob) = acquainted(97);
    let honest = alice.seal(b"true");
    for epoch in [3_u32, 9, u32::MAX] {
        let packet =
            with_header(&alice.session, &honest, |header| header[41..45].copy_from_slice(&epoch.to_be_bytes()));
        assert_eq!(bob.open(&packet).unwrap_err(), PeerMisbehaved::MalformedHeader.into());
    }
    assert_eq!(bob.open(&honest).unwrap(), b"true");
    assert!(!bob.session.is_broken());
}

/// Without a valid body a lie is nothing but a damaged packet.
#[test]
fn a_lie_in_a_packet_that_does_not_verify_changes_nothing() {
    let (mut alice, mut bob) = alice_and_bob(98);
    let (_, mut packet) = lie(&alice.session, &mut alice.rng, b"lie", |slot| spoil(slot, &[1], 0));
    *packet.last_mut().unwrap() ^= 1;
    assert_eq!(bob.open(&packet).unwrap_err(), PeerMisbehaved::BodyNotAuthentic.into());
    let packet = alice.seal(b"true");
    assert_eq!(bob.open(&packet).unwrap(), b"true");
    assert!(!bob.session.is_broken());
}

/// A Braid that no longer runs adds no epochs: the peer's packets open up to the newest chain that is known.
#[test]
fn a_broken_session_opens_up_to_the_newest_epoch_it_knows() {
    let (liar, victim, _) = lied_to(99, 0, true, |slot| spoil(slot, &[2, 3], 0));
    let known = victim.session.epochs.receiving.epoch + u32::from(victim.session.epochs.ahead_receiving.is_some());
    assert_eq!((liar.session.braid.as_ref().unwrap().epoch().0, known), (1, 1));
}
