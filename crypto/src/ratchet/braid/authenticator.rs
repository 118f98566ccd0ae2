//! The authenticator: vouches, from epoch to epoch, that header and ciphertext come from the other side of this session.
//!
//! It begins with a secret of the handshake and takes in each epoch's secret, so that whoever stole it is shut out by the
//! first epoch they do not follow.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sotto_inner::labels;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::message::Epoch;
use crate::{
    kdf,
    mlkem768::{FirstHalf, Header, SecondHalf},
    secret::{SECRET_BYTES, Secret32},
};

/// Length of a tag: HMAC-SHA256 (RFC 2104), not cut.
pub(super) const TAG_BYTES: usize = 32;

/// A tag.
pub(super) type Tag = [u8; TAG_BYTES];

/// The authenticator at one epoch.
pub(in crate::ratchet) struct Authenticator {
    pub(super) root: Secret32,
    pub(super) mac_key: Secret32,
}

/// A tag does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAuthentic;

impl Authenticator {
    /// The first, of the handshake's secret for the Braid.
    pub(super) fn start(secret: &Secret32) -> Self {
        Self::derive(&[secret.as_bytes()], Epoch(0))
    }

    /// The next one: the one that knows the secret of `epoch`.
    pub(super) fn update(&self, epoch: Epoch, secret: &Secret32) -> Self {
        Self::derive(&[self.root.as_bytes(), secret.as_bytes()], epoch)
    }

    /// HKDF (RFC 5869), salt of 32 zero bytes, info label ‖ epoch, 64 bytes: root ‖ key of the tags.
    fn derive(input: &[&[u8]], epoch: Epoch) -> Self {
        let mut out = Zeroizing::new([0; 2 * SECRET_BYTES]);
        kdf::hkdf(&[0; 32], input, &[labels::BRAID_AUTHENTICATOR, &epoch.to_be_bytes()], &mut *out);
        let (root, mac_key) = out.split_at(SECRET_BYTES);
        let root = Secret32::from_slice(root).expect("32 bytes: the first half of 64");
        let mac_key = Secret32::from_slice(mac_key).expect("32 bytes: the second half of 64");
        Self { root, mac_key }
    }

    pub(super) fn header_tag(&self, epoch: Epoch, header: &Header) -> Tag {
        self.tag(&[labels::BRAID_HEADER, &epoch.to_be_bytes(), header])
    }

    pub(super) fn ciphertext_tag(&self, epoch: Epoch, first: &FirstHalf, second: &SecondHalf) -> Tag {
        self.tag(&[labels::BRAID_CIPHERTEXT, &epoch.to_be_bytes(), first, second])
    }

    fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.mac_key.as_bytes()).expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(super) fn duplicate(&self) -> Self {
        let Self { root, mac_key } = self;
        Self { root: root.duplicate(), mac_key: mac_key.duplicate() }
    }
}

/// Compares in constant time.
pub(super) fn verify(expected: &Tag, tag: &Tag) -> Result<(), NotAuthentic> {
    if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(NotAuthentic) }
}

impl ConstantTimeEq for Authenticator {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.root.ct_eq(&other.root) & self.mac_key.ct_eq(&other.mac_key)
    }
}

impl core::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { root: _, mac_key: _ } = self;
        f.write_str("Authenticator(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret32 {
        Secret32::copied(&[byte; 32])
    }

    #[test]
    fn every_input_counts() {
        let start = Authenticator::start(&secret(1));
        let next = start.update(Epoch(1), &secret(2));
        let others = [
            Authenticator::start(&secret(2)),
            start.update(Epoch(2), &secret(2)),
            start.update(Epoch(1), &secret(3)),
            next.update(Epoch(1), &secret(2)),
            start.duplicate(),
        ];
        for other in others {
            assert!(!bool::from(next.ct_eq(&other)));
        }
        assert!(bool::from(next.ct_eq(&start.update(Epoch(1), &secret(2)))));
    }

    #[test]
    fn a_tag_is_of_all_that_it_vouches_for() {
        let authenticator = Authenticator::start(&secret(1));
        let tag = authenticator.header_tag(Epoch(1), &[7; 64]);
        let mut others = vec![
            authenticator.header_tag(Epoch(2), &[7; 64]),
            authenticator.header_tag(Epoch(1), &[8; 64]),
            Authenticator::start(&secret(2)).header_tag(Epoch(1), &[7; 64]),
            authenticator.ciphertext_tag(Epoch(1), &[7; 960], &[7; 128]),
        ];
        others.push(authenticator.ciphertext_tag(Epoch(1), &[7; 960], &[8; 128]));
        for (index, other) in others.iter().enumerate() {
            assert_eq!(verify(&tag, other), Err(NotAuthentic), "{index}");
        }
        assert_eq!(verify(&tag, &authenticator.header_tag(Epoch(1), &[7; 64])), Ok(()));
        for bit in 0..256 {
            let mut flipped = tag;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&tag, &flipped), Err(NotAuthentic), "bit {bit}");
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", Authenticator::start(&secret(1))), @"Authenticator(..)");
    }
}
