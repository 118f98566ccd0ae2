//! A small real server for this crate's tests: TCP, optionally TLS with a leaf signed by an identity, WebSocket.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PKCS_ED25519, PublicKeyData as _};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, RelayIdentity, Tls};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// A relay's long-lived key.
pub(crate) struct TestIdentity(KeyPair);

impl TestIdentity {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    pub(crate) fn public(&self) -> RelayIdentity {
        self.0.der_bytes().try_into().unwrap()
    }

    /// A server's configuration with a fresh leaf that this identity signed.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "sotto relay");
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = name;
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["relay.invalid".to_owned()])
            .unwrap()
            .signed_by(&leaf_key, &Issuer::from_params(&issuer, &self.0))
            .unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// A listening server.
pub(crate) struct TestRelay {
    listener: TcpListener,
    pub(crate) identity: TestIdentity,
}

impl TestRelay {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), identity: TestIdentity::new() }
    }

    pub(crate) fn address(&self, tls: Tls) -> RelayAddress {
        self.address_of(tls, self.identity.public())
    }

    pub(crate) fn address_of(&self, tls: Tls, identity: RelayIdentity) -> RelayAddress {
        RelayAddress::new("127.0.0.1", self.listener.local_addr().unwrap().port(), tls, identity).unwrap()
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn accept_tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.identity.server_config()).accept(self.accept_tcp().await).await
    }

    /// The next client, without TLS.
    pub(crate) async fn accept(&self) -> Peer<TcpStream> {
        Peer(accept_async(self.accept_tcp().await).await.unwrap())
    }
}

/// A client as the server sees it.
pub(crate) struct Peer<S>(pub(crate) WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn receive(&mut self) -> Option<ClientFrame> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Some(ClientFrame::decode(&bytes).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn send(&mut self, frame: &RelayFrame) {
        self.send_bytes(frame.encode()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::Binary(bytes.into())).await.unwrap();
    }
}
