//! Examples and doors of what only clients can read.
//!
//! Where a signature covers a value, a change of the value would always fail at the signature, whatever else is wrong with it.
//! So the doors here sign a decoded change anew with the examples' own keys before they let `sotto-crypto` judge it.

use std::sync::LazyLock;

use ed25519_dalek::Signer;
use minicbor::bytes::ByteVec;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sotto_crypto::{
    DeviceKeys, PeerMisbehaved, PrekeySecret, Root, check_handshake, open_bundle, seal_main, seal_part,
    verify_manifest, verify_prekey, verify_repair_bundle,
};
use sotto_inner::{
    Body, BundleMain, Content, ContentId, Device, FirstMessage, Handshake, HybridTime, Link, LinkKind, MailboxAddress,
    Mailboxes, Manifest, ManifestBody, Prekey, PrekeyBody, PrekeyId, PrekeyKind, RepairBundle, labels,
    limits::MLKEM1024_CIPHERTEXT_BYTES,
};
use sotto_outer::{
    Bundle, Tls, VERSION, codec,
    limits::{BUNDLE_MAIN_BYTES, FRAME_BYTES_MAX},
};

use super::{Case, outer::address};

/// Example prekeys are valid from here, Unix seconds.
const CREATED: u64 = 1_800_000_000;
/// They never lapse: expiry is a matter of time, not of form, and doors ask at time zero.
const EXPIRES: u64 = CREATED + 86_400;
const NOW: u64 = 0;

/// The types of `spec/inner`.
pub fn cases() -> Vec<Case> {
    let cast = &*CAST;
    vec![
        Case { rule: "manifest", door: manifest, examples: cast.manifests() },
        Case { rule: "signed-prekey", door: signed_prekey, examples: vec![("signed", codec::encode(&cast.signed))] },
        Case { rule: "one-time-pair", door: one_time_pair, examples: vec![("pair", codec::encode(&cast.pair))] },
        Case {
            rule: "last-resort-prekey",
            door: last_resort,
            examples: vec![("last resort", codec::encode(&cast.last))],
        },
        Case { rule: "seal-prekey", door: seal, examples: vec![("seal", codec::encode(&cast.seal))] },
        Case { rule: "link", door: link, examples: links() },
        Case { rule: "bundle-main", door: bundle_main, examples: cast.bundle_mains() },
        Case { rule: "repair-bundle", door: repair_bundle, examples: vec![("repair", codec::encode(&cast.repair()))] },
        Case { rule: "handshake", door: handshake, examples: cast.handshakes() },
        Case { rule: "first-message", door: first_message, examples: cast.first_messages() },
        Case { rule: "content", door: content, examples: cast.contents() },
    ]
}

/// One person with one device and a prekey of each kind.
struct Cast {
    root: Root,
    device: DeviceKeys,
    listed: Device,
    signed: Prekey,
    pair: Prekey,
    last: Prekey,
    seal: Prekey,
}

static CAST: LazyLock<Cast> = LazyLock::new(|| {
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let root = Root::generate(rng);
    // A name that begins with zeros is the first of any renumbered list of devices.
    let mut device = DeviceKeys::generate(rng).to_bytes();
    device[..2].fill(0);
    let device = DeviceKeys::from_bytes(&device).expect("the length did not change");
    let listed = device.public();
    let mut make = |kind| PrekeySecret::generate(kind, rng, CREATED, EXPIRES, &device, &root.public()).1;
    let (signed, pair) = (make(PrekeyKind::Signed), make(PrekeyKind::OneTimePair));
    let (last, seal) = (make(PrekeyKind::LastResort), make(PrekeyKind::Seal));
    Cast { root, device, listed, signed, pair, last, seal }
});

impl Cast {
    fn manifest(&self) -> Manifest {
        self.root.sign_manifest(ManifestBody {
            root: self.root.public(),
            sequence: 1,
            previous: None,
            devices: vec![self.listed.clone()],
        })
    }

    fn next_manifest(&self) -> Manifest {
        self.root.sign_manifest(ManifestBody {
            root: self.root.public(),
            sequence: 2,
            previous: Some([22; 32].into()),
            devices: vec![self.listed.clone(), Device { id: [23; 16].into(), ..self.listed.clone() }],
        })
    }

    fn manifests(&self) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("the first manifest", codec::encode(&self.manifest())),
            ("the second manifest, with two devices", codec::encode(&self.next_manifest())),
        ]
    }

    fn bundle_mains(&self) -> Vec<(&'static str, Vec<u8>)> {
        let main = BundleMain {
            manifest: self.manifest(),
            device: self.device.id(),
            signed: self.signed.clone(),
            seal: self.seal.clone(),
            mailbox: mailbox(),
            name: "Bob".into(),
        };
        vec![("a main part", codec::encode(&main))]
    }

    fn repair(&self) -> RepairBundle {
        RepairBundle {
            signed: self.signed.clone(),
            last_resort: self.last.clone(),
            seal: self.seal.clone(),
            tag: [24; 16].into(),
        }
    }

    fn handshake(&self) -> Handshake {
        Handshake {
            version: VERSION,
            manifest: self.manifest(),
            device: self.device.id(),
            responder_manifest: [25; 32].into(),
            responder_device: [26; 16].into(),
            signed: PrekeyId(27),
            one_time: Some(PrekeyId(28)),
            last_resort: None,
            ephemeral: self.listed.agreement,
            ciphertext: ByteVec::from(vec![29; MLKEM1024_CIPHERTEXT_BYTES]),
            invitation: None,
        }
    }

    fn handshakes(&self) -> Vec<(&'static str, Vec<u8>)> {
        let one_time = self.handshake();
        let last_resort = Handshake {
            one_time: None,
            last_resort: Some(PrekeyId(30)),
            invitation: Some([31; 16].into()),
            manifest: self.next_manifest(),
            ..one_time.clone()
        };
        vec![
            ("with a one-time pair", codec::encode(&one_time)),
            ("with the last-resort key, from an invitation", codec::encode(&last_resort)),
        ]
    }

    fn first_messages(&self) -> Vec<(&'static str, Vec<u8>)> {
        let message = FirstMessage { handshake: self.handshake(), packet: ByteVec::from(vec![32; 500]) };
        vec![("a first message", codec::encode(&message))]
    }

    fn contents(&self) -> Vec<(&'static str, Vec<u8>)> {
        let hello = |text: Option<&str>| Body::Hello {
            name: "Zoë".into(),
            mailboxes: mailboxes(1),
            text: text.map(str::to_owned),
        };
        let bodies = [
            ("hello", hello(None)),
            ("hello with a text", hello(Some("We met at the lake."))),
            ("accept", Body::Accept { name: String::new(), mailboxes: mailboxes(2) }),
            ("text", Body::Text { text: "Grüße".into() }),
            ("receipt", Body::Receipt { delivered: vec![ContentId::from([33; 16]), ContentId::from([34; 16])] }),
            ("repair bundle", Body::Repair(self.repair())),
            ("repaired", Body::Repaired(mailboxes(1))),
            ("typing", Body::Typing { active: true }),
            ("mailboxes", Body::Mailboxes(mailboxes(2))),
        ];
        let time = HybridTime::from_millis(CREATED * 1_000);
        bodies.map(|(name, body)| (name, Content { id: [35; 16].into(), time, body }.encode())).into()
    }

    fn sign(&self, manifest: Manifest) -> Manifest {
        if manifest.body.root == self.root.public() { self.root.sign_manifest(manifest.body) } else { manifest }
    }

    /// Signs as `sotto-crypto` does for keys of its own making: label, root, device, encoded body.
    fn sign_prekey(&self, body: PrekeyBody) -> Prekey {
        let root = self.root.public();
        let bytes = [labels::PREKEY, root.as_bytes(), self.device.id().as_bytes(), &codec::encode(&body)].concat();
        let secret = self.device.to_bytes();
        let seed = secret[16..48].try_into().expect("a device's bytes are name, seed, agreement key");
        let signature = ed25519_dalek::SigningKey::from_bytes(seed).sign(&bytes);
        Prekey { body, signature: signature.to_bytes().into() }
    }
}

fn mailbox() -> MailboxAddress {
    MailboxAddress { relay: address("relay.example", Tls::Own), send_id: [3; 16].into(), capability: [6; 32].into() }
}

fn mailboxes(count: usize) -> Mailboxes {
    Mailboxes { generation: CREATED, addresses: vec![mailbox(); count] }
}

fn links() -> Vec<(&'static str, Vec<u8>)> {
    let link = |kind, host: &str| Link {
        kind,
        relay: address(host, Tls::Own),
        root: [36; 32].into(),
        bundle: [11; 16].into(),
        secret: [37; 32].into(),
    };
    vec![
        ("an address", codec::encode(&link(LinkKind::Address, "relay.example"))),
        ("an invitation", codec::encode(&link(LinkKind::Invitation, &"a".repeat(63)))),
    ]
}

fn decode<T>(bytes: &[u8]) -> Result<T, String>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    codec::decode(bytes, FRAME_BYTES_MAX).map_err(|error| error.to_string())
}

fn verdict(result: Result<(), PeerMisbehaved>) -> Result<(), String> {
    match result {
        Ok(()) | Err(PeerMisbehaved::Expired) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn manifest(bytes: &[u8]) -> Result<(), String> {
    verdict(verify_manifest(&CAST.sign(decode(bytes)?)))
}

fn prekey(bytes: &[u8], kind: PrekeyKind) -> Result<(), String> {
    let prekey: Prekey = decode(bytes)?;
    verdict(verify_prekey(&CAST.root.public(), &CAST.listed, &CAST.sign_prekey(prekey.body), kind, NOW))
}

fn signed_prekey(bytes: &[u8]) -> Result<(), String> {
    prekey(bytes, PrekeyKind::Signed)
}

fn one_time_pair(bytes: &[u8]) -> Result<(), String> {
    prekey(bytes, PrekeyKind::OneTimePair)
}

fn last_resort(bytes: &[u8]) -> Result<(), String> {
    prekey(bytes, PrekeyKind::LastResort)
}

fn seal(bytes: &[u8]) -> Result<(), String> {
    prekey(bytes, PrekeyKind::Seal)
}

fn link(bytes: &[u8]) -> Result<(), String> {
    let text = format!("sotto:{}", data_encoding::BASE64URL_NOPAD.encode(bytes));
    text.parse::<Link>().map(|_| ()).map_err(|error| error.to_string())
}

fn bundle_main(bytes: &[u8]) -> Result<(), String> {
    let main: BundleMain = decode(bytes)?;
    // Nonce, tag and one byte of padding stand around it.
    if bytes.len() > BUNDLE_MAIN_BYTES - 12 - 16 - 1 {
        return Err("does not fit its part".into());
    }
    let main = BundleMain {
        manifest: CAST.sign(main.manifest),
        signed: CAST.sign_prekey(main.signed.body),
        seal: CAST.sign_prekey(main.seal.body),
        ..main
    };
    let link: Link = Link {
        kind: LinkKind::Address,
        relay: address("relay.example", Tls::Own),
        root: CAST.root.public(),
        bundle: [11; 16].into(),
        secret: [37; 32].into(),
    };
    let rng = &mut ChaCha20Rng::from_seed([2; 32]);
    let bundle = Bundle {
        main: seal_main(rng, &link.secret, &link.bundle, &main),
        pair: Some(seal_part(rng, &link.secret, &link.bundle, &CAST.pair)),
        last_resort: None,
    };
    verdict(open_bundle(&link, &bundle, NOW).map(|_| ()))
}

fn check_repair_bundle(bundle: RepairBundle) -> Result<(), String> {
    let bundle = RepairBundle {
        signed: CAST.sign_prekey(bundle.signed.body),
        last_resort: CAST.sign_prekey(bundle.last_resort.body),
        seal: CAST.sign_prekey(bundle.seal.body),
        tag: bundle.tag,
    };
    verdict(verify_repair_bundle(&CAST.manifest(), CAST.device.id(), &bundle, NOW).map(|_| ()))
}

fn repair_bundle(bytes: &[u8]) -> Result<(), String> {
    check_repair_bundle(decode(bytes)?)
}

fn handshake(bytes: &[u8]) -> Result<(), String> {
    let handshake: Handshake = decode(bytes)?;
    let manifest = CAST.sign(handshake.manifest);
    verdict(check_handshake(&Handshake { manifest, ..handshake }))
}

fn first_message(bytes: &[u8]) -> Result<(), String> {
    let FirstMessage { handshake, packet: _ } = decode(bytes)?;
    let manifest = CAST.sign(handshake.manifest);
    verdict(check_handshake(&Handshake { manifest, ..handshake }))
}

fn content(bytes: &[u8]) -> Result<(), String> {
    let content = Content::decode(bytes).map_err(|error| error.to_string())?;
    match content.body {
        Body::Repair(bundle) => check_repair_bundle(bundle),
        Body::Hello { .. }
        | Body::Accept { .. }
        | Body::Text { .. }
        | Body::Receipt { .. }
        | Body::Repaired(_)
        | Body::Typing { .. }
        | Body::Mailboxes(_) => Ok(()),
    }
}
