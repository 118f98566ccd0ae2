//! How much waits in the database: counted once a minute beside the writer, which is never held up by it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::watch, time::interval};

use super::Metrics;
use crate::storage::sqlite::view::Backlog;

/// How often it is counted.
const COUNT_SECS: u64 = 60;

/// Counts until the relay stops.
pub(super) async fn watch(database: PathBuf, metrics: Arc<Metrics>, mut draining: watch::Receiver<bool>) {
    let mut counts = interval(Duration::from_secs(COUNT_SECS));
    loop {
        tokio::select! {
            _ = draining.changed() => return,
            _ = counts.tick() => {}
        }
        // What cannot be counted now is counted a minute later; that storage fails is told elsewhere.
        if let Ok(backlog) = Backlog::read(&database).await {
            metrics.set_backlog(backlog);
        }
    }
}
