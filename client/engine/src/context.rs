//! What enters with each event: time, chance and the open transaction.

use rand_core::CryptoRng;

use crate::Rows;

/// Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Unix seconds.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000
    }

    /// This much later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This much later.
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        self.plus_millis(secs.saturating_mul(1_000))
    }
}

/// The surroundings of one call.
pub struct Context<'a> {
    /// Now, as the caller's clock has it.
    pub now: Timestamp,
    /// The system's generator, or the world's seeded one. Its state is never kept.
    pub rng: &'a mut dyn CryptoRng,
    /// The open transaction.
    pub rows: &'a dyn Rows,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { now, rng: _, rows: _ } = self;
        f.debug_struct("Context").field("now", now).finish_non_exhaustive()
    }
}
