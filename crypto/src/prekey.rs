//! Prekeys: their private halves, and the check that every public one passes before it is used.
//!
//! The signature covers label, root, device, kind, id, creation, expiry and key, so that none can stand for another.

use core::fmt;

use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;
use sotto_inner::{
    AgreementKey, Device, Prekey, PrekeyBody, PrekeyId, PrekeyKind, RootKey, labels, limits::X25519_BYTES,
};
use sotto_outer::codec;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    PeerMisbehaved, StateError,
    identity::DeviceKeys,
    mlkem::{self, DecapsulationKey},
    signature,
    x25519::{self, PrivateKey},
    xwing::{self, SealSecret},
};

/// The private half of a prekey of any kind.
pub struct PrekeySecret {
    id: PrekeyId,
    created: u64,
    expires: u64,
    half: Half,
}

/// What is secret, by kind.
enum Half {
    Signed(PrivateKey),
    OneTimePair(PrivateKey, DecapsulationKey),
    LastResort(DecapsulationKey),
    Seal(SealSecret),
}

impl PrekeySecret {
    /// Makes a prekey of `root`'s device `signer`, valid from `created` until before `expires`, Unix seconds.
    /// Draws 4 bytes for the id, then the key's.
    pub fn generate(
        kind: PrekeyKind,
        rng: &mut dyn CryptoRng,
        created: u64,
        expires: u64,
        signer: &DeviceKeys,
        root: &RootKey,
    ) -> (Self, Prekey) {
        let mut id = [0; 4];
        rng.fill_bytes(&mut id);
        let half = match kind {
            PrekeyKind::Signed => Half::Signed(PrivateKey::generate(rng)),
            PrekeyKind::OneTimePair => Half::OneTimePair(PrivateKey::generate(rng), DecapsulationKey::generate(rng)),
            PrekeyKind::LastResort => Half::LastResort(DecapsulationKey::generate(rng)),
            PrekeyKind::Seal => Half::Seal(SealSecret::generate(rng)),
        };
        let secret = Self { id: PrekeyId(u32::from_be_bytes(id)), created, expires, half };
        let body = PrekeyBody { kind, id: secret.id, created, expires, key: ByteVec::from(secret.public()) };
        let signature = signer.sign_prekey(&signed_bytes(root, &signer.id(), &body));
        (secret, Prekey { body, signature })
    }

    /// What it is for.
    pub const fn kind(&self) -> PrekeyKind {
        match self.half {
            Half::Signed(_) => PrekeyKind::Signed,
            Half::OneTimePair(..) => PrekeyKind::OneTimePair,
            Half::LastResort(_) => PrekeyKind::LastResort,
            Half::Seal(_) => PrekeyKind::Seal,
        }
    }

    /// Its name among those of its device and kind.
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    /// Creation, Unix seconds.
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// When the public half must no longer be used, Unix seconds.
    pub const fn expires(&self) -> u64 {
        self.expires
    }

    /// The X25519 part of a signed prekey or a one-time pair.
    pub(crate) const fn agreement(&self) -> Option<&PrivateKey> {
        match &self.half {
            Half::Signed(agreement) | Half::OneTimePair(agreement, _) => Some(agreement),
            Half::LastResort(_) | Half::Seal(_) => None,
        }
    }

    /// The ML-KEM part of a one-time pair or a last-resort key.
    pub(crate) const fn kem(&self) -> Option<&DecapsulationKey> {
        match &self.half {
            Half::OneTimePair(_, kem) | Half::LastResort(kem) => Some(kem),
            Half::Signed(_) | Half::Seal(_) => None,
        }
    }

    /// The X-Wing key of a seal key.
    pub(crate) const fn seal(&self) -> Option<&SealSecret> {
        match &self.half {
            Half::Seal(seal) => Some(seal),
            Half::Signed(_) | Half::OneTimePair(..) | Half::LastResort(_) => None,
        }
    }

    /// The public key bytes, as the prekey carries them.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.half {
            Half::Signed(agreement) => agreement.public().as_bytes().to_vec(),
            Half::OneTimePair(agreement, kem) => [&agreement.public().as_bytes()[..], kem.public()].concat(),
            Half::LastResort(kem) => kem.public().to_vec(),
            Half::Seal(seal) => seal.public(),
        }
    }

    /// Kind (1 byte), id (4), creation (8), expiry (8), all big-endian; then by kind: X25519 key (32), X25519 key ‖
    /// ML-KEM seed (96), ML-KEM seed (64), X-Wing seed (32).
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LEN_MAX));
        bytes.push(kind_byte(self.kind()));
        bytes.extend_from_slice(&self.id.0.to_be_bytes());
        bytes.extend_from_slice(&self.created.to_be_bytes());
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        match &self.half {
            Half::Signed(agreement) => bytes.extend_from_slice(&agreement.to_bytes()),
            Half::OneTimePair(agreement, kem) => {
                bytes.extend_from_slice(&agreement.to_bytes());
                bytes.extend_from_slice(kem.seed());
            }
            Half::LastResort(kem) => bytes.extend_from_slice(kem.seed()),
            Half::Seal(seal) => bytes.extend_from_slice(seal.seed()),
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError`], for an unknown kind or another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        Self::parse(bytes).ok_or(StateError::Malformed)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let ([kind], bytes) = bytes.split_first_chunk()?;
        let (id, bytes) = bytes.split_first_chunk()?;
        let (created, bytes) = bytes.split_first_chunk()?;
        let (expires, secret) = bytes.split_first_chunk()?;
        Some(Self {
            id: PrekeyId(u32::from_be_bytes(*id)),
            created: u64::from_be_bytes(*created),
            expires: u64::from_be_bytes(*expires),
            half: Half::from_bytes(*kind, secret)?,
        })
    }

    const LEN_MAX: usize = 1 + 4 + 8 + 8 + X25519_BYTES + DecapsulationKey::SEED_LEN;
}

impl Half {
    fn from_bytes(kind: u8, secret: &[u8]) -> Option<Self> {
        match kind {
            0 => Some(Self::Signed(PrivateKey::from_bytes(secret).ok()?)),
            1 => {
                let (agreement, seed) = secret.split_at_checked(X25519_BYTES)?;
                let kem = DecapsulationKey::from_seed(seed.try_into().ok()?);
                Some(Self::OneTimePair(PrivateKey::from_bytes(agreement).ok()?, kem))
            }
            2 => Some(Self::LastResort(DecapsulationKey::from_seed(secret.try_into().ok()?))),
            3 => Some(Self::Seal(SealSecret::from_seed(secret.try_into().ok()?))),
            _ => None,
        }
    }
}

/// Each half wipes itself.
impl ZeroizeOnDrop for PrekeySecret {}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, created: _, expires: _, half: _ } = self;
        f.debug_struct("PrekeySecret").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// Checks a prekey before it is used at `now`, Unix seconds: kind, length, key, expiry, the device's signature.
///
/// # Errors
/// [`PeerMisbehaved`]; [`PeerMisbehaved::Expired`] where all else is well.
pub fn verify_prekey(
    root: &RootKey,
    device: &Device,
    prekey: &Prekey,
    kind: PrekeyKind,
    now: u64,
) -> Result<(), PeerMisbehaved> {
    let Prekey { body, signature } = prekey;
    if body.kind != kind {
        return Err(PeerMisbehaved::PrekeyKind);
    }
    check_key(kind, &body.key)?;
    let signed = signed_bytes(root, &device.id, body);
    if !signature::verifies(device.signing.as_bytes(), &signed, signature.as_bytes()) {
        return Err(PeerMisbehaved::Signature);
    }
    if now >= body.expires {
        return Err(PeerMisbehaved::Expired);
    }
    Ok(())
}

fn check_key(kind: PrekeyKind, key: &[u8]) -> Result<(), PeerMisbehaved> {
    if key.len() != kind.key_bytes() {
        return Err(PeerMisbehaved::Length);
    }
    match kind {
        PrekeyKind::Signed => check_agreement(key),
        PrekeyKind::OneTimePair => {
            let (agreement, kem) = key.split_at(X25519_BYTES);
            check_agreement(agreement)?;
            mlkem::check_public(kem)
        }
        PrekeyKind::LastResort => mlkem::check_public(key),
        PrekeyKind::Seal => xwing::check_public(key),
    }
}

fn check_agreement(key: &[u8]) -> Result<(), PeerMisbehaved> {
    x25519::check_public(&AgreementKey::try_from(key).map_err(|_| PeerMisbehaved::Length)?)
}

/// What a device signs: label ‖ root ‖ device id ‖ encoded body.
fn signed_bytes(root: &RootKey, device: &sotto_inner::DeviceId, body: &PrekeyBody) -> Vec<u8> {
    [labels::PREKEY, root.as_bytes(), device.as_bytes(), &codec::encode(body)].concat()
}

/// The number of the kind on the wire.
pub(crate) const fn kind_byte(kind: PrekeyKind) -> u8 {
    match kind {
        PrekeyKind::Signed => 0,
        PrekeyKind::OneTimePair => 1,
        PrekeyKind::LastResort => 2,
        PrekeyKind::Seal => 3,
    }
}

#[cfg(test)]
mod tests;
