//! The recovery key: 32 random bytes that a person writes down, as 14 groups of 4 letters and digits.
//!
//! The text is Crockford's base 32 of the key and 3 bytes of SHA-256 over it, so that a slip of the pen is noticed before
//! anything is tried, and told from a key of another profile.

use std::{fmt, sync::LazyLock};

use data_encoding::{Encoding, Specification};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    StoreError,
    secret::{KEY_BYTES, WrapKey, random},
};

/// The text is not a recovery key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("This is not a complete recovery key. Compare it with your copy: 14 groups of 4 letters and digits.")]
pub struct RecoveryKeyError;

/// A recovery key.
pub struct RecoveryKey(Zeroizing<[u8; KEY_BYTES]>);

impl RecoveryKey {
    /// Draws a key from the system's generator.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the system has no random bytes.
    pub fn generate() -> Result<Self, StoreError> {
        Ok(Self(random()?))
    }

    /// Reads a key from its text; spaces, dashes, small letters, `O` for `0`, `I` and `L` for `1` are forgiven.
    ///
    /// # Errors
    /// [`RecoveryKeyError`], if a sign is wrong, missing or too many.
    pub fn parse(text: &str) -> Result<Self, RecoveryKeyError> {
        let mut plain = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX));
        if text.len() > TEXT_BYTES_MAX {
            return Err(RecoveryKeyError);
        }
        plain.extend(text.chars().filter(|sign| !sign.is_whitespace() && *sign != '-'));
        let bytes = Zeroizing::new(CROCKFORD.decode(plain.as_bytes()).map_err(|_| RecoveryKeyError)?);
        let (key, check) = bytes.split_first_chunk::<KEY_BYTES>().ok_or(RecoveryKeyError)?;
        if check != checksum(key) {
            return Err(RecoveryKeyError);
        }
        Ok(Self(Zeroizing::new(*key)))
    }

    /// The text to write down.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES + CHECKSUM_BYTES]);
        bytes[..KEY_BYTES].copy_from_slice(self.0.as_slice());
        bytes[KEY_BYTES..].copy_from_slice(&checksum(&self.0));
        let plain = Zeroizing::new(CROCKFORD.encode(bytes.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX));
        for (index, sign) in plain.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(sign);
        }
        text
    }

    /// The key that wraps the database key: HKDF-SHA-256 (RFC 5869) with the slot's salt.
    pub(crate) fn wrap_key(&self, salt: &[u8]) -> WrapKey {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(Some(salt), self.0.as_slice())
            .expand(WRAP_LABEL, key.as_mut_slice())
            .expect("32 bytes: HKDF-SHA-256 gives up to 8,160");
        WrapKey::new(key)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("RecoveryKey(..)")
    }
}

fn checksum(key: &[u8; KEY_BYTES]) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::new().chain_update(CHECK_LABEL).chain_update(key).finalize();
    hash[..CHECKSUM_BYTES].try_into().expect("3 of 32 bytes: the length of a SHA-256 hash")
}

const CHECKSUM_BYTES: usize = 3;
const GROUP: usize = 4;
/// 56 signs with a separator or two after each; more is no recovery key.
const TEXT_BYTES_MAX: usize = 256;
const CHECK_LABEL: &[u8] = b"sotto recovery key checksum 0";
const WRAP_LABEL: &[u8] = b"sotto recovery key wrap 0";

static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut alphabet = Specification::new();
    alphabet.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    alphabet.translate.from.push_str("abcdefghjkmnpqrstvwxyzOoIiLl");
    alphabet.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ001111");
    alphabet.encoding().expect("32 distinct symbols, none of them translated")
});

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RecoveryKey {
        RecoveryKey(Zeroizing::new(core::array::from_fn(|index| index as u8 * 7)))
    }

    #[test]
    fn text_is_14_groups_of_4_and_reads_back() {
        let text = key().to_text();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 14]);
        assert_eq!(RecoveryKey::parse(&text).unwrap().0, key().0);
    }

    #[test]
    fn forgives_how_people_write() {
        let text = key().to_text();
        assert_eq!(RecoveryKey::parse(&text.to_lowercase().replace('-', " \n")).unwrap().0, key().0);
        assert_eq!(RecoveryKey::parse(&text.replace('0', "O").replace('1', "l")).unwrap().0, key().0);
    }

    #[test]
    fn every_single_slip_is_noticed() {
        let text = key().to_text();
        for (index, sign) in text.char_indices().filter(|(_, sign)| *sign != '-') {
            let other = if sign == 'Z' { "Y" } else { "Z" };
            let mut slip = text.to_string();
            slip.replace_range(index..=index, other);
            assert!(RecoveryKey::parse(&slip).is_err(), "sign {index}");
        }
    }

    #[test]
    fn cut_long_and_foreign_texts_are_refused() {
        let text = key().to_text();
        for bad in ["", "U", "é", &text[1..], &format!("{}0", *text), &"0".repeat(10_000)] {
            assert!(RecoveryKey::parse(bad).is_err());
        }
    }

    #[test]
    fn debug_shows_the_name_alone() {
        assert_eq!(format!("{:?}", key()), "RecoveryKey(..)");
    }
}
