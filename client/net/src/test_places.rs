//! Somebody names a place where the relay is not. Whatever answers there, the relay's own place is dialled soon.

use std::time::Duration;

use sotto_outer::{RelayAddress, Tls};
use tokio::{io::AsyncWriteExt as _, sync::mpsc, task::JoinHandle};

use crate::{
    ConnectionNumber, NetError, NetEvent, RelayTask, Route, TaskNumber, What, choice::Pace, test_polls::SOON,
    test_relay::TestRelay,
};

/// A relay at its own place, and a wrong place that is dialled first.
struct World {
    task: RelayTask,
    events: mpsc::Receiver<NetEvent>,
    wrong: RelayAddress,
    right: RelayAddress,
    /// Keeps every connection to the relay open.
    _relay: JoinHandle<()>,
}

impl World {
    fn new(pace: Pace, mallory: &TestRelay, relay: TestRelay) -> Self {
        let wrong = mallory.address_of(Tls::Off, relay.identity.public());
        let right = relay.address(Tls::Off);
        let (sender, events) = mpsc::channel(16);
        let task = RelayTask::spawn_at(pace, TaskNumber(1), wrong.clone(), Route::default(), sender);
        task.also_at(right.clone());
        let serving = tokio::spawn(async move {
            let mut peers = vec![];
            loop {
                peers.push(relay.accept().await);
            }
        });
        Self { task, events, wrong, right, _relay: serving }
    }

    /// The next connection, and where it leads.
    async fn connected(&mut self) -> (ConnectionNumber, RelayAddress) {
        loop {
            let NetEvent { connection, what, .. } = self.events.recv().await.unwrap();
            if let What::Connected { address, exporter: _ } = what {
                return (connection, address);
            }
        }
    }

    async fn disconnected(&mut self) -> NetError {
        loop {
            if let What::Disconnected(reason) = self.events.recv().await.unwrap().what {
                return reason;
            }
        }
    }
}

#[tokio::test]
async fn whoever_never_proves_anything_is_left_for_another_place() {
    let mallory = TestRelay::start().await;
    let pace = Pace { proof: Duration::from_millis(1), ..Pace::default() };
    let mut world = World::new(pace, &mallory, TestRelay::start().await);
    // It takes the connection, and says nothing.
    let _silent = mallory.accept().await;
    assert_eq!(world.connected().await.1, world.wrong);
    assert_eq!(world.disconnected().await, NetError::Unproven);
    assert_eq!(world.connected().await.1, world.right);
}

#[tokio::test]
async fn a_proven_connection_stays() {
    let (mallory, relay) = (TestRelay::start().await, TestRelay::start().await);
    let (sender, mut events) = mpsc::channel(16);
    let task = RelayTask::spawn_at(Pace::default(), TaskNumber(1), relay.address(Tls::Off), Route::default(), sender);
    task.also_at(mallory.address_of(Tls::Off, relay.identity.public()));
    for _ in 0..2 {
        // It proves itself, and is lost: it is dialled again, not the other place.
        let peer = relay.accept().await;
        let NetEvent { connection, .. } = events.recv().await.unwrap();
        task.proven(connection);
        drop(peer);
        assert!(matches!(events.recv().await.unwrap().what, What::Disconnected(NetError::Ended)));
    }
}

#[tokio::test]
async fn a_connection_that_stood_long_and_proved_nothing_is_no_success() {
    let mallory = TestRelay::start().await;
    // However short a connection was, it lasted.
    let pace = Pace { lasted: Duration::ZERO, ..SOON };
    let mut world = World::new(pace, &mallory, TestRelay::start().await);
    let _spliced = mallory.accept().await;
    let (connection, place) = world.connected().await;
    assert_eq!(place, world.wrong);
    // The proof came, and was one of another place.
    world.task.close(connection);
    assert_eq!(world.disconnected().await, NetError::ClosedHere);
    assert_eq!(world.connected().await.1, world.right);
}

#[tokio::test]
async fn whoever_asks_for_patience_does_not_hold_the_other_places() {
    let mallory = TestRelay::start().await;
    let mut world = World::new(Pace::default(), &mallory, TestRelay::start().await);
    let mut stream = mallory.accept_tcp().await;
    let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(busy).await.unwrap();
    assert_eq!(world.connected().await.1, world.right);
}
