//! HTTPS to the authority: one request a connection, bounded in size and time.

use std::{future::Future, io, path::Path, pin::Pin, sync::Arc, time::Duration};

use axum::http::{Request, Uri, header, uri::PathAndQuery};
use bytes::Bytes;
use http_body_util::Limited;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::server::roots::trusting;

/// How long an answer may take.
const ANSWER_SECS: u64 = 30;
/// How large it may be.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Speaks to the authority.
#[derive(Clone)]
pub(super) struct Http {
    tls: Arc<ClientConfig>,
}

impl Http {
    /// Trusts what the public web trusts, and the root in this PEM file.
    pub(super) fn new(root: Option<&Path>) -> io::Result<Self> {
        Ok(Self { tls: trusting(root)? })
    }

    async fn send(self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let uri = std::mem::take(request.uri_mut());
        let stream = TlsConnector::from(self.tls).connect(server(&uri)?, connect(&uri).await?).await.map_err(other)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(other)?;
        // It ends when the answer was read, or is not wanted any more.
        tokio::spawn(connection);
        let host = uri.authority().ok_or(Error::Str("a host"))?.as_str().parse().map_err(other)?;
        request.headers_mut().insert(header::HOST, host);
        *request.uri_mut() = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")).into();
        let answer = sender.send_request(request).await.map_err(other)?;
        Ok(answer.map(|body| Limited::new(body, ANSWER_BYTES_MAX)).into())
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let http = self.clone();
        Box::pin(async move { timeout(Duration::from_secs(ANSWER_SECS), http.send(request)).await.map_err(other)? })
    }
}

async fn connect(uri: &Uri) -> Result<TcpStream, Error> {
    let host = uri.host().ok_or(Error::Str("a host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await.map_err(other)
}

fn server(uri: &Uri) -> Result<ServerName<'static>, Error> {
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => ServerName::try_from(host.to_owned()).map_err(other),
        _ => Err(Error::Str("an https address")),
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
