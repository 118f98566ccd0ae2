//! The keys of a mailbox's or a bundle's owner, and the relay's proof of who it is.
//!
//! An owner key is fresh for each mailbox and each bundle and signs only what `sotto_outer::signed` spells out, so that
//! a relay cannot tell from keys that two mailboxes have one owner.

use core::fmt;

use rand_core::CryptoRng;
use sotto_outer::{OwnerKey, OwnerSignature, RelayIdentity};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    PeerMisbehaved, StateError,
    signature::{self, SigningSecret},
};

/// The Ed25519 pair of one mailbox or bundle.
pub struct OwnerKeys {
    signing: SigningSecret,
}

impl OwnerKeys {
    /// Draws 32 bytes.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self { signing: SigningSecret::generate(rng) }
    }

    /// What the relay checks signatures with.
    pub fn public(&self) -> OwnerKey {
        self.signing.public().into()
    }

    /// Signs bytes made by `sotto_outer::signed`.
    pub fn sign(&self, bytes: &[u8]) -> OwnerSignature {
        self.signing.sign(bytes).into()
    }

    /// The 32-byte seed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.signing.seed().to_vec())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError`], for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let seed = bytes.try_into().map_err(|_| StateError::Malformed)?;
        Ok(Self { signing: SigningSecret::from_seed(seed) })
    }
}

impl ZeroizeOnDrop for OwnerKeys {}

impl ConstantTimeEq for OwnerKeys {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.signing.ct_eq(&other.signing)
    }
}

impl fmt::Debug for OwnerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signing } = self;
        f.debug_struct("OwnerKeys").field("signing", signing).finish()
    }
}

/// Checks a relay's signature, over `sotto_outer::signed::welcome`.
///
/// # Errors
/// [`PeerMisbehaved::Signature`]: whoever answered is not the relay that the address names.
pub fn verify_relay(identity: &RelayIdentity, bytes: &[u8], signature: &OwnerSignature) -> Result<(), PeerMisbehaved> {
    if signature::verifies(identity.as_bytes(), bytes, signature.as_bytes()) {
        Ok(())
    } else {
        Err(PeerMisbehaved::Signature)
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{AdmissionKind, Terms, signed};

    use super::*;
    use crate::people::rng;

    #[test]
    fn a_relay_proves_who_it_is() {
        let (relay, mallory) = (OwnerKeys::generate(&mut rng(1)), OwnerKeys::generate(&mut rng(2)));
        let identity = RelayIdentity::from(*relay.public().as_bytes());
        let (client, nonce, terms) = ([3; 32].into(), [4; 32].into(), Terms::default());
        let bytes = signed::welcome(&identity, b"here", &client, &nonce, None, &terms);
        assert_eq!(verify_relay(&identity, &bytes, &relay.sign(&bytes)), Ok(()));

        let refused = Err(PeerMisbehaved::Signature);
        assert_eq!(verify_relay(&identity, &bytes, &mallory.sign(&bytes)), refused, "another key");
        let other = signed::welcome(&identity, b"here", &[5; 32].into(), &nonce, None, &terms);
        assert_eq!(verify_relay(&identity, &other, &relay.sign(&bytes)), refused, "another connection");
        let other = signed::welcome(&identity, b"here", &client, &nonce, Some(&[6; 32]), &terms);
        assert_eq!(verify_relay(&identity, &other, &relay.sign(&bytes)), refused, "another channel");
        let other = signed::welcome(&identity, b"there", &client, &nonce, None, &terms);
        assert_eq!(verify_relay(&identity, &other, &relay.sign(&bytes)), refused, "another place");
        let minted = Terms { admission: AdmissionKind::Minted, ..Terms::default() };
        let other = signed::welcome(&identity, b"here", &client, &nonce, None, &minted);
        assert_eq!(verify_relay(&identity, &other, &relay.sign(&bytes)), refused, "other terms");
        let other = RelayIdentity::from(*mallory.public().as_bytes());
        assert_eq!(verify_relay(&other, &bytes, &relay.sign(&bytes)), refused, "another identity");
    }

    #[test]
    fn keys_survive_their_encoding_and_no_other_length_reads() {
        let keys = OwnerKeys::generate(&mut rng(1));
        let read = OwnerKeys::from_bytes(&keys.to_bytes()).unwrap();
        assert!(bool::from(read.ct_eq(&keys)));
        assert_eq!(read.public(), keys.public());
        for len in [0, 31, 33] {
            assert_eq!(OwnerKeys::from_bytes(&vec![0; len]).unwrap_err(), StateError::Malformed);
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(
            format!("{:?}", OwnerKeys::generate(&mut rng(1))),
            @"OwnerKeys { signing: SigningSecret(..) }"
        );
    }
}
