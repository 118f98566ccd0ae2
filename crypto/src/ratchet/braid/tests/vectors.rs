//! `spec/vectors/braid.json`: its derivations, two Braids that talk, and two that meet a liar.

use super::{
    super::{
        authenticator::{Authenticator, TAG_BYTES},
        erasure::{CHUNK_BYTES, Chunk},
        offering::VECTOR_CHUNKS,
    },
    *,
};
use crate::{
    mlkem768::{HEADER_BYTES, Header, KeySeed, VECTOR_BYTES, Vector},
    vectors::{Case, Recorder, Vectors},
};

const ALICE: usize = 0;
const BOB: usize = 1;
const NAMES: [&str; 2] = ["alice", "bob"];

/// Distinct bytes.
fn bytes<const N: usize>(first: u8) -> [u8; N] {
    core::array::from_fn(|index| first.wrapping_add(index as u8))
}

fn secret(first: u8) -> Secret32 {
    Secret32::copied(&bytes(first))
}

#[test]
fn the_braid() {
    let mut talk = Talk::default();
    two_epochs(&mut talk);
    an_invalid_key(&mut talk);
    another_first_half(&mut talk);
    let mut accepted = steps();
    accepted.extend(talk.written);
    Vectors { about: ABOUT, accepted, refused: talk.refused }.check("braid.json");
}

fn steps() -> Vec<Case> {
    let step = |name: &str| Case::default().text("step", name);
    let of = |case: Case, authenticator: &Authenticator| {
        case.hex("root", authenticator.root.as_bytes()).hex("mac_key", authenticator.mac_key.as_bytes())
    };
    let start = Authenticator::start(&secret(0x10));
    let mut steps = vec![of(step("authenticator start").hex("braid_secret", &bytes::<32>(0x10)), &start)];
    for epoch in [1, 2, 0x0102_0304].map(Epoch) {
        let update = step("authenticator update").text("epoch", epoch.0);
        let update = update.hex("from_root", start.root.as_bytes()).hex("epoch_secret", &bytes::<32>(0x20));
        steps.push(of(update, &start.update(epoch, &secret(0x20))));
        let shared = step("epoch secret").text("epoch", epoch.0).hex("kem_secret", &bytes::<32>(0x30));
        steps.push(shared.hex("epoch_secret", epoch_secret(epoch, &secret(0x30)).as_bytes()));
        let header = step("header tag").text("epoch", epoch.0).hex("mac_key", start.mac_key.as_bytes());
        let tag = start.header_tag(epoch, &bytes(0x40));
        steps.push(header.hex("header", &bytes::<HEADER_BYTES>(0x40)).hex("tag", &tag));
        let ciphertext = step("ciphertext tag").text("epoch", epoch.0).hex("mac_key", start.mac_key.as_bytes());
        let tag = start.ciphertext_tag(epoch, &bytes(0x50), &bytes(0x60));
        steps.push(ciphertext.hex("ct1", &bytes::<960>(0x50)).hex("ct2", &bytes::<128>(0x60)).hex("tag", &tag));
    }
    steps
}

/// Braids that talk, and what has been written of them.
#[derive(Default)]
struct Talk {
    braids: Vec<Braid>,
    rng: Option<Recorder>,
    messages: Vec<Message>,
    written: Vec<Case>,
    refused: Vec<Case>,
}

impl Talk {
    fn begin(&mut self, first: u8) {
        let secret = secret(first);
        self.braids = vec![Braid::initiator(&secret), Braid::responder(&secret)];
        self.rng = Some(Recorder::new(u64::from(first)));
        self.written.push(Case::default().text("step", "begin").hex("braid_secret", secret.as_bytes()));
    }

    /// The number of the message.
    fn send(&mut self, by: usize) -> usize {
        let rng = self.rng.as_mut().expect("it has begun");
        let (braid, message, known) = self.braids[by].duplicate().send(rng);
        let random = rng.drawn();
        self.braids[by] = braid;
        self.messages.push(message);
        let number = self.messages.len() - 1;
        let case = self.action("send", by).text("message", number).hex("random", &random);
        self.write(told(case, &message), by, known);
        number
    }

    fn receive(&mut self, by: usize, number: usize) {
        let (braid, known) = self.braids[by].duplicate().receive(&self.messages[number]).unwrap();
        self.braids[by] = braid;
        let case = self.action("receive", by).text("message", number);
        self.write(case, by, known);
    }

    /// What no Braid here sent.
    fn receive_forged(&mut self, by: usize, message: &Message) {
        let (braid, known) = self.braids[by].duplicate().receive(message).unwrap();
        self.braids[by] = braid;
        let case = told(self.action("receive", by), message);
        self.write(case, by, known);
    }

    fn refuse(&mut self, why: &str, by: usize, message: &Message) {
        let failure = self.braids[by].duplicate().receive(message).map(drop).expect_err(why);
        let case = Case::why(why).text("after", self.begun()).text("by", NAMES[by]);
        self.refused.push(told(case, message).error(failure));
    }

    fn refuses(&self, by: usize, message: &Message) -> bool {
        self.braids[by].duplicate().receive(message).is_err()
    }

    fn action(&self, step: &str, by: usize) -> Case {
        Case::default().text("step", step).text("by", NAMES[by])
    }

    fn write(&mut self, case: Case, by: usize, known: Option<EpochSecret>) {
        let case = case.text("braid", format!("{:?}", self.braids[by]));
        self.written.push(match known {
            Some(known) => case.hex("epoch_secret", known.secret.as_bytes()),
            None => case,
        });
    }

    /// The number of the last entry, from the first `begin`.
    fn begun(&self) -> usize {
        self.written.len() - 1
    }
}

/// Writes out a message as its slot has it.
fn told(case: Case, message: &Message) -> Case {
    let slot = Slot { message: *message, number: 0, previous: 0 }.encode();
    let index = u16::from_be_bytes([slot[5], slot[6]]);
    case.text("epoch", message.epoch.0).text("type", slot[4]).text("index", index).hex("chunk", &slot[16..])
}

/// Alice says three things while Bob says one, and some of it is lost, late or doubled.
fn two_epochs(talk: &mut Talk) {
    talk.begin(0x70);
    let (mut seen, mut lies, mut turn) = (std::collections::BTreeSet::new(), Lies::default(), 0);
    while talk.braids.iter().any(|braid| braid.epoch() < Epoch(3)) {
        for (by, reader, times) in [(ALICE, BOB, 3), (BOB, ALICE, 1)] {
            for _ in 0..times {
                let number = talk.send(by);
                seen.insert(name(&talk.braids[by]));
                lies.tell(talk, reader, number);
                if number % 7 == 5 {
                    continue;
                }
                talk.receive(reader, number);
                if number % 11 == 3 {
                    talk.receive(reader, number);
                }
                seen.insert(name(&talk.braids[reader]));
            }
        }
        turn += 1;
        assert!(turn < 100, "two epochs take some thirty turns");
    }
    for number in [0, 5, 12] {
        let reader = usize::from(number != 12);
        talk.receive(reader, number);
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert!(lies.untold().is_empty(), "{:?}", lies.untold());
    let beyond = |kinds: [u8; 2], own: u16| {
        let slots = talk.messages.iter().map(|&message| Slot { message, number: 0, previous: 0 }.encode());
        slots.filter(|slot| kinds.contains(&slot[4])).any(|slot| u16::from_be_bytes([slot[5], slot[6]]) >= own)
    };
    assert!(beyond([2, 3], 12) && beyond([4, 4], 10) && beyond([5, 5], 2), "chunks beyond the objects' own");
}

fn name(braid: &Braid) -> String {
    format!("{braid:?}").split('(').next().unwrap().to_owned()
}

/// Each lie is told once, where it shows at once.
#[derive(Default)]
struct Lies(std::collections::BTreeSet<&'static str>);

const LIES: [(&str, &[u8], usize); 6] = [
    ("a bit of the header's rho", &[1], 0),
    ("a bit of the header's hash", &[1], 63),
    ("a bit of the header's tag", &[1], 95),
    ("a bit of the vector's last chunk", &[2], 5),
    ("a bit of the vector's last chunk, which acknowledges", &[3], 5),
    ("a bit of the ciphertext's second half", &[5], 5),
];
const EPOCHS: [(&str, bool, u32); 2] =
    [("the next epoch before this one can have ended", false, 1), ("the epoch after the next", true, 2)];

impl Lies {
    fn tell(&mut self, talk: &mut Talk, reader: usize, number: usize) {
        let honest = talk.messages[number];
        for (why, kinds, byte) in LIES {
            let mut slot = Slot { message: honest, number: 0, previous: 0 }.encode();
            slot[16 + byte] ^= 1;
            let Some(Slot { message, .. }) = Slot::decode(&slot).filter(|_| kinds.contains(&slot[4])) else { continue };
            if talk.refuses(reader, &message) && self.0.insert(why) {
                talk.refuse(why, reader, &message);
            }
        }
        for (why, ending, ahead) in EPOCHS {
            let braid = &talk.braids[reader];
            let message = Message { epoch: Epoch(braid.epoch().0 + ahead), piece: Piece::Nothing };
            if matches!(braid, Braid::Ct2Sampled(_)) == ending && self.0.insert(why) {
                talk.refuse(why, reader, &message);
            }
        }
    }

    fn untold(&self) -> Vec<&'static str> {
        let all = LIES.iter().map(|lie| lie.0).chain(EPOCHS.iter().map(|lie| lie.0));
        all.filter(|why| !self.0.contains(why)).collect()
    }
}

/// Alice offers a key with a coefficient of q: the hash is right, and so is the tag.
fn an_invalid_key(talk: &mut Talk) {
    use sha3::{Digest, Sha3_256};
    talk.begin(0x90);
    let pair = KeySeed::generate(&mut Recorder::new(0x91)).expand();
    let mut vector: Vector = *pair.vector();
    (vector[0], vector[1]) = (0x01, vector[1] & 0xf0 | 0x0d);
    let rho = &pair.header()[..32];
    let header: Header = [rho, &Sha3_256::digest([&vector[..], rho].concat())].concat().try_into().unwrap();
    let tag = Authenticator::start(&secret(0x90)).header_tag(Epoch::FIRST, &header);
    let first: Chunk = [&header[..], &tag].concat().try_into().unwrap();
    talk.receive_forged(BOB, &Message { epoch: Epoch::FIRST, piece: Piece::Header(first) });
    talk.send(BOB);
    for index in 0..VECTOR_CHUNKS as u16 {
        let chunk = Indexed { index, chunk: chunk::<VECTOR_CHUNKS>(&vector, index) };
        let piece = Piece::Vector { chunk, first_half_came: false };
        let message = Message { epoch: Epoch::FIRST, piece };
        if usize::from(index) == VECTOR_CHUNKS - 1 {
            talk.refuse("a key with a coefficient of q, under its right hash", BOB, &message);
        } else {
            talk.receive_forged(BOB, &message);
        }
    }
    const { assert!(VECTOR_BYTES == VECTOR_CHUNKS * CHUNK_BYTES && HEADER_BYTES + TAG_BYTES == CHUNK_BYTES) }
}

/// A first half with one bit changed is only found out by the tag at the end.
fn another_first_half(talk: &mut Talk) {
    talk.begin(0xb0);
    let mut spoiled = false;
    loop {
        let number = talk.send(ALICE);
        talk.receive(BOB, number);
        let number = talk.send(BOB);
        let mut message = talk.messages[number];
        if let (Piece::FirstHalf(Indexed { chunk, .. }), false) = (&mut message.piece, spoiled) {
            chunk[50] ^= 0x20;
            spoiled = true;
            talk.receive_forged(ALICE, &message);
        } else if talk.refuses(ALICE, &message) {
            talk.refuse("the end of a ciphertext of which an earlier chunk was another", ALICE, &message);
            let Piece::SecondHalf(Indexed { index: 1, chunk }) = &mut message.piece else { panic!("the last chunk") };
            chunk[95] = 1;
            return talk.refuse("the last bit of the padding behind the ciphertext's tag", ALICE, &message);
        } else {
            talk.receive(ALICE, number);
        }
    }
}

const ABOUT: &str = "\
The ML-KEM Braid alone. Entries before the first `begin` are single steps, told by `step`. From there on they are talks of \
two Braids in order; each `begin` starts a new one with `braid_secret`, in which Alice is the initiator. `send`: `by` draws \
the bytes `random` (64 for a key pair, d and z; 32 for an encapsulation, m; else none) and sends the message of that number: \
`epoch`, `type`, `index` and `chunk` as a packet's slot has them. `receive`: `by` takes the message of that number, or, where \
there is none, the one that is written out, which a liar made. `braid` is the state and epoch in which `by` stands \
afterwards, `epoch_secret` the secret of the epoch that became known by this very step. Refused: just after the entry that \
is the `after`-th from the first `begin` (which is number 0), `by` fails at the message that is written out: \
`NotAuthentic`, a tag is wrong; `Key`, the vector does not fit its header or is no valid key; `Padding`; `Epoch`. The talk \
goes on as if it had not come.";
