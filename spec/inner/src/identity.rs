//! Who someone is: an account's root, and the manifest of devices that it signs.

use minicbor::{Decode, Encode};
use sotto_outer::fixed_bytes;

fixed_bytes!(
    /// An account's Ed25519 public key. It signs manifests and nothing else.
    RootKey, 32
);
fixed_bytes!(
    /// A device's Ed25519 public key. It signs that device's prekeys and nothing else.
    SigningKey, 32
);
fixed_bytes!(
    /// A device's X25519 identity public key.
    AgreementKey, 32
);
fixed_bytes!(
    /// Random name of a device, unique within its account.
    DeviceId, 16
);
fixed_bytes!(
    /// SHA-256 of a manifest's encoding.
    ManifestHash, 32
);
fixed_bytes!(
    /// Ed25519 signature (RFC 8032) by a root or a device.
    Ed25519Signature, 64
);

/// One device of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Device {
    /// Its name.
    #[n(0)]
    pub id: DeviceId,
    /// Signs its prekeys.
    #[n(1)]
    pub signing: SigningKey,
    /// Its X25519 identity.
    #[n(2)]
    pub agreement: AgreementKey,
}

/// What a root signs: all devices of the account, in a chain of versions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestBody {
    /// Whose devices.
    #[n(0)]
    pub root: RootKey,
    /// Version; 1 is the first.
    #[n(1)]
    pub sequence: u64,
    /// Hash of the version before; absent in the first.
    #[n(2)]
    pub previous: Option<ManifestHash>,
    /// 1 to `MANIFEST_DEVICES_MAX` devices, ids strictly ascending.
    #[n(3)]
    pub devices: Vec<Device>,
}

/// A signed manifest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Manifest {
    /// What is signed.
    #[n(0)]
    pub body: ManifestBody,
    /// The root's signature over label ‖ encoded body.
    #[n(1)]
    pub signature: Ed25519Signature,
}
