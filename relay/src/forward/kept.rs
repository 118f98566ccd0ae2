//! Connections to other relays that are kept a while for what comes soon after. None outlives its use: a far end that takes
//! nothing more in cannot hold one open.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use sotto_outer::RelayAddress;
use tokio::{task::AbortHandle, time::Instant};

/// How long a connection without use is kept: a little less than the other side does.
pub(super) const IDLE: Duration = Duration::from_secs(8);
/// Connections kept, to one relay and in all.
const KEPT_MAX: (usize, usize) = (4, 256);

/// A connection to another relay; dropped, it is cut.
pub(super) struct Line {
    /// Takes requests.
    pub(super) requests: SendRequest<Full<Bytes>>,
    /// Where it leads.
    pub(super) address: SocketAddr,
    driver: AbortHandle,
}

/// The connections that are kept.
#[derive(Default)]
pub(super) struct Kept(HashMap<RelayAddress, Vec<(Line, Instant)>>);

impl Line {
    /// A connection, and the task that drives it.
    pub(super) const fn new(requests: SendRequest<Full<Bytes>>, address: SocketAddr, driver: AbortHandle) -> Self {
        Self { requests, address, driver }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Kept {
    /// A connection to this relay that was lately in use.
    pub(super) fn take(&mut self, target: &RelayAddress, now: Instant) -> Option<Line> {
        self.forget(now);
        let lines = self.0.get_mut(target)?;
        let line = lines.pop().map(|(line, _)| line);
        if lines.is_empty() {
            self.0.remove(target);
        }
        line
    }

    /// Keeps a connection, where there is room.
    pub(super) fn keep(&mut self, target: &RelayAddress, line: Line, now: Instant) {
        let (of_one_max, max) = KEPT_MAX;
        self.forget(now);
        if self.0.values().map(Vec::len).sum::<usize>() >= max {
            return;
        }
        let lines = self.0.entry(target.clone()).or_default();
        if lines.len() < of_one_max {
            lines.push((line, now));
        }
    }

    /// Cuts those that were not used for a while.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, lines| {
            lines.retain(|(line, since)| now.duration_since(*since) < IDLE && !line.requests.is_closed());
            !lines.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use sotto_outer::Tls;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// A connection that would never end by itself, and its far end.
    async fn line() -> (Line, DuplexStream) {
        let (near, far) = duplex(64);
        let (requests, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        let driver = tokio::spawn(async move {
            let _connection = connection;
            std::future::pending::<()>().await;
        });
        (Line::new(requests, ([1, 1, 1, 1], 1).into(), driver.abort_handle()), far)
    }

    fn relay() -> RelayAddress {
        RelayAddress::new("relay.example", 443, Tls::Own, [1; 32].into()).unwrap()
    }

    async fn is_cut(far: &mut DuplexStream) -> bool {
        far.read_to_end(&mut vec![]).await.is_ok()
    }

    #[tokio::test]
    async fn a_connection_is_cut_when_it_is_not_needed_whatever_the_far_end_does() {
        let (line, mut far) = line().await;
        drop(line);
        assert!(is_cut(&mut far).await);
    }

    #[tokio::test]
    async fn what_is_kept_is_taken_once_or_cut_when_its_time_is_over() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let ((first, mut first_far), (second, _second_far)) = (line().await, line().await);
        kept.keep(&relay(), first, now);
        kept.keep(&relay(), second, now + IDLE / 2);
        kept.forget(now + IDLE);
        assert!(is_cut(&mut first_far).await);
        assert!(kept.take(&relay(), now + IDLE).is_some());
        assert!(kept.take(&relay(), now + IDLE).is_none() && kept.0.is_empty());
    }
}
