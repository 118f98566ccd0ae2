//! The side that answers a key in an epoch: it encapsulates to the header at once and to the vector when that has come.
//! Each state is spent by the step that leads to the next.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::{
    BraidFailure, Turn,
    authenticator::{TAG_BYTES, verify},
    epoch_secret,
    erasure::Decoder,
    indexed,
    message::{Indexed, Piece},
    offering::{FIRST_HALF_CHUNKS, SECOND_HALF_CHUNKS, Stay, TAGGED_BYTES, VECTOR_CHUNKS},
};
use crate::{
    mlkem768::{EncapsulationSeed, FirstHalf, HEADER_BYTES, Header, SECOND_HALF_BYTES, Vector, check},
    secret::Secret32,
};

/// Nothing of the other side's key is here.
pub(in crate::ratchet) struct NoHeaderReceived {
    pub(super) turn: Turn,
}

/// The header is here and vouched for: the next packet encapsulates to it.
pub(in crate::ratchet) struct HeaderReceived {
    pub(super) turn: Turn,
    pub(super) header: Header,
}

/// The first half goes out while the vector comes in.
pub(in crate::ratchet) struct Ct1Sampled {
    pub(super) turn: Turn,
    pub(super) answer: Answer,
    pub(super) next: u16,
    pub(super) vector: Decoder<VECTOR_CHUNKS>,
}

/// The vector is here; whether the first half has come is not known.
pub(in crate::ratchet) struct EkReceivedCt1Sampled {
    pub(super) turn: Turn,
    pub(super) answer: Answer,
    pub(super) next: u16,
    /// Fits the header.
    pub(super) vector: Arc<Vector>,
}

/// The first half has come; the vector is not all here.
pub(in crate::ratchet) struct Ct1Acknowledged {
    pub(super) turn: Turn,
    pub(super) answer: Answer,
    pub(super) vector: Decoder<VECTOR_CHUNKS>,
}

/// The second half goes out, until the other side shows that it has the secret.
pub(in crate::ratchet) struct Ct2Sampled {
    pub(super) turn: Turn,
    /// The second half and its tag.
    pub(super) tagged: [u8; TAGGED_BYTES],
    pub(super) next: u16,
}

/// An encapsulation under way.
pub(in crate::ratchet) struct Answer {
    pub(super) header: Header,
    pub(super) seed: EncapsulationSeed,
    pub(super) first_half: Arc<FirstHalf>,
}

/// Where a chunk of the vector leads.
pub(super) enum Led {
    EkReceived(EkReceivedCt1Sampled),
    Acknowledged(Ct1Acknowledged),
    Both(Ct2Sampled),
}

impl NoHeaderReceived {
    pub(super) fn receive(self, piece: &Piece) -> Result<HeaderReceived, Stay<Self>> {
        let Piece::Header(chunk) = piece else { return Err(Stay::As(self)) };
        let Self { turn } = self;
        let header = chunk.first_chunk::<HEADER_BYTES>().expect("a chunk is a header and a tag");
        let tag = chunk.last_chunk::<TAG_BYTES>().expect("a chunk is a header and a tag");
        verify(&turn.authenticator.header_tag(turn.epoch, header), tag)?;
        Ok(HeaderReceived { turn, header: *header })
    }
}

impl HeaderReceived {
    /// The secret is known from here on; the other side knows it when all of the ciphertext has come.
    pub(super) fn send(self, rng: &mut dyn CryptoRng) -> (Ct1Sampled, Piece, Secret32) {
        let Self { turn: Turn { epoch, authenticator }, header } = self;
        let seed = EncapsulationSeed::generate(rng);
        let (first_half, shared) = seed.first_half(&header);
        let secret = epoch_secret(epoch, &shared);
        let turn = Turn { epoch, authenticator: authenticator.update(epoch, &secret) };
        let answer = Answer { header, seed, first_half: Arc::new(first_half) };
        let mut next = Ct1Sampled { turn, answer, next: 0, vector: Decoder::default() };
        let piece = next.send();
        (next, piece, secret)
    }
}

impl Ct1Sampled {
    pub(super) fn send(&mut self) -> Piece {
        self.answer.send(&mut self.next)
    }

    pub(super) fn receive(mut self, piece: &Piece) -> Result<Led, Stay<Self>> {
        let Piece::Vector { chunk: Indexed { index, chunk }, first_half_came } = piece else {
            return Err(Stay::As(self));
        };
        match (self.vector.take(*index, chunk), *first_half_came) {
            (None, false) => Err(Stay::As(self)),
            (None, true) => {
                let Self { turn, answer, next: _, vector } = self;
                Ok(Led::Acknowledged(Ct1Acknowledged { turn, answer, vector }))
            }
            (Some(vector), came) => {
                let Self { turn, answer, next, vector: _ } = self;
                let vector = answer.whole(&vector)?;
                if came {
                    return Ok(Led::Both(answer.finish(turn, &vector)?));
                }
                Ok(Led::EkReceived(EkReceivedCt1Sampled { turn, answer, next, vector }))
            }
        }
    }
}

impl EkReceivedCt1Sampled {
    pub(super) fn send(&mut self) -> Piece {
        self.answer.send(&mut self.next)
    }

    pub(super) fn receive(self, piece: &Piece) -> Result<Ct2Sampled, Stay<Self>> {
        let Piece::Vector { chunk: _, first_half_came: true } = piece else { return Err(Stay::As(self)) };
        let Self { turn, answer, next: _, vector } = self;
        Ok(answer.finish(turn, &vector)?)
    }
}

impl Ct1Acknowledged {
    pub(super) fn receive(mut self, piece: &Piece) -> Result<Ct2Sampled, Stay<Self>> {
        let Piece::Vector { chunk: Indexed { index, chunk }, first_half_came: _ } = piece else {
            return Err(Stay::As(self));
        };
        let Some(vector) = self.vector.take(*index, chunk) else { return Err(Stay::As(self)) };
        let Self { turn, answer, vector: _ } = self;
        let vector = answer.whole(&vector)?;
        Ok(answer.finish(turn, &vector)?)
    }
}

impl Ct2Sampled {
    pub(super) fn send(&mut self) -> Piece {
        Piece::SecondHalf(indexed::<SECOND_HALF_CHUNKS>(&self.tagged, &mut self.next))
    }
}

impl Answer {
    fn send(&self, next: &mut u16) -> Piece {
        Piece::FirstHalf(indexed::<FIRST_HALF_CHUNKS>(&*self.first_half, next))
    }

    /// The vector that twelve chunks gave, if it is the one that the header promised.
    fn whole(&self, object: &[u8]) -> Result<Arc<Vector>, BraidFailure> {
        let vector: Vector = *object.first_chunk().expect("twelve chunks of 96 bytes are 1152");
        check(&self.header, &vector).map_err(|_| BraidFailure::Key)?;
        Ok(Arc::new(vector))
    }

    fn finish(self, turn: Turn, vector: &Vector) -> Result<Ct2Sampled, BraidFailure> {
        let Self { header, seed, first_half } = self;
        let second_half = seed.second_half(&header, vector).map_err(|_| BraidFailure::Key)?;
        let mut tagged = [0; TAGGED_BYTES];
        tagged[..SECOND_HALF_BYTES].copy_from_slice(&second_half);
        let tag = turn.authenticator.ciphertext_tag(turn.epoch, &first_half, &second_half);
        tagged[SECOND_HALF_BYTES..].copy_from_slice(&tag);
        Ok(Ct2Sampled { turn, tagged, next: 0 })
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { header, seed, first_half } = self;
        Self { header: *header, seed: seed.duplicate(), first_half: Arc::clone(first_half) }
    }
}
