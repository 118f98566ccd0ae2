//! Work that is asked for what anyone may do: write to a stranger's contact mailbox, fetch a bundle, create, be given tokens.
//! What is asked of senders and fetchers rises while many come.

use sotto_outer::{Proof, WorkBits, work::Purpose};

use super::{Conn, Core};
use crate::{access, time::Timestamp};

/// The most bits that a rush adds.
const RISE_BITS_MAX: u8 = 6;

/// Leading zero bits asked while it is calm; 0: none, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toll {
    /// To send to a contact mailbox.
    pub send: u8,
    /// To fetch a bundle.
    pub fetch: u8,
    /// To create a mailbox.
    pub create: u8,
    /// To be given tokens where admission is open.
    pub token: u8,
    /// So many good proofs a minute are calm; with each doubling one bit more is asked.
    pub calm_a_minute: u32,
}

impl Toll {
    /// Nothing is asked.
    pub const NONE: Self = Self { send: 0, fetch: 0, create: 0, token: 0, calm_a_minute: 600 };
}

/// How many did what they worked for in this minute and in the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rush {
    minute: u64,
    now: u32,
    before: u32,
}

impl Rush {
    pub(crate) const NONE: Self = Self { minute: 0, now: 0, before: 0 };

    /// One more came.
    pub(crate) const fn count(&mut self, now: Timestamp) {
        self.turn(now);
        self.now = self.now.saturating_add(1);
    }

    /// What is asked now, where `calm` bits are asked while it is calm.
    pub(crate) const fn bits(mut self, now: Timestamp, calm: u8, calm_a_minute: u32) -> u8 {
        if calm == 0 {
            return 0;
        }
        self.turn(now);
        let most = if self.now > self.before { self.now } else { self.before };
        let (mut bits, mut calm_for) = (calm, calm_a_minute as u64);
        while most as u64 > calm_for && bits < calm.saturating_add(RISE_BITS_MAX) {
            bits += 1;
            calm_for *= 2;
        }
        bits
    }

    const fn turn(&mut self, now: Timestamp) {
        let minute = now.as_millis() / 60_000;
        if minute != self.minute {
            self.before = if minute == self.minute + 1 { self.now } else { 0 };
            self.now = 0;
            self.minute = minute;
        }
    }
}

impl Core {
    /// What `info` tells of the work asked now.
    pub(crate) fn work_bits(&self, now: Timestamp) -> WorkBits {
        let Toll { send, fetch, create, token: _, calm_a_minute } = self.config.toll;
        WorkBits {
            send: self.send_rush.bits(now, send, calm_a_minute),
            fetch: self.fetch_rush.bits(now, fetch, calm_a_minute),
            create,
        }
    }

    /// Bits of work that are still owed for this; none where the proof shows them, or none is asked.
    ///
    /// What is bound to no id that makes a repeat harmless needs a greater counter each time on a connection, so that each fetch
    /// is worked for.
    pub(crate) fn owed(&mut self, now: Timestamp, conn: Conn, purpose: &Purpose, proof: Option<&Proof>) -> Option<u8> {
        let work = self.work_bits(now);
        let asked = match purpose {
            Purpose::Send(..) => work.send,
            Purpose::Fetch(_) => work.fetch,
            Purpose::Create(_) => work.create,
            Purpose::Token(_) => self.config.toll.token,
        };
        if asked == 0 {
            return None;
        }
        let owed = Some(asked);
        let (Some(proof), Some(connection)) = (proof, self.connections.get_mut(&conn)) else { return owed };
        let counter = u64::from_be_bytes(*proof.as_bytes());
        let is_once = matches!(purpose, Purpose::Fetch(_) | Purpose::Token(_));
        let is_used = is_once && connection.proof_counter.is_some_and(|used| counter <= used);
        if is_used || access::shown_bits(self.identity.public(), &connection.nonce, purpose, proof) < asked {
            return owed;
        }
        if is_once {
            connection.proof_counter = Some(counter);
        }
        None
    }

    /// An envelope was stored that a good proof came with. Not before: the same proof shown again and again stores one.
    pub(crate) const fn count_worked_send(&mut self, now: Timestamp) {
        self.send_rush.count(now);
    }

    /// A bundle was handed out for a good proof.
    pub(crate) const fn count_worked_fetch(&mut self, now: Timestamp) {
        self.fetch_rush.count(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u32 = 60;

    #[test]
    fn each_doubling_over_calm_asks_one_bit_more_up_to_six() {
        let start = Timestamp::from_millis(60_000_000);
        let mut rush = Rush::default();
        let mut seen = vec![];
        for count in 1..=2_000_u32 {
            rush.count(start);
            let bits = rush.bits(start, 14, 10);
            if seen.last().is_none_or(|(_, last)| *last != bits) {
                seen.push((count, bits));
            }
        }
        assert_eq!(seen, [(1, 14), (11, 15), (21, 16), (41, 17), (81, 18), (161, 19), (321, 20)]);
    }

    #[test]
    fn a_rush_is_remembered_for_a_minute_and_then_forgotten() {
        let start = Timestamp::from_millis(60_000_000);
        let mut rush = Rush::default();
        for _ in 0..20 {
            rush.count(start);
        }
        assert_eq!(rush.bits(start, 14, 10), 15);
        assert_eq!(rush.bits(start.plus_secs(MINUTE), 14, 10), 15);
        assert_eq!(rush.bits(start.plus_secs(2 * MINUTE), 14, 10), 14);
    }

    #[test]
    fn where_none_is_asked_a_rush_asks_none() {
        let start = Timestamp::from_millis(60_000_000);
        let mut rush = Rush::default();
        for _ in 0..100 {
            rush.count(start);
        }
        assert_eq!(rush.bits(start, 0, 10), 0);
    }
}
