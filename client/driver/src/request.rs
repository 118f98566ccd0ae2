//! What a [`crate::Client`] asks of its worker.

use sotto_engine::{Intent, Outcome};
use sotto_store::Store;
use tokio::sync::oneshot;

use crate::{ClientError, Locked};

/// Where an intent's answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, ClientError>>;

/// One request.
pub(crate) enum Request {
    /// Carry out an intent.
    Intent(Intent, Reply),
    /// Do something with the store, between two transactions.
    Store(Box<dyn FnOnce(&mut Store) + Send>),
    /// Dial relays that wait for their back-off now, and tell once that shows in the health.
    Hurry(oneshot::Sender<()>),
    /// Wipe the key, and watch.
    Lock(oneshot::Sender<Locked>),
    /// Send what is ordered, say goodbye to relays, close the store, and tell.
    Stop(oneshot::Sender<()>),
}
