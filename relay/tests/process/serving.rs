//! How a relay is reached: certificates of the public web, several addresses, a bound of connections.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, CertifiedKey};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use sotto_outer::{
    Answer, ClientFrame, Command, ConnectionNonce, Info, RelayAddress, RelayFrame, Tls, VERSION, signed,
};
use sotto_relay::{
    Identity,
    core::{self, Rate},
    server::{Acme, CertificateFiles, ProxySettings, Relay, Settings, Transport},
    storage::sqlite::SqliteStorage,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{client_async, tungstenite::Message};

use super::{
    authority::{Authority, provider},
    client::{Client, Owner},
    relay::{self, RelayProcess},
};

const NAME: &str = "relay.example";
const SECRET: [u8; 32] = [7; 32];

async fn start(folder: &Path, settings: Settings) -> Relay<SqliteStorage> {
    let storage = SqliteStorage::open(&folder.join("relay.db")).await.unwrap();
    Relay::start(settings, Identity::from_secret(&SECRET), storage).unwrap()
}

fn settings(transport: Transport) -> Settings {
    let public = Some((NAME.to_owned(), 0));
    Settings { transport, public, ..Settings::plain("127.0.0.1:0".parse().unwrap()) }
}

/// Speaks TLS as a client of the public web does that trusts this root.
async fn dial(address: SocketAddr, root: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

/// The same, once the relay has a certificate; until then a handshake fails.
async fn dial_when_shown(address: SocketAddr, root: &CertificateDer<'static>) -> TlsStream<TcpStream> {
    loop {
        if let Ok(stream) = dial(address, root).await {
            return stream;
        }
        tokio::task::yield_now().await;
    }
}

/// Whether the relay proves itself for this TLS connection, and for no other.
async fn proves_itself(stream: TlsStream<TcpStream>, port: u16) -> bool {
    let (_, tls) = stream.get_ref();
    let exporter: [u8; 32] = tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
    let (mut socket, _) = client_async(format!("ws://{NAME}/v1/stream"), stream).await.unwrap();
    let nonce = ConnectionNonce::from([9; 32]);
    let frame = ClientFrame { request: 1, command: Command::Info(Info { version: VERSION, nonce }) };
    socket.send(Message::Binary(frame.encode().into())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_data();
    let RelayFrame::Answer { answer: Answer::Info(info), .. } = RelayFrame::decode(&answer).unwrap() else {
        panic!("a relay greets")
    };
    let place = RelayAddress::new(NAME, port, Tls::Acme, info.identity).unwrap().place();
    let key = VerifyingKey::from_bytes(Identity::from_secret(&SECRET).public().as_bytes()).unwrap();
    let signature = Signature::from_bytes(info.signature.as_bytes());
    let covers = |exporter: Option<&[u8; 32]>| {
        let bytes = signed::welcome(
            &info.identity,
            &place,
            &ConnectionNonce::from([9; 32]),
            &info.nonce,
            exporter,
            &info.terms,
        );
        key.verify_strict(&bytes, &signature).is_ok()
    };
    covers(Some(&exporter)) && !covers(None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_issues_what_clients_then_believe() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::start().await;
    let root_file = folder.path().join("root.pem");
    authority.write_root(&root_file);
    let acme = Acme {
        directory: authority.directory(),
        contact: None,
        cache: folder.path().join("acme"),
        root: Some(root_file),
    };
    let relay = start(folder.path(), settings(Transport::Acme(acme.clone()))).await;
    authority.set_relay(relay.address());
    let stream = dial_when_shown(relay.address(), authority.root.der()).await;
    assert!(proves_itself(stream, relay.address().port()).await);
    relay.drain().await.unwrap().close().await;

    // What was got is kept: the next start asks for nothing.
    let relay = start(folder.path(), settings(Transport::Acme(acme))).await;
    let stream = dial_when_shown(relay.address(), authority.root.der()).await;
    assert!(proves_itself(stream, relay.address().port()).await);
    assert_eq!(authority.orders.load(Ordering::Relaxed), 1);
    relay.drain().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_own_certificate_is_shown_and_another_when_its_files_change() {
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles { certificate: folder.path().join("a.pem"), key: folder.path().join("b.pem") };
    let write = || {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    };
    let first = write();
    let relay = start(folder.path(), settings(Transport::Files(files.clone()))).await;
    let standing = dial(relay.address(), &first).await.unwrap();
    let second = write();
    relay.rotate_certificate().unwrap();
    assert!(dial(relay.address(), &first).await.is_err());
    let stream = dial(relay.address(), &second).await.unwrap();
    assert!(proves_itself(stream, relay.address().port()).await);
    assert!(proves_itself(standing, relay.address().port()).await, "what stands stays");

    std::fs::write(
        &files.key,
        CertificateParams::default().serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap(),
    )
    .unwrap();
    assert!(relay.rotate_certificate().is_err());
    assert!(dial(relay.address(), &second).await.is_ok(), "the one before is shown on");
    relay.drain().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leaf_of_the_relays_own_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let relay = start(folder.path(), settings(Transport::OwnTls)).await;
    assert!(relay.rotate_certificate().is_ok());
    relay.drain().await.unwrap().close().await;
    let plain = start(folder.path(), settings(Transport::Plain)).await;
    assert!(plain.rotate_certificate().is_err());
    plain.drain().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_reached_at_each_address_it_listens_at() {
    let folder = tempfile::tempdir().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    let settings = Settings { listen, ..settings(Transport::Plain) };
    let relay = start(folder.path(), settings).await;
    assert_eq!(relay.addresses().len(), 2);
    for address in relay.addresses() {
        assert!(Client::connect(*address).await.is_ok());
    }
    relay.drain().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_is_let_go_and_a_place_that_is_left_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { connections_max: Some(2), ..settings(Transport::Plain) };
    let relay = start(folder.path(), settings).await;
    let alice = Client::connect(relay.address()).await.unwrap();
    let _bob = Client::connect(relay.address()).await.unwrap();
    let mut mallory = TcpStream::connect(relay.address()).await.unwrap();
    assert!(matches!(mallory.read(&mut [0; 1]).await, Ok(0) | Err(_)), "closed at once");
    drop(alice);
    while Client::connect(relay.address()).await.is_err() {}
    relay.drain().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_says_info_gives_the_place_up() {
    let folder = tempfile::tempdir().unwrap();
    let relay = start(folder.path(), settings(Transport::Plain)).await;
    let mut alice = Client::connect(relay.address()).await.unwrap();
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    let (mut mallory, _) = client_async("ws://relay/v1/stream", stream).await.unwrap();
    // It answers pings, were there any, and waits.
    let said = mallory.next().await;
    assert!(matches!(said, Some(Ok(Message::Close(Some(_))))), "{said:?}");
    assert_eq!(alice.ask(Owner::new(1).create()).await.unwrap(), Answer::Done, "who said it stays");
    relay.drain().await.unwrap().close().await;
}

#[test]
fn a_host_types_for_another_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let made = relay::command("init", folder.path()).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(relay::output("rotate-cert", folder.path()).status.code(), Some(1), "no relay runs");
    let _relay = RelayProcess::start(folder.path());
    let done = relay::output("rotate-cert", folder.path());
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("new certificate of its own"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_whose_a_connection_is_and_each_address_has_its_rate() {
    let folder = tempfile::tempdir().unwrap();
    let connections = Rate { burst: 1, interval_millis: 3_600_000 };
    let proxy = ProxySettings { trusted: vec!["127.0.0.1".parse().unwrap()], connections };
    let relay = start(folder.path(), Settings { proxy, ..settings(Transport::Plain) }).await;
    let asks = async |header: &[u8]| {
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        stream.write_all(header).await.unwrap();
        // Whoever was let go cannot ask any more.
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).await.is_ok_and(|_| answer.starts_with(b"HTTP/1.1 200"))
    };
    let header = |last: u8| {
        let addresses = [192, 0, 2, last, 192, 0, 2, 1, 0, 7, 1, 187];
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &addresses].concat()
    };
    assert!(asks(&header(7)).await);
    assert!(!asks(&header(7)).await, "beyond its rate");
    assert!(asks(&header(8)).await, "another's is another rate");
    assert!(asks(b"PROXY TCP4 192.0.2.9 192.0.2.1 7 443\r\n").await);
    assert!(!asks(b"").await, "a proxy must say whose it is");
    relay.drain().await.unwrap().close().await;
}

#[tokio::test]
async fn all_connections_from_one_address_make_so_much_together() {
    let folder = tempfile::tempdir().unwrap();
    let rate = Rate { burst: 9, interval_millis: 3_600_000 };
    let proxy = ProxySettings { trusted: vec!["127.0.0.1".parse().unwrap()], connections: rate };
    let plain = settings(Transport::Plain);
    let core = core::Config { origin_rate: Rate { burst: 2, ..rate }, ..plain.core.clone() };
    let relay = start(folder.path(), Settings { proxy, core, ..plain }).await;
    let made = async |from: &[u8], number| {
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        stream.write_all(from).await.unwrap();
        let mut client = Client::over(stream, relay.address()).await.unwrap();
        client.ask(Owner::new(number).create()).await.unwrap() == Answer::Done
    };
    let [first, second, other]: [&[u8]; 3] = [
        b"PROXY TCP6 2001:db8::1 2001:db8::9 7 443\r\n",
        b"PROXY TCP6 2001:db8::ffff:2 2001:db8::9 7 443\r\n",
        b"PROXY TCP6 2001:db8:0:1::1 2001:db8::9 7 443\r\n",
    ];
    assert!(made(first, 1).await && made(second, 2).await);
    assert!(!made(first, 3).await && !made(second, 4).await, "an IPv6 address is its network");
    assert!(made(other, 3).await);
    relay.drain().await.unwrap().close().await;
}
