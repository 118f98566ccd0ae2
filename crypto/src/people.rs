//! Alice, Bob and Mallory with all their keys, each made from one seed: for tests alone.

use std::convert::Infallible;

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rand_core::{TryCryptoRng, TryRng, utils};
use sotto_inner::{
    BundleMain, Link, LinkKind, LinkSecret, MailboxAddress, Manifest, ManifestBody, Prekey, PrekeyKind, RepairBundle,
};
use sotto_outer::{Bundle, RelayAddress, Tls};

use crate::{DeviceKeys, PrekeySecret, Root, open_bundle, seal_main, seal_part};

/// When the tests happen, Unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// When every prekey of theirs expires.
pub(crate) const EXPIRES: u64 = NOW + 86_400;

/// A generator from a small seed.
pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Gives these bytes and then panics: for known answers.
pub(crate) struct FixedRng(pub(crate) Vec<u8>);

impl TryRng for FixedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(bytes.len());
        bytes.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for FixedRng {}

/// A prekey with its private half.
pub(crate) struct Pair {
    pub(crate) secret: PrekeySecret,
    pub(crate) public: Prekey,
}

/// Someone with one device.
pub(crate) struct Person {
    pub(crate) root: Root,
    pub(crate) device: DeviceKeys,
    pub(crate) manifest: Manifest,
    pub(crate) signed: Pair,
    pub(crate) one_time: Pair,
    pub(crate) last_resort: Pair,
    pub(crate) seal: Pair,
}

impl Person {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = &mut rng(seed);
        let (root, device) = (Root::generate(rng), DeviceKeys::generate(rng));
        let body = ManifestBody { root: root.public(), sequence: 1, previous: None, devices: vec![device.public()] };
        let manifest = root.sign_manifest(body);
        let mut prekey = |kind| {
            let (secret, public) = PrekeySecret::generate(kind, rng, NOW, EXPIRES, &device, &root.public());
            Pair { secret, public }
        };
        let [signed, one_time, last_resort, seal] =
            [PrekeyKind::Signed, PrekeyKind::OneTimePair, PrekeyKind::LastResort, PrekeyKind::Seal].map(&mut prekey);
        Self { root, device, manifest, signed, one_time, last_resort, seal }
    }

    pub(crate) fn alice() -> Self {
        Self::new(0xa11ce)
    }

    pub(crate) fn bob() -> Self {
        Self::new(0xb0b)
    }

    pub(crate) fn mallory() -> Self {
        Self::new(0x3a110)
    }

    pub(crate) fn link(&self, kind: LinkKind) -> Link {
        Link {
            kind,
            relay: relay(),
            root: self.root.public(),
            bundle: [0x1b; 16].into(),
            secret: LinkSecret::from([0x15; 32]),
        }
    }

    pub(crate) fn bundle_main(&self) -> BundleMain {
        BundleMain {
            manifest: self.manifest.clone(),
            device: self.device.id(),
            signed: self.signed.public.clone(),
            seal: self.seal.public.clone(),
            mailbox: MailboxAddress { relay: relay(), send_id: [0x5e; 16].into(), capability: [0xca; 32].into() },
            name: "Bob".to_owned(),
        }
    }

    /// What a relay gives for this person's link, with the one-time pair or the last-resort key.
    pub(crate) fn bundle(&self, link: &Link, with: PrekeyKind) -> Bundle {
        bundle_of(link, &self.bundle_main(), self.kem(with))
    }

    /// The same, opened.
    pub(crate) fn verified(&self, link: &Link, with: PrekeyKind) -> crate::VerifiedBundle {
        open_bundle(link, &self.bundle(link, with), NOW).expect("an honest bundle")
    }

    pub(crate) fn repair_bundle(&self) -> RepairBundle {
        RepairBundle {
            signed: self.signed.public.clone(),
            last_resort: self.last_resort.public.clone(),
            seal: self.seal.public.clone(),
            tag: [0x7a; 16].into(),
        }
    }

    fn kem(&self, with: PrekeyKind) -> &Prekey {
        match with {
            PrekeyKind::OneTimePair => &self.one_time.public,
            PrekeyKind::LastResort => &self.last_resort.public,
            PrekeyKind::Signed | PrekeyKind::Seal => panic!("no such part"),
        }
    }
}

/// Seals any main part and prekey, honest or not, where the prekey's kind puts it.
pub(crate) fn bundle_of(link: &Link, main: &BundleMain, kem: &Prekey) -> Bundle {
    let rng = &mut rng(1);
    let part = seal_part(rng, &link.secret, &link.bundle, kem);
    let main = seal_main(rng, &link.secret, &link.bundle, main);
    match kem.body.kind {
        PrekeyKind::OneTimePair => Bundle { main, pair: Some(part), last_resort: None },
        _ => Bundle { main, pair: None, last_resort: Some(part) },
    }
}

fn relay() -> RelayAddress {
    RelayAddress::new("relay.example", 4433, Tls::Own, [0x4e; 32].into()).expect("a valid address")
}
