//! Long poll at a real relay: every command, answers that were lost, two polls at once, and what is no poll.

use std::net::SocketAddr;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use sotto_outer::{
    Answer, BundleId, ClientFrame, Command, ConnectionNonce, Delete, Deliver, EnvelopeId, Fetch, Info, InfoAnswer,
    Lease, OwnerKey, Poll, PollAnswer, Proof, Publish, RelayFrame, RelayIdentity, Subscribe, Subscription, Target,
    VERSION,
    limits::{BUNDLE_MAIN_BYTES, BUNDLE_PART_BYTES, FRAME_BYTES_MAX, POLL_BYTES_MAX},
    signed,
    work::{self, Purpose},
};
use tokio::net::TcpStream;

use crate::{
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

/// Asks on a TCP connection of its own.
async fn post(address: SocketAddr, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::post("/v1/frames").header(HOST, address.to_string()).body(Full::new(Bytes::from(body))).unwrap();
    let response = requests.send_request(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

/// A connection by long poll.
struct Poller {
    address: SocketAddr,
    token: [u8; 32],
    next: u32,
    next_request: u32,
    relay: RelayIdentity,
    nonce: ConnectionNonce,
    /// What was told besides answers.
    told: Vec<RelayFrame>,
}

impl Poller {
    async fn connect(address: SocketAddr, token: u8) -> Self {
        let (relay, nonce) = ([0; 32].into(), [0; 32].into());
        let mut poller = Self { address, token: [token; 32], next: 0, next_request: 0, relay, nonce, told: Vec::new() };
        assert_eq!(poller.poll(vec![]).await, vec![]);
        let info = Command::Info(Info { version: VERSION, nonce: [3; 32].into() });
        let Answer::Info(InfoAnswer { identity, nonce, .. }) = poller.ask(info).await else { panic!("no greeting") };
        (poller.relay, poller.nonce) = (identity, nonce);
        poller
    }

    fn body(&self, number: u32, frames: Vec<Vec<u8>>) -> Vec<u8> {
        let frames = frames.into_iter().map(Into::into).collect();
        Poll { token: self.token.into(), number, frames, last: false }.encode()
    }

    fn frame(&mut self, command: Command) -> Vec<u8> {
        self.next_request += 1;
        ClientFrame { request: self.next_request, command }.encode()
    }

    async fn poll(&mut self, frames: Vec<Vec<u8>>) -> Vec<RelayFrame> {
        let number = self.next;
        self.next += 1;
        let (status, body) = post(self.address, self.body(number, frames)).await;
        assert_eq!(status, StatusCode::OK);
        frames_of(&body, number)
    }

    /// Asks, and gives the answer; what is told besides is kept.
    async fn ask(&mut self, command: Command) -> Answer {
        let mut frames = vec![self.frame(command)];
        loop {
            let mut answer = None;
            for frame in self.poll(std::mem::take(&mut frames)).await {
                match frame {
                    RelayFrame::Answer { request, answer: told } if request == self.next_request => answer = Some(told),
                    other => self.told.push(other),
                }
            }
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// The next thing that is told besides answers.
    async fn told(&mut self) -> RelayFrame {
        while self.told.is_empty() {
            self.told = self.poll(vec![]).await;
        }
        self.told.remove(0)
    }
}

fn frames_of(body: &[u8], number: u32) -> Vec<RelayFrame> {
    let answer = PollAnswer::decode(body).unwrap();
    assert_eq!(answer.number, number);
    answer.frames.iter().map(|frame| RelayFrame::decode(frame).unwrap()).collect()
}

/// A subscribe for a mailbox of this test, signed for this connection.
fn subscribe(owner: &Owner, poller: &Poller) -> Command {
    let (mailbox, new) = (owner.receive_id(), Lease::from([1; 16]));
    let bytes = signed::subscribe(&poller.relay, &poller.nonce, &mailbox, None, &new);
    let signature = owner.sign(&bytes);
    Command::Subscribe(Subscribe { mailboxes: vec![Subscription { mailbox, confirmed: None, new, signature }] })
}

/// The work that a relay asks of strangers.
fn prove(poller: &Poller, purpose: &Purpose, bits: u8) -> Proof {
    let challenge = work::challenge(&poller.relay, &poller.nonce, purpose);
    let fits = |counter: &u64| {
        let hash = Sha256::new_with_prefix(&challenge).chain_update(counter.to_be_bytes()).finalize();
        work::leading_zero_bits(&hash.into()) >= bits
    };
    Proof::from((0..).find(fits).expect("some counter fits").to_be_bytes())
}

#[tokio::test]
async fn every_command_is_answered_over_long_poll() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let (bob, id) = (Owner::new(1), EnvelopeId::from([9; 16]));
    let mut reader = Poller::connect(relay.address, 1).await;
    assert_eq!(reader.ask(bob.create()).await, Answer::Done);
    let subscribed = subscribe(&bob, &reader);
    assert!(matches!(reader.ask(subscribed).await, Answer::Subscribed(_)));
    assert_eq!(reader.told().await, RelayFrame::CaughtUp { mailbox: bob.receive_id() });

    // From a WebSocket to a long poll: they meet in the same core.
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(bob.send(id, vec![7; 60_000])).await.unwrap(), Answer::Done);
    let delivered = Deliver { mailbox: bob.receive_id(), id, payload: vec![7; 60_000] };
    assert_eq!(reader.told().await, RelayFrame::Deliver(delivered));
    assert_eq!(reader.ask(bob.ack(vec![id])).await, Answer::Done);

    let mut sender = Poller::connect(relay.address, 2).await;
    assert_eq!(sender.ask(bob.send([8; 16].into(), vec![1])).await, Answer::Done);
    assert!(matches!(reader.told().await, RelayFrame::Deliver(_)));

    let (key, bundle) = (SigningKey::from_bytes(&[4; 32]), BundleId::from([5; 16]));
    let owner = OwnerKey::from(key.verifying_key().to_bytes());
    let (main, part) = (vec![1; BUNDLE_MAIN_BYTES], vec![2; BUNDLE_PART_BYTES]);
    let mut publish = Publish {
        bundle,
        owner,
        main: Some(main.clone()),
        last_resort: Some(part.clone()),
        pairs: vec![part.clone().into()],
        signature: [0; 64].into(),
    };
    publish.signature = key.sign(&signed::publish(&sender.relay, &sender.nonce, &publish)).to_bytes().into();
    assert_eq!(sender.ask(Command::Publish(publish)).await, Answer::Done);
    let Answer::Work { bits } = sender.ask(Command::Fetch(Fetch { bundle, proof: None })).await else {
        panic!("a fetch costs work")
    };
    let proof = Some(prove(&sender, &Purpose::Fetch(bundle), bits));
    let fetched = sender.ask(Command::Fetch(Fetch { bundle, proof })).await;
    let Answer::Bundle(fetched) = fetched else { panic!("{fetched:?}") };
    assert!(fetched.main == main && fetched.pair == Some(part));
    let target = Target::Bundle(bundle);
    let signature = key.sign(&signed::delete(&sender.relay, &sender.nonce, &target)).to_bytes().into();
    assert_eq!(sender.ask(Command::Delete(Delete { target, signature })).await, Answer::Done);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_nothing_done_twice() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut poller = Poller::connect(relay.address, 1).await;
    let create = poller.frame(Owner::new(1).create());
    let body = poller.body(poller.next, vec![create]);
    let first = post(relay.address, body.clone()).await;
    assert_eq!(first.0, StatusCode::OK);
    assert_eq!(frames_of(&first.1, poller.next).len(), 1);
    for _ in 0..3 {
        assert_eq!(post(relay.address, body.clone()).await, first);
    }
    poller.next += 1;
    // Were it taken again, another answer to it would come now.
    assert_eq!(poller.ask(Owner::new(2).create()).await, Answer::Done);
    assert_eq!(poller.told, vec![]);
}

#[tokio::test]
async fn a_second_poll_makes_the_hanging_one_return() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let mut poller = Poller::connect(relay.address, 1).await;
    let (hanging, number) = (poller.body(poller.next, vec![]), poller.next);
    poller.next += 1;
    let ((status, body), answer) = tokio::join!(post(relay.address, hanging), poller.ask(Owner::new(1).create()));
    assert_eq!((status, answer), (StatusCode::OK, Answer::Done));
    assert_eq!(frames_of(&body, number), vec![]);
}

#[tokio::test]
async fn an_unknown_token_is_gone_and_garbage_is_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut relay = RelayProcess::start(dir.path());
    let mut poller = Poller::connect(relay.address, 1).await;
    let poll = |token: u8, number| Poll { token: [token; 32].into(), number, frames: vec![], last: false }.encode();
    let cases = [
        ("a token nobody knows", poll(2, 1), StatusCode::GONE),
        ("a number far ahead", poll(1, 50), StatusCode::CONFLICT),
        ("a number long past", poll(1, 0), StatusCode::CONFLICT),
        ("nothing", vec![], StatusCode::BAD_REQUEST),
        ("garbage", vec![0xff; 100], StatusCode::BAD_REQUEST),
        ("trailing bytes", [poll(1, 3), vec![0]].concat(), StatusCode::BAD_REQUEST),
        ("a frame too long", poller.body(9, vec![vec![1; FRAME_BYTES_MAX + 1]]), StatusCode::BAD_REQUEST),
        ("an empty frame", poller.body(9, vec![vec![]]), StatusCode::BAD_REQUEST),
        ("a body too long", vec![0; POLL_BYTES_MAX + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ];
    assert_eq!(poller.ask(Owner::new(1).create()).await, Answer::Done);
    for (what, body, expected) in cases {
        assert_eq!(post(relay.address, body).await.0, expected, "{what}");
    }
    assert_eq!(poller.ask(Owner::new(2).create()).await, Answer::Done, "its connection stands");

    // What is no frame ends the connection that carried it, as on a WebSocket.
    let refused = poller.poll(vec![vec![0xff]]).await;
    assert!(matches!(refused[..], [RelayFrame::Answer { request: 0, answer: Answer::Refused { .. } }]));
    assert_eq!(post(relay.address, poller.body(poller.next, vec![])).await.0, StatusCode::GONE);
    let (status, log) = relay.terminate();
    assert!(status.success(), "{log}");
}
