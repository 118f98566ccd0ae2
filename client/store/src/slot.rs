//! A key slot: the database key, wrapped by ChaCha20-Poly1305 (RFC 8439) under a key that one secret opens.
//!
//! How the wrap key is made (salts, Argon2 parameters) is the associated data, so a slot whose parameters were changed does
//! not open. Below the floor, or above the ceiling, it is not even tried: the first would help a guesser who steals the
//! next file, the second would eat the machine.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use minicbor::{Decode, Encode};
use sotto_outer::codec;
use zeroize::Zeroizing;

use crate::{
    Passphrase, RecoveryKey, StoreError, os_keyring,
    secret::{DatabaseKey, KEY_BYTES, WrapKey, random},
};

/// What a slot is opened with. A profile has at most one slot of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A passphrase, through Argon2id.
    Passphrase,
    /// A key in the system's keyring.
    Keyring,
    /// The recovery key.
    Recovery,
}

/// Fits "not locked with a …".
impl fmt::Display for SlotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase => "passphrase",
            Self::Keyring => "key in the system's keyring",
            Self::Recovery => "recovery key",
        })
    }
}

/// A slot, as the key file holds it. Nothing in it is secret without its opener.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Slot {
    #[n(0)]
    opener: Opener,
    #[cbor(n(1), with = "minicbor::bytes")]
    nonce: [u8; NONCE_BYTES],
    /// The database key, then the tag.
    #[cbor(n(2), with = "minicbor::bytes")]
    wrapped: [u8; KEY_BYTES + TAG_BYTES],
}

/// How a slot's wrap key is made.
#[derive(Clone, Encode, Decode)]
#[cbor(flat)]
enum Opener {
    /// Argon2id, RFC 9106.
    #[n(0)]
    Passphrase {
        #[cbor(n(0), with = "minicbor::bytes")]
        salt: [u8; SALT_BYTES],
        #[n(1)]
        work: Work,
    },
    /// The entry of the system's keyring that holds the wrap key.
    #[n(1)]
    Keyring {
        #[cbor(n(0), with = "minicbor::bytes")]
        entry: [u8; SALT_BYTES],
    },
    /// HKDF of the recovery key.
    #[n(2)]
    Recovery {
        #[cbor(n(0), with = "minicbor::bytes")]
        salt: [u8; SALT_BYTES],
    },
}

/// Argon2's parameters.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Work {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

impl Slot {
    /// Wraps the database key under a passphrase.
    pub(crate) fn for_passphrase(key: &DatabaseKey, passphrase: &Passphrase) -> Result<Self, StoreError> {
        let salt = *random()?;
        let wrap_key = stretch(passphrase, &salt, FLOOR)?;
        Self::wrap(key, &wrap_key, Opener::Passphrase { salt, work: FLOOR })
    }

    /// Wraps the database key under a new key, which the system's keyring then holds.
    pub(crate) fn for_keyring(key: &DatabaseKey) -> Result<Self, StoreError> {
        let entry = *random()?;
        let wrap_key = WrapKey::new(random()?);
        os_keyring::put(&entry, &wrap_key)?;
        Self::wrap(key, &wrap_key, Opener::Keyring { entry })
    }

    /// Wraps the database key under a recovery key.
    pub(crate) fn for_recovery(key: &DatabaseKey, recovery: &RecoveryKey) -> Result<Self, StoreError> {
        let salt = *random()?;
        Self::wrap(key, &recovery.wrap_key(&salt), Opener::Recovery { salt })
    }

    pub(crate) const fn kind(&self) -> SlotKind {
        match self.opener {
            Opener::Passphrase { .. } => SlotKind::Passphrase,
            Opener::Keyring { .. } => SlotKind::Keyring,
            Opener::Recovery { .. } => SlotKind::Recovery,
        }
    }

    /// Opens a passphrase slot.
    pub(crate) fn open_with_passphrase(&self, passphrase: &Passphrase) -> Result<DatabaseKey, StoreError> {
        let Opener::Passphrase { salt, work } = &self.opener else {
            return Err(StoreError::NoSuchSlot(SlotKind::Passphrase));
        };
        work.check()?;
        self.unwrap(&stretch(passphrase, salt, *work)?).ok_or(StoreError::WrongPassphrase)
    }

    /// Opens a keyring slot.
    pub(crate) fn open_with_keyring(&self) -> Result<DatabaseKey, StoreError> {
        let Opener::Keyring { entry } = &self.opener else {
            return Err(StoreError::NoSuchSlot(SlotKind::Keyring));
        };
        self.unwrap(&os_keyring::get(entry)?).ok_or(StoreError::KeyringLost)
    }

    /// Opens a recovery slot.
    pub(crate) fn open_with_recovery(&self, recovery: &RecoveryKey) -> Result<DatabaseKey, StoreError> {
        let Opener::Recovery { salt } = &self.opener else {
            return Err(StoreError::NoSuchSlot(SlotKind::Recovery));
        };
        self.unwrap(&recovery.wrap_key(salt)).ok_or(StoreError::WrongRecoveryKey)
    }

    /// Takes back what lies outside the key file, once the slot is no longer in it.
    pub(crate) fn forget(&self) {
        match &self.opener {
            Opener::Keyring { entry } => os_keyring::delete(entry),
            Opener::Passphrase { .. } | Opener::Recovery { .. } => {}
        }
    }

    fn wrap(key: &DatabaseKey, wrap_key: &WrapKey, opener: Opener) -> Result<Self, StoreError> {
        let nonce = *random()?;
        // Every wrap key is fresh or salted afresh, so no nonce meets its key twice.
        let mut buffer = Zeroizing::new(*key.as_bytes());
        let tag = ChaCha20Poly1305::new(wrap_key.as_bytes().into())
            .encrypt_inout_detached(&nonce.into(), &opener.associated_data(), buffer.as_mut_slice().into())
            .expect("32 bytes: far below the cipher's limit");
        let mut wrapped = [0; KEY_BYTES + TAG_BYTES];
        wrapped[..KEY_BYTES].copy_from_slice(buffer.as_slice());
        wrapped[KEY_BYTES..].copy_from_slice(&tag);
        Ok(Self { opener, nonce, wrapped })
    }

    fn unwrap(&self, wrap_key: &WrapKey) -> Option<DatabaseKey> {
        let (sealed, tag) = self.wrapped.split_first_chunk::<KEY_BYTES>()?;
        let tag: &[u8; TAG_BYTES] = tag.try_into().ok()?;
        let mut key = Zeroizing::new(*sealed);
        ChaCha20Poly1305::new(wrap_key.as_bytes().into())
            .decrypt_inout_detached(
                &self.nonce.into(),
                &self.opener.associated_data(),
                key.as_mut_slice().into(),
                tag.into(),
            )
            .ok()?;
        Some(DatabaseKey::new(key))
    }
}

impl Opener {
    fn associated_data(&self) -> Vec<u8> {
        [LABEL, &codec::encode(self)].concat()
    }
}

impl Work {
    fn check(self) -> Result<(), StoreError> {
        let Self { memory_kib, passes, lanes } = self;
        if memory_kib < FLOOR.memory_kib || passes < FLOOR.passes || lanes == 0 {
            return Err(StoreError::WeakSlot);
        }
        if memory_kib > CEILING.memory_kib || passes > CEILING.passes || lanes > CEILING.lanes {
            return Err(StoreError::Damaged("the key file asks for more work than any machine should do"));
        }
        Ok(())
    }
}

fn stretch(passphrase: &Passphrase, salt: &[u8], work: Work) -> Result<WrapKey, StoreError> {
    let params = Params::new(work.memory_kib, work.passes, work.lanes, Some(KEY_BYTES))
        .map_err(|_| StoreError::Damaged("the key file's parameters contradict each other"))?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(|_| StoreError::WrongPassphrase)?;
    Ok(WrapKey::new(key))
}

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const LABEL: &[u8] = b"sotto key slot 0";

/// What new slots ask for, and the least that is accepted: RFC 9106 §4, second recommended option.
const FLOOR: Work = Work { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
const CEILING: Work = Work { memory_kib: 1024 * 1024, passes: 32, lanes: 64 };
