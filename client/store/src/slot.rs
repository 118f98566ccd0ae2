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

#[cfg(test)]
impl Slot {
    pub(crate) fn keyring_entry(&self) -> Option<String> {
        match &self.opener {
            Opener::Keyring { entry } => Some(data_encoding::HEXLOWER.encode(entry)),
            Opener::Passphrase { .. } | Opener::Recovery { .. } => None,
        }
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
        // With parameters that hold, only a passphrase of 4 GiB is refused.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DatabaseKey {
        DatabaseKey::new(Zeroizing::new([7; KEY_BYTES]))
    }

    fn passphrase() -> Passphrase {
        Passphrase::new("correct horse".into())
    }

    /// A passphrase slot that asks for `work`, wrapped properly.
    fn slot(work: Work) -> Slot {
        let salt = [1; SALT_BYTES];
        let wrap_key = stretch(&passphrase(), &salt, work).unwrap();
        Slot::wrap(&key(), &wrap_key, Opener::Passphrase { salt, work }).unwrap()
    }

    /// The same slot, asking for other work.
    fn asking(slot: &Slot, work: Work) -> Slot {
        let Opener::Passphrase { salt, .. } = slot.opener else { panic!("a passphrase slot") };
        Slot { opener: Opener::Passphrase { salt, work }, ..*slot }
    }

    #[test]
    fn a_passphrase_slot_opens_with_its_passphrase_alone() {
        let slot = Slot::for_passphrase(&key(), &passphrase()).unwrap();
        assert_eq!(slot.open_with_passphrase(&passphrase()).unwrap().as_bytes(), key().as_bytes());
        let wrong = Passphrase::new("correct horsf".into());
        assert!(matches!(slot.open_with_passphrase(&wrong), Err(StoreError::WrongPassphrase)));
    }

    #[test]
    fn a_slot_below_the_floor_is_refused_though_the_passphrase_fits() {
        for weak in [
            Work { memory_kib: FLOOR.memory_kib - 1, ..FLOOR },
            Work { passes: FLOOR.passes - 1, ..FLOOR },
            Work { memory_kib: 8, passes: 1, lanes: 1 },
        ] {
            assert!(matches!(slot(weak).open_with_passphrase(&passphrase()), Err(StoreError::WeakSlot)));
        }
    }

    #[test]
    fn a_slot_above_the_ceiling_is_refused_before_it_costs_anything() {
        let honest = slot(FLOOR);
        for greedy in [
            Work { memory_kib: u32::MAX, ..FLOOR },
            Work { passes: u32::MAX, ..FLOOR },
            Work { lanes: u32::MAX, ..FLOOR },
        ] {
            let refusal = asking(&honest, greedy).open_with_passphrase(&passphrase());
            assert!(matches!(refusal, Err(StoreError::Damaged(_))));
        }
    }

    #[test]
    fn whoever_changes_a_part_of_a_slot_closes_it() {
        let recovery = RecoveryKey::generate().unwrap();
        let slot = || Slot::for_recovery(&key(), &recovery).unwrap();
        assert_eq!(slot().open_with_recovery(&recovery).unwrap().as_bytes(), key().as_bytes());
        let Opener::Recovery { salt } = slot().opener else { panic!("a recovery slot") };
        let forged = [
            Slot { nonce: [0; NONCE_BYTES], ..slot() },
            Slot { opener: Opener::Recovery { salt }, ..slot() },
            Slot { wrapped: core::array::from_fn(|index| slot().wrapped[index] ^ u8::from(index == 0)), ..slot() },
        ];
        for slot in forged {
            assert!(matches!(slot.open_with_recovery(&recovery), Err(StoreError::WrongRecoveryKey)));
        }
    }

    #[test]
    fn the_parameters_are_authenticated_even_where_they_make_the_same_key() {
        let wrap_key = WrapKey::new(Zeroizing::new([3; KEY_BYTES]));
        let honest = Slot::wrap(&key(), &wrap_key, Opener::Passphrase { salt: [1; SALT_BYTES], work: FLOOR }).unwrap();
        assert!(honest.unwrap(&wrap_key).is_some());
        let forged = asking(&honest, Work { passes: FLOOR.passes + 1, ..FLOOR });
        assert!(forged.unwrap(&wrap_key).is_none());
    }

    #[test]
    fn two_slots_of_one_key_share_no_bytes() {
        let recovery = RecoveryKey::generate().unwrap();
        let (one, other) =
            (Slot::for_recovery(&key(), &recovery).unwrap(), Slot::for_recovery(&key(), &recovery).unwrap());
        assert_ne!(one.nonce, other.nonce);
        assert_ne!(one.wrapped, other.wrapped);
    }
}
