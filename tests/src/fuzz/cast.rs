//! Who takes part: Alice, who begins, and Bob, who offers a bundle. Made once; each input begins with copies.

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_crypto::{
    Answering, DeviceKeys, Initiated, PrekeySecret, Root, Session, VerifiedBundle, accept, initiate, open_bundle,
    seal_main, seal_part,
};
use sotto_inner::{
    BundleMain, Handshake, Link, LinkKind, LinkSecret, MailboxAddress, Manifest, ManifestBody, Prekey, PrekeyKind,
};
use sotto_outer::{Bundle, RelayAddress, Tls};

use super::party::Party;

/// The time at which every story begins, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// Alice and Bob, and the first states of their session.
#[derive(Debug)]
pub struct Cast {
    /// Begins the session.
    pub alice: Person,
    /// Has offered a bundle.
    pub bob: Person,
    /// Leads to Bob's bundle.
    pub link: Link,
    /// Bob's bundle as a relay keeps it.
    pub bundle: Bundle,
    /// Alice's half.
    pub handshake: Handshake,
    /// Alice and Bob, stored, after so many turns of one packet each.
    stored: Vec<[Vec<u8>; 2]>,
}

/// Turns after which a story may begin: over an epoch of the Braid, so that each of its states is near some beginning.
const TURNS: usize = 64;

/// Someone with one device and its prekeys.
#[derive(Debug)]
pub struct Person {
    /// Their devices.
    pub manifest: Manifest,
    /// The device.
    pub device: DeviceKeys,
    /// Signed prekey.
    pub signed: (PrekeySecret, Prekey),
    /// One-time pair.
    pub pair: (PrekeySecret, Prekey),
    /// Last-resort key.
    pub last_resort: (PrekeySecret, Prekey),
    /// Seal key.
    pub seal: (PrekeySecret, Prekey),
}

/// The cast, made on first use.
pub fn cast() -> &'static Cast {
    static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);
    &CAST
}

impl Cast {
    fn new() -> Self {
        let (alice, bob) = (Person::new(1), Person::new(2));
        let link = bob.link();
        let bundle = bob.bundle(&link);
        let opened = open_bundle(&link, &bundle, NOW).expect("an honest bundle");
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let Initiated { handshake, id: _, session } =
            initiate(&mut rng, &alice.manifest, &alice.device, &opened, &link).expect("an honest bundle");
        let answer = accept(&bob.answering(&link), &handshake).expect("an honest handshake");
        let stored = past(session, answer);
        Self { alice, bob, link, bundle, handshake, stored }
    }

    /// Alice's first state, and Bob's.
    pub fn sessions(&self) -> (Session, Session) {
        self.sessions_after(0)
    }

    /// Alice and Bob after some turns of one packet each; [`TURNS`] are as none.
    pub fn sessions_after(&self, turns: u8) -> (Session, Session) {
        let decode = |bytes| Session::decode(bytes).expect("a state that was encoded");
        let [alice, bob] = &self.stored[usize::from(turns) % TURNS];
        (decode(alice), decode(bob))
    }

    /// Bob's bundle, opened and verified.
    pub fn opened(&self) -> VerifiedBundle {
        open_bundle(&self.link, &self.bundle, NOW).expect("an honest bundle")
    }
}

impl Person {
    fn new(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let (root, device) = (Root::generate(rng), DeviceKeys::generate(rng));
        let body = ManifestBody { root: root.public(), sequence: 1, previous: None, devices: vec![device.public()] };
        let mut prekey = |kind| PrekeySecret::generate(kind, rng, NOW, NOW + 86_400, &device, &root.public());
        let [signed, pair, last_resort, seal] =
            [PrekeyKind::Signed, PrekeyKind::OneTimePair, PrekeyKind::LastResort, PrekeyKind::Seal].map(&mut prekey);
        Self { manifest: root.sign_manifest(body), device, signed, pair, last_resort, seal }
    }

    fn link(&self) -> Link {
        Link {
            kind: LinkKind::Invitation,
            relay: relay(),
            root: self.manifest.body.root,
            bundle: [5; 16].into(),
            secret: LinkSecret::from([6; 32]),
        }
    }

    /// What a relay gives for a link of theirs.
    fn bundle(&self, link: &Link) -> Bundle {
        let rng = &mut ChaCha20Rng::seed_from_u64(8);
        let main = self.bundle_main();
        Bundle {
            main: seal_main(rng, &link.secret, &link.bundle, &main),
            pair: Some(seal_part(rng, &link.secret, &link.bundle, &self.pair.1)),
            last_resort: None,
        }
    }

    /// The main part of their bundle.
    pub fn bundle_main(&self) -> BundleMain {
        BundleMain {
            manifest: self.manifest.clone(),
            device: self.device.id(),
            signed: self.signed.1.clone(),
            seal: self.seal.1.clone(),
            mailbox: MailboxAddress { relay: relay(), send_id: [7; 16].into(), capability: [8; 32].into() },
            name: "Bob".to_owned(),
        }
    }

    /// What they answer a handshake for `link` with, if it names the one-time pair.
    pub fn answering<'a>(&'a self, link: &'a Link) -> Answering<'a> {
        Answering {
            manifest: &self.manifest,
            device: &self.device,
            signed: &self.signed.0,
            one_time: Some(&self.pair.0),
            last_resort: None,
            link_secret: Some(&link.secret),
        }
    }
}

/// Every state of two who talk in turns.
fn past(alice: Session, bob: Session) -> Vec<[Vec<u8>; 2]> {
    let mut parties = [Party::new(alice, 0xa), Party::new(bob, 0xb)];
    let mut stored = vec![];
    for _ in 0..TURNS {
        stored.push(parties.each_ref().map(|party| party.session.encode().to_vec()));
        for (from, to) in [(0, 1), (1, 0)] {
            let packet = parties[from].seal(b"well").expect("an open window");
            parties[to].open(&packet, NOW).expect("an honest packet");
        }
    }
    stored
}

/// A relay that exists nowhere.
pub fn relay() -> RelayAddress {
    RelayAddress::new("relay.example", 4_433, Tls::Own, [4; 32].into()).expect("a valid address")
}
