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
mod tests;
