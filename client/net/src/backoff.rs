//! How long to wait before dialling again: exponential, with full jitter, so that a relay that comes back is not met by
//! all its clients in one moment.

use std::time::Duration;

use rand::RngExt as _;
use rand_core::CryptoRng;

/// First bound of a wait.
const BASE: Duration = Duration::from_millis(250);
/// Largest bound of a wait.
const CAP: Duration = Duration::from_secs(60);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The relay was there: begin again from the shortest wait.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait: uniform between nothing and the bound, which doubles each time.
    pub fn next_wait(&mut self, rng: &mut impl CryptoRng) -> Duration {
        let bound = CAP.min(BASE * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        rng.random_range(Duration::ZERO..=bound)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_begin_again_after_a_reset() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        for failure in 0..64 {
            let bound = CAP.min(BASE * 2_u32.saturating_pow(failure.min(16)));
            assert!(backoff.next_wait(&mut rng) <= bound);
        }
        backoff.reset();
        assert!(backoff.next_wait(&mut rng) <= BASE);
    }

    #[test]
    fn waits_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let waits: Vec<_> = (0..8).map(|_| Backoff { failures: 9 }.next_wait(&mut rng)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
