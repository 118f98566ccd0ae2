//! What is turned away when there is too much to do: first `create`, then `send`, then `subscribe`. Delivery and `ack` never,
//! for they are what empties the relay.
//!
//! Three things press: operations that wait for the store, the disk, and the memory of this process. The one that presses
//! hardest decides. Whoever is turned away is told to come back the later the harder it presses, each at another moment, so
//! that they do not all come at once.

use super::{Core, Turn};

/// Seconds after which a client that was turned away may try again, where nothing says more.
pub(crate) const BUSY_RETRY_SECS: u32 = 2;
/// The most seconds that are told, before what is added by chance.
const RETRY_SECS_MAX: u32 = 60;
/// What a low disk tells: it is mended by readers, or by the host.
const DISK_RETRY_SECS: u32 = 30;

/// When work is turned away.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Beyond this many storage operations that wait, no new mailboxes or bundles.
    pub create_max: usize,
    /// Beyond this many, no envelopes.
    pub send_max: usize,
    /// Beyond this many payload bytes that wait, no envelopes.
    pub send_bytes_max: usize,
    /// Beyond this many, no new subscriptions.
    pub subscribe_max: usize,
    /// Beyond so many thousandths of the memory this process may use, no new mailboxes or bundles.
    pub create_memory_max: u32,
    /// Beyond so many, no envelopes.
    pub send_memory_max: u32,
    /// Beyond so many, no new subscriptions.
    pub subscribe_memory_max: u32,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            create_max: 4_096,
            send_max: 8_192,
            send_bytes_max: 64 * 1024 * 1024,
            subscribe_max: 16_384,
            create_memory_max: 800,
            send_memory_max: 900,
            subscribe_memory_max: 1_000,
        }
    }
}

/// What presses from outside the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// The disk is nearly full.
    pub disk_low: bool,
    /// Memory in use, of what this process may use.
    pub memory_thousandths: u32,
}

/// How often work was turned away for pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// New mailboxes and bundles.
    pub creates: u64,
    /// Envelopes.
    pub sends: u64,
    /// Subscriptions.
    pub subscribes: u64,
}

/// What asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Create,
    Send,
    Subscribe,
}

impl Pressure {
    pub(super) const NONE: Self = Self { disk_low: false, memory_thousandths: 0 };
}

impl Shed {
    pub(super) const NONE: Self = Self { creates: 0, sends: 0, subscribes: 0 };

    const fn count(&mut self, work: Work) {
        match work {
            Work::Create => self.creates += 1,
            Work::Send => self.sends += 1,
            Work::Subscribe => self.subscribes += 1,
        }
    }
}

impl Core {
    /// Lets work in.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn admit(&mut self, turn: &mut Turn<'_>, work: Work) -> Result<(), u32> {
        let least_secs = self.retry_secs(work);
        if least_secs == 0 {
            return Ok(());
        }
        self.shed.count(work);
        // Up to twice as late: who was turned away at the same moment does not come back at the same moment.
        Err(least_secs + turn.rng.next_u32() % (least_secs + 1))
    }

    /// Whether this work would be turned away now.
    pub(super) fn turns_away(&self, work: Work) -> bool {
        self.retry_secs(work) > 0
    }

    /// How long this work must wait at least; 0 where it need not.
    fn retry_secs(&self, work: Work) -> u32 {
        let Pressure { disk_low, memory_thousandths } = self.pressure;
        let config = &self.config.admission;
        let (ops_max, memory_max) = match work {
            Work::Create => (config.create_max, config.create_memory_max),
            Work::Send => (config.send_max, config.send_memory_max),
            Work::Subscribe => (config.subscribe_max, config.subscribe_memory_max),
        };
        let stores = matches!(work, Work::Create | Work::Send);
        let by_disk = if stores && disk_low { DISK_RETRY_SECS } else { 0 };
        let by_ops = load_secs(self.awaiting.len(), ops_max);
        let by_bytes = if work == Work::Send { load_secs(self.awaiting_bytes, config.send_bytes_max) } else { 0 };
        by_disk.max(by_ops).max(by_bytes).max(memory_secs(memory_thousandths, memory_max))
    }
}

/// What waits drains in seconds: twice the bound, twice as long.
fn load_secs(waiting: usize, max: usize) -> u32 {
    if waiting < max {
        return 0;
    }
    let times = u32::try_from(waiting / max.max(1)).unwrap_or(u32::MAX);
    BUSY_RETRY_SECS.saturating_mul(times.max(1)).min(RETRY_SECS_MAX)
}

/// Memory comes back slowly: a second more for each two thousandths beyond.
fn memory_secs(thousandths: u32, max: u32) -> u32 {
    if thousandths < max { 0 } else { (5 + (thousandths - max) / 2).min(RETRY_SECS_MAX) }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Answer, Command, Subscribe};

    use super::*;
    use crate::{
        command::testing::{House, Owner, envelope_id},
        core::{Config, Conn},
    };

    /// Bob with a reader, and Alice.
    fn house() -> (House, Owner, Conn, Conn) {
        let (mut house, bob) = (House::new(), Owner::new(1));
        let (reading, alice) = (house.reader(&bob), house.greeted());
        (house, bob, reading, alice)
    }

    fn is_busy(answer: &Answer) -> bool {
        matches!(answer, Answer::Busy { .. })
    }

    #[test]
    fn as_memory_runs_out_mailboxes_go_first_then_sends_then_subscriptions_and_acks_never() {
        for (thousandths, busy) in [
            (0, [false; 3]),
            (799, [false; 3]),
            (800, [true, false, false]),
            (900, [true, true, false]),
            (1_000, [true, true, true]),
            (1_500, [true, true, true]),
        ] {
            let (mut house, bob, reading, alice) = house();
            assert_eq!(house.ask(alice, bob.send(1)), Answer::Done);
            house.core.set_memory_used(thousandths);
            let create = house.ask(alice, Owner::new(2).create());
            let send = house.ask(alice, bob.send(2));
            let entry = bob.subscription(&house, reading, Some([1; 16]), [1; 16]);
            let subscribe = house.ask(reading, Command::Subscribe(Subscribe { mailboxes: vec![entry] }));
            assert_eq!([create, send, subscribe].map(|answer| is_busy(&answer)), busy, "{thousandths}");
            let shed = Shed { creates: busy[0].into(), sends: busy[1].into(), subscribes: busy[2].into() };
            assert_eq!(house.core.shed(), shed);
            assert!(house.delivered(reading).contains(&envelope_id(1)));
            assert_eq!(house.ask(reading, bob.ack(&[envelope_id(1)])), Answer::Done);
        }
    }

    #[test]
    fn the_harder_it_presses_the_later_and_not_all_at_once() {
        let (mut house, bob, _, alice) = house();
        let mut least_before = 0;
        for thousandths in [900, 940, 980, 2_000] {
            house.core.set_memory_used(thousandths);
            let mut told = vec![];
            for id in 0..200 {
                let Answer::Busy { retry_after_secs } = house.ask(alice, bob.send(id)) else { panic!("let in") };
                told.push(retry_after_secs);
            }
            let (least, most) = (told.iter().min().copied().unwrap(), told.iter().max().copied().unwrap());
            assert!(least > least_before, "{least} after {least_before}");
            assert!(least <= RETRY_SECS_MAX + 5 && most > least && most <= 2 * RETRY_SECS_MAX, "{least} to {most}");
            least_before = least;
        }
        house.core.set_memory_used(0);
        assert_eq!(house.ask(alice, bob.send(1_000)), Answer::Done);
    }

    #[test]
    fn what_waits_tells_how_long() {
        assert_eq!([0, 99, 100, 199, 200, 1_000_000].map(|waiting| load_secs(waiting, 100)), [0, 0, 2, 2, 4, 60]);
        assert_eq!(load_secs(0, 0), 2, "a bound of nothing lets nothing in");
        assert_eq!([899, 900, 950, 1_000, 9_000].map(|used| memory_secs(used, 900)), [0, 5, 30, 55, 60]);
        let admission = Config::default().admission;
        assert!(admission.create_max < admission.send_max && admission.send_max < admission.subscribe_max);
    }
}
