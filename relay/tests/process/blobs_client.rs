//! A client that keeps blobs at a real relay, with TLS or without: frames for what is made and committed, HTTP for the bytes.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HOST, RANGE},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use sotto_outer::{
    Answer, BlobCapability, BlobCreate, BlobState, BlobWriter, CapabilityHash, ClientFrame, Command, Info, RelayFrame,
    VERSION, blob,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

pub(crate) type Gone = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = core::result::Result<T, Gone>;
type Body = BoxBody<Bytes, io::Error>;

/// What a connection runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where a relay is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    tls: Option<TlsConnector>,
}

/// A blob that somebody has.
#[derive(Clone, Copy)]
pub(crate) struct Blob {
    pub(crate) name: u8,
    pub(crate) bytes: u64,
}

/// A greeted connection for frames.
pub(crate) struct Frames {
    socket: WebSocketStream<Box<dyn Stream>>,
    requests: u32,
}

/// A connection for bytes.
pub(crate) struct Http(SendRequest<Body>);

impl Place {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// Any certificate will do: whose it is, other tests look at.
    pub(crate) fn tls(address: SocketAddr) -> Self {
        Self { address, tls: Some(TlsConnector::from(trusting())) }
    }

    pub(crate) async fn dial(&self) -> Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => Ok(Box::new(tls.connect(name(), stream).await?)),
        }
    }

    pub(crate) async fn frames(&self) -> Result<Frames> {
        let url = format!("ws://{}/v1/stream", self.address);
        let (socket, _) = client_async(url, self.dial().await?).await?;
        let mut frames = Frames { socket, requests: 0 };
        let info = frames.ask(Command::Info(Info { version: VERSION, nonce: [3; 32].into() })).await?;
        assert!(matches!(info, Answer::Info(_)), "a relay greets");
        Ok(frames)
    }

    pub(crate) async fn http(&self) -> Result<Http> {
        let (requests, connection) = http1::handshake(TokioIo::new(self.dial().await?)).await?;
        tokio::spawn(connection);
        Ok(Http(requests))
    }
}

impl Frames {
    pub(crate) async fn ask(&mut self, command: Command) -> Result<Answer> {
        self.requests += 1;
        let frame = ClientFrame { request: self.requests, command }.encode();
        self.socket.send(Message::Binary(frame.into())).await?;
        loop {
            let Message::Binary(bytes) = self.socket.next().await.ok_or("the relay is gone")?? else { continue };
            match RelayFrame::decode(&bytes).expect("a frame") {
                RelayFrame::Answer { request, answer } if request == self.requests => return Ok(answer),
                _ => {}
            }
        }
    }

    pub(crate) async fn create(&mut self, blob: &Blob) -> Result<BlobState> {
        self.state(Command::BlobCreate(blob.create())).await
    }

    pub(crate) async fn commit(&mut self, blob: &Blob) -> Result<BlobState> {
        self.state(Command::BlobCommit(blob.writer())).await
    }

    async fn state(&mut self, command: Command) -> Result<BlobState> {
        match self.ask(command).await? {
            Answer::Blob(state) => Ok(state),
            other => Err(format!("{other:?}").into()),
        }
    }
}

impl Blob {
    pub(crate) fn create(&self) -> BlobCreate {
        let hash =
            |capability: BlobCapability| CapabilityHash::from(<[u8; 32]>::from(Sha256::digest(capability.as_bytes())));
        BlobCreate {
            blob: [self.name; 16].into(),
            bytes: self.bytes,
            write_hash: hash(self.write()),
            read_hash: hash(self.read()),
            token: None,
            proof: None,
        }
    }

    pub(crate) fn writer(&self) -> BlobWriter {
        BlobWriter { blob: [self.name; 16].into(), capability: self.write() }
    }

    fn write(&self) -> BlobCapability {
        [self.name; 32].into()
    }

    fn read(&self) -> BlobCapability {
        [!self.name; 32].into()
    }

    /// What a reader shows.
    pub(crate) fn reader_shows(&self) -> String {
        blob::authorization(&[self.name; 16].into(), &self.read())
    }

    /// What a writer shows.
    pub(crate) fn writer_shows(&self) -> String {
        blob::authorization(&[self.name; 16].into(), &self.write())
    }

    /// The bytes of a part: numbers that no other part and no other blob has.
    pub(crate) fn part(&self, part: u32) -> Bytes {
        let range = blob::part_range(self.bytes, part);
        let len = usize::try_from(range.end - range.start).expect("4 MiB");
        let mut bytes = Vec::with_capacity(len + 8);
        let mut number = u64::from(self.name) << 48 | u64::from(part) << 24;
        while bytes.len() < len {
            bytes.extend_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
            number += 1;
        }
        bytes.truncate(len);
        bytes.into()
    }

    pub(crate) fn parts(&self) -> u32 {
        blob::parts(self.bytes)
    }

    pub(crate) fn content_range(&self, part: u32) -> String {
        let range = blob::part_range(self.bytes, part);
        format!("bytes {}-{}/{}", range.start, range.end - 1, self.bytes)
    }

    /// All bytes.
    pub(crate) fn all(&self) -> Vec<u8> {
        (0..self.parts()).flat_map(|part| self.part(part)).collect()
    }
}

impl Http {
    pub(crate) async fn put(&mut self, blob: &Blob, part: u32) -> Result<StatusCode> {
        let request = request(Method::PUT, &blob.writer_shows(), &[(CONTENT_RANGE, blob.content_range(part))]);
        self.send(request, vec![Ok(blob.part(part))]).await
    }

    /// Sends a request whose body is these pieces; one that fails breaks the connection.
    pub(crate) async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        pieces: Vec<io::Result<Bytes>>,
    ) -> Result<StatusCode> {
        let bytes: usize = pieces.iter().flatten().map(Bytes::len).sum();
        let has_length = request.headers_ref().is_some_and(|headers| headers.contains_key(CONTENT_LENGTH));
        let request = if has_length { request } else { request.header(CONTENT_LENGTH, bytes) };
        let body = StreamBody::new(stream::iter(pieces.into_iter().map(|piece| piece.map(Frame::data))));
        self.0.ready().await?;
        let response = self.0.send_request(request.body(BodyExt::boxed(body))?).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// Asks to read; the body is still to come.
    pub(crate) async fn ask(&mut self, method: Method, shown: &str, range: Option<&str>) -> Result<Response<Incoming>> {
        let headers = range.map(|range| (RANGE, range.to_owned()));
        let request = request(method, shown, headers.as_slice());
        self.0.ready().await?;
        Ok(self.0.send_request(request.body(empty())?).await?)
    }

    pub(crate) async fn get(&mut self, blob: &Blob, range: Option<&str>) -> Result<(StatusCode, Bytes)> {
        let response = self.ask(Method::GET, &blob.reader_shows(), range).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

pub(crate) fn request(
    method: Method,
    shown: &str,
    headers: &[(hyper::header::HeaderName, String)],
) -> hyper::http::request::Builder {
    let request = Request::builder().method(method).uri("/v1/blob").header(HOST, "relay").header(AUTHORIZATION, shown);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed()
}

/// TLS 1.3 with whoever answers.
pub(crate) fn trusting() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    Arc::new(config)
}

/// Whom a client names in its hello.
pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("relay.sotto.invalid").expect("a name")
}

/// Believes every certificate.
#[derive(Debug)]
pub(crate) struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> core::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> core::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> core::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
