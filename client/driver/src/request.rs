//! What a [`crate::Client`] asks of its worker.

use sotto_engine::{Intent, Outcome};
use tokio::sync::oneshot;

use crate::ClientError;

/// Where an intent's answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, ClientError>>;

/// One request.
pub(crate) enum Request {
    /// Carry out an intent.
    Intent(Intent, Reply),
    /// Dial relays that wait for their back-off now, and tell once that shows in the health.
    Hurry(oneshot::Sender<()>),
    /// Send what is ordered, say goodbye to relays, close the store, and tell.
    Stop(oneshot::Sender<()>),
}
