//! `run`: serves until SIGTERM, SIGINT or `drain`, then ends in order.
//!
//! On stdout it says where it listens and, last, its address; the file `listening` says the same while it runs. Logs go to
//! stderr, in counts and kinds of errors alone; `SOTTO_LOG` sets how much (`error`, `warn`, `info`, `debug`).

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::{
    admin::{Desk, Door, Errand},
    config::DataDir,
    server::{Notify, Relay},
    storage::sqlite::{SqliteStorage, upgrade},
};

/// How often old copies of the database are looked for.
const COPIES_SECS: u64 = 6 * 3_600;

pub(super) async fn run(data: &Path) -> Result<(), CliError> {
    log();
    let dir = DataDir::new(data);
    let config = dir.read_config()?;
    let identity = dir.read_identity()?;
    let public_key = *identity.public();
    let settings = config.settings(&dir)?;
    if dir.keep_private()? {
        warn!("other users of this machine could look into the relay's folder; it is for its owner alone now");
    }
    let _lock = dir.lock()?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let storage = SqliteStorage::open(&dir.database()).await?;
    let relay = Relay::start(settings, identity, storage)?;
    let address = config.address(public_key, relay.address())?;
    let (desk, mut errands) = Desk::new(relay.host(), dir.clone());
    let door = Door::open(dir.path(), desk);
    if let Err(error) = &door {
        warn!(kind = %error.kind(), "the admin socket cannot be opened; a host's commands will not reach this relay");
    }
    let listening: String = relay.addresses().iter().map(|address| format!("listening on {address}\n")).collect();
    let metrics = relay.metrics_address().map(|address| format!("metrics on {address}\n")).unwrap_or_default();
    let announcement = format!("{listening}{metrics}{address}\n");
    dir.write_listening(&announcement)?;
    io::stdout().write_all(announcement.as_bytes())?;
    io::stdout().flush()?;
    info!("ready");

    let notify = Notify::from_environment();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Some(Errand::Stop) = errands.recv() => {}
        () = relay.keep_telling(&notify) => {}
        () = forget_old_copies(&dir) => {}
    }
    info!("stopping");
    notify.stopping();
    let storage = relay.drain().await;
    // The next start writes it anew; left behind it would only be out of date.
    let _ = fs::remove_file(dir.listening());
    storage.ok_or(CliError::Ended)?.close().await;
    info!("stopped");
    Ok(())
}

/// Deletes what was kept of upgrades long ago, again and again.
async fn forget_old_copies(dir: &DataDir) {
    let mut times = interval(Duration::from_secs(COPIES_SECS));
    loop {
        times.tick().await;
        match upgrade::forget_old_copies(&dir.database()) {
            Ok(0) => {}
            Ok(copies) => info!(copies, "old copies of the database are deleted"),
            Err(error) => warn!(kind = %error.kind(), "old copies of the database cannot be deleted"),
        }
    }
}

/// Logs of this program alone: those of libraries may name addresses.
fn log() {
    let level = std::env::var("SOTTO_LOG").unwrap_or_default();
    let level = match level.as_str() {
        "error" | "warn" | "debug" => level.as_str(),
        _ => "info",
    };
    let filter = EnvFilter::new(format!("sotto_relay={level}"));
    let is_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(is_terminal).with_env_filter(filter).init();
}
