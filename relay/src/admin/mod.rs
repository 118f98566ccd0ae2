//! The host's own door to a running relay: a Unix socket in its folder.
//!
//! One connection carries one question and one answer, each a line of JSON. Only the user whom the relay runs as, and root,
//! are heard. Nothing that a client could ask is asked here, and nothing here is reachable from a network.
//!
//! ```text
//!  sotto-relay status ──► admin.sock ──► Desk ──► core (Input::Host), or the process (Errand)
//! ```

mod client;
mod desk;
mod server;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::{client::ask, client::ask_and_wait, desk::Desk, desk::Errand, server::Door};
use crate::storage::sqlite::count::Counts;

/// Of what is said through this door. Both ends are one program, mostly; after an upgrade the older one may still run.
const VERSION: u32 = 1;
/// Bytes of one question.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of one answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Ids of one `block`.
pub(crate) const BLOCK_IDS_MAX: usize = 256;

/// A question as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    version: u32,
    request: Request,
}

/// What the host asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// How it goes.
    Status,
    /// Suspend what these ids name, or give it back.
    Block {
        /// As text.
        ids: Vec<String>,
        /// Suspend, or give back.
        blocked: bool,
    },
    /// End in order.
    Drain,
    /// Show clients another certificate.
    RotateCert,
}

/// What the host is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// How it goes.
    Status(Box<Status>),
    /// What became of each id.
    Blocked {
        /// In their order.
        reports: Vec<BlockReport>,
    },
    /// It is so.
    Done,
    /// It is not, and nothing was changed.
    Refused {
        /// A sentence for the host.
        reason: String,
    },
}

/// What became of one reported id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlockReport {
    /// `mailbox`, `bundle`, `blob`, `channel` or `nothing`.
    pub(crate) names: String,
    /// Whether this changed anything.
    pub(crate) is_new: bool,
}

/// How a running relay goes. Counts and words, no ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Of the program that runs, which may be older than the one that asks.
    pub(crate) version: String,
    pub(crate) uptime_secs: u64,
    /// `ready`, `draining` or `storage fails`: what `/readyz` says.
    pub(crate) state: String,
    pub(crate) connections: usize,
    pub(crate) subscriptions: usize,
    /// Operations on their way to the store.
    pub(crate) storage_waiting: usize,
    /// How long the latest batch took to become durable.
    pub(crate) storage_latest_micros: u64,
    /// Of `create`, `send` and `subscribe`, which are turned away now.
    pub(crate) turned_away: Vec<String>,
    pub(crate) disk_free_bytes: Option<u64>,
    /// None where the database cannot be read beside the relay.
    pub(crate) stored: Option<Counts>,
}

/// Why a relay could not be asked, or would not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// Nobody has the lock.
    #[error("no relay runs from {}; nothing was changed. `sotto-relay run --data` starts it", .0.display())]
    NotRunning(PathBuf),
    /// Somebody has the lock and no socket.
    #[error("a relay runs from {} and does not answer: it is starting or stopping, or its admin.sock is gone; try again", .0.display())]
    Silent(PathBuf),
    /// The socket belongs to another user.
    #[error("this relay runs as another user; ask as that user, or as root")]
    NotAllowed,
    /// The running program is of another version.
    #[error("the relay that runs is of another version and does not understand this; restart it")]
    Misunderstood,
    /// It said why.
    #[error("{0}")]
    Refused(String),
    /// The system.
    #[error("the relay could not be asked ({0})")]
    System(#[from] std::io::Error),
}

/// Where the socket is.
fn socket(data: &Path) -> PathBuf {
    data.join("admin.sock")
}
