//! The driver alone: a real store, and at most a port where nobody listens. Whole conversations are in `tests/`.

use std::{io::ErrorKind, net::TcpListener, time::Duration};

use sotto_outer::{RelayAddress, Tls};
use tempfile::TempDir;

use crate::{
    Client, ClientError, Intent, IntentError, NetError, Options, Outcome, Passphrase, RelayState, SlotKind, StoreError,
    Unlock, view,
};

/// Long enough for any machine; nothing waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

fn unlock() -> Unlock {
    Unlock::Passphrase(Passphrase::new("correct horse battery staple".to_owned()))
}

fn options(folder: &TempDir, network: bool) -> Options {
    Options { profile: folder.path().join("profile"), network }
}

/// The address of a port where nobody listens.
fn nobody() -> RelayAddress {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    RelayAddress::new("127.0.0.1", port, Tls::Off, [7; 32].into()).unwrap()
}

fn alice() -> Intent {
    Intent::CreateProfile { name: "Alice".to_owned(), relay: nobody() }
}

#[tokio::test]
async fn what_an_intent_answered_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, false), &unlock()).unwrap();
    assert!(client.intent(alice()).await.is_ok());
    client.close().await;

    let client = Client::open(&options(&folder, false), &unlock()).unwrap();
    let account = client.view(|rows| view::account(rows)).unwrap().unwrap();
    assert_eq!(account.name, "Alice");
    let again = client.intent(alice()).await.unwrap_err();
    assert!(matches!(again, ClientError::Refused(IntentError::ProfileExists)));
    client.close().await;
}

#[tokio::test]
async fn a_refusal_is_typed_and_makes_nothing() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, false), &unlock()).unwrap();
    let refused = client.intent(Intent::Invite { once: false }).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(IntentError::NoProfile)));
    assert!(client.view(|rows| view::account(rows)).unwrap().is_none());
    client.close().await;
}

#[tokio::test]
async fn a_profile_is_one_clients_until_that_one_is_closed() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, false), &unlock()).unwrap();
    let Err(ClientError::Store(error)) = Client::open(&options(&folder, false), &unlock()) else {
        panic!("two clients have one profile");
    };
    assert!(matches!(*error, StoreError::InUse));

    client.close().await;
    assert!(matches!(client.intent(alice()).await, Err(ClientError::Closed)));
    assert!(matches!(client.view(|rows| view::account(rows)), Err(ClientError::Closed)));
    Client::open(&options(&folder, false), &unlock()).unwrap().close().await;
}

#[tokio::test]
async fn a_locked_profile_opens_with_the_right_words_alone_and_stays_this_clients() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, true), &unlock()).unwrap();
    client.intent(alice()).await.unwrap();
    let mut health = client.health();
    let locked = client.lock().await.unwrap();
    assert!(health.wait_for(|_| false).await.is_err(), "whoever watched the client is told that it ended");
    assert_eq!(*locked.arrivals().borrow(), 0);
    let Err(ClientError::Store(error)) = Client::open(&options(&folder, false), &unlock()) else {
        panic!("a locked profile was opened beside the client that holds it");
    };
    assert!(matches!(*error, StoreError::InUse));

    let wrong = Unlock::Passphrase(Passphrase::new("correct horse battery".to_owned()));
    let Err((locked, ClientError::Store(error))) = locked.unlock(&wrong).await else {
        panic!("a wrong passphrase unlocks");
    };
    assert!(matches!(*error, StoreError::WrongPassphrase));
    let client = locked.unlock(&unlock()).await.unwrap();
    assert_eq!(client.view(|rows| view::account(rows)).unwrap().unwrap().name, "Alice");
    client.close().await;
}

#[tokio::test]
async fn the_ways_in_change_while_the_client_is_at_work() {
    let folder = TempDir::new().unwrap();
    let (client, first) = Client::create(&options(&folder, false), &unlock()).unwrap();
    let words = |text: &str| Passphrase::new(text.to_owned());
    let refused = client.change_passphrase(words("wrong"), words("new")).await;
    assert!(matches!(refused, Err(ClientError::Store(error)) if matches!(*error, StoreError::WrongPassphrase)));
    client.change_passphrase(words("correct horse battery staple"), words("new")).await.unwrap();
    let second = client.new_recovery_key().await.unwrap();
    client.close().await;

    assert!(Client::open(&options(&folder, false), &unlock()).is_err(), "the old passphrase");
    assert!(Client::open(&options(&folder, false), &Unlock::Recovery(first)).is_err(), "the old recovery key");
    let client = Client::open(&options(&folder, false), &Unlock::Recovery(second)).unwrap();
    client.remove_slot(SlotKind::Passphrase).await.unwrap();
    client.add_slot(Unlock::Passphrase(words("newer"))).await.unwrap();
    client.close().await;
    Client::open(&options(&folder, false), &Unlock::Passphrase(words("newer"))).unwrap().close().await;
}

#[tokio::test]
async fn with_a_proxy_nothing_is_dialled_around_it() {
    let folder = TempDir::new().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    relay.set_nonblocking(true).unwrap();
    let address = RelayAddress::new("127.0.0.1", relay.local_addr().unwrap().port(), Tls::Off, [7; 32].into()).unwrap();
    let (client, _) = Client::create(&options(&folder, true), &unlock()).unwrap();
    let proxy = format!("socks5://127.0.0.1:{}", nobody().port()).parse().unwrap();
    client.intent(Intent::SetProxy { proxy: Some(proxy) }).await.unwrap();
    client.intent(Intent::CreateProfile { name: "Alice".to_owned(), relay: address }).await.unwrap();
    let (health, settled) = client.wait_settled(PATIENCE).await;
    assert!(settled);
    let state = health.relays.values().next().unwrap();
    assert_eq!(*state, RelayState::Offline(NetError::ProxyUnreachable(ErrorKind::ConnectionRefused)));
    client.close().await;

    let client = Client::open(&options(&folder, true), &unlock()).unwrap();
    let (health, settled) = client.wait_settled(PATIENCE).await;
    assert!(settled && !health.online(), "and so after a restart");
    client.close().await;
    assert_eq!(relay.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the relay was dialled past the proxy");
}

#[tokio::test]
async fn offline_speaks_to_nobody_and_is_settled_at_once() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, false), &unlock()).unwrap();
    client.intent(alice()).await.unwrap();
    let (health, settled) = client.wait_settled(PATIENCE).await;
    assert!(settled && health.relays.is_empty() && !health.online());
    client.close().await;
}

#[tokio::test]
async fn a_relay_out_of_reach_keeps_nobody_waiting_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let (client, _) = Client::create(&options(&folder, true), &unlock()).unwrap();
    client.intent(alice()).await.unwrap();
    let (health, settled) = client.wait_settled(PATIENCE).await;
    assert!(settled && !health.online());
    let state = health.relays.values().next().unwrap();
    assert_eq!(*state, RelayState::Offline(NetError::Unreachable(ErrorKind::ConnectionRefused)));
    assert!(matches!(client.intent(Intent::Invite { once: true }).await, Ok(Outcome::Link(_))));
    client.close().await;
}
