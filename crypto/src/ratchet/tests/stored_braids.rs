//! Stored states in all eleven states of the Braid: a change of any byte is refused, or is another state's one encoding.

use rand::RngExt as _;

use super::*;

/// One stored state in each state of the Braid, with skipped keys of both ratchets on the way.
fn stored_braids() -> BTreeMap<String, Vec<u8>> {
    let (alice, bob) = acquainted(80);
    let mut sides = [alice, bob];
    let mut stored = BTreeMap::new();
    // Alice says three things while Bob says one: in one epoch the vector comes first, in the next one ct1 does.
    for turn in 0..30 {
        for (by, times) in [(0, 3), (1, 1)] {
            for place in 0..times {
                let packet = sides[by].seal(b"a long talk");
                if (turn + place) % 9 != 4 {
                    sides[1 - by].open(&packet).unwrap();
                }
                for side in &sides {
                    let name = format!("{:?}", side.session.braid.as_ref().unwrap());
                    let (state, _) = name.split_once('(').unwrap();
                    stored.entry(state.to_owned()).or_insert_with(|| side.session.encode().to_vec());
                }
            }
        }
    }
    stored
}

/// Which bytes of an encoding stand inside its byte strings, by the heads of RFC 8949 §3.
fn inside_strings(stored: &[u8]) -> Vec<bool> {
    let mut inside = vec![false; stored.len()];
    let mut at = 0;
    while at < stored.len() {
        let (major, short) = (stored[at] >> 5, stored[at] & 31);
        let argument = if short < 24 { 0 } else { 1 << (short - 24) };
        let value = stored[at + 1..][..argument].iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
        let length = if argument == 0 { usize::from(short) } else { value };
        at += 1 + argument;
        if major == 2 {
            inside[at..at + length].fill(true);
            at += length;
        }
    }
    inside
}

/// Whether the change is refused; if not, it must be what the state that was read encodes to.
fn is_refused(changed: &[u8]) -> bool {
    match Session::decode(changed) {
        Ok(session) => {
            assert_eq!(*session.encode(), changed);
            false
        }
        Err(_) => true,
    }
}

#[test]
fn every_changed_byte_is_refused_or_another_state() {
    let mut chance = ChaCha20Rng::seed_from_u64(0xb1e5);
    let stored = stored_braids();
    assert_eq!(stored.len(), 11, "{:?}", stored.keys());
    for (state, mut bytes) in stored {
        let inside = inside_strings(&bytes);
        let (mut tried, mut refused) = (0, 0);
        for at in 0..bytes.len() {
            let honest = bytes[at];
            // Inside a string every value is as good as another: each bit alone, and any.
            let bits = (0..8).map(|bit| 1 << bit).chain([chance.random_range(1..=255)]);
            let changes: Vec<u8> = if inside[at] { bits.collect() } else { (1..=255).collect() };
            for change in changes {
                bytes[at] = honest ^ change;
                tried += 1;
                refused += usize::from(is_refused(&bytes));
            }
            bytes[at] = honest;
        }
        eprintln!("{state}: {} bytes, {tried} changes, {refused} refused", bytes.len());
    }
}
