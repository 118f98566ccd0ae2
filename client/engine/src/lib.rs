//! The client's mind: a pure state machine. Events go in with time, chance and an open transaction; a batch of rows comes out,
//! and effects that wait until it is durable.
//!
//! No clock, socket, file or generator is reached from here, and nothing is kept between calls but caches, so a world of
//! clients and relays replays from one seed.

mod batch;
mod context;
mod effect;
mod event;
mod journal;
mod rows;
mod step;
pub mod view;

pub use batch::Batch;
pub use context::{Context, Timestamp};
pub use effect::{Change, Effect, IntentError, Notice, Outcome, RelayProblem};
pub use event::{ContactId, Event, Intent, Ticket};
pub use journal::{Happening, JournalEntry};
pub use rows::{Order, Range, Rows, RowsError, Table, Value};
pub use step::{Committed, Step};
pub use view::{AccountView, ContactState, ContactView, MessageStatus, MessageView, Totals};

/// The engine. Holds caches alone; dropping it loses nothing that was committed.
#[derive(Debug, Default)]
pub struct Engine {}

impl Engine {
    /// An engine with empty caches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`RowsError`] if the database cannot be read: the caller drops the engine, rolls back and begins anew.
    pub fn handle(&mut self, _cx: &mut Context<'_>, _event: Event) -> Result<Step, RowsError> {
        Ok(Step::default())
    }
}
