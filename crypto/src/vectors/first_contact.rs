//! From a link to the first packet: bundles, PQXDH, sealed first messages.

use sotto_inner::{FirstMessage, Handshake, Link, LinkKind, PrekeyKind};
use sotto_outer::{Bundle, codec};

use super::{Case, Vectors};
use crate::{
    Answering, PeerMisbehaved, VerifiedBundle, check_handshake, handshake_id, manifest_hash, open_bundle, open_first,
    open_repair,
    people::{FixedRng, NOW, Person},
    pqxdh::{derive_accepted, derive_begun},
    seal_first, seal_main, seal_part, seal_repair,
};

/// Distinct bytes in place of chance.
fn random(len: usize, first: u8) -> Vec<u8> {
    (0..len).map(|index| first.wrapping_add(index as u8)).collect()
}

#[test]
fn bundles() {
    let bob = Person::bob();
    let link = bob.link(LinkKind::Invitation);
    let (main, part) = (bob.bundle_main(), &bob.one_time.public);
    let seal_all = |link: &Link| Bundle {
        main: seal_main(&mut FixedRng(random(12, 1)), &link.secret, &link.bundle, &main),
        pair: Some(seal_part(&mut FixedRng(random(12, 2)), &link.secret, &link.bundle, part)),
        last_resort: None,
    };
    let sealed = seal_all(&link);
    open_bundle(&link, &sealed, NOW).unwrap();
    let pair = sealed.pair.clone().unwrap();
    let last = seal_part(&mut FixedRng(random(12, 3)), &link.secret, &link.bundle, &bob.last_resort.public);
    let with_last = Bundle { pair: None, last_resort: Some(last.clone()), ..sealed.clone() };
    open_bundle(&link, &with_last, NOW).unwrap();
    let given = |place: &str, random: &[u8], plain: &[u8], sealed: &[u8]| {
        Case::default()
            .text("place", place)
            .text("link", &link)
            .text("now", NOW)
            .hex("random", random)
            .hex("plain", plain)
            .hex("sealed", sealed)
    };
    let accepted = vec![
        given("main", &random(12, 1), &codec::encode(&main), &sealed.main),
        given("one-time pair", &random(12, 2), &codec::encode(part), &pair),
        given("last resort", &random(12, 3), &codec::encode(&bob.last_resort.public), &last),
    ];

    let mut refused = Vec::new();
    let mut refuse_main = |why: &str, main: Vec<u8>| {
        let error = open_bundle(&link, &Bundle { main: main.clone(), ..sealed.clone() }, NOW).expect_err(why);
        refused.push(Case::why(why).text("place", "main").splice(&sealed.main, &main).error(error));
    };
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    refuse_main("a bit of the nonce", flipped(&sealed.main, 0));
    refuse_main("a bit of the ciphertext", flipped(&sealed.main, 100));
    refuse_main("a bit of the padding", flipped(&sealed.main, 3_000));
    refuse_main("a bit of the tag", flipped(&sealed.main, 3_071));
    refuse_main("a byte short", sealed.main[..3_071].to_vec());
    refuse_main("a byte long", [&sealed.main[..], &[0]].concat());
    let mut refuse_pair = |why: &str, changed: Vec<u8>| {
        let error = open_bundle(&link, &Bundle { pair: Some(changed.clone()), ..sealed.clone() }, NOW).expect_err(why);
        refused.push(Case::why(why).text("place", "one-time pair").splice(&pair, &changed).error(error));
    };
    refuse_pair("a bit of the nonce", flipped(&pair, 0));
    refuse_pair("a bit of the tag", flipped(&pair, 2_047));
    refuse_pair("empty", Vec::new());
    let mut refuse_link = |why: &str, change: &dyn Fn(&mut Link)| {
        let mut link = link.clone();
        change(&mut link);
        let error = open_bundle(&link, &sealed, NOW).expect_err(why);
        refused.push(Case::why(why).text("link", link).error(error));
    };
    refuse_link("another link secret", &|link| link.secret = [0; 32].into());
    refuse_link("another bundle id", &|link| link.bundle = [0; 16].into());
    refuse_link("another root", &|link| link.root = Person::mallory().root.public());
    let both = Bundle { last_resort: Some(last), ..sealed.clone() };
    let neither = Bundle { pair: None, ..sealed.clone() };
    let moved = Bundle { pair: None, last_resort: Some(pair.clone()), ..sealed.clone() };
    for (why, bundle) in [
        ("pair and last resort", both),
        ("neither pair nor last resort", neither),
        ("the pair in the last resort's place", moved),
    ] {
        refused.push(Case::why(why).error(open_bundle(&link, &bundle, NOW).expect_err(why)));
    }
    Vectors {
        about: "Bundle parts sealed under a link's secret with given randomness. They open together: the main part \
                with either of the others. A splice is of the part it names.",
        accepted,
        refused,
    }
    .check("bundle.json");
}

/// What Bob holds for such a handshake.
fn answering<'a>(bob: &'a Person, with: PrekeyKind, link: &'a Link) -> Answering<'a> {
    Answering {
        manifest: &bob.manifest,
        device: &bob.device,
        signed: &bob.signed.secret,
        one_time: (with == PrekeyKind::OneTimePair).then_some(&bob.one_time.secret),
        last_resort: (with == PrekeyKind::LastResort).then_some(&bob.last_resort.secret),
        link_secret: (link.kind == LinkKind::Invitation).then_some(&link.secret),
    }
}

/// Alice's handshake from 64 given bytes, and the secret.
fn begin(alice: &Person, to: &VerifiedBundle, link: &Link) -> (Handshake, [u8; 32]) {
    let rng = &mut FixedRng(random(64, 0x40));
    let invitation = (link.kind == LinkKind::Invitation).then_some(link);
    let begun = derive_begun(rng, &alice.manifest, &alice.device, to.responder(), invitation).unwrap();
    (begun.handshake, *begun.secret.as_bytes())
}

#[test]
fn handshakes() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let mut accepted = vec![
        Case::default()
            .hex("initiator_device_secret", &alice.device.to_bytes())
            .hex("initiator_manifest", &codec::encode(&alice.manifest))
            .hex("responder_device_secret", &bob.device.to_bytes())
            .hex("responder_manifest", &codec::encode(&bob.manifest))
            .hex("signed_secret", &bob.signed.secret.to_bytes())
            .hex("one_time_secret", &bob.one_time.secret.to_bytes())
            .hex("last_resort_secret", &bob.last_resort.secret.to_bytes())
            .hex("link_secret", bob.link(LinkKind::Invitation).secret.as_bytes())
            .hex("random", &random(64, 0x40)),
    ];
    for with in [PrekeyKind::OneTimePair, PrekeyKind::LastResort] {
        for kind in [LinkKind::Address, LinkKind::Invitation] {
            let link = bob.link(kind);
            let (handshake, secret) = begin(&alice, &bob.verified(&link, with), &link);
            check_handshake(&handshake).unwrap();
            let derived = derive_accepted(&answering(&bob, with, &link), &handshake).unwrap();
            assert_eq!(derived.secret.as_bytes(), &secret);
            accepted.push(
                Case::default()
                    .text("with", format!("{with:?}"))
                    .text("link", format!("{kind:?}"))
                    .hex("handshake", &codec::encode(&handshake))
                    .hex("id", handshake_id(&handshake).as_bytes())
                    .hex("secret", &secret),
            );
        }
    }

    let link = bob.link(LinkKind::Address);
    let (honest, secret) = begin(&alice, &bob.verified(&link, PrekeyKind::OneTimePair), &link);
    let bytes = codec::encode(&honest);
    let read = |bytes: &[u8]| {
        let handshake: Handshake = codec::decode(bytes, 8_192).map_err(|_| PeerMisbehaved::Malformed)?;
        check_handshake(&handshake)?;
        let derived = derive_accepted(&answering(&bob, PrekeyKind::OneTimePair, &link), &handshake)?;
        Ok::<_, PeerMisbehaved>(*derived.secret.as_bytes())
    };
    assert_eq!(read(&bytes), Ok(secret));
    let mut refused = Vec::new();
    let mut refuse = |why: &str, change: &dyn Fn(&mut Handshake)| {
        let mut handshake = honest.clone();
        change(&mut handshake);
        let changed = codec::encode(&handshake);
        let case = Case::why(why).splice(&bytes, &changed);
        refused.push(match read(&changed) {
            Err(error) => case.error(error),
            Ok(other) => {
                assert_ne!(other, secret, "{why}");
                case.hex("other_secret", &other)
            }
        });
    };
    refuse("another version", &|handshake| handshake.version = 0);
    refuse("a device of no one", &|handshake| handshake.device = [0; 16].into());
    refuse("a forged manifest", &|handshake| handshake.manifest.body.root = bob.root.public());
    refuse("another's manifest", &|handshake| {
        (handshake.manifest, handshake.device) = (bob.manifest.clone(), bob.device.id());
    });
    refuse("another manifest of the responder", &|handshake| {
        handshake.responder_manifest = manifest_hash(&alice.manifest);
    });
    refuse("another device of the responder", &|handshake| handshake.responder_device = [0; 16].into());
    refuse("another signed prekey", &|handshake| handshake.signed.0 ^= 1);
    refuse("another pair", &|handshake| handshake.one_time = Some(handshake.signed));
    refuse("pair and last resort", &|handshake| handshake.last_resort = handshake.one_time);
    refuse("neither pair nor last resort", &|handshake| handshake.one_time = None);
    refuse("another ephemeral key", &|handshake| handshake.ephemeral = *alice.device.agreement().public());
    refuse("an ephemeral key of small order", &|handshake| handshake.ephemeral = [0; 32].into());
    refuse("an ephemeral key in a second spelling", &|handshake| handshake.ephemeral = [0xff; 32].into());
    refuse("a bit of the ciphertext", &|handshake| handshake.ciphertext[0] ^= 1);
    refuse("a ciphertext a byte short", &|handshake| handshake.ciphertext.truncate(1_567));
    refuse("an invitation that is none", &|handshake| handshake.invitation = Some(link.bundle));
    Vectors {
        about: "PQXDH. The first entry is what all share: secrets as they are stored, 64 bytes of randomness \
                (ephemeral key, encapsulation). A splice is of the handshake with pair and address; it is refused \
                or gives another secret.",
        accepted,
        refused,
    }
    .check("pqxdh.json");
}

#[test]
fn first_messages() {
    let (alice, bob) = (Person::alice(), Person::bob());
    let link = bob.link(LinkKind::Address);
    let (handshake, _) = begin(&alice, &bob.verified(&link, PrekeyKind::OneTimePair), &link);
    let message = FirstMessage { handshake, packet: random(300, 0).into() };
    let tag = bob.repair_bundle().tag;
    let (seal, secret) = (&bob.seal.public, &bob.seal.secret);
    let first = seal_first(&mut FixedRng(random(64, 0x40)), seal, &message).unwrap();
    let repair = seal_repair(&mut FixedRng(random(64, 0x80)), seal, &tag, &message).unwrap();
    assert_eq!(open_first(secret, &first), Ok(message.clone()));
    assert_eq!(open_repair(secret, &repair), Ok(message.clone()));
    let accepted = vec![
        Case::default().hex("seal_secret", &secret.to_bytes()).hex("message", &codec::encode(&message)),
        Case::default().text("sealed", "first message").hex("random", &random(64, 0x40)).hex("envelope", &first),
        Case::default()
            .text("sealed", "repair")
            .hex("random", &random(64, 0x80))
            .hex("tag", tag.as_bytes())
            .hex("envelope", &repair),
    ];

    let mut refused = Vec::new();
    let mut refuse = |why: &str, opens: &str, honest: &[u8], changed: &[u8]| {
        let opened = if opens == "repair" { open_repair(secret, changed) } else { open_first(secret, changed) };
        let case = Case::why(why).text("sealed", opens);
        refused.push(case.splice(honest, changed).error(opened.expect_err(why)));
    };
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (opens, envelope, enc) in [("first message", &first, 4), ("repair", &repair, 16)] {
        refuse("a bit in front", opens, envelope, &flipped(envelope, 0));
        refuse("a bit of the ML-KEM ciphertext", opens, envelope, &flipped(envelope, enc));
        refuse("a bit of the X25519 key", opens, envelope, &flipped(envelope, enc + 1_088));
        refuse("a bit of the ciphertext", opens, envelope, &flipped(envelope, enc + 1_120));
        refuse("a bit of the padding", opens, envelope, &flipped(envelope, 4_000));
        refuse("a bit of the tag", opens, envelope, &flipped(envelope, 4_095));
        refuse("a byte short", opens, envelope, &envelope[..4_095]);
        refuse("a byte long", opens, envelope, &[&envelope[..], &[0]].concat());
        refuse("empty", opens, envelope, &[]);
    }
    Vectors {
        about: "First messages and repair handshakes, sealed to one seal key with given randomness. The first \
                entry is what both share. A splice is of the envelope it names.",
        accepted,
        refused,
    }
    .check("first_message.json");
}
