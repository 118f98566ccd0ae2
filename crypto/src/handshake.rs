//! The handshake on the wire: its name, and what it alone can show.

use sotto_inner::{Device, Handshake, labels, limits::MLKEM1024_CIPHERTEXT_BYTES};
use sotto_outer::{VERSION, codec};

use crate::{
    PeerMisbehaved, SessionId,
    identity::{find_device, verify_manifest},
    kdf::sha256,
    x25519,
};

/// Names the session that a handshake makes: SHA-256 of label ‖ encoding.
pub fn handshake_id(handshake: &Handshake) -> SessionId {
    SessionId::from(sha256(&[labels::HANDSHAKE, &codec::encode(handshake)]))
}

/// Checks all that a handshake alone can show: version, the initiator's manifest with its signature, the device in it, the
/// ciphertext's length, a usable ephemeral key, exactly one of one-time pair and last-resort key.
///
/// # Errors
/// [`PeerMisbehaved`], for anything else.
pub fn check_handshake(handshake: &Handshake) -> Result<(), PeerMisbehaved> {
    initiating_device(handshake)?;
    verify_manifest(&handshake.manifest)?;
    x25519::check_public(&handshake.ephemeral)
}

/// The checks without keys and signatures, which `accept` repeats; and the initiator's device.
///
/// # Errors
/// [`PeerMisbehaved`].
pub(crate) fn initiating_device(handshake: &Handshake) -> Result<&Device, PeerMisbehaved> {
    if handshake.version != VERSION {
        return Err(PeerMisbehaved::Version);
    }
    if handshake.ciphertext.len() != MLKEM1024_CIPHERTEXT_BYTES {
        return Err(PeerMisbehaved::Length);
    }
    if handshake.one_time.is_some() == handshake.last_resort.is_some() {
        return Err(PeerMisbehaved::Prekeys);
    }
    find_device(&handshake.manifest, handshake.device).ok_or(PeerMisbehaved::UnknownDevice)
}
