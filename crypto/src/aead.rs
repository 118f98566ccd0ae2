//! ChaCha20-Poly1305 (RFC 8439 §2.8), always with the full 16-byte tag.
//!
//! Works in place: what is sealed leaves no plaintext behind, and what does not open is left as it came.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};

/// Length of a nonce, in bytes.
pub(crate) const NONCE_BYTES: usize = 12;
/// Length of a tag, in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// The tag does not fit key, nonce, associated data and ciphertext. The caller knows whose doing that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAuthentic;

/// Encrypts `buffer` in place and returns its tag.
pub(crate) fn seal_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    buffer: &mut [u8],
) -> [u8; TAG_BYTES] {
    ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, buffer.into())
        .expect("under 256 GiB: the largest bucket has 64 KiB")
        .into()
}

/// Checks the tag, then decrypts `buffer` in place. On an error the buffer still holds the ciphertext.
pub(crate) fn open_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), NotAuthentic> {
    ChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, buffer.into(), tag.into())
        .map_err(|_| NotAuthentic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens() {
        let mut buffer = *b"bread and butter";
        let tag = seal_in_place(&[1; 32], &[2; 12], b"associated", &mut buffer);
        assert_ne!(&buffer, b"bread and butter");
        assert_eq!(open_in_place(&[1; 32], &[2; 12], b"associated", &mut buffer, &tag), Ok(()));
        assert_eq!(&buffer, b"bread and butter");
    }

    #[test]
    fn what_does_not_open_is_left_as_it_came() {
        let mut buffer = *b"bread and butter";
        let mut tag = seal_in_place(&[1; 32], &[2; 12], b"associated", &mut buffer);
        let sealed = buffer;
        tag[15] ^= 0x80;
        assert_eq!(open_in_place(&[1; 32], &[2; 12], b"associated", &mut buffer, &tag), Err(NotAuthentic));
        assert_eq!(buffer, sealed);
    }
}
