//! The desktop client: reads the command line, starts the backend, opens the window over it.
//!
//! The backend starts first, so that the profile is opened while the window system gets ready.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use eframe::egui::ViewportBuilder;
use sotto_desktop::{
    app::App,
    backend::{Backend, Setup, notify},
    platform, theme,
};
use sotto_driver::{ProxyAddress, platform::default_profile};

const VARIABLES: &str = "SOTTO_PASSPHRASE opens the profile without asking, and SOTTO_LOG says how much is logged. \
    A passphrase in a variable can be read by whatever runs as you, and is passed on to what Sotto starts, such as a \
    browser: it is meant for tests.";

/// Private messages through a relay that sees only bytes that look random.
#[derive(Parser)]
#[command(name = "sotto", version, max_term_width = 100, after_help = VARIABLES)]
struct Args {
    /// The profile's folder [default: $XDG_DATA_HOME/sotto]
    #[arg(long, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// The relay proposed to a new profile: sotto://…
    #[arg(long, value_name = "ADDRESS")]
    relay: Option<String>,
    /// Reach relays through a SOCKS5 proxy, from the first connection on; the profile keeps it: socks5://HOST:PORT
    #[arg(long, value_name = "PROXY")]
    proxy: Option<ProxyAddress>,
    /// A link someone gave you: https://RELAY/i#… or sotto:…
    link: Option<String>,
}

fn main() -> ExitCode {
    start_log();
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // A closed stderr leaves the exit code to tell it.
            let _closed = writeln!(std::io::stderr(), "{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    let backend = Backend::start(setup(args)?).map_err(|error| format!("Sotto could not start ({}).", error.kind()))?;
    let viewport = ViewportBuilder::default()
        .with_title("Sotto")
        .with_app_id("org.sotto.Sotto")
        .with_inner_size([1120.0, 760.0])
        .with_min_inner_size([480.0, 480.0]);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let made = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        theme::use_system_fonts(&cc.egui_ctx);
        Ok(Box::new(App::new(&cc.egui_ctx, backend)))
    };
    // The app goes with the window, and the backend with it: the profile is closed when this returns.
    eframe::run_native("Sotto", options, Box::new(made)).map_err(|error| {
        format!("The window could not be opened: {error}\nIs there a display? sotto-cli works without one.")
    })
}

fn setup(args: Args) -> Result<Setup, String> {
    let Args { profile, relay, proxy, link } = args;
    let missing = "There is no home folder to keep a profile in. Give --profile DIR.";
    let profile = profile.or_else(default_profile).ok_or(missing)?;
    let profile =
        std::path::absolute(profile).map_err(|error| format!("The profile's folder is no path ({error})."))?;
    let mut setup = Setup::new(profile);
    setup.preferences = platform::preferences();
    setup.passphrase = std::env::var("SOTTO_PASSPHRASE").ok().map(Into::into);
    (setup.relay, setup.proxy, setup.link) = (relay, proxy, link);
    setup.notifier = notify::system();
    Ok(setup)
}

/// Logs go to stderr, of our own rooms alone: those of libraries may name addresses. `SOTTO_LOG` sets how much (`error`,
/// `warn`, `info`, `debug`, `trace`).
fn start_log() {
    let level = std::env::var("SOTTO_LOG").unwrap_or_default();
    let level = match level.as_str() {
        "error" | "warn" | "info" | "debug" | "trace" => level.as_str(),
        _ => "warn",
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("sotto={level}"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
