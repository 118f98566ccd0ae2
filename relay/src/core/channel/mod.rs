//! Channels with readers: fresh entries go to all who are level at once, and those behind are served from the store, many by
//! one page.
//!
//! An entry is encoded once, whoever reads it. Readers that have no room fall behind and cost nothing until they confirm; then one
//! page serves all that wait for some of it. Pages are read one at a time for a generation, and few at a time in all.

mod audience;
#[cfg(test)]
mod random;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sotto_outer::{ChannelEntry, ChannelId, ReadHash, RelayFrame, limits::DELIVERY_WINDOW_BYTES};

use self::audience::{Audience, Confirmed, Listener};
use super::{Awaiting, Conn, Connection, Core, Turn};
use crate::{
    command,
    storage::{
        Op, Outcome,
        channel::{ChannelOp, ChannelOutcome, Reader, StoredEntry},
    },
};

/// Pages being read at a time.
const PAGES_MAX: usize = 16;
/// Entries of a page.
const PAGE_ENTRIES_MAX: usize = 64;
/// Bytes of a page.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// One generation of a channel.
pub(crate) type Log = (ChannelId, u32);

/// All channels that somebody reads here.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    audiences: BTreeMap<Log, Audience>,
    /// Generations with readers who wait for a page.
    hungry: VecDeque<Log>,
    pages: usize,
}

/// A page that is being read.
#[derive(Debug)]
pub(crate) struct Page {
    log: Log,
    after: u64,
}

impl Channels {
    pub(crate) const fn new() -> Self {
        Self { audiences: BTreeMap::new(), hungry: VecDeque::new(), pages: 0 }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.audiences.is_empty()
    }
}

impl Core {
    /// Whether a connection reads this generation and has shown this; if so, all up to `after` is safe with it.
    pub(crate) fn confirm_entries(
        &mut self,
        turn: &mut Turn<'_>,
        conn: Conn,
        log: Log,
        shown: &ReadHash,
        after: u64,
    ) -> bool {
        let Some(audience) = self.channels.audiences.get_mut(&log).filter(|audience| audience.read_hash == *shown)
        else {
            return false;
        };
        let (Some(listener), Some(connection)) = (audience.listeners.get_mut(&conn), self.connections.get_mut(&conn))
        else {
            return false;
        };
        let before = listener.sent();
        let Confirmed::Released { entries, bytes } = listener.confirm(after) else { return false };
        if before != listener.sent() && audience.behind.remove(&(before, conn)) {
            audience.behind.insert((listener.sent(), conn));
        }
        let was_open = connection.entries.is_open(DELIVERY_WINDOW_BYTES);
        connection.entries.remove_many(entries, bytes);
        if !was_open {
            self.window_opened(turn, conn);
        }
        true
    }

    /// Makes a connection a reader from `after` on. Where nothing waits it is level at once.
    pub(crate) fn listen(&mut self, turn: &mut Turn<'_>, conn: Conn, reader: Reader, after: u64, waits: bool) {
        let log = (reader.channel, reader.generation);
        self.stop_listening(conn, log);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.channels.reserve_exact(1);
        connection.channels.push(log);
        let audience = self.channels.audiences.entry(log).or_insert_with(|| Audience::new(reader.shown));
        audience.listeners.insert(conn, Listener::new(after, !waits));
        if waits && connection.entries.is_open(DELIVERY_WINDOW_BYTES) {
            audience.fall_behind(conn);
            self.channels.wants_page(log);
        }
        self.read_pages(turn);
    }

    /// A subscription is over. What was on its way is not waited for.
    fn stop_listening(&mut self, conn: Conn, log: Log) {
        let Some(audience) = self.channels.audiences.get_mut(&log) else { return };
        let Some(listener) = audience.remove(conn) else { return };
        if audience.listeners.is_empty() {
            self.channels.audiences.remove(&log);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let (entries, bytes) = listener.in_flight();
        connection.entries.remove_many(entries, bytes);
        connection.channels.retain(|other| *other != log);
    }

    /// A connection that read these is gone.
    pub(crate) fn forget_listener(&mut self, conn: Conn, logs: &[Log]) {
        for log in logs {
            self.stop_listening(conn, *log);
        }
    }

    /// An entry has just been stored: all who are level and have room get it, in one output.
    pub(crate) fn deliver_entry(&mut self, turn: &mut Turn<'_>, log: Log, entry: &StoredEntry) {
        let Some(audience) = self.channels.audiences.get_mut(&log) else { return };
        let mut readers = Vec::with_capacity(audience.listeners.len());
        for (conn, listener) in &mut audience.listeners {
            // Who asked for what is to come later has no need of this; who is behind finds it in the store.
            if !listener.level || listener.sent() >= entry.seq {
                continue;
            }
            let Some(connection) = self.connections.get_mut(conn) else { continue };
            listener.level = send(connection, listener, entry);
            if listener.level {
                readers.push(*conn);
            }
        }
        self.broadcast(turn, log, entry, readers);
    }

    /// Sends an entry to those who have been counted as having it. The one that ends a generation ends their subscriptions.
    fn broadcast(&mut self, turn: &mut Turn<'_>, log: Log, entry: &StoredEntry, readers: Vec<Conn>) {
        if readers.is_empty() {
            return;
        }
        let freed = if entry.ends { readers.clone() } else { vec![] };
        turn.broadcast(readers, encode(log, entry));
        for conn in freed {
            let was_open =
                self.connections.get(&conn).is_none_or(|connection| connection.entries.is_open(DELIVERY_WINDOW_BYTES));
            self.stop_listening(conn, log);
            if !was_open {
                self.window_opened(turn, conn);
            }
        }
    }

    /// A connection has room again: where it is behind, it waits for pages.
    fn window_opened(&mut self, turn: &mut Turn<'_>, conn: Conn) {
        let Some(connection) =
            self.connections.get(&conn).filter(|connection| connection.entries.is_open(DELIVERY_WINDOW_BYTES))
        else {
            return;
        };
        for log in &connection.channels {
            let Some(audience) = self.channels.audiences.get_mut(log) else { continue };
            if audience.listeners.get(&conn).is_some_and(|listener| !listener.level) {
                audience.fall_behind(conn);
                self.channels.wants_page(*log);
            }
        }
        self.read_pages(turn);
    }

    /// Reads pages for those who wait, in their turn.
    pub(crate) fn read_pages(&mut self, turn: &mut Turn<'_>) {
        while self.channels.pages < PAGES_MAX
            && let Some(log) = self.channels.hungry.pop_front()
        {
            let Some(after) = self.page_start(log) else { continue };
            let Some(audience) = self.channels.audiences.get(&log) else { continue };
            let reader = Reader { channel: log.0, generation: log.1, shown: audience.read_hash };
            let (entries_max, bytes_max, day) = (PAGE_ENTRIES_MAX, PAGE_BYTES_MAX, turn.now.day());
            let op = ChannelOp::Read { reader, after, entries_max, bytes_max, day };
            self.channels.pages += 1;
            self.store(turn, Op::Channel(op), Awaiting::Page(Page { log, after }));
        }
    }

    /// After which entry the next page begins; none where nobody can take one.
    fn page_start(&mut self, log: Log) -> Option<u64> {
        let audience = self.channels.audiences.get_mut(&log)?;
        while let Some((sent, conn)) = audience.next_behind() {
            // Other channels may have filled its window since.
            if self.connections.get(&conn).is_some_and(|connection| connection.entries.is_open(DELIVERY_WINDOW_BYTES)) {
                return Some(sent);
            }
            audience.behind.remove(&(sent, conn));
        }
        audience.turns = false;
        None
    }

    /// A page comes from the store: everybody gets what is new to them, as far as their windows reach.
    pub(crate) fn page_read(&mut self, turn: &mut Turn<'_>, page: Page, outcome: Outcome) {
        let Page { log, after } = page;
        self.channels.pages -= 1;
        let Some(audience) = self.channels.audiences.get_mut(&log) else { return self.read_pages(turn) };
        audience.turns = false;
        match outcome {
            Outcome::Channel(ChannelOutcome::Entries { entries, more, ended }) => {
                self.serve_page(turn, log, after, &entries, more, ended);
            }
            // The channel has lapsed: nothing will come.
            Outcome::Denied => self.drop_audience(log),
            // The store failed; the next tick tries again.
            other => {
                command::mismatch(&other);
                return self.channels.wants_page(log);
            }
        }
        self.channels.wants_page(log);
        self.read_pages(turn);
    }

    fn serve_page(
        &mut self,
        turn: &mut Turn<'_>,
        log: Log,
        after: u64,
        entries: &[StoredEntry],
        more: bool,
        ended: bool,
    ) {
        let Some(audience) = self.channels.audiences.get_mut(&log) else { return };
        let last = entries.last().map_or(after, |entry| entry.seq);
        let waiting = audience.behind.range((after, Conn(0))..).take_while(|(sent, _)| !more || *sent < last);
        let mut readers = vec![vec![]; entries.len()];
        let mut over = vec![];
        for (sent, conn) in waiting.copied().collect::<Vec<_>>() {
            audience.behind.remove(&(sent, conn));
            let Some(listener) = audience.listeners.get_mut(&conn) else { continue };
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            let new = entries.iter().zip(&mut readers).filter(|(entry, _)| entry.seq > sent);
            let mut has_all = true;
            for (entry, readers) in new {
                if !send(connection, listener, entry) {
                    has_all = false;
                    break;
                }
                readers.push(conn);
            }
            match (has_all, more, ended) {
                (true, false, false) => listener.level = true,
                // What ended it is here, or has expired.
                (true, false, true) => over.push(conn),
                (true, true, _) if connection.entries.is_open(DELIVERY_WINDOW_BYTES) => audience.fall_behind(conn),
                (true, true, _) | (false, ..) => {}
            }
        }
        audience.cursor = last;
        for (entry, readers) in entries.iter().zip(readers) {
            self.broadcast(turn, log, entry, readers);
        }
        for conn in over {
            self.stop_listening(conn, log);
        }
    }

    /// Whoever reads a generation of this channel reads it no longer.
    pub(crate) fn drop_readers(&mut self, channel: &ChannelId) {
        let logs = self.channels.audiences.range((*channel, 0)..=(*channel, u32::MAX)).map(|(log, _)| *log);
        for log in logs.collect::<Vec<_>>() {
            self.drop_audience(log);
        }
    }

    fn drop_audience(&mut self, log: Log) {
        let Some(audience) = self.channels.audiences.get(&log) else { return };
        for conn in audience.listeners.keys().copied().collect::<Vec<_>>() {
            self.stop_listening(conn, log);
        }
    }
}

impl Channels {
    /// Puts a generation in the queue where somebody waits for a page of it.
    fn wants_page(&mut self, log: Log) {
        let Some(audience) = self.audiences.get_mut(&log) else { return };
        if !audience.turns && !audience.behind.is_empty() {
            audience.turns = true;
            self.hungry.push_back(log);
        }
    }
}

/// Counts an entry as sent where it fits the connection's window.
fn send(connection: &mut Connection, listener: &mut Listener, entry: &StoredEntry) -> bool {
    let fits = connection.entries.fits(entry.entry.len(), DELIVERY_WINDOW_BYTES);
    if fits {
        connection.entries.add(entry.entry.len());
        listener.send(entry.seq, entry.entry.len());
    }
    fits
}

fn encode(log: Log, entry: &StoredEntry) -> Bytes {
    let (channel, generation) = log;
    let StoredEntry { seq, id, entry, ends } = entry;
    let frame = ChannelEntry { channel, generation, seq: *seq, id: *id, entry: entry.to_vec(), ends: *ends };
    RelayFrame::Entry(frame).encode().into()
}
