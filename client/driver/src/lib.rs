//! Where the engine meets clock, disk and socket: one thread owns the engine and the write connection, Tokio the
//! sockets.
//!
//! The promise: what an intent's answer tells is durable; a frame leaves only after the state that made it is; and when
//! the disk fails, the engine's memory is dropped and all begins again from what is on disk.
//!
//! ```no_run
//! use sotto_driver::{Client, Intent, Options, Passphrase, Unlock, view};
//!
//! # async fn example(profile: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let unlock = Unlock::Passphrase(Passphrase::new("correct horse battery staple".into()));
//! let client = Client::open(&Options { profile: profile.to_owned(), network: true }, &unlock)?;
//! let outcome = client.intent(Intent::Invite { once: true }).await?;
//! let contacts = client.view(|rows| view::contacts(rows))?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```

mod client;
mod clock;
mod error;
mod health;
mod isolation;
mod locked;
mod options;
pub mod platform;
mod relays;
mod request;
mod search;
#[cfg(test)]
mod tests;
mod worker;

pub use client::Client;
pub use error::ClientError;
pub use health::{Health, RelayState};
pub use locked::Locked;
pub use options::Options;

// What a client of the driver speaks in. It depends on no room below.
pub use sotto_engine::{
    AccountView, AddressView, Admission, AdmissionView, Change, ContactId, ContactState, ContactView, Credential,
    Happening, HoldReason, Intent, IntentError, JournalEntry, MessageStatus, MessageView, NotACredential, Notice,
    Outcome, ProxyAddress, ProxyAddressError, RelayProblem, Remark, Timestamp, Totals, view,
};
pub use sotto_inner::{
    ContentId, HybridTime, Link, LinkError, LinkKind, ManifestHash,
    limits::{NAME_BYTES_MAX, TEXT_BYTES_MAX},
};
pub use sotto_net::NetError;
pub use sotto_outer::{AddressError, RelayAddress, RelayIdentity};
pub use sotto_store::{Passphrase, RecoveryKey, RecoveryKeyError, SlotKind, Store, StoreError, Unlock};
