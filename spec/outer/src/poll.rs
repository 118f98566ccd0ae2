//! Long poll: the frames of a connection in the bodies of HTTP requests, for networks on which no WebSocket lives.
//!
//! A connection is a random token and polls numbered from 0. Poll n + 1 is sent once answer n − 1 has come, so at most two
//! are on their way. A poll that is asked again gets the same answer, and nothing in it is done twice.

use core::fmt;

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    PollToken,
    codec::{self, CodecError},
    limits::{FRAME_BYTES_MAX, POLL_BYTES_MAX, POLL_FRAMES_MAX},
};

/// An encoded frame.
pub type FrameBytes = ByteVec;

/// The body of a request.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Poll {
    /// The connection.
    #[n(0)]
    pub token: PollToken,
    /// Which poll of the connection. Number 0 opens it.
    #[n(1)]
    pub number: u32,
    /// Encoded [`crate::ClientFrame`]s, in order.
    #[n(2)]
    pub frames: Vec<FrameBytes>,
    /// Whether it is the connection's last poll: once its frames are answered, the relay forgets the connection.
    #[n(3)]
    pub last: bool,
}

/// The body of an answer.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PollAnswer {
    /// Which poll it answers.
    #[n(0)]
    pub number: u32,
    /// Encoded [`crate::RelayFrame`]s, in order; none, if nothing came while the poll hung.
    #[n(1)]
    pub frames: Vec<FrameBytes>,
}

impl Poll {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Decodes one canonical poll of at most `POLL_BYTES_MAX` bytes. Its frames are not looked into.
    ///
    /// # Errors
    /// [`CodecError`], for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let poll: Self = codec::decode(bytes, POLL_BYTES_MAX)?;
        bounded(&poll.frames)?;
        Ok(poll)
    }
}

impl PollAnswer {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Decodes one canonical answer of at most `POLL_BYTES_MAX` bytes. Its frames are not looked into.
    ///
    /// # Errors
    /// [`CodecError`], for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let answer: Self = codec::decode(bytes, POLL_BYTES_MAX)?;
        bounded(&answer.frames)?;
        Ok(answer)
    }
}

/// Whether one more frame of this length fits into a body with this many frames and bytes of frames.
pub const fn fits(frames: usize, bytes: usize, frame_bytes: usize) -> bool {
    frames < POLL_FRAMES_MAX && bytes + frame_bytes + (frames + 1) * HEAD_BYTES + ENVELOPE_BYTES <= POLL_BYTES_MAX
}

/// The most that CBOR puts before a frame.
const HEAD_BYTES: usize = 5;
/// More than what a body has besides its frames.
const ENVELOPE_BYTES: usize = 64;

fn bounded(frames: &[FrameBytes]) -> Result<(), CodecError> {
    let fits = frames.len() <= POLL_FRAMES_MAX
        && frames.iter().all(|frame| !frame.is_empty() && frame.len() <= FRAME_BYTES_MAX);
    if fits { Ok(()) } else { Err(CodecError::Malformed) }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, number, frames, last } = self;
        f.debug_struct("Poll").field("number", number).field("frames", &frames.len()).field("last", last).finish()
    }
}

impl fmt::Debug for PollAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, frames } = self;
        f.debug_struct("PollAnswer").field("number", number).field("frames", &frames.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(frames: Vec<Vec<u8>>) -> Poll {
        let frames = frames.into_iter().map(ByteVec::from).collect();
        Poll { token: [1; 32].into(), number: u32::MAX, frames, last: true }
    }

    #[test]
    fn a_poll_has_one_encoding() {
        let poll = poll(vec![vec![1], vec![2; 300]]);
        let bytes = poll.encode();
        assert_eq!(Poll::decode(&bytes), Ok(poll));
        assert_eq!(Poll::decode(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing));
    }

    #[test]
    fn what_fits_is_decoded_and_the_next_frame_does_not_fit() {
        for len in [1, 100, 4_096, FRAME_BYTES_MAX] {
            let mut frames = vec![];
            while fits(frames.len(), frames.len() * len, len) {
                frames.push(vec![7; len]);
            }
            assert!(frames.len() == POLL_FRAMES_MAX || (frames.len() + 1) * len > POLL_BYTES_MAX - 2_048);
            assert!(Poll::decode(&poll(frames).encode()).is_ok(), "{len}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let one = vec![7];
        assert!(Poll::decode(&poll(vec![one.clone(); POLL_FRAMES_MAX]).encode()).is_ok());
        assert_eq!(Poll::decode(&poll(vec![one; POLL_FRAMES_MAX + 1]).encode()), Err(CodecError::Malformed));
        assert_eq!(Poll::decode(&poll(vec![vec![]]).encode()), Err(CodecError::Malformed));
        let long = vec![vec![7; FRAME_BYTES_MAX + 1]];
        assert_eq!(Poll::decode(&poll(long).encode()), Err(CodecError::Malformed));
        let many = vec![vec![7; FRAME_BYTES_MAX]; 5];
        assert_eq!(Poll::decode(&poll(many).encode()), Err(CodecError::TooLong { max: POLL_BYTES_MAX }));
    }
}
