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
    /// A connection lasted: begin again from the shortest wait.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait: uniform between nothing and the bound, which doubles each time. A relay's `hint` is waited out in
    /// full, with the jitter on top.
    pub fn next_wait(&mut self, hint: Option<Duration>, rng: &mut impl CryptoRng) -> Duration {
        let bound = CAP.min(BASE * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        let jitter = rng.random_range(Duration::ZERO..=bound);
        hint.unwrap_or_default().min(HINT_MAX) + jitter
    }
}

/// The longest hint that is believed.
const HINT_MAX: Duration = Duration::from_secs(3_600);

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
            assert!(backoff.next_wait(None, &mut rng) <= bound);
        }
        backoff.reset();
        assert!(backoff.next_wait(None, &mut rng) <= BASE);
    }

    #[test]
    fn waits_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let waits: Vec<_> = (0..8).map(|_| Backoff { failures: 9 }.next_wait(None, &mut rng)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn a_hint_is_waited_out_but_not_for_ever() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let hint = Duration::from_secs(90);
        let wait = Backoff::default().next_wait(Some(hint), &mut rng);
        assert!((hint..=hint + BASE).contains(&wait));
        assert!(Backoff::default().next_wait(Some(Duration::MAX), &mut rng) <= HINT_MAX + BASE);
    }
}
