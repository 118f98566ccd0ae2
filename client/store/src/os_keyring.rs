//! The system's keyring: one entry a slot, holding the slot's wrap key. Every failure is a typed one, for the person to get
//! on by passphrase or recovery key.

use data_encoding::HEXLOWER;
use keyring::v1::{Entry, Error};
use zeroize::Zeroizing;

use crate::{
    StoreError,
    secret::{KEY_BYTES, WrapKey, random},
};

const SERVICE: &str = "sotto";
const PROBE_BYTES: usize = 16;

/// Stores a wrap key and reads it back: some keyrings accept and forget.
pub(crate) fn put(name: &[u8], key: &WrapKey) -> Result<(), StoreError> {
    entry(name)?.set_secret(key.as_bytes()).map_err(refusal)?;
    if get(name)?.as_bytes() != key.as_bytes() {
        return Err(StoreError::KeyringUnavailable);
    }
    Ok(())
}

/// Whether the keyring takes an entry and gives it back.
pub(crate) fn answers() -> bool {
    let (Ok(name), Ok(key)) = (random::<PROBE_BYTES>(), random()) else { return false };
    let held = put(name.as_slice(), &WrapKey::new(key)).is_ok();
    if held {
        delete(name.as_slice());
    }
    held
}

/// Reads a wrap key.
pub(crate) fn get(name: &[u8]) -> Result<WrapKey, StoreError> {
    let secret = Zeroizing::new(entry(name)?.get_secret().map_err(refusal)?);
    let bytes: &[u8; KEY_BYTES] = secret.as_slice().try_into().map_err(|_| StoreError::KeyringLost)?;
    Ok(WrapKey::new(Zeroizing::new(*bytes)))
}

/// Deletes an entry. A keyring that fails here keeps a key that wraps nothing any more.
pub(crate) fn delete(name: &[u8]) {
    let _ = entry(name).map(|entry| entry.delete_credential());
}

fn entry(name: &[u8]) -> Result<Entry, StoreError> {
    Entry::new(SERVICE, &HEXLOWER.encode(name)).map_err(refusal)
}

/// The keyring's own words may hold names and paths, so none are passed on.
fn refusal(error: Error) -> StoreError {
    match error {
        Error::NoEntry | Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::Ambiguous(_) => {
            StoreError::KeyringLost
        }
        _ => StoreError::KeyringUnavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_keyring_lost_is_told_from_a_keyring_that_does_not_answer() {
        assert!(matches!(refusal(Error::NoEntry), StoreError::KeyringLost));
        assert!(matches!(refusal(Error::NoDefaultStore), StoreError::KeyringUnavailable));
        assert!(matches!(refusal(Error::NoStorageAccess("locked".into())), StoreError::KeyringUnavailable));
    }
}
