//! Prekeys of every kind, each wrong in one way.

use super::*;
use crate::people::{EXPIRES, NOW, Pair, Person, rng};

const KINDS: [PrekeyKind; 4] = [PrekeyKind::Signed, PrekeyKind::OneTimePair, PrekeyKind::LastResort, PrekeyKind::Seal];

fn pair(person: &Person, kind: PrekeyKind) -> &Pair {
    match kind {
        PrekeyKind::Signed => &person.signed,
        PrekeyKind::OneTimePair => &person.one_time,
        PrekeyKind::LastResort => &person.last_resort,
        PrekeyKind::Seal => &person.seal,
    }
}

fn verify(bob: &Person, prekey: &Prekey, kind: PrekeyKind) -> Result<(), PeerMisbehaved> {
    verify_prekey(&bob.root.public(), &bob.device.public(), prekey, kind, NOW)
}

/// Bob's prekey of a kind, with `change` made before his device signs it.
fn signed(bob: &Person, kind: PrekeyKind, change: impl FnOnce(&mut PrekeyBody)) -> Prekey {
    let mut body = pair(bob, kind).public.body.clone();
    change(&mut body);
    let signature = bob.device.sign_prekey(&signed_bytes(&bob.root.public(), &bob.device.id(), &body));
    Prekey { body, signature }
}

#[test]
fn a_prekey_of_each_kind_verifies_as_that_kind_alone() {
    let bob = Person::bob();
    for kind in KINDS {
        let prekey = &pair(&bob, kind).public;
        assert_eq!(prekey.body.key.len(), kind.key_bytes());
        assert_eq!(verify(&bob, prekey, kind), Ok(()));
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            assert_eq!(verify(&bob, prekey, other), Err(PeerMisbehaved::PrekeyKind));
        }
    }
}

#[test]
fn an_expired_prekey_is_refused() {
    let bob = Person::bob();
    for kind in KINDS {
        let verify_at =
            |now| verify_prekey(&bob.root.public(), &bob.device.public(), &pair(&bob, kind).public, kind, now);
        assert_eq!(verify_at(EXPIRES - 1), Ok(()));
        assert_eq!(verify_at(EXPIRES), Err(PeerMisbehaved::Expired));
        assert_eq!(verify_at(u64::MAX), Err(PeerMisbehaved::Expired));
    }
}

#[test]
fn a_prekey_changed_after_signing_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    for kind in KINDS {
        let refused = |change: &dyn Fn(&mut Prekey), why| {
            let mut prekey = pair(&bob, kind).public.clone();
            change(&mut prekey);
            assert_eq!(verify(&bob, &prekey, kind), Err(PeerMisbehaved::Signature), "{kind:?}: {why}");
        };
        let theirs = &pair(&mallory, kind).public;
        refused(&|prekey| prekey.body.id.0 ^= 1, "another id");
        refused(&|prekey| prekey.body.created += 1, "another creation");
        refused(&|prekey| prekey.body.expires += 1, "another expiry");
        refused(&|prekey| prekey.body.key = theirs.body.key.clone(), "another's key");
        refused(&|prekey| prekey.signature = theirs.signature, "another's signature");
    }
}

#[test]
fn a_prekey_of_another_signer_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let prekey = &bob.signed.public;
    let verify_as = |root, device| verify_prekey(&root, &device, prekey, PrekeyKind::Signed, NOW);
    let refused = Err(PeerMisbehaved::Signature);
    assert_eq!(verify_as(mallory.root.public(), bob.device.public()), refused, "another root");
    let other_id = Device { id: [0; 16].into(), ..bob.device.public() };
    assert_eq!(verify_as(bob.root.public(), other_id), refused, "another device id");
    let other_key = Device { signing: mallory.device.public().signing, ..bob.device.public() };
    assert_eq!(verify_as(bob.root.public(), other_key), refused, "another device key");
}

#[test]
fn a_signed_prekey_with_an_unusable_key_is_refused() {
    let bob = Person::bob();
    let refused = |kind, change: &dyn Fn(&mut Vec<u8>), error, why| {
        let prekey = signed(&bob, kind, |body| change(&mut body.key));
        assert_eq!(verify(&bob, &prekey, kind), Err(error), "{kind:?}: {why}");
    };
    for kind in KINDS {
        refused(kind, &|key| key.truncate(key.len() - 1), PeerMisbehaved::Length, "a byte short");
        refused(kind, &|key| key.push(0), PeerMisbehaved::Length, "a byte long");
        refused(kind, &|key| key.clear(), PeerMisbehaved::Length, "empty");
    }
    for kind in [PrekeyKind::Signed, PrekeyKind::OneTimePair] {
        let zero = |key: &mut Vec<u8>| key[..32].fill(0);
        refused(kind, &zero, PeerMisbehaved::NonContributory, "a point of small order");
        refused(kind, &|key| key[31] |= 0x80, PeerMisbehaved::NonCanonicalPoint, "a second spelling");
    }
    let last = |key: &mut Vec<u8>| key[..3].fill(0xff);
    refused(PrekeyKind::LastResort, &last, PeerMisbehaved::Key, "a coefficient over the modulus");
    refused(PrekeyKind::Seal, &last, PeerMisbehaved::Key, "a coefficient over the modulus");
    let pair = |key: &mut Vec<u8>| key[32..35].fill(0xff);
    refused(PrekeyKind::OneTimePair, &pair, PeerMisbehaved::Key, "a coefficient over the modulus");
}

#[test]
fn a_secret_survives_its_encoding() {
    let bob = Person::bob();
    for kind in KINDS {
        let Pair { secret, public } = pair(&bob, kind);
        let read = PrekeySecret::from_bytes(&secret.to_bytes()).unwrap();
        assert_eq!(read.to_bytes(), secret.to_bytes());
        assert_eq!((read.kind(), read.id()), (kind, public.body.id));
        assert_eq!((read.created(), read.expires()), (NOW, EXPIRES));
        assert_eq!(read.public()[..], public.body.key[..]);
    }
}

#[test]
fn other_bytes_are_no_secret() {
    let bob = Person::bob();
    for kind in KINDS {
        let bytes = pair(&bob, kind).secret.to_bytes();
        for len in [0, 1, 20, 21, bytes.len() - 1] {
            assert_eq!(PrekeySecret::from_bytes(&bytes[..len]).unwrap_err(), StateError::Malformed);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(PrekeySecret::from_bytes(&longer).unwrap_err(), StateError::Malformed, "a byte long");
        let unknown = [&[4], &bytes[1..]].concat();
        assert_eq!(PrekeySecret::from_bytes(&unknown).unwrap_err(), StateError::Malformed, "an unknown kind");
    }
}

#[test]
fn ids_are_drawn_at_random() {
    let bob = Person::bob();
    let mut ids: Vec<PrekeyId> = KINDS.iter().map(|kind| pair(&bob, *kind).public.body.id).collect();
    let again = PrekeySecret::generate(PrekeyKind::Signed, &mut rng(9), NOW, EXPIRES, &bob.device, &bob.root.public());
    ids.push(again.0.id());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[test]
fn debug_prints_the_kind_alone() {
    let bob = Person::bob();
    insta::assert_snapshot!(format!("{:?}", bob.signed.secret), @"PrekeySecret { kind: Signed, .. }");
    insta::assert_snapshot!(format!("{:?}", bob.one_time.secret), @"PrekeySecret { kind: OneTimePair, .. }");
    insta::assert_snapshot!(format!("{:?}", bob.last_resort.secret), @"PrekeySecret { kind: LastResort, .. }");
    insta::assert_snapshot!(format!("{:?}", bob.seal.secret), @"PrekeySecret { kind: Seal, .. }");
}
