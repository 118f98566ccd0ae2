//! How fast sessions are, each figure beside the sum of its counted primitives, measured in the same run.
//!
//! `cargo bench -p sotto-crypto`. Rounds interleave all measurements, so that a busy machine slows figure and yardstick
//! alike; each number is the median over the rounds. Nothing is asserted: a table is printed and a person reads it.
//! `ceiling` is what the project asks for where one X25519 costs 40 µs; `scaled` is that, times what X25519 costs here.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench measures time")]

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use libcrux_ml_kem::{mlkem768, mlkem1024};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use sha2::{Digest, Sha256};
use sotto_crypto::{
    Answering, ChainId, DeviceKeys, Initiated, PACKET_OVERHEAD, Padding, PrekeySecret, Root, Session, SkippedChanges,
    SkippedKey, SkippedKeys, VerifiedBundle, accept, find, initiate, open_bundle, seal_main, seal_part,
};
use sotto_inner::{BundleMain, Link, LinkKind, LinkSecret, MailboxAddress, Manifest, ManifestBody, Prekey, PrekeyKind};
use sotto_outer::{Bundle, RelayAddress, Tls};
use x25519_dalek::{PublicKey, StaticSecret};

/// Rounds of which medians are taken, and how long one measurement of a round lasts at least.
const ROUNDS: usize = 101;
const SLICE: Duration = Duration::from_millis(2);
const NOW: u64 = 1_800_000_000;
/// Content that fills one packet of 1 KiB.
const CONTENT_BYTES: usize = 1_024 - PACKET_OVERHEAD;
/// What stands before a body, and what a body is bound to.
const SEALED_HEADER_BYTES: usize = 12 + HEADER_BYTES + 16;
const HEADER_BYTES: usize = 153;
const BOUND_BYTES: usize = 97 + SEALED_HEADER_BYTES;

type Work = Box<dyn FnMut()>;

/// One measurement: work, and how often it ran per call.
struct Measured {
    name: &'static str,
    work: Work,
    samples: Vec<f64>,
}

/// A figure, its primitives by name and count, and what is asked of it.
struct Figure {
    name: &'static str,
    primitives: Vec<(f64, &'static str)>,
    ceiling_micros: f64,
    /// Whether the ceiling is told for an X25519 of 40 µs.
    scales: bool,
}

fn main() {
    // `cargo test` builds and runs benches too; a word from `cargo bench` starts the measuring.
    let (flags, names): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    if !flags.iter().any(|flag| flag == "--bench") {
        return;
    }
    let mut measured = primitives();
    measured.extend(figures_work());
    // `cargo bench -p sotto-crypto -- running` measures what has that word in its name, and nothing else.
    measured.retain(|one| names.iter().all(|word| one.name.contains(word.as_str())));
    for _ in 0..ROUNDS {
        for one in &mut measured {
            one.sample();
        }
    }
    if names.is_empty() {
        print_table(&measured);
        print_sizes();
    } else {
        print_medians(&measured);
    }
}

impl Measured {
    fn new(name: &'static str, work: impl FnMut() + 'static) -> Self {
        Self { name, work: Box::new(work), samples: Vec::new() }
    }

    fn sample(&mut self) {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        while begun.elapsed() < SLICE {
            for _ in 0..8 {
                (self.work)();
            }
            calls += 8;
        }
        self.samples.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }

    /// Microseconds of one call.
    fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }
}

/// Overhead of a packet, and the longest stored state without skipped keys over a thousand turns.
fn print_sizes() {
    let (mut alice, mut bob) = acquainted();
    let mut longest = 0;
    for turn in 0..1_000_u32 {
        let (from, to) = if turn % 2 == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let packet = from.seal(b"turn");
        to.open(&packet);
        longest = longest.max(from.session.encode().len()).max(to.session.encode().len());
    }
    println!("\noverhead of a packet before padding: {PACKET_OVERHEAD} bytes (at most 208)");
    println!("longest state without skipped keys: {longest} bytes (at most 8192)");
}

fn print_medians(measured: &[Measured]) {
    for one in measured {
        println!("  {:<44}{:>9.3}", one.name, one.median());
    }
}

fn print_table(measured: &[Measured]) {
    let micros = |name: &str| measured.iter().find(|one| one.name == name).expect("a known name").median();
    println!("\nprimitive, µs");
    for one in measured.iter().filter(|one| figures().iter().all(|figure| figure.name != one.name)) {
        println!("  {:<44}{:>9.3}", one.name, one.median());
    }
    println!(
        "\n{:<46}{:>9}{:>12}{:>8}{:>10}{:>10}",
        "figure, µs", "measured", "primitives", "ratio", "ceiling", "scaled"
    );
    let scale = micros("X25519") / 40.0;
    for figure in figures() {
        let sum: f64 = figure.primitives.iter().map(|(count, name)| count * micros(name)).sum();
        let (is, scaled) = (micros(figure.name), figure.ceiling_micros * if figure.scales { scale } else { 1.0 });
        println!(
            "{:<46}{is:>9.2}{sum:>12.2}{:>8.2}{:>10.0}{scaled:>10.1}",
            figure.name,
            is / sum,
            figure.ceiling_micros
        );
    }
    println!("\ncounted primitives");
    for figure in figures() {
        let counted: Vec<_> = figure.primitives.iter().map(|(count, name)| format!("{count} × {name}")).collect();
        println!("  {}: {}", figure.name, counted.join(", "));
    }
}

/// What one packet needs on one side, beside Diffie-Hellman.
fn packet(count: f64) -> Vec<(f64, &'static str)> {
    vec![
        (2.0 * count, "HKDF-Expand, 64 bytes (chain step)"),
        (count, "HKDF, 32 bytes (mix)"),
        (count, "SHA-256, sealed header"),
        (count, "HKDF, 44 bytes (body key and nonce)"),
        (count / 2.0, "ChaCha20-Poly1305 seal, header"),
        (count / 2.0, "ChaCha20-Poly1305 open, header"),
        (count / 2.0, "ChaCha20-Poly1305 seal, body of 1 KiB"),
        (count / 2.0, "ChaCha20-Poly1305 open, body of 1 KiB"),
        (count / 2.0, "12 random bytes"),
    ]
}

fn figures() -> Vec<Figure> {
    let mut ping_pong = packet(4.0);
    ping_pong.extend([
        (4.0, "X25519"),
        (2.0, "X25519 base point"),
        (4.0, "HKDF, 128 bytes (root step)"),
        (2.0, "ChaCha20-Poly1305 refuse, header"),
    ]);
    let handshake = |x25519: f64, base: f64, kem| {
        vec![
            (x25519, "X25519"),
            (base, "X25519 base point"),
            (1.0, kem),
            (1.0, "SHA-256, 6 KiB (transcript, handshake)"),
        ]
    };
    let mut braided = packet(2.0);
    // In bursts of 25 an epoch takes about five bursts, each of which begins with a Diffie-Hellman step.
    braided.extend([
        (1.0 / 125.0, "ML-KEM-768 key pair"),
        (1.0 / 125.0, "ML-KEM-768 encapsulate"),
        (1.0 / 125.0, "ML-KEM-768 decapsulate"),
    ]);
    vec![
        Figure {
            name: "running chain: seal + open, full 1 KiB",
            primitives: packet(2.0),
            ceiling_micros: 15.0,
            scales: false,
        },
        Figure {
            name: "seal + open, full 1 KiB, mean over epochs",
            primitives: braided,
            ceiling_micros: 15.0,
            scales: true,
        },
        Figure {
            name: "ping-pong: 2 messages, 2 DH steps",
            primitives: ping_pong,
            ceiling_micros: 250.0,
            scales: true,
        },
        Figure {
            name: "1,000 lost, then one opened",
            primitives: vec![(2_002.0, "HKDF-Expand, 64 bytes (chain step)")],
            ceiling_micros: 2_000.0,
            scales: true,
        },
        Figure {
            name: "2,000 lost, then one opened",
            primitives: vec![(4_002.0, "HKDF-Expand, 64 bytes (chain step)")],
            ceiling_micros: 4_000.0,
            scales: true,
        },
        Figure {
            name: "PQXDH initiate, without signatures",
            primitives: handshake(5.0, 2.0, "ML-KEM-1024 encapsulate"),
            ceiling_micros: 350.0,
            scales: true,
        },
        Figure {
            name: "PQXDH accept, without signatures",
            primitives: handshake(4.0, 0.0, "ML-KEM-1024 decapsulate"),
            ceiling_micros: 350.0,
            scales: true,
        },
        Figure {
            name: "forged packet, full book of 6 sessions",
            primitives: vec![(42.0, "ChaCha20-Poly1305 refuse, header")],
            ceiling_micros: 60.0,
            scales: false,
        },
    ]
}

fn primitives() -> Vec<Measured> {
    let secret = StaticSecret::from([7; 32]);
    let public = PublicKey::from(&StaticSecret::from([9; 32]));
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let pair = mlkem1024::generate_key_pair([3; 64]);
    let (kem_private, kem_public) = pair.into_parts();
    let (ciphertext, _) = mlkem1024::encapsulate(&kem_public, [4; 32]);
    let (small_private, small_public) = mlkem768::generate_key_pair([3; 64]).into_parts();
    let (small_ciphertext, _) = mlkem768::encapsulate(&small_public, [4; 32]);
    let mut drawn = [0; 12];
    vec![
        Measured::new("X25519", {
            let secret = secret.clone();
            move || drop(black_box(secret.diffie_hellman(black_box(&public))))
        }),
        Measured::new("X25519 base point", move || {
            black_box(PublicKey::from(black_box(&secret)));
        }),
        Measured::new("ML-KEM-1024 encapsulate", move || {
            black_box(mlkem1024::encapsulate(black_box(&kem_public), [4; 32]));
        }),
        Measured::new("ML-KEM-1024 decapsulate", move || {
            black_box(mlkem1024::decapsulate(black_box(&kem_private), &ciphertext));
        }),
        Measured::new("SHA-256, sealed header", || {
            black_box(Sha256::digest(black_box([5; SEALED_HEADER_BYTES])));
        }),
        Measured::new("SHA-256, 6 KiB (transcript, handshake)", || {
            black_box(Sha256::digest(black_box([5; 6_144])));
        }),
        Measured::new("HKDF-Expand, 64 bytes (chain step)", || {
            let mut out = [0; 64];
            let prk = Hkdf::<Sha256>::from_prk(black_box(&[5; 32])).expect("32 bytes");
            prk.expand(b"sotto/1 chain step", &mut out).expect("64 bytes");
            black_box(out);
        }),
        Measured::new("HKDF, 32 bytes (mix)", || {
            let mut out = [0; 32];
            let hkdf = Hkdf::<Sha256>::new(Some(black_box(&[5; 32])), black_box(&[6; 32]));
            hkdf.expand(b"sotto/1 message key", &mut out).expect("32 bytes");
            black_box(out);
        }),
        Measured::new("ML-KEM-768 key pair", || {
            black_box(mlkem768::generate_key_pair(black_box([3; 64])));
        }),
        Measured::new("ML-KEM-768 encapsulate", move || {
            black_box(mlkem768::encapsulate(black_box(&small_public), [4; 32]));
        }),
        Measured::new("ML-KEM-768 decapsulate", move || {
            black_box(mlkem768::decapsulate(black_box(&small_private), &small_ciphertext));
        }),
        Measured::new("HKDF, 44 bytes (body key and nonce)", || {
            let mut out = [0; 44];
            let hkdf = Hkdf::<Sha256>::new(Some(black_box(&[5; 32])), black_box(&[6; 32]));
            hkdf.expand(b"sotto/1 body key", &mut out).expect("44 bytes");
            black_box(out);
        }),
        Measured::new("HKDF, 128 bytes (root step)", || {
            let mut out = [0; 128];
            let hkdf = Hkdf::<Sha256>::new(Some(black_box(&[5; 32])), black_box(&[6; 32]));
            hkdf.expand(b"sotto/1 root step", &mut out).expect("128 bytes");
            black_box(out);
        }),
        aead_seal("ChaCha20-Poly1305 seal, header", HEADER_BYTES, 0),
        aead_open("ChaCha20-Poly1305 open, header", HEADER_BYTES, 0, true),
        aead_open("ChaCha20-Poly1305 refuse, header", HEADER_BYTES, 0, false),
        aead_seal("ChaCha20-Poly1305 seal, body of 1 KiB", CONTENT_BYTES + 1, BOUND_BYTES),
        aead_open("ChaCha20-Poly1305 open, body of 1 KiB", CONTENT_BYTES + 1, BOUND_BYTES, true),
        Measured::new("12 random bytes", move || {
            rng.fill_bytes(&mut drawn);
            black_box(drawn);
        }),
    ]
}

fn aead_seal(name: &'static str, bytes: usize, associated: usize) -> Measured {
    let (mut buffer, associated) = (vec![1; bytes], vec![2; associated]);
    Measured::new(name, move || {
        let cipher = ChaCha20Poly1305::new(black_box(&[3; 32].into()));
        let tag = cipher.encrypt_inout_detached(&[4; 12].into(), &associated, buffer.as_mut_slice().into());
        black_box(tag.expect("short"));
    })
}

fn aead_open(name: &'static str, bytes: usize, associated: usize, authentic: bool) -> Measured {
    let associated = vec![2; associated];
    let mut sealed = vec![1; bytes];
    let cipher = ChaCha20Poly1305::new(&[3; 32].into());
    let tag = cipher.encrypt_inout_detached(&[4; 12].into(), &associated, sealed.as_mut_slice().into());
    let mut tag = tag.expect("short");
    tag[0] ^= u8::from(!authentic);
    let mut buffer = sealed.clone();
    Measured::new(name, move || {
        buffer.copy_from_slice(&sealed);
        let cipher = ChaCha20Poly1305::new(black_box(&[3; 32].into()));
        let opened = cipher.decrypt_inout_detached(&[4; 12].into(), &associated, buffer.as_mut_slice().into(), &tag);
        assert_eq!(black_box(opened).is_ok(), authentic);
    })
}

fn figures_work() -> Vec<Measured> {
    vec![
        running_chain(),
        mean_over_epochs(),
        ping_pong(),
        lost_before("1,000 lost, then one opened", 1_000),
        lost_before("2,000 lost, then one opened", 2_000),
        pqxdh_initiate(),
        pqxdh_accept(),
        forged_packet(),
    ]
}

fn running_chain() -> Measured {
    let (mut alice, mut bob) = acquainted();
    let content = [7; CONTENT_BYTES];
    Measured::new("running chain: seal + open, full 1 KiB", move || {
        let packet = alice.seal(&content);
        bob.open(&packet);
        // The end-to-end receipt, with which a window of 1,500 stays open; its copy is counted in.
        if alice.session.unreceipted() == 1_000 {
            alice.session = alice.session.receipted(alice.session.sealed());
        }
    })
}

/// Bursts of 25 each way, over many epochs: Diffie-Hellman steps and all of the Braid's work counted in.
fn mean_over_epochs() -> Measured {
    let (mut alice, mut bob) = acquainted();
    let content = [7; CONTENT_BYTES];
    let mut turn = 0_u32;
    Measured::new("seal + open, full 1 KiB, mean over epochs", move || {
        let (from, to) = if (turn / 25).is_multiple_of(2) { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let packet = from.seal(&content);
        to.open(&packet);
        turn += 1;
    })
}

/// One that arrives after those before it did not: the walk, and as many skipped keys of either ratchet.
fn lost_before(name: &'static str, lost: u32) -> Measured {
    let (mut alice, bob) = acquainted();
    for _ in 0..lost {
        alice.session = alice.session.receipted(u64::MAX);
        alice.seal(b"lost");
    }
    let came = alice.seal(b"came");
    Measured::new(name, move || {
        drop(black_box(bob.session.open(&came, NOW, &bob.rows)).expect("an honest packet"));
    })
}

fn ping_pong() -> Measured {
    let (mut alice, mut bob) = acquainted();
    let content = [7; CONTENT_BYTES];
    Measured::new("ping-pong: 2 messages, 2 DH steps", move || {
        let question = alice.seal(&content);
        bob.open(&question);
        let answer = bob.seal(&content);
        alice.open(&answer);
    })
}

fn pqxdh_initiate() -> Measured {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (link, bundle) = bob.invitation();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    Measured::new("PQXDH initiate, without signatures", move || {
        black_box(initiate(&mut rng, &alice.manifest, &alice.device, &bundle, &link)).expect("an honest bundle");
    })
}

fn pqxdh_accept() -> Measured {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (link, bundle) = bob.invitation();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let initiated = initiate(&mut rng, &alice.manifest, &alice.device, &bundle, &link).expect("an honest bundle");
    Measured::new("PQXDH accept, without signatures", move || {
        black_box(accept(&bob.answering(&link), &initiated.handshake)).expect("an honest handshake");
    })
}

fn forged_packet() -> Measured {
    let book: Vec<Session> = (0..6).map(|_| crowded()).collect();
    let mut forged = [0; 1_024];
    ChaCha20Rng::seed_from_u64(4).fill_bytes(&mut forged);
    Measured::new("forged packet, full book of 6 sessions", move || {
        assert_eq!(black_box(find(&book, black_box(&forged))), None);
    })
}

/// One side of a conversation.
struct Party {
    session: Session,
    rows: Rows,
    rng: ChaCha20Rng,
}

/// Rows of skipped keys.
#[derive(Default)]
struct Rows(BTreeMap<(ChainId, u32), SkippedKey>);

impl SkippedKeys for Rows {
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey> {
        self.0.get(&(chain, number)).map(|key| SkippedKey::from_bytes(&key.to_bytes()).expect("32 bytes"))
    }
}

impl Party {
    fn seal(&mut self, content: &[u8]) -> Vec<u8> {
        let staged = self.session.seal(&mut self.rng, content, Padding::Bucket).expect("an open window");
        let (session, _, packet) = staged.into_parts();
        self.session = session;
        packet
    }

    fn open(&mut self, packet: &[u8]) {
        let staged = self.session.open(packet, NOW, &self.rows).expect("an honest packet");
        let (session, SkippedChanges { put, .. }, opened) = staged.into_parts();
        self.rows.0.extend(put.into_iter().map(|(chain, number, key)| ((chain, number), key)));
        self.session = session;
        black_box(opened);
    }
}

/// Two sessions after a message each way.
fn acquainted() -> (Party, Party) {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (link, bundle) = bob.invitation();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let initiated = initiate(&mut rng, &alice.manifest, &alice.device, &bundle, &link).expect("an honest bundle");
    let Initiated { handshake, id: _, session } = initiated;
    let answering = accept(&bob.answering(&link), &handshake).expect("an honest handshake");
    let party = |session, seed| Party { session, rows: Rows::default(), rng: ChaCha20Rng::seed_from_u64(seed) };
    let (mut alice, mut bob) = (party(session, 5), party(answering, 6));
    let hello = alice.seal(b"hello");
    bob.open(&hello);
    let answer = bob.seal(b"hello too");
    alice.open(&answer);
    (alice, bob)
}

/// A session with all the header keys it may have: the current one, the next one, five old chains.
fn crowded() -> Session {
    let (mut alice, mut bob) = acquainted();
    for _ in 0..6 {
        alice.seal(b"lost");
        let packet = alice.seal(b"came");
        bob.open(&packet);
        let answer = bob.seal(b"answer");
        alice.open(&answer);
    }
    bob.session
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
