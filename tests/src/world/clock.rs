//! The world's time, and the agenda of what happens when. Time passes only by taking the next thing from the agenda.

use std::collections::BTreeMap;

use sotto_engine::Timestamp;

/// One second, in the clock's milliseconds.
pub const SECOND: u64 = 1_000;
/// One minute.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour.
pub const HOUR: u64 = 60 * MINUTE;
/// One day.
pub const DAY: u64 = 24 * HOUR;

/// 2026-01-01 UTC: when every world begins.
pub(super) const BEGINNING: u64 = 1_767_225_600 * SECOND;

/// A clock with an agenda of `T`. Things of the same millisecond happen in the order in which they were written down.
#[derive(Debug)]
pub struct Clock<T> {
    now: u64,
    written: u64,
    agenda: BTreeMap<(u64, u64), T>,
}

impl<T> Clock<T> {
    /// A clock at the beginning, with nothing on the agenda.
    pub(super) const fn new() -> Self {
        Self { now: BEGINNING, written: 0, agenda: BTreeMap::new() }
    }

    /// Now, in Unix milliseconds.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Now, as engines count it.
    pub const fn timestamp(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Writes something down for so many milliseconds from now.
    pub(super) fn after(&mut self, millis: u64, what: T) {
        self.at(self.now + millis, what);
    }

    /// Writes something down for a time; at once, if that is over.
    pub(super) fn at(&mut self, time: u64, what: T) {
        self.agenda.insert((time.max(self.now), self.written), what);
        self.written += 1;
    }

    /// Takes the next thing that happens up to `until`, and makes it that late. Nothing left: makes it `until`.
    pub(super) fn next(&mut self, until: u64) -> Option<T> {
        match self.agenda.first_entry() {
            Some(entry) if entry.key().0 <= until => {
                self.now = entry.key().0;
                Some(entry.remove())
            }
            _ => {
                self.now = self.now.max(until);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_order_and_time_stands_between_them() {
        let mut clock = Clock::new();
        clock.after(7, "second");
        clock.after(3, "first");
        clock.after(7, "third");
        assert_eq!(clock.next(BEGINNING + 5), Some("first"));
        assert_eq!(clock.next(BEGINNING + 5), None);
        assert_eq!(clock.now(), BEGINNING + 5);
        assert_eq!(clock.next(BEGINNING + 9), Some("second"));
        assert_eq!(clock.next(BEGINNING + 9), Some("third"));
        assert_eq!(clock.now(), BEGINNING + 7);
    }
}
