//! Proofs of work for relays (`sotto_outer::work`): a counter is searched with which a hash begins with zeros.

use sha2::{Digest, Sha256};
use sotto_outer::{Proof, work::leading_zero_bits};

/// Searches a proof of `bits` bits among `tries` counters from `from` on. Each try is one block of SHA-256; half of all searches
/// need more than 0.7 × 2^bits.
#[must_use]
pub fn find_proof(challenge: &[u8], bits: u8, from: u64, tries: u64) -> Option<Proof> {
    let begun = Sha256::new().chain_update(challenge);
    let shows = |counter: &u64| {
        let hash = begun.clone().chain_update(counter.to_be_bytes()).finalize();
        leading_zero_bits(&hash.into()) >= bits
    };
    (from..from.saturating_add(tries)).find(shows).map(|counter| Proof::from(counter.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_found_and_the_next_one_has_a_greater_counter() {
        let first = find_proof(b"challenge", 10, 0, 1 << 16).unwrap();
        let counter = u64::from_be_bytes(*first.as_bytes());
        let hash = Sha256::digest([b"challenge".as_slice(), first.as_bytes()].concat());
        assert!(leading_zero_bits(&hash.into()) >= 10);
        let second = find_proof(b"challenge", 10, counter + 1, 1 << 16).unwrap();
        assert!(u64::from_be_bytes(*second.as_bytes()) > counter);
    }

    #[test]
    fn a_search_ends() {
        assert_eq!(find_proof(b"challenge", 255, 0, 100), None);
        assert_eq!(find_proof(b"challenge", 255, u64::MAX, 100), None);
    }
}
