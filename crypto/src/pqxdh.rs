//! PQXDH: the first secret of two who were never online together.
//!
//! SK = HKDF(salt = 0, ikm = 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 \[‖ DH4] ‖ KEM secret \[‖ link secret], info = label ‖
//! SHA-256(transcript)), where
//!
//! ```text
//!            initiator          responder
//! DH1        identity key       signed prekey
//! DH2        ephemeral key      identity key
//! DH3        ephemeral key      signed prekey
//! DH4        ephemeral key      one-time pair's X25519 key, if there is one
//! KEM        encapsulates to    one-time pair's or last-resort ML-KEM-1024 key
//! ```
//!
//! Signatures are checked before, by `open_bundle`, `verify_repair_bundle` and `check_handshake`. Authentication is
//! classical, but for the link secret of a one-time invitation, which authenticates the inviter against a quantum
//! adversary too.

use core::fmt;

use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;
use sotto_inner::{
    AgreementKey, Handshake, Link, LinkKind, LinkSecret, Manifest, Prekey, PrekeyKind, labels, limits::X25519_BYTES,
};
use sotto_outer::VERSION;

use crate::{
    PeerMisbehaved, Session, SessionId,
    bundle::{Responder, VerifiedBundle, VerifiedRepair},
    handshake::{handshake_id, initiating_device},
    identity::{DeviceKeys, manifest_hash},
    kdf::hkdf,
    mlkem,
    prekey::PrekeySecret,
    ratchet::{AssociatedData, SessionSecret},
    secret::Secret32,
    transcript::{Side, Transcript, UsedPrekey},
    x25519::{PrivateKey, Shared},
};

/// What an initiator has after its half.
#[derive(Debug)]
pub struct Initiated {
    /// Goes in front of every packet until the first reply.
    pub handshake: Handshake,
    /// The session's name.
    pub id: SessionId,
    /// Ready to seal.
    pub session: Session,
}

/// Begins a session with whoever `link` leads to. An invitation's secret is mixed in and its bundle named.
///
/// Draws 32 bytes for the ephemeral key, 32 for the encapsulation, then what the session draws.
///
/// # Errors
/// [`PeerMisbehaved::OtherRoot`] if link and bundle disagree; a key that cannot be agreed with.
pub fn initiate(
    rng: &mut dyn CryptoRng,
    manifest: &Manifest,
    device: &DeviceKeys,
    to: &VerifiedBundle,
    link: &Link,
) -> Result<Initiated, PeerMisbehaved> {
    if link.root != *to.root() {
        return Err(PeerMisbehaved::OtherRoot);
    }
    match link.kind {
        LinkKind::Address => begin(rng, manifest, device, to.responder(), None),
        LinkKind::Invitation => begin(rng, manifest, device, to.responder(), Some(link)),
    }
}

/// Begins a session that replaces a broken one, with the keys the contact sent for that.
///
/// # Errors
/// [`PeerMisbehaved`], for a key that cannot be agreed with.
pub fn initiate_repair(
    rng: &mut dyn CryptoRng,
    manifest: &Manifest,
    device: &DeviceKeys,
    to: &VerifiedRepair,
) -> Result<Initiated, PeerMisbehaved> {
    begin(rng, manifest, device, to.responder(), None)
}

/// The secrets that a handshake names, as the responder found them.
pub struct Answering<'a> {
    /// Our manifest: the one the handshake was made for.
    pub manifest: &'a Manifest,
    /// This device.
    pub device: &'a DeviceKeys,
    /// The signed prekey.
    pub signed: &'a PrekeySecret,
    /// The one-time pair, if the handshake names one.
    pub one_time: Option<&'a PrekeySecret>,
    /// The last-resort key, if the handshake names one.
    pub last_resort: Option<&'a PrekeySecret>,
    /// The secret of the invitation, if the handshake names one.
    pub link_secret: Option<&'a LinkSecret>,
}

/// Tells nothing of the secrets.
impl fmt::Debug for Answering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { manifest: _, device: _, signed: _, one_time: _, last_resort: _, link_secret: _ } = self;
        f.write_str("Answering(..)")
    }
}

/// Makes the session of a handshake that `check_handshake` passed. The first packet shows whether both sides have the
/// same.
///
/// # Errors
/// [`PeerMisbehaved`], if the handshake does not fit the secrets, or has a key that cannot be agreed with.
pub fn accept(answering: &Answering<'_>, handshake: &Handshake) -> Result<Session, PeerMisbehaved> {
    let Accepted { secret, associated } = derive_accepted(answering, handshake)?;
    let signed = answering.signed.agreement().ok_or(PeerMisbehaved::Prekeys)?;
    Ok(Session::responder(handshake_id(handshake), SessionSecret::new(secret), signed, associated))
}

/// What the responder derives.
pub(crate) struct Accepted {
    pub(crate) secret: Secret32,
    pub(crate) associated: AssociatedData,
}

pub(crate) fn derive_accepted(answering: &Answering<'_>, handshake: &Handshake) -> Result<Accepted, PeerMisbehaved> {
    let initiator = initiating_device(handshake)?;
    let Answering { manifest, device, signed, one_time, last_resort, link_secret } = answering;
    let responder_manifest = manifest_hash(manifest);
    if handshake.responder_manifest != responder_manifest {
        return Err(PeerMisbehaved::OtherManifest);
    }
    if handshake.responder_device != device.id() {
        return Err(PeerMisbehaved::UnknownDevice);
    }
    if handshake.invitation.is_some() != link_secret.is_some() {
        return Err(PeerMisbehaved::Invitation);
    }
    let kem = match (handshake.one_time, one_time, last_resort) {
        (Some(id), Some(pair), None) if pair.id() == id && pair.kind() == PrekeyKind::OneTimePair => pair,
        (None, None, Some(last))
            if Some(last.id()) == handshake.last_resort && last.kind() == PrekeyKind::LastResort =>
        {
            last
        }
        _ => return Err(PeerMisbehaved::Prekeys),
    };
    if signed.id() != handshake.signed || signed.kind() != PrekeyKind::Signed {
        return Err(PeerMisbehaved::Prekeys);
    }
    let (signed_key, kem_key) =
        (signed.agreement().ok_or(PeerMisbehaved::Prekeys)?, kem.kem().ok_or(PeerMisbehaved::Prekeys)?);

    let secrets = Secrets {
        dh1: signed_key.agree(&initiator.agreement)?,
        dh2: device.agreement().agree(&handshake.ephemeral)?,
        dh3: signed_key.agree(&handshake.ephemeral)?,
        dh4: kem.agreement().map(|pair| pair.agree(&handshake.ephemeral)).transpose()?,
        kem: kem_key.decapsulate(&handshake.ciphertext)?,
        link: *link_secret,
    };
    let transcript = Transcript {
        initiator: Side {
            root: &handshake.manifest.body.root,
            manifest: manifest_hash(&handshake.manifest),
            device: initiator.clone(),
        },
        responder: Side { root: &manifest.body.root, manifest: responder_manifest, device: device.public() },
        signed: UsedPrekey { kind: PrekeyKind::Signed, id: signed.id(), key: &signed.public() },
        kem: UsedPrekey { kind: kem.kind(), id: kem.id(), key: &kem.public() },
        ephemeral: &handshake.ephemeral,
        ciphertext: &handshake.ciphertext,
        invitation: handshake.invitation.as_ref(),
    };
    Ok(Accepted { secret: secrets.derive(&transcript), associated: associated(&transcript) })
}

/// What the initiator derives.
pub(crate) struct Begun {
    pub(crate) handshake: Handshake,
    pub(crate) secret: Secret32,
    pub(crate) associated: AssociatedData,
    pub(crate) signed: AgreementKey,
}

fn begin(
    rng: &mut dyn CryptoRng,
    manifest: &Manifest,
    device: &DeviceKeys,
    to: &Responder,
    invitation: Option<&Link>,
) -> Result<Initiated, PeerMisbehaved> {
    let Begun { handshake, secret, associated, signed } = derive_begun(rng, manifest, device, to, invitation)?;
    let id = handshake_id(&handshake);
    let session = Session::initiator(id, SessionSecret::new(secret), signed, associated, rng)?;
    Ok(Initiated { handshake, id, session })
}

pub(crate) fn derive_begun(
    rng: &mut dyn CryptoRng,
    manifest: &Manifest,
    device: &DeviceKeys,
    to: &Responder,
    invitation: Option<&Link>,
) -> Result<Begun, PeerMisbehaved> {
    let ephemeral = PrivateKey::generate(rng);
    let signed = agreement_key(&to.signed.body.key)?;
    let one_time = to.kem.body.kind == PrekeyKind::OneTimePair;
    let (pair, kem_key) = to.kem.body.key.split_at(if one_time { X25519_BYTES } else { 0 });
    let (ciphertext, kem) = mlkem::encapsulate(rng, kem_key)?;

    let secrets = Secrets {
        dh1: device.agreement().agree(&signed)?,
        dh2: ephemeral.agree(&to.device.agreement)?,
        dh3: ephemeral.agree(&signed)?,
        dh4: if one_time { Some(ephemeral.agree(&agreement_key(pair)?)?) } else { None },
        kem,
        link: invitation.map(|link| &link.secret),
    };
    let transcript = Transcript {
        initiator: Side { root: &manifest.body.root, manifest: manifest_hash(manifest), device: device.public() },
        responder: Side {
            root: &to.manifest.body.root,
            manifest: manifest_hash(&to.manifest),
            device: to.device.clone(),
        },
        signed: used(&to.signed),
        kem: used(&to.kem),
        ephemeral: ephemeral.public(),
        ciphertext: &ciphertext,
        invitation: invitation.map(|link| &link.bundle),
    };
    let (secret, associated) = (secrets.derive(&transcript), associated(&transcript));
    let handshake = Handshake {
        version: VERSION,
        manifest: manifest.clone(),
        device: device.id(),
        responder_manifest: transcript.responder.manifest,
        responder_device: to.device.id,
        signed: to.signed.body.id,
        one_time: one_time.then_some(to.kem.body.id),
        last_resort: (!one_time).then_some(to.kem.body.id),
        ephemeral: *ephemeral.public(),
        ciphertext: ByteVec::from(ciphertext.to_vec()),
        invitation: invitation.map(|link| link.bundle),
    };
    Ok(Begun { handshake, secret, associated, signed })
}

/// The secrets of a handshake; each wipes itself.
struct Secrets<'a> {
    dh1: Shared,
    dh2: Shared,
    dh3: Shared,
    dh4: Option<Shared>,
    kem: mlkem::SharedSecret,
    link: Option<&'a LinkSecret>,
}

impl Secrets<'_> {
    fn derive(&self, transcript: &Transcript<'_>) -> Secret32 {
        let Self { dh1, dh2, dh3, dh4, kem, link } = self;
        let mut ikm: Vec<&[u8]> = vec![&[0xff; 32], dh1.as_bytes(), dh2.as_bytes(), dh3.as_bytes()];
        ikm.extend(dh4.iter().map(|dh4| &dh4.as_bytes()[..]));
        ikm.push(&**kem);
        ikm.extend(link.iter().map(|link| &link.as_bytes()[..]));
        Secret32::filled(|secret| hkdf(&[0; 32], &ikm, &[labels::PQXDH, &transcript.hash()], secret))
    }
}

/// What every packet of the session authenticates: the same for both.
fn associated(transcript: &Transcript<'_>) -> AssociatedData {
    let Transcript { initiator, responder, .. } = transcript;
    AssociatedData::new((initiator.root, &initiator.device.id), (responder.root, &responder.device.id))
}

fn agreement_key(key: &[u8]) -> Result<AgreementKey, PeerMisbehaved> {
    AgreementKey::try_from(key).map_err(|_| PeerMisbehaved::Length)
}

fn used(prekey: &Prekey) -> UsedPrekey<'_> {
    UsedPrekey { kind: prekey.body.kind, id: prekey.body.id, key: &prekey.body.key }
}

#[cfg(test)]
mod tests {
    use sotto_inner::{DeviceId, ManifestBody, PrekeyId};

    use super::*;
    use crate::{
        NoSkippedKeys, Padding,
        people::{EXPIRES, FixedRng, NOW, Person, rng},
        prekey::verify_prekey,
        verify_repair_bundle,
    };

    const WITH: [PrekeyKind; 2] = [PrekeyKind::OneTimePair, PrekeyKind::LastResort];
    const LINKS: [LinkKind; 2] = [LinkKind::Address, LinkKind::Invitation];

    /// What Bob holds for a handshake that names these keys.
    fn answering<'a>(bob: &'a Person, with: PrekeyKind, link: Option<&'a Link>) -> Answering<'a> {
        Answering {
            manifest: &bob.manifest,
            device: &bob.device,
            signed: &bob.signed.secret,
            one_time: (with == PrekeyKind::OneTimePair).then_some(&bob.one_time.secret),
            last_resort: (with == PrekeyKind::LastResort).then_some(&bob.last_resort.secret),
            link_secret: link.filter(|link| link.kind == LinkKind::Invitation).map(|link| &link.secret),
        }
    }

    fn begin(alice: &Person, bob: &Person, with: PrekeyKind, link: &Link) -> Initiated {
        initiate(&mut rng(1), &alice.manifest, &alice.device, &bob.verified(link, with), link).unwrap()
    }

    /// Seals on one side, opens on the other; the next states of both, if it opens.
    fn pass(from: &Session, to: &Session, content: &[u8]) -> Option<(Session, Session)> {
        let (from, _, packet) = from.seal(&mut rng(2), content, Padding::None).unwrap().into_parts();
        let (to, _, opened) = to.open(&mut rng(3), &packet, NOW, &NoSkippedKeys).ok()?.into_parts();
        assert_eq!(opened.content[..], *content);
        Some((from, to))
    }

    #[test]
    fn both_sides_talk_with_every_choice_of_keys() {
        let (alice, bob) = (Person::alice(), Person::bob());
        for with in WITH {
            for kind in LINKS {
                let link = bob.link(kind);
                let Initiated { handshake, id, session } = begin(&alice, &bob, with, &link);
                assert_eq!(handshake.one_time.is_some(), with == PrekeyKind::OneTimePair);
                assert_eq!(handshake.invitation, (kind == LinkKind::Invitation).then_some(link.bundle));
                let answered = accept(&answering(&bob, with, Some(&link)), &handshake).unwrap();
                assert_eq!((session.id(), answered.id()), (&id, &handshake_id(&handshake)));
                let (session, answered) = pass(&session, &answered, b"hello").unwrap();
                let (answered, session) = pass(&answered, &session, b"hello back").unwrap();
                pass(&session, &answered, b"and so on").unwrap();
            }
        }
    }

    #[test]
    fn a_broken_session_is_replaced_with_repair_keys() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let to = verify_repair_bundle(&bob.manifest, bob.device.id(), &bob.repair_bundle(), NOW).unwrap();
        let begun = initiate_repair(&mut rng(1), &alice.manifest, &alice.device, &to).unwrap();
        assert_eq!((begun.handshake.one_time, begun.handshake.invitation), (None, None));
        let answered = accept(&answering(&bob, PrekeyKind::LastResort, None), &begun.handshake).unwrap();
        let (session, answered) = pass(&begun.session, &answered, b"hello").unwrap();
        pass(&answered, &session, b"hello back").unwrap();
    }

    #[test]
    fn the_same_seed_gives_the_same_handshake_and_another_one_another() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let link = bob.link(LinkKind::Address);
        let to = bob.verified(&link, PrekeyKind::OneTimePair);
        let begin = |seed| initiate(&mut rng(seed), &alice.manifest, &alice.device, &to, &link).unwrap();
        let (first, same, other) = (begin(1), begin(1), begin(2));
        assert_eq!(first.handshake, same.handshake);
        assert_eq!(first.session.encode(), same.session.encode());
        assert_ne!(first.handshake.ephemeral, other.handshake.ephemeral);
        assert_ne!(first.handshake.ciphertext, other.handshake.ciphertext);
    }

    #[test]
    fn a_link_of_another_root_begins_nothing() {
        let (alice, bob, mallory) = (Person::alice(), Person::bob(), Person::mallory());
        let to = bob.verified(&bob.link(LinkKind::Address), PrekeyKind::OneTimePair);
        let link = mallory.link(LinkKind::Address);
        let error = initiate(&mut rng(1), &alice.manifest, &alice.device, &to, &link).unwrap_err();
        assert_eq!(error, PeerMisbehaved::OtherRoot);
    }

    /// A handshake that was changed on its way gives an error or a session that opens nothing of the initiator's.
    #[test]
    fn a_changed_handshake_makes_another_session() {
        let (alice, bob, mallory) = (Person::alice(), Person::bob(), Person::mallory());
        for with in WITH {
            let link = bob.link(LinkKind::Invitation);
            let begun = begin(&alice, &bob, with, &link);
            let accepted = |change: &dyn Fn(&mut Handshake)| {
                let mut handshake = begun.handshake.clone();
                change(&mut handshake);
                assert_ne!(handshake, begun.handshake);
                accept(&answering(&bob, with, Some(&link)), &handshake)
            };
            let differs = |change: &dyn Fn(&mut Handshake), why| {
                let session = accepted(change).expect(why);
                assert!(pass(&begun.session, &session, b"hello").is_none(), "{why}");
            };
            let refused = |change: &dyn Fn(&mut Handshake), expected, why| {
                assert_eq!(accepted(change).err(), Some(expected), "{why}");
            };
            let other = mallory.device.public();
            differs(&|handshake| handshake.manifest.body.root = mallory.root.public(), "another root");
            differs(&|handshake| handshake.manifest.body.sequence = 2, "another manifest");
            differs(&|handshake| handshake.manifest.signature = [0; 64].into(), "another signature of the manifest");
            differs(&|handshake| handshake.manifest.body.devices[0].signing = other.signing, "another signing key");
            differs(
                &|handshake| handshake.manifest.body.devices[0].agreement = other.agreement,
                "another identity key",
            );
            differs(
                &|handshake| (handshake.device, handshake.manifest.body.devices[0].id) = (other.id, other.id),
                "another device id",
            );
            differs(&|handshake| handshake.ephemeral = other.agreement, "another ephemeral key");
            for byte in [0, 700, 1_567] {
                differs(&|handshake| handshake.ciphertext[byte] ^= 1, "another ciphertext");
            }
            differs(&|handshake| handshake.invitation = Some([1; 16].into()), "another invitation");

            use PeerMisbehaved::{
                Invitation, Length, NonCanonicalPoint, NonContributory, OtherManifest, Prekeys, UnknownDevice, Version,
            };
            refused(&|handshake| handshake.version = 1, Version, "another version");
            refused(&|handshake| handshake.device = other.id, UnknownDevice, "a device not in its manifest");
            refused(
                &|handshake| handshake.responder_manifest = [0; 32].into(),
                OtherManifest,
                "another manifest of ours",
            );
            refused(&|handshake| handshake.responder_device = other.id, UnknownDevice, "another device of ours");
            refused(&|handshake| handshake.signed.0 ^= 1, Prekeys, "another signed prekey");
            refused(&|handshake| flip(&mut handshake.one_time, &mut handshake.last_resort), Prekeys, "another KEM key");
            refused(
                &|handshake| std::mem::swap(&mut handshake.one_time, &mut handshake.last_resort),
                Prekeys,
                "a pair for a last resort",
            );
            refused(
                &|handshake| (handshake.one_time, handshake.last_resort) = (Some(PrekeyId(1)), Some(PrekeyId(1))),
                Prekeys,
                "both",
            );
            refused(&|handshake| (handshake.one_time, handshake.last_resort) = (None, None), Prekeys, "neither");
            refused(&|handshake| handshake.invitation = None, Invitation, "no invitation");
            refused(&|handshake| handshake.ciphertext.truncate(1_567), Length, "a shorter ciphertext");
            refused(&|handshake| handshake.ephemeral = [0; 32].into(), NonContributory, "a point of small order");
            refused(&|handshake| handshake.ephemeral = [0xff; 32].into(), NonCanonicalPoint, "a second spelling");
            refused(
                &|handshake| handshake.manifest.body.devices[0].agreement = [0; 32].into(),
                NonContributory,
                "an identity key of small order",
            );
        }
    }

    fn flip(one_time: &mut Option<PrekeyId>, last_resort: &mut Option<PrekeyId>) {
        for id in one_time.iter_mut().chain(last_resort) {
            id.0 ^= 1;
        }
    }

    /// The responder's own secrets count too: any other one gives an error or a session that opens nothing.
    #[test]
    fn other_secrets_make_another_session() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let link = bob.link(LinkKind::Invitation);
        let begun = begin(&alice, &bob, PrekeyKind::OneTimePair, &link);
        let honest = || answering(&bob, PrekeyKind::OneTimePair, Some(&link));
        let differs = |answering: Answering<'_>, why| {
            let session = accept(&answering, &begun.handshake).expect(why);
            assert!(pass(&begun.session, &session, b"hello").is_none(), "{why}");
        };
        let refused = |answering: Answering<'_>, expected, why| {
            assert_eq!(accept(&answering, &begun.handshake).err(), Some(expected), "{why}");
        };
        // The same id with another key: the id's place in the stored bytes is copied over.
        let renamed = |kind, id: PrekeyId| {
            let made = PrekeySecret::generate(kind, &mut rng(7), NOW, EXPIRES, &bob.device, &bob.root.public()).0;
            let mut bytes = made.to_bytes();
            bytes[1..5].copy_from_slice(&id.0.to_be_bytes());
            PrekeySecret::from_bytes(&bytes).unwrap()
        };
        let (signed, pair) = (
            renamed(PrekeyKind::Signed, bob.signed.secret.id()),
            renamed(PrekeyKind::OneTimePair, bob.one_time.secret.id()),
        );
        differs(Answering { signed: &signed, ..honest() }, "another signed prekey of the same id");
        differs(Answering { one_time: Some(&pair), ..honest() }, "another pair of the same id");
        differs(Answering { link_secret: Some(&[1; 32].into()), ..honest() }, "another link secret");
        let mut bytes = bob.device.to_bytes();
        bytes[DeviceId::LEN + 40] ^= 1;
        let device = DeviceKeys::from_bytes(&bytes).unwrap();
        differs(Answering { device: &device, ..honest() }, "another identity key under the same name");

        use PeerMisbehaved::{Invitation, OtherManifest, Prekeys};
        refused(Answering { link_secret: None, ..honest() }, Invitation, "no link secret");
        refused(Answering { one_time: None, ..honest() }, Prekeys, "no pair");
        refused(Answering { last_resort: Some(&bob.last_resort.secret), ..honest() }, Prekeys, "pair and last resort");
        refused(
            Answering { one_time: None, last_resort: Some(&bob.last_resort.secret), ..honest() },
            Prekeys,
            "a last resort for a pair",
        );
        refused(Answering { one_time: Some(&bob.signed.secret), ..honest() }, Prekeys, "a signed prekey for a pair");
        refused(Answering { signed: &bob.one_time.secret, ..honest() }, Prekeys, "a pair for a signed prekey");
        let body =
            ManifestBody { sequence: 2, previous: Some(manifest_hash(&bob.manifest)), ..bob.manifest.body.clone() };
        refused(Answering { manifest: &bob.root.sign_manifest(body), ..honest() }, OtherManifest, "a newer manifest");
    }

    /// An address handshake must not consume an invitation's secret.
    #[test]
    fn a_link_secret_that_was_not_asked_for_is_refused() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let begun = begin(&alice, &bob, PrekeyKind::OneTimePair, &bob.link(LinkKind::Address));
        let invitation = bob.link(LinkKind::Invitation);
        let answering = answering(&bob, PrekeyKind::OneTimePair, Some(&invitation));
        assert_eq!(accept(&answering, &begun.handshake).err(), Some(PeerMisbehaved::Invitation));
    }

    /// Every secret that goes in changes what comes out; four agreements and three give different secrets too.
    #[test]
    fn every_secret_counts() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let mut secrets = Vec::new();
        for with in WITH {
            for kind in LINKS {
                let link = bob.link(kind);
                let to = bob.verified(&link, with);
                let invitation = (kind == LinkKind::Invitation).then_some(&link);
                for random in [[1; 64], [2; 64]] {
                    let rng = &mut FixedRng(random.to_vec());
                    let begun = derive_begun(rng, &alice.manifest, &alice.device, to.responder(), invitation).unwrap();
                    let accepted = derive_accepted(&answering(&bob, with, Some(&link)), &begun.handshake).unwrap();
                    assert_eq!(begun.secret.as_bytes(), accepted.secret.as_bytes());
                    assert_eq!(begun.associated, accepted.associated);
                    secrets.push(*begun.secret.as_bytes());
                }
            }
        }
        secrets.sort_unstable();
        secrets.dedup();
        assert_eq!(secrets.len(), 8);
    }

    /// The formula at the top of this file, written out with other code: raw agreements, `ml-kem`, and bytes in a row.
    #[test]
    fn the_secret_is_that_of_the_formula() {
        use ml_kem::kem::Decapsulate;
        use sha2::Digest;

        let (alice, bob) = (Person::alice(), Person::bob());
        let link = bob.link(LinkKind::Invitation);
        let to = bob.verified(&link, PrekeyKind::OneTimePair);
        let rng = &mut FixedRng([[3; 32], [4; 32]].concat());
        let Begun { handshake, secret, .. } =
            derive_begun(rng, &alice.manifest, &alice.device, to.responder(), Some(&link)).unwrap();

        // Stored secrets: a device is id ‖ signing seed ‖ agreement key, a prekey 21 bytes of head ‖ key.
        let [alice_device, bob_device] = [&alice, &bob].map(|person| person.device.to_bytes());
        let [signed, pair] = [&bob.signed, &bob.one_time].map(|pair| pair.secret.to_bytes());
        let key = |bytes: &[u8]| x25519_dalek::StaticSecret::from(<[u8; 32]>::try_from(bytes).unwrap());
        let agree = |private: &[u8], public: &[u8]| {
            let public = <[u8; 32]>::try_from(public).unwrap().into();
            key(private).diffie_hellman(&public).to_bytes()
        };
        let [alice_keys, bob_keys] = [alice.device.public(), bob.device.public()];
        let seed: [u8; 64] = pair[53..].try_into().unwrap();
        let ciphertext: [u8; 1_568] = handshake.ciphertext[..].try_into().unwrap();
        let kem = ml_kem::DecapsulationKey1024::from_seed(seed.into()).decapsulate(&ciphertext.into());
        let ikm = [
            [0xff; 32],
            agree(&signed[21..], alice_keys.agreement.as_bytes()),
            agree(&bob_device[48..], handshake.ephemeral.as_bytes()),
            agree(&signed[21..], handshake.ephemeral.as_bytes()),
            agree(&pair[21..53], handshake.ephemeral.as_bytes()),
            kem.into(),
            *link.secret.as_bytes(),
        ]
        .concat();
        assert_eq!(agree(&alice_device[48..], &bob.signed.public.body.key), ikm[32..64], "the initiator's own DH1");

        let transcript = [
            &[0][..],
            alice.root.public().as_bytes(),
            bob.root.public().as_bytes(),
            manifest_hash(&alice.manifest).as_bytes(),
            manifest_hash(&bob.manifest).as_bytes(),
            alice_keys.id.as_bytes(),
            alice_keys.signing.as_bytes(),
            alice_keys.agreement.as_bytes(),
            bob_keys.id.as_bytes(),
            bob_keys.signing.as_bytes(),
            bob_keys.agreement.as_bytes(),
            &[0],
            &bob.signed.public.body.id.0.to_be_bytes(),
            &[0, 0, 0, 32],
            &bob.signed.public.body.key,
            &[1],
            &bob.one_time.public.body.id.0.to_be_bytes(),
            &[0, 0, 0x06, 0x40],
            &bob.one_time.public.body.key,
            handshake.ephemeral.as_bytes(),
            &[0, 0, 0x06, 0x20],
            &handshake.ciphertext,
            &[1],
            link.bundle.as_bytes(),
        ]
        .concat();
        let info = [&b"sotto/0 pqxdh"[..], &sha2::Sha256::digest(&transcript)].concat();
        let mut expected = [0; 32];
        hkdf::Hkdf::<sha2::Sha256>::new(Some(&[0; 32]), &ikm).expand(&info, &mut expected).unwrap();
        assert_eq!(secret.as_bytes(), &expected);
    }

    /// Who verified nothing still cannot agree with a key of small order.
    #[test]
    fn unusable_keys_of_the_responder_begin_nothing() {
        let (alice, bob) = (Person::alice(), Person::bob());
        let begin = |change: &dyn Fn(&mut Responder)| {
            let mut to = Responder {
                manifest: bob.manifest.clone(),
                device: bob.device.public(),
                signed: bob.signed.public.clone(),
                kem: bob.one_time.public.clone(),
            };
            change(&mut to);
            derive_begun(&mut rng(1), &alice.manifest, &alice.device, &to, None).err()
        };
        assert_eq!(begin(&|_| ()), None);
        let refused = Some(PeerMisbehaved::NonContributory);
        assert_eq!(begin(&|to| to.signed.body.key.fill(0)), refused, "signed prekey");
        assert_eq!(begin(&|to| to.device.agreement = [0; 32].into()), refused, "identity key");
        assert_eq!(begin(&|to| to.kem.body.key[..32].fill(0)), refused, "the pair's X25519 key");
        assert_eq!(begin(&|to| to.kem.body.key.truncate(1_599)), Some(PeerMisbehaved::Length), "a shorter ML-KEM key");
    }

    #[test]
    fn a_prekey_that_verified_is_the_one_that_answers() {
        let bob = Person::bob();
        let (root, device) = (bob.root.public(), bob.device.public());
        assert_eq!(verify_prekey(&root, &device, &bob.signed.public, PrekeyKind::Signed, NOW), Ok(()));
        assert_eq!(bob.signed.secret.public()[..], bob.signed.public.body.key[..]);
    }

    #[test]
    fn debug_prints_no_contents() {
        let bob = Person::bob();
        let debug = format!("{:?}", answering(&bob, PrekeyKind::OneTimePair, None));
        insta::assert_snapshot!(debug, @"Answering(..)");
    }
}
