//! The side that offers a key in an epoch: it draws a key pair, sends header and vector, gathers the ciphertext and
//! decapsulates. Each state is spent by the step that leads to the next.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::{
    BraidFailure, Turn,
    answering::NoHeaderReceived,
    authenticator::{TAG_BYTES, verify},
    epoch_secret,
    erasure::{CHUNK_BYTES, Chunk, Decoder},
    indexed,
    message::{Indexed, Piece},
};
use crate::{
    mlkem768::{FirstHalf, HEADER_BYTES, KeySeed, SECOND_HALF_BYTES, Vector},
    secret::Secret32,
};

/// Chunks of the vector.
pub(super) const VECTOR_CHUNKS: usize = 12;
/// Chunks of the ciphertext's first half.
pub(super) const FIRST_HALF_CHUNKS: usize = 10;
/// Chunks of the ciphertext's second half with its tag.
pub(super) const SECOND_HALF_CHUNKS: usize = 2;
/// Bytes of the second half with its tag.
pub(super) const TAGGED_BYTES: usize = SECOND_HALF_BYTES + TAG_BYTES;

const _: () = assert!(HEADER_BYTES + TAG_BYTES == CHUNK_BYTES, "the header with its tag is one chunk");

/// No key pair yet: the next packet draws one.
pub(in crate::ratchet) struct KeysUnsampled {
    pub(super) turn: Turn,
}

/// A key pair is drawn, and nothing shows that its header has come.
pub(in crate::ratchet) struct KeysSampled {
    pub(super) turn: Turn,
    pub(super) key: Key,
    /// The header and its tag.
    pub(super) header: Chunk,
}

/// The header has come: the vector goes out while the first half of the ciphertext comes in.
pub(in crate::ratchet) struct HeaderSent {
    pub(super) turn: Turn,
    pub(super) key: Key,
    /// Index of the next chunk of the vector.
    pub(super) next: u16,
    pub(super) first_half: Decoder<FIRST_HALF_CHUNKS>,
}

/// The first half is here, and every packet says so.
pub(in crate::ratchet) struct Ct1Received {
    pub(super) turn: Turn,
    pub(super) key: Key,
    pub(super) next: u16,
    pub(super) first_half: Arc<FirstHalf>,
}

/// The second half has begun to come: the vector is known to be there.
pub(in crate::ratchet) struct EkSentCt1Received {
    pub(super) turn: Turn,
    pub(super) seed: KeySeed,
    pub(super) first_half: Arc<FirstHalf>,
    pub(super) second_half: Decoder<SECOND_HALF_CHUNKS>,
}

/// A key pair on offer: its seed, and what is still to be sent of its public half.
pub(in crate::ratchet) struct Key {
    pub(super) seed: KeySeed,
    pub(super) vector: Arc<Vector>,
}

impl KeysUnsampled {
    pub(super) fn send(self, rng: &mut dyn CryptoRng) -> (KeysSampled, Piece) {
        let Self { turn } = self;
        let seed = KeySeed::generate(rng);
        let pair = seed.expand();
        let mut header = [0; CHUNK_BYTES];
        header[..HEADER_BYTES].copy_from_slice(&pair.header());
        header[HEADER_BYTES..].copy_from_slice(&turn.authenticator.header_tag(turn.epoch, &pair.header()));
        let key = Key { vector: Arc::new(*pair.vector()), seed };
        (KeysSampled { turn, key, header }, Piece::Header(header))
    }
}

impl KeysSampled {
    pub(super) fn send(&self) -> Piece {
        Piece::Header(self.header)
    }

    /// The first chunk of the ciphertext shows that the header has come.
    pub(super) fn receive(self, piece: &Piece) -> Result<HeaderSent, Self> {
        let Piece::FirstHalf(Indexed { index, chunk }) = piece else { return Err(self) };
        let Self { turn, key, header: _ } = self;
        let mut first_half = Decoder::default();
        first_half.take(*index, chunk);
        Ok(HeaderSent { turn, key, next: 0, first_half })
    }
}

impl HeaderSent {
    pub(super) fn send(&mut self) -> Piece {
        let chunk = indexed::<VECTOR_CHUNKS>(&*self.key.vector, &mut self.next);
        Piece::Vector { chunk, first_half_came: false }
    }

    pub(super) fn receive(mut self, piece: &Piece) -> Result<Ct1Received, Self> {
        let Piece::FirstHalf(Indexed { index, chunk }) = piece else { return Err(self) };
        let Some(object) = self.first_half.take(*index, chunk) else { return Err(self) };
        let Self { turn, key, next, first_half: _ } = self;
        let first_half: FirstHalf = *object.first_chunk().expect("ten chunks of 96 bytes are 960");
        Ok(Ct1Received { turn, key, next, first_half: Arc::new(first_half) })
    }
}

impl Ct1Received {
    /// The chunk tells that the first half came; one of some index goes out as long as the other side needs to know that.
    pub(super) fn send(&mut self) -> Piece {
        let chunk = indexed::<VECTOR_CHUNKS>(&*self.key.vector, &mut self.next);
        Piece::Vector { chunk, first_half_came: true }
    }

    pub(super) fn receive(self, piece: &Piece) -> Result<EkSentCt1Received, Self> {
        let Piece::SecondHalf(Indexed { index, chunk }) = piece else { return Err(self) };
        let Self { turn, key, next: _, first_half } = self;
        let mut second_half = Decoder::default();
        second_half.take(*index, chunk);
        Ok(EkSentCt1Received { turn, seed: key.seed, first_half, second_half })
    }
}

impl EkSentCt1Received {
    /// With the last chunk: the secret of the epoch, and the roles change.
    pub(super) fn receive(mut self, piece: &Piece) -> Result<(NoHeaderReceived, Secret32), Stay<Self>> {
        let Piece::SecondHalf(Indexed { index, chunk }) = piece else { return Err(Stay::As(self)) };
        let Some(object) = self.second_half.take(*index, chunk) else { return Err(Stay::As(self)) };
        let Self { turn: Turn { epoch, authenticator }, seed, first_half, second_half: _ } = self;
        let (tagged, padding) = object.split_at(TAGGED_BYTES);
        if padding.iter().any(|&byte| byte != 0) {
            return Err(BraidFailure::Padding.into());
        }
        let second_half = tagged.first_chunk::<SECOND_HALF_BYTES>().expect("160 bytes: it and a tag");
        let tag = tagged.last_chunk::<TAG_BYTES>().expect("160 bytes: a tag at their end");
        let secret = epoch_secret(epoch, &seed.expand().decapsulate(&first_half, second_half));
        let authenticator = authenticator.update(epoch, &secret);
        verify(&authenticator.ciphertext_tag(epoch, &first_half, second_half), tag)?;
        let epoch = epoch.next().ok_or(BraidFailure::Epoch)?;
        Ok((NoHeaderReceived { turn: Turn { epoch, authenticator } }, secret))
    }
}

/// Why a state was not left.
pub(super) enum Stay<S> {
    /// Nothing came that leads on; what came is in it.
    As(S),
    /// What came is wrong.
    Failed(BraidFailure),
}

impl<S, E: Into<BraidFailure>> From<E> for Stay<S> {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Key {
    pub(super) fn duplicate(&self) -> Self {
        let Self { seed, vector } = self;
        Self { seed: seed.duplicate(), vector: Arc::clone(vector) }
    }
}
