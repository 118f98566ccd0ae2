//! The message key: one packet's share of a chain.
//!
//! It seals nothing itself. Mixed with the Braid's key of the same packet, and salted with the hash
//! of the sealed header, it yields the packet's body key and nonce.

use core::fmt;

use zeroize::ZeroizeOnDrop;

use super::skipped::SkippedKey;
use crate::secret::Secret32;

/// The Double Ratchet's key of one packet.
#[derive(ZeroizeOnDrop)]
pub(super) struct MessageKey(Secret32);

impl MessageKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Kept for a packet that has not come yet.
    pub(super) fn into_skipped(self) -> SkippedKey {
        SkippedKey::new(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("MessageKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", MessageKey::new(Secret32::copied(&[7; 32]))), @"MessageKey(..)");
    }
}
