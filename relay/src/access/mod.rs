//! Who may do what: signatures of owners, capabilities of senders, and the relay's own proof of identity.
//!
//! Each check costs the same whether the mailbox exists or not, so that the time of an answer tells no more than `denied` does.

mod minted;
pub(crate) mod oidc;
pub(crate) mod tokens;
mod work;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use sotto_outer::{
    BlobCapability, CapabilityHash, ConnectionNonce, OwnerKey, OwnerSignature, ReadCapability, ReadHash, RelayIdentity,
    SendCapability, Terms, signed,
};
use subtle::ConstantTimeEq;

pub use minted::Mint;
pub use oidc::LoginPolicy;
pub(crate) use tokens::week;
pub use tokens::{Job, NewKey, TokenKey, Worked};
pub(crate) use work::shown_bits;

/// The relay's long-lived Ed25519 key. Wiped from memory on drop.
pub struct Identity {
    key: SigningKey,
    public: RelayIdentity,
}

impl Identity {
    /// From the 32 secret bytes (RFC 8032 §5.1.5).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let public = RelayIdentity::from(key.verifying_key().to_bytes());
        Self { key, public }
    }

    /// What addresses pin.
    pub const fn public(&self) -> &RelayIdentity {
        &self.public
    }

    /// The secret key, for signing the TLS leaf.
    pub(crate) const fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    /// Proves this identity on one connection, to whoever dialled this place, and signs what it asks.
    pub(crate) fn welcome(
        &self,
        place: &[u8],
        client_nonce: &ConnectionNonce,
        nonce: &ConnectionNonce,
        exporter: Option<&[u8; 32]>,
        terms: &Terms,
    ) -> OwnerSignature {
        let bytes = signed::welcome(&self.public, place, client_nonce, nonce, exporter, terms);
        OwnerSignature::from(self.key.sign(&bytes).to_bytes())
    }

    /// Whether `owner` signed `message`. Without an owner the work is done on another key, for the same time, and the answer is no.
    pub(crate) fn signed_by(&self, owner: Option<&OwnerKey>, message: &[u8], signature: &OwnerSignature) -> bool {
        // The stand-in is read from its bytes too: a curve point takes microseconds to read.
        let key = VerifyingKey::from_bytes(owner.map_or(self.public.as_bytes(), OwnerKey::as_bytes)).ok();
        let signature = Signature::from_bytes(signature.as_bytes());
        let valid = key.unwrap_or_else(|| self.key.verifying_key()).verify_strict(message, &signature).is_ok();
        owner.is_some() & key.is_some() & valid
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key: _, public: _ } = self;
        f.write_str("Identity(..)")
    }
}

/// What the relay keeps of a capability.
pub(crate) fn capability_hash(capability: &SendCapability) -> CapabilityHash {
    CapabilityHash::from(<[u8; 32]>::from(Sha256::digest(capability.as_bytes())))
}

/// What the relay keeps of a blob's capability.
pub(crate) fn blob_capability_hash(capability: &BlobCapability) -> CapabilityHash {
    CapabilityHash::from(<[u8; 32]>::from(Sha256::digest(capability.as_bytes())))
}

/// Whether the shown capability's hash is the kept one, in constant time. Without a kept one the work is the same and the
/// answer is no.
pub(crate) fn capability_matches(kept: Option<&CapabilityHash>, shown: &CapabilityHash) -> bool {
    let missing = [0; CapabilityHash::LEN];
    let same = kept.map_or(&missing, CapabilityHash::as_bytes).ct_eq(shown.as_bytes());
    bool::from(same) & kept.is_some()
}

/// What the relay keeps of a read capability.
pub(crate) fn read_hash(capability: &ReadCapability) -> ReadHash {
    ReadHash::from(<[u8; 32]>::from(Sha256::digest(capability.as_bytes())))
}

/// As [`capability_matches`], of a channel's reader.
pub(crate) fn read_hash_matches(kept: Option<&ReadHash>, shown: &ReadHash) -> bool {
    let missing = [0; ReadHash::LEN];
    let same = kept.map_or(&missing, ReadHash::as_bytes).ct_eq(shown.as_bytes());
    bool::from(same) & kept.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_own_signature_counts() {
        let relay = Identity::from_secret(&[1; 32]);
        let alice = SigningKey::from_bytes(&[2; 32]);
        let owner = OwnerKey::from(alice.verifying_key().to_bytes());
        let by_alice = OwnerSignature::from(alice.sign(b"this").to_bytes());
        let by_relay = OwnerSignature::from(relay.key.sign(b"this").to_bytes());

        assert!(relay.signed_by(Some(&owner), b"this", &by_alice));
        assert!(!relay.signed_by(Some(&owner), b"that", &by_alice), "another message");
        assert!(!relay.signed_by(Some(&owner), b"this", &by_relay), "another key");
        assert!(!relay.signed_by(None, b"this", &by_relay), "no owner, though the stand-in's signature is valid");
    }

    #[test]
    fn a_key_that_is_no_point_or_weak_owns_nothing() {
        let relay = Identity::from_secret(&[1; 32]);
        let by_relay = OwnerSignature::from(relay.key.sign(b"this").to_bytes());
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert!(!relay.signed_by(Some(&OwnerKey::from(no_point)), b"this", &by_relay));
        // The neutral element, with the signature that plain verification accepts for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(!relay.signed_by(Some(&OwnerKey::from(neutral)), b"this", &OwnerSignature::from(forged)));
    }

    #[test]
    fn a_missing_hash_matches_nothing() {
        let shown = capability_hash(&SendCapability::from([3; 32]));
        assert!(capability_matches(Some(&shown), &shown));
        assert!(!capability_matches(None, &CapabilityHash::from([0; 32])));
        assert!(!capability_matches(Some(&CapabilityHash::from([0; 32])), &shown));
    }
}
