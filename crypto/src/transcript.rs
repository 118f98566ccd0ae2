//! What both sides of a handshake must agree on, byte for byte: every field of fixed length, or with its length before
//! it.

use sotto_inner::{AgreementKey, Device, ManifestHash, PrekeyId, PrekeyKind, RootKey};
use sotto_outer::{BundleId, VERSION};

use crate::{kdf::sha256, prekey::kind_byte};

/// One side of a handshake.
pub(crate) struct Side<'a> {
    pub(crate) root: &'a RootKey,
    pub(crate) manifest: ManifestHash,
    pub(crate) device: Device,
}

/// A prekey that was used.
pub(crate) struct UsedPrekey<'a> {
    pub(crate) kind: PrekeyKind,
    pub(crate) id: PrekeyId,
    pub(crate) key: &'a [u8],
}

/// All that goes into the derivation beside the secrets.
pub(crate) struct Transcript<'a> {
    pub(crate) initiator: Side<'a>,
    pub(crate) responder: Side<'a>,
    pub(crate) signed: UsedPrekey<'a>,
    /// A one-time pair or a last-resort key.
    pub(crate) kem: UsedPrekey<'a>,
    pub(crate) ephemeral: &'a AgreementKey,
    pub(crate) ciphertext: &'a [u8],
    pub(crate) invitation: Option<&'a BundleId>,
}

impl Transcript<'_> {
    /// SHA-256 of version ‖ both roots ‖ both manifest hashes ‖ both devices ‖ both prekeys ‖ ephemeral key ‖
    /// ciphertext ‖ invitation; the initiator's before the responder's.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let Self { initiator, responder, signed, kem, ephemeral, ciphertext, invitation } = self;
        let mut bytes = Vec::with_capacity(4_096);
        bytes.push(VERSION);
        bytes.extend_from_slice(initiator.root.as_bytes());
        bytes.extend_from_slice(responder.root.as_bytes());
        bytes.extend_from_slice(initiator.manifest.as_bytes());
        bytes.extend_from_slice(responder.manifest.as_bytes());
        push_device(&mut bytes, &initiator.device);
        push_device(&mut bytes, &responder.device);
        push_prekey(&mut bytes, signed);
        push_prekey(&mut bytes, kem);
        bytes.extend_from_slice(ephemeral.as_bytes());
        push_sized(&mut bytes, ciphertext);
        bytes.push(u8::from(invitation.is_some()));
        bytes.extend_from_slice(invitation.map_or(&[0; BundleId::LEN], |invitation| invitation.as_bytes()));
        sha256(&[&bytes])
    }
}

/// Id (16 bytes), signing key (32), agreement key (32).
fn push_device(bytes: &mut Vec<u8>, device: &Device) {
    let Device { id, signing, agreement } = device;
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(signing.as_bytes());
    bytes.extend_from_slice(agreement.as_bytes());
}

/// Kind (1 byte), id (4, big-endian), key with its length.
fn push_prekey(bytes: &mut Vec<u8>, prekey: &UsedPrekey<'_>) {
    let UsedPrekey { kind, id, key } = prekey;
    bytes.push(kind_byte(*kind));
    bytes.extend_from_slice(&id.0.to_be_bytes());
    push_sized(bytes, key);
}

/// Length (4 bytes, big-endian), bytes.
fn push_sized(bytes: &mut Vec<u8>, field: &[u8]) {
    let len = u32::try_from(field.len()).expect("keys and ciphertexts are short");
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a transcript, owned, to be changed one by one.
    #[derive(Clone)]
    struct Fields {
        roots: [RootKey; 2],
        manifests: [ManifestHash; 2],
        devices: [Device; 2],
        prekeys: [(PrekeyKind, PrekeyId, Vec<u8>); 2],
        ephemeral: AgreementKey,
        ciphertext: Vec<u8>,
        invitation: Option<BundleId>,
    }

    fn fields() -> Fields {
        let device = |byte: u8| Device {
            id: [byte; 16].into(),
            signing: [byte + 1; 32].into(),
            agreement: [byte + 2; 32].into(),
        };
        Fields {
            roots: [[1; 32].into(), [2; 32].into()],
            manifests: [[3; 32].into(), [4; 32].into()],
            devices: [device(5), device(8)],
            prekeys: [
                (PrekeyKind::Signed, PrekeyId(1), vec![11; 32]),
                (PrekeyKind::OneTimePair, PrekeyId(2), vec![12; 1_600]),
            ],
            ephemeral: [13; 32].into(),
            ciphertext: vec![14; 1_568],
            invitation: Some([0; 16].into()),
        }
    }

    fn hash(fields: &Fields) -> [u8; 32] {
        let side = |index: usize| Side {
            root: &fields.roots[index],
            manifest: fields.manifests[index],
            device: fields.devices[index].clone(),
        };
        let prekey = |index: usize| {
            let (kind, id, key) = &fields.prekeys[index];
            UsedPrekey { kind: *kind, id: *id, key }
        };
        let transcript = Transcript {
            initiator: side(0),
            responder: side(1),
            signed: prekey(0),
            kem: prekey(1),
            ephemeral: &fields.ephemeral,
            ciphertext: &fields.ciphertext,
            invitation: fields.invitation.as_ref(),
        };
        transcript.hash()
    }

    #[test]
    fn every_field_counts() {
        let mut hashes = vec![hash(&fields())];
        let mut changed = |change: &dyn Fn(&mut Fields)| {
            let mut fields = fields();
            change(&mut fields);
            hashes.push(hash(&fields));
        };
        for side in 0..2 {
            changed(&|fields| fields.roots[side] = [99; 32].into());
            changed(&|fields| fields.manifests[side] = [99; 32].into());
            changed(&|fields| fields.devices[side].id = [99; 16].into());
            changed(&|fields| fields.devices[side].signing = [99; 32].into());
            changed(&|fields| fields.devices[side].agreement = [99; 32].into());
            changed(&|fields| fields.prekeys[side].0 = PrekeyKind::LastResort);
            changed(&|fields| fields.prekeys[side].1 = PrekeyId(99));
            changed(&|fields| fields.prekeys[side].2[0] = 99);
        }
        changed(&|fields| fields.ephemeral = [99; 32].into());
        changed(&|fields| fields.ciphertext[0] = 99);
        changed(&|fields| fields.invitation = None);
        changed(&|fields| fields.invitation = Some([99; 16].into()));
        changed(&|fields| fields.roots.swap(0, 1));
        changed(&|fields| fields.manifests.swap(0, 1));
        changed(&|fields| fields.devices.swap(0, 1));
        // A byte moved from one field to its neighbour.
        changed(&|fields| {
            let byte = fields.prekeys[1].2.pop();
            fields.ciphertext.extend(byte);
        });
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }
}
