//! The client's speed below the window, each figure beside its limit or its goal: `cargo build --release -p sotto-relay`, then
//! `cargo bench -p sotto-tests --bench client [backlog|keys|large]`.
//!
//! Real clients over a real relay's process and TLS. Figures are of this machine at this moment: wall time, and beside it the CPU
//! time of the receiving thread where that is what counts.

mod backlog;
mod house;
mod keys;
mod large;
mod limit;
mod wire;

use std::{
    env,
    io::{self, Write as _},
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [role, folder, recovery] = arguments.as_slice()
        && role == large::CHILD
    {
        return large::child(folder.as_ref(), recovery);
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if wanted("backlog") {
        runtime.block_on(backlog::run());
    }
    if wanted("keys") {
        runtime.block_on(keys::run());
    }
    if wanted("large") {
        large::run();
    }
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("an output");
}
