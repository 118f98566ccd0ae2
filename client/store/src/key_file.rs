//! The key file: a version byte, the slots in CBOR, and SHA-256 over both.
//!
//! The hash tells a damaged file from a wrong passphrase, no more: each slot is authenticated by its own cipher.

use std::{fs::File, io::Read as _, path::Path};

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use sotto_outer::codec;

use crate::{SlotKind, StoreError, files, slot::Slot};

/// The slots of a profile: one at least, at most one of each kind.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeyFile {
    #[n(0)]
    slots: Vec<Slot>,
}

impl KeyFile {
    /// A file with its first slot.
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slots: vec![slot] }
    }

    /// Reads and checks the file of a store.
    pub(crate) fn read(store: &Path) -> Result<Self, StoreError> {
        let mut bytes = Vec::new();
        let file = File::open(files::keys(store)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::Damaged("the key file is missing"),
            _ => error.into(),
        })?;
        file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Self::parse(&bytes)
    }

    /// Writes the file so that a crash leaves the old or the new one.
    pub(crate) fn write(&self, store: &Path) -> Result<(), StoreError> {
        Ok(files::replace(&files::keys(store), &self.to_bytes())?)
    }

    /// The slot of a kind.
    pub(crate) fn slot(&self, kind: SlotKind) -> Result<&Slot, StoreError> {
        self.slots.iter().find(|slot| slot.kind() == kind).ok_or(StoreError::NoSuchSlot(kind))
    }

    /// The kinds of slots that are there.
    pub(crate) fn kinds(&self) -> Vec<SlotKind> {
        self.slots.iter().map(Slot::kind).collect()
    }

    /// Adds a slot, or replaces the one of its kind, which is given back.
    pub(crate) fn put(&mut self, slot: Slot) -> Option<Slot> {
        let kind = slot.kind();
        match self.slots.iter_mut().find(|old| old.kind() == kind) {
            Some(old) => Some(std::mem::replace(old, slot)),
            None => {
                self.slots.push(slot);
                None
            }
        }
    }

    /// Removes a slot and gives it back; never the last one.
    pub(crate) fn remove(&mut self, kind: SlotKind) -> Result<Slot, StoreError> {
        let index = self.slots.iter().position(|slot| slot.kind() == kind).ok_or(StoreError::NoSuchSlot(kind))?;
        if self.slots.len() == 1 {
            return Err(StoreError::LastSlot);
        }
        Ok(self.slots.remove(index))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(codec::encode(self));
        let hash = checksum(&bytes);
        bytes.extend(hash);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        const DAMAGED: StoreError = StoreError::Damaged("the key file is not as it was written");
        let (body, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(DAMAGED)?;
        if checksum(body) != *hash {
            return Err(DAMAGED);
        }
        let (version, slots) = body.split_first().ok_or(DAMAGED)?;
        if *version != VERSION {
            return Err(StoreError::WrongVersion { found: i64::from(*version), expected: i64::from(VERSION) });
        }
        let file: Self = codec::decode(slots, BYTES_MAX).map_err(|_| DAMAGED)?;
        if file.slots.is_empty() || file.slots.iter().any(|slot| !file.is_only(slot)) {
            return Err(DAMAGED);
        }
        Ok(file)
    }

    fn is_only(&self, slot: &Slot) -> bool {
        self.slots.iter().filter(|other| other.kind() == slot.kind()).count() == 1
    }
}

fn checksum(bytes: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::new().chain_update(LABEL).chain_update(bytes).finalize().into()
}

const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;
const BYTES_MAX: usize = 4096;
const LABEL: &[u8] = b"sotto key file 0";

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{RecoveryKey, secret::DatabaseKey};

    fn slot() -> Slot {
        Slot::for_recovery(&DatabaseKey::new(Zeroizing::new([7; 32])), &RecoveryKey::generate().unwrap()).unwrap()
    }

    /// The bytes with a hash that fits them.
    fn rehashed(body: &[u8]) -> Vec<u8> {
        [body, &checksum(body)].concat()
    }

    #[test]
    fn every_changed_or_missing_byte_is_damage() {
        let bytes = KeyFile::new(slot()).to_bytes();
        assert_eq!(KeyFile::parse(&bytes).unwrap().kinds(), [SlotKind::Recovery]);
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(matches!(KeyFile::parse(&damaged), Err(StoreError::Damaged(_))), "byte {index}");
            assert!(matches!(KeyFile::parse(&bytes[..index]), Err(StoreError::Damaged(_))), "cut at {index}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = KeyFile::new(slot()).to_bytes();
        bytes.truncate(bytes.len() - HASH_BYTES);
        bytes[0] = 9;
        let refusal = KeyFile::parse(&rehashed(&bytes));
        assert!(matches!(refusal, Err(StoreError::WrongVersion { found: 9, expected: 1 })));
    }

    #[test]
    fn no_slot_and_two_of_a_kind_are_damage() {
        for slots in [vec![], vec![slot(), slot()]] {
            assert!(matches!(KeyFile::parse(&KeyFile { slots }.to_bytes()), Err(StoreError::Damaged(_))));
        }
    }
}
