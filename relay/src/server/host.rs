//! What the host's door needs of a running relay.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{House, hub::Event};
use crate::core::{HostAnswer, HostCommand};

/// A running relay as its host asks it.
#[derive(Clone)]
pub(crate) struct Host(Arc<House>);

impl Host {
    pub(super) const fn new(house: Arc<House>) -> Self {
        Self(house)
    }

    /// Asks the core; none where the relay has ended meanwhile.
    pub(crate) async fn ask(&self, command: HostCommand) -> Option<HostAnswer> {
        let (asker, answer) = oneshot::channel();
        self.0.events.send(Event::Host(command, asker)).await.ok()?;
        answer.await.ok()
    }

    /// What `/readyz` says.
    pub(crate) fn state(&self) -> &'static str {
        match () {
            () if !self.0.ready.load(Ordering::Relaxed) => "draining",
            () if !self.0.metrics.storage_works() => "storage fails",
            () => "ready",
        }
    }

    /// How long the latest batch took to become durable.
    pub(crate) fn storage_latest_micros(&self) -> u64 {
        self.0.metrics.latest_batch_micros()
    }
}
