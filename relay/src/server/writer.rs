//! The task that owns the storage: whatever waits is one batch, and one commit. It never waits for more to come.

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;

use super::Metrics;
use crate::{
    core::Ticket,
    storage::{Op, Outcome, Storage},
};

/// Operations of one batch.
const BATCH_OPS_MAX: usize = 1_024;
/// Payload bytes of one batch; the operation that reaches it is the last.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn run<S: Storage>(
    mut storage: S,
    mut waiting: mpsc::UnboundedReceiver<(Ticket, Op)>,
    outcomes: mpsc::UnboundedSender<(Ticket, Outcome)>,
    metrics: Arc<Metrics>,
) -> S {
    while let Some(first) = waiting.recv().await {
        let (tickets, ops) = gather(first, &mut waiting);
        let (count, started) = (ops.len(), Instant::now());
        let done = storage.apply(ops).await;
        metrics.observe_batch(count, started.elapsed(), !done.contains(&Outcome::Failed));
        for outcome in tickets.into_iter().zip(done) {
            // Nobody waits any more where the hub has ended.
            let _ = outcomes.send(outcome);
        }
    }
    storage
}

/// All that waits, up to the bounds of a batch.
fn gather(first: (Ticket, Op), waiting: &mut mpsc::UnboundedReceiver<(Ticket, Op)>) -> (Vec<Ticket>, Vec<Op>) {
    let mut bytes = payload_bytes(&first.1);
    let (mut tickets, mut ops) = (vec![first.0], vec![first.1]);
    while ops.len() < BATCH_OPS_MAX && bytes < BATCH_BYTES_MAX {
        let Ok((ticket, op)) = waiting.try_recv() else { break };
        bytes += payload_bytes(&op);
        tickets.push(ticket);
        ops.push(op);
    }
    (tickets, ops)
}

fn payload_bytes(op: &Op) -> usize {
    match op {
        Op::Send(envelope) => envelope.payload.len(),
        // What is read counts like what is written, so that a batch of reads holds nothing up either.
        Op::Next { bytes_max, .. } => *bytes_max / 16,
        Op::Create(_)
        | Op::Admit { .. }
        | Op::Owners(_)
        | Op::Lease { .. }
        | Op::Acknowledge { .. }
        | Op::Rotate { .. }
        | Op::DeleteMailbox { .. }
        | Op::DeleteBundle { .. }
        | Op::Publish(_)
        | Op::FetchBundle { .. }
        | Op::Expire { .. } => 0,
    }
}
