//! The blind relay: stores and forwards what it cannot read.
//!
//! It knows mailboxes, not people: random ids, the hash of what a sender must show, an owner's key that is fresh for each
//! mailbox. What is in an envelope or a bundle it never learns. This crate depends on `sotto-outer` alone of this house, so
//! what could be read it cannot even name.
//!
//! - [`core`] has the rules: pure, no clock, no socket, no disk.
//! - `command` has one file for each operation.
//! - [`storage`] keeps what must last: SQLite for real, memory for a simulated world.
//! - [`server`] puts the core on a network.
//! - [`cli`] is what a host types.

mod access;
pub mod cli;
mod command;
mod config;
pub mod core;
pub mod server;
pub mod storage;
mod time;

pub use access::Identity;
pub use time::{Day, Timestamp};
