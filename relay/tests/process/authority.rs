//! A certificate authority of our own on loopback: as much of ACME (RFC 8555, RFC 8737) as one order takes. It looks at the
//! challenge for real.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use data_encoding::BASE64URL_NOPAD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm,
};
use rustls::{
    ClientConfig, ServerConfig,
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, server::TlsStream};

use crate::blobs_client::Anyone;

const TOKEN: &str = "bm9ib2R5IGd1ZXNzZXMgdGhpcw";
/// The identifier of a challenge's extension, 1.3.6.1.5.5.7.1.31 (RFC 8737 §3).
const ACME_IDENTIFIER: &[u8] = &[0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f];

/// A root, and the server that issues under it.
pub(crate) struct Authority {
    pub(crate) root: Certificate,
    issuer: Issuer<'static, KeyPair>,
    address: SocketAddr,
    /// Where the relay is that says it has the name.
    relay: OnceLock<SocketAddr>,
    nonces: AtomicU64,
    order: Mutex<Order>,
    /// Orders that were made.
    pub(crate) orders: AtomicU64,
}

#[derive(Default)]
struct Order {
    name: String,
    thumbprint: String,
    is_proved: bool,
    certificate: Option<String>,
}

type Answer = (StatusCode, HeaderMap, String);

impl Authority {
    /// Serves on a port of its own until the test ends.
    pub(crate) async fn start() -> Arc<Self> {
        let (root, issuer) = root();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TlsListener::new(listener, &issuer);
        let authority = Arc::new(Self {
            root,
            issuer,
            address,
            relay: OnceLock::new(),
            nonces: AtomicU64::new(0),
            order: Mutex::default(),
            orders: AtomicU64::new(0),
        });
        let router = router(&authority);
        tokio::spawn(async move { axum::serve(listener, router).await });
        authority
    }

    pub(crate) fn directory(&self) -> String {
        self.url("directory")
    }

    pub(crate) fn write_root(&self, path: &Path) {
        std::fs::write(path, self.root.pem()).unwrap();
    }

    pub(crate) fn set_relay(&self, address: SocketAddr) {
        self.relay.set(address).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.address.port())
    }

    fn answer(&self, status: StatusCode, location: &str, body: String) -> Answer {
        let mut headers = HeaderMap::new();
        let nonce = self.nonces.fetch_add(1, Ordering::Relaxed);
        headers.insert("replay-nonce", format!("nonce-{nonce}").parse().unwrap());
        headers.insert("location", self.url(location).parse().unwrap());
        (status, headers, body)
    }

    fn json(&self, location: &str, body: &Value) -> Answer {
        let created = matches!(location, "account/1" | "order/1");
        self.answer(if created { StatusCode::CREATED } else { StatusCode::OK }, location, body.to_string())
    }

    fn order(&self) -> Value {
        let order = self.order.lock().unwrap();
        let status = match (&order.certificate, order.is_proved) {
            (Some(_), _) => "valid",
            (None, true) => "ready",
            (None, false) => "pending",
        };
        json!({
            "status": status,
            "identifiers": [{ "type": "dns", "value": order.name }],
            "authorizations": [self.url("authorization")],
            "finalize": self.url("finalize"),
            "certificate": order.certificate.as_ref().map(|_| self.url("certificate")),
        })
    }

    fn challenge(&self) -> Value {
        let status = if self.order.lock().unwrap().is_proved { "valid" } else { "pending" };
        json!({ "type": "tls-alpn-01", "url": self.url("challenge"), "token": TOKEN, "status": status })
    }

    /// Looks at what the relay shows for the name.
    async fn look(&self) -> bool {
        let (name, proof) = {
            let order = self.order.lock().unwrap();
            (order.name.clone(), Sha256::digest(format!("{TOKEN}.{}", order.thumbprint)))
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            // A challenge is signed by nobody.
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let stream = TcpStream::connect(self.relay.get().unwrap()).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        let Ok(stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else { return false };
        let (_, tls) = stream.get_ref();
        let shown = tls.peer_certificates().unwrap()[0].as_ref();
        let has = |part: &[u8]| shown.windows(part.len()).any(|window| window == part);
        tls.alpn_protocol() == Some(b"acme-tls/1") && has(ACME_IDENTIFIER) && has(&proof)
    }

    fn issue(&self, request: &[u8]) -> String {
        let name = self.order.lock().unwrap().name.clone();
        let key = request.windows(3).position(|window| window == [0x03, 0x42, 0x00]).unwrap() + 3;
        let key = Point(request[key..key + 65].to_vec());
        CertificateParams::new([name]).unwrap().signed_by(&key, &self.issuer).unwrap().pem()
    }
}

/// A public key of P-256, as a request has it.
struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn router(authority: &Arc<Authority>) -> Router {
    Router::new()
        .route("/directory", get(directory))
        .route("/nonce", get(nonce))
        .route("/account", post(account))
        .route("/order", post(new_order))
        .route("/order/1", post(order))
        .route("/authorization", post(authorization))
        .route("/challenge", post(challenge))
        .route("/finalize", post(finalize))
        .route("/certificate", post(certificate))
        .with_state(Arc::clone(authority))
}

type House = State<Arc<Authority>>;

async fn directory(State(house): House) -> Answer {
    let [nonce, account, order] = ["nonce", "account", "order"].map(|path| house.url(path));
    house.json("directory", &json!({ "newNonce": nonce, "newAccount": account, "newOrder": order }))
}

async fn nonce(State(house): House) -> Answer {
    house.answer(StatusCode::OK, "nonce", String::new())
}

async fn account(State(house): House, body: String) -> Answer {
    let jwk = part(&body, "protected")["jwk"].clone();
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    house.order.lock().unwrap().thumbprint = BASE64URL_NOPAD.encode(&Sha256::digest(canonical));
    house.json("account/1", &json!({ "status": "valid" }))
}

async fn new_order(State(house): House, body: String) -> Answer {
    let name = part(&body, "payload")["identifiers"][0]["value"].as_str().unwrap().to_owned();
    {
        let mut order = house.order.lock().unwrap();
        *order = Order { name, thumbprint: order.thumbprint.clone(), ..Order::default() };
    }
    house.orders.fetch_add(1, Ordering::Relaxed);
    house.json("order/1", &house.order())
}

async fn order(State(house): House) -> Answer {
    house.answer(StatusCode::OK, "order/1", house.order().to_string())
}

async fn authorization(State(house): House) -> Answer {
    let name = house.order.lock().unwrap().name.clone();
    let challenge = house.challenge();
    let identifier = json!({ "type": "dns", "value": name });
    let body = json!({ "identifier": identifier, "status": challenge["status"], "challenges": [challenge] });
    house.json("authorization", &body)
}

async fn challenge(State(house): House) -> Answer {
    let is_proved = house.look().await;
    house.order.lock().unwrap().is_proved = is_proved;
    house.json("challenge", &house.challenge())
}

async fn finalize(State(house): House, body: String) -> Answer {
    assert!(house.order.lock().unwrap().is_proved, "not proved");
    let request = part(&body, "payload")["csr"].as_str().unwrap().to_owned();
    let issued = house.issue(&BASE64URL_NOPAD.decode(request.as_bytes()).unwrap());
    house.order.lock().unwrap().certificate = Some(issued);
    house.json("finalize", &house.order())
}

async fn certificate(State(house): House) -> Answer {
    let issued = house.order.lock().unwrap().certificate.clone().unwrap();
    house.answer(StatusCode::OK, "certificate", issued)
}

/// A part of a signed request (RFC 7515 §7.2).
fn part(body: &str, name: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(body[name].as_str().unwrap().as_bytes()).unwrap()).unwrap()
}

/// A root, and what it signs with.
pub(crate) fn root() -> (Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    (root, Issuer::new(params, key))
}

/// TLS for `axum::serve`.
pub(crate) struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// As `localhost`, which this root vouches for.
    pub(crate) fn new(listener: TcpListener, issuer: &Issuer<'static, KeyPair>) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The one provider of this house.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
