//! The other end of a stolen session: what its owner seals from now on, the mirror opens, as far as the stolen state reaches.
//!
//! Works on the stored form that `sotto_crypto::Session::encode` documents: sending and receiving change places, and so do the
//! two ratchet keys. The private half of the peer's ratchet key is nobody's here, so the mirror ends at the owner's next
//! Diffie-Hellman step: that is what healing means.

use minicbor::{Decoder, Encoder, data::Type};
use sotto_crypto::Session;

/// The mirror of a session; none for one that has sealed nothing yet.
///
/// # Panics
/// If the stored form is not the documented one.
pub(super) fn mirror(session: &Session) -> Option<Session> {
    let stored = session.encode();
    let fields = fields(&stored);
    let sending = fields[SENDING];
    if sending == NULL {
        return None;
    }
    let mut mirrored = Vec::new();
    let mut e = Encoder::new(&mut mirrored);
    e.map(fields.len() as u64).expect("writing to a Vec cannot fail");
    for key in 0..fields.len() {
        let value = match key {
            PEER => fields[PUBLIC].to_vec(),
            SENDING => sending.to_vec(),
            NEXT_SENDING => fields[NEXT_RECEIVING].to_vec(),
            RECEIVING => with_runs(sending),
            NEXT_RECEIVING => fields[NEXT_SENDING].to_vec(),
            OLD => vec![EMPTY_ARRAY],
            NEXT_RUN | SEALED | RECEIPTED | SEALED_BEFORE => vec![0],
            STEP_DUE => vec![FALSE],
            _ => fields[key].to_vec(),
        };
        e.u64(key as u64).expect("writing to a Vec cannot fail");
        e.writer_mut().extend_from_slice(&value);
    }
    Some(Session::decode(&mirrored).expect("the stored form of a session is as documented"))
}

const PUBLIC: usize = 5;
const PEER: usize = 6;
const SENDING: usize = 7;
const NEXT_SENDING: usize = 8;
const RECEIVING: usize = 9;
const NEXT_RECEIVING: usize = 10;
const OLD: usize = 12;
const NEXT_RUN: usize = 13;
const SEALED: usize = 14;
const RECEIPTED: usize = 15;
const SEALED_BEFORE: usize = 16;
const STEP_DUE: usize = 17;

const NULL: &[u8] = &[0xf6];
const EMPTY_ARRAY: u8 = 0x80;
const FALSE: u8 = 0xf4;
const MAP_OF_4: u8 = 0xa4;
const MAP_OF_5: u8 = 0xa5;

/// The encoded value of each key.
fn fields(stored: &[u8]) -> Vec<&[u8]> {
    let mut d = Decoder::new(stored);
    let count = d.map().ok().flatten().expect("a map of known length");
    let value = |key: u64| {
        assert_eq!(d.u64().ok(), Some(key), "keys ascend from 0");
        let from = d.position();
        d.skip().expect("a value follows each key");
        &stored[from..d.position()]
    };
    (0..count).map(value).collect()
}

/// A chain as the receiving one is stored: with the runs of its skipped keys, of which there are none.
fn with_runs(chain: &[u8]) -> Vec<u8> {
    assert_eq!(Decoder::new(chain).datatype().ok(), Some(Type::Map), "a chain is a map");
    assert_eq!(chain[0], MAP_OF_4, "a sending chain has four fields");
    [&[MAP_OF_5], &chain[1..], &[4, EMPTY_ARRAY]].concat()
}
