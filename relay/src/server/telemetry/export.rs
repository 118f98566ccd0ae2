//! The task that brings spans to the collector. Whatever waits is one request; nothing is tried twice.

use std::{io, sync::Arc, time::Duration};

use axum::http::{
    Request,
    header::{CONTENT_TYPE, HOST},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsConnector;

use super::{clock::Clock, collector::Collector, otlp, span::Span};
use crate::server::{Metrics, clock, roots::trusting};

/// Spans that may wait; more are dropped.
const WAITING_MAX: usize = 2_048;
/// Spans of one request.
const SPANS_MAX: usize = 512;
/// How long a collector may take to answer.
const ANSWER_SECS: u64 = 10;
/// How large its answer may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a collector that failed is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Where spans are put: taken, or counted and dropped, at once.
#[derive(Clone)]
pub(super) struct Recorder {
    queue: mpsc::Sender<Span>,
    metrics: Arc<Metrics>,
}

/// The way to a collector.
struct Export {
    collector: Collector,
    tls: Option<TlsConnector>,
    line: Option<SendRequest<Full<Bytes>>>,
}

impl Recorder {
    /// Starts the task; it ends with the last recorder.
    pub(super) fn start(collector: Collector, metrics: Arc<Metrics>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(collector, waiting, Arc::clone(&metrics)));
        Self { queue, metrics }
    }

    pub(super) fn record(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.metrics.count_spans_dropped(1);
        }
    }
}

async fn run(collector: Collector, mut waiting: mpsc::Receiver<Span>, metrics: Arc<Metrics>) {
    let mut export = Export {
        tls: collector.is_tls.then(|| trusting(None).ok()).flatten().map(TlsConnector::from),
        collector,
        line: None,
    };
    let mut clock = Clock::new(std::time::Instant::now(), unix());
    let mut spans = Vec::with_capacity(SPANS_MAX);
    let mut works = true;
    while waiting.recv_many(&mut spans, SPANS_MAX).await > 0 {
        clock.follow(std::time::Instant::now(), unix());
        let body = otlp::encode(&spans, &clock);
        let sent = timeout(Duration::from_secs(ANSWER_SECS), export.send(body.into())).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &sent {
            metrics.count_spans_dropped(spans.len());
            if works {
                tracing::warn!(kind = %error.kind(), "the collector of traces takes none; spans are dropped");
            }
            export.line = None;
            // The queue fills meanwhile, and what has no place in it is dropped.
            sleep_until(Instant::now() + PAUSE).await;
        }
        works = sent.is_ok();
        spans.clear();
    }
}

fn unix() -> Duration {
    Duration::from_millis(clock::now().as_millis())
}

impl Export {
    async fn send(&mut self, body: Bytes) -> io::Result<()> {
        let mut line = match self.line.take() {
            Some(line) if !line.is_closed() => line,
            Some(_) | None => self.connect().await?,
        };
        line.ready().await.map_err(io::Error::other)?;
        let request = Request::post(&self.collector.path)
            .header(HOST, self.collector.authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        let answer = line.send_request(request.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let status = answer.status();
        // Read to its end, or the connection cannot be used again.
        Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(io::Error::other)?;
        if !status.is_success() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.line = Some(line);
        Ok(())
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = self.dial().await?;
        stream.set_nodelay(true)?;
        if !self.collector.is_tls {
            return speak(stream).await;
        }
        let tls = self.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let name = ServerName::try_from(self.collector.host().to_owned()).map_err(io::Error::other)?;
        speak(tls.connect(name, stream).await?).await
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let mut last = io::ErrorKind::AddrNotAvailable.into();
        for address in lookup_host((self.collector.host(), self.collector.port())).await? {
            if !self.collector.may_dial(address.ip()) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<SendRequest<Full<Bytes>>> {
    let (line, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the line.
    tokio::spawn(connection);
    Ok(line)
}
