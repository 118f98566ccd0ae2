//! Connections to relays: one task a line that dials, proves the pin, carries frames both ways and dials again.
//!
//! Frames travel over a WebSocket, or by long poll where no WebSocket lives; straight, or through a SOCKS5 proxy.
//!
//! Nothing here knows what a frame means or who may read it. Memory is bounded: a reader that is slow to take events
//! makes its relays wait, and a relay that is slow to take frames loses its connection.
//!
//! ```no_run
//! # async fn example(address: sotto_outer::RelayAddress) {
//! let (events, mut inbox) = tokio::sync::mpsc::channel(sotto_net::EVENTS_MAX);
//! let route = sotto_net::Route::default(); // straight
//! let relay = sotto_net::RelayTask::spawn(sotto_net::TaskNumber(1), address, route, events);
//! while let Some(event) = inbox.recv().await {
//!     if let sotto_net::What::Connected { .. } = event.what {
//!         // Told within 20 s that the relay proved who it is, the connection stays.
//!         relay.proven(event.connection);
//!     }
//! }
//! relay.stop().await;
//! # }
//! ```

mod backoff;
mod choice;
mod connection;
mod dial;
mod error;
mod long_poll;
mod lookup;
mod places;
mod relay_task;
mod route;
#[cfg(test)]
mod test_places;
#[cfg(test)]
mod test_polls;
#[cfg(test)]
mod test_proxy;
#[cfg(test)]
mod test_relay;
#[cfg(test)]
mod tests;
mod tls;
mod web_socket;

pub use backoff::Backoff;
pub use connection::{Connection, Transport};
pub use error::{NetError, ProxyRefusal};
pub use relay_task::{ConnectionNumber, NetEvent, RelayTask, TaskNumber, What};
pub use route::{Proxy, ProxyError, Route};

/// A good size for the channel of events: this many frames wait for a slow engine, then relays wait.
pub const EVENTS_MAX: usize = 256;
