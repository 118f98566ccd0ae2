//! Sockets that listen, and how many connections they may bring.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    ops::RangeInclusive,
    time::Duration,
};

use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    socket::{setsockopt, sockopt::Ipv6V6Only},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use super::StartError;

/// Connections that wait to be accepted: all clients of a house come back at once after a restart.
const BACKLOG: u32 = 4_096;
/// Silence after which the system asks a client's for a sign of life (RFC 9293 §3.8.4), in seconds; each connection has its own.
/// What stands between learns so, too, that the connection is in use.
const PROBE_AFTER_SECS: RangeInclusive<u64> = 60..=120;
/// How often it asks then.
const PROBE_EVERY: Duration = Duration::from_secs(15);
/// Probes without an answer after which the connection has ended.
const PROBES: u32 = 8;
/// Files kept for the database, the log, and what else is not a connection.
const FILES_RESERVED: u64 = 256;

/// Listens at each address.
pub(super) fn listen_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    let ipv4_has = |port| addresses.iter().any(|other| other.is_ipv4() && other.port() == port);
    addresses.iter().map(|address| listen(*address, address.is_ipv6() && ipv4_has(address.port()))).collect()
}

/// Listens at one address. `[::]` takes IPv4 as well, unless it is `ipv6_only`.
pub(super) fn listen(address: SocketAddr, ipv6_only: bool) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Listen { port: address.port(), error };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    socket.set_reuseaddr(true).map_err(failed)?;
    if ipv6_only {
        setsockopt(&socket, Ipv6V6Only, &true).map_err(|error| failed(error.into()))?;
    }
    socket.bind(address).map_err(failed)?;
    socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std).map_err(failed)
}

/// Has the system find out whether a quiet client is still there.
///
/// Not all at the same time: thousands that came at once would be asked at once, more than a queue of packets holds, and the
/// living among them would be taken for dead.
pub(super) fn probe_when_quiet(stream: &TcpStream) -> io::Result<()> {
    let after = Duration::from_secs(rand::random_range(PROBE_AFTER_SECS));
    let probes = TcpKeepalive::new().with_time(after).with_interval(PROBE_EVERY).with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// As many connections as files may be open, less a reserve. Lifts the limit to what the system allows.
pub(super) fn connections_max() -> usize {
    let files = lift_files_max().unwrap_or(1_024);
    let places = files.saturating_sub(FILES_RESERVED).max(files / 2);
    usize::try_from(places).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS)
}

fn lift_files_max() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Ok(hard),
        Err(_) => Ok(soft),
    }
}
