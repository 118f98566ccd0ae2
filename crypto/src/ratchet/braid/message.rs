//! What the Braid says in a packet's header: its epoch, and at most one chunk.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | the sender's epoch, from 1, big-endian; the packet is sealed under the chain of the epoch before |
//! | 1 | what the chunk is of: 0 none, 1 header, 2 vector, 3 vector and all of ct1 has come, 4 ct1, 5 ct2 |
//! | 2 | the chunk's index, big-endian; 0 for the header, which is one chunk |
//! | 4 | number of this packet in its epoch chain, from 0, big-endian |
//! | 4 | packets in the sender's epoch chain before, big-endian |
//! | 1 | zero |
//! | 96 | the chunk |
//!
//! Invariant: one slot has one encoding, and nothing else decodes.

use sotto_inner::limits::BRAID_SLOT_BYTES;

use super::erasure::{CHUNK_BYTES, Chunk};

/// An epoch of the Braid: one key pair, one encapsulation, one secret. They are counted from 1; the chains of epoch 0 come of
/// the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ratchet) struct Epoch(pub(in crate::ratchet) u32);

/// What one packet carries of the Braid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ratchet) struct Message {
    pub(in crate::ratchet) epoch: Epoch,
    pub(in crate::ratchet) piece: Piece,
}

/// At most one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ratchet) enum Piece {
    Nothing,
    Header(Chunk),
    Vector { chunk: Indexed, first_half_came: bool },
    FirstHalf(Indexed),
    SecondHalf(Indexed),
}

/// A chunk and its place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ratchet) struct Indexed {
    pub(in crate::ratchet) index: u16,
    pub(in crate::ratchet) chunk: Chunk,
}

/// The Braid's part of a packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ratchet) struct Slot {
    pub(in crate::ratchet) message: Message,
    /// Number of the packet in its epoch chain.
    pub(in crate::ratchet) number: u32,
    /// Packets in the sender's epoch chain before.
    pub(in crate::ratchet) previous: u32,
}

impl Epoch {
    pub(in crate::ratchet) const FIRST: Self = Self(1);

    /// The next one; `None` after 2³² - 1.
    pub(in crate::ratchet) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The epoch whose chains seal while this one is under way.
    pub(in crate::ratchet) fn before(self) -> Self {
        Self(self.0 - 1)
    }

    /// Eight bytes, big-endian: what a key derivation binds.
    pub(super) fn to_be_bytes(self) -> [u8; 8] {
        u64::from(self.0).to_be_bytes()
    }
}

impl Slot {
    pub(in crate::ratchet) fn encode(&self) -> [u8; BRAID_SLOT_BYTES] {
        let Self { message: Message { epoch, piece }, number, previous } = self;
        let (kind, Indexed { index, chunk }) = match *piece {
            Piece::Nothing => (0, Indexed { index: 0, chunk: [0; CHUNK_BYTES] }),
            Piece::Header(chunk) => (1, Indexed { index: 0, chunk }),
            Piece::Vector { chunk, first_half_came: false } => (2, chunk),
            Piece::Vector { chunk, first_half_came: true } => (3, chunk),
            Piece::FirstHalf(chunk) => (4, chunk),
            Piece::SecondHalf(chunk) => (5, chunk),
        };
        let mut bytes = [0; BRAID_SLOT_BYTES];
        bytes[..4].copy_from_slice(&epoch.0.to_be_bytes());
        bytes[4] = kind;
        bytes[5..7].copy_from_slice(&index.to_be_bytes());
        bytes[7..11].copy_from_slice(&number.to_be_bytes());
        bytes[11..15].copy_from_slice(&previous.to_be_bytes());
        bytes[16..].copy_from_slice(&chunk);
        bytes
    }

    /// Reads a slot; `None` unless it is the one encoding of it.
    pub(in crate::ratchet) fn decode(bytes: &[u8; BRAID_SLOT_BYTES]) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (index, rest) = rest.split_first_chunk::<2>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (previous, rest) = rest.split_first_chunk::<4>()?;
        let (0, chunk) = rest.split_first()? else { return None };
        let epoch = Epoch(u32::from_be_bytes(*epoch));
        let chunk = Indexed { index: u16::from_be_bytes(*index), chunk: *chunk.first_chunk()? };
        let piece = match kind {
            0 if chunk.index == 0 && chunk.chunk.iter().all(|&byte| byte == 0) => Piece::Nothing,
            1 if chunk.index == 0 => Piece::Header(chunk.chunk),
            2 => Piece::Vector { chunk, first_half_came: false },
            3 => Piece::Vector { chunk, first_half_came: true },
            4 => Piece::FirstHalf(chunk),
            5 => Piece::SecondHalf(chunk),
            _ => return None,
        };
        let (number, previous) = (u32::from_be_bytes(*number), u32::from_be_bytes(*previous));
        (epoch >= Epoch::FIRST).then_some(Self { message: Message { epoch, piece }, number, previous })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot() -> Slot {
        let chunk = Indexed { index: 0x0102, chunk: [7; 96] };
        let message = Message { epoch: Epoch(3), piece: Piece::Vector { chunk, first_half_came: true } };
        Slot { message, number: 0x0a0b_0c0d, previous: 0x0102_0304 }
    }

    #[test]
    fn a_slot_has_one_layout() {
        let head = [0, 0, 0, 3, 3, 1, 2, 0x0a, 0x0b, 0x0c, 0x0d, 1, 2, 3, 4, 0];
        assert_eq!(slot().encode()[..16], head);
        assert_eq!(slot().encode()[16..], [7; 96]);
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            mut bytes in proptest::collection::vec(any::<u8>(), BRAID_SLOT_BYTES),
            kind in 0..8_u8,
            plain: bool,
        ) {
            (bytes[4], bytes[15]) = (kind, 0);
            if plain {
                bytes[5..7].fill(0);
                bytes[16..].fill(0);
            }
            let bytes: [u8; BRAID_SLOT_BYTES] = bytes.try_into().unwrap();
            match Slot::decode(&bytes) {
                Some(slot) => prop_assert_eq!(slot.encode(), bytes),
                None => prop_assert!(kind > 5 || (kind < 2 && !plain) || bytes[..4] == [0; 4]),
            }
        }
    }

    #[test]
    fn each_wrong_byte_is_refused() {
        assert_eq!(Slot::decode(&slot().encode()), Some(slot()));
        let wrong = |at: usize, value: u8| {
            let mut bytes = slot().encode();
            bytes[at] = value;
            Slot::decode(&bytes)
        };
        assert_eq!(wrong(4, 6), None, "an unknown kind");
        assert_eq!(wrong(4, 0), None, "nothing, with a chunk");
        assert_eq!(wrong(4, 1), None, "a second chunk of a header");
        assert_eq!(wrong(15, 1), None, "the byte that is zero");
        assert_eq!(wrong(3, 0), None, "epoch 0 is the handshake's");
    }
}
