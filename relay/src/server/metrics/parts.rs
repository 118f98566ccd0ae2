//! Counters of the parts that stand beside the mailboxes: forwarding, blobs, tokens. A part records by these methods alone,
//! so that no label can be anything but a word. All are told from the start, as nothing: a rate needs where it began.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{Label, gauge, seconds};
use crate::forward::Failure;

/// Why nothing was forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardError {
    /// The place may not be dialled, or has no address.
    Address,
    /// It could not be reached.
    Connect,
    /// It did not answer in time.
    Timeout,
    /// It answered what is no answer.
    Protocol,
    /// Too many are on their way.
    Busy,
    /// The same was asked before.
    Repeated,
}

/// Which way a part of a blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the relay.
    Up,
    /// From the relay.
    Down,
}

/// How somebody was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmittedBy {
    /// Everybody is.
    Open,
    /// A token of the host.
    Minted,
    /// An OpenID Connect provider.
    Oidc,
}

impl ForwardError {
    const ALL: [Self; 6] = [Self::Address, Self::Connect, Self::Timeout, Self::Protocol, Self::Busy, Self::Repeated];

    const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Busy => "busy",
            Self::Repeated => "repeated",
        }
    }
}

impl From<Failure> for ForwardError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Address => Self::Address,
            Failure::Connect | Failure::LeftAlone => Self::Connect,
            Failure::Timeout => Self::Timeout,
            Failure::Protocol => Self::Protocol,
            Failure::Busy { .. } => Self::Busy,
        }
    }
}

impl Direction {
    const ALL: [Self; 2] = [Self::Up, Self::Down];

    const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl AdmittedBy {
    const ALL: [Self; 3] = [Self::Open, Self::Minted, Self::Oidc];

    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Minted => "minted",
            Self::Oidc => "oidc",
        }
    }
}

/// What is forwarded to other relays.
#[derive(Debug)]
pub struct Forwards {
    secs: Histogram,
    errors: Family<Label, Counter>,
    in_flight: Gauge,
}

/// Blobs and their parts.
#[derive(Debug, Default)]
pub struct Blobs {
    count: Gauge,
    bytes: Gauge,
    parts: Family<Label, Counter>,
    part_bytes: Family<Label, Counter>,
    refused: Family<Label, Counter>,
}

/// How a login for a credential can end.
const LOGIN_OUTCOMES: [&str; 6] = ["done", "stale", "busy", "denied", "unreachable", "invalid"];

/// Admission tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    issued: Family<Label, Counter>,
    shown: Family<Label, Counter>,
    logins: Family<Label, Counter>,
}

impl Default for Forwards {
    fn default() -> Self {
        Self { secs: seconds(), errors: Family::default(), in_flight: Gauge::default() }
    }
}

impl Forwards {
    pub(super) fn register(&self, relay: &mut Registry) {
        for error in ForwardError::ALL {
            self.errors.get_or_create(&[("kind", error.word())]).inc_by(0);
        }
        relay.register("forward_seconds", "Time until a forwarded request was answered", self.secs.clone());
        relay.register("forward_errors", "Requests that were not forwarded, by kind", self.errors.clone());
        relay.register("forward_in_flight", "Forwarded requests without an answer", self.in_flight.clone());
    }

    /// One was answered.
    pub fn answered(&self, took: Duration) {
        self.secs.observe(took.as_secs_f64());
    }

    /// One was not.
    pub fn failed(&self, error: ForwardError) {
        self.errors.get_or_create(&[("kind", error.word())]).inc();
    }

    /// So many are on their way.
    pub fn set_in_flight(&self, count: usize) {
        self.in_flight.set(gauge(count));
    }
}

impl Blobs {
    pub(super) fn register(&self, relay: &mut Registry) {
        for direction in Direction::ALL {
            self.parts.get_or_create(&[("direction", direction.word())]).inc_by(0);
            self.part_bytes.get_or_create(&[("direction", direction.word())]).inc_by(0);
        }
        relay.register("blobs", "Blobs that are kept", self.count.clone());
        relay.register("blob_bytes", "Their bytes", self.bytes.clone());
        relay.register("blob_parts", "Parts of blobs that went up or down", self.parts.clone());
        relay.register("blob_part_bytes", "Bytes of these parts", self.part_bytes.clone());
        relay.register("blob_refused", "Parts and ranges that were not moved, by reason", self.refused.clone());
    }

    /// So much is kept.
    pub fn set_kept(&self, count: usize, bytes: usize) {
        self.count.set(gauge(count));
        self.bytes.set(gauge(bytes));
    }

    /// A part went over the wire.
    pub fn part(&self, direction: Direction, bytes: usize) {
        let direction = direction.word();
        self.parts.get_or_create(&[("direction", direction)]).inc();
        self.part_bytes.get_or_create(&[("direction", direction)]).inc_by(bytes as u64);
    }

    /// One was not moved; the reason is a word.
    pub(in crate::server) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }
}

impl Tokens {
    pub(super) fn register(&self, relay: &mut Registry) {
        for by in AdmittedBy::ALL {
            self.issued.get_or_create(&[("admission", by.word())]).inc_by(0);
        }
        for outcome in ["spent", "invalid"] {
            self.shown.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        for outcome in LOGIN_OUTCOMES {
            self.logins.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        relay.register("logins", "Logins for a credential, by how they ended", self.logins.clone());
        relay.register("tokens_issued", "Tokens signed, by how their holder was admitted", self.issued.clone());
        relay.register("tokens_shown", "Tokens shown, by whether they were taken", self.shown.clone());
    }

    /// Some were signed.
    pub fn issued(&self, by: AdmittedBy, count: u64) {
        self.issued.get_or_create(&[("admission", by.word())]).inc_by(count);
    }

    /// A login ended; how is one of [`LOGIN_OUTCOMES`].
    pub(in crate::server) fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// One was shown; `taken` says whether it was right and not spent.
    pub fn shown(&self, taken: bool) {
        self.shown.get_or_create(&[("outcome", if taken { "spent" } else { "invalid" })]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Forwards {
        pub(in super::super) fn for_a_test(&self) {
            self.answered(Duration::from_millis(3));
            ForwardError::ALL.into_iter().for_each(|error| self.failed(error));
            self.set_in_flight(1);
        }
    }

    impl Blobs {
        pub(in super::super) fn for_a_test(&self) {
            self.set_kept(1, 2);
            Direction::ALL.into_iter().for_each(|direction| self.part(direction, 3));
            self.refused("slow");
        }
    }

    impl Tokens {
        pub(in super::super) fn for_a_test(&self) {
            AdmittedBy::ALL.into_iter().for_each(|by| self.issued(by, 1));
            [true, false].into_iter().for_each(|taken| self.shown(taken));
            LOGIN_OUTCOMES.into_iter().for_each(|outcome| self.login(outcome));
        }
    }
}
