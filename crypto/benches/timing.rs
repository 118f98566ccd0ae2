//! Whether what must take equal time does: tags are compared and ciphertexts decapsulated without telling what was wrong.
//! `tools/timing`, or `cargo bench -p sotto-crypto --bench timing`.
//!
//! A comparison that stops at the first difference runs in the same harness, and must be caught: a check that finds nothing
//! anywhere would say nothing. The exit is nonzero where a verdict is not the expected one.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench measures time")]

#[path = "dudect/mod.rs"]
mod dudect;
#[path = "../../tests/src/fuzz/forge.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
mod forge;
#[path = "../../tests/src/fuzz/stored.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the fuzz targets, which use more of it")]
mod stored;

use std::{hint::black_box, process::ExitCode};

use dudect::{Verdict, head, measure};
use forge::{Forge, Header};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sotto_crypto::{
    Answering, DeviceKeys, NoSkippedKeys, Padding, PrekeySecret, Root, Session, VerifiedBundle, accept, initiate,
    open_bundle, seal_main, seal_part,
};
use sotto_inner::{
    BundleMain, Handshake, Link, LinkKind, LinkSecret, MailboxAddress, Manifest, ManifestBody, Prekey, PrekeyKind,
};
use sotto_outer::{Bundle, RelayAddress, Tls};
use stored::Stored;
use subtle::ConstantTimeEq;

const NOW: u64 = 1_800_000_000;
/// Comparisons in one measurement: one alone takes less than a look at the clock.
const COMPARISONS: usize = 64;
/// Different inputs of each class.
const POOL: usize = 64;
/// States of the Braid: one sends a header, one waits for it, one waits for the second half of a ciphertext.
const KEYS_SAMPLED: u8 = 1;
const NO_HEADER_RECEIVED: u8 = 5;
const EK_SENT_CT1_RECEIVED: u8 = 4;
/// Where a chunk begins in a header, and the tags in it: behind a header of the Braid, and behind the end of a ciphertext.
const CHUNK_AT: usize = 57;
const HEADER_TAG_AT: usize = CHUNK_AT + 64;
const CIPHERTEXT_TAG_AT: usize = CHUNK_AT + 32;
const TAG_BYTES: usize = 32;

type Tag = [u8; TAG_BYTES];

fn main() -> ExitCode {
    // `cargo test` builds and runs benches too; a word from `cargo bench` starts the measuring.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("{}", head());
    let mut as_expected = true;
    let mut expect = |name: &str, alike: bool, verdict: Verdict| {
        let wanted = verdict.is_alike() == alike;
        println!("{}{}", verdict.line(name), if wanted { "" } else { ", not as it must be" });
        as_expected &= wanted;
    };
    expect("must be caught: tags that stop at a difference, equal, other", false, compare(leaky));
    expect("tags, equal, other from the first byte on", true, compare(|one, other| one.ct_eq(other).into()));
    expect("packet with a header of the Braid, tag wrong at its begin, end", true, braid_header());
    expect("packet with a ciphertext of the Braid, right, damaged", true, braid_ciphertext());
    expect("accept, ciphertext right, damaged", true, handshake());
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Compares as nobody should.
fn leaky(one: &Tag, other: &Tag) -> bool {
    one.iter().zip(other).all(|(one, other)| black_box(one) == black_box(other))
}

fn compare(same: impl Fn(&Tag, &Tag) -> bool) -> Verdict {
    let expected = [7; TAG_BYTES];
    let draw = |rng: &mut ChaCha20Rng, second: bool| {
        let mut tag = [0; TAG_BYTES];
        rng.fill_bytes(&mut tag);
        if second { tag } else { expected }
    };
    let work = |tag: Tag| (0..COMPARISONS).filter(|_| same(black_box(&expected), black_box(&tag))).count();
    measure(1, 1_000_000, draw, work)
}

/// Header chunks at one who waits for one: none is right, and where it is wrong must not show.
fn braid_header() -> Verdict {
    let (sender, receiver) = until(Some(KEYS_SAMPLED), NO_HEADER_RECEIVED);
    let classes = pools(&sender, |rng, header, second| {
        let at = HEADER_TAG_AT + if second { TAG_BYTES - 1 } else { 0 };
        header[at] ^= 1 + (rng.next_u32() % 255) as u8;
    });
    refused(&receiver, &classes, 200_000)
}

/// Last chunks of a ciphertext: their tag is wrong in both classes, so that all that differs is whether it decapsulates.
fn braid_ciphertext() -> Verdict {
    let (sender, receiver) = until(None, EK_SENT_CT1_RECEIVED);
    let classes = pools(&sender, |rng, header, second| {
        header[CIPHERTEXT_TAG_AT] ^= 1 + (rng.next_u32() % 255) as u8;
        let mut damage = [0; 32];
        rng.fill_bytes(&mut damage);
        if second {
            header[CHUNK_AT..CIPHERTEXT_TAG_AT].copy_from_slice(&damage);
        }
    });
    refused(&receiver, &classes, 100_000)
}

/// Authentic packets, each of which breaks the Braid.
fn refused(receiver: &Session, classes: &[Vec<Vec<u8>>; 2], measurements: usize) -> Verdict {
    let mut packet = classes[0][0].clone();
    let draw = |rng: &mut ChaCha20Rng, second: bool| (usize::from(second), rng.next_u32() as usize % POOL);
    // Into one place, in the measured time: both classes are read from where they lie alike.
    measure(2, measurements, draw, |(class, which)| {
        packet.copy_from_slice(&classes[class][which]);
        let (session, _, opened) =
            receiver.open(&packet, NOW, &NoSkippedKeys).expect("an authentic packet").into_parts();
        assert!(opened.broke);
        session
    })
}

/// Packets of both classes: the sender's next one, its header changed.
fn pools(sender: &Session, change: impl Fn(&mut ChaCha20Rng, &mut Header, bool)) -> [Vec<Vec<u8>>; 2] {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut forge = Forge::default();
    forge.learn(&Stored::of(sender));
    let (after, _, honest) = sender.seal(&mut rng, b"well", Padding::Bucket).expect("an open window").into_parts();
    forge.learn(&Stored::of(&after));
    let header = forge.header(&honest).expect("its own packet");
    [false, true].map(|second| {
        let forged = (0..POOL).map(|_| {
            let (mut header, mut nonce) = (header, [0; 12]);
            change(&mut rng, &mut header, second);
            rng.fill_bytes(&mut nonce);
            forge.seal(&header, nonce, &[0x80; 800]).expect("a session that has sent")
        });
        forged.collect()
    })
}

/// One who seals, and one whose Braid is in a state in which the next packet ends it.
fn until(sends: Option<u8>, waits: u8) -> (Session, Session) {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (link, bundle) = bob.invitation();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let initiated = initiate(&mut rng, &alice.manifest, &alice.device, &bundle, &link).expect("an honest bundle");
    let answering = accept(&bob.answering(&link), &initiated.handshake).expect("an honest handshake");
    let (mut from, mut to) = (initiated.session, answering);
    let state = |session: &Session| Stored::of(session).braid.map(|braid| braid.state);
    loop {
        // Only within a turn: the first key of a sending chain is known to its session alone.
        let sealed = from.seal(&mut rng, b"well", Padding::Bucket).expect("an open window").into_parts();
        let (begun, _, packet) = sealed;
        from = begun;
        for delivered in [false, true] {
            if delivered {
                (to, _, _) = to.open(&packet, NOW, &NoSkippedKeys).expect("an honest packet").into_parts();
            }
            if state(&to) == Some(waits) && (sends.is_none() || state(&from) == sends) {
                return (from, to);
            }
        }
        (from, to) = (to, from);
    }
}

/// Handshakes as they were made, and with one byte of the ciphertext changed.
fn handshake() -> Verdict {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (link, bundle) = bob.invitation();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let made = |_| initiate(&mut rng, &alice.manifest, &alice.device, &bundle, &link).expect("an honest bundle");
    let honest: Vec<Handshake> = (0..POOL).map(made).map(|initiated| initiated.handshake).collect();
    let draw = |rng: &mut ChaCha20Rng, second: bool| {
        let mut handshake = honest[rng.next_u32() as usize % POOL].clone();
        let (at, value) = (rng.next_u32() as usize % handshake.ciphertext.len(), 1 + (rng.next_u32() % 255) as u8);
        handshake.ciphertext[at] ^= if second { value } else { 0 };
        handshake
    };
    let answering = bob.answering(&link);
    measure(5, 100_000, draw, |handshake| accept(&answering, &handshake).expect("any ciphertext has a secret"))
}

/// Someone with one device and what they offer.
struct Person {
    manifest: Manifest,
    device: DeviceKeys,
    signed: (PrekeySecret, Prekey),
    pair: (PrekeySecret, Prekey),
    seal: Prekey,
}

impl Person {
    fn new(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let (root, device) = (Root::generate(rng), DeviceKeys::generate(rng));
        let body = ManifestBody { root: root.public(), sequence: 1, previous: None, devices: vec![device.public()] };
        let mut prekey = |kind| PrekeySecret::generate(kind, rng, NOW, NOW + 86_400, &device, &root.public());
        let (signed, pair, seal) =
            (prekey(PrekeyKind::Signed), prekey(PrekeyKind::OneTimePair), prekey(PrekeyKind::Seal));
        Self { manifest: root.sign_manifest(body), device, signed, pair, seal: seal.1 }
    }

    /// A one-time invitation, and what its link opens.
    fn invitation(&self) -> (Link, VerifiedBundle) {
        let rng = &mut ChaCha20Rng::seed_from_u64(8);
        let relay = RelayAddress::new("relay.example", 4433, Tls::Own, [4; 32].into()).expect("a valid address");
        let link = Link {
            kind: LinkKind::Invitation,
            relay: relay.clone(),
            root: self.manifest.body.root,
            bundle: [5; 16].into(),
            secret: LinkSecret::from([6; 32]),
        };
        let main = BundleMain {
            manifest: self.manifest.clone(),
            device: self.device.id(),
            signed: self.signed.1.clone(),
            seal: self.seal.clone(),
            mailbox: MailboxAddress { relay, send_id: [7; 16].into(), capability: [8; 32].into() },
            name: "Bob".to_owned(),
        };
        let bundle = Bundle {
            main: seal_main(rng, &link.secret, &link.bundle, &main),
            pair: Some(seal_part(rng, &link.secret, &link.bundle, &self.pair.1)),
            last_resort: None,
        };
        let opened = open_bundle(&link, &bundle, NOW).expect("an honest bundle");
        (link, opened)
    }

    fn answering<'a>(&'a self, link: &'a Link) -> Answering<'a> {
        Answering {
            manifest: &self.manifest,
            device: &self.device,
            signed: &self.signed.0,
            one_time: Some(&self.pair.0),
            last_resort: None,
            link_secret: Some(&link.secret),
        }
    }
}
