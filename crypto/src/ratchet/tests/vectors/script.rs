//! What happens in the conversation of `ratchet.json`.

use super::{
    talk::{ALICE, BOB, Talk},
    *,
};

/// Loss, bursts and late packets over two epochs and into the third, an ephemeral packet, and what is refused on the way.
pub(super) fn conversation() -> Talk {
    let mut talk = Talk::begin();
    let lost = opening(&mut talk);
    damaged(&mut talk);
    ephemeral(&mut talk);
    lying_headers(&mut talk);
    let mut late: [Vec<usize>; 2] = Default::default();
    let mut lies = Lies::default();
    let mut round = 0_usize;
    while talk.sides.iter().any(|side| side.session.epochs.receiving.epoch < 2) {
        for (by, reader, delayed) in [(ALICE, BOB, round % 5 == 2), (BOB, ALICE, round % 7 == 3)] {
            for _ in 0..if round % 6 == 1 { 2 } else { 1 } {
                lies.try_all(&mut talk, by, reader);
                let packet = talk.seal(by, Padding::None, &(round as u32).to_be_bytes());
                if delayed {
                    late[reader].push(packet);
                } else {
                    talk.open(reader, packet);
                }
            }
            if round % 8 == 7 {
                for packet in core::mem::take(&mut late[reader]).into_iter().rev() {
                    talk.open(reader, packet);
                }
            }
        }
        round += 1;
        assert!(round < 100, "two epochs take some seventy packets");
    }
    assert!(lies.all_were_told(), "{lies:?}");
    assert_eq!(talk.sides[BOB].session.epochs.old[0].epoch, 0, "of epoch 0 one is still missing");
    talk.on_day(27);
    talk.open(BOB, lost);
    talk.refuse_as_it_is("two epochs late, and a second time", BOB, lost);
    talk
}

/// Three packets of which the first is late and the second lost for now; its number is returned.
fn opening(talk: &mut Talk) -> usize {
    let [first, lost, third] =
        [&b"hello"[..], b"lost for long", b"third"].map(|content| talk.seal(ALICE, Padding::None, content));
    refuse_splices(talk, BOB, third);
    let mixed = [&talk.packet(first)[..SEALED_HEADER_BYTES], &talk.packet(third)[SEALED_HEADER_BYTES..]].concat();
    talk.refuse("another packet's body", BOB, first, &mixed);
    talk.refuse_header("a ratchet key of small order", BOB, third, |header| header[..32].fill(0));
    talk.refuse_header("a ratchet key in a second spelling", BOB, third, |header| header[..32].fill(0xff));
    talk.open(BOB, third);
    talk.refuse_as_it_is("a second time", BOB, third);
    talk.refuse_as_it_is("by its own sender", ALICE, third);
    talk.open(BOB, first);
    talk.refuse_as_it_is("a late one a second time", BOB, first);
    let answer = talk.seal(BOB, Padding::Bucket, b"an answer of 1,024 bytes");
    talk.open(ALICE, answer);
    let long = talk.seal(ALICE, Padding::Bucket, &[7; 827]);
    talk.open(BOB, long);
    let answer = talk.seal(BOB, Padding::Bucket, &[8; 826]);
    talk.open(ALICE, answer);
    lost
}

/// Skipped keys, and what they refuse.
fn damaged(talk: &mut Talk) {
    let [late, next] = [&b"late"[..], b"next"].map(|content| talk.seal(ALICE, Padding::None, content));
    talk.open(BOB, next);
    let mut forged = talk.packet(late).to_vec();
    *forged.last_mut().unwrap() ^= 1;
    talk.refuse("a late one with a bit of its tag", BOB, late, &forged);
    talk.on_day(28);
    talk.refuse_as_it_is("after 28 days", BOB, late);
    talk.on_day(0);
    talk.open(BOB, late);
}

fn refuse_splices(talk: &mut Talk, by: usize, number: usize) {
    let honest = talk.packet(number).to_vec();
    let body = SEALED_HEADER_BYTES;
    for (why, index) in [
        ("a bit of the header's nonce", 0),
        ("a bit of the sealed header", NONCE_BYTES),
        ("a bit of the header's tag", body - 1),
        ("a bit of the body", body),
        ("a bit of the body's tag", honest.len() - 1),
    ] {
        let mut changed = honest.clone();
        changed[index] ^= 1;
        talk.refuse(why, by, number, &changed);
    }
    talk.refuse("a byte short", by, number, &honest[..honest.len() - 1]);
    talk.refuse("a byte long", by, number, &[&honest[..], &[0]].concat());
    talk.refuse("a header alone", by, number, &honest[..body]);
    talk.refuse("half a header", by, number, &honest[..body / 2]);
    talk.refuse("nothing", by, number, &[]);
}

/// Bob's chain has begun at Alice when he types.
fn ephemeral(talk: &mut Talk) {
    let typing = talk.seal_ephemeral(ALICE, b"typing");
    talk.open(BOB, typing);
    let again = talk.seal_ephemeral(ALICE, b"typing again");
    talk.open(BOB, again);
    talk.open(BOB, typing);
    let answer = talk.seal(BOB, Padding::None, b"answer");
    let early = talk.seal_ephemeral(BOB, b"before its step was seen");
    talk.refuse_as_it_is("ephemeral, of a step that was not seen", ALICE, early);
    for (why, index) in [("previous", 35), ("number", 39), ("slot", 41), ("slot's last byte", 152)] {
        let why = format!("ephemeral, and its {why} is not zero");
        talk.refuse_header(&why, ALICE, early, |header| header[index] = 1);
    }
    talk.open(ALICE, answer);
    talk.open(ALICE, early);
}

/// Headers with the right tag that say what no honest one says.
fn lying_headers(talk: &mut Talk) {
    let begins = talk.seal(ALICE, Padding::None, b"begins a chain");
    talk.refuse_header("more than 2,000 missing at the end of the last chain", BOB, begins, |header| add(header, 32));
    talk.open(BOB, begins);
    let next = talk.seal(ALICE, Padding::None, b"goes on with it");
    talk.refuse_header("2,001 skipped", BOB, next, |header| add(header, 36));
    talk.refuse_header("2,001 skipped in the epoch's chain", BOB, next, |header| add(header, 41 + 7));
    talk.refuse_header("another ratchet key in a chain", BOB, next, |header| header[0] ^= 1);
    talk.refuse_header("a kind that is not known", BOB, next, |header| header[40] = 2);
    talk.refuse_header("ephemeral, with counters and a slot", BOB, next, |header| header[40] = 1);
    let slots: [(&str, usize, u8); 4] =
        [("epoch 0", 3, 0), ("epoch 9", 3, 9), ("a type that is not known", 4, 6), ("the zero byte set", 15, 1)];
    for (why, index, byte) in slots {
        talk.refuse_header(&format!("slot: {why}"), BOB, next, |header| header[41 + index] = byte);
    }
    talk.refuse_header("slot: no chunk, with a chunk", BOB, next, |header| header[41 + 4] = 0);
    talk.refuse_header("slot: a header of index 256", BOB, next, |header| {
        header[41 + 4..41 + 7].copy_from_slice(&[1, 1, 0]);
    });
    talk.refuse_header("a number that was opened", BOB, next, |header| header[36..40].fill(0));
    let hasty = talk.sides[ALICE].session.duplicate().begin_sending(&mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let (_, hasty) = lie(&hasty, &mut ChaCha20Rng::seed_from_u64(2), b"goes on with it", |_| ());
    talk.refuse("a second step without an answer", BOB, next, &hasty);
    talk.open(BOB, next);
}

/// Raises a counter of four bytes by 2,001.
fn add(header: &mut [u8; HEADER_BYTES], at: usize) {
    let counter: &mut [u8; 4] = (&mut header[at..at + 4]).try_into().unwrap();
    *counter = (u32::from_be_bytes(*counter) + 2_001).to_be_bytes();
}

/// Which lies of the Braid have been told: each once.
#[derive(Debug, Default)]
struct Lies {
    header: bool,
    vector: bool,
    ciphertext: bool,
    padding: bool,
    epoch: bool,
}

impl Lies {
    /// Tells each lie that has not been told, where it shows at once.
    fn try_all(&mut self, talk: &mut Talk, by: usize, reader: usize) {
        let liar = talk.sides[by].session.duplicate();
        let ahead = talk.sides[reader].session.epochs.ahead_receiving.as_ref().map(|key| key.duplicate());
        let mut tell = |told: &mut bool, why: &str, of: &[u8], byte: usize| {
            *told |= !*told
                && talk.refuse_lie(why, reader, &liar, |slot| {
                    if of.contains(&slot[4]) && (byte < 95 || slot[5..7] == [0, 1]) {
                        slot[16 + byte] ^= 1;
                    }
                });
        };
        tell(&mut self.header, "a header of the Braid whose tag is wrong", &[1], 0);
        tell(&mut self.vector, "a vector that its header does not name", &[2, 3], 5);
        tell(&mut self.ciphertext, "a ciphertext whose tag is wrong", &[5], 5);
        tell(&mut self.padding, "padding behind the ciphertext that is not zero", &[5], 95);
        if let (false, Some(ahead)) = (self.epoch, ahead) {
            let mut liar = liar;
            liar.epochs.ahead_sending = Some(ahead);
            self.epoch = talk.refuse_lie("an epoch that cannot have begun", reader, &liar, |slot| {
                let epoch = u32::from_be_bytes(*slot.first_chunk().unwrap());
                slot.fill(0);
                slot[..4].copy_from_slice(&(epoch + 1).to_be_bytes());
            });
        }
    }

    fn all_were_told(&self) -> bool {
        let Self { header, vector, ciphertext, padding, epoch } = *self;
        header && vector && ciphertext && padding && epoch
    }
}
