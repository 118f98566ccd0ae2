//! What one event does: rows to write, and effects that wait for them to be durable.

use crate::{Batch, Effect};

/// The proof that a transaction is durable. Only the store and the simulated world make one, after the commit; the layering
/// test looks for anyone else who names it.
#[derive(Debug)]
pub struct Committed(());

impl Committed {
    /// To be called after a successful, fsynced commit and at no other moment.
    #[must_use]
    pub fn after_commit() -> Self {
        Self(())
    }
}

/// The outcome of one event. Its effects stay inside until the batch is durable.
#[derive(Debug, Default)]
#[must_use]
pub struct Step {
    /// To be applied to the open transaction at once, so that later reads see it.
    pub batch: Batch,
    after: Vec<Effect>,
}

impl Step {
    pub(crate) fn new(batch: Batch, after: Vec<Effect>) -> Self {
        Self { batch, after }
    }

    /// The effects, in order, for tests that store nothing.
    #[cfg(test)]
    pub(crate) fn effects(self) -> Vec<Effect> {
        self.after
    }

    /// The effects, in order, once the transaction that holds the batch is durable.
    pub fn release(self, _: &Committed) -> Vec<Effect> {
        self.after
    }
}
