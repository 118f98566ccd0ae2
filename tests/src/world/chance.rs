//! Chance, from the world's one seed. Each party draws from a fork of its own, so that one drawing more does not change what
//! the others get.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// A seeded generator.
#[derive(Debug)]
pub struct Chance(ChaCha12Rng);

impl Chance {
    /// The fork of a world's seed for one party.
    pub fn fork(seed: u64, party: &str, number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        bytes[8..16].copy_from_slice(&number.to_be_bytes());
        let name = party.as_bytes();
        assert!(name.len() <= 16, "a party's name fits the seed");
        bytes[16..16 + name.len()].copy_from_slice(name);
        Self(ChaCha12Rng::from_seed(bytes))
    }

    /// From 0 to below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The bias of a remainder is below 2^-40 for the small limits of a world.
        self.0.next_u64() % limit
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True once in `n` on average; never for 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n != 0 && self.below(n) == 0
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        if among.is_empty() { None } else { among.get(self.below(among.len() as u64) as usize) }
    }

    /// Random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The generator, for code that takes one as an argument.
    pub const fn rng(&mut self) -> &mut ChaCha12Rng {
        &mut self.0
    }
}

/// The seed to use: `SEED` in hexadecimal, or this one.
///
/// # Panics
/// If `SEED` is no hexadecimal number.
pub fn seed_or(other: u64) -> u64 {
    match std::env::var("SEED") {
        Ok(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("SEED is a hexadecimal number"),
        Err(_) => other,
    }
}
