//! Removes objects whose blob is gone: at once those that the store names, and slowly, page after page of all there are, those
//! that nothing names, as a crash between an object and its row may leave.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{BlobTransfers, Refusal};
use crate::{
    server::Metrics,
    storage::{
        Outcome,
        blob::{BLOB_ROWS_MAX, BlobOp, BlobOutcome},
        objects::{ObjectError, ObjectName},
    },
};

/// How often what the store names is removed.
const TICK_SECS: u64 = 5;
/// Of so many ticks one looks at a page of all objects.
const PAGE_TICKS: u64 = 12;

/// Sweeps until the relay stops.
pub(in crate::server) async fn run(
    blobs: Arc<BlobTransfers>,
    metrics: Arc<Metrics>,
    mut draining: watch::Receiver<bool>,
) {
    let mut tick = interval(Duration::from_secs(TICK_SECS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut after = None;
    for number in 0_u64.. {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            _ = tick.tick() => {}
        }
        // What fails is tried again with the next tick.
        let _ = blobs.remove_gone().await;
        if number % PAGE_TICKS == 0 {
            after = blobs.remove_unknown(after).await.unwrap_or(None);
            if let Ok(Outcome::Blob(BlobOutcome::Usage { blobs, bytes })) = blobs.ask(BlobOp::Usage).await {
                metrics.blobs().set_kept(count(blobs), count(bytes));
            }
        }
    }
}

impl BlobTransfers {
    /// Removes the objects of blobs that are gone, and lets the store forget them.
    async fn remove_gone(&self) -> Result<(), Refusal> {
        loop {
            let Outcome::Blob(BlobOutcome::Gone(gone)) = self.ask(BlobOp::Gone).await? else { return Ok(()) };
            let (count, mut removed) = (gone.len(), vec![]);
            for (key, parts) in gone {
                if self.remove_parts(ObjectName { key, part: 0 }, parts).await.is_ok() {
                    removed.push(key);
                }
            }
            let all = removed.len() == count;
            if !removed.is_empty() {
                self.ask(BlobOp::Forget(removed)).await?;
            }
            if !all || count < BLOB_ROWS_MAX {
                return Ok(());
            }
        }
    }

    async fn remove_parts(&self, name: ObjectName, parts: u32) -> Result<(), ObjectError> {
        for part in 0..parts {
            self.objects.remove(ObjectName { part, ..name }).await?;
        }
        Ok(())
    }

    /// Looks at the next page of objects and removes those without a row. Gives where it goes on; none at the end.
    async fn remove_unknown(&self, after: Option<ObjectName>) -> Result<Option<ObjectName>, Refusal> {
        let names = self.objects.list(after).await.map_err(|_| Refusal::Busy)?;
        let keys = names.iter().map(|name| name.key).collect();
        let Outcome::Blob(BlobOutcome::Known(known)) = self.ask(BlobOp::Known(keys)).await? else { return Ok(None) };
        for (name, _) in names.iter().zip(known).filter(|(_, known)| !known) {
            self.objects.remove(*name).await.map_err(|_| Refusal::Busy)?;
        }
        Ok(names.last().copied())
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
