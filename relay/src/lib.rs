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
//!
//! ```
//! use rand_core::SeedableRng;
//! use sotto_outer::{ClientFrame, Command, Info, VERSION};
//! use sotto_relay::{
//!     Identity, Timestamp,
//!     core::{Config, Conn, Context, Core, Input, Output},
//! };
//!
//! let mut core = Core::new(Config::default(), Identity::from_secret(&[7; 32]));
//! let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! let mut cx = Context { now: Timestamp::from_millis(0), rng: &mut rng };
//! let alice = Conn(1);
//! core.handle(&mut cx, Input::Opened(alice));
//! let info = Command::Info(Info { version: VERSION, nonce: [1; 32].into() });
//! let outputs = core.handle(&mut cx, Input::Frame(alice, ClientFrame { request: 1, command: info }));
//! assert!(matches!(outputs[..], [Output::Reply(conn, _)] if conn == alice));
//! ```

mod access;
mod admin;
mod backup;
pub mod cli;
mod command;
mod config;
pub mod core;
mod forward;
pub mod server;
pub mod storage;
mod time;

pub use access::{Identity, Job, LoginPolicy, Mint, NewKey, TokenKey, Worked};
pub use forward::Settings as ForwardSettings;
pub use time::{Day, Timestamp};
