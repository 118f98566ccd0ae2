//! The client's mind: a pure state machine. Events go in with time, chance and an open transaction; a batch of rows comes out,
//! and effects that wait until it is durable.
//!
//! No clock, socket, file or generator is reached from here, and nothing is kept between calls but caches, so a world of
//! clients and relays replays from one seed.

mod account;
mod address;
mod admission;
mod batch;
mod bundles;
mod contacts;
mod context;
mod conversations;
mod credential;
mod effect;
mod engine;
mod event;
mod fetches;
mod first_contact;
mod holds;
mod housekeeping;
mod inbox;
mod journal;
mod line;
mod lines;
mod mailboxes;
mod memory;
mod moving;
mod outbox;
mod prekeys;
mod proof;
mod proxy;
mod receipts;
pub mod record;
mod relays;
mod repair;
mod rotation;
mod routes;
mod rows;
mod sessions;
mod step;
mod timers;
mod tokens;
mod told;
mod tolls;
pub mod view;
mod watcher;
mod work;

pub use admission::Admission;
pub use batch::Batch;
pub use context::{Context, Timestamp};
pub use credential::{Credential, NotACredential};
pub use effect::{Change, Effect, IntentError, Notice, Outcome, RelayProblem};
pub use engine::Engine;
pub use event::{ContactId, Event, Intent, Ticket};
pub use journal::{Happening, JournalEntry};
pub use line::{Line, Role};
pub use proxy::{ProxyAddress, ProxyAddressError};
pub use record::HoldReason;
pub use record::Remark;
pub use rows::{Order, Range, Rows, RowsError, Table, Value};
pub use step::{Committed, Step};
pub use view::{
    AccountView, AddressView, AdmissionView, ContactState, ContactView, MessageStatus, MessageView, Totals,
};
pub use watcher::Watcher;
