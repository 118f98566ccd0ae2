//! The stored form of a Braid: one CBOR array, the state's number first. Part of a session's own format.
//!
//! | number | state | behind number, epoch, authenticator's root, its key of the tags |
//! |---|---|---|
//! | 0 | KeysUnsampled | |
//! | 1 | KeysSampled | d, z, vector, header with tag |
//! | 2 | HeaderSent | d, z, vector, next index, chunks of ct1 |
//! | 3 | Ct1Received | d, z, vector, next index, ct1 |
//! | 4 | EkSentCt1Received | d, z, ct1, chunks of ct2 |
//! | 5 | NoHeaderReceived | |
//! | 6 | HeaderReceived | header |
//! | 7 | Ct1Sampled | header, m, ct1, next index, chunks of the vector |
//! | 8 | EkReceivedCt1Sampled | header, m, ct1, next index, vector |
//! | 9 | Ct1Acknowledged | header, m, ct1, chunks of the vector |
//! | 10 | Ct2Sampled | ct2 with tag, next index |
//!
//! Chunks are one byte string of index 2, big-endian ‖ chunk 96, ascending by index. Everything has its exact length.

use std::sync::Arc;

use minicbor::{Decoder as Reader, Encoder, decode, encode::Write};

use super::{
    Braid, Turn,
    answering::{
        Answer, Ct1Acknowledged, Ct1Sampled, Ct2Sampled, EkReceivedCt1Sampled, HeaderReceived, NoHeaderReceived,
    },
    authenticator::Authenticator,
    erasure::{CHUNK_BYTES, Decoder},
    message::Epoch,
    offering::{Ct1Received, EkSentCt1Received, HeaderSent, Key, KeysSampled, KeysUnsampled},
};
use crate::{
    mlkem768::{EncapsulationSeed, KeySeed},
    secret::Secret32,
};

/// A chunk and its index, in bytes.
const INDEXED_BYTES: usize = 2 + CHUNK_BYTES;
/// Longest encoding, in bytes, rounded up: EkReceivedCt1Sampled, about 2,300.
pub(in crate::ratchet) const BRAID_BYTES_MAX: usize = 2_560;

type EncodeResult<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

impl Braid {
    pub(in crate::ratchet) fn write<W: Write>(&self, e: &mut Encoder<W>) -> EncodeResult<W> {
        let (number, fields) = self.number_and_fields();
        e.array(4 + fields)?.u8(number)?;
        let Turn { epoch, authenticator: Authenticator { root, mac_key } } = self.turn();
        e.u32(epoch.0)?.bytes(root.as_bytes())?.bytes(mac_key.as_bytes())?;
        match self {
            Self::KeysUnsampled(_) | Self::NoHeaderReceived(_) => Ok(()),
            Self::KeysSampled(KeysSampled { turn: _, key, header }) => write_key(e, key)?.bytes(header)?.ok(),
            Self::HeaderSent(HeaderSent { turn: _, key, next, first_half }) => {
                write_chunks(write_key(e, key)?.u16(*next)?, first_half)
            }
            Self::Ct1Received(Ct1Received { turn: _, key, next, first_half }) => {
                write_key(e, key)?.u16(*next)?.bytes(&**first_half)?.ok()
            }
            Self::EkSentCt1Received(EkSentCt1Received { turn: _, seed, first_half, second_half }) => {
                write_chunks(write_seed(e, seed)?.bytes(&**first_half)?, second_half)
            }
            Self::HeaderReceived(HeaderReceived { turn: _, header }) => e.bytes(header)?.ok(),
            Self::Ct1Sampled(Ct1Sampled { turn: _, answer, next, vector }) => {
                write_chunks(write_answer(e, answer)?.u16(*next)?, vector)
            }
            Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled { turn: _, answer, next, vector }) => {
                write_answer(e, answer)?.u16(*next)?.bytes(&**vector)?.ok()
            }
            Self::Ct1Acknowledged(Ct1Acknowledged { turn: _, answer, vector }) => {
                write_chunks(write_answer(e, answer)?, vector)
            }
            Self::Ct2Sampled(Ct2Sampled { turn: _, tagged, next }) => e.bytes(tagged)?.u16(*next)?.ok(),
        }
    }

    /// A state's number, and how many fields it has of its own.
    fn number_and_fields(&self) -> (u8, u64) {
        match self {
            Self::KeysUnsampled(_) => (0, 0),
            Self::KeysSampled(_) => (1, 4),
            Self::HeaderSent(_) => (2, 5),
            Self::Ct1Received(_) => (3, 5),
            Self::EkSentCt1Received(_) => (4, 4),
            Self::NoHeaderReceived(_) => (5, 0),
            Self::HeaderReceived(_) => (6, 1),
            Self::Ct1Sampled(_) => (7, 5),
            Self::EkReceivedCt1Sampled(_) => (8, 5),
            Self::Ct1Acknowledged(_) => (9, 4),
            Self::Ct2Sampled(_) => (10, 2),
        }
    }

    /// Reads what [`Braid::write`] wrote; the session compares bytes, so lengths need no look here.
    pub(in crate::ratchet) fn read(d: &mut Reader<'_>) -> Result<Self, decode::Error> {
        d.array()?;
        let number = d.u8()?;
        let epoch = Epoch(d.u32()?);
        let authenticator = Authenticator { root: read_secret(d)?, mac_key: read_secret(d)? };
        if epoch < Epoch::FIRST {
            return Err(malformed());
        }
        let turn = Turn { epoch, authenticator };
        Ok(match number {
            0 => Self::KeysUnsampled(KeysUnsampled { turn }),
            1 => Self::KeysSampled(KeysSampled { turn, key: read_key(d)?, header: *read_array(d)? }),
            2 => Self::HeaderSent(HeaderSent { turn, key: read_key(d)?, next: d.u16()?, first_half: read_chunks(d)? }),
            3 => Self::Ct1Received(Ct1Received {
                turn,
                key: read_key(d)?,
                next: d.u16()?,
                first_half: Arc::new(*read_array(d)?),
            }),
            4 => Self::EkSentCt1Received(EkSentCt1Received {
                turn,
                seed: read_seed(d)?,
                first_half: Arc::new(*read_array(d)?),
                second_half: read_some_chunks(d)?,
            }),
            5 => Self::NoHeaderReceived(NoHeaderReceived { turn }),
            6 => Self::HeaderReceived(HeaderReceived { turn, header: *read_array(d)? }),
            7 => {
                Self::Ct1Sampled(Ct1Sampled { turn, answer: read_answer(d)?, next: d.u16()?, vector: read_chunks(d)? })
            }
            8 => Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
                turn,
                answer: read_answer(d)?,
                next: d.u16()?,
                vector: Arc::new(*read_array(d)?),
            }),
            9 => Self::Ct1Acknowledged(Ct1Acknowledged { turn, answer: read_answer(d)?, vector: read_some_chunks(d)? }),
            10 => Self::Ct2Sampled(Ct2Sampled { turn, tagged: *read_array(d)?, next: d.u16()? }),
            _ => return Err(malformed()),
        })
    }
}

type Written<'e, W> = Result<&'e mut Encoder<W>, minicbor::encode::Error<<W as Write>::Error>>;

fn write_seed<'e, W: Write>(e: &'e mut Encoder<W>, KeySeed { d, z }: &KeySeed) -> Written<'e, W> {
    e.bytes(d.as_bytes())?.bytes(z.as_bytes())
}

fn write_key<'e, W: Write>(e: &'e mut Encoder<W>, Key { seed, vector }: &Key) -> Written<'e, W> {
    write_seed(e, seed)?.bytes(&**vector)
}

fn write_answer<'e, W: Write>(e: &'e mut Encoder<W>, answer: &Answer) -> Written<'e, W> {
    let Answer { header, seed: EncapsulationSeed(m), first_half } = answer;
    e.bytes(header)?.bytes(m.as_bytes())?.bytes(&**first_half)
}

fn write_chunks<W: Write, const N: usize>(e: &mut Encoder<W>, decoder: &Decoder<N>) -> EncodeResult<W> {
    let chunks = decoder.chunks().iter();
    let bytes: Vec<u8> = chunks.flat_map(|(index, chunk)| index.to_be_bytes().into_iter().chain(*chunk)).collect();
    e.bytes(&bytes)?.ok()
}

fn read_seed(d: &mut Reader<'_>) -> Result<KeySeed, decode::Error> {
    Ok(KeySeed { d: read_secret(d)?, z: read_secret(d)? })
}

fn read_key(d: &mut Reader<'_>) -> Result<Key, decode::Error> {
    Ok(Key { seed: read_seed(d)?, vector: Arc::new(*read_array(d)?) })
}

fn read_answer(d: &mut Reader<'_>) -> Result<Answer, decode::Error> {
    let (header, seed) = (*read_array(d)?, EncapsulationSeed(read_secret(d)?));
    Ok(Answer { header, seed, first_half: Arc::new(*read_array(d)?) })
}

fn read_chunks<const N: usize>(d: &mut Reader<'_>) -> Result<Decoder<N>, decode::Error> {
    let (chunks, rest) = d.bytes()?.as_chunks::<INDEXED_BYTES>();
    let chunks = chunks.iter().map(|bytes| {
        let (index, chunk) = bytes.split_first_chunk::<2>().expect("98 bytes");
        (u16::from_be_bytes(*index), *chunk.first_chunk().expect("96 bytes behind an index"))
    });
    let decoder = Decoder::from_chunks(chunks.collect()).filter(|_| rest.is_empty());
    decoder.ok_or_else(malformed)
}

/// In a state that begins with a chunk there is one.
fn read_some_chunks<const N: usize>(d: &mut Reader<'_>) -> Result<Decoder<N>, decode::Error> {
    let decoder = read_chunks(d)?;
    if decoder.chunks().is_empty() { Err(malformed()) } else { Ok(decoder) }
}

fn read_secret(d: &mut Reader<'_>) -> Result<Secret32, decode::Error> {
    Secret32::from_slice(d.bytes()?).ok_or_else(malformed)
}

fn read_array<'b, const N: usize>(d: &mut Reader<'b>) -> Result<&'b [u8; N], decode::Error> {
    d.bytes()?.try_into().map_err(|_| malformed())
}

fn malformed() -> decode::Error {
    decode::Error::message("not a Braid's one encoding")
}
