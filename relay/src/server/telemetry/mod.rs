//! Traces for short diagnosis: what one request waited for. Off unless a host names a collector.
//!
//! ```text
//!  send ─────────────────────────────┐   a request, from its frame to its answer
//!   ├ store.queue ──┐                │   until its batch begins
//!   ├ store.commit  └────────┐       │   until it is durable; linked to the one span `store.batch` of its batch
//!   └ hand_over              └───────┴─ …  until the reader's socket has the envelope
//! ```
//!
//! A span is made of words and numbers that are known when this is compiled ([`span::Span`]): it has no room for an id. A
//! request is sampled when it arrives, and one that is not costs a random number. What is recorded waits in a bounded queue;
//! what finds no place there, or no collector, is counted and dropped. [REL-68]

mod clock;
mod collector;
mod export;
mod otlp;
mod requests;
mod span;

pub use self::collector::Collector;
pub(super) use self::{
    requests::{HandOver, Traced, Traces},
    span::Context,
};

/// Where traces go, and how many.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// Who gets them.
    pub collector: Collector,
    /// The part of requests that is traced, 0 to 1.
    pub sample_ratio: f64,
}
