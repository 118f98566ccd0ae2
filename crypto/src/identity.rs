//! Who someone is: a root that signs device manifests and nothing else, and devices that sign their prekeys and nothing
//! else.
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
    /// The same number with other bytes, a broken chain, or a gap that cannot be checked: shown as an identity
    /// conflict.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::{Person, rng};

    /// A manifest of Alice's with `change` made before she signs it.
    fn signed(change: impl FnOnce(&mut ManifestBody)) -> Manifest {
        let alice = Person::alice();
        let mut body = alice.manifest.body.clone();
        change(&mut body);
        alice.root.sign_manifest(body)
    }

    /// Devices with ascending ids.
    fn devices(count: u8) -> Vec<Device> {
        let device = Person::alice().device.public();
        (0..count).map(|id| Device { id: [id; 16].into(), ..device.clone() }).collect()
    }

    #[test]
    fn a_manifest_of_one_to_eight_devices_verifies() {
        assert_eq!(verify_manifest(&Person::alice().manifest), Ok(()));
        assert_eq!(verify_manifest(&signed(|body| body.devices = devices(8))), Ok(()));
        let later = signed(|body| (body.sequence, body.previous) = (2, Some([9; 32].into())));
        assert_eq!(verify_manifest(&later), Ok(()));
    }

    #[test]
    fn a_manifest_wrong_in_one_way_is_refused() {
        let refused = |change: &dyn Fn(&mut ManifestBody), why| {
            assert_eq!(verify_manifest(&signed(change)), Err(PeerMisbehaved::Manifest), "{why}");
        };
        refused(&|body| body.devices.clear(), "no device");
        refused(&|body| body.devices = devices(9), "nine devices");
        refused(&|body| body.devices = devices(2).into_iter().rev().collect(), "devices out of order");
        refused(&|body| body.devices = [devices(1), devices(1)].concat(), "one device twice");
        refused(&|body| body.sequence = 0, "number 0");
        refused(&|body| body.sequence = 2, "a second one without the hash of the first");
        refused(&|body| body.previous = Some([9; 32].into()), "a first one with a hash before it");
        refused(&|body| body.devices[0].agreement = [0; 32].into(), "an agreement key of small order");
        refused(&|body| body.devices[0].agreement = [0xff; 32].into(), "an agreement key that is not canonical");
    }

    #[test]
    fn a_manifest_changed_after_signing_is_refused() {
        let refused = |change: &dyn Fn(&mut Manifest), why| {
            let mut manifest = Person::alice().manifest;
            change(&mut manifest);
            assert_eq!(verify_manifest(&manifest), Err(PeerMisbehaved::Signature), "{why}");
        };
        let mallory = Person::mallory();
        refused(&|manifest| manifest.body.root = mallory.root.public(), "another root");
        refused(&|manifest| manifest.body.devices[0].id = [1; 16].into(), "another device id");
        refused(&|manifest| manifest.body.devices[0].signing = mallory.device.public().signing, "another signing key");
        refused(
            &|manifest| manifest.body.devices[0].agreement = mallory.device.public().agreement,
            "another agreement key",
        );
        refused(
            &|manifest| (manifest.body.sequence, manifest.body.previous) = (2, Some([0; 32].into())),
            "another number",
        );
        refused(&|manifest| manifest.signature = mallory.manifest.signature, "another's signature");
        let body = Person::alice().manifest.body;
        let bare = Person::alice().root.signing.sign(&codec::encode(&body));
        refused(&|manifest| manifest.signature = bare.into(), "signed without its label");
    }

    #[test]
    fn only_the_next_in_the_chain_succeeds() {
        let known = Person::alice().manifest;
        let hash = manifest_hash(&known);
        let numbered = |sequence, previous| signed(|body| (body.sequence, body.previous) = (sequence, previous));
        assert_eq!(succession(&known, &known), Succession::Same);
        let next = numbered(2, Some(hash));
        assert_eq!(succession(&known, &next), Succession::Newer);
        assert_eq!(succession(&next, &known), Succession::Older);
        assert_eq!(succession(&known, &signed(|body| body.devices = devices(2))), Succession::Conflict, "same number");
        assert_eq!(succession(&known, &numbered(2, Some([0; 32].into()))), Succession::Conflict, "broken chain");
        assert_eq!(succession(&known, &numbered(3, Some(hash))), Succession::Conflict, "a gap");
        assert_eq!(succession(&known, &numbered(3, Some(manifest_hash(&next)))), Succession::Conflict, "a longer jump");
        assert_eq!(succession(&known, &Person::mallory().manifest), Succession::OtherRoot);
        let last = numbered(u64::MAX, Some(hash));
        assert_eq!(
            succession(&last, &numbered(u64::MAX, Some([1; 32].into()))),
            Succession::Conflict,
            "no next number"
        );
    }

    #[test]
    fn keys_survive_their_encoding_and_no_other_length_reads() {
        let rng = &mut rng(1);
        let (root, device) = (Root::generate(rng), DeviceKeys::generate(rng));
        assert!(bool::from(Root::from_bytes(&root.to_bytes()).unwrap().ct_eq(&root)));
        assert!(bool::from(DeviceKeys::from_bytes(&device.to_bytes()).unwrap().ct_eq(&device)));
        assert_eq!(DeviceKeys::from_bytes(&device.to_bytes()).unwrap().public(), device.public());
        for len in [0, 31, 33] {
            assert_eq!(Root::from_bytes(&vec![0; len]).unwrap_err(), StateError::Malformed);
        }
        for len in [0, 15, 16, 79, 81] {
            assert_eq!(DeviceKeys::from_bytes(&vec![0; len]).unwrap_err(), StateError::Malformed);
        }
    }

    #[test]
    fn equality_looks_at_every_part() {
        let device = Person::alice().device;
        for index in 0..device.to_bytes().len() {
            let mut other = device.to_bytes();
            // The middle bits of a byte: clamping leaves them as they are.
            other[index] ^= 0x10;
            assert!(!bool::from(DeviceKeys::from_bytes(&other).unwrap().ct_eq(&device)), "byte {index}");
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        let alice = Person::alice();
        insta::assert_snapshot!(format!("{:?}", alice.root), @"Root { signing: SigningSecret(..) }");
        insta::assert_snapshot!(
            format!("{:?}", alice.device),
            @"DeviceKeys { signing: SigningSecret(..), agreement: PrivateKey(..), .. }"
        );
    }
}
