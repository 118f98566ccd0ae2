//! What is remembered of a connection while it lasts.

use std::collections::{BTreeSet, VecDeque};

use sotto_outer::{
    ConnectionNonce, ReceiveId,
    limits::{DELIVERY_WINDOW_ENVELOPES, PAYLOAD_BYTES_MAX},
};

use super::{Conn, Core, Origin, channel::Log, rate::Meter};
use crate::{command::channel_read, time::Timestamp};

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// What its signatures cover.
    pub(crate) nonce: ConnectionNonce,
    /// What the relay's proof covers, where its TLS ends here under a public certificate.
    pub(crate) exporter: Option<Box<[u8; 32]>>,
    /// Where it comes from, if the host has proxies that say it.
    pub(super) origin: Option<Origin>,
    /// Whether `info` was answered: nothing else goes before.
    pub(crate) greeted: bool,
    pub(crate) mailboxes: BTreeSet<ReceiveId>,
    /// Mailboxes in subscribe frames that are not answered yet.
    pub(crate) subscribing: usize,
    /// Mailboxes that hold something, perhaps, which was not sent yet.
    pub(crate) behind: VecDeque<ReceiveId>,
    /// Reads on their way.
    pub(crate) reading: usize,
    pub(crate) window: Window,
    /// Generations of channels that it reads.
    pub(crate) channels: Vec<Log>,
    /// Their entries on their way: a window of its own, as large.
    pub(crate) entries: Window,
    /// Reads of channels that wait for the one before.
    pub(crate) reads: VecDeque<channel_read::Asked>,
    pub(crate) reads_channel: bool,
    pub(crate) channel_reads: Meter,
    pub(crate) infos: Meter,
    pub(super) wrong_signatures: Meter,
    pub(crate) creates: Meter,
    pub(crate) sends: Meter,
    pub(crate) subscribes: Meter,
    pub(crate) publishes: Meter,
    pub(crate) fetches: Meter,
    pub(crate) tokens: Meter,
    /// The counter of the last proof of work that is good once.
    pub(crate) proof_counter: Option<u64>,
    pub(crate) forwards: Meter,
    /// Forwards that other relays have not answered.
    pub(crate) forwarding: usize,
    pub(crate) blobs: Meter,
}

impl Connection {
    pub(crate) fn new(nonce: ConnectionNonce) -> Self {
        Self {
            nonce,
            exporter: None,
            origin: None,
            greeted: false,
            mailboxes: BTreeSet::new(),
            subscribing: 0,
            behind: VecDeque::new(),
            reading: 0,
            window: Window::default(),
            channels: Vec::new(),
            entries: Window::default(),
            reads: VecDeque::new(),
            reads_channel: false,
            channel_reads: Meter::default(),
            infos: Meter::default(),
            wrong_signatures: Meter::default(),
            creates: Meter::default(),
            sends: Meter::default(),
            subscribes: Meter::default(),
            publishes: Meter::default(),
            fetches: Meter::default(),
            tokens: Meter::default(),
            proof_counter: None,
            forwards: Meter::default(),
            forwarding: 0,
            blobs: Meter::default(),
        }
    }

    /// Mailboxes and channels that it reads, or has asked to.
    pub(crate) fn reading_or_asked(&self) -> usize {
        self.mailboxes.len() + self.channels.len() + self.subscribing
    }
}

impl Core {
    /// Takes one send from a connection's rate.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn take_connection_send(&mut self, now: Timestamp, conn: Conn) -> Result<(), u32> {
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        connection.sends.take(now, self.config.connection_send_rate, 1)
    }

    /// Takes one thing that is made, or one bundle that is fetched, from the rate of where a connection comes from.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn take_from_origin(&mut self, now: Timestamp, conn: Conn) -> Result<(), u32> {
        match self.connections.get(&conn).and_then(|connection| connection.origin) {
            Some(origin) => self.origins.take(origin, now, self.config.origin_rate),
            None => Ok(()),
        }
    }

    /// Whether one more signature of an entry is checked for a connection: after many wrong ones it waits.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn check_wrong_signatures(&self, now: Timestamp, conn: Conn) -> Result<(), u32> {
        let Some(connection) = self.connections.get(&conn) else { return Ok(()) };
        let mut copy = connection.wrong_signatures;
        copy.take(now, self.config.wrong_signature_rate, 1)
    }

    /// A connection brought a signature that was wrong.
    pub(crate) fn count_wrong_signature(&mut self, now: Timestamp, conn: Conn) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            // Beyond the rate it waits already.
            let _ = connection.wrong_signatures.take(now, self.config.wrong_signature_rate, 1);
        }
    }
}

/// Envelopes sent on a connection and not yet acknowledged, and what is being read for it. How many bytes it may have, the
/// sum over all connections decides ([`super::Transit`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    envelopes: usize,
    bytes: usize,
    reading_bytes: usize,
}

impl Window {
    pub(crate) const fn free_envelopes(&self) -> usize {
        DELIVERY_WINDOW_ENVELOPES - self.envelopes
    }

    /// Envelopes sent and not yet acknowledged.
    pub(crate) const fn envelopes(&self) -> usize {
        self.envelopes
    }

    /// Their payload bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of `bytes_max` that are neither used nor asked for.
    pub(crate) const fn free_bytes(&self, bytes_max: usize) -> usize {
        bytes_max.saturating_sub(self.bytes + self.reading_bytes)
    }

    /// Whether the next envelope fits, however large it is.
    pub(crate) const fn is_open(&self, bytes_max: usize) -> bool {
        self.free_envelopes() > 0 && self.free_bytes(bytes_max) >= PAYLOAD_BYTES_MAX
    }

    pub(crate) const fn fits(&self, payload_bytes: usize, bytes_max: usize) -> bool {
        self.free_envelopes() > 0 && self.bytes + payload_bytes <= bytes_max
    }

    /// A read of at most so many bytes is on its way.
    pub(crate) const fn begin_read(&mut self, bytes_max: usize) {
        self.reading_bytes += bytes_max;
    }

    /// It has come.
    pub(crate) const fn end_read(&mut self, bytes_max: usize) {
        self.reading_bytes -= bytes_max;
    }

    /// An envelope that fits is sent.
    pub(crate) const fn add(&mut self, payload_bytes: usize) {
        self.envelopes += 1;
        self.bytes += payload_bytes;
    }

    /// An envelope is acknowledged, or will be sent to another connection.
    pub(crate) const fn remove(&mut self, payload_bytes: usize) {
        self.envelopes -= 1;
        self.bytes -= payload_bytes;
    }

    /// Several are, of so many bytes together.
    pub(crate) const fn remove_many(&mut self, envelopes: usize, bytes: usize) {
        self.envelopes -= envelopes;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::limits::DELIVERY_WINDOW_BYTES as BYTES;

    use super::*;

    #[test]
    fn the_window_is_128_envelopes_or_4_mib() {
        let mut window = Window::default();
        for _ in 0..128 {
            assert!(window.fits(1, BYTES) && window.is_open(BYTES));
            window.add(1);
        }
        assert!(!window.fits(1, BYTES) && !window.is_open(BYTES));
        window.remove(1);
        assert!(window.fits(1, BYTES));

        let mut window = Window::default();
        for _ in 0..64 {
            assert!(window.fits(PAYLOAD_BYTES_MAX, BYTES));
            window.add(PAYLOAD_BYTES_MAX);
        }
        assert!(!window.fits(1, BYTES));
    }

    #[test]
    fn what_is_being_read_takes_its_place() {
        let mut window = Window::default();
        window.begin_read(BYTES - PAYLOAD_BYTES_MAX + 1);
        assert!(!window.is_open(BYTES) && window.fits(1, BYTES));
        window.end_read(BYTES - PAYLOAD_BYTES_MAX + 1);
        assert!(window.is_open(BYTES));
    }
}
