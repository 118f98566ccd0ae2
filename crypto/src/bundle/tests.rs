//! What a relay may give for a link, honest or not.

use sotto_inner::{LinkKind, ManifestBody, limits::MANIFEST_DEVICES_MAX};
use sotto_outer::{Bundle, RelayAddress, Tls, limits::HOST_BYTES_MAX};

use super::*;
use crate::{
    PrekeySecret,
    people::{EXPIRES, NOW, Person, bundle_of, rng},
};

const PAIR: PrekeyKind = PrekeyKind::OneTimePair;

fn link(bob: &Person) -> Link {
    bob.link(LinkKind::Address)
}

fn error(link: &Link, bundle: &Bundle) -> Option<PeerMisbehaved> {
    open_bundle(link, bundle, NOW).err()
}

#[test]
fn an_honest_bundle_opens_with_either_key() {
    let bob = Person::bob();
    for kind in [LinkKind::Address, LinkKind::Invitation] {
        let link = bob.link(kind);
        for with in [PrekeyKind::OneTimePair, PrekeyKind::LastResort] {
            let bundle = bob.bundle(&link, with);
            assert_eq!(bundle.main.len(), BUNDLE_MAIN_BYTES);
            for part in bundle.pair.iter().chain(&bundle.last_resort) {
                assert_eq!(part.len(), BUNDLE_PART_BYTES);
            }
            let verified = open_bundle(&link, &bundle, NOW).unwrap();
            assert_eq!(verified.root(), &bob.root.public());
            assert_eq!(verified.manifest(), &bob.manifest);
            assert_eq!(verified.device(), bob.device.id());
            assert_eq!(verified.name(), "Bob");
            assert_eq!(verified.mailbox(), &bob.bundle_main().mailbox);
            assert_eq!(verified.seal(), &bob.seal.public);
            assert_eq!(verified.one_time().is_some(), with == PAIR);
        }
    }
}

#[test]
fn the_largest_honest_bundle_fits() {
    let bob = Person::bob();
    let mut main = bob.bundle_main();
    let device = bob.device.public();
    let devices = (0..MANIFEST_DEVICES_MAX).map(|id| Device { id: [id as u8; 16].into(), ..device.clone() });
    let body = ManifestBody {
        root: bob.root.public(),
        sequence: u64::MAX,
        previous: Some([1; 32].into()),
        devices: devices.collect(),
    };
    main.manifest = bob.root.sign_manifest(body);
    main.name = "n".repeat(NAME_BYTES_MAX);
    let host = "h".repeat(HOST_BYTES_MAX);
    main.mailbox.relay = RelayAddress::new(&host, u16::MAX, Tls::Off, [1; 32].into()).unwrap();
    for prekey in [&mut main.signed, &mut main.seal] {
        (prekey.body.id.0, prekey.body.created, prekey.body.expires) = (u32::MAX, u64::MAX, u64::MAX);
    }
    let link = link(&bob);
    assert_eq!(seal_main(&mut rng(1), &link.secret, &link.bundle, &main).len(), BUNDLE_MAIN_BYTES);
    for mut prekey in [bob.one_time.public, bob.last_resort.public] {
        (prekey.body.id.0, prekey.body.created, prekey.body.expires) = (u32::MAX, u64::MAX, u64::MAX);
        assert_eq!(seal_part(&mut rng(1), &link.secret, &link.bundle, &prekey).len(), BUNDLE_PART_BYTES);
    }
}

#[test]
fn a_bundle_of_another_link_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let bundle = bob.bundle(&link(&bob), PAIR);
    let mut other = link(&bob);
    other.secret = [1; 32].into();
    assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::Unopenable), "another secret");
    let mut other = link(&bob);
    other.bundle = [1; 16].into();
    assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::Unopenable), "another bundle id");
    let mut other = link(&bob);
    other.root = mallory.root.public();
    assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::OtherRoot), "another root");
}

#[test]
fn exactly_one_of_pair_and_last_resort_must_come() {
    let bob = Person::bob();
    let link = link(&bob);
    let (with_pair, with_last) = (bob.bundle(&link, PAIR), bob.bundle(&link, PrekeyKind::LastResort));
    let both = Bundle { last_resort: with_last.last_resort.clone(), ..with_pair.clone() };
    assert_eq!(error(&link, &both), Some(PeerMisbehaved::Prekeys), "both");
    let neither = Bundle { pair: None, ..with_pair.clone() };
    assert_eq!(error(&link, &neither), Some(PeerMisbehaved::Prekeys), "neither");
    let moved = Bundle { pair: None, last_resort: with_pair.pair.clone(), ..with_pair.clone() };
    assert_eq!(error(&link, &moved), Some(PeerMisbehaved::Unopenable), "a pair in the last resort's place");
    let moved = Bundle { pair: with_last.last_resort.clone(), last_resort: None, ..with_last };
    assert_eq!(error(&link, &moved), Some(PeerMisbehaved::Unopenable), "a last resort in a pair's place");
}

#[test]
fn a_part_changed_by_the_relay_is_refused() {
    let bob = Person::bob();
    let link = link(&bob);
    let honest = bob.bundle(&link, PAIR);
    let part = |bundle: &mut Bundle| bundle.pair.take().unwrap();
    for position in [0, NONCE_BYTES, 100, BUNDLE_PART_BYTES - TAG_BYTES, BUNDLE_PART_BYTES - 1] {
        for (main, bit) in [(true, 0x01), (false, 0x80)] {
            let mut bundle = honest.clone();
            let mut pair = part(&mut bundle);
            if main {
                bundle.main[position] ^= bit;
            } else {
                pair[position] ^= bit;
            }
            bundle.pair = Some(pair);
            assert_eq!(error(&link, &bundle), Some(PeerMisbehaved::Unopenable), "byte {position}");
        }
    }
    let mut shorter = honest.clone();
    shorter.main.pop();
    assert_eq!(error(&link, &shorter), Some(PeerMisbehaved::Length), "a byte short");
    let mut longer = honest.clone();
    longer.main.push(0);
    assert_eq!(error(&link, &longer), Some(PeerMisbehaved::Length), "a byte long");
    let mut empty = honest.clone();
    empty.pair = Some(Vec::new());
    assert_eq!(error(&link, &empty), Some(PeerMisbehaved::Length), "empty");
    let swapped = Bundle { main: honest.main.clone(), pair: Some(honest.main.clone()), last_resort: None };
    assert_eq!(error(&link, &swapped), Some(PeerMisbehaved::Length), "the main part in a pair's place");
}

#[test]
fn a_main_part_wrong_in_one_way_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let link = link(&bob);
    let refused = |change: &dyn Fn(&mut BundleMain), expected, why| {
        let mut main = bob.bundle_main();
        change(&mut main);
        assert_eq!(error(&link, &bundle_of(&link, &main, &bob.one_time.public)), Some(expected), "{why}");
    };
    let make = |kind, expires, signer: &Person| {
        PrekeySecret::generate(kind, &mut rng(7), NOW, expires, &signer.device, &bob.root.public()).1
    };
    use PeerMisbehaved::{Expired, Malformed, Manifest, OtherRoot, Signature, UnknownDevice};
    refused(&|main| main.manifest = mallory.manifest.clone(), OtherRoot, "another's manifest");
    refused(&|main| main.manifest.signature = mallory.manifest.signature, Signature, "a forged manifest");
    refused(&|main| main.manifest.body.devices.clear(), Manifest, "a manifest without devices");
    refused(&|main| main.device = mallory.device.id(), UnknownDevice, "a device of no one");
    refused(&|main| main.signed = make(PrekeyKind::Signed, EXPIRES, &mallory), Signature, "another's signed prekey");
    refused(&|main| main.seal = make(PrekeyKind::Seal, EXPIRES, &mallory), Signature, "another's seal key");
    refused(&|main| main.signed = make(PrekeyKind::Signed, NOW, &bob), Expired, "an expired signed prekey");
    refused(&|main| main.seal = make(PrekeyKind::Seal, NOW, &bob), Expired, "an expired seal key");
    let swapped = PeerMisbehaved::PrekeyKind;
    refused(&|main| main.signed.body.kind = PrekeyKind::Seal, swapped, "a seal key as signed prekey");
    refused(&|main| main.seal = bob.signed.public.clone(), swapped, "a signed prekey as seal key");
    refused(&|main| main.name = "n".repeat(NAME_BYTES_MAX + 1), Malformed, "a name over its bound");
}

#[test]
fn a_pair_wrong_in_one_way_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let link = link(&bob);
    let refused = |kem: &Prekey, expected, why| {
        assert_eq!(error(&link, &bundle_of(&link, &bob.bundle_main(), kem)), Some(expected), "{why}");
    };
    for kind in [PrekeyKind::OneTimePair, PrekeyKind::LastResort] {
        let make = |expires, signer: &Person| {
            PrekeySecret::generate(kind, &mut rng(7), NOW, expires, &signer.device, &bob.root.public()).1
        };
        refused(&make(EXPIRES, &mallory), PeerMisbehaved::Signature, "another's signature");
        refused(&make(NOW, &bob), PeerMisbehaved::Expired, "expired");
    }
}

/// Seals bytes as a part without padding them.
fn seal_raw(link: &Link, place: Place, padded: &[u8]) -> Vec<u8> {
    let nonce = [5; NONCE_BYTES];
    let mut buffer = padded.to_vec();
    let tag = seal_in_place(&part_key(&link.secret, &link.bundle, place), &nonce, &[], &mut buffer);
    [&nonce[..], &buffer, &tag].concat()
}

#[test]
fn an_authentic_part_with_other_padding_is_refused() {
    let bob = Person::bob();
    let link = link(&bob);
    let content = codec::encode(&bob.bundle_main());
    let padded = pad(&content, BUNDLE_MAIN_BYTES - NONCE_BYTES - TAG_BYTES).unwrap();
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut padded = padded.to_vec();
        change(&mut padded);
        let main = seal_raw(&link, Place::Main, &padded);
        error(&link, &Bundle { main, ..bob.bundle(&link, PAIR) })
    };
    let last = padded.len() - 1;
    assert_eq!(opened(&|_| ()), None, "as it should be");
    assert_eq!(opened(&|padded| padded[last] = 1), Some(PeerMisbehaved::Padding), "a byte that is not zero");
    assert_eq!(opened(&|padded| padded[content.len()] = 0x81), Some(PeerMisbehaved::Padding), "another marker");
    assert_eq!(opened(&|padded| padded[content.len() + 1] = 0x80), Some(PeerMisbehaved::Malformed), "a second marker");
    assert_eq!(opened(&|padded| padded.fill(0)), Some(PeerMisbehaved::Padding), "nothing but zeros");
    assert_eq!(opened(&|padded| padded[0] = 0xff), Some(PeerMisbehaved::Malformed), "no CBOR");
}

#[test]
fn an_honest_repair_bundle_verifies() {
    let bob = Person::bob();
    let verified = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
    assert_eq!(verified.tag(), &bob.repair_bundle().tag);
    assert_eq!(verified.seal(), &bob.seal.public);
}

#[test]
fn a_repair_bundle_wrong_in_one_way_is_refused() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let refused = |change: &dyn Fn(&mut RepairBundle), expected, why| {
        let mut bundle = bob.repair_bundle();
        change(&mut bundle);
        let error = verify_repair_bundle(&bob.manifest, bob.device.id(), &bundle, NOW).err();
        assert_eq!(error, Some(expected), "{why}");
    };
    use PeerMisbehaved::{PrekeyKind as Kind, Signature};
    refused(&|bundle| bundle.signed = mallory.signed.public.clone(), Signature, "another's signed prekey");
    refused(&|bundle| bundle.last_resort = mallory.last_resort.public.clone(), Signature, "another's last resort");
    refused(&|bundle| bundle.seal = mallory.seal.public.clone(), Signature, "another's seal key");
    refused(&|bundle| bundle.last_resort = bob.one_time.public.clone(), Kind, "a pair as last resort");
    refused(&|bundle| bundle.signed = bob.seal.public.clone(), Kind, "a seal key as signed prekey");
    let verify = |device, now| verify_repair_bundle(&bob.manifest, device, &bob.repair_bundle(), now).err();
    assert_eq!(verify(mallory.device.id(), NOW), Some(PeerMisbehaved::UnknownDevice));
    assert_eq!(verify(bob.device.id(), EXPIRES), Some(PeerMisbehaved::Expired));
}

#[test]
fn debug_prints_no_contents() {
    let bob = Person::bob();
    insta::assert_snapshot!(format!("{:?}", bob.verified(&link(&bob), PAIR)), @"VerifiedBundle(..)");
    let repair = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
    insta::assert_snapshot!(format!("{repair:?}"), @"VerifiedRepair(..)");
}
