//! A connection by long poll, with the test in the place of the door and of the hub.

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
