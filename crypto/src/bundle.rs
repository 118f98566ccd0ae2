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
mod tests {
    use sotto_inner::{LinkKind, ManifestBody, limits::MANIFEST_DEVICES_MAX};
    use sotto_outer::{Bundle, RelayAddress, Tls, limits::HOST_BYTES_MAX};

    use super::*;
    use crate::{
        PrekeySecret,
        people::{EXPIRES, NOW, Person, bundle_of, rng},
    };

    const PAIR: PrekeyKind = PrekeyKind::OneTimePair;

    fn link(bob: &Person) -> Link {
        bob.link(LinkKind::Address)
    }

    fn error(link: &Link, bundle: &Bundle) -> Option<PeerMisbehaved> {
        open_bundle(link, bundle, NOW).err()
    }

    #[test]
    fn an_honest_bundle_opens_with_either_key() {
        let bob = Person::bob();
        for kind in [LinkKind::Address, LinkKind::Invitation] {
            let link = bob.link(kind);
            for with in [PrekeyKind::OneTimePair, PrekeyKind::LastResort] {
                let bundle = bob.bundle(&link, with);
                assert_eq!(bundle.main.len(), BUNDLE_MAIN_BYTES);
                for part in bundle.pair.iter().chain(&bundle.last_resort) {
                    assert_eq!(part.len(), BUNDLE_PART_BYTES);
                }
                let verified = open_bundle(&link, &bundle, NOW).unwrap();
                assert_eq!(verified.root(), &bob.root.public());
                assert_eq!(verified.manifest(), &bob.manifest);
                assert_eq!(verified.device(), bob.device.id());
                assert_eq!(verified.name(), "Bob");
                assert_eq!(verified.mailbox(), &bob.bundle_main().mailbox);
                assert_eq!(verified.seal(), &bob.seal.public);
                assert_eq!(verified.one_time().is_some(), with == PAIR);
            }
        }
    }

    #[test]
    fn the_largest_honest_bundle_fits() {
        let bob = Person::bob();
        let mut main = bob.bundle_main();
        let device = bob.device.public();
        let devices = (0..MANIFEST_DEVICES_MAX).map(|id| Device { id: [id as u8; 16].into(), ..device.clone() });
        let body = ManifestBody {
            root: bob.root.public(),
            sequence: u64::MAX,
            previous: Some([1; 32].into()),
            devices: devices.collect(),
        };
        main.manifest = bob.root.sign_manifest(body);
        main.name = "n".repeat(NAME_BYTES_MAX);
        let host = "h".repeat(HOST_BYTES_MAX);
        main.mailbox.relay = RelayAddress::new(&host, u16::MAX, Tls::Off, [1; 32].into()).unwrap();
        for prekey in [&mut main.signed, &mut main.seal] {
            (prekey.body.id.0, prekey.body.created, prekey.body.expires) = (u32::MAX, u64::MAX, u64::MAX);
        }
        let link = link(&bob);
        assert_eq!(seal_main(&mut rng(1), &link.secret, &link.bundle, &main).len(), BUNDLE_MAIN_BYTES);
        for mut prekey in [bob.one_time.public, bob.last_resort.public] {
            (prekey.body.id.0, prekey.body.created, prekey.body.expires) = (u32::MAX, u64::MAX, u64::MAX);
            assert_eq!(seal_part(&mut rng(1), &link.secret, &link.bundle, &prekey).len(), BUNDLE_PART_BYTES);
        }
    }

    #[test]
    fn a_bundle_of_another_link_is_refused() {
        let (bob, mallory) = (Person::bob(), Person::mallory());
        let bundle = bob.bundle(&link(&bob), PAIR);
        let mut other = link(&bob);
        other.secret = [1; 32].into();
        assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::Unopenable), "another secret");
        let mut other = link(&bob);
        other.bundle = [1; 16].into();
        assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::Unopenable), "another bundle id");
        let mut other = link(&bob);
        other.root = mallory.root.public();
        assert_eq!(error(&other, &bundle), Some(PeerMisbehaved::OtherRoot), "another root");
    }

    #[test]
    fn exactly_one_of_pair_and_last_resort_must_come() {
        let bob = Person::bob();
        let link = link(&bob);
        let (with_pair, with_last) = (bob.bundle(&link, PAIR), bob.bundle(&link, PrekeyKind::LastResort));
        let both = Bundle { last_resort: with_last.last_resort.clone(), ..with_pair.clone() };
        assert_eq!(error(&link, &both), Some(PeerMisbehaved::Prekeys), "both");
        let neither = Bundle { pair: None, ..with_pair.clone() };
        assert_eq!(error(&link, &neither), Some(PeerMisbehaved::Prekeys), "neither");
        let moved = Bundle { pair: None, last_resort: with_pair.pair.clone(), ..with_pair.clone() };
        assert_eq!(error(&link, &moved), Some(PeerMisbehaved::Unopenable), "a pair in the last resort's place");
        let moved = Bundle { pair: with_last.last_resort.clone(), last_resort: None, ..with_last };
        assert_eq!(error(&link, &moved), Some(PeerMisbehaved::Unopenable), "a last resort in a pair's place");
    }

    #[test]
    fn a_part_changed_by_the_relay_is_refused() {
        let bob = Person::bob();
        let link = link(&bob);
        let honest = bob.bundle(&link, PAIR);
        let part = |bundle: &mut Bundle| bundle.pair.take().unwrap();
        for position in [0, NONCE_BYTES, 100, BUNDLE_PART_BYTES - TAG_BYTES, BUNDLE_PART_BYTES - 1] {
            for (main, bit) in [(true, 0x01), (false, 0x80)] {
                let mut bundle = honest.clone();
                let mut pair = part(&mut bundle);
                if main {
                    bundle.main[position] ^= bit;
                } else {
                    pair[position] ^= bit;
                }
                bundle.pair = Some(pair);
                assert_eq!(error(&link, &bundle), Some(PeerMisbehaved::Unopenable), "byte {position}");
            }
        }
        let mut shorter = honest.clone();
        shorter.main.pop();
        assert_eq!(error(&link, &shorter), Some(PeerMisbehaved::Length), "a byte short");
        let mut longer = honest.clone();
        longer.main.push(0);
        assert_eq!(error(&link, &longer), Some(PeerMisbehaved::Length), "a byte long");
        let mut empty = honest.clone();
        empty.pair = Some(Vec::new());
        assert_eq!(error(&link, &empty), Some(PeerMisbehaved::Length), "empty");
        let swapped = Bundle { main: honest.main.clone(), pair: Some(honest.main.clone()), last_resort: None };
        assert_eq!(error(&link, &swapped), Some(PeerMisbehaved::Length), "the main part in a pair's place");
    }

    #[test]
    fn a_main_part_wrong_in_one_way_is_refused() {
        let (bob, mallory) = (Person::bob(), Person::mallory());
        let link = link(&bob);
        let refused = |change: &dyn Fn(&mut BundleMain), expected, why| {
            let mut main = bob.bundle_main();
            change(&mut main);
            assert_eq!(error(&link, &bundle_of(&link, &main, &bob.one_time.public)), Some(expected), "{why}");
        };
        let make = |kind, expires, signer: &Person| {
            PrekeySecret::generate(kind, &mut rng(7), NOW, expires, &signer.device, &bob.root.public()).1
        };
        use PeerMisbehaved::{Expired, Malformed, Manifest, OtherRoot, Signature, UnknownDevice};
        refused(&|main| main.manifest = mallory.manifest.clone(), OtherRoot, "another's manifest");
        refused(&|main| main.manifest.signature = mallory.manifest.signature, Signature, "a forged manifest");
        refused(&|main| main.manifest.body.devices.clear(), Manifest, "a manifest without devices");
        refused(&|main| main.device = mallory.device.id(), UnknownDevice, "a device of no one");
        refused(
            &|main| main.signed = make(PrekeyKind::Signed, EXPIRES, &mallory),
            Signature,
            "another's signed prekey",
        );
        refused(&|main| main.seal = make(PrekeyKind::Seal, EXPIRES, &mallory), Signature, "another's seal key");
        refused(&|main| main.signed = make(PrekeyKind::Signed, NOW, &bob), Expired, "an expired signed prekey");
        refused(&|main| main.seal = make(PrekeyKind::Seal, NOW, &bob), Expired, "an expired seal key");
        let swapped = PeerMisbehaved::PrekeyKind;
        refused(&|main| main.signed.body.kind = PrekeyKind::Seal, swapped, "a seal key as signed prekey");
        refused(&|main| main.seal = bob.signed.public.clone(), swapped, "a signed prekey as seal key");
        refused(&|main| main.name = "n".repeat(NAME_BYTES_MAX + 1), Malformed, "a name over its bound");
    }

    #[test]
    fn a_pair_wrong_in_one_way_is_refused() {
        let (bob, mallory) = (Person::bob(), Person::mallory());
        let link = link(&bob);
        let refused = |kem: &Prekey, expected, why| {
            assert_eq!(error(&link, &bundle_of(&link, &bob.bundle_main(), kem)), Some(expected), "{why}");
        };
        for kind in [PrekeyKind::OneTimePair, PrekeyKind::LastResort] {
            let make = |expires, signer: &Person| {
                PrekeySecret::generate(kind, &mut rng(7), NOW, expires, &signer.device, &bob.root.public()).1
            };
            refused(&make(EXPIRES, &mallory), PeerMisbehaved::Signature, "another's signature");
            refused(&make(NOW, &bob), PeerMisbehaved::Expired, "expired");
        }
    }

    /// Seals bytes as a part without padding them.
    fn seal_raw(link: &Link, place: Place, padded: &[u8]) -> Vec<u8> {
        let nonce = [5; NONCE_BYTES];
        let mut buffer = padded.to_vec();
        let tag = seal_in_place(&part_key(&link.secret, &link.bundle, place), &nonce, &[], &mut buffer);
        [&nonce[..], &buffer, &tag].concat()
    }

    #[test]
    fn an_authentic_part_with_other_padding_is_refused() {
        let bob = Person::bob();
        let link = link(&bob);
        let content = codec::encode(&bob.bundle_main());
        let padded = pad(&content, BUNDLE_MAIN_BYTES - NONCE_BYTES - TAG_BYTES).unwrap();
        let opened = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut padded = padded.to_vec();
            change(&mut padded);
            let main = seal_raw(&link, Place::Main, &padded);
            error(&link, &Bundle { main, ..bob.bundle(&link, PAIR) })
        };
        let last = padded.len() - 1;
        assert_eq!(opened(&|_| ()), None, "as it should be");
        assert_eq!(opened(&|padded| padded[last] = 1), Some(PeerMisbehaved::Padding), "a byte that is not zero");
        assert_eq!(opened(&|padded| padded[content.len()] = 0x81), Some(PeerMisbehaved::Padding), "another marker");
        assert_eq!(
            opened(&|padded| padded[content.len() + 1] = 0x80),
            Some(PeerMisbehaved::Malformed),
            "a second marker"
        );
        assert_eq!(opened(&|padded| padded.fill(0)), Some(PeerMisbehaved::Padding), "nothing but zeros");
        assert_eq!(opened(&|padded| padded[0] = 0xff), Some(PeerMisbehaved::Malformed), "no CBOR");
    }

    #[test]
    fn an_honest_repair_bundle_verifies() {
        let bob = Person::bob();
        let verified = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
        assert_eq!(verified.tag(), &bob.repair_bundle().tag);
        assert_eq!(verified.seal(), &bob.seal.public);
    }

    #[test]
    fn a_repair_bundle_wrong_in_one_way_is_refused() {
        let (bob, mallory) = (Person::bob(), Person::mallory());
        let refused = |change: &dyn Fn(&mut RepairBundle), expected, why| {
            let mut bundle = bob.repair_bundle();
            change(&mut bundle);
            let error = verify_repair_bundle(&bob.manifest, bob.device.id(), &bundle, NOW).err();
            assert_eq!(error, Some(expected), "{why}");
        };
        use PeerMisbehaved::{PrekeyKind as Kind, Signature};
        refused(&|bundle| bundle.signed = mallory.signed.public.clone(), Signature, "another's signed prekey");
        refused(&|bundle| bundle.last_resort = mallory.last_resort.public.clone(), Signature, "another's last resort");
        refused(&|bundle| bundle.seal = mallory.seal.public.clone(), Signature, "another's seal key");
        refused(&|bundle| bundle.last_resort = bob.one_time.public.clone(), Kind, "a pair as last resort");
        refused(&|bundle| bundle.signed = bob.seal.public.clone(), Kind, "a seal key as signed prekey");
        let verify = |device, now| verify_repair_bundle(&bob.manifest, device, &bob.repair_bundle(), now).err();
        assert_eq!(verify(mallory.device.id(), NOW), Some(PeerMisbehaved::UnknownDevice));
        assert_eq!(verify(bob.device.id(), EXPIRES), Some(PeerMisbehaved::Expired));
    }

    #[test]
    fn debug_prints_no_contents() {
        let bob = Person::bob();
        insta::assert_snapshot!(format!("{:?}", bob.verified(&link(&bob), PAIR)), @"VerifiedBundle(..)");
        let repair = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
        insta::assert_snapshot!(format!("{repair:?}"), @"VerifiedRepair(..)");
    }
}
