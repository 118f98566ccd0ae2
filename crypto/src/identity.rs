//! Who someone is: a root that signs device manifests and nothing else, and devices that sign their prekeys and nothing else.
//!
//! Manifests form a chain by number and hash. No key is ever converted: Ed25519 signs, X25519 agrees.

use core::fmt;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sotto_inner::{
    Device, DeviceId, Ed25519Signature, Manifest, ManifestBody, ManifestHash, RootKey, labels,
    limits::{MANIFEST_DEVICES_MAX, X25519_BYTES},
};
use sotto_outer::codec;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    PeerMisbehaved, StateError,
    signature::{self, SigningSecret},
    x25519::{self, PrivateKey},
};

/// An account's root, the secret half. Whoever holds it is the account.
pub struct Root {
    signing: SigningSecret,
}

impl Root {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self { signing: SigningSecret::generate(rng) }
    }

    /// The account's name to the world.
    pub fn public(&self) -> RootKey {
        self.signing.public().into()
    }

    /// Signs a manifest; its body must name this root.
    pub fn sign_manifest(&self, body: ManifestBody) -> Manifest {
        let signature = self.signing.sign(&manifest_signed_bytes(&body)).into();
        Manifest { body, signature }
    }

    /// The 32-byte seed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.signing.seed().to_vec())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError`], for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let seed = bytes.try_into().map_err(|_| StateError::Malformed)?;
        Ok(Self { signing: SigningSecret::from_seed(seed) })
    }
}

impl ZeroizeOnDrop for Root {}

impl ConstantTimeEq for Root {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.signing.ct_eq(&other.signing)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signing } = self;
        f.debug_struct("Root").field("signing", signing).finish()
    }
}

/// A device's secret keys, with the random name they go by.
pub struct DeviceKeys {
    id: DeviceId,
    signing: SigningSecret,
    agreement: PrivateKey,
}

impl DeviceKeys {
    /// Draws 16 bytes for the name, 32 for each key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut id = [0; DeviceId::LEN];
        rng.fill_bytes(&mut id);
        Self { id: id.into(), signing: SigningSecret::generate(rng), agreement: PrivateKey::generate(rng) }
    }

    /// The device's name within its account.
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// The device as a manifest lists it.
    pub fn public(&self) -> Device {
        Device { id: self.id, signing: self.signing.public().into(), agreement: *self.agreement.public() }
    }

    /// Signs a prekey's bytes, and nothing else.
    pub(crate) fn sign_prekey(&self, bytes: &[u8]) -> Ed25519Signature {
        self.signing.sign(bytes).into()
    }

    /// The X25519 identity.
    pub(crate) const fn agreement(&self) -> &PrivateKey {
        &self.agreement
    }

    /// Name (16 bytes), signing seed (32), agreement key (32).
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LEN));
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(self.signing.seed());
        bytes.extend_from_slice(&self.agreement.to_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError`], for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (id, bytes) = bytes.split_first_chunk::<{ DeviceId::LEN }>().ok_or(StateError::Malformed)?;
        let (signing, agreement) = bytes.split_first_chunk().ok_or(StateError::Malformed)?;
        Ok(Self {
            id: (*id).into(),
            signing: SigningSecret::from_seed(signing),
            agreement: PrivateKey::from_bytes(agreement)?,
        })
    }

    const LEN: usize = DeviceId::LEN + SigningSecret::LEN + X25519_BYTES;
}

impl ZeroizeOnDrop for DeviceKeys {}

impl ConstantTimeEq for DeviceKeys {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.id.as_bytes().ct_eq(other.id.as_bytes())
            & self.signing.ct_eq(&other.signing)
            & self.agreement.secret().ct_eq(other.agreement.secret())
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, signing, agreement } = self;
        f.debug_struct("DeviceKeys").field("signing", signing).field("agreement", agreement).finish_non_exhaustive()
    }
}

/// Checks all that a manifest alone can show: the root's signature, 1 to [`MANIFEST_DEVICES_MAX`] devices in strictly
/// ascending order of ids, X25519 keys in canonical form, a hash of the one before exactly where there is one.
///
/// # Errors
/// [`PeerMisbehaved::Manifest`] or [`PeerMisbehaved::Signature`].
pub fn verify_manifest(manifest: &Manifest) -> Result<(), PeerMisbehaved> {
    let Manifest { body, signature } = manifest;
    let counted = (1..=MANIFEST_DEVICES_MAX).contains(&body.devices.len());
    let ascending = body.devices.is_sorted_by(|a, b| a.id < b.id);
    let chained = body.sequence >= 1 && body.previous.is_some() == (body.sequence > 1);
    let usable = body.devices.iter().all(|device| x25519::check_public(&device.agreement).is_ok());
    if !(counted && ascending && chained && usable) {
        return Err(PeerMisbehaved::Manifest);
    }
    if !signature::verifies(body.root.as_bytes(), &manifest_signed_bytes(body), signature.as_bytes()) {
        return Err(PeerMisbehaved::Signature);
    }
    Ok(())
}

/// SHA-256 of the manifest's encoding, signature included.
pub fn manifest_hash(manifest: &Manifest) -> ManifestHash {
    <[u8; 32]>::from(Sha256::digest(codec::encode(manifest))).into()
}

/// How an offered manifest stands to the one known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// The very one.
    Same,
    /// The next in the chain: a quiet notice.
    Newer,
    /// An earlier number: refused.
    Older,
    /// The same number with other bytes, a broken chain, or a gap that cannot be checked: shown as an identity conflict.
    Conflict,
    /// Another root: another person, who never enters this conversation.
    OtherRoot,
}

/// Compares two manifests, both verified.
pub fn succession(known: &Manifest, offered: &Manifest) -> Succession {
    if offered.body.root != known.body.root {
        return Succession::OtherRoot;
    }
    if offered == known {
        return Succession::Same;
    }
    if offered.body.sequence < known.body.sequence {
        return Succession::Older;
    }
    let next = known.body.sequence.checked_add(1) == Some(offered.body.sequence);
    if next && offered.body.previous == Some(manifest_hash(known)) { Succession::Newer } else { Succession::Conflict }
}

/// The device of a manifest that goes by this name.
pub(crate) fn find_device(manifest: &Manifest, id: DeviceId) -> Option<&Device> {
    manifest.body.devices.iter().find(|device| device.id == id)
}

/// What a root signs: label ‖ encoded body. The label ends where the body's CBOR map begins.
fn manifest_signed_bytes(body: &ManifestBody) -> Vec<u8> {
    [labels::MANIFEST, &codec::encode(body)].concat()
}
