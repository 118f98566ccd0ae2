//! A step that has been worked out and not yet been taken.

use super::{session::Session, skipped::SkippedChanges};

/// The next state of a session, what changes among its skipped keys, and what came of the step. Session and changes go
/// to the store in one transaction, and the value leaves after its commit: then no key is used for two bodies, and
/// nothing is shown that a crash could take back.
#[must_use = "a step that is not stored has not happened; what came of it must not leave"]
#[derive(Debug)]
pub struct Staged<T> {
    session: Session,
    changes: SkippedChanges,
    value: T,
}

impl<T> Staged<T> {
    pub(super) fn new(session: Session, changes: SkippedChanges, value: T) -> Self {
        Self { session, changes, value }
    }

    /// Takes it apart, into the rows of one transaction and what leaves after it.
    pub fn into_parts(self) -> (Session, SkippedChanges, T) {
        (self.session, self.changes, self.value)
    }
}
