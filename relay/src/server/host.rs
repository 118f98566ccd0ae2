//! What the host's door needs of a running relay.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{House, RotateError, hub::Event, transport::Ending};
use crate::core::{HostAnswer, HostCommand};

/// A running relay as its host asks it.
#[derive(Clone)]
pub(crate) struct Host {
    house: Arc<House>,
    tls: Option<Arc<Ending>>,
}

impl Host {
    pub(super) const fn new(house: Arc<House>, tls: Option<Arc<Ending>>) -> Self {
        Self { house, tls }
    }

    /// Shows clients another certificate from now on.
    ///
    /// # Errors
    /// [`RotateError`]; what was shown before is shown on.
    pub(crate) fn rotate_certificate(&self) -> Result<(), RotateError> {
        self.tls.as_ref().ok_or(RotateError::Plain)?.rotate()
    }

    /// Asks the core; none where the relay has ended meanwhile.
    pub(crate) async fn ask(&self, command: HostCommand) -> Option<HostAnswer> {
        let (asker, answer) = oneshot::channel();
        self.house.events.send(Event::Host(command, asker)).await.ok()?;
        answer.await.ok()
    }

    /// What `/readyz` says.
    pub(crate) fn state(&self) -> &'static str {
        match () {
            () if !self.house.ready.load(Ordering::Relaxed) => "draining",
            () if !self.house.metrics.storage_works() => "storage fails",
            () => "ready",
        }
    }

    /// How long the latest batch took to become durable.
    pub(crate) fn storage_latest_micros(&self) -> u64 {
        self.house.metrics.latest_batch_micros()
    }
}
