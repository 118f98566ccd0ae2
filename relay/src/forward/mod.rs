//! Two hops [REL-63]: this relay carries sealed commands to other relays, and opens those that come to it through others.
//!
//! - [`keys`]: the X-Wing key of the week, to which commands are sealed, and its file.
//! - [`sealed`]: opening a command, sealing its answer.
//! - [`replays`]: no command is taken twice.
//! - [`names`]: what a name leads to; [`reach`]: which addresses may be dialled for others; [`neighbours`]: the host's own.
//! - [`hop`]: asking another relay; [`crowd`]: how many ask one at a time; [`left_alone`]: which are not asked for a while;
//!   [`kept`]: connections for what comes soon after.
//! - [`pin`]: who must answer there.

mod crowd;
mod hop;
mod kept;
mod keys;
mod left_alone;
mod names;
mod neighbours;
mod pin;
mod reach;
mod replays;
mod sealed;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use hop::Settings;
pub(crate) use hop::{Failure, Hops};
pub(crate) use keys::{ForwardKeys, KeysError};
pub(crate) use pin::pinned;
pub(crate) use replays::{Freshness, Replays};
pub(crate) use sealed::{OpenedCommand, open};

/// What no panic can leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
