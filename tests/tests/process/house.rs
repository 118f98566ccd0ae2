//! Where the binaries are, a folder for each test, and lines of a process that is read until it says something.

use std::{
    io::{BufRead as _, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
};

use tempfile::TempDir;

/// A binary of the workspace, beside the test's own.
pub(crate) fn binary(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    // …/debug/deps/process-0123 is built into the same folder as …/debug/sotto-relay.
    path.pop();
    path.pop();
    path.push(name);
    assert!(path.exists(), "{} is not there: `cargo build --workspace --bins` builds it", path.display());
    path
}

/// A folder that goes with the test; its path is short enough for sockets.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sotto").tempdir_in("/tmp").unwrap()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Reads lines until one is wanted.
pub(crate) fn read_until<R: Read, T>(reader: &mut BufReader<R>, wanted: impl Fn(&str) -> Option<T>) -> T {
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader.read_line(&mut line).unwrap();
        assert!(read > 0, "the process ended before it said what is waited for");
        if let Some(found) = wanted(line.trim_end()) {
            return found;
        }
    }
}
