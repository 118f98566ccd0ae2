//! `check`: whether a relay could run from a folder, one line for each thing looked at. Writes nothing but the lock, and asks
//! nobody but the issuer where people log in, if they do.

use std::{
    io::{self, Write},
    path::Path,
};

use super::CliError;
use crate::{
    config::{ConfigError, DataDir},
    storage::sqlite::view::View,
};

pub(super) async fn check(data: &Path) -> Result<(), CliError> {
    let dir = DataDir::new(data);
    let config = dir.read_config();
    if let Err(missing @ ConfigError::Missing(_)) = config {
        return Err(missing.into());
    }
    let is_running = dir.try_lock()?.is_none();
    let identity = dir.read_identity();
    let address = match (&config, &identity) {
        // The system will choose a port; there is no address before.
        (Ok(config), Ok(_)) if !config.is_address_known() => Ok(()),
        (Ok(config), Ok(identity)) => config.address(*identity.public(), config.listen()).map(drop),
        // What is wrong then stands in another line.
        (Err(_), _) | (_, Err(_)) => Ok(()),
    };
    let database = match View::is_current(&dir.database(), is_running).await {
        Ok(true) => Ok(()),
        Ok(false) => Err("it has another version's form; `sotto-relay run` brings an older one up to date".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let settings = config.and_then(|config| config.settings(&dir));
    let issuer = match settings.as_ref().map(|settings| &settings.join) {
        Ok(Some(join)) => {
            Some(join.examine().await.map_err(|error| format!("no login is possible ({})", error.kind())))
        }
        Ok(None) | Err(_) => None,
    };
    let mut lines = vec![
        say("configuration", settings.map_err(|error| error.to_string())),
        say("identity key", identity.map_err(|error| error.to_string())),
        say("address", address.map_err(|error| error.to_string())),
        say("database", database),
    ];
    lines.extend(issuer.map(|examined| say("issuer", examined)));
    let mut out = io::stdout();
    for (_, line) in &lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{:<14} {}", "relay", if is_running { "running" } else { "not running" })?;
    if lines.iter().all(|(is_right, _)| *is_right) { Ok(()) } else { Err(CliError::Check) }
}

fn say<T>(what: &str, found: Result<T, String>) -> (bool, String) {
    match found {
        Ok(_) => (true, format!("{what:<14} right")),
        Err(error) => (false, format!("{what:<14} WRONG: {error}")),
    }
}
