//! The relay's figures, each beside its limit in the same run. The limit is a bare WebSocket router ([`bare`]): no mailbox, no
//! capability, no quota, no repeat; it cannot do less and still be durable.
//!
//! ```text
//! cargo bench -p sotto-relay --bench relay                      online offline latency idle
//! cargo bench -p sotto-relay --bench relay -- blob million storm     by name: these take minutes, and soak takes twenty
//! ```
//!
//! Relay and router run in processes of their own, in turn, and the load comes from this one, over plain loopback. One line a
//! figure: what it is, what was measured, and the goal in brackets.

mod bare;
mod bare_blob;
mod blob;
#[path = "../../tests/process/blobs_client.rs"]
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
mod blobs_client;
#[path = "../../tests/process/client.rs"]
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
mod client;
mod idle;
mod latency;
mod load;
mod million;
mod offline;
mod online;
mod process;
#[path = "../../tests/process/relay.rs"]
#[allow(dead_code, reason = "shared with the process tests, which use more of it")]
mod relay;
mod soak;
mod storm;

use std::{
    io::{self, Write},
    path::Path,
};

/// What runs where nothing is named.
const USUAL: [&str; 4] = ["online", "offline", "latency", "idle"];

fn main() {
    // Cargo adds a flag of its own.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bare-router", dir] => return bare::serve(Path::new(dir)),
        ["bare-blob", dir] => return bare_blob::serve(Path::new(dir)),
        ["idle-clients", address, count] => return idle::serve(address, count),
        ["storm-clients", kind, tls, address] => return storm::serve(kind, tls, address),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for figure in if arguments.is_empty() { &USUAL[..] } else { &arguments[..] } {
        match *figure {
            "online" => runtime.block_on(online::measure()),
            "offline" => runtime.block_on(offline::measure()),
            "latency" => runtime.block_on(latency::measure()),
            "idle" => runtime.block_on(idle::measure()),
            "blob" => runtime.block_on(blob::measure()),
            "storm" => runtime.block_on(storm::measure()),
            "soak" => runtime.block_on(soak::measure()),
            "million" => runtime.block_on(million::measure()),
            other => panic!("no figure is called {other}"),
        }
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("an output");
}
