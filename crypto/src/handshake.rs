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

/// Checks all that a handshake alone can show: version, the initiator's manifest with its signature, the device in it,
/// the ciphertext's length, a usable ephemeral key, exactly one of one-time pair and last-resort key.
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

#[cfg(test)]
mod tests {
    use sotto_inner::{LinkKind, PrekeyId, PrekeyKind};

    use super::*;
    use crate::{
        initiate,
        people::{Person, rng},
    };

    fn handshake() -> Handshake {
        let (alice, bob) = (Person::alice(), Person::bob());
        let link = bob.link(LinkKind::Invitation);
        let to = bob.verified(&link, PrekeyKind::OneTimePair);
        initiate(&mut rng(1), &alice.manifest, &alice.device, &to, &link).unwrap().handshake
    }

    #[test]
    fn an_honest_handshake_passes() {
        assert_eq!(check_handshake(&handshake()), Ok(()));
    }

    #[test]
    fn a_handshake_wrong_in_one_way_is_refused() {
        let refused = |change: &dyn Fn(&mut Handshake), expected, why| {
            let mut handshake = handshake();
            change(&mut handshake);
            assert_eq!(check_handshake(&handshake), Err(expected), "{why}");
        };
        use PeerMisbehaved::{Length, Manifest, NonCanonicalPoint, NonContributory, Prekeys, Signature, UnknownDevice};
        let mallory = Person::mallory();
        refused(&|handshake| handshake.version = VERSION - 1, PeerMisbehaved::Version, "another version");
        refused(&|handshake| handshake.device = mallory.device.id(), UnknownDevice, "a device of no one");
        refused(&|handshake| handshake.manifest.body.root = mallory.root.public(), Signature, "another root");
        refused(&|handshake| handshake.manifest.signature = [0; 64].into(), Signature, "a forged manifest");
        refused(&|handshake| handshake.manifest.body.sequence = 0, Manifest, "a manifest of no number");
        refused(&|handshake| handshake.last_resort = Some(PrekeyId(1)), Prekeys, "pair and last resort");
        refused(&|handshake| handshake.one_time = None, Prekeys, "neither pair nor last resort");
        refused(&|handshake| handshake.ciphertext.truncate(1_567), Length, "a ciphertext a byte short");
        refused(&|handshake| handshake.ciphertext.push(0), Length, "a ciphertext a byte long");
        refused(&|handshake| handshake.ephemeral = [0; 32].into(), NonContributory, "an ephemeral key of small order");
        refused(&|handshake| handshake.ephemeral = [0xff; 32].into(), NonCanonicalPoint, "a second spelling");
    }

    #[test]
    fn every_field_of_a_handshake_names_another_session() {
        let mut ids = vec![handshake_id(&handshake())];
        let mut changed = |change: &dyn Fn(&mut Handshake)| {
            let mut handshake = handshake();
            change(&mut handshake);
            ids.push(handshake_id(&handshake));
        };
        changed(&|handshake| handshake.version = VERSION - 1);
        changed(&|handshake| handshake.manifest.body.sequence = 2);
        changed(&|handshake| handshake.manifest.signature = [0; 64].into());
        changed(&|handshake| handshake.device = [0; 16].into());
        changed(&|handshake| handshake.responder_manifest = [0; 32].into());
        changed(&|handshake| handshake.responder_device = [0; 16].into());
        changed(&|handshake| handshake.signed.0 ^= 1);
        changed(&|handshake| handshake.one_time = None);
        changed(&|handshake| handshake.last_resort = handshake.one_time.take());
        changed(&|handshake| handshake.ephemeral = [0; 32].into());
        changed(&|handshake| handshake.ciphertext[1_567] ^= 1);
        changed(&|handshake| handshake.invitation = None);
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
