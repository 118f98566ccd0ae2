//! Each derivation and each layout alone.

use super::super::super::{
    body::{self, BodyKey},
    braid::Slot,
    chain_key::ChainKey,
    epoch_key::{EpochChainKey, EpochMessageKey, EpochRoot, EpochStart},
    header::{HEADER_BYTES, Header, Kind},
    header_key::HeaderKey,
    message_key::MessageKey,
    root_key::RootKey,
};
use super::*;
use crate::aead::{self, NONCE_BYTES, TAG_BYTES};

/// Distinct bytes, a secret's worth.
fn bytes<const N: usize>(first: u8) -> [u8; N] {
    core::array::from_fn(|index| first.wrapping_add(index as u8))
}

fn secret(first: u8) -> Secret32 {
    Secret32::copied(&bytes(first))
}

fn step(name: &str) -> Case {
    Case::default().text("step", name)
}

pub(super) fn accepted() -> Vec<Case> {
    let mut accepted = vec![start(), root_step(), epoch_start(), chains(), mix(), body_key()];
    accepted.extend((0..3).map(|index| chain_step(0x40 + index)));
    accepted.extend([0, 1, 0x0102_0304, u32::MAX - 1].map(epoch_step));
    accepted.extend(slots().iter().map(|(slot, case)| case().hex("slot", &slot.encode())));
    accepted.extend([sealed_header().0, sealed_body().0]);
    accepted
}

pub(super) fn refused() -> Vec<Case> {
    [refused_agreements(), refused_slots(), refused_headers(), refused_bodies()].into_iter().flatten().collect()
}

fn start() -> Case {
    let start = SessionSecret::new(secret(0x10)).split();
    step("start")
        .hex("secret", &bytes::<32>(0x10))
        .hex("root_key", start.root_key.as_bytes())
        .hex("initiator_header_key", start.initiator_header_key.as_bytes())
        .hex("responder_header_key", start.responder_header_key.as_bytes())
        .hex("braid_secret", start.braid.as_bytes())
}

fn root_step() -> Case {
    let (ours, theirs) =
        (PrivateKey::from_bytes(&bytes::<32>(0x20)).unwrap(), PrivateKey::from_bytes(&bytes::<32>(0x30)).unwrap());
    let shared = ours.agree(theirs.public()).unwrap();
    let next = RootKey::new(secret(0x10)).advance(&shared);
    step("root step")
        .hex("root_key", &bytes::<32>(0x10))
        .hex("ours", &bytes::<32>(0x20))
        .hex("theirs", theirs.public().as_bytes())
        .hex("agreed", shared.as_bytes())
        .hex("next_root_key", next.root_key.as_bytes())
        .hex("chain_key", next.chain_key.as_bytes())
        .hex("next_header_key", next.next_header_key.as_bytes())
        .hex("ephemeral_key", next.ephemeral_key.as_bytes())
}

fn chain_step(first: u8) -> Case {
    let (next, message_key) = ChainKey::new(secret(first)).advance();
    step("chain step")
        .hex("chain_key", &bytes::<32>(first))
        .hex("next_chain_key", next.as_bytes())
        .hex("message_key", message_key.as_bytes())
}

fn epoch_start() -> Case {
    epoch_chains(step("epoch start").hex("braid_secret", &bytes::<32>(0x50)), EpochStart::of_handshake(&secret(0x50)))
}

fn chains() -> Case {
    let case = step("chains").hex("epoch_root", &bytes::<32>(0x60)).hex("epoch_secret", &bytes::<32>(0x70));
    epoch_chains(case, EpochRoot::new(secret(0x60)).advance(&secret(0x70)))
}

fn epoch_chains(case: Case, start: EpochStart) -> Case {
    case.hex("next_epoch_root", start.root.as_bytes())
        .hex("initiator_chain_key", start.initiator.as_bytes())
        .hex("responder_chain_key", start.responder.as_bytes())
}

fn epoch_step(number: u32) -> Case {
    let (next, message_key) = EpochChainKey::new(secret(0x80)).advance(number);
    step("epoch step")
        .hex("chain_key", &bytes::<32>(0x80))
        .text("number", number)
        .hex("next_chain_key", next.as_bytes())
        .hex("epoch_message_key", &message_key.into_skipped().to_bytes())
}

fn mix() -> Case {
    let mixed = EpochMessageKey::new(secret(0x90)).mix(&MessageKey::new(secret(0xa0)));
    step("mix")
        .hex("epoch_message_key", &bytes::<32>(0x90))
        .hex("message_key", &bytes::<32>(0xa0))
        .hex("mixed", mixed.as_bytes())
}

fn body_key() -> Case {
    let body_key = BodyKey::derive(&bytes(0xb0), &bytes(0));
    let (key, nonce) = body_key.parts();
    step("body key")
        .hex("message_key", &bytes::<32>(0xb0))
        .hex("sealed_header", &bytes::<SEALED_HEADER_BYTES>(0))
        .hex("key", key)
        .hex("nonce", nonce)
}

/// A slot of every type, and its entry without the encoding.
fn slots() -> Vec<(Slot, impl Fn() -> Case)> {
    let slot = |(kind, index, some): (u8, u16, bool)| {
        let (epoch, counter, previous) = (0x0102_0304_u32, 0x0506_0708_u32, 0x090a_0b0c_u32);
        let chunk = if some { bytes::<96>(kind) } else { [0; 96] };
        let head = [&epoch.to_be_bytes()[..], &[kind], &index.to_be_bytes(), &counter.to_be_bytes()].concat();
        let whole = [&head[..], &previous.to_be_bytes(), &[0], &chunk].concat();
        let case = move || {
            let case = step("slot").text("epoch", epoch).text("type", kind).text("index", index);
            case.hex("chunk", &chunk).text("counter", counter).text("previous", previous)
        };
        (Slot::decode(&whole.try_into().unwrap()).unwrap(), case)
    };
    [(0, 0, false), (1, 0, true), (2, 11, true), (3, 12, true), (4, 0xfffe, true), (5, 1, true)].map(slot).into()
}

fn header() -> Header {
    let kind = Kind::Message { previous: 0x0102_0304, number: 0x0506_0708, slot: slots()[3].0 };
    Header { ratchet_key: bytes::<32>(0xc0).into(), kind }
}

fn sealed_header() -> (Case, [u8; SEALED_HEADER_BYTES]) {
    let mut sealed = [0; SEALED_HEADER_BYTES];
    let key = HeaderKey::new(secret(0xd0));
    header().seal(&key, &mut FixedRng(bytes::<12>(0xe0).into()), &mut sealed);
    let mut opened = sealed;
    assert!(key.opens(&mut opened));
    let case = step("header")
        .hex("header_key", key.as_bytes())
        .hex("nonce", &bytes::<12>(0xe0))
        .hex("header", &opened[NONCE_BYTES..][..HEADER_BYTES])
        .hex("sealed_header", &sealed);
    (case, sealed)
}

fn associated() -> AssociatedData {
    AssociatedData::new((&[1; 32].into(), &[2; 16].into()), (&[3; 32].into(), &[4; 16].into()))
}

fn sealed_body() -> (Case, Vec<u8>) {
    let content = b"bread and butter";
    let mut packet = sealed_header().1.to_vec();
    packet.resize(1_024, 0);
    body::seal(&bytes(0xb0), &associated(), content, &mut packet);
    let case = step("body")
        .hex("message_key", &bytes::<32>(0xb0))
        .hex("associated_data", associated().as_bytes())
        .hex("sealed_header", &packet[..SEALED_HEADER_BYTES])
        .hex("content", content)
        .text("packet_bytes", packet.len())
        .hex("body", &packet[SEALED_HEADER_BYTES..]);
    (case, packet[SEALED_HEADER_BYTES..].to_vec())
}

fn refused_agreements() -> Vec<Case> {
    let ours = PrivateKey::from_bytes(&bytes::<32>(0x20)).unwrap();
    let of = |low: u8, high: u8, between: u8| {
        let mut point = [between; 32];
        (point[0], point[31]) = (low, high);
        point
    };
    let points = [
        ("zero", of(0, 0, 0)),
        ("one", of(1, 0, 0)),
        ("minus one", of(0xec, 0x7f, 0xff)),
        ("the prime, a second spelling of zero", of(0xed, 0x7f, 0xff)),
        ("the base point in a second spelling", of(0xf6, 0x7f, 0xff)),
        ("the highest bit set", of(9, 0x80, 0)),
    ];
    let refuse = |(why, point): (&str, [u8; 32])| {
        let error = ours.agree(&point.into()).expect_err(why);
        Case::why(why).text("step", "root step").hex("ours", &bytes::<32>(0x20)).hex("theirs", &point).error(error)
    };
    points.map(refuse).into()
}

fn refused_slots() -> Vec<Case> {
    let [nothing, header, .., second_half] = &slots()[..] else { panic!("a slot of every type") };
    let mut refused = Vec::new();
    let mut refuse = |why: &str, slot: &Slot, index: usize, byte: u8| {
        let honest = slot.encode();
        let mut changed = honest;
        changed[index] = byte;
        assert!(Slot::decode(&changed).is_none(), "{why}");
        let case = Case::why(why).text("step", "slot").hex("slot", &honest).splice(&honest, &changed);
        refused.push(case.error(PeerMisbehaved::MalformedHeader));
    };
    refuse("an unknown type", &second_half.0, 4, 6);
    refuse("the largest type", &second_half.0, 4, 0xff);
    refuse("no chunk, with a chunk", &second_half.0, 4, 0);
    refuse("no chunk, with an index", &nothing.0, 6, 1);
    refuse("no chunk, and its last byte set", &nothing.0, 111, 1);
    refuse("a header of index 1", &header.0, 6, 1);
    refuse("a header of index 256", &header.0, 5, 1);
    refuse("the zero byte set", &second_half.0, 15, 1);
    let mut first = second_half.0.encode();
    first[..4].copy_from_slice(&[0, 0, 0, 1]);
    refuse("epoch 0", &Slot::decode(&first).unwrap(), 3, 0);
    refused
}

fn refused_headers() -> Vec<Case> {
    let honest = sealed_header().1;
    let refuse = |why: &str, key: u8, flipped: Option<usize>| {
        let mut changed = honest;
        if let Some(index) = flipped {
            changed[index] ^= 1;
        }
        assert!(!HeaderKey::new(secret(key)).opens(&mut changed), "{why}");
        let case = Case::why(why).text("step", "header").hex("header_key", &bytes::<32>(key));
        case.hex("sealed_header", &changed).error(OpenError::NotOurs)
    };
    vec![
        refuse("another header key", 0xd1, None),
        refuse("a bit of the nonce", 0xd0, Some(0)),
        refuse("a bit of the ratchet key", 0xd0, Some(NONCE_BYTES)),
        refuse("a bit of the chunk", 0xd0, Some(NONCE_BYTES + HEADER_BYTES - 1)),
        refuse("a bit of the tag", 0xd0, Some(SEALED_HEADER_BYTES - 1)),
    ]
}

fn refused_bodies() -> Vec<Case> {
    let (header, honest) = (sealed_header().1, sealed_body().1);
    let mut refused = Vec::new();
    let mut refuse = |why: &str, key: u8, associated: &AssociatedData, changed: &[u8]| {
        let error = body::open(&bytes(key), associated, &header, changed).expect_err(why);
        let case = Case::why(why).text("step", "body").hex("message_key", &bytes::<32>(key));
        let case = case.hex("associated_data", associated.as_bytes()).hex("sealed_header", &header);
        refused.push(case.hex("body", changed).error(error));
    };
    let flipped = |index: usize| {
        let mut changed = honest.clone();
        changed[index] ^= 1;
        changed
    };
    let swapped = AssociatedData::new((&[3; 32].into(), &[4; 16].into()), (&[1; 32].into(), &[2; 16].into()));
    refuse("another message key", 0xb1, &associated(), &honest);
    refuse("the two sides swapped", 0xb0, &swapped, &honest);
    refuse("a bit of the content", 0xb0, &associated(), &flipped(0));
    refuse("a bit of the padding", 0xb0, &associated(), &flipped(100));
    refuse("a bit of the tag", 0xb0, &associated(), &flipped(honest.len() - 1));
    refuse("a byte short", 0xb0, &associated(), &honest[1..]);
    refuse("shorter than a tag", 0xb0, &associated(), &honest[..15]);
    for (why, padded) in [
        ("authentic, and no padding mark", &[0; 40][..]),
        ("authentic, and another padding mark", &[1, 2, 3, 0x40, 0, 0]),
        ("authentic, and a byte behind the padding", &[1, 2, 3, 0x80, 0, 1]),
        ("authentic, and empty", &[]),
    ] {
        refuse(why, 0xb0, &associated(), &sealed(&header, padded));
    }
    refused
}

/// An authentic body of any bytes.
fn sealed(header: &[u8; SEALED_HEADER_BYTES], padded: &[u8]) -> Vec<u8> {
    let body_key = BodyKey::derive(&bytes(0xb0), header);
    let (key, nonce) = body_key.parts();
    let mut sealed = padded.to_vec();
    let tag: [u8; TAG_BYTES] = aead::seal_in_place(key, nonce, &body::bound(&associated(), header), &mut sealed);
    [sealed.as_slice(), &tag].concat()
}
