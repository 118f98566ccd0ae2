//! Two who were never online together, and what comes between them.

use sotto_inner::{DeviceId, ManifestBody, PrekeyId};

use super::*;
use crate::{
    NoSkippedKeys, Padding,
    people::{EXPIRES, FixedRng, NOW, Person, rng},
    prekey::verify_prekey,
    verify_repair_bundle,
};

const WITH: [PrekeyKind; 2] = [PrekeyKind::OneTimePair, PrekeyKind::LastResort];
const LINKS: [LinkKind; 2] = [LinkKind::Address, LinkKind::Invitation];

/// What Bob holds for a handshake that names these keys.
fn answering<'a>(bob: &'a Person, with: PrekeyKind, link: Option<&'a Link>) -> Answering<'a> {
    Answering {
        manifest: &bob.manifest,
        device: &bob.device,
        signed: &bob.signed.secret,
        one_time: (with == PrekeyKind::OneTimePair).then_some(&bob.one_time.secret),
        last_resort: (with == PrekeyKind::LastResort).then_some(&bob.last_resort.secret),
        link_secret: link.filter(|link| link.kind == LinkKind::Invitation).map(|link| &link.secret),
    }
}

fn begin(alice: &Person, bob: &Person, with: PrekeyKind, link: &Link) -> Initiated {
    initiate(&mut rng(1), &alice.manifest, &alice.device, &bob.verified(link, with), link).unwrap()
}

/// Seals on one side, opens on the other; the next states of both, if it opens.
fn pass(from: &Session, to: &Session, content: &[u8]) -> Option<(Session, Session)> {
    let (from, _, packet) = from.seal(&mut rng(2), content, Padding::None).unwrap().into_parts();
    let (to, _, opened) = to.open(&packet, NOW, &NoSkippedKeys).ok()?.into_parts();
    assert_eq!(opened.content[..], *content);
    Some((from, to))
}

#[test]
fn both_sides_talk_with_every_choice_of_keys() {
    let (alice, bob) = (Person::alice(), Person::bob());
    for with in WITH {
        for kind in LINKS {
            let link = bob.link(kind);
            let Initiated { handshake, id, session } = begin(&alice, &bob, with, &link);
            assert_eq!(handshake.one_time.is_some(), with == PrekeyKind::OneTimePair);
            assert_eq!(handshake.invitation, (kind == LinkKind::Invitation).then_some(link.bundle));
            let answered = accept(&answering(&bob, with, Some(&link)), &handshake).unwrap();
            assert_eq!((session.id(), answered.id()), (&id, &handshake_id(&handshake)));
            let (session, answered) = pass(&session, &answered, b"hello").unwrap();
            let (answered, session) = pass(&answered, &session, b"hello back").unwrap();
            pass(&session, &answered, b"and so on").unwrap();
        }
    }
}

#[test]
fn a_broken_session_is_replaced_with_repair_keys() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let to = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
    let begun = initiate_repair(&mut rng(1), &alice.manifest, &alice.device, &to).unwrap();
    assert_eq!((begun.handshake.one_time, begun.handshake.invitation), (None, None));
    let answered = accept(&answering(&bob, PrekeyKind::LastResort, None), &begun.handshake).unwrap();
    let (session, answered) = pass(&begun.session, &answered, b"hello").unwrap();
    pass(&answered, &session, b"hello back").unwrap();
}

#[test]
fn the_same_seed_gives_the_same_handshake_and_another_one_another() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let link = bob.link(LinkKind::Address);
    let to = bob.verified(&link, PrekeyKind::OneTimePair);
    let begin = |seed| initiate(&mut rng(seed), &alice.manifest, &alice.device, &to, &link).unwrap();
    let (first, same, other) = (begin(1), begin(1), begin(2));
    assert_eq!(first.handshake, same.handshake);
    assert_eq!(first.session.encode(), same.session.encode());
    assert_ne!(first.handshake.ephemeral, other.handshake.ephemeral);
    assert_ne!(first.handshake.ciphertext, other.handshake.ciphertext);
}

#[test]
fn a_link_of_another_root_begins_nothing() {
    let (alice, bob, mallory) = (Person::alice(), Person::bob(), Person::mallory());
    let to = bob.verified(&bob.link(LinkKind::Address), PrekeyKind::OneTimePair);
    let link = mallory.link(LinkKind::Address);
    let error = initiate(&mut rng(1), &alice.manifest, &alice.device, &to, &link).unwrap_err();
    assert_eq!(error, PeerMisbehaved::OtherRoot);
}

/// A handshake that was changed on its way gives an error or a session that opens nothing of the initiator's.
#[test]
fn a_changed_handshake_makes_another_session() {
    let (alice, bob, mallory) = (Person::alice(), Person::bob(), Person::mallory());
    for with in WITH {
        let link = bob.link(LinkKind::Invitation);
        let begun = begin(&alice, &bob, with, &link);
        let accepted = |change: &dyn Fn(&mut Handshake)| {
            let mut handshake = begun.handshake.clone();
            change(&mut handshake);
            assert_ne!(handshake, begun.handshake);
            accept(&answering(&bob, with, Some(&link)), &handshake)
        };
        let differs = |change: &dyn Fn(&mut Handshake), why| {
            let session = accepted(change).expect(why);
            assert!(pass(&begun.session, &session, b"hello").is_none(), "{why}");
        };
        let refused = |change: &dyn Fn(&mut Handshake), expected, why| {
            assert_eq!(accepted(change).err(), Some(expected), "{why}");
        };
        let other = mallory.device.public();
        differs(&|handshake| handshake.manifest.body.root = mallory.root.public(), "another root");
        differs(&|handshake| handshake.manifest.body.sequence = 2, "another manifest");
        differs(&|handshake| handshake.manifest.signature = [0; 64].into(), "another signature of the manifest");
        differs(&|handshake| handshake.manifest.body.devices[0].signing = other.signing, "another signing key");
        differs(&|handshake| handshake.manifest.body.devices[0].agreement = other.agreement, "another identity key");
        differs(
            &|handshake| (handshake.device, handshake.manifest.body.devices[0].id) = (other.id, other.id),
            "another device id",
        );
        differs(&|handshake| handshake.ephemeral = other.agreement, "another ephemeral key");
        for byte in [0, 700, 1_567] {
            differs(&|handshake| handshake.ciphertext[byte] ^= 1, "another ciphertext");
        }
        differs(&|handshake| handshake.invitation = Some([1; 16].into()), "another invitation");

        use PeerMisbehaved::{
            Invitation, Length, NonCanonicalPoint, NonContributory, OtherManifest, Prekeys, UnknownDevice, Version,
        };
        refused(&|handshake| handshake.version = 0, Version, "another version");
        refused(&|handshake| handshake.device = other.id, UnknownDevice, "a device not in its manifest");
        refused(&|handshake| handshake.responder_manifest = [0; 32].into(), OtherManifest, "another manifest of ours");
        refused(&|handshake| handshake.responder_device = other.id, UnknownDevice, "another device of ours");
        refused(&|handshake| handshake.signed.0 ^= 1, Prekeys, "another signed prekey");
        refused(&|handshake| flip(&mut handshake.one_time, &mut handshake.last_resort), Prekeys, "another KEM key");
        refused(
            &|handshake| std::mem::swap(&mut handshake.one_time, &mut handshake.last_resort),
            Prekeys,
            "a pair for a last resort",
        );
        refused(
            &|handshake| (handshake.one_time, handshake.last_resort) = (Some(PrekeyId(1)), Some(PrekeyId(1))),
            Prekeys,
            "both",
        );
        refused(&|handshake| (handshake.one_time, handshake.last_resort) = (None, None), Prekeys, "neither");
        refused(&|handshake| handshake.invitation = None, Invitation, "no invitation");
        refused(&|handshake| handshake.ciphertext.truncate(1_567), Length, "a shorter ciphertext");
        refused(&|handshake| handshake.ephemeral = [0; 32].into(), NonContributory, "a point of small order");
        refused(&|handshake| handshake.ephemeral = [0xff; 32].into(), NonCanonicalPoint, "a second spelling");
        refused(
            &|handshake| handshake.manifest.body.devices[0].agreement = [0; 32].into(),
            NonContributory,
            "an identity key of small order",
        );
    }
}

fn flip(one_time: &mut Option<PrekeyId>, last_resort: &mut Option<PrekeyId>) {
    for id in one_time.iter_mut().chain(last_resort) {
        id.0 ^= 1;
    }
}

/// The responder's own secrets count too: any other one gives an error or a session that opens nothing.
#[test]
fn other_secrets_make_another_session() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let link = bob.link(LinkKind::Invitation);
    let begun = begin(&alice, &bob, PrekeyKind::OneTimePair, &link);
    let honest = || answering(&bob, PrekeyKind::OneTimePair, Some(&link));
    let differs = |answering: Answering<'_>, why| {
        let session = accept(&answering, &begun.handshake).expect(why);
        assert!(pass(&begun.session, &session, b"hello").is_none(), "{why}");
    };
    let refused = |answering: Answering<'_>, expected, why| {
        assert_eq!(accept(&answering, &begun.handshake).err(), Some(expected), "{why}");
    };
    // The same id with another key: the id's place in the stored bytes is copied over.
    let renamed = |kind, id: PrekeyId| {
        let made = PrekeySecret::generate(kind, &mut rng(7), NOW, EXPIRES, &bob.device, &bob.root.public()).0;
        let mut bytes = made.to_bytes();
        bytes[1..5].copy_from_slice(&id.0.to_be_bytes());
        PrekeySecret::from_bytes(&bytes).unwrap()
    };
    let (signed, pair) = (
        renamed(PrekeyKind::Signed, bob.signed.secret.id()),
        renamed(PrekeyKind::OneTimePair, bob.one_time.secret.id()),
    );
    differs(Answering { signed: &signed, ..honest() }, "another signed prekey of the same id");
    differs(Answering { one_time: Some(&pair), ..honest() }, "another pair of the same id");
    differs(Answering { link_secret: Some(&[1; 32].into()), ..honest() }, "another link secret");
    let mut bytes = bob.device.to_bytes();
    bytes[DeviceId::LEN + 40] ^= 1;
    let device = DeviceKeys::from_bytes(&bytes).unwrap();
    differs(Answering { device: &device, ..honest() }, "another identity key under the same name");

    use PeerMisbehaved::{Invitation, OtherManifest, Prekeys};
    refused(Answering { link_secret: None, ..honest() }, Invitation, "no link secret");
    refused(Answering { one_time: None, ..honest() }, Prekeys, "no pair");
    refused(Answering { last_resort: Some(&bob.last_resort.secret), ..honest() }, Prekeys, "pair and last resort");
    refused(
        Answering { one_time: None, last_resort: Some(&bob.last_resort.secret), ..honest() },
        Prekeys,
        "a last resort for a pair",
    );
    refused(Answering { one_time: Some(&bob.signed.secret), ..honest() }, Prekeys, "a signed prekey for a pair");
    refused(Answering { signed: &bob.one_time.secret, ..honest() }, Prekeys, "a pair for a signed prekey");
    let body = ManifestBody { sequence: 2, previous: Some(manifest_hash(&bob.manifest)), ..bob.manifest.body.clone() };
    refused(Answering { manifest: &bob.root.sign_manifest(body), ..honest() }, OtherManifest, "a newer manifest");
}

/// An address handshake must not consume an invitation's secret.
#[test]
fn a_link_secret_that_was_not_asked_for_is_refused() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let begun = begin(&alice, &bob, PrekeyKind::OneTimePair, &bob.link(LinkKind::Address));
    let invitation = bob.link(LinkKind::Invitation);
    let answering = answering(&bob, PrekeyKind::OneTimePair, Some(&invitation));
    assert_eq!(accept(&answering, &begun.handshake).err(), Some(PeerMisbehaved::Invitation));
}

/// Every secret that goes in changes what comes out; four agreements and three give different secrets too.
#[test]
fn every_secret_counts() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let mut secrets = Vec::new();
    for with in WITH {
        for kind in LINKS {
            let link = bob.link(kind);
            let to = bob.verified(&link, with);
            let invitation = (kind == LinkKind::Invitation).then_some(&link);
            for random in [[1; 64], [2; 64]] {
                let rng = &mut FixedRng(random.to_vec());
                let begun = derive_begun(rng, &alice.manifest, &alice.device, to.responder(), invitation).unwrap();
                let accepted = derive_accepted(&answering(&bob, with, Some(&link)), &begun.handshake).unwrap();
                assert_eq!(begun.secret.as_bytes(), accepted.secret.as_bytes());
                assert_eq!(begun.associated, accepted.associated);
                secrets.push(*begun.secret.as_bytes());
            }
        }
    }
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), 8);
}

/// The formula at the top of this file, written out with other code: raw agreements, `ml-kem`, and bytes in a row.
#[test]
fn the_secret_is_that_of_the_formula() {
    use ml_kem::kem::Decapsulate;
    use sha2::Digest;

    let (alice, bob) = (Person::alice(), Person::bob());
    let link = bob.link(LinkKind::Invitation);
    let to = bob.verified(&link, PrekeyKind::OneTimePair);
    let rng = &mut FixedRng([[3; 32], [4; 32]].concat());
    let Begun { handshake, secret, .. } =
        derive_begun(rng, &alice.manifest, &alice.device, to.responder(), Some(&link)).unwrap();

    // Stored secrets: a device is id ‖ signing seed ‖ agreement key, a prekey 21 bytes of head ‖ key.
    let [alice_device, bob_device] = [&alice, &bob].map(|person| person.device.to_bytes());
    let [signed, pair] = [&bob.signed, &bob.one_time].map(|pair| pair.secret.to_bytes());
    let key = |bytes: &[u8]| x25519_dalek::StaticSecret::from(<[u8; 32]>::try_from(bytes).unwrap());
    let agree = |private: &[u8], public: &[u8]| {
        let public = <[u8; 32]>::try_from(public).unwrap().into();
        key(private).diffie_hellman(&public).to_bytes()
    };
    let [alice_keys, bob_keys] = [alice.device.public(), bob.device.public()];
    let seed: [u8; 64] = pair[53..].try_into().unwrap();
    let ciphertext: [u8; 1_568] = handshake.ciphertext[..].try_into().unwrap();
    let kem = ml_kem::DecapsulationKey1024::from_seed(seed.into()).decapsulate(&ciphertext.into());
    let ikm = [
        [0xff; 32],
        agree(&signed[21..], alice_keys.agreement.as_bytes()),
        agree(&bob_device[48..], handshake.ephemeral.as_bytes()),
        agree(&signed[21..], handshake.ephemeral.as_bytes()),
        agree(&pair[21..53], handshake.ephemeral.as_bytes()),
        kem.into(),
        *link.secret.as_bytes(),
    ]
    .concat();
    assert_eq!(agree(&alice_device[48..], &bob.signed.public.body.key), ikm[32..64], "the initiator's own DH1");

    let transcript = [
        &[1][..],
        alice.root.public().as_bytes(),
        bob.root.public().as_bytes(),
        manifest_hash(&alice.manifest).as_bytes(),
        manifest_hash(&bob.manifest).as_bytes(),
        alice_keys.id.as_bytes(),
        alice_keys.signing.as_bytes(),
        alice_keys.agreement.as_bytes(),
        bob_keys.id.as_bytes(),
        bob_keys.signing.as_bytes(),
        bob_keys.agreement.as_bytes(),
        &[0],
        &bob.signed.public.body.id.0.to_be_bytes(),
        &[0, 0, 0, 32],
        &bob.signed.public.body.key,
        &[1],
        &bob.one_time.public.body.id.0.to_be_bytes(),
        &[0, 0, 0x06, 0x40],
        &bob.one_time.public.body.key,
        handshake.ephemeral.as_bytes(),
        &[0, 0, 0x06, 0x20],
        &handshake.ciphertext,
        &[1],
        link.bundle.as_bytes(),
    ]
    .concat();
    let info = [&b"sotto/1 pqxdh"[..], &sha2::Sha256::digest(&transcript)].concat();
    let mut expected = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(Some(&[0; 32]), &ikm).expand(&info, &mut expected).unwrap();
    assert_eq!(secret.as_bytes(), &expected);
}

/// Who verified nothing still cannot agree with a key of small order.
#[test]
fn unusable_keys_of_the_responder_begin_nothing() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let begin = |change: &dyn Fn(&mut Responder)| {
        let mut to = Responder {
            manifest: bob.manifest.clone(),
            device: bob.device.public(),
            signed: bob.signed.public.clone(),
            kem: bob.one_time.public.clone(),
        };
        change(&mut to);
        derive_begun(&mut rng(1), &alice.manifest, &alice.device, &to, None).err()
    };
    assert_eq!(begin(&|_| ()), None);
    let refused = Some(PeerMisbehaved::NonContributory);
    assert_eq!(begin(&|to| to.signed.body.key.fill(0)), refused, "signed prekey");
    assert_eq!(begin(&|to| to.device.agreement = [0; 32].into()), refused, "identity key");
    assert_eq!(begin(&|to| to.kem.body.key[..32].fill(0)), refused, "the pair's X25519 key");
    assert_eq!(begin(&|to| to.kem.body.key.truncate(1_599)), Some(PeerMisbehaved::Length), "a shorter ML-KEM key");
}

#[test]
fn a_prekey_that_verified_is_the_one_that_answers() {
    let bob = Person::bob();
    let (root, device) = (bob.root.public(), bob.device.public());
    assert_eq!(verify_prekey(&root, &device, &bob.signed.public, PrekeyKind::Signed, NOW), Ok(()));
    assert_eq!(bob.signed.secret.public()[..], bob.signed.public.body.key[..]);
}

#[test]
fn debug_prints_no_contents() {
    let bob = Person::bob();
    let debug = format!("{:?}", answering(&bob, PrekeyKind::OneTimePair, None));
    insta::assert_snapshot!(debug, @"Answering(..)");
}
