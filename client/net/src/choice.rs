//! Which transport is dialled next: a WebSocket, and long poll on networks on which no WebSocket lives.
//!
//! ```text
//!              refused though the relay was reached, or two young deaths in a row
//!  WebSocket ─────────────────────────────────────────────────────────────────────► long poll
//!      ▲                                                                               │
//!      └── a trial WebSocket lived: after 10 min, doubling to 4 h, or on another network ─┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

use crate::{NetError, Transport};

/// Young deaths in a row after which a WebSocket is not dialled again at once.
const YOUNG_DEATHS_MAX: u32 = 2;

/// The times by which a task goes; tests have their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// A proven connection that stood this long forgets the failures before it, and a trial that lived this long is used.
    pub(crate) lasted: Duration,
    /// How long the proof of who the relay is may take.
    pub(crate) proof: Duration,
    /// How long long poll is used before a WebSocket is tried again; it doubles with each trial that fails.
    pub(crate) trial: Duration,
    /// The longest that can grow to.
    pub(crate) trial_max: Duration,
    /// How long a sign of life may take after the clock jumped: then the connection is likelier dead than slow.
    pub(crate) woken: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lasted: Duration::from_secs(5),
            proof: Duration::from_secs(20),
            trial: Duration::from_secs(600),
            trial_max: Duration::from_secs(4 * 3_600),
            woken: Duration::from_secs(6),
        }
    }
}

/// What was learnt about the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pace: Pace,
    young_deaths: u32,
    /// While long poll is used: when a WebSocket is tried, and how long that was waited for.
    trial: Option<(Instant, Duration)>,
}

impl Choice {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, young_deaths: 0, trial: None }
    }

    /// What to dial now.
    pub(crate) fn next(&self, now: Instant) -> Transport {
        match self.trial {
            Some((at, _)) if now < at => Transport::LongPoll,
            Some(_) | None => Transport::WebSocket,
        }
    }

    /// When a WebSocket is tried beside the long poll.
    pub(crate) fn trial_at(&self) -> Option<Instant> {
        self.trial.map(|(at, _)| at)
    }

    /// The network may be another one: a WebSocket may live there.
    pub(crate) fn forget_waits(&mut self, now: Instant) {
        if let Some((at, waited)) = &mut self.trial {
            (*at, *waited) = (now, Duration::ZERO);
        }
    }

    /// No WebSocket lives here, but long poll may.
    pub(crate) fn use_long_poll(&mut self, now: Instant) {
        let waited = self.trial.map_or(Duration::ZERO, |(_, waited)| waited);
        let wait = (waited * 2).clamp(self.pace.trial, self.pace.trial_max);
        self.trial = Some((now + wait, wait));
    }

    /// A connection has ended after this long.
    pub(crate) fn ended(&mut self, transport: Transport, stood: Duration, reason: &NetError, now: Instant) {
        if transport == Transport::LongPoll {
            return;
        }
        if stood >= self.pace.lasted {
            self.use_web_socket();
        } else if matches!(reason, NetError::Ended | NetError::Silent) {
            self.young_deaths += 1;
            if self.young_deaths >= YOUNG_DEATHS_MAX || self.trial.is_some() {
                self.use_long_poll(now);
            }
        }
    }

    /// A WebSocket lives.
    pub(crate) const fn use_web_socket(&mut self) {
        self.young_deaths = 0;
        self.trial = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn young(choice: &mut Choice, now: Instant) {
        choice.ended(Transport::WebSocket, Duration::from_secs(2), &NetError::Ended, now);
    }

    #[test]
    fn two_young_deaths_in_a_row_lead_to_long_poll() {
        let now = Instant::now();
        let mut choice = Choice::new(Pace::default());
        young(&mut choice, now);
        assert_eq!(choice.next(now), Transport::WebSocket);
        choice.ended(Transport::WebSocket, Duration::from_secs(5), &NetError::Ended, now);
        young(&mut choice, now);
        assert_eq!(choice.next(now), Transport::WebSocket);
        young(&mut choice, now);
        assert_eq!(choice.next(now), Transport::LongPoll);
    }

    #[test]
    fn what_we_closed_or_an_overload_says_nothing_of_the_network() {
        let now = Instant::now();
        let mut choice = Choice::new(Pace::default());
        for reason in [NetError::ClosedHere, NetError::Overloaded { retry_after_secs: 5 }] {
            for _ in 0..4 {
                choice.ended(Transport::WebSocket, Duration::ZERO, &reason, now);
            }
        }
        assert_eq!(choice.next(now), Transport::WebSocket);
    }

    #[test]
    fn trials_come_ever_more_rarely_until_the_network_is_another() {
        let pace = Pace::default();
        let mut now = Instant::now();
        let mut choice = Choice::new(pace);
        let mut waits = vec![];
        for _ in 0..8 {
            choice.use_long_poll(now);
            let at = choice.trial_at().unwrap();
            waits.push(at - now);
            assert_eq!(choice.next(at - Duration::from_millis(1)), Transport::LongPoll);
            assert_eq!(choice.next(at), Transport::WebSocket);
            now = at;
        }
        assert_eq!(waits[..3], [pace.trial, pace.trial * 2, pace.trial * 4]);
        assert_eq!(waits[7], pace.trial_max);
        choice.use_long_poll(now);
        choice.forget_waits(now);
        assert_eq!(choice.next(now), Transport::WebSocket);
        young(&mut choice, now);
        assert_eq!(choice.trial_at(), Some(now + pace.trial), "one young death tells that it is no better here");
    }
}
