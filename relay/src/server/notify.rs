//! Telling the service manager: ready, stopping, and still alive (`sd_notify(3)`: datagrams on the socket that
//! `NOTIFY_SOCKET` names). Without a manager nothing is said.
//!
//! A watchdog that only a timer feeds says that the timer works. Here each sign of life has been through the task of the
//! core and through the writer, behind all that waits there: see `Relay::pulse`.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
    time::Duration,
};

/// Signs of life within one `WatchdogSec`.
const BEATS: u32 = 3;

/// The service manager, if there is one.
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says.
    pub fn from_environment() -> Self {
        let socket = env::var("NOTIFY_SOCKET").ok().and_then(|name| connect(&name).ok());
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_mine && *micros > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// How often a sign of life is expected, if at all.
    pub fn beat(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|watchdog| watchdog / BEATS)
    }

    /// Clients can connect.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// Core and writer have answered.
    pub fn alive(&self, status: &str) {
        self.say(&format!("WATCHDOG=1\nSTATUS={status}"));
    }

    /// The end begins.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=answering what was asked");
    }

    fn say(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        // A manager that does not listen restarts the relay by its own rules; there is nobody else to tell.
        let _ = socket.send(text.as_bytes());
    }
}

/// A path, or a name without a file, which begins with `@`.
fn connect(name: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
