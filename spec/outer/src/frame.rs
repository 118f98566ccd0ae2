//! The frames of a connection, each way. The same bytes travel over WebSocket, long poll and the simulated world.

use minicbor::{Decode, Encode};

use crate::{
    Answer, ChannelEntry, Command, EnvelopeId, ReceiveId,
    codec::{self, CodecError},
    limits::FRAME_BYTES_MAX,
};

/// From client to relay.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ClientFrame {
    /// Chosen by the client; the answer carries it.
    #[n(0)]
    pub request: u32,
    /// What is asked.
    #[n(1)]
    pub command: Command,
}

/// From relay to client.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum RelayFrame {
    /// The answer to a request.
    #[n(0)]
    Answer {
        /// Which request.
        #[n(0)]
        request: u32,
        /// How it went.
        #[n(1)]
        answer: Answer,
    },
    /// An envelope of a subscribed mailbox.
    #[n(1)]
    Deliver(#[n(0)] Deliver),
    /// All that waited in this mailbox when it was subscribed has been delivered and acknowledged.
    #[n(2)]
    CaughtUp {
        /// Which mailbox.
        #[n(0)]
        mailbox: ReceiveId,
    },
    /// An entry of a subscribed channel.
    #[n(3)]
    Entry(#[n(0)] ChannelEntry),
}

/// An envelope on its way to its reader. It stays at the relay until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Deliver {
    /// The reader's name of the mailbox.
    #[n(0)]
    pub mailbox: ReceiveId,
    /// The envelope's id.
    #[n(1)]
    pub id: EnvelopeId,
    /// What the sender sent.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub payload: Vec<u8>,
}

macro_rules! frame {
    ($name:ident) => {
        impl $name {
            /// Deterministic CBOR.
            pub fn encode(&self) -> Vec<u8> {
                codec::encode(self)
            }

            /// Decodes one canonical frame of at most `FRAME_BYTES_MAX` bytes.
            ///
            /// # Errors
            /// [`CodecError`], for anything else.
            pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
                codec::decode(bytes, FRAME_BYTES_MAX)
            }
        }
    };
}

frame!(ClientFrame);
frame!(RelayFrame);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ack, Fetch};

    #[test]
    fn a_frame_has_one_encoding() {
        let frame = ClientFrame {
            request: 1,
            command: Command::Ack(Ack { mailbox: [1; 16].into(), ids: vec![[2; 16].into()] }),
        };
        let bytes = frame.encode();
        assert_eq!(ClientFrame::decode(&bytes), Ok(frame));
        assert_eq!(ClientFrame::decode(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing));
        assert_eq!(ClientFrame::decode(&bytes[..bytes.len() - 1]), Err(CodecError::Malformed));
        // 1 as a two-byte integer: the same value, not the same bytes.
        let long = [&bytes[..1], &[0x18, 0x01], &bytes[2..]].concat();
        assert_eq!(ClientFrame::decode(&long), Err(CodecError::NotCanonical));
    }

    #[test]
    fn absent_fields_are_absent() {
        let fetch = Command::Fetch(Fetch { bundle: [5; 16].into(), proof: None });
        assert_eq!(codec::encode(&fetch).len(), 1 + 1 + 1 + 1 + 17);
    }

    #[test]
    fn an_oversized_frame_is_not_parsed() {
        let bytes = vec![0; FRAME_BYTES_MAX + 1];
        assert_eq!(RelayFrame::decode(&bytes), Err(CodecError::TooLong { max: FRAME_BYTES_MAX }));
    }
}
