//! The door: what a connection passes before HTTP is spoken on it. A place among all connections, the proxy's word about who
//! it is, TLS.
//!
//! All of it together must be done in [`ENTER_SECS`]. Whoever finds no place is let go at once. Few enter at a time, in their
//! turn: where thousands come back at once, whoever is in already does not wait behind all of them.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::available_parallelism,
    time::Duration,
};

use axum::http::Request;
use axum_server::accept::Accept;
use rustls::server::Acceptor;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    task::yield_now,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tower_service::Service;

use super::{Metrics, callers::Callers, certificate::ACME_ALPN, proxy, sockets::probe_when_quiet};
use crate::core::Origin;

/// How long a connection may take until HTTP can be spoken on it.
const ENTER_SECS: u64 = 10;
/// The exporter's label (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What ties a proof to one TLS connection (RFC 9266).
pub(super) type Exporter = [u8; 32];

/// Lets connections in.
#[derive(Clone)]
pub(super) struct Door {
    rules: Arc<Rules>,
    /// Turns to enter, which with TLS is to agree on keys: for half of the processors.
    turns: Arc<Semaphore>,
}

/// What holds for all connections of a port.
pub(super) struct Rules {
    /// TLS, where it ends here.
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether `info` proves the relay for the TLS connection itself.
    pub(super) is_bound: bool,
    /// Places for connections.
    pub(super) places: Arc<Semaphore>,
    /// Whose connections they are, where proxies say it.
    pub(super) callers: Callers,
    pub(super) metrics: Arc<Metrics>,
}

/// What is known of a connection besides its requests; each request carries it.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The exporter, where `info` proves the relay for it.
    pub(super) exporter: Option<Box<Exporter>>,
    /// Where it comes from, where proxies are trusted to say that.
    pub(super) origin: Option<Origin>,
}

impl Door {
    pub(super) fn new(rules: Rules) -> Self {
        let processors = available_parallelism().map_or(1, |count| count.get());
        Self { rules: Arc::new(rules), turns: Arc::new(Semaphore::new(processors.div_ceil(2))) }
    }
}

impl Rules {
    async fn enter(&self, mut stream: TcpStream, turns: &Semaphore) -> io::Result<(Line, Caller)> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.metrics.count_turned_away();
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        stream.set_nodelay(true)?;
        probe_when_quiet(&stream)?;
        let peer = stream.peer_addr()?.ip();
        // A proxy that speaks for itself has no rate: it looks whether the relay lives.
        let caller = if self.callers.trusts(peer) { proxy::read(&mut stream).await? } else { Some(peer) };
        if caller.is_some_and(|address| !self.callers.admits(address)) {
            self.metrics.count_turned_away();
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let origin = caller.and_then(|address| self.callers.origin(address));
        let Some(config) = &self.tls else {
            drop(turn(turns).await?);
            return Ok((Line { stream: Stream::Plain(stream), _place: place }, Caller { exporter: None, origin }));
        };
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let keys_agreed = {
            let _turn = turn(turns).await?;
            hello.into_stream(Arc::clone(config))
        };
        let stream = keys_agreed.await?;
        let (_, tls) = stream.get_ref();
        if tls.alpn_protocol() == Some(ACME_ALPN) {
            // The authority has seen what it wanted (RFC 8737 §3).
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let exporter = if self.is_bound { Some(Box::new(export(tls)?)) } else { None };
        Ok((Line { stream: Stream::Tls(Box::new(stream)), _place: place }, Caller { exporter, origin }))
    }
}

/// A turn to enter. All that is ready when it comes goes first, and so between two turns.
async fn turn(turns: &Semaphore) -> io::Result<SemaphorePermit<'_>> {
    let turn = turns.acquire().await.map_err(io::Error::other)?;
    yield_now().await;
    Ok(turn)
}

fn export(tls: &rustls::ServerConnection) -> io::Result<Exporter> {
    tls.export_keying_material([0; 32], EXPORTER_LABEL, None).map_err(io::Error::other)
}

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Line;
    type Service = Called<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Line, Called<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Self { rules, turns } = self.clone();
        Box::pin(async move {
            let entered = timeout(Duration::from_secs(ENTER_SECS), rules.enter(stream, &turns)).await;
            let (line, caller) = entered.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok((line, Called { service, caller }))
        })
    }
}

/// A connection that was let in. Its place is free again when it is dropped.
pub(super) struct Line {
    stream: Stream,
    _place: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A service whose requests carry their [`Caller`].
#[derive(Clone)]
pub(super) struct Called<S> {
    service: S,
    caller: Caller,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Called<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.caller.clone());
        self.service.call(request)
    }
}
