//! `doctor`: looks at everything around a relay that can go wrong, says what it means, and what to do. It changes nothing but a
//! small file that it writes, times and removes.

mod database;
mod disk;
mod issuer;
mod network;
mod place;

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{CliError, found};
use crate::config::{Config, DataDir};

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// It runs; somebody should look.
    Warning,
    /// It does not, or will not for long.
    Fault,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    level: Level,
    /// What was found and what that means.
    says: String,
    /// What to do about it; empty where all is well.
    remedy: String,
}

/// A relay's folder, as it is examined.
struct Patient {
    dir: DataDir,
    /// None where it cannot be read: then that is the finding.
    config: Option<Config>,
    is_running: bool,
}

impl Finding {
    fn ok(what: &'static str, says: impl Into<String>) -> Self {
        Self { what, level: Level::Ok, says: says.into(), remedy: String::new() }
    }

    fn warning(what: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, level: Level::Warning, says: says.into(), remedy: remedy.into() }
    }

    fn fault(what: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, level: Level::Fault, says: says.into(), remedy: remedy.into() }
    }
}

pub(super) async fn doctor(data: &Path, json: bool) -> Result<(), CliError> {
    let dir = found(data)?;
    let lock = dir.try_lock()?;
    let config = dir.read_config();
    let mut findings = vec![match &config {
        Ok(_) => Finding::ok("configuration", "relay.toml is right"),
        Err(error) => {
            Finding::fault("configuration", error.to_string(), "mend relay.toml; `check` says when it is right")
        }
    }];
    let patient = Patient { config: config.ok(), is_running: lock.is_none(), dir };
    findings.extend(place::examine(&patient));
    findings.extend(disk::examine(&patient));
    findings.extend(database::examine(&patient).await);
    findings.extend(issuer::examine(&patient).await);
    // Dialling and resolving wait for the network.
    let network = tokio::task::spawn_blocking(move || network::examine(&patient)).await;
    findings.extend(network.map_err(io::Error::other)?);
    drop(lock);

    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &findings).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        findings.iter().try_for_each(|finding| write_finding(&mut out, finding))?;
    }
    if findings.iter().any(|finding| finding.level == Level::Fault) { Err(CliError::Doctor) } else { Ok(()) }
}

fn write_finding(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let Finding { what, level, says, remedy } = finding;
    let level = match level {
        Level::Ok => "ok",
        Level::Warning => "WARNING",
        Level::Fault => "FAULT",
    };
    writeln!(out, "{what:<14} {level:<8} {says}")?;
    if remedy.is_empty() { Ok(()) } else { writeln!(out, "{:<23} -> {remedy}", "") }
}
