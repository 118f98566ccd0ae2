//! What the rows mean: one record a table, encoded as CBOR maps like the wire's types, strictly.
//!
//! Records are private to a profile; their format is the store's, and changes with its version.

mod account;
mod admission;
mod contact;
mod mailbox;
mod mailboxes;
mod message;
mod outbox;
mod prekey;
mod secret;
mod session;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::{RowsError, Table, Value};

pub use account::{Account, Address, CurrentPrekeys};
pub use admission::{AdmissionRow, BatchRow, BlindedRow, TokenRow};
pub use contact::{Contact, HoldReason};
pub use mailbox::{Known, OwnBundle, OwnMailbox};
pub use mailboxes::{OurMailboxes, TheirMailboxes};
pub use message::{MessageRow, Remark};
pub use outbox::{OutboxRow, Sealed};
pub use prekey::{PrekeyRow, TagRow};
pub use secret::SecretBytes;
pub use session::{Front, SessionRow};

/// Counts bytes.
struct Length(usize);

impl minicbor::encode::Write for Length {
    type Error = std::convert::Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// A type that is kept as rows of one table.
pub trait Record: Encode<()> + for<'b> Decode<'b, ()> {
    /// Where its rows lie.
    const TABLE: Table;

    /// The row's bytes.
    fn to_row(&self) -> Value {
        // Measured first: a buffer that grows leaves pieces of secrets behind.
        let mut length = Length(0);
        minicbor::encode(self, &mut length).expect("counting cannot fail");
        let mut row = Zeroizing::new(Vec::with_capacity(length.0));
        minicbor::encode(self, &mut *row).expect("writing to a Vec cannot fail");
        row
    }

    /// Reads a row back.
    ///
    /// # Errors
    /// [`RowsError`] if the row is damaged.
    fn from_row(bytes: &[u8]) -> Result<Self, RowsError> {
        minicbor::decode(bytes).map_err(|_| RowsError(format!("a row of {:?} is damaged", Self::TABLE)))
    }
}
