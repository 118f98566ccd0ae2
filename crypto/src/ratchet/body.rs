//! The body of a packet: padded content, sealed under a key that serves this one packet.
//!
//! Body key and nonce come of the message key, salted with SHA-256 of the sealed header and its nonce. That nonce is fresh
//! at each seal, so a state that was rolled back and seals again under the same message key still never repeats a keystream.
//!
//! Padding: content ‖ 0x80 ‖ as many 0x00 as the bucket leaves.

use sotto_inner::{labels, limits::BUCKETS};
use zeroize::Zeroizing;

use super::{associated_data::AssociatedData, header::SEALED_HEADER_BYTES, plaintext::Plaintext};
use crate::{
    aead::{self, NONCE_BYTES, TAG_BYTES},
    error::PeerMisbehaved,
    kdf,
};

/// The byte that ends the content.
const PADDING_MARK: u8 = 0x80;
/// What a packet adds to its content at least, in bytes: nonce, sealed header, padding mark, two tags.
pub const PACKET_OVERHEAD: usize = SEALED_HEADER_BYTES + 1 + TAG_BYTES;
/// The largest packet, in bytes.
const PACKET_BYTES_MAX: usize = BUCKETS[BUCKETS.len() - 1];

/// How long a packet becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The smallest bucket that fits.
    Bucket,
    /// Content and [`PACKET_OVERHEAD`] alone: for a packet inside a sealed first message, which is padded itself.
    None,
}

impl Padding {
    /// Length of the packet that carries `content_bytes`; `None` if no packet does.
    pub(super) fn packet_bytes(self, content_bytes: usize) -> Option<usize> {
        let bytes = content_bytes.checked_add(PACKET_OVERHEAD)?;
        match self {
            Self::Bucket => BUCKETS.into_iter().find(|&bucket| bytes <= bucket),
            Self::None => (bytes <= PACKET_BYTES_MAX).then_some(bytes),
        }
    }
}

/// Key and nonce of one body.
pub(super) struct BodyKey(Zeroizing<[u8; 32 + NONCE_BYTES]>);

impl BodyKey {
    /// HKDF (RFC 5869), salt SHA-256(nonce ‖ sealed header ‖ tag), input the message key, info the label, 44 bytes.
    pub(super) fn derive(message_key: &[u8; 32], sealed_header: &[u8; SEALED_HEADER_BYTES]) -> Self {
        let salt = kdf::sha256(&[sealed_header]);
        let mut out = Zeroizing::new([0; 32 + NONCE_BYTES]);
        kdf::hkdf(&salt, &[message_key], &[labels::BODY_KEY], &mut *out);
        Self(out)
    }

    pub(super) fn parts(&self) -> (&[u8; 32], &[u8; NONCE_BYTES]) {
        let (key, nonce) = self.0.split_first_chunk().expect("44 bytes: a key and a nonce");
        (key, nonce.try_into().expect("12 bytes: what the key leaves of 44"))
    }
}

/// Seals the body behind the sealed header that `packet` begins with. `packet` is as long as it will be, and zero behind
/// the header.
pub(super) fn seal(message_key: &[u8; 32], associated: &AssociatedData, content: &[u8], packet: &mut [u8]) {
    let (sealed_header, body) =
        packet.split_first_chunk_mut().expect("longer than its header: PACKET_OVERHEAD says so");
    let (padded, tag) = body.split_last_chunk_mut::<TAG_BYTES>().expect("longer than its tag: PACKET_OVERHEAD says so");
    padded[..content.len()].copy_from_slice(content);
    padded[content.len()] = PADDING_MARK;
    let body_key = BodyKey::derive(message_key, sealed_header);
    let (key, nonce) = body_key.parts();
    *tag = aead::seal_in_place(key, nonce, &bound(associated, sealed_header), padded);
}

/// Opens a body and takes its padding off.
pub(super) fn open(
    message_key: &[u8; 32],
    associated: &AssociatedData,
    sealed_header: &[u8; SEALED_HEADER_BYTES],
    body: &[u8],
) -> Result<Plaintext, PeerMisbehaved> {
    let (ciphertext, tag) = body.split_last_chunk::<TAG_BYTES>().ok_or(PeerMisbehaved::MalformedBody)?;
    let mut content = Plaintext::new(ciphertext.to_vec());
    let body_key = BodyKey::derive(message_key, sealed_header);
    let (key, nonce) = body_key.parts();
    aead::open_in_place(key, nonce, &bound(associated, sealed_header), content.as_mut_slice(), tag)
        .map_err(|aead::NotAuthentic| PeerMisbehaved::BodyNotAuthentic)?;
    let length = content_length(&content).ok_or(PeerMisbehaved::MalformedBody)?;
    content.truncate(length);
    Ok(content)
}

/// Associated data of a body: the session's ‖ sealed header with nonce and tag.
pub(super) fn bound(
    associated: &AssociatedData,
    sealed_header: &[u8; SEALED_HEADER_BYTES],
) -> [u8; AssociatedData::BYTES + SEALED_HEADER_BYTES] {
    let mut bound = [0; AssociatedData::BYTES + SEALED_HEADER_BYTES];
    bound[..AssociatedData::BYTES].copy_from_slice(associated.as_bytes());
    bound[AssociatedData::BYTES..].copy_from_slice(sealed_header);
    bound
}

/// Length of the content in front of the padding. The body is authentic by now, so the time this takes tells a forger
/// nothing.
fn content_length(padded: &[u8]) -> Option<usize> {
    let mark = padded.iter().rposition(|&byte| byte != 0)?;
    (padded[mark] == PADDING_MARK).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn associated() -> AssociatedData {
        AssociatedData::new((&[1; 32].into(), &[2; 16].into()), (&[3; 32].into(), &[4; 16].into()))
    }

    #[test]
    fn a_packet_is_a_bucket_long() {
        let length = |content| Padding::Bucket.packet_bytes(content);
        assert_eq!(length(0), Some(1_024));
        assert_eq!(length(1_024 - PACKET_OVERHEAD), Some(1_024));
        assert_eq!(length(1_024 - PACKET_OVERHEAD + 1), Some(4_096));
        assert_eq!(length(65_536 - PACKET_OVERHEAD), Some(65_536));
        assert_eq!(length(65_536 - PACKET_OVERHEAD + 1), None);
        assert_eq!(length(usize::MAX), None);
        assert_eq!(Padding::None.packet_bytes(5), Some(5 + PACKET_OVERHEAD));
        assert_eq!(Padding::None.packet_bytes(65_536 - PACKET_OVERHEAD + 1), None);
        const { assert!(PACKET_OVERHEAD <= 208) };
    }

    #[test]
    fn padding_is_taken_off_as_it_was_put_on() {
        assert_eq!(content_length(&[0x80]), Some(0));
        assert_eq!(content_length(&[1, 2, 0x80, 0, 0]), Some(2));
        assert_eq!(content_length(&[1, 0x80, 0x80]), Some(2), "content may end in the mark");
        assert_eq!(content_length(&[1, 0, 0, 0x80]), Some(3), "content may end in zeros");
        assert_eq!(content_length(&[]), None, "no mark in nothing");
        assert_eq!(content_length(&[0, 0, 0]), None, "no mark in zeros");
        assert_eq!(content_length(&[0x80, 1]), None, "another byte behind the mark");
    }

    #[test]
    fn a_body_is_bound_to_all_that_stands_before_it() {
        let mut packet = vec![0; 1_024];
        packet[..SEALED_HEADER_BYTES].fill(5);
        seal(&[6; 32], &associated(), b"hello", &mut packet);
        let (header, body) = packet.split_first_chunk().unwrap();
        assert_eq!(open(&[6; 32], &associated(), header, body).unwrap()[..], *b"hello");

        let refused = PeerMisbehaved::BodyNotAuthentic;
        assert_eq!(open(&[7; 32], &associated(), header, body).unwrap_err(), refused, "another message key");
        let mut other = *header;
        other[0] ^= 1;
        assert_eq!(open(&[6; 32], &associated(), &other, body).unwrap_err(), refused, "another header");
        let swapped = AssociatedData::new((&[3; 32].into(), &[4; 16].into()), (&[1; 32].into(), &[2; 16].into()));
        assert_eq!(open(&[6; 32], &swapped, header, body).unwrap_err(), refused, "the two sides swapped");
        assert_eq!(open(&[6; 32], &associated(), header, &body[1..]).unwrap_err(), refused, "a byte cut off");
        assert_eq!(open(&[6; 32], &associated(), header, &[]).unwrap_err(), PeerMisbehaved::MalformedBody, "no body");
    }

    #[test]
    fn authentic_bytes_without_padding_are_refused() {
        let mut packet = [0; SEALED_HEADER_BYTES + 3 + TAG_BYTES];
        let (header, body) = packet.split_first_chunk_mut().unwrap();
        let (padded, tag) = body.split_last_chunk_mut::<TAG_BYTES>().unwrap();
        let body_key = BodyKey::derive(&[6; 32], header);
        let (key, nonce) = body_key.parts();
        *tag = aead::seal_in_place(key, nonce, &bound(&associated(), header), padded);
        let (header, body) = packet.split_first_chunk().unwrap();
        assert_eq!(open(&[6; 32], &associated(), header, body).unwrap_err(), PeerMisbehaved::MalformedBody);
    }
}
