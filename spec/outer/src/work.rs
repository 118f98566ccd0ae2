//! Proofs of work, for what anyone may ask of a relay. Here is what is hashed; who has SHA-256 (FIPS 180-4) at hand searches or
//! checks.
//!
//! A proof is a counter of 8 bytes, big-endian, with which SHA-256(challenge ‖ counter) begins with enough zero bits. It is worth
//! something on one connection, for one purpose and one target.

use crate::{BundleId, ConnectionNonce, EnvelopeId, ReceiveId, RelayIdentity, SendId, TokenKeyId, fixed_bytes, labels};

fixed_bytes!(
    /// A proof of work: the counter, big-endian.
    Proof, 8
);

/// What work is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To send this envelope to a contact mailbox.
    Send(SendId, EnvelopeId),
    /// To fetch this bundle, once.
    Fetch(BundleId),
    /// To create this mailbox, or a channel of this id.
    Create(ReceiveId),
    /// To be given tokens under this key, once.
    Token(TokenKeyId),
}

/// What stands before the counter: label length ‖ label ‖ relay identity ‖ connection nonce ‖ purpose (1) ‖ target (16) ‖
/// envelope id or zeros (16).
pub fn challenge(relay: &RelayIdentity, nonce: &ConnectionNonce, purpose: &Purpose) -> Vec<u8> {
    let none = &[0; 16];
    let (number, target, item) = match purpose {
        Purpose::Send(mailbox, envelope) => (0, mailbox.as_bytes().as_slice(), envelope.as_bytes()),
        Purpose::Fetch(bundle) => (1, bundle.as_bytes().as_slice(), none),
        Purpose::Create(mailbox) => (2, mailbox.as_bytes().as_slice(), none),
        Purpose::Token(key) => (3, &key.as_bytes()[..16], none),
    };
    let mut bytes = crate::signed::preamble(labels::WORK, relay, nonce);
    bytes.push(number);
    bytes.extend_from_slice(target);
    bytes.extend_from_slice(item);
    bytes
}

/// Zero bits at the beginning of a hash.
pub fn leading_zero_bits(hash: &[u8; 32]) -> u8 {
    let zeros = hash.iter().take_while(|byte| **byte == 0).count();
    let bits = zeros * 8 + hash.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    u8::try_from(bits).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        let mut hash = [0xff; 32];
        assert_eq!(leading_zero_bits(&hash), 0);
        hash[0] = 0x01;
        assert_eq!(leading_zero_bits(&hash), 7);
        hash[0] = 0;
        hash[1] = 0x3f;
        assert_eq!(leading_zero_bits(&hash), 10);
        assert_eq!(leading_zero_bits(&[0; 32]), 255, "as many as a byte can say");
    }

    #[test]
    fn each_purpose_and_target_is_another_challenge() {
        let (relay, nonce) = ([1; 32].into(), [2; 32].into());
        let all = [
            Purpose::Send([3; 16].into(), [4; 16].into()),
            Purpose::Send([3; 16].into(), [5; 16].into()),
            Purpose::Send([3; 16].into(), [0; 16].into()),
            Purpose::Fetch([3; 16].into()),
            Purpose::Create([3; 16].into()),
            Purpose::Token([3; 32].into()),
            Purpose::Fetch([4; 16].into()),
        ]
        .map(|purpose| challenge(&relay, &nonce, &purpose));
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 1 + labels::WORK.len() + 32 + 32 + 1 + 16 + 16);
            assert!(!all[at + 1..].contains(one));
        }
    }
}
