//! Two plain hashes: what an envelope is remembered by, and what a relay keeps of a send capability.

use sotto_outer::{CapabilityHash, SendCapability};

use crate::kdf::sha256;

/// The first 16 bytes of an envelope's SHA-256: what a client remembers of what it opened or refused.
pub fn envelope_digest(envelope: &[u8]) -> [u8; 16] {
    let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(&[envelope]);
    digest
}

/// SHA-256 of a send capability: what its mailbox's relay is told.
pub fn capability_hash(capability: &SendCapability) -> CapabilityHash {
    CapabilityHash::from(sha256(&[capability.as_bytes()]))
}
