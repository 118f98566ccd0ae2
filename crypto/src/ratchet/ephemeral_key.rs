//! The ephemeral key: seals typing and presence, beside the chain.
//!
//! Derived once per Diffie-Hellman step and direction. It never moves, so an ephemeral packet can be lost, repeated or
//! reordered without any state changing; each body is still sealed under a key of its own, since the body key is salted
//! with the hash of a sealed header that has a random nonce.

use core::fmt;

use zeroize::ZeroizeOnDrop;

use crate::secret::Secret32;

/// Seals the ephemeral packets of one direction between two Diffie-Hellman steps.
#[derive(ZeroizeOnDrop)]
pub(super) struct EphemeralKey(Secret32);

impl EphemeralKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("EphemeralKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", EphemeralKey::new(Secret32::copied(&[7; 32]))), @"EphemeralKey(..)");
    }
}
