//! Each test is a real server on this machine and one way for it to behave.

use sotto_outer::{Ack, Answer, ClientFrame, Command, RelayAddress, RelayFrame, Tls, codec::CodecError};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::{
    Connection, NetError, RelayTask, Route, TaskNumber, Transport, What,
    relay_task::NetEvent,
    test_relay::{Peer, TestIdentity, TestRelay},
};
use futures_util::SinkExt as _;

fn ask(request: u32) -> ClientFrame {
    ClientFrame { request, command: Command::Ack(Ack { mailbox: [1; 16].into(), ids: vec![[2; 16].into()] }) }
}

fn done(request: u32) -> RelayFrame {
    RelayFrame::Answer { request, answer: Answer::Done }
}

async fn dial(address: &RelayAddress) -> Result<Connection, NetError> {
    Connection::dial(address, &Route::default(), Transport::WebSocket).await
}

/// A task that dials straight.
fn spawn(address: RelayAddress, events: mpsc::Sender<NetEvent>) -> RelayTask {
    RelayTask::spawn(TaskNumber(7), address, Route::default(), events)
}

async fn connected(events: &mut mpsc::Receiver<NetEvent>) -> crate::ConnectionNumber {
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

#[tokio::test]
async fn the_pinned_relay_is_spoken_to() {
    let relay = TestRelay::start().await;
    let address = relay.address(Tls::Own);
    let server = async {
        let stream = relay.accept_tls().await.unwrap();
        let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
        let mut peer = Peer(accept_async(stream).await.unwrap());
        assert_eq!(peer.receive().await, Some(ask(1)));
        peer.send(&done(1)).await;
        group
    };
    let client = async {
        let mut connection = dial(&address).await.unwrap();
        connection.send(&ask(1)).await.unwrap();
        assert_eq!(connection.receive().await, Ok(done(1)));
    };
    let (group, ()) = tokio::join!(server, client);
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn another_identity_is_a_wrong_pin() {
    let relay = TestRelay::start().await;
    let address = relay.address_of(Tls::Own, TestIdentity::new().public());
    let (served, dialled) = tokio::join!(relay.accept_tls(), dial(&address));
    assert_eq!(dialled.unwrap_err(), NetError::WrongPin);
    assert!(served.is_err());
}

#[tokio::test]
async fn a_leaf_of_no_public_authority_is_refused_under_acme() {
    let relay = TestRelay::start().await;
    let address = relay.address(Tls::Acme);
    let (_, dialled) = tokio::join!(relay.accept_tls(), dial(&address));
    assert!(matches!(dialled.unwrap_err(), NetError::CertificateRefused(_)));
}

#[tokio::test]
async fn plain_text_is_no_tls() {
    let relay = TestRelay::start().await;
    let address = relay.address(Tls::Own);
    let server = async { relay.accept_tcp().await.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await };
    let (_, dialled) = tokio::join!(server, dial(&address));
    assert!(matches!(dialled.unwrap_err(), NetError::TlsFailed(_)));
}

#[tokio::test]
async fn a_web_server_is_no_relay_and_a_busy_one_is_believed() {
    let relay = TestRelay::start().await;
    let address = relay.address(Tls::Off);
    for (answer, expected) in [
        ("404 Not Found\r\n", NetError::NotARelay(404)),
        ("503 Service Unavailable\r\nRetry-After: 7\r\n", NetError::Overloaded { retry_after_secs: 7 }),
    ] {
        let server = async {
            let mut stream = relay.accept_tcp().await;
            stream.write_all(format!("HTTP/1.1 {answer}Content-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
            stream
        };
        let (_stream, dialled) = tokio::join!(server, dial(&address));
        assert_eq!(dialled.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let address = TestRelay::start().await.address(Tls::Off);
    let refused = dial(&address).await.unwrap_err();
    assert_eq!(refused, NetError::Unreachable(std::io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_wrong_place_keeps_nobody_from_the_right_one() {
    let (nobody, relay) = (TestRelay::start().await, TestRelay::start().await);
    let wrong =
        RelayAddress::new("127.0.0.1", closed_port(nobody), Tls::Own, *relay.address(Tls::Own).identity()).unwrap();
    let (sender, mut events) = mpsc::channel(16);
    let task = spawn(wrong, sender);
    task.also_at(relay.address(Tls::Own));
    let server = async {
        let mut peer = Peer(accept_async(relay.accept_tls().await.unwrap()).await.unwrap());
        peer.receive().await
    };
    let client = async {
        let connection = connected(&mut events).await;
        task.transmit(connection, ask(1));
    };
    let (received, ()) = tokio::join!(server, client);
    assert_eq!(received, Some(ask(1)));
}

/// A port on which nobody listens any more.
fn closed_port(relay: TestRelay) -> u16 {
    relay.address(Tls::Own).port()
}

#[tokio::test]
async fn garbage_ends_the_connection_and_the_next_one_works() {
    let relay = TestRelay::start().await;
    let (events, mut inbox) = mpsc::channel(8);
    let task = spawn(relay.address(Tls::Off), events);

    relay.accept().await.send_bytes(vec![0xff; 40]).await;
    assert_eq!(disconnected(&mut inbox).await, NetError::Garbage(CodecError::Malformed));

    let mut peer = relay.accept().await;
    peer.0.send(Message::Text("hello".into())).await.unwrap();
    assert!(matches!(disconnected(&mut inbox).await, NetError::Protocol(_)));

    let mut peer = relay.accept().await;
    peer.send_bytes(vec![0; sotto_outer::limits::FRAME_BYTES_MAX + 1]).await;
    assert!(matches!(disconnected(&mut inbox).await, NetError::Protocol(_)));

    let mut peer = relay.accept().await;
    let number = connected(&mut inbox).await;
    task.transmit(number, ask(9));
    assert_eq!(peer.receive().await, Some(ask(9)));
}

#[tokio::test]
async fn what_was_meant_for_a_lost_connection_never_leaves_on_the_next() {
    let relay = TestRelay::start().await;
    let (events, mut inbox) = mpsc::channel(8);
    let task = spawn(relay.address(Tls::Off), events);

    let peer = relay.accept().await;
    let first = connected(&mut inbox).await;
    drop(peer);
    assert_eq!(disconnected(&mut inbox).await, NetError::Ended);

    let mut peer = relay.accept().await;
    let second = connected(&mut inbox).await;
    task.transmit(first, ask(1));
    task.close(first);
    task.transmit(second, ask(2));
    assert_eq!(peer.receive().await, Some(ask(2)));
}

#[tokio::test]
async fn a_stop_sends_what_was_ordered_and_says_goodbye() {
    let relay = TestRelay::start().await;
    let (events, mut inbox) = mpsc::channel(8);
    let task = spawn(relay.address(Tls::Off), events);
    let mut peer = relay.accept().await;
    let number = connected(&mut inbox).await;
    for request in 0..100 {
        task.transmit(number, ask(request));
    }
    let server = async {
        for request in 0..100 {
            assert_eq!(peer.receive().await, Some(ask(request)));
        }
        assert_eq!(peer.receive().await, None);
    };
    tokio::join!(server, task.stop());
}

#[tokio::test]
async fn a_busy_listener_makes_the_relay_wait_and_loses_nothing() {
    let relay = TestRelay::start().await;
    let (events, mut inbox) = mpsc::channel(1);
    let _task = spawn(relay.address(Tls::Off), events);
    let server = async {
        let mut peer = relay.accept().await;
        for request in 0..1_000 {
            peer.send(&done(request)).await;
        }
        peer
    };
    let listener = async {
        connected(&mut inbox).await;
        for expected in 0..1_000 {
            let What::Frame(frame) = inbox.recv().await.unwrap().what else { panic!("the connection ended") };
            assert_eq!(frame, done(expected));
        }
    };
    tokio::join!(server, listener);
}
