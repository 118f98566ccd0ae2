//! One client's connection by long poll: polls to frames, and frames to the polls' answers.
//!
//! ```text
//!  poll n ──► parked ──in its turn──► open ──something to tell, poll n + 1, or 25 s──► kept, until poll n + 2
//!                                      └── its frames go to the core, at most 256 unanswered at a time
//! ```
//!
//! A poll is taken once. Asked again it gets the answer that is kept, the same bytes, or waits in the place of its
//! predecessor: so an answer that the network lost is not lost, and no frame is handed to the core twice. What waits is
//! bounded: a poll is taken only when the frames of the one before are with the core, or answers press; a client that lets
//! both pile up is let go. Only a poll that was not asked before keeps the connection, and only frames make it one that stays.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use sotto_outer::{
    ClientFrame, PollAnswer,
    limits::{FRAME_BYTES_MAX, POLL_FRAMES_MAX},
    poll::{self, FrameBytes},
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    LongPoll,
    hub::Event,
    metrics::Via,
    outbox::{Counted, Outgoing},
    queue,
};
use crate::core::{Conn, Origin};

/// Requests of one connection that may be unanswered.
const UNANSWERED_MAX: usize = 256;
/// Frames for one connection that may wait; answers, deliveries and what is told besides fit well.
const OUTGOING_MAX: usize = 1_024;
/// How long a relay that stops keeps answers for a client that has no poll open.
const DRAIN: Duration = Duration::from_secs(1);

/// How often a kept answer is given again.
const REPEATS_MAX: u32 = 64;

/// A poll, and where its answer goes.
pub(super) struct Asked {
    pub(super) number: u32,
    pub(super) frames: Vec<FrameBytes>,
    pub(super) last: bool,
    pub(super) answer: oneshot::Sender<Told>,
}

/// What a poll is told.
pub(super) enum Told {
    /// An encoded [`PollAnswer`].
    Answer(Bytes),
    /// The connection has ended.
    Gone,
    /// The poll's number is none that can be asked now, or the same poll was asked again elsewhere.
    OutOfTurn,
}

/// A client's connection.
pub(super) struct Session {
    conn: Conn,
    events: mpsc::Sender<Event>,
    draining: watch::Receiver<bool>,
    polls: mpsc::Receiver<Asked>,
    settings: LongPoll,
    outgoing: queue::Receiver<Outgoing>,
    unanswered: usize,
    /// The number of the poll that is taken next.
    next: u32,
    /// Polls whose turn has not come: the next one and the one after it.
    parked: BTreeMap<u32, Asked>,
    /// The poll that was taken last, until it is answered.
    open: Option<Open>,
    /// The answers that may be asked for again.
    kept: VecDeque<Kept>,
    /// The client's frames that the core has not got yet.
    untaken: VecDeque<FrameBytes>,
    ready: Ready,
    /// When a poll came that was not asked before.
    last_poll: Instant,
    /// Whether a frame came: until then the connection is short-lived, and the first to give way.
    in_use: Arc<AtomicBool>,
    /// Somebody else needs its room.
    give_way: Arc<Notify>,
    ending: Ending,
    /// Where it comes from, where proxies are trusted to say that.
    origin: Option<Origin>,
}

/// An answer that may be asked for again.
struct Kept {
    number: u32,
    bytes: Bytes,
    repeats: u32,
    /// It takes memory until it is forgotten.
    _counted: Option<Counted>,
}

/// A poll that waits for something to tell.
struct Open {
    number: u32,
    waiter: oneshot::Sender<Told>,
    until: Instant,
}

/// Frames for the next answer.
#[derive(Default)]
struct Ready {
    frames: Vec<FrameBytes>,
    bytes: usize,
    counted: Option<Counted>,
}

/// How far the end is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// The client's last poll came: it ends when its frames are answered.
    LastPoll,
    /// The core has closed the connection: it ends when that is told.
    Closed,
    /// The relay stops: it ends when what was asked is answered, or at this time.
    Draining(Instant),
}

/// The connection is over.
struct Over;

impl Session {
    /// A connection that the hub does not know yet.
    pub(super) fn new(
        conn: Conn,
        events: mpsc::Sender<Event>,
        draining: watch::Receiver<bool>,
        polls: mpsc::Receiver<Asked>,
        settings: LongPoll,
    ) -> Self {
        // Replaced when the hub is told; nothing is sent on it.
        let (_, outgoing) = queue::queue(1);
        Self {
            conn,
            events,
            draining,
            polls,
            settings,
            outgoing,
            unanswered: 0,
            next: 0,
            parked: BTreeMap::new(),
            open: None,
            kept: VecDeque::new(),
            untaken: VecDeque::new(),
            ready: Ready::default(),
            last_poll: Instant::now(),
            in_use: Arc::default(),
            give_way: Arc::default(),
            ending: Ending::No,
            origin: None,
        }
    }

    /// The same from somewhere: where its first poll comes from.
    pub(super) fn from(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// Whether a frame came on it.
    pub(super) fn in_use(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.in_use)
    }

    /// Ends it, when told.
    pub(super) fn give_way(&self) -> Arc<Notify> {
        Arc::clone(&self.give_way)
    }

    /// Carries frames until the connection is over. The polls' receiver is dropped last, by the caller.
    pub(super) async fn run(&mut self) {
        let (outbox, outgoing) = queue::queue(OUTGOING_MAX);
        self.outgoing = outgoing;
        if self.events.send(Event::Opened(self.conn, outbox, Via::LongPoll)).await.is_err() {
            return;
        }
        if let Some(origin) = self.origin
            && self.events.send(Event::From(self.conn, origin)).await.is_err()
        {
            return;
        }
        while let Ok(()) = self.step().await {}
        let _ = self.events.send(Event::Closed(self.conn)).await;
        let waiting = self.open.take().map(|open| open.waiter);
        let parked = std::mem::take(&mut self.parked).into_values().map(|asked| asked.answer);
        for waiter in parked.chain(waiting) {
            let _ = waiter.send(Told::Gone);
        }
    }

    async fn step(&mut self) -> Result<(), Over> {
        self.settle()?;
        let deadline = self.deadline();
        let room = self.ready.has_room();
        let draining = matches!(self.ending, Ending::Draining(_));
        let feeds = !self.untaken.is_empty() && self.unanswered < UNANSWERED_MAX;
        tokio::select! {
            biased;
            outgoing = self.outgoing.recv(), if room => self.gather(outgoing.ok_or(Over)?),
            permit = self.events.clone().reserve_owned(), if feeds => {
                let permit = permit.map_err(|_| Over)?;
                let Some(bytes) = self.untaken.pop_front() else { return Ok(()) };
                self.unanswered += 1;
                match ClientFrame::decode(&bytes) {
                    Ok(frame) => drop(permit.send(Event::Frame(self.conn, frame))),
                    Err(_) => {
                        permit.send(Event::Malformed(self.conn));
                        self.untaken.clear();
                    }
                }
            }
            asked = self.polls.recv() => self.ask(asked.ok_or(Over)?),
            _ = self.draining.changed(), if !draining => {
                self.ending = Ending::Draining(Instant::now() + DRAIN);
                self.untaken.clear();
            }
            () = self.give_way.notified() => return Err(Over),
            () = sleep_until(deadline) => {}
        }
        Ok(())
    }

    /// When the connection ends if no new poll comes, or no frame at all.
    fn idle_at(&self) -> Instant {
        let patience = if self.in_use.load(Ordering::Relaxed) { self.settings.idle } else { self.settings.unused };
        self.last_poll + patience.min(self.settings.idle)
    }

    /// When something is due though nothing happens.
    fn deadline(&self) -> Instant {
        let idle = self.idle_at();
        let hung = self.open.as_ref().map_or(idle, |open| open.until);
        match self.ending {
            Ending::Draining(until) => until.min(idle).min(hung),
            Ending::No | Ending::LastPoll | Ending::Closed => idle.min(hung),
        }
    }

    /// Answers and takes what is due.
    fn settle(&mut self) -> Result<(), Over> {
        let now = Instant::now();
        if now >= self.idle_at() || self.is_stuck() {
            return Err(Over);
        }
        loop {
            if self.is_due(now) {
                self.answer();
            }
            if !self.take(now) {
                break;
            }
        }
        let answered = self.unanswered == 0 && self.untaken.is_empty() && self.outgoing.is_empty();
        let told = self.ready.frames.is_empty();
        match self.ending {
            Ending::Draining(until) if now >= until || (answered && told) => Err(Over),
            Ending::LastPoll if answered => {
                self.answer();
                Err(Over)
            }
            // The answer may have been lost: until the next poll it can be asked for again.
            Ending::Closed if told && self.parked.contains_key(&self.next) => Err(Over),
            Ending::No | Ending::LastPoll | Ending::Closed | Ending::Draining(_) => Ok(()),
        }
    }

    /// Whether the open poll, if there is one, hangs no longer.
    fn is_due(&self, now: Instant) -> bool {
        let Some(open) = &self.open else { return false };
        let waits_for_the_end = self.ending == Ending::LastPoll && self.ready.has_room();
        let told = !self.ready.frames.is_empty() && !waits_for_the_end;
        // The first one is answered at once: it tells the client that this way leads to a relay.
        told || open.number == 0 || now >= open.until || self.parked.contains_key(&self.next)
    }

    /// Whether neither answers nor frames can move though the client asks: it took more than it lets be answered.
    fn is_stuck(&self) -> bool {
        let asked = self.open.is_none() && self.parked.contains_key(&self.next);
        let full = !self.ready.has_room() && self.unanswered >= UNANSWERED_MAX && self.untaken.len() >= POLL_FRAMES_MAX;
        asked && full
    }

    /// Takes the next poll, if it is there and the frames of the one before are out of the way.
    fn take(&mut self, now: Instant) -> bool {
        let free = self.untaken.is_empty() || (!self.ready.has_room() && self.untaken.len() < POLL_FRAMES_MAX);
        let over = self.ending == Ending::Closed && self.ready.frames.is_empty();
        if self.open.is_some() || !free || over {
            return false;
        }
        let Some(Asked { number, frames, last, answer }) = self.parked.remove(&self.next) else { return false };
        // Who asks this one has the answer before the last.
        self.kept.retain(|kept| kept.number.checked_add(1) >= Some(number));
        self.next = number.saturating_add(1);
        self.open = Some(Open { number, waiter: answer, until: now + self.settings.hang });
        if self.ending == Ending::No {
            if !frames.is_empty() {
                self.in_use.store(true, Ordering::Relaxed);
            }
            self.untaken.extend(frames);
            if last {
                self.ending = Ending::LastPoll;
            }
        }
        true
    }

    /// A poll came.
    fn ask(&mut self, asked: Asked) {
        let number = asked.number;
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.number == number) {
            kept.repeats += 1;
            let again = kept.repeats <= REPEATS_MAX;
            let _ = asked.answer.send(if again { Told::Answer(kept.bytes.clone()) } else { Told::OutOfTurn });
        } else if let Some(open) = self.open.as_mut().filter(|open| open.number == number) {
            let before = std::mem::replace(&mut open.waiter, asked.answer);
            let _ = before.send(Told::OutOfTurn);
        } else if number >= self.next && number - self.next <= 1 {
            match self.parked.insert(number, asked) {
                Some(before) => drop(before.answer.send(Told::OutOfTurn)),
                None => self.last_poll = Instant::now(),
            }
        } else {
            let _ = asked.answer.send(Told::OutOfTurn);
        }
    }

    /// Answers the open poll with what is ready.
    fn answer(&mut self) {
        let Some(Open { number, waiter, until: _ }) = self.open.take() else { return };
        let Ready { frames, bytes: _, counted } = std::mem::take(&mut self.ready);
        let bytes = Bytes::from(PollAnswer { number, frames }.encode());
        self.kept.push_back(Kept { number, bytes: bytes.clone(), repeats: 0, _counted: counted });
        // Where nobody waits any more it is kept.
        let _ = waiter.send(Told::Answer(bytes));
    }

    /// Takes what the core has for the client, as much as goes into one answer.
    fn gather(&mut self, first: Outgoing) {
        let mut waiting = Some(first);
        while let Some(outgoing) = waiting {
            match outgoing {
                Outgoing::Frame(posted) => {
                    self.unanswered -= usize::from(posted.is_answer());
                    self.ready.push(posted.encode(), posted.handed_over());
                }
                // A copy of its own, so it counts whole.
                Outgoing::Shared(shared) => {
                    let (frame, mut counted) = (shared.frame.to_vec(), shared.counted);
                    counted.add(frame.len());
                    self.ready.push(frame, counted);
                }
                Outgoing::Close => {
                    self.ending = Ending::Closed;
                    self.untaken.clear();
                }
            }
            waiting = if self.ready.has_room() { self.outgoing.try_recv() } else { None };
        }
    }
}

impl Ready {
    /// Whether any frame fits.
    fn has_room(&self) -> bool {
        poll::fits(self.frames.len(), self.bytes, FRAME_BYTES_MAX)
    }

    fn push(&mut self, frame: Vec<u8>, counted: Counted) {
        self.bytes += frame.len();
        self.frames.push(frame.into());
        match &mut self.counted {
            Some(all) => all.absorb(counted),
            none @ None => *none = Some(counted),
        }
    }
}

#[cfg(test)]
mod tests;
