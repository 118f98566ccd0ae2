//! Two hops [REL-63]: this relay carries sealed commands to other relays, and opens those that come to it through others.
//!
//! - [`keys`]: the X-Wing key of the week, to which commands are sealed, and its file.
//! - [`sealed`]: opening a command, sealing its answer.
//! - [`replays`]: no command is taken twice.
//! - [`reach`]: which addresses may be dialled for others.
//! - [`hop`]: asking another relay.
//! - [`pin`]: who must answer there.

mod hop;
mod keys;
mod pin;
mod reach;
mod replays;
mod sealed;

pub use hop::Settings;
pub(crate) use hop::{Failure, Hops};
pub(crate) use keys::{ForwardKeys, KeysError};
pub(crate) use replays::{Freshness, Replays};
pub(crate) use sealed::{OpenedCommand, open};
