//! The task that owns the storage: whatever waits is one batch, and one commit. It never waits for more to come.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::Metrics;
use crate::{
    core::Ticket,
    storage::{Op, Outcome, Storage, channel::ChannelOp},
};

/// Operations of one batch.
const BATCH_OPS_MAX: usize = 1_024;
/// Payload bytes of one batch; the operation that reaches it is the last.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Something for the writer.
pub(super) enum Job {
    Apply(Ticket, Op),
    /// Somebody asks beside the core, as a transfer of a blob does.
    Ask(Op, oneshot::Sender<Outcome>),
    /// Somebody asks whether it still works; it answers when it gets there.
    Pulse(oneshot::Sender<()>),
}

/// Who is told an outcome.
enum Asker {
    Core(Ticket),
    Beside(oneshot::Sender<Outcome>),
}

/// An operation is done, and durable since then.
pub(super) struct Applied {
    pub(super) ticket: Ticket,
    pub(super) outcome: Outcome,
    pub(super) at: Instant,
    pub(super) batch: Batch,
}

/// The batch that an operation was in.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) operations: usize,
    pub(super) started: Instant,
}

pub(super) async fn run<S: Storage>(
    mut storage: S,
    mut waiting: mpsc::UnboundedReceiver<Job>,
    outcomes: mpsc::UnboundedSender<Vec<Applied>>,
    metrics: Arc<Metrics>,
) -> S {
    let mut number = 0;
    while let Some(first) = waiting.recv().await {
        let (askers, ops) = gather(first, &mut waiting);
        if ops.is_empty() {
            continue;
        }
        let batch = Batch { number, operations: ops.len(), started: Instant::now() };
        number += 1;
        let done = storage.apply(ops).await;
        let at = Instant::now();
        metrics.observe_batch(batch.operations, at - batch.started, !done.contains(&Outcome::Failed));
        let mut applied = Vec::with_capacity(batch.operations);
        for (asker, outcome) in askers.into_iter().zip(done) {
            match asker {
                Asker::Core(ticket) => applied.push(Applied { ticket, outcome, at, batch }),
                // Nobody waits any more where a client is gone.
                Asker::Beside(asker) => drop(asker.send(outcome)),
            }
        }
        // Nor where the hub has ended.
        let _ = outcomes.send(applied);
    }
    storage
}

/// All that waits, up to the bounds of a batch.
fn gather(first: Job, waiting: &mut mpsc::UnboundedReceiver<Job>) -> (Vec<Asker>, Vec<Op>) {
    let (mut askers, mut ops, mut bytes) = (vec![], vec![], 0);
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Apply(ticket, op) => {
                bytes += payload_bytes(&op);
                askers.push(Asker::Core(ticket));
                ops.push(op);
            }
            Job::Ask(op, asker) => {
                bytes += payload_bytes(&op);
                askers.push(Asker::Beside(asker));
                ops.push(op);
            }
            // Who asked may not wait any more.
            Job::Pulse(answer) => drop(answer.send(())),
        }
        let is_full = ops.len() >= BATCH_OPS_MAX || bytes >= BATCH_BYTES_MAX;
        next = if is_full { None } else { waiting.try_recv().ok() };
    }
    (askers, ops)
}

fn payload_bytes(op: &Op) -> usize {
    match op {
        Op::Send(envelope) => envelope.payload.len(),
        // What is read counts like what is written, so that a batch of reads holds nothing up either.
        Op::Next { bytes_max, .. } => *bytes_max / 16,
        Op::Channel(ChannelOp::Append(entry)) => entry.entry.len(),
        Op::Channel(ChannelOp::Read { bytes_max, .. }) => *bytes_max / 16,
        Op::Channel(_)
        | Op::Create(..)
        | Op::Token(_)
        | Op::Admit { .. }
        | Op::Owners(_)
        | Op::Lease { .. }
        | Op::Acknowledge { .. }
        | Op::Rotate { .. }
        | Op::DeleteMailbox { .. }
        | Op::DeleteBundle { .. }
        | Op::Publish(_)
        | Op::FetchBundle { .. }
        | Op::Block { .. }
        | Op::Blob(_)
        | Op::Expire { .. } => 0,
    }
}
