//! The triple ratchet: the header-encrypted Double Ratchet and the Braid side by side, their message keys mixed.
//!
//! One noun a file. Keys that only move forward (`chain_key`, `root_key`, `epoch_key`), what they yield (`message_key`,
//! `header_key`, `ephemeral_key`), the post-quantum key agreement (`braid`) and the chains it feeds (`epochs`), what a packet
//! is made of (`header`, `body`), what lost packets leave behind (`skipped`), and the state that holds them together
//! (`session`, `seal`, `open`, `state`).
//!
//! ```text
//! packet = nonce 12 ‖ sealed header 153 + 16 ‖ sealed body (content ‖ 0x80 ‖ 0x00*) + 16
//!
//!   root key ──DH──► root key ──DH──► root key …        one step each time the peer's ratchet key changes
//!                │          └► sending chain key ──► …   header key, ephemeral key beside it
//!                └► receiving chain key ──► chain key ──► …
//!                                       └► message key ─┐
//!                                                      mix ──SHA-256(sealed header)──► body key and nonce
//!                                    ┌► message key ────┘
//!                ┌► chain of epoch 0 ──► chain of epoch 0 ──► …
//!   epoch root ──secret of epoch 1──► epoch root ──secret of epoch 2──► …      one step each time the Braid has a secret
//! ```

mod associated_data;
mod body;
mod braid;
mod chain;
mod chain_key;
mod ephemeral_key;
mod epoch_key;
mod epochs;
mod header;
mod header_key;
mod message_key;
mod open;
mod plaintext;
mod root_key;
mod seal;
mod session;
mod skipped;
mod staged;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use associated_data::AssociatedData;
pub use body::{PACKET_OVERHEAD, Padding};
pub use open::{OpenError, Opened};
pub use plaintext::Plaintext;
pub(crate) use root_key::SessionSecret;
pub use seal::SealError;
pub use session::Session;
pub use skipped::{ChainId, NoSkippedKeys, SkippedChanges, SkippedKey, SkippedKeys};
pub use staged::Staged;
