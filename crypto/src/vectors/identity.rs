//! Who someone is: safety numbers, manifests, prekeys, links.

use sotto_inner::{Device, Link, LinkKind, Manifest, ManifestBody, Prekey, PrekeyKind};
use sotto_outer::{RelayAddress, Tls, codec};

use super::{Case, Vectors};
use crate::{
    PeerMisbehaved, Root, SafetyNumber, manifest_hash,
    people::{EXPIRES, NOW, Person},
    safety_number, verify_manifest, verify_prekey,
};

#[test]
fn safety_numbers() {
    let (alice, bob, mallory) = (Person::alice(), Person::bob(), Person::mallory());
    let accepted = [(&alice, &bob), (&bob, &alice), (&alice, &mallory)].map(|(a, b)| {
        let (a, b) = (a.root.public(), b.root.public());
        Case::default().hex("a", a.as_bytes()).hex("b", b.as_bytes()).text("number", safety_number(&a, &b))
    });
    let number = safety_number(&alice.root.public(), &bob.root.public()).to_string();
    let refused = [
        ("59 digits", number[1..].to_owned()),
        ("61 digits", format!("{number}0")),
        ("a dash between the groups", number.replacen(' ', "-", 1)),
        ("a letter", number.replacen(|digit: char| digit.is_ascii_digit(), "x", 1)),
        ("nothing", String::new()),
    ]
    .map(|(why, text)| {
        assert!(text.parse::<SafetyNumber>().is_err(), "{why}");
        Case::why(why).text("number", text)
    });
    Vectors {
        about: "Safety number of two roots a and b, whichever comes first.",
        accepted: accepted.into(),
        refused: refused.into(),
    }
    .check("safety_number.json");
}

fn read_manifest(bytes: &[u8]) -> Result<Manifest, PeerMisbehaved> {
    let manifest = codec::decode(bytes, 4_096).map_err(|_| PeerMisbehaved::Malformed)?;
    verify_manifest(&manifest).map(|()| manifest)
}

#[test]
fn manifests() {
    let alice = Person::alice();
    let first = alice.manifest.clone();
    let mut devices = vec![alice.device.public(), Person::mallory().device.public()];
    devices.sort_by_key(|device| device.id);
    let root = alice.root.public();
    let second = ManifestBody { root, sequence: 2, previous: Some(manifest_hash(&first)), devices };
    let accepted = [first.clone(), alice.root.sign_manifest(second.clone())].map(|manifest| {
        let bytes = codec::encode(&manifest);
        assert_eq!(read_manifest(&bytes), Ok(manifest.clone()));
        Case::default()
            .hex("root_seed", &alice.root.to_bytes())
            .hex("manifest", &bytes)
            .hex("hash", manifest_hash(&manifest).as_bytes())
    });

    let honest = codec::encode(&first);
    let mut refused = Vec::new();
    let mut refuse = |why: &str, bytes: Vec<u8>| {
        let error = read_manifest(&bytes).expect_err(why);
        refused.push(Case::why(why).splice(&honest, &bytes).error(error));
    };
    let resigned = |change: &dyn Fn(&mut ManifestBody)| {
        let mut body = first.body.clone();
        change(&mut body);
        codec::encode(&alice.root.sign_manifest(body))
    };
    let other_root = Root::generate(&mut crate::people::rng(9)).public();
    let device = |id: u8| Device { id: [id; 16].into(), ..alice.device.public() };
    let changed = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = first.clone();
        change(&mut manifest);
        codec::encode(&manifest)
    };
    refuse("a bit of the signature", changed(&|manifest| manifest.signature = flipped(manifest.signature.as_bytes())));
    refuse("another root", changed(&|manifest| manifest.body.root = other_root));
    refuse("another device id", changed(&|manifest| manifest.body.devices[0].id = [0; 16].into()));
    refuse("signed: number 0", resigned(&|body| body.sequence = 0));
    refuse("signed: a second one without the hash of the first", resigned(&|body| body.sequence = 2));
    refuse("signed: a first one with a hash before it", resigned(&|body| body.previous = Some([0; 32].into())));
    refuse("signed: no device", resigned(&|body| body.devices.clear()));
    refuse("signed: nine devices", resigned(&|body| body.devices = (0..9).map(device).collect()));
    refuse("signed: devices out of order", resigned(&|body| body.devices = vec![device(1), device(0)]));
    refuse("signed: a device twice", resigned(&|body| body.devices = vec![device(1), device(1)]));
    refuse("signed: an agreement key of small order", resigned(&|body| body.devices[0].agreement = [0; 32].into()));
    refuse("a trailing byte", [&honest[..], &[0]].concat());
    refuse("a byte short", honest[..honest.len() - 1].to_vec());
    Vectors {
        about: "Device manifests in CBOR, the Ed25519 seed of the root that signs them, their SHA-256. A splice is \
                of the first.",
        accepted: accepted.into(),
        refused,
    }
    .check("manifest.json");
}

fn flipped(signature: &[u8; 64]) -> sotto_inner::Ed25519Signature {
    let mut signature = *signature;
    signature[0] ^= 1;
    signature.into()
}

#[test]
fn prekeys() {
    let (bob, mallory) = (Person::bob(), Person::mallory());
    let device = bob.device.public();
    let read = |bytes: &[u8], kind, now| {
        let prekey: Prekey = codec::decode(bytes, 4_096).map_err(|_| PeerMisbehaved::Malformed)?;
        verify_prekey(&bob.root.public(), &device, &prekey, kind, now)
    };
    let accepted = [&bob.signed, &bob.one_time, &bob.last_resort, &bob.seal].map(|pair| {
        let bytes = codec::encode(&pair.public);
        assert_eq!(read(&bytes, pair.secret.kind(), NOW), Ok(()));
        Case::default()
            .text("kind", format!("{:?}", pair.secret.kind()))
            .hex("root", bob.root.public().as_bytes())
            .hex("device_secret", &bob.device.to_bytes())
            .hex("device", &codec::encode(&device))
            .text("now", NOW)
            .hex("prekey_secret", &pair.secret.to_bytes())
            .hex("prekey", &bytes)
    });

    let honest = codec::encode(&bob.signed.public);
    let mut refused = Vec::new();
    let mut refuse = |why: &str, kind: PrekeyKind, now: u64, bytes: &[u8]| {
        let error = read(bytes, kind, now).expect_err(why);
        let case = Case::why(why).text("kind", format!("{kind:?}")).text("now", now);
        refused.push(case.splice(&honest, bytes).error(error));
    };
    let changed = |change: &dyn Fn(&mut Prekey)| {
        let mut prekey = bob.signed.public.clone();
        change(&mut prekey);
        codec::encode(&prekey)
    };
    refuse("expired", PrekeyKind::Signed, EXPIRES, &honest);
    refuse("asked for as another kind", PrekeyKind::LastResort, NOW, &honest);
    let mut changes: Vec<(&str, Vec<u8>)> = vec![
        ("another id", changed(&|prekey| prekey.body.id.0 ^= 1)),
        ("another creation", changed(&|prekey| prekey.body.created += 1)),
        ("another expiry", changed(&|prekey| prekey.body.expires += 1)),
        ("a bit of the key", changed(&|prekey| prekey.body.key[0] ^= 1)),
        ("a bit of the signature", changed(&|prekey| prekey.signature = flipped(prekey.signature.as_bytes()))),
        ("another device's", codec::encode(&mallory.signed.public)),
        ("a key of small order", changed(&|prekey| prekey.body.key.fill(0))),
        ("a key in a second spelling", changed(&|prekey| prekey.body.key[31] |= 0x80)),
        ("a key a byte short", changed(&|prekey| prekey.body.key.truncate(31))),
    ];
    changes.push(("a trailing byte", [&honest[..], &[0]].concat()));
    for (why, bytes) in &changes {
        refuse(why, PrekeyKind::Signed, NOW, bytes);
    }
    Vectors {
        about: "Prekeys in CBOR with their private halves and the device that signs them (id, Ed25519 seed, X25519 \
                key). A splice is of the first.",
        accepted: accepted.into(),
        refused,
    }
    .check("prekey.json");
}

#[test]
fn links() {
    let bob = Person::bob();
    let relay = |host, tls| RelayAddress::new(host, 4433, tls, [0x4e; 32].into()).unwrap();
    let accepted = [
        (LinkKind::Address, relay("relay.example", Tls::Own)),
        (LinkKind::Invitation, relay("::1", Tls::Off)),
        (LinkKind::Invitation, relay("192.0.2.7", Tls::Acme)),
    ]
    .map(|(kind, relay)| {
        let link = Link { relay, ..bob.link(kind) };
        let (text, uri) = (link.to_string(), link.to_sotto_uri());
        assert_eq!((text.parse(), uri.parse()), (Ok(link.clone()), Ok(link.clone())));
        Case::default()
            .text("kind", format!("{kind:?}"))
            .text("relay", &link.relay)
            .hex("root", link.root.as_bytes())
            .hex("bundle", link.bundle.as_bytes())
            .hex("secret", link.secret.as_bytes())
            .hex("encoded", &codec::encode(&link))
            .text("link", text)
            .text("uri", uri)
    });
    let text = bob.link(LinkKind::Address).to_string();
    let refused = [
        ("cut", text[..text.len() - 1].to_owned()),
        ("another relay before the fragment", text.replace("relay.example", "evil.example")),
        ("another port before the fragment", text.replace(":4433", ":4434")),
        ("without TLS before the fragment", text.replace("https", "http")),
        ("a character of ordinary base64", text.replacen("/i#", "/i#+", 1)),
        ("no fragment", text.split('#').next().unwrap().to_owned()),
        ("an empty fragment", "https://relay.example:4433/i#".to_owned()),
        ("another page", text.replace("/i#", "/j#")),
    ]
    .map(|(why, text)| {
        let error = text.parse::<Link>().expect_err(why);
        Case::why(why).text("link", text).error(error)
    });
    Vectors {
        about: "Links: their fields, their CBOR, both texts.",
        accepted: accepted.into(),
        refused: refused.into(),
    }
    .check("link.json");
}
