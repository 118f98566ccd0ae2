//! The real binaries as people run them: a relay, two profiles, sockets, disks, and what goes wrong with each.
//!
//! `cargo build --workspace --bins` builds what is run here; `make test` does so first. Nothing waits for a time to pass: each test
//! reads what a process says until it says what is waited for.

mod admission;
mod events;
mod failures;
mod forward;
mod haste;
mod house;
mod network;
mod profile;
mod relay;
mod road;
mod secrecy;
mod talk;
