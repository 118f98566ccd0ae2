//! The root key: what Diffie-Hellman steps feed and chains come from.
//!
//! Each step takes the root key by value and gives the next one, so that a spent root is forgotten. Whoever stole a root
//! key learns nothing of the next without a private ratchet key too: this is where a session heals.

use core::fmt;

use sotto_inner::labels;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{chain_key::ChainKey, ephemeral_key::EphemeralKey, header_key::HeaderKey};
use crate::{
    kdf,
    secret::{SECRET_BYTES, Secret32},
    x25519::Shared,
};

/// What PQXDH agreed on: 32 bytes that both sides know and nobody else.
#[derive(ZeroizeOnDrop)]
pub(crate) struct SessionSecret(Secret32);

/// The root of all chains.
#[derive(ZeroizeOnDrop)]
pub(super) struct RootKey(Secret32);

/// What a session starts from.
pub(super) struct Start {
    pub(super) root_key: RootKey,
    /// Header key of the initiator's first sending chain.
    pub(super) initiator_header_key: HeaderKey,
    /// Header key of the responder's first sending chain.
    pub(super) responder_header_key: HeaderKey,
    /// What the Braid starts from: its first chains, and what vouches for its first key.
    pub(super) braid: Secret32,
}

/// What a Diffie-Hellman step yields for one direction.
pub(super) struct Step {
    pub(super) root_key: RootKey,
    pub(super) chain_key: ChainKey,
    /// Header key of this direction's next chain, the one after the one that begins here.
    pub(super) next_header_key: HeaderKey,
    pub(super) ephemeral_key: EphemeralKey,
}

impl SessionSecret {
    pub(crate) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// HKDF (RFC 5869), salt of 32 zero bytes, info the label, 128 bytes: root key ‖ initiator's header key ‖ responder's
    /// header key ‖ secret of the Braid.
    pub(super) fn split(self) -> Start {
        let mut out = Zeroizing::new([0; 4 * SECRET_BYTES]);
        kdf::hkdf(&[0; 32], &[self.0.as_bytes()], &[labels::SESSION], &mut *out);
        let [root_key, initiator, responder, braid] = blocks(out.as_slice());
        Start {
            root_key: RootKey(root_key),
            initiator_header_key: HeaderKey::new(initiator),
            responder_header_key: HeaderKey::new(responder),
            braid,
        }
    }
}

impl RootKey {
    pub(super) fn new(secret: Secret32) -> Self {
        Self(secret)
    }

    /// Spends this key. HKDF (RFC 5869), salt this key, input the agreement, info the label, 128 bytes: root key ‖ chain
    /// key ‖ next header key ‖ ephemeral key.
    pub(super) fn advance(self, shared: &Shared) -> Step {
        let mut out = Zeroizing::new([0; 4 * SECRET_BYTES]);
        kdf::hkdf(self.0.as_bytes(), &[shared.as_bytes()], &[labels::ROOT_STEP], &mut *out);
        let [root_key, chain_key, next_header_key, ephemeral_key] = blocks(out.as_slice());
        Step {
            root_key: Self(root_key),
            chain_key: ChainKey::new(chain_key),
            next_header_key: HeaderKey::new(next_header_key),
            ephemeral_key: EphemeralKey::new(ephemeral_key),
        }
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        self.0.as_bytes()
    }
}

/// Cuts a key derivation's output into keys.
fn blocks<const N: usize>(out: &[u8]) -> [Secret32; N] {
    debug_assert_eq!(out.len(), N * SECRET_BYTES);
    core::array::from_fn(|index| {
        let block = &out[index * SECRET_BYTES..][..SECRET_BYTES];
        Secret32::from_slice(block).expect("32 bytes: the slice above has that length")
    })
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SessionSecret(..)")
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("RootKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::x25519::PrivateKey;

    #[test]
    fn a_step_yields_four_different_keys() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let shared = key.agree(key.public()).unwrap();
        let step = RootKey::new(Secret32::copied(&[7; 32])).advance(&shared);
        let keys = [
            step.root_key.as_bytes(),
            step.chain_key.as_bytes(),
            step.next_header_key.as_bytes(),
            step.ephemeral_key.as_bytes(),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(keys[..index].iter().all(|other| other != key));
        }
    }

    #[test]
    fn debug_prints_no_contents() {
        insta::assert_snapshot!(format!("{:?}", RootKey::new(Secret32::copied(&[7; 32]))), @"RootKey(..)");
        insta::assert_snapshot!(format!("{:?}", SessionSecret::new(Secret32::copied(&[7; 32]))), @"SessionSecret(..)");
    }
}
