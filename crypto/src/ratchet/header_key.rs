//! The header key: seals the headers of one chain, and so tells whose packet it is.
//!
//! A reader holds a few of them and tries each; a packet that none opens has cost those trials and nothing else. Nonces
//! are random: a chain seals at most 2^32 headers, so that two share a nonce with a probability under 2^-32.

use core::fmt;

use zeroize::ZeroizeOnDrop;

use super::header::{HEADER_BYTES, SEALED_HEADER_BYTES};
use crate::{
    aead::{self, NONCE_BYTES, TAG_BYTES},
    secret::Secret32,
};

/// Seals the headers of one chain.
#[derive(ZeroizeOnDrop)]
pub(super) struct HeaderKey(Secret32);

impl HeaderKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Seals an encoded header in place: `sealed` holds nonce ‖ header ‖ room for the tag.
    pub(super) fn seal(&self, sealed: &mut [u8; SEALED_HEADER_BYTES]) {
        let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_BYTES>().expect("longer than its nonce");
        let (header, tag) = rest.split_first_chunk_mut::<HEADER_BYTES>().expect("longer than nonce and header");
        tag.copy_from_slice(&aead::seal_in_place(self.0.as_bytes(), nonce, &[], header));
    }

    /// Opens a sealed header, if it is this key's. `scratch` is untouched if it is not: one copy serves many trials.
    pub(super) fn opens(&self, scratch: &mut [u8; SEALED_HEADER_BYTES]) -> bool {
        let (nonce, rest) = scratch.split_first_chunk_mut::<NONCE_BYTES>().expect("longer than its nonce");
        let (header, tag) = rest.split_first_chunk_mut::<HEADER_BYTES>().expect("longer than nonce and header");
        let tag: &[u8; TAG_BYTES] = (&*tag).try_into().expect("16 bytes: what nonce and header leave");
        aead::open_in_place(self.0.as_bytes(), nonce, &[], header, tag).is_ok()
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("HeaderKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_leaves_the_scratch_untouched() {
        let mut sealed = [5; SEALED_HEADER_BYTES];
        let key = HeaderKey::new(Secret32::copied(&[7; 32]));
        key.seal(&mut sealed);
        let mut scratch = sealed;
        assert!(!HeaderKey::new(Secret32::copied(&[8; 32])).opens(&mut scratch));
        assert_eq!(scratch, sealed);
        assert!(key.opens(&mut scratch));
        assert_eq!(scratch[NONCE_BYTES..][..HEADER_BYTES], [5; HEADER_BYTES]);
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", HeaderKey::new(Secret32::copied(&[7; 32]))), @"HeaderKey(..)");
    }
}
