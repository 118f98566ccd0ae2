//! The readers of one generation: how far each is, and who waits for what the store holds.
//!
//! ```text
//!           a page goes to all who wait for some of it        nothing beyond
//!  Behind ──────────────────────────────────────────────────────────────────► Level ──┐ a fresh entry goes to
//!     ▲                        │                                                │ ▲───┘ all of them at once
//!     │ the window opens       ▼                                                │
//!     └────────────────────  Full  ◄───────────────────────────────────────────┘
//!                                          no room in the window
//! ```

use std::collections::{BTreeMap, BTreeSet};

use sotto_outer::{ReadHash, limits::ENTRY_BYTES_MAX};

use crate::core::Conn;

/// All who read one generation of a channel.
#[derive(Debug)]
pub(crate) struct Audience {
    /// What all of them have shown.
    pub(crate) read_hash: ReadHash,
    pub(crate) listeners: BTreeMap<Conn, Listener>,
    /// Those behind whose windows are open, by what they were sent last.
    pub(crate) behind: BTreeSet<(u64, Conn)>,
    /// Where the next page begins, if somebody waits there or beyond: pages go through the log as a lift through a house.
    pub(crate) cursor: u64,
    /// Whether a page is being read, or is to be.
    pub(crate) turns: bool,
}

/// One reader. There may be very many: it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The last entry that is safe with the reader.
    after: u64,
    /// The last entry that was sent.
    sent: u64,
    /// Entries between the two, and their bytes; at least.
    entries: u32,
    bytes: u32,
    pub(crate) level: bool,
}

/// What a confirmation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// So many entries and bytes are on their way no more.
    Released { entries: usize, bytes: usize },
    /// It asks for what it confirmed before: it begins anew.
    Rewound,
}

impl Audience {
    pub(crate) const fn new(read_hash: ReadHash) -> Self {
        Self { read_hash, listeners: BTreeMap::new(), behind: BTreeSet::new(), cursor: 0, turns: false }
    }

    /// Whom the next page is read for first.
    pub(crate) fn next_behind(&self) -> Option<(u64, Conn)> {
        self.behind.range((self.cursor, Conn(0))..).next().or_else(|| self.behind.first()).copied()
    }

    /// Notes that a listener waits for what the store holds.
    pub(crate) fn fall_behind(&mut self, conn: Conn) {
        let Some(listener) = self.listeners.get_mut(&conn) else { return };
        listener.level = false;
        self.behind.insert((listener.sent, conn));
    }

    /// Forgets a listener; what was on its way to it is no more.
    pub(crate) fn remove(&mut self, conn: Conn) -> Option<Listener> {
        let listener = self.listeners.remove(&conn)?;
        self.behind.remove(&(listener.sent, conn));
        Some(listener)
    }
}

impl Listener {
    pub(crate) const fn new(after: u64, level: bool) -> Self {
        Self { after, sent: after, entries: 0, bytes: 0, level }
    }

    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Entries and bytes on their way.
    pub(crate) const fn in_flight(&self) -> (usize, usize) {
        (self.entries as usize, self.bytes as usize)
    }

    /// Notes an entry as sent.
    pub(crate) const fn send(&mut self, seq: u64, bytes: usize) {
        self.sent = seq;
        self.entries += 1;
        self.bytes += bytes as u32;
    }

    /// Everything up to `after` is safe with the reader. How large each entry was is forgotten, so what remains is counted with
    /// the most that it may be; whoever confirms all that came sets it right.
    pub(crate) fn confirm(&mut self, after: u64) -> Confirmed {
        if after < self.after {
            return Confirmed::Rewound;
        }
        self.after = after;
        self.sent = self.sent.max(after);
        let beyond = u32::try_from(self.sent - after).unwrap_or(u32::MAX);
        let (entries, bytes) = (self.entries, self.bytes);
        self.entries = entries.min(beyond);
        self.bytes = bytes.min(self.entries.saturating_mul(ENTRY_BYTES_MAX as u32));
        Confirmed::Released { entries: (entries - self.entries) as usize, bytes: (bytes - self.bytes) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_confirms_each_64_entries_always_has_room() {
        let mut listener = Listener::new(0, true);
        let (mut entries, mut bytes, mut seq) = (0, 0, 0);
        for _ in 0..10 {
            while entries < 128 && bytes + ENTRY_BYTES_MAX <= 4 * 1024 * 1024 {
                seq += 1;
                listener.send(seq, ENTRY_BYTES_MAX);
                (entries, bytes) = listener.in_flight();
            }
            assert!(seq % 64 == 0, "64 of the largest fill the window");
            listener.confirm(seq - 63);
            (entries, bytes) = listener.in_flight();
            assert_eq!((entries, bytes), (63, 63 * ENTRY_BYTES_MAX));
            listener.confirm(seq);
            (entries, bytes) = listener.in_flight();
            assert_eq!((entries, bytes), (0, 0));
        }
    }

    #[test]
    fn a_lift_goes_up_and_begins_below_again() {
        let mut audience = Audience::new([0; 32].into());
        for (conn, after) in [(1, 5), (2, 70), (3, 70)] {
            audience.listeners.insert(Conn(conn), Listener::new(after, false));
            audience.fall_behind(Conn(conn));
        }
        audience.cursor = 60;
        assert_eq!(audience.next_behind(), Some((70, Conn(2))));
        audience.cursor = 100;
        assert_eq!(audience.next_behind(), Some((5, Conn(1))));
        audience.remove(Conn(1));
        assert_eq!(audience.next_behind(), Some((70, Conn(2))));
    }
}
