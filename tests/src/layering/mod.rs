//! Layering: which room may know which, and what no pure room may name.
//!
//! The house leaks nothing because of what it cannot reach: a relay that does not depend on the inner protocol cannot parse it,
//! a pure room that names no clock cannot read one. What is claimed here is read from the real thing, cargo's own account
//! of the dependencies and the sources as they are.
//!
//! - [`edges`] reads the dependencies and compares them with [`ROOMS`].
//! - [`words`] reads the sources for names that do not belong where they stand.

pub mod edges;
pub mod words;

use std::path::{Path, PathBuf};

/// Each room, and the rooms it depends on: exactly these. README.md draws them.
pub const ROOMS: [(&str, &[&str]); 11] = [
    ("sotto-outer", &[]),
    ("sotto-inner", &["sotto-outer"]),
    ("sotto-crypto", &["sotto-inner", "sotto-outer"]),
    ("sotto-engine", &["sotto-crypto", "sotto-inner", "sotto-outer"]),
    ("sotto-store", &["sotto-engine", "sotto-outer"]),
    ("sotto-net", &["sotto-outer"]),
    ("sotto-driver", &["sotto-engine", "sotto-inner", "sotto-net", "sotto-outer", "sotto-store"]),
    ("sotto-cli", &["sotto-driver"]),
    ("sotto-desktop", &["sotto-driver"]),
    ("sotto-relay", &["sotto-outer"]),
    ("sotto-tests", &["sotto-crypto", "sotto-engine", "sotto-inner", "sotto-outer", "sotto-relay", "sotto-store"]),
];

/// What the relay must not reach at any depth: whatever could read what is inside an envelope.
pub const CLOSED_TO_THE_RELAY: [&str; 7] =
    ["sotto-inner", "sotto-crypto", "sotto-engine", "sotto-store", "sotto-driver", "openmls", "libcrux-ml-kem"];

/// What the relay opens commands with that come to it through another relay, and where alone it may be named.
pub const OPENERS_OF_THE_RELAY: ([&str; 2], &str) = (["hpke::", "chacha20poly1305::"], "relay/src/forward");

/// Sources in which time, chance and bytes are arguments.
pub const PURE_SOURCES: [&str; 6] =
    ["spec/outer/src", "spec/inner/src", "crypto/src", "client/engine/src", "relay/src/core", "relay/src/command"];

/// What pure sources must not name: clocks, files, sockets, threads, environment, ambient randomness, and what the compiler
/// cannot check.
pub const IMPURE_WORDS: [&str; 17] = [
    "SystemTime",
    "Instant",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "tokio",
    "sqlx",
    "rusqlite",
    "SysRng",
    "OsRng",
    "ThreadRng",
    "thread_rng",
    "rand::rng",
    "getrandom",
    "unsafe",
];

/// Who may say that a commit is durable, beside the type itself: the store, and the simulated world.
pub const COMMITTERS: [&str; 3] = ["client/engine/src/step.rs", "client/store/", "tests/"];

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}
