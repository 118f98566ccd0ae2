//! Networks that misbehave, and what long poll makes of them. The server here keeps the rules of REL-23 and REL-24 and
//! answers each frame with `done`; what the network does to it each test says.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sotto_outer::{Ack, Answer, ClientFrame, Command, Poll, PollAnswer, PollToken, RelayAddress, RelayFrame, Tls};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Notify, mpsc},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;

use crate::{
    Connection, ConnectionNumber, NetError, NetEvent, RelayTask, Route, TaskNumber, Transport, What,
    choice::Pace,
    test_relay::{Peer, TestIdentity, TestRelay},
};

/// What becomes of a WebSocket here.
const REFUSED: usize = 0;
const CUT: usize = 1;
const FINE: usize = 2;

/// A relay that speaks long poll, and the network before it.
struct PollRelay {
    relay: TestRelay,
    web_socket: AtomicUsize,
    /// Every second answer is lost, with its stream, after the poll was taken.
    loses: AtomicBool,
    /// Polls that came, repeats included.
    polls: AtomicUsize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    token: Option<PollToken>,
    next: u32,
    ready: VecDeque<RelayFrame>,
    answers: BTreeMap<u32, Vec<u8>>,
    /// The requests that were taken.
    taken: Vec<u32>,
}

impl PollRelay {
    async fn start(web_socket: usize) -> Arc<Self> {
        Arc::new(Self {
            relay: TestRelay::start().await,
            web_socket: AtomicUsize::new(web_socket),
            loses: AtomicBool::new(false),
            polls: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn address(&self) -> RelayAddress {
        self.relay.address(Tls::Off)
    }

    /// Serves whoever comes, until the test ends.
    fn serve(self: &Arc<Self>) {
        let house = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let stream = house.relay.accept_tcp().await;
                tokio::spawn(Arc::clone(&house).serve_one(stream));
            }
        });
    }

    async fn serve_one(self: Arc<Self>, mut stream: TcpStream) {
        let mut first = [0];
        if stream.peek(&mut first).await.is_err() || first != *b"G" {
            let _lost = self.serve_polls(stream).await;
            return;
        }
        match self.web_socket.load(Ordering::Relaxed) {
            REFUSED => {
                let _head = read_head(&mut stream).await;
                let _lost = stream.write_all(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n").await;
            }
            CUT => drop(accept_async(stream).await),
            _ => {
                let mut peer = Peer(accept_async(stream).await.unwrap());
                while let Some(frame) = peer.receive().await {
                    peer.send(&done(frame.request)).await;
                }
            }
        }
    }

    /// Answers polls on one stream until it is lost.
    async fn serve_polls<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> io::Result<()> {
        loop {
            let poll = read_poll(&mut stream).await?;
            let count = self.polls.fetch_add(1, Ordering::Relaxed);
            let answer = self.answer(poll).await;
            if self.loses.load(Ordering::Relaxed) && count % 2 == 1 {
                return Ok(());
            }
            let (status, body) = match answer {
                Some(body) => ("200 OK", body),
                None => ("410 Gone", vec![]),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
    }

    async fn answer(&self, poll: Poll) -> Option<Vec<u8>> {
        let mut poll = Some(poll);
        loop {
            let changed = self.changed.notified();
            if let Some(answer) = self.step(&mut poll)? {
                return Some(answer);
            }
            changed.await;
        }
    }

    /// Takes the poll in its turn, and gives its answer when there is one; no connection, where it has ended.
    fn step(&self, poll: &mut Option<Poll>) -> Option<Option<Vec<u8>>> {
        let asked = poll.as_mut()?;
        let number = asked.number;
        let mut state = self.state.lock().unwrap();
        if number == 0 && state.token != Some(asked.token) {
            *state = State { token: Some(asked.token), taken: std::mem::take(&mut state.taken), ..State::default() };
        }
        if state.token != Some(asked.token) {
            return None;
        }
        if number == state.next {
            state.next += 1;
            for bytes in asked.frames.drain(..) {
                let request = ClientFrame::decode(&bytes).unwrap().request;
                state.taken.push(request);
                state.ready.push_back(done(request));
            }
            self.changed.notify_waiters();
        }
        assert!(number <= state.next, "more than two polls on their way");
        let due = number == 0 || number + 1 < state.next || !state.ready.is_empty() || asked.last;
        if number < state.next && due && !state.answers.contains_key(&number) {
            let frames = state.ready.drain(..).map(|frame| frame.encode().into()).collect();
            state.answers.insert(number, PollAnswer { number, frames }.encode());
            // Whoever asks n + 1 has n − 1.
            state.answers.retain(|kept, _| kept + 1 >= number);
        }
        Some(state.answers.get(&number).cloned())
    }

    fn taken(&self) -> Vec<u32> {
        self.state.lock().unwrap().taken.clone()
    }
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn read_poll<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Poll> {
    let head = read_head(stream).await?;
    assert!(head.starts_with("POST /v1/frames HTTP/1.1\r\n"), "{head}");
    let len = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; len.unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(Poll::decode(&body).unwrap())
}

fn ask(request: u32) -> ClientFrame {
    ClientFrame { request, command: Command::Ack(Ack { mailbox: [1; 16].into(), ids: vec![[2; 16].into()] }) }
}

fn done(request: u32) -> RelayFrame {
    RelayFrame::Answer { request, answer: Answer::Done }
}

/// Times at which a test need not wait.
pub(crate) const SOON: Pace = Pace {
    lasted: Duration::from_millis(50),
    proof: Duration::from_secs(20),
    trial: Duration::from_millis(20),
    trial_max: Duration::from_millis(20),
    woken: Duration::from_millis(50),
};

fn spawn(pace: Pace, relay: &PollRelay) -> (RelayTask, mpsc::Receiver<NetEvent>) {
    let (sender, events) = mpsc::channel(16);
    (RelayTask::spawn_at(pace, TaskNumber(1), relay.address(), Route::default(), sender), events)
}

async fn connected(events: &mut mpsc::Receiver<NetEvent>) -> ConnectionNumber {
    loop {
        let NetEvent { connection, what, .. } = events.recv().await.unwrap();
        if matches!(what, What::Connected { .. }) {
            return connection;
        }
    }
}

async fn disconnected(events: &mut mpsc::Receiver<NetEvent>) -> NetError {
    loop {
        if let What::Disconnected(reason) = events.recv().await.unwrap().what {
            return reason;
        }
    }
}

/// Asks, and hears that it is done, on this connection.
async fn talk(task: &RelayTask, events: &mut mpsc::Receiver<NetEvent>, on: ConnectionNumber, request: u32) {
    task.transmit(on, ask(request));
    let NetEvent { connection, what, .. } = events.recv().await.unwrap();
    let What::Frame(frame) = what else { panic!("request {request}: {what:?}") };
    assert_eq!((connection, frame), (on, done(request)));
}

#[tokio::test]
async fn a_refused_upgrade_leads_to_long_poll() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    for request in 0..20 {
        talk(&task, &mut events, connection, request).await;
    }
    assert_eq!(relay.taken(), (0..20).collect::<Vec<_>>());
    task.stop().await;
}

#[tokio::test]
async fn web_sockets_that_die_young_lead_to_long_poll() {
    let relay = PollRelay::start(CUT).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    assert_eq!(disconnected(&mut events).await, NetError::Ended);
    assert_eq!(disconnected(&mut events).await, NetError::Ended);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 1).await;
}

#[tokio::test]
async fn a_talk_goes_on_where_every_second_answer_is_lost() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    relay.loses.store(true, Ordering::Relaxed);
    for request in 0..6 {
        talk(&task, &mut events, connection, request).await;
    }
    // Many at once, too.
    for request in 6..106 {
        task.transmit(connection, ask(request));
    }
    for request in 6..106 {
        let What::Frame(frame) = events.recv().await.unwrap().what else { panic!("the connection ended") };
        assert_eq!(frame, done(request));
    }
    assert_eq!(relay.taken(), (0..106).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test]
async fn a_web_socket_that_lives_takes_over() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(SOON, &relay);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 1).await;
    relay.web_socket.store(FINE, Ordering::Relaxed);
    assert_eq!(disconnected(&mut events).await, NetError::Moved);
    let polls = relay.polls.load(Ordering::Relaxed);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 2).await;
    assert_eq!(relay.polls.load(Ordering::Relaxed), polls);
    assert_eq!(relay.taken(), [1], "what is said now goes over the WebSocket");
}

#[tokio::test]
async fn a_connection_that_is_gone_is_opened_anew() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    relay.state.lock().unwrap().token = None;
    relay.changed.notify_waiters();
    task.transmit(connection, ask(1));
    assert_eq!(disconnected(&mut events).await, NetError::Ended);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 2).await;
    assert_eq!(relay.taken(), [2], "what was meant for the lost connection never leaves on the next");
}

#[tokio::test]
async fn a_stop_brings_what_was_ordered_in_a_last_poll() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    for request in 0..100 {
        task.transmit(connection, ask(request));
    }
    tokio::join!(task.stop(), async { while events.recv().await.is_some() {} });
    assert_eq!(relay.taken(), (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_cut_says_no_goodbye() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 1).await;
    // Nothing has run since the order: only a goodbye would bring it.
    task.transmit(connection, ask(2));
    task.cut();
    while events.recv().await.is_some() {}
    assert_eq!(relay.taken(), [1]);
}

#[tokio::test]
async fn after_a_sleep_a_dead_connection_is_noticed() {
    let relay = TestRelay::start().await;
    let (sender, mut events) = mpsc::channel(16);
    let task = RelayTask::spawn_at(SOON, TaskNumber(1), relay.address(Tls::Off), Route::default(), sender);
    // It stands, and nobody is there who would answer a ping.
    let dead = relay.accept().await;
    connected(&mut events).await;
    task.probe();
    assert_eq!(disconnected(&mut events).await, NetError::Silent);
    let mut peer = relay.accept().await;
    let connection = connected(&mut events).await;
    task.transmit(connection, ask(1));
    assert_eq!(peer.receive().await, Some(ask(1)));
    drop(dead);
}

#[tokio::test]
async fn after_a_sleep_polls_are_asked_on_new_streams() {
    let relay = PollRelay::start(REFUSED).await;
    relay.serve();
    let (task, mut events) = spawn(Pace::default(), &relay);
    let connection = connected(&mut events).await;
    talk(&task, &mut events, connection, 1).await;
    task.probe();
    talk(&task, &mut events, connection, 2).await;
    assert_eq!(relay.taken(), [1, 2]);
}

#[tokio::test]
async fn every_stream_of_a_long_poll_is_pinned() {
    let relay = PollRelay::start(REFUSED).await;
    let address = relay.relay.address(Tls::Own);
    let server = async {
        // The first stream breaks with the first poll after the opening one; then somebody else answers.
        let mut stream = relay.relay.accept_tls().await.unwrap();
        let opening = read_poll(&mut stream).await.unwrap();
        let body = PollAnswer { number: opening.number, frames: vec![] }.encode();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        drop(stream);
        let mallory = TlsAcceptor::from(TestIdentity::new().server_config());
        assert!(mallory.accept(relay.relay.accept_tcp().await).await.is_err(), "nothing is said to mallory");
    };
    let client = async {
        let mut connection = Connection::dial(&address, &Route::default(), Transport::LongPoll).await.unwrap();
        assert_eq!(connection.receive().await, Err(NetError::WrongPin));
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn behind_a_public_certificate_there_is_no_long_poll() {
    let relay = TestRelay::start().await;
    let dialled = Connection::dial(&relay.address(Tls::Acme), &Route::default(), Transport::LongPoll).await;
    assert!(matches!(dialled, Err(NetError::TlsFailed(_))));
}
