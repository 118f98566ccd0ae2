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
mod tests {
    use sotto_outer::{Answer, Command, Fetch, RelayFrame};
    use tokio::task::JoinHandle;

    use super::{super::outbox::Posted, *};

    /// A connection, with the test in the place of the door and of the hub.
    struct House {
        polls: mpsc::Sender<Asked>,
        events: mpsc::Receiver<Event>,
        seen: Vec<u32>,
        outbox: queue::Sender<Outgoing>,
        drain: watch::Sender<bool>,
        session: JoinHandle<()>,
    }

    impl House {
        async fn new() -> Self {
            Self::with(LongPoll::default()).await
        }

        async fn with(settings: LongPoll) -> Self {
            let (polls, asked) = mpsc::channel(4);
            let (sender, mut events) = mpsc::channel(1_024);
            let (drain, draining) = watch::channel(false);
            let mut session = Session::new(Conn(1), sender, draining, asked, settings);
            let session = tokio::spawn(async move { session.run().await });
            let Some(Event::Opened(_, outbox, _)) = events.recv().await else { panic!("not opened") };
            let house = Self { polls, events, seen: vec![], outbox, drain, session };
            // Where the connection ends at once it may end before.
            let opened = house.answer(0, vec![]).await;
            assert!(opened == Some(vec![]) || settings.idle.min(settings.unused) < Duration::from_secs(1));
            house
        }

        async fn ask(&self, number: u32, frames: Vec<Vec<u8>>, last: bool) -> oneshot::Receiver<Told> {
            let (answer, told) = oneshot::channel();
            let frames = frames.into_iter().map(Into::into).collect();
            let _over = self.polls.send(Asked { number, frames, last, answer }).await;
            told
        }

        /// Asks, and gives the frames of the answer; none, where there is none.
        async fn answer(&self, number: u32, frames: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
            let told = self.ask(number, frames, false).await;
            frames_of(told, number).await
        }

        /// The requests that the core has got; what is no frame counts as request 0.
        fn requests(&mut self) -> Vec<u32> {
            while let Ok(event) = self.events.try_recv() {
                self.take(&event);
            }
            self.seen.clone()
        }

        fn take(&mut self, event: &Event) {
            match event {
                Event::Frame(_, frame) => self.seen.push(frame.request),
                Event::Malformed(_) => self.seen.push(0),
                Event::Opened(..)
                | Event::From(..)
                | Event::OpenedByForward(..)
                | Event::Forwarded(..)
                | Event::Bound(..)
                | Event::Closed(_)
                | Event::Pulse(_)
                | Event::Host(..) => {}
            }
        }

        /// Answers a request once the core has it.
        async fn tell(&mut self, request: u32) {
            while !self.seen.contains(&request) {
                let event = self.events.recv().await.unwrap();
                self.take(&event);
            }
            let outgoing = Outgoing::Frame(Posted::for_a_test(done(request)));
            post(&self.outbox, outgoing);
        }
    }

    fn post(outbox: &queue::Sender<Outgoing>, outgoing: Outgoing) {
        assert_eq!(outbox.push(outgoing), Ok(()));
        outbox.wake();
    }

    async fn frames_of(told: oneshot::Receiver<Told>, number: u32) -> Option<Vec<Vec<u8>>> {
        let Ok(Told::Answer(bytes)) = told.await else { return None };
        let answer = PollAnswer::decode(&bytes).unwrap();
        assert_eq!(answer.number, number);
        Some(answer.frames.into_iter().map(Vec::from).collect())
    }

    fn done(request: u32) -> RelayFrame {
        RelayFrame::Answer { request, answer: Answer::Done }
    }

    fn fetch(request: u32) -> Vec<u8> {
        let command = Command::Fetch(Fetch { bundle: [1; 16].into(), proof: None });
        ClientFrame { request, command }.encode()
    }

    #[tokio::test]
    async fn a_poll_asked_again_gets_the_same_answer_and_does_nothing_twice() {
        let mut house = House::new().await;
        let lost = house.ask(1, vec![fetch(1)], false).await;
        let again = house.ask(1, vec![fetch(1)], false).await;
        house.tell(1).await;
        assert!(matches!(lost.await, Ok(Told::OutOfTurn)));
        assert_eq!(frames_of(again, 1).await, Some(vec![done(1).encode()]));
        assert_eq!(house.answer(1, vec![fetch(1)]).await, Some(vec![done(1).encode()]));
        assert_eq!(house.requests(), [1]);
        assert_eq!(house.answer(0, vec![]).await, Some(vec![]), "kept until poll 2");
    }

    #[tokio::test]
    async fn the_next_poll_makes_the_hanging_one_return() {
        let mut house = House::new().await;
        let hanging = house.ask(1, vec![], false).await;
        let next = house.ask(2, vec![fetch(7)], false).await;
        assert_eq!(frames_of(hanging, 1).await, Some(vec![]));
        house.tell(7).await;
        assert_eq!(frames_of(next, 2).await, Some(vec![done(7).encode()]));
        assert_eq!(house.requests(), [7]);
        assert_eq!(house.answer(0, vec![]).await, None, "poll 2 says that answer 0 has come");
    }

    #[tokio::test]
    async fn polls_are_taken_in_the_order_of_their_numbers() {
        let mut house = House::new().await;
        let second = house.ask(2, vec![fetch(2)], false).await;
        let first = house.ask(1, vec![fetch(1)], false).await;
        assert_eq!(frames_of(first, 1).await, Some(vec![]));
        house.tell(1).await;
        assert_eq!(frames_of(second, 2).await, Some(vec![done(1).encode()]));
        assert_eq!(house.requests(), [1, 2]);
        assert_eq!(house.answer(5, vec![]).await, None, "more than two on their way");
    }

    #[tokio::test]
    async fn a_poll_that_hung_long_enough_is_answered_with_nothing() {
        let house = House::with(LongPoll { hang: Duration::ZERO, ..LongPoll::default() }).await;
        assert_eq!(house.answer(1, vec![fetch(1)]).await, Some(vec![]));
    }

    #[tokio::test]
    async fn too_long_without_a_poll_is_the_end() {
        let mut house = House::with(LongPoll { idle: Duration::from_millis(1), ..LongPoll::default() }).await;
        house.session.await.unwrap();
        assert!(matches!(house.events.recv().await, Some(Event::Closed(Conn(1)))));
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_was_ever_said_ends_soon() {
        let settings = LongPoll { unused: Duration::from_millis(1), hang: Duration::ZERO, ..LongPoll::default() };
        House::with(settings).await.session.await.unwrap();
        let mut session = unlinked(settings);
        assert_eq!(session.idle_at(), session.last_poll + settings.unused);
        let answer = oneshot::channel().0;
        session.ask(Asked { number: 0, frames: vec![fetch(1).into()], last: false, answer });
        assert!(session.take(Instant::now()));
        assert_eq!(session.idle_at(), session.last_poll + settings.idle);
    }

    #[tokio::test]
    async fn whoever_gives_way_is_gone() {
        let (polls, asked) = mpsc::channel(4);
        let (sender, mut events) = mpsc::channel(8);
        let (_drain, draining) = watch::channel(false);
        let mut session = Session::new(Conn(1), sender, draining, asked, LongPoll::default());
        session.give_way().notify_one();
        session.run().await;
        assert!(matches!(events.recv().await, Some(Event::Opened(..))));
        assert!(matches!(events.recv().await, Some(Event::Closed(Conn(1)))));
        drop(polls);
    }

    #[tokio::test]
    async fn an_answer_is_not_given_again_without_end_and_keeps_no_connection() {
        let settings = LongPoll { hang: Duration::ZERO, ..LongPoll::default() };
        let house = House::with(settings).await;
        let first = house.answer(1, vec![]).await;
        assert_eq!(first, Some(vec![]));
        for _ in 0..REPEATS_MAX {
            assert_eq!(house.answer(1, vec![]).await, first);
        }
        assert!(matches!(house.ask(1, vec![], false).await.await, Ok(Told::OutOfTurn)));
    }

    #[tokio::test]
    async fn polls_that_were_asked_before_keep_no_connection() {
        let mut session = unlinked(LongPoll::default());
        let before = Instant::now() - Duration::from_secs(30);
        let ask = |session: &mut Session, number| {
            session.last_poll = before;
            let answer = oneshot::channel().0;
            session.ask(Asked { number, frames: vec![], last: false, answer });
            session.last_poll != before
        };
        assert!(ask(&mut session, 0));
        assert!(!ask(&mut session, 0), "it is parked");
        assert!(session.take(Instant::now()));
        assert!(!ask(&mut session, 0), "it is open");
        session.answer();
        assert!(!ask(&mut session, 0), "its answer is kept");
        assert!(ask(&mut session, 1));
    }

    #[tokio::test]
    async fn who_makes_answers_press_brings_no_frames_without_end() {
        let mut session = unlinked(LongPoll::default());
        session.unanswered = UNANSWERED_MAX;
        for number in 0..8 {
            // Answers press, and each poll brings as much as it may.
            session.ready = Ready { frames: vec![], bytes: poll_bytes(), counted: None };
            let frames = vec![FrameBytes::from(fetch(1)); POLL_FRAMES_MAX];
            session.ask(Asked { number, frames, last: false, answer: oneshot::channel().0 });
            if session.settle().is_err() {
                break;
            }
            assert!(session.untaken.len() <= POLL_FRAMES_MAX * 2);
            session.open = None;
        }
        assert!(session.untaken.len() <= POLL_FRAMES_MAX * 2);
        assert!(session.is_stuck());
    }

    fn poll_bytes() -> usize {
        sotto_outer::limits::POLL_BYTES_MAX
    }

    /// A session that nobody runs.
    fn unlinked(settings: LongPoll) -> Session {
        Session::new(Conn(1), mpsc::channel(8).0, watch::channel(false).1, mpsc::channel(4).1, settings)
    }

    #[tokio::test]
    async fn the_last_poll_is_answered_whole_and_ends_the_connection() {
        let mut house = House::new().await;
        let last = house.ask(1, vec![fetch(1), fetch(2)], true).await;
        house.tell(1).await;
        house.tell(2).await;
        assert_eq!(frames_of(last, 1).await, Some(vec![done(1).encode(), done(2).encode()]));
        house.session.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_frame_is_told_and_ends_the_connection() {
        let mut house = House::new().await;
        let told = house.ask(1, vec![vec![0xff], fetch(1)], false).await;
        house.tell(0).await;
        post(&house.outbox, Outgoing::Close);
        assert_eq!(frames_of(told, 1).await, Some(vec![done(0).encode()]));
        assert_eq!(house.answer(1, vec![]).await, Some(vec![done(0).encode()]), "it may have been lost");
        assert_eq!(house.answer(2, vec![fetch(2)]).await, None);
        assert_eq!(house.requests(), [0]);
        house.session.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_does_not_listen_is_read_no_further() {
        let mut house = House::new().await;
        let frames = |from: u32| (from..from + 200).map(fetch).collect::<Vec<_>>();
        let first = house.ask(1, frames(0), false).await;
        let second = house.ask(2, frames(200), false).await;
        assert_eq!(frames_of(first, 1).await, Some(vec![]));
        tokio::task::yield_now().await;
        let third = house.ask(3, frames(400), false).await;
        assert_eq!(frames_of(second, 2).await, Some(vec![]));
        tokio::task::yield_now().await;
        assert_eq!(house.requests().len(), UNANSWERED_MAX);
        for request in 0..200 {
            house.tell(request).await;
        }
        assert!(frames_of(third, 3).await.is_some());
    }

    #[tokio::test]
    async fn a_relay_that_stops_answers_what_it_was_asked() {
        let mut house = House::new().await;
        let told = house.ask(1, vec![fetch(1)], false).await;
        tokio::task::yield_now().await;
        house.drain.send(true).unwrap();
        tokio::task::yield_now().await;
        house.tell(1).await;
        assert_eq!(frames_of(told, 1).await, Some(vec![done(1).encode()]));
        house.session.await.unwrap();
    }
}
