//! What a body held: wiped on drop, and in one sweep.

use core::{fmt, ops::Deref};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Opened content.
pub struct Plaintext(Vec<u8>);

impl Plaintext {
    /// Takes a buffer over; from here on it is wiped.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The whole buffer, to decrypt in place.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Cuts the padding off, which tells nothing and need not be wiped.
    pub(super) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        // As a slice: a `Vec` would be wiped byte by byte, which takes as long as opening it did.
        self.0.as_mut_slice().zeroize();
    }
}

impl ZeroizeOnDrop for Plaintext {}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Plaintext(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", Plaintext::new(b"secret".to_vec())), @"Plaintext(..)");
    }
}
