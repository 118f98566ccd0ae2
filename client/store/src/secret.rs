//! What opens a profile and what it is opened with. Wiped on drop; `Debug` shows no byte and no length.

use std::fmt;

use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroizing;

use crate::StoreError;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// A passphrase, as the person typed it.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text over, so that no copy stays behind.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Passphrase(..)")
    }
}

/// The key of the database; random, never derived from what a person can remember.
pub(crate) struct DatabaseKey(Zeroizing<[u8; KEY_BYTES]>);

/// A key that wraps the database key in a slot.
pub(crate) struct WrapKey(Zeroizing<[u8; KEY_BYTES]>);

macro_rules! key {
    ($name:ident) => {
        impl $name {
            /// Takes over bytes that were drawn or derived.
            pub(crate) fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
                Self(bytes)
            }

            pub(crate) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

key!(DatabaseKey);
key!(WrapKey);

/// Bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, StoreError> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(bytes.as_mut_slice()).map_err(|_| StoreError::Io("no random bytes".to_owned()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_alone() {
        let key = Zeroizing::new([0x41; KEY_BYTES]);
        assert_eq!(format!("{:?}", Passphrase::new("AAAA".into())), "Passphrase(..)");
        assert_eq!(format!("{:?}", DatabaseKey::new(key.clone())), "DatabaseKey(..)");
        assert_eq!(format!("{:?}", WrapKey::new(key)), "WrapKey(..)");
    }
}
