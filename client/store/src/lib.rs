//! The client's encrypted database: the rows of one profile, in SQLCipher, under a random key that lies in key slots.
//!
//! The promise: what [`Transaction::commit`] answered is on the disk, whole; what it did not answer is there whole or not at
//! all; and whoever has the files but no slot's secret reads nothing in them. One process holds a profile at a time.
//!
//! ```
//! use sotto_engine::{Batch, Rows, Table};
//! use sotto_store::{Passphrase, Store, Unlock};
//!
//! # let folder = tempfile::tempdir()?;
//! # let profile = folder.path();
//! let unlock = Unlock::Passphrase(Passphrase::new("correct horse battery staple".into()));
//! let mut store = Store::create(profile, &unlock)?;
//!
//! let transaction = store.begin()?;
//! transaction.apply(&Batch::default())?;
//! assert!(transaction.get(Table::Meta, b"account")?.is_none());
//! let _proof = transaction.commit()?; // opens the effects of every step applied
//!
//! let mut reader = store.reader()?; // may move to another thread
//! let snapshot = reader.snapshot()?;
//! assert!(snapshot.search("hello", 20)?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod database;
mod error;
mod files;
mod key_file;
mod os_keyring;
mod reader;
mod recovery;
mod search;
mod secret;
mod slot;
mod store;
mod table;
mod transaction;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use reader::{Reader, Snapshot};
pub use recovery::{RecoveryKey, RecoveryKeyError};
pub use secret::Passphrase;
pub use slot::SlotKind;
pub use store::{LockedStore, Store, Unlock};
pub use transaction::Transaction;
