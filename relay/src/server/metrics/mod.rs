//! Counts for a host's monitoring. Numbers of things, never which ones: no label is an id, a key or an address, and every
//! value of a label is one of [`words::WORDS`].

mod parts;
mod process;
pub(super) mod words;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};
use sotto_outer::{Answer, Command};

pub use self::parts::{AdmittedBy, Blobs, Direction, ForwardError, Forwards, Tokens};
use self::process::Process;
use crate::{
    core::{Core, Shed},
    storage::sqlite::view::Backlog,
};

type Label = [(&'static str, &'static str); 1];
type Labels = [(&'static str, &'static str); 2];

/// Bounds of histograms of seconds.
const SECONDS: [f64; 14] = [0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];
/// Bounds of the histogram of operations in a batch.
const OPERATIONS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// The relay's counters.
pub struct Metrics {
    registry: Registry,
    connections: Family<Label, Gauge>,
    subscriptions: Gauge,
    unacknowledged: Gauge,
    unacknowledged_bytes: Gauge,
    unread_bytes: Gauge,
    commands: Family<Label, Counter>,
    answers: Family<Labels, Counter>,
    command_secs: Family<Label, Histogram, fn() -> Histogram>,
    deliveries: Family<Label, Counter>,
    entries: Counter,
    delivery_lag_secs: Histogram,
    shed: Family<Label, Counter>,
    let_go: Counter,
    spans_dropped: Counter,
    awaiting: Gauge,
    awaiting_bytes: Gauge,
    batches: Counter,
    failed_batches: Counter,
    batch_ops: Histogram,
    batch_secs: Histogram,
    backlog: Gauge<u64, AtomicU64>,
    backlog_bytes: Gauge<u64, AtomicU64>,
    disk_free: Gauge<u64, AtomicU64>,
    memory_max: Gauge<u64, AtomicU64>,
    ready: Gauge,
    turned_away: Counter,
    certificate_expires: Gauge<u64, AtomicU64>,
    certificate_failures: Family<Label, Counter>,
    forwards: Forwards,
    blobs: Blobs,
    tokens: Tokens,
    storage_works: AtomicBool,
    latest_batch_micros: AtomicU64,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// A WebSocket.
    WebSocket,
    /// Long poll.
    LongPoll,
    /// Another relay, for one command.
    Forward,
}

/// Why an envelope goes to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It was stored this moment.
    Fresh,
    /// It waited in the store.
    Waited,
    /// It is never stored.
    Ephemeral,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            connections: Family::default(),
            subscriptions: Gauge::default(),
            unacknowledged: Gauge::default(),
            unacknowledged_bytes: Gauge::default(),
            unread_bytes: Gauge::default(),
            commands: Family::default(),
            answers: Family::default(),
            command_secs: Family::new_with_constructor(seconds),
            deliveries: Family::default(),
            entries: Counter::default(),
            delivery_lag_secs: seconds(),
            shed: Family::default(),
            let_go: Counter::default(),
            spans_dropped: Counter::default(),
            awaiting: Gauge::default(),
            awaiting_bytes: Gauge::default(),
            batches: Counter::default(),
            failed_batches: Counter::default(),
            batch_ops: Histogram::new(OPERATIONS),
            batch_secs: seconds(),
            backlog: Gauge::default(),
            backlog_bytes: Gauge::default(),
            disk_free: Gauge::default(),
            memory_max: Gauge::default(),
            ready: Gauge::default(),
            turned_away: Counter::default(),
            certificate_expires: Gauge::default(),
            certificate_failures: Family::default(),
            forwards: Forwards::default(),
            blobs: Blobs::default(),
            tokens: Tokens::default(),
            storage_works: AtomicBool::new(true),
            latest_batch_micros: AtomicU64::new(0),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process));
        let relay = self.registry.sub_registry_with_prefix("sotto_relay");
        relay.register("build", "What runs", Info::new([("version", words::VERSION)]));
        relay.register("connections", "Connections open now, by transport", self.connections.clone());
        relay.register("subscriptions", "Mailboxes that are being read now", self.subscriptions.clone());
        relay.register("unacknowledged", "Envelopes sent and not yet acknowledged", self.unacknowledged.clone());
        relay.register("unacknowledged_bytes", "Their payload bytes", self.unacknowledged_bytes.clone());
        relay.register("unread_bytes", "Bytes in memory that clients have not taken yet", self.unread_bytes.clone());
        relay.register("commands", "Requests, by command", self.commands.clone());
        relay.register("answers", "Answers, by command and kind", self.answers.clone());
        relay.register("command_seconds", "From a request's arrival to its answer", self.command_secs.clone());
        relay.register("deliveries", "Envelopes sent to readers", self.deliveries.clone());
        relay.register("entries", "Entries of channels sent, for each reader", self.entries.clone());
        let help = "From an envelope being durable to being written to its connected reader";
        relay.register("delivery_lag_seconds", help, self.delivery_lag_secs.clone());
        relay.register("shed", "Work turned away for disk, memory or load", self.shed.clone());
        relay.register("let_go", "Connections closed because they did not read", self.let_go.clone());
        let help = "Spans of traces that found no place in the queue, or no collector";
        relay.register("spans_dropped", help, self.spans_dropped.clone());
        relay.register("storage_waiting", "Storage operations on their way", self.awaiting.clone());
        relay.register("storage_waiting_bytes", "Payload bytes on their way to storage", self.awaiting_bytes.clone());
        relay.register("storage_batches", "Batches applied", self.batches.clone());
        relay.register("storage_batches_failed", "Batches that failed in part or whole", self.failed_batches.clone());
        relay.register("storage_batch_operations", "Operations in a batch", self.batch_ops.clone());
        relay.register("storage_batch_seconds", "Time to apply a batch and make it durable", self.batch_secs.clone());
        relay.register("backlog_envelopes", "Envelopes that wait for their readers", self.backlog.clone());
        relay.register("backlog_bytes", "Bytes of the database in use", self.backlog_bytes.clone());
        relay.register("disk_free_bytes", "Free bytes on the disk of the database", self.disk_free.clone());
        relay.register("memory_max_bytes", "Memory beyond which work is turned away", self.memory_max.clone());
        relay.register("ready", "Whether /readyz says so", self.ready.clone());
        let help = "When the TLS certificate ends, seconds since 1970-01-01; 0 where none does";
        relay.register("certificate_expires_seconds", help, self.certificate_expires.clone());
        let help = "Times that no new certificate was got, by kind";
        relay.register("certificate_failures", help, self.certificate_failures.clone());
        relay.register("turned_away", "Connections that found no place", self.turned_away.clone());
        self.forwards.register(relay);
        self.blobs.register(relay);
        self.tokens.register(relay);
    }

    /// All of them as OpenMetrics text. `ready` is what `/readyz` says now.
    pub fn encode(&self, ready: bool) -> String {
        self.ready.set(ready.into());
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }

    /// What is forwarded to other relays.
    pub const fn forwards(&self) -> &Forwards {
        &self.forwards
    }

    /// Blobs and their parts.
    pub const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Admission tokens.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// When the certificate in use ends, in seconds since 1970-01-01.
    pub fn set_certificate_expires(&self, unix_secs: u64) {
        self.certificate_expires.set(unix_secs);
    }

    pub(super) fn count_certificate_failure(&self, kind: &'static str) {
        self.certificate_failures.get_or_create(&[("kind", kind)]).inc();
    }

    pub(super) fn count_turned_away(&self) {
        self.turned_away.inc();
    }

    pub(super) fn storage_works(&self) -> bool {
        self.storage_works.load(Ordering::Relaxed)
    }

    pub(super) fn set_gauges(&self, core: &Core) {
        let transit = core.transit();
        self.subscriptions.set(gauge(core.subscriptions()));
        self.unacknowledged.set(gauge(transit.envelopes()));
        self.unacknowledged_bytes.set(gauge(transit.bytes()));
        self.awaiting.set(gauge(core.awaiting()));
        self.awaiting_bytes.set(gauge(core.awaiting_bytes()));
    }

    pub(super) fn set_unread(&self, bytes: usize) {
        self.unread_bytes.set(gauge(bytes));
    }

    pub(super) fn set_backlog(&self, backlog: Backlog) {
        let Backlog { envelopes, bytes } = backlog;
        self.backlog.set(envelopes);
        self.backlog_bytes.set(bytes);
    }

    pub(super) fn set_disk_free(&self, bytes: u64) {
        self.disk_free.set(bytes);
    }

    pub(super) fn set_memory_max(&self, bytes: u64) {
        self.memory_max.set(bytes);
    }

    /// Sets what was turned away since the start.
    pub(super) fn set_shed(&self, shed: Shed) {
        let Shed { creates, sends, subscribes } = shed;
        for (class, count) in [("create", creates), ("send", sends), ("subscribe", subscribes)] {
            let counter = self.shed.get_or_create(&[("class", class)]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    pub(super) fn count_let_go(&self) {
        self.let_go.inc();
    }

    pub(super) fn count_spans_dropped(&self, count: usize) {
        self.spans_dropped.inc_by(count as u64);
    }

    pub(super) fn opened(&self, via: Via) {
        self.connections.get_or_create(&[("transport", words::via(via))]).inc();
    }

    pub(super) fn closed(&self, via: Via) {
        self.connections.get_or_create(&[("transport", words::via(via))]).dec();
    }

    /// Counts a request and gives its name.
    pub(super) fn count_command(&self, command: &Command) -> &'static str {
        let name = words::command(command);
        self.commands.get_or_create(&[("command", name)]).inc();
        name
    }

    /// Counts an answer to the command of this name; `took` is none where it was no frame.
    pub(super) fn count_answer(&self, command: &'static str, answer: &Answer, took: Option<Duration>) {
        self.answers.get_or_create(&[("command", command), ("answer", words::answer(answer))]).inc();
        if let Some(took) = took {
            self.command_secs.get_or_create(&[("command", command)]).observe(took.as_secs_f64());
        }
    }

    pub(super) fn count_delivery(&self, delivery: Delivery) {
        self.deliveries.get_or_create(&[("kind", words::delivery(delivery))]).inc();
    }

    pub(super) fn count_entries(&self, readers: usize) {
        self.entries.inc_by(readers as u64);
    }

    pub(super) fn observe_delivery_lag(&self, lag: Duration) {
        self.delivery_lag_secs.observe(lag.as_secs_f64());
    }

    pub(super) fn observe_batch(&self, ops: usize, took: Duration, works: bool) {
        self.storage_works.store(works, Ordering::Relaxed);
        self.latest_batch_micros.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.batches.inc();
        self.failed_batches.inc_by(u64::from(!works));
        self.batch_ops.observe(f64::from(u32::try_from(ops).unwrap_or(u32::MAX)));
        self.batch_secs.observe(took.as_secs_f64());
    }

    /// How long the latest batch took to become durable.
    pub(super) fn latest_batch_micros(&self) -> u64 {
        self.latest_batch_micros.load(Ordering::Relaxed)
    }

    /// A line about now, for the service manager.
    pub(super) fn status(&self) -> String {
        let of = |via| self.connections.get_or_create(&[("transport", words::via(via))]).get();
        let connections = of(Via::WebSocket) + of(Via::LongPoll);
        let storage = if self.storage_works() { "works" } else { "fails" };
        format!("{connections} connections, {} mailboxes read, storage {storage}", self.subscriptions.get())
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Fetch, RefusedReason};

    use super::*;

    #[test]
    fn every_label_is_one_of_the_words() {
        let metrics = Metrics::new();
        let fetch = Command::Fetch(Fetch { bundle: [0xab; 16].into(), proof: None });
        let name = metrics.count_command(&fetch);
        metrics.count_answer(name, &Answer::Done, Some(Duration::from_millis(1)));
        metrics.count_answer(words::MALFORMED, &Answer::Refused { reason: RefusedReason::Malformed }, None);
        for via in [Via::WebSocket, Via::LongPoll, Via::Forward] {
            metrics.opened(via);
        }
        for delivery in [Delivery::Fresh, Delivery::Waited, Delivery::Ephemeral] {
            metrics.count_delivery(delivery);
        }
        metrics.set_shed(Shed { creates: 1, sends: 2, subscribes: 3 });
        metrics.parts_for_a_test();
        let text = metrics.encode(true);
        let values =
            text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split('"').skip(1).step_by(2));
        let mut count = 0;
        for value in values {
            let is_bound = value == "+Inf" || value.parse::<f64>().is_ok();
            assert!(is_bound || words::WORDS.contains(&value), "`{value}` is no word");
            count += usize::from(!is_bound);
        }
        assert!(count > 30, "{text}");
        assert!(text.contains("sotto_relay_answers_total{command=\"fetch\",answer=\"done\"} 1"), "{text}");
    }

    impl Metrics {
        fn parts_for_a_test(&self) {
            self.forwards.for_a_test();
            self.blobs.for_a_test();
            self.tokens.for_a_test();
        }
    }
}
