//! The operations of the relay, one a file. Each has a `handle`, for the frame, and where it touches the store a second
//! function for the outcome.

pub(crate) mod ack;
pub(crate) mod blob;
pub(crate) mod blob_create;
pub(crate) mod block;
pub(crate) mod channel_append;
pub(crate) mod channel_close;
pub(crate) mod channel_create;
pub(crate) mod channel_read;
pub(crate) mod channel_subscribe;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod fetch;
pub(crate) mod forward;
pub(crate) mod info;
pub(crate) mod publish;
pub(crate) mod rotate;
pub(crate) mod send;
pub(crate) mod subscribe;
pub(crate) mod token;

#[cfg(test)]
pub(crate) mod testing;

use sotto_outer::{Answer, RefusedReason};

use crate::{core::BUSY_RETRY_SECS, storage::Outcome};

/// The store failed, and nothing is half done: the same request may succeed later.
pub(crate) const BUSY: Answer = Answer::Busy { retry_after_secs: BUSY_RETRY_SECS };

/// The answer to what is either so now, or denied.
pub(crate) fn done(outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Done => Answer::Done,
        Outcome::Denied => Answer::Denied,
        Outcome::Spent => Answer::Refused { reason: RefusedReason::Token },
        Outcome::Failed => BUSY,
        Outcome::Full
        | Outcome::Sent { .. }
        | Outcome::Repeated
        | Outcome::Token(_)
        | Outcome::Work { .. }
        | Outcome::Admitted { .. }
        | Outcome::Owners(_)
        | Outcome::Leased(_)
        | Outcome::Envelopes { .. }
        | Outcome::Bundle(_)
        | Outcome::Blocked(_)
        | Outcome::Channel(_)
        | Outcome::Blob(_)
        | Outcome::Expired { .. } => mismatch(outcome),
    }
}

/// A store that answers one operation with the outcome of another has a bug; its client is told what a failed store tells.
pub(crate) fn mismatch(outcome: &Outcome) -> Answer {
    debug_assert!(*outcome == Outcome::Failed, "the store answered another operation than was asked");
    BUSY
}
