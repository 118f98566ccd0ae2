//! Prekey bundles: sealed part by part under the link secret for the relay to keep, and opened and verified as a whole.
//!
//! A part is 12 random bytes of nonce ‖ ChaCha20-Poly1305 ciphertext and tag, of exactly one length for each place it
//! has at the relay. Its key is HKDF(link secret, info = label ‖ bundle id ‖ place), so that no part opens in another's
//! place.

use core::fmt;

use rand_core::CryptoRng;
use sotto_inner::{
    BundleMain, Device, DeviceId, Link, LinkSecret, MailboxAddress, Manifest, Prekey, PrekeyId, PrekeyKind,
    RepairBundle, RepairTag, RootKey, labels, limits::NAME_BYTES_MAX,
};
use sotto_outer::{
    BundleId, codec,
    limits::{BUNDLE_MAIN_BYTES, BUNDLE_PART_BYTES},
};
use zeroize::Zeroizing;

use crate::{
    PeerMisbehaved,
    aead::{NONCE_BYTES, TAG_BYTES, open_in_place, seal_in_place},
    identity::{find_device, verify_manifest},
    kdf::hkdf,
    padding::{pad, unpad},
    prekey::verify_prekey,
};

/// Where in a bundle a part belongs.
#[derive(Clone, Copy)]
enum Place {
    Main,
    OneTimePair,
    LastResort,
}

impl Place {
    const fn byte(self) -> u8 {
        match self {
            Self::Main => 0,
            Self::OneTimePair => 1,
            Self::LastResort => 2,
        }
    }

    /// Exact length of the sealed part.
    const fn sealed_bytes(self) -> usize {
        match self {
            Self::Main => BUNDLE_MAIN_BYTES,
            Self::OneTimePair | Self::LastResort => BUNDLE_PART_BYTES,
        }
    }
}

/// Seals the main part, exactly [`BUNDLE_MAIN_BYTES`]. Draws 12 bytes.
///
/// # Panics
/// If `main` breaks its own bounds (devices, name), so that it does not fit.
pub fn seal_main(rng: &mut dyn CryptoRng, secret: &LinkSecret, bundle: &BundleId, main: &BundleMain) -> Vec<u8> {
    seal(rng, secret, bundle, Place::Main, &codec::encode(main))
}

/// Seals a one-time pair or a last-resort key, exactly [`BUNDLE_PART_BYTES`]. Draws 12 bytes.
///
/// # Panics
/// If the prekey is of another kind.
pub fn seal_part(rng: &mut dyn CryptoRng, secret: &LinkSecret, bundle: &BundleId, prekey: &Prekey) -> Vec<u8> {
    let place = match prekey.body.kind {
        PrekeyKind::OneTimePair => Place::OneTimePair,
        PrekeyKind::LastResort => Place::LastResort,
        PrekeyKind::Signed | PrekeyKind::Seal => panic!("signed prekey and seal key lie in the main part"),
    };
    seal(rng, secret, bundle, place, &codec::encode(prekey))
}

/// Opens what a relay gave for `link` and verifies all of it for use at `now`, Unix seconds: every part under its key,
/// the manifest, its root against the link's, the device, every prekey, and that exactly one of pair and last-resort
/// key came.
///
/// # Errors
/// [`PeerMisbehaved`]: the relay's or the inviter's doing.
pub fn open_bundle(link: &Link, bundle: &sotto_outer::Bundle, now: u64) -> Result<VerifiedBundle, PeerMisbehaved> {
    let main: BundleMain = open(link, Place::Main, &bundle.main)?;
    let kem: Prekey = match (&bundle.pair, &bundle.last_resort) {
        (Some(pair), None) => open(link, Place::OneTimePair, pair)?,
        (None, Some(last_resort)) => open(link, Place::LastResort, last_resort)?,
        (Some(_), Some(_)) | (None, None) => return Err(PeerMisbehaved::Prekeys),
    };
    let kem_kind = if bundle.pair.is_some() { PrekeyKind::OneTimePair } else { PrekeyKind::LastResort };

    verify_manifest(&main.manifest)?;
    if main.manifest.body.root != link.root {
        return Err(PeerMisbehaved::OtherRoot);
    }
    if main.name.len() > NAME_BYTES_MAX || main.mailbox.relay.validate().is_err() {
        return Err(PeerMisbehaved::Malformed);
    }
    let device = find_device(&main.manifest, main.device).ok_or(PeerMisbehaved::UnknownDevice)?.clone();
    verify_prekey(&link.root, &device, &main.signed, PrekeyKind::Signed, now)?;
    verify_prekey(&link.root, &device, &main.seal, PrekeyKind::Seal, now)?;
    verify_prekey(&link.root, &device, &kem, kem_kind, now)?;

    let BundleMain { manifest, device: _, signed, seal, mailbox, name } = main;
    Ok(VerifiedBundle { responder: Responder { manifest, device, signed, kem }, seal, mailbox, name })
}

/// Verifies the keys for repair that a contact's `device` sent, for use at `now`, Unix seconds. `manifest` is the
/// contact's, verified when it was stored.
///
/// # Errors
/// [`PeerMisbehaved`].
pub fn verify_repair_bundle(
    manifest: &Manifest,
    device: DeviceId,
    bundle: &RepairBundle,
    now: u64,
) -> Result<VerifiedRepair, PeerMisbehaved> {
    let RepairBundle { signed, last_resort, seal, tag } = bundle.clone();
    let device = find_device(manifest, device).ok_or(PeerMisbehaved::UnknownDevice)?.clone();
    let root = &manifest.body.root;
    verify_prekey(root, &device, &signed, PrekeyKind::Signed, now)?;
    verify_prekey(root, &device, &last_resort, PrekeyKind::LastResort, now)?;
    verify_prekey(root, &device, &seal, PrekeyKind::Seal, now)?;
    Ok(VerifiedRepair {
        responder: Responder { manifest: manifest.clone(), device, signed, kem: last_resort },
        seal,
        tag,
    })
}

/// The keys of one who will answer a handshake; only verification makes one.
pub(crate) struct Responder {
    pub(crate) manifest: Manifest,
    pub(crate) device: Device,
    /// X25519.
    pub(crate) signed: Prekey,
    /// A one-time pair or a last-resort key.
    pub(crate) kem: Prekey,
}

/// A bundle in which everything verified.
pub struct VerifiedBundle {
    responder: Responder,
    seal: Prekey,
    mailbox: MailboxAddress,
    name: String,
}

impl VerifiedBundle {
    /// Whose bundle it is.
    pub const fn root(&self) -> &RootKey {
        &self.responder.manifest.body.root
    }

    /// The inviter's devices.
    pub const fn manifest(&self) -> &Manifest {
        &self.responder.manifest
    }

    /// The device whose prekeys these are.
    pub const fn device(&self) -> DeviceId {
        self.responder.device.id
    }

    /// The key to seal the first message to.
    pub const fn seal(&self) -> &Prekey {
        &self.seal
    }

    /// Where first messages go.
    pub const fn mailbox(&self) -> &MailboxAddress {
        &self.mailbox
    }

    /// The inviter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one-time pair, if there is one.
    pub fn one_time(&self) -> Option<PrekeyId> {
        let body = &self.responder.kem.body;
        (body.kind == PrekeyKind::OneTimePair).then_some(body.id)
    }

    pub(crate) const fn responder(&self) -> &Responder {
        &self.responder
    }
}

/// A repair bundle in which everything verified.
pub struct VerifiedRepair {
    responder: Responder,
    seal: Prekey,
    tag: RepairTag,
}

impl VerifiedRepair {
    /// Stands in front of the one repair handshake that these keys are good for.
    pub const fn tag(&self) -> &RepairTag {
        &self.tag
    }

    /// The key to seal the repair handshake to.
    pub const fn seal(&self) -> &Prekey {
        &self.seal
    }

    pub(crate) const fn responder(&self) -> &Responder {
        &self.responder
    }
}

impl fmt::Debug for VerifiedBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { responder: _, seal: _, mailbox: _, name: _ } = self;
        f.write_str("VerifiedBundle(..)")
    }
}

impl fmt::Debug for VerifiedRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { responder: _, seal: _, tag: _ } = self;
        f.write_str("VerifiedRepair(..)")
    }
}

fn seal(rng: &mut dyn CryptoRng, secret: &LinkSecret, bundle: &BundleId, place: Place, content: &[u8]) -> Vec<u8> {
    let padded_bytes = place.sealed_bytes() - NONCE_BYTES - TAG_BYTES;
    let mut padded =
        pad(content, padded_bytes).expect("content within its own bounds fits its part: tested at the bounds");
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let tag = seal_in_place(&part_key(secret, bundle, place), &nonce, &[], &mut padded);
    [&nonce[..], &padded, &tag].concat()
}

fn open<T>(link: &Link, place: Place, sealed: &[u8]) -> Result<T, PeerMisbehaved>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    if sealed.len() != place.sealed_bytes() {
        return Err(PeerMisbehaved::Length);
    }
    let (nonce, rest) = sealed.split_first_chunk().ok_or(PeerMisbehaved::Length)?;
    let (ciphertext, tag) = rest.split_last_chunk().ok_or(PeerMisbehaved::Length)?;
    let mut buffer = ciphertext.to_vec();
    open_in_place(&part_key(&link.secret, &link.bundle, place), nonce, &[], &mut buffer, tag)
        .map_err(|_| PeerMisbehaved::Unopenable)?;
    let content = unpad(&buffer).ok_or(PeerMisbehaved::Padding)?;
    codec::decode(content, place.sealed_bytes()).map_err(|_| PeerMisbehaved::Malformed)
}

fn part_key(secret: &LinkSecret, bundle: &BundleId, place: Place) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let info: [&[u8]; 3] = [labels::BUNDLE_PART, bundle.as_bytes(), &[place.byte()]];
    hkdf(&[0; 32], &[secret.as_bytes()], &info, &mut *key);
    key
}

#[cfg(test)]
mod tests;
