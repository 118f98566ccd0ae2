//! A mailbox with a reader: which envelopes are on their way to it, and whether others wait.
//!
//! ```text
//!          window opens             nothing beyond
//!  Behind ─────────────► Reading ─────────────────► Level ──┐ a fresh envelope goes straight to the reader
//!     ▲                     │                        │  ▲───┘
//!     └─────────────────────┴────────────────────────┘
//!       more beyond, or failed    window full, or woken
//! ```

use std::collections::BTreeMap;

use sotto_outer::{EnvelopeId, ReceiveId};

use super::{Conn, Ticket};
use crate::storage::Seq;

/// A mailbox that a connection reads.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) conn: Conn,
    pub(crate) progress: Progress,
    pub(crate) in_flight: BTreeMap<EnvelopeId, InFlight>,
    catch_up: CatchUp,
}

/// What stands between this reader and what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something may wait in the store.
    Behind,
    /// It is being read.
    Reading {
        ticket: Ticket,
        /// Another node stored something meanwhile.
        again: bool,
    },
    /// All that is stored has been sent.
    Level,
}

/// An envelope sent and not yet acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    pub(crate) seq: Seq,
    pub(crate) bytes: usize,
    /// It was there before the reader came.
    pub(crate) waited: bool,
}

/// How far the reader is with what waited when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUp {
    /// Not all of it has been sent.
    Sending { waited: usize },
    /// All was sent; this many are not acknowledged.
    Sent { waited: usize },
    /// All is acknowledged, and the reader was told.
    Told,
}

impl Subscription {
    pub(crate) const fn new(conn: Conn) -> Self {
        Self { conn, progress: Progress::Behind, in_flight: BTreeMap::new(), catch_up: CatchUp::Sending { waited: 0 } }
    }

    /// Notes an envelope as sent.
    pub(crate) fn sent(&mut self, id: EnvelopeId, seq: Seq, bytes: usize) {
        let waited = match &mut self.catch_up {
            CatchUp::Sending { waited } => {
                *waited += 1;
                true
            }
            CatchUp::Sent { .. } | CatchUp::Told => false,
        };
        self.in_flight.insert(id, InFlight { seq, bytes, waited });
    }

    /// Notes an envelope as acknowledged; returns its payload bytes if it was on its way.
    pub(crate) fn acknowledged(&mut self, id: &EnvelopeId) -> Option<usize> {
        let InFlight { seq: _, bytes, waited: it_waited } = self.in_flight.remove(id)?;
        match &mut self.catch_up {
            CatchUp::Sending { waited } | CatchUp::Sent { waited } if it_waited => *waited -= 1,
            CatchUp::Sending { .. } | CatchUp::Sent { .. } | CatchUp::Told => {}
        }
        Some(bytes)
    }

    /// Notes that all that is stored has been sent.
    pub(crate) const fn level(&mut self) {
        self.progress = Progress::Level;
        if let CatchUp::Sending { waited } = self.catch_up {
            self.catch_up = CatchUp::Sent { waited };
        }
    }

    /// True exactly once: when all that waited is acknowledged.
    pub(crate) fn catches_up(&mut self) -> bool {
        let now = self.catch_up == CatchUp::Sent { waited: 0 };
        if now {
            self.catch_up = CatchUp::Told;
        }
        now
    }

    /// Payload bytes of each envelope on its way.
    pub(crate) fn in_flight_bytes(&self) -> impl Iterator<Item = usize> {
        self.in_flight.values().map(|in_flight| in_flight.bytes)
    }

    /// Where in the store those on their way are.
    pub(crate) fn in_flight_seqs(&self) -> Vec<Seq> {
        self.in_flight.values().map(|in_flight| in_flight.seq).collect()
    }
}

/// A mailbox of which something is being read for a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) conn: Conn,
    pub(crate) mailbox: ReceiveId,
    /// Payload bytes that were asked for.
    pub(crate) bytes_max: usize,
}
