//! ML-KEM-768 (FIPS 203) in halves, over libcrux's incremental interface, which wipes nothing: every buffer we hold is wiped,
//! what it leaves on its own stack is not.
//!
//! An encapsulation key is ρ, its hash and the vector t̂: the first two are enough for the first half of a ciphertext, the
//! vector for the second. Put together, key and ciphertext are those of FIPS 203.
//!
//! ```text
//! encapsulation key = vector 1152 ‖ ρ 32          header = ρ 32 ‖ SHA3-256(encapsulation key) 32
//! ciphertext        = first half 960 ‖ second half 128
//! ```
//!
//! Nothing of libcrux's own layout is ever stored: a key pair is its 64-byte seed d ‖ z (§7.1), an encapsulation its 32
//! bytes m (§7.2), and each is expanded again where it is needed.

use core::fmt;

use libcrux_ml_kem::mlkem768::incremental::{
    Ciphertext1, Ciphertext2, decapsulate_compressed_key, encaps_state_len, encapsulate1, encapsulate2,
    generate_key_pair_compressed, key_pair_compressed_len, validate_pk_bytes,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    error::PeerMisbehaved,
    secret::{SECRET_BYTES, Secret32},
};

/// Length of ρ ‖ hash of the key, in bytes.
pub(crate) const HEADER_BYTES: usize = 64;
/// Length of the vector t̂, in bytes.
pub(crate) const VECTOR_BYTES: usize = 1_152;
/// Length of a ciphertext's first half, in bytes.
pub(crate) const FIRST_HALF_BYTES: usize = 960;
/// Length of a ciphertext's second half, in bytes.
pub(crate) const SECOND_HALF_BYTES: usize = 128;

/// Where the vector lies in libcrux's key pair: behind the private one, which is as long.
const VECTOR_AT: usize = VECTOR_BYTES;
/// Where ρ ‖ hash lie in it.
const HEADER_AT: usize = 2 * VECTOR_BYTES;

/// ρ ‖ SHA3-256(encapsulation key).
pub(crate) type Header = [u8; HEADER_BYTES];
/// The vector t̂.
pub(crate) type Vector = [u8; VECTOR_BYTES];
/// c₁: the compressed vector u.
pub(crate) type FirstHalf = [u8; FIRST_HALF_BYTES];
/// c₂: the compressed polynomial v.
pub(crate) type SecondHalf = [u8; SECOND_HALF_BYTES];

/// The randomness of a key pair: d and z (FIPS 203 algorithm 19). All of its private half.
pub(crate) struct KeySeed {
    pub(crate) d: Secret32,
    pub(crate) z: Secret32,
}

/// The randomness of an encapsulation: m (FIPS 203 algorithm 20).
pub(crate) struct EncapsulationSeed(pub(crate) Secret32);

/// A key pair, expanded.
pub(crate) struct KeyPair(Box<Zeroizing<[u8; key_pair_compressed_len()]>>);

impl KeySeed {
    /// Draws 64 bytes: d, then z.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let d = Secret32::random(rng);
        Self { d, z: Secret32::random(rng) }
    }

    /// FIPS 203 algorithm 16.
    pub(crate) fn expand(&self) -> KeyPair {
        let Self { d, z } = self;
        let mut seed = Zeroizing::new([0; 2 * SECRET_BYTES]);
        seed[..SECRET_BYTES].copy_from_slice(d.as_bytes());
        seed[SECRET_BYTES..].copy_from_slice(z.as_bytes());
        let mut pair = Box::new(Zeroizing::new([0; key_pair_compressed_len()]));
        generate_key_pair_compressed(*seed, &mut pair);
        KeyPair(pair)
    }

    pub(crate) fn duplicate(&self) -> Self {
        let Self { d, z } = self;
        Self { d: d.duplicate(), z: z.duplicate() }
    }
}

impl KeyPair {
    /// The public half's first part.
    pub(crate) fn header(&self) -> Header {
        *self.0[HEADER_AT..].first_chunk().expect("libcrux's layout: the private key ‖ t̂ ‖ ρ ‖ hash ‖ z")
    }

    /// Its second part.
    pub(crate) fn vector(&self) -> &Vector {
        self.0[VECTOR_AT..].first_chunk().expect("libcrux's layout: the private key ‖ t̂ ‖ ρ ‖ hash ‖ z")
    }

    /// FIPS 203 algorithm 21. A ciphertext made for another key gives an unrelated secret, not an error.
    pub(crate) fn decapsulate(&self, first: &FirstHalf, second: &SecondHalf) -> Secret32 {
        let (first, second) = (Ciphertext1 { value: *first }, Ciphertext2 { value: *second });
        let secret = Zeroizing::new(decapsulate_compressed_key(&self.0, &first, &second));
        Secret32::copied(&secret)
    }
}

impl EncapsulationSeed {
    /// Draws 32 bytes.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret32::random(rng))
    }

    /// The first half of FIPS 203 algorithm 17, of ρ and the key's hash alone: the ciphertext's first half, and the secret.
    pub(crate) fn first_half(&self, header: &Header) -> (FirstHalf, Secret32) {
        let (first, secret, _) = self.begin(header);
        (first, secret)
    }

    /// The second half, for the vector that belongs to the header.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Key`] where the vector does not fit the header's hash, or is no valid key (FIPS 203 §7.2).
    pub(crate) fn second_half(&self, header: &Header, vector: &Vector) -> Result<SecondHalf, PeerMisbehaved> {
        check(header, vector)?;
        let (_, _, state) = self.begin(header);
        Ok(encapsulate2(&state, vector).value)
    }

    fn begin(&self, header: &Header) -> (FirstHalf, Secret32, Box<Zeroizing<[u8; encaps_state_len()]>>) {
        let mut state = Box::new(Zeroizing::new([0; encaps_state_len()]));
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let first = encapsulate1(header, *self.0.as_bytes(), &mut state[..], &mut secret[..]);
        let first = first.expect("every buffer has the length that libcrux names");
        (first.value, Secret32::copied(&secret), state)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

/// Whether a vector belongs to a header, and is a valid key: the modulus check of FIPS 203 §7.2, and the hash.
///
/// # Errors
/// [`PeerMisbehaved::Key`].
pub(crate) fn check(header: &Header, vector: &Vector) -> Result<(), PeerMisbehaved> {
    validate_pk_bytes(header, vector).map_err(|_| PeerMisbehaved::Key)
}

impl fmt::Debug for KeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { d: _, z: _ } = self;
        f.write_str("KeySeed(..)")
    }
}

impl fmt::Debug for EncapsulationSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("EncapsulationSeed(..)")
    }
}

#[cfg(test)]
mod tests;
