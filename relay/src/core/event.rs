//! What goes into the core and what comes out of it.

use bytes::Bytes;
use rand_core::CryptoRng;
use sotto_outer::{ClientFrame, ConnectionNonce, Forward, Forwarded, RelayFrame};

use super::{HostAnswer, HostCommand, HostTicket};
use crate::{
    access::{Job, Worked},
    storage::{Op, Outcome},
    time::Timestamp,
};

/// A connection, named by whoever holds its socket; a name is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// Where a connection comes from, as a number that is drawn for each address and run of the relay and says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u64);

/// A storage operation on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What relay nodes call a mailbox among each other: keyed, so that the wire between them carries no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A client connected.
    Opened(Conn),
    /// Its TLS ends at this relay under a public certificate: the proof of identity covers this exporter (RFC 9266).
    Bound(Conn, Box<[u8; 32]>),
    /// It comes from where others may come from too: together they have a rate.
    From(Conn, Origin),
    /// A client sent a frame.
    Frame(Conn, ClientFrame),
    /// A client sent bytes that are no frame.
    Malformed(Conn),
    /// A connection is gone.
    Closed(Conn),
    /// A storage operation is done, and durable.
    Stored(Ticket, Outcome),
    /// Another relay has answered, or could not be asked.
    Forwarded(Ticket, ForwardOutcome),
    /// A command came through another relay: a connection that is greeted already and asks once. Its nonce is the hash of the
    /// ciphertext that brought it.
    OpenedByForward(Conn, ConnectionNonce),
    /// A job is done.
    Worked(Ticket, Worked),
    /// Another node stored something for a mailbox.
    Woken(Tag),
    /// The host asks something.
    Host(HostTicket, HostCommand),
    /// Some seconds went by: sweep, and try again what failed.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Apply an operation; hand its outcome back with this ticket.
    Store(Ticket, Op),
    /// Do what takes long elsewhere; hand the result back with this ticket.
    Job(Ticket, Job),
    /// Send a frame.
    Reply(Conn, RelayFrame),
    /// Ask another relay; hand what it says back with this ticket.
    Forward(Ticket, Forward),
    /// Send one encoded frame to many. To each connection they go in the order in which they came out.
    Broadcast {
        /// Each once.
        readers: Vec<Conn>,
        /// A [`RelayFrame::Entry`].
        frame: Bytes,
    },
    /// Tell other nodes that something was stored for a mailbox that nobody reads here. A hint: it may be lost.
    Wake(Tag),
    /// Answer the host.
    Host(HostTicket, HostAnswer),
    /// Close a connection, after what was replied before.
    Close(Conn),
}

/// How asking another relay went.
#[derive(Debug)]
pub enum ForwardOutcome {
    /// It answered.
    Forwarded(Forwarded),
    /// It cannot be reached, or answers as no relay does.
    Unreachable {
        /// When to try again, in seconds.
        retry_after_secs: u32,
    },
    /// It, or this relay, has too much to do.
    Busy {
        /// When to try again, in seconds.
        retry_after_secs: u32,
    },
}

/// What a call may use of the world.
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// The generator; no state of it is kept.
    pub rng: &'a mut dyn CryptoRng,
}
