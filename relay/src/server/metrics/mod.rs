//! Counts for a host's monitoring. Numbers of things, never which ones: no label is an id, a key or an address.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use sotto_outer::{Answer, Command, RelayFrame};

use crate::core::Core;

type Label = [(&'static str, &'static str); 1];

/// The relay's counters.
pub struct Metrics {
    registry: Registry,
    connections: Gauge,
    subscriptions: Gauge,
    awaiting: Gauge,
    disk_free: Gauge<u64, AtomicU64>,
    commands: Family<Label, Counter>,
    answers: Family<Label, Counter>,
    deliveries: Counter,
    batches: Counter,
    failed_batches: Counter,
    batch_ops: Histogram,
    batch_secs: Histogram,
    storage_works: AtomicBool,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let batch_ops = Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0]);
        let batch_secs = Histogram::new([0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("sotto_relay"),
            connections: Gauge::default(),
            subscriptions: Gauge::default(),
            awaiting: Gauge::default(),
            disk_free: Gauge::default(),
            commands: Family::default(),
            answers: Family::default(),
            deliveries: Counter::default(),
            batches: Counter::default(),
            failed_batches: Counter::default(),
            batch_ops,
            batch_secs,
            storage_works: AtomicBool::new(true),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self {
            registry,
            connections,
            subscriptions,
            awaiting,
            disk_free,
            commands,
            answers,
            deliveries,
            batches,
            failed_batches,
            batch_ops,
            batch_secs,
            storage_works: _,
        } = self;
        registry.register("connections", "Connections open now", connections.clone());
        registry.register("subscriptions", "Mailboxes that are being read now", subscriptions.clone());
        registry.register("storage_waiting", "Storage operations on their way", awaiting.clone());
        registry.register("disk_free_bytes", "Free bytes on the disk of the database", disk_free.clone());
        registry.register("commands", "Requests, by command", commands.clone());
        registry.register("answers", "Answers, by kind", answers.clone());
        registry.register("deliveries", "Envelopes sent to their readers", deliveries.clone());
        registry.register("storage_batches", "Batches applied", batches.clone());
        registry.register("storage_batches_failed", "Batches that failed in part or whole", failed_batches.clone());
        registry.register("storage_batch_operations", "Operations in a batch", batch_ops.clone());
        registry.register("storage_batch_seconds", "Time to apply a batch and make it durable", batch_secs.clone());
    }

    /// All of them as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }

    pub(super) fn storage_works(&self) -> bool {
        self.storage_works.load(Ordering::Relaxed)
    }

    pub(super) fn set_gauges(&self, core: &Core) {
        self.connections.set(gauge(core.connections()));
        self.subscriptions.set(gauge(core.subscriptions()));
        self.awaiting.set(gauge(core.awaiting()));
    }

    pub(super) fn set_disk_free(&self, bytes: u64) {
        self.disk_free.set(bytes);
    }

    pub(super) fn count_command(&self, command: &Command) {
        let name = match command {
            Command::Info(_) => "info",
            Command::Create(_) => "create",
            Command::Send(_) => "send",
            Command::Subscribe(_) => "subscribe",
            Command::Ack(_) => "ack",
            Command::Rotate(_) => "rotate",
            Command::Delete(_) => "delete",
            Command::Publish(_) => "publish",
            Command::Fetch(_) => "fetch",
        };
        self.commands.get_or_create(&[("command", name)]).inc();
    }

    pub(super) fn count_reply(&self, frame: &RelayFrame) {
        match frame {
            RelayFrame::Answer { answer, .. } => {
                let kind = match answer {
                    Answer::Info(_) => "info",
                    Answer::Done => "done",
                    Answer::Denied => "denied",
                    Answer::Full { .. } => "full",
                    Answer::Busy { .. } => "busy",
                    Answer::Refused { .. } => "refused",
                    Answer::Subscribed(_) => "subscribed",
                    Answer::Bundle(_) => "bundle",
                };
                self.answers.get_or_create(&[("kind", kind)]).inc();
            }
            RelayFrame::Deliver(_) => {
                self.deliveries.inc();
            }
            RelayFrame::CaughtUp { .. } => {}
        }
    }

    pub(super) fn observe_batch(&self, ops: usize, took: Duration, works: bool) {
        self.storage_works.store(works, Ordering::Relaxed);
        self.batches.inc();
        self.failed_batches.inc_by(u64::from(!works));
        self.batch_ops.observe(f64::from(u32::try_from(ops).unwrap_or(u32::MAX)));
        self.batch_secs.observe(took.as_secs_f64());
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
