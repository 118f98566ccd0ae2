//! SOCKS5: a small proxy (RFC 1928, RFC 1929) that writes down what it is told.

use std::net::SocketAddr;

use sotto_outer::{RelayAddress, Tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{Connection, NetError, Proxy, ProxyRefusal, Route, Transport, test_relay::TestRelay};

/// What one client told the proxy.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    username: Option<String>,
    target: String,
}

struct TestProxy {
    listener: TcpListener,
}

impl TestProxy {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn route(&self, isolation: &str) -> Route {
        let port = self.listener.local_addr().unwrap().port();
        Route { proxy: Some(Proxy::new("127.0.0.1", port).unwrap()), isolation: isolation.to_owned() }
    }

    /// The next client, greeted by this method, up to its request.
    async fn accept(&self, method: u8) -> (TcpStream, Told) {
        let (mut client, _) = self.listener.accept().await.unwrap();
        let [version, methods] = read(&mut client).await;
        assert_eq!(version, 5);
        let mut offered = vec![0; methods.into()];
        client.read_exact(&mut offered).await.unwrap();
        assert!(offered.contains(&method));
        client.write_all(&[5, method]).await.unwrap();
        let username = match method {
            2 => {
                let [version] = read(&mut client).await;
                assert_eq!(version, 1);
                let username = counted(&mut client).await;
                assert!(!counted(&mut client).await.is_empty(), "RFC 1929: a password has 1 to 255 bytes");
                client.write_all(&[1, 0]).await.unwrap();
                Some(username)
            }
            _ => None,
        };
        let [version, command, 0, kind] = read(&mut client).await else { panic!("reserved") };
        assert_eq!((version, command), (5, 1));
        let host = match kind {
            1 => std::net::Ipv4Addr::from(read::<4>(&mut client).await).to_string(),
            3 => counted(&mut client).await,
            other => panic!("address type {other}"),
        };
        let port = u16::from_be_bytes(read(&mut client).await);
        (client, Told { username, target: format!("{host}:{port}") })
    }
}

async fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn counted(stream: &mut TcpStream) -> String {
    let [len] = read(stream).await;
    let mut bytes = vec![0; len.into()];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A reply (RFC 1928 §6) with an address of no interest.
fn reply(code: u8) -> [u8; 10] {
    [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

async fn forward(mut client: TcpStream, to: SocketAddr) {
    let mut relay = TcpStream::connect(to).await.unwrap();
    client.write_all(&reply(0)).await.unwrap();
    let _ended = copy_bidirectional(&mut client, &mut relay).await;
}

async fn dial(address: &RelayAddress, route: &Route) -> Result<Connection, NetError> {
    Connection::dial(address, route, Transport::WebSocket).await
}

/// An address that no resolver knows.
fn unresolvable(relay: &TestRelay) -> RelayAddress {
    RelayAddress::new("relay.invalid", relay.address(Tls::Off).port(), Tls::Off, relay.identity.public()).unwrap()
}

#[tokio::test]
async fn a_name_goes_to_the_proxy_unresolved_and_isolated() {
    let (proxy, relay) = (TestProxy::start().await, TestRelay::start().await);
    let address = unresolvable(&relay);
    let to = SocketAddr::from(([127, 0, 0, 1], address.port()));
    for (method, username) in [(2, Some("line a")), (0, None)] {
        let route = proxy.route("line a");
        let server = async {
            let (client, told) = proxy.accept(method).await;
            assert_eq!(told.username.as_deref(), username);
            assert_eq!(told.target, format!("relay.invalid:{}", address.port()));
            tokio::spawn(forward(client, to));
        };
        let (dialled, (), _peer) = tokio::join!(dial(&address, &route), server, relay.accept());
        assert!(dialled.is_ok());
    }
}

#[tokio::test]
async fn a_long_isolation_name_is_cut_and_an_empty_one_not_offered() {
    let (proxy, relay) = (TestProxy::start().await, TestRelay::start().await);
    let address = relay.address(Tls::Off);
    for (isolation, method, expected) in [("ü".repeat(200), 2, Some("ü".repeat(127))), (String::new(), 0, None)] {
        let route = proxy.route(&isolation);
        let server = async {
            let (mut client, told) = proxy.accept(method).await;
            assert_eq!(told.username, expected);
            assert_eq!(told.target, address.authority());
            client.write_all(&reply(5)).await.unwrap();
        };
        let (dialled, ()) = tokio::join!(dial(&address, &route), server);
        assert_eq!(dialled.unwrap_err(), NetError::ProxyRefused(ProxyRefusal::ConnectionRefused));
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_said_in_words() {
    let (proxy, relay) = (TestProxy::start().await, TestRelay::start().await);
    let address = unresolvable(&relay);
    let refusals = [
        (1, "it failed and does not say why"),
        (2, "its rules do not allow this connection"),
        (3, "the relay's network cannot be reached from there"),
        (4, "the relay's host cannot be reached from there; it may be down, or its name unknown"),
        (5, "the relay's host refuses connections; the relay may be down"),
        (6, "the connection took too long"),
        (7, "it does not know how to connect"),
        (8, "it does not know this kind of address"),
    ];
    for (code, words) in refusals {
        let route = proxy.route("line");
        let server = async { proxy.accept(2).await.0.write_all(&reply(code)).await.unwrap() };
        let (dialled, ()) = tokio::join!(dial(&address, &route), server);
        assert_eq!(dialled.unwrap_err().to_string(), format!("the proxy did not connect to the relay: {words}"));
    }
}

#[tokio::test]
async fn a_proxy_that_wants_more_than_we_have_says_so() {
    let (proxy, relay) = (TestProxy::start().await, TestRelay::start().await);
    let address = relay.address(Tls::Off);
    // No method that was offered; or a password, and not this one.
    for answers in [&[&[5, 0xff][..]][..], &[&[5, 2], &[1, 1]]] {
        let route = proxy.route("line");
        let server = async {
            let (mut client, _) = proxy.listener.accept().await.unwrap();
            for answer in answers {
                let mut asked = [0; 512];
                assert!(client.read(&mut asked).await.unwrap() > 0);
                client.write_all(answer).await.unwrap();
            }
            client
        };
        let (dialled, _client) = tokio::join!(dial(&address, &route), server);
        assert_eq!(dialled.unwrap_err(), NetError::ProxyWantsPassword);
    }
}

#[tokio::test]
async fn nothing_is_dialled_around_a_proxy_that_is_away_or_none() {
    let relay = TestRelay::start().await;
    let address = relay.address(Tls::Off);
    let away = TestProxy::start().await.route("line");
    let refused = dial(&address, &away).await.unwrap_err();
    assert_eq!(refused, NetError::ProxyUnreachable(std::io::ErrorKind::ConnectionRefused));

    let proxy = TestProxy::start().await;
    let route = proxy.route("line");
    let server = async {
        let (mut client, _) = proxy.listener.accept().await.unwrap();
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        client
    };
    let (dialled, _client) = tokio::join!(dial(&address, &route), server);
    assert_eq!(dialled.unwrap_err(), NetError::NotAProxy);
}
