//! Strict, bounded CBOR: one value has one encoding, and nothing else decodes.
//!
//! Canonical form is checked by encoding what was decoded and comparing: unknown keys, long integers, indefinite
//! lengths, wrong order and duplicated keys all differ there, with no rule of their own that could be forgotten.

use minicbor::{Decode, Encode};

/// Why bytes were refused. Always the sender's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Longer than the type allows; nothing was parsed.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
    },
    /// Not CBOR, not this type, or a value outside its range.
    #[error("malformed")]
    Malformed,
    /// Bytes follow the value.
    #[error("trailing bytes")]
    Trailing,
    /// The same value has another, canonical encoding (RFC 8949 §4.2.1), or keys this version does not know.
    #[error("not canonical")]
    NotCanonical,
}

/// Encodes a value to deterministic CBOR.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a Vec cannot fail")
}

/// Decodes the one canonical encoding of a value of at most `bytes_max` bytes.
///
/// # Errors
/// [`CodecError`], for anything else.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8], bytes_max: usize) -> Result<T, CodecError> {
    if bytes.len() > bytes_max {
        return Err(CodecError::TooLong { max: bytes_max });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value: T = decoder.decode().map_err(|_| CodecError::Malformed)?;
    if decoder.position() != bytes.len() {
        return Err(CodecError::Trailing);
    }
    let mut same = Same(bytes);
    match minicbor::encode(&value, &mut same) {
        Ok(()) if same.0.is_empty() => Ok(value),
        Ok(()) | Err(_) => Err(CodecError::NotCanonical),
    }
}

/// Takes an encoding as long as it is the expected one; what is still expected. Nothing is copied.
struct Same<'b>(&'b [u8]);

/// It is another one.
#[derive(Debug, thiserror::Error)]
#[error("other bytes")]
struct Differs;

impl minicbor::encode::Write for Same<'_> {
    type Error = Differs;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Differs> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Differs)?;
        Ok(())
    }
}
