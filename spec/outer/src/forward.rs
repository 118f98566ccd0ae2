//! Two hops: a command for one relay, sealed, goes through another. The one that forwards learns who asks and which relay is
//! asked, the one that answers learns what is asked and not by whom.
//!
//! After Oblivious HTTP (RFC 9458), with X-Wing under HPKE (RFC 9180) and one length each way.

use minicbor::{Decode, Encode, bytes::ByteArray};

use crate::{
    Answer, Command, OwnerSignature, RelayAddress, RelayIdentity,
    codec::{self, CodecError},
    labels,
    limits::{FORWARD_ANSWER_BYTES, FORWARD_COMMAND_BYTES, FORWARD_KEY_BYTES},
};

/// Asks a relay to carry something to another one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Forward {
    /// The other relay.
    #[n(0)]
    pub target: RelayAddress,
    /// What to ask there.
    #[n(1)]
    pub hop: Hop,
}

/// What is asked of the other relay.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Hop {
    /// Its key, to seal commands to.
    #[n(0)]
    Key,
    /// A sealed command, exactly `FORWARD_REQUEST_BYTES`.
    #[n(1)]
    Request {
        /// Opaque to whoever forwards it.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
}

/// What the other relay said.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Forwarded {
    /// Its key.
    #[n(0)]
    Key(#[n(0)] Box<ForwardKey>),
    /// A sealed answer, exactly `FORWARD_RESPONSE_BYTES`.
    #[n(1)]
    Response {
        /// Opaque to whoever forwards it.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
}

/// A relay's key of one week, to which commands are sealed. It opens in its week and the one after.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardKey {
    /// Weeks since 1970-01-01.
    #[n(0)]
    pub week: u32,
    /// X-Wing: an ML-KEM-768 encapsulation key and an X25519 public key.
    #[n(1)]
    pub key: ByteArray<FORWARD_KEY_BYTES>,
    /// The relay identity's signature over [`ForwardKey::signed`].
    #[n(2)]
    pub signature: OwnerSignature,
}

impl ForwardKey {
    /// What a relay signs: label, its identity, the week, the key. No connection is in it, for the key comes through another relay.
    pub fn signed(relay: &RelayIdentity, week: u32, key: &[u8; FORWARD_KEY_BYTES]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + FORWARD_KEY_BYTES);
        bytes.push(u8::try_from(labels::FORWARD_KEY.len()).expect("labels are short"));
        bytes.extend_from_slice(labels::FORWARD_KEY);
        bytes.extend_from_slice(relay.as_bytes());
        bytes.extend_from_slice(&week.to_be_bytes());
        bytes.extend_from_slice(key);
        bytes
    }
}

/// Without the bytes of a key.
impl core::fmt::Debug for ForwardKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { week, key: _, signature: _ } = self;
        f.debug_struct("ForwardKey").field("week", week).finish_non_exhaustive()
    }
}

/// HPKE's `info` of a sealed command: label, the relay it is for, the week of its key.
pub fn request_info(relay: &RelayIdentity, week: u32) -> Vec<u8> {
    [labels::FORWARD_REQUEST, relay.as_bytes(), &week.to_be_bytes()].concat()
}

/// What is sealed to the other relay.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardedCommand {
    /// The client's clock, in seconds since 1970-01-01.
    #[n(0)]
    pub time_secs: u64,
    /// One of those that need no connection: `send`, `fetch`, `append`, `advance`.
    #[n(1)]
    pub command: Command,
}

/// What is sealed to the client.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ForwardedAnswer {
    /// To the command.
    #[n(0)]
    Answer(#[n(0)] Answer),
    /// Nothing was done: the client's clock is too far from this one. Ask again with this time.
    #[n(1)]
    Clock {
        /// The relay's clock, in seconds since 1970-01-01.
        #[n(0)]
        time_secs: u64,
    },
}

impl ForwardedCommand {
    /// Length, deterministic CBOR, zeros: `FORWARD_COMMAND_BYTES` in all.
    ///
    /// # Errors
    /// [`CodecError::TooLong`]: no command that may be forwarded is.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        pad(codec::encode(self), FORWARD_COMMAND_BYTES)
    }

    /// The one canonical encoding.
    ///
    /// # Errors
    /// [`CodecError`], for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(unpad(bytes, FORWARD_COMMAND_BYTES)?, FORWARD_COMMAND_BYTES)
    }
}

impl ForwardedAnswer {
    /// Length, deterministic CBOR, zeros: `FORWARD_ANSWER_BYTES` in all.
    ///
    /// # Errors
    /// [`CodecError::TooLong`]: no answer to a command that may be forwarded is.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        pad(codec::encode(self), FORWARD_ANSWER_BYTES)
    }

    /// The one canonical encoding.
    ///
    /// # Errors
    /// [`CodecError`], for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(unpad(bytes, FORWARD_ANSWER_BYTES)?, FORWARD_ANSWER_BYTES)
    }
}

/// Bytes of the length in front.
const LEN_BYTES: usize = 4;

fn pad(item: Vec<u8>, bytes: usize) -> Result<Vec<u8>, CodecError> {
    let len = u32::try_from(item.len()).ok().filter(|_| item.len() <= bytes - LEN_BYTES);
    let len = len.ok_or(CodecError::TooLong { max: bytes - LEN_BYTES })?;
    let mut padded = Vec::with_capacity(bytes);
    padded.extend_from_slice(&len.to_be_bytes());
    padded.extend_from_slice(&item);
    padded.resize(bytes, 0);
    Ok(padded)
}

fn unpad(padded: &[u8], bytes: usize) -> Result<&[u8], CodecError> {
    if padded.len() != bytes {
        return Err(CodecError::Malformed);
    }
    let (len, rest) = padded.split_first_chunk().ok_or(CodecError::Malformed)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| CodecError::Malformed)?;
    let (item, zeros) = rest.split_at_checked(len).ok_or(CodecError::Malformed)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(CodecError::NotCanonical);
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Advance, Bundle, Fetch, Send,
        limits::{BUNDLE_MAIN_BYTES, BUNDLE_PART_BYTES, ENTRY_BYTES_MAX, PAYLOAD_BYTES_MAX},
    };

    fn largest() -> ForwardedCommand {
        let send = Send {
            mailbox: [1; 16].into(),
            capability: [2; 32].into(),
            id: [3; 16].into(),
            ttl_secs: Some(u32::MAX),
            payload: vec![4; PAYLOAD_BYTES_MAX],
            proof: Some([5; 8].into()),
        };
        ForwardedCommand { time_secs: u64::MAX, command: Command::Send(send) }
    }

    fn largest_entry() -> ForwardedCommand {
        let advance = Advance {
            channel: [1; 16].into(),
            generation: u32::MAX,
            id: [2; 16].into(),
            entry: vec![3; ENTRY_BYTES_MAX],
            next_verify_key: [4; 32].into(),
            next_read_hash: [5; 32].into(),
            signature: [6; 64].into(),
        };
        ForwardedCommand { time_secs: u64::MAX, command: Command::Advance(advance) }
    }

    #[test]
    fn every_command_and_every_answer_has_the_same_length() {
        let fetch = Command::Fetch(Fetch { bundle: [1; 16].into(), proof: None });
        for command in [ForwardedCommand { time_secs: 0, command: fetch }, largest(), largest_entry()] {
            let bytes = command.encode().unwrap();
            assert_eq!(bytes.len(), FORWARD_COMMAND_BYTES);
            assert_eq!(ForwardedCommand::decode(&bytes), Ok(command));
        }
        let bundle =
            Bundle { main: vec![6; BUNDLE_MAIN_BYTES], pair: Some(vec![7; BUNDLE_PART_BYTES]), last_resort: None };
        for answer in [
            ForwardedAnswer::Answer(Answer::Done),
            ForwardedAnswer::Answer(Answer::Bundle(bundle)),
            ForwardedAnswer::Answer(Answer::Appended { seq: u64::MAX }),
            ForwardedAnswer::Answer(Answer::Stale { generation: u32::MAX }),
            ForwardedAnswer::Clock { time_secs: u64::MAX },
        ] {
            let bytes = answer.encode().unwrap();
            assert_eq!(bytes.len(), FORWARD_ANSWER_BYTES);
            assert_eq!(ForwardedAnswer::decode(&bytes), Ok(answer));
        }
    }

    #[test]
    fn padding_is_zeros_and_nothing_else() {
        let bytes = largest().encode().unwrap();
        let changed = |at: usize, to: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = to;
            ForwardedCommand::decode(&bytes)
        };
        assert_eq!(changed(FORWARD_COMMAND_BYTES - 1, 1), Err(CodecError::NotCanonical));
        assert_eq!(changed(0, 1), Err(CodecError::Malformed), "a length beyond the end");
        assert_eq!(ForwardedCommand::decode(&bytes[1..]), Err(CodecError::Malformed), "a byte short");
    }
}
