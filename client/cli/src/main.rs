//! Sotto on the command line.
//!
//! ```text
//! args ─► a running client answers on its socket? ──yes──► attach: the request goes there, items come back
//!                                                 └─no───► local: lock the store, connect, catch up, act, leave
//! both ─► verb::execute(session, request, output) ─► items on stdout, a failure on stderr, the exit code
//! ```
//!
//! A verb never prints: it gives items to an `Output`, which is a terminal or a socket. What strangers wrote reaches a
//! terminal without control characters.

mod args;
mod attach;
mod daemon;
mod failure;
mod find;
mod local;
mod output;
mod shape;
mod unlock;
mod verb;

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use args::{Cli, Globals, Verb};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = cli.globals.json;
    match with_runtime(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn with_runtime(cli: Cli) -> Result<(), Failure> {
    start_log(matches!(cli.verb, Verb::Daemon(_)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(&error))?;
    let result = runtime.block_on(run(cli));
    // A prompt or a dial may still hold a thread; nothing that matters waits there.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { globals, verb } = cli;
    let mut output = Output::terminal(&globals);
    match verb {
        Verb::Completions { shell } => verb::completions::run(shell),
        Verb::Init(init) => verb::init::run(&globals, init.complete()?, &mut output).await,
        Verb::Daemon(daemon) => daemon::run(&globals, daemon, &mut output).await,
        Verb::Doctor => verb::doctor::run(&globals, &mut output).await,
        Verb::Client(request) => ask(&globals, request, &mut output).await,
    }
}

/// Gives a request to the running client of this profile, or becomes that client for a moment.
async fn ask(globals: &Globals, request: args::Request, output: &mut Output) -> Result<(), Failure> {
    let request = request.complete()?;
    let profile = globals.profile()?;
    match attach::reach(&profile).await? {
        Some(stream) => attach::forward(stream, &request, output).await,
        None => local::run(globals, &profile, &request, output).await,
    }
}

/// Logs go to stderr, of our own rooms alone: those of libraries may name addresses. A daemon warns, other verbs say nothing,
/// unless `SOTTO_LOG` sets how much (`error`, `warn`, `info`, `debug`, `trace`).
fn start_log(daemon: bool) {
    let level = std::env::var("SOTTO_LOG").unwrap_or_default();
    let level = match level.as_str() {
        "error" | "warn" | "info" | "debug" | "trace" => level.as_str(),
        _ if daemon => "warn",
        _ => "off",
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("sotto={level}"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
