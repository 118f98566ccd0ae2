//! HTTP to an issuer: one request a connection, bounded in size and time, and wherever it would lead on, not followed.

use std::{io, path::Path, sync::Arc, time::Duration};

use axum::http::{
    HeaderValue, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::address::IssuerAddress;
use crate::server::roots::trusting;

/// How long an answer may take, all in all.
const ANSWER: Duration = Duration::from_secs(10);
/// How large it may be.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Speaks to an issuer.
pub(super) struct Http {
    tls: Arc<ClientConfig>,
}

/// A status, and what came with it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Http {
    /// Trusts what the public web trusts, and the root in this PEM file.
    pub(super) fn new(root: Option<&Path>) -> io::Result<Self> {
        Ok(Self { tls: trusting(root)? })
    }

    pub(super) async fn get(&self, address: &IssuerAddress) -> io::Result<Answer> {
        let request = Request::get(address.path_and_query()).body(Full::default());
        self.send(address, request.map_err(io::Error::other)?).await
    }

    /// Sends a form, and who sends it where that is told by HTTP's own means.
    pub(super) async fn post(
        &self,
        address: &IssuerAddress,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> io::Result<Answer> {
        let request = Request::post(address.path_and_query())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(form.into()));
        let mut request = request.map_err(io::Error::other)?;
        request.headers_mut().extend(authorization.map(|value| (AUTHORIZATION, value)));
        self.send(address, request).await
    }

    async fn send(&self, address: &IssuerAddress, mut request: Request<Full<Bytes>>) -> io::Result<Answer> {
        let host = address.authority().parse().map_err(io::Error::other)?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("sotto-relay"));
        let answer = timeout(ANSWER, self.exchange(address, request)).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn exchange(&self, address: &IssuerAddress, request: Request<Full<Bytes>>) -> io::Result<Answer> {
        let stream = dial(address).await?;
        stream.set_nodelay(true)?;
        if !address.is_tls() {
            return ask(stream, request).await;
        }
        let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
        ask(TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?, request).await
    }
}

async fn dial(address: &IssuerAddress) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for found in lookup_host((address.host(), address.port())).await? {
        if !address.may_dial(found.ip()) {
            continue;
        }
        match TcpStream::connect(found).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> io::Result<Answer> {
    let protocol = |_| io::Error::from(io::ErrorKind::InvalidData);
    let (mut line, connection) = handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    // It ends when the answer was read, or is not wanted any more.
    tokio::spawn(connection);
    let (head, body) = line.send_request(request).await.map_err(protocol)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?.to_bytes();
    Ok(Answer { status: head.status, body })
}
