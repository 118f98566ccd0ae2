//! Proofs of work, checked: one hash each.

use sha2::{Digest, Sha256};
use sotto_outer::{
    ConnectionNonce, Proof, RelayIdentity,
    work::{Purpose, challenge, leading_zero_bits},
};

/// How many bits of work a proof shows for this purpose on this connection.
pub(crate) fn shown_bits(relay: &RelayIdentity, nonce: &ConnectionNonce, purpose: &Purpose, proof: &Proof) -> u8 {
    let hash = Sha256::new().chain_update(challenge(relay, nonce, purpose)).chain_update(proof.as_bytes()).finalize();
    leading_zero_bits(&hash.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_worth_something_for_its_purpose_alone() {
        let (relay, nonce) = (RelayIdentity::from([1; 32]), ConnectionNonce::from([2; 32]));
        let wanted = Purpose::Fetch([3; 16].into());
        let bits = |nonce: &ConnectionNonce, purpose: &Purpose, counter: u64| {
            shown_bits(&relay, nonce, purpose, &Proof::from(counter.to_be_bytes()))
        };
        let found = (0..).find(|counter| bits(&nonce, &wanted, *counter) >= 16).expect("one in 65,536");
        assert!(bits(&ConnectionNonce::from([4; 32]), &wanted, found) < 16, "another connection");
        assert!(bits(&nonce, &Purpose::Fetch([4; 16].into()), found) < 16, "another bundle");
        assert!(bits(&nonce, &Purpose::Create([3; 16].into()), found) < 16, "another purpose");
    }
}
