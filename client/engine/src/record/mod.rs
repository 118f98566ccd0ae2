//! What the rows mean: one record a table, encoded as CBOR maps like the wire's types, strictly.
//!
//! Records are private to a profile; their format is the store's, and changes with its version.

mod account;
mod contact;
mod mailbox;
mod message;
mod outbox;
mod prekey;
mod secret;
mod session;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::{RowsError, Table, Value};

pub use account::{Account, CurrentPrekeys};
pub use contact::Contact;
pub use mailbox::{Known, OwnBundle, OwnMailbox};
pub use message::MessageRow;
pub use outbox::{OutboxRow, Sealed};
pub use prekey::{PrekeyRow, TagRow};
pub use secret::SecretBytes;
pub use session::{Front, SessionRow};

/// A type that is kept as rows of one table.
pub trait Record: Encode<()> + for<'b> Decode<'b, ()> {
    /// Where its rows lie.
    const TABLE: Table;

    /// The row's bytes.
    fn to_row(&self) -> Value {
        Zeroizing::new(minicbor::to_vec(self).expect("writing to a Vec cannot fail"))
    }

    /// Reads a row back.
    ///
    /// # Errors
    /// [`RowsError`] if the row is damaged.
    fn from_row(bytes: &[u8]) -> Result<Self, RowsError> {
        minicbor::decode(bytes).map_err(|_| RowsError(format!("a row of {:?} is damaged", Self::TABLE)))
    }
}
