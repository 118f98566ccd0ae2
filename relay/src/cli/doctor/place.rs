//! Where the relay lives: who may read its folder, how many files and how much memory it may have, what time it is there.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Finding, Patient};
use crate::cli::words;

/// Descriptors below which a few thousand clients do not fit.
const FILES_MIN: u64 = 8_192;
/// Memory below which a relay works poorly.
const MEMORY_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// 2026-01-01: a clock that shows less was never set.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// How far a file may lie in the future.
const AHEAD: Duration = Duration::from_secs(120);

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![key(patient), folder(patient), files(), memory(), clock(patient)]
}

fn key(patient: &Patient) -> Finding {
    match patient.dir.read_identity() {
        Ok(_) => Finding::ok("identity key", "it is whole and for its owner alone"),
        Err(error) => Finding::fault(
            "identity key",
            error.to_string(),
            "restore it from a backup, or mend its mode with chmod 600",
        ),
    }
}

fn folder(patient: &Patient) -> Finding {
    let Ok(folder) = fs::metadata(patient.dir.path()) else {
        return Finding::fault("folder", "it cannot be read", "look at its owner and mode");
    };
    let own = nix::unistd::Uid::effective().as_raw();
    if folder.permissions().mode() & 0o077 != 0 {
        return Finding::warning("folder", "other users of this machine may look into it", "chmod 700 on it");
    }
    if folder.uid() != own && own != 0 {
        return Finding::fault("folder", "it belongs to another user", "run the relay, and this, as its owner");
    }
    Finding::ok("folder", "it is for its owner alone")
}

fn files() -> Finding {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).and_then(|soft| soft.parse::<u64>().ok());
    match soft {
        Some(soft) if soft < FILES_MIN => Finding::warning(
            "open files",
            format!("a process may have {soft}; each client takes one"),
            "raise LimitNOFILE= in the unit, or `ulimit -n`",
        ),
        Some(soft) => Finding::ok("open files", format!("a process started from here may have {soft}")),
        None => Finding::ok("open files", "no limit is known here"),
    }
}

fn memory() -> Finding {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    match kib.map(|kib| kib * 1024) {
        Some(free) if free < MEMORY_BYTES_MIN => Finding::warning(
            "memory",
            format!("only {} are free; under pressure the relay turns work away", words::bytes(free)),
            "give the machine more, or stop something else",
        ),
        Some(free) => Finding::ok("memory", format!("{} are free", words::bytes(free))),
        None => Finding::ok("memory", "the system does not say how much is free"),
    }
}

/// Without asking anybody: a clock that was never set, or that went back behind what the relay wrote.
fn clock(patient: &Patient) -> Finding {
    let now = SystemTime::now();
    if now.duration_since(UNIX_EPOCH).unwrap_or_default() < EARLIEST {
        return Finding::fault(
            "clock",
            "it shows a time before this program was made",
            "set it; envelopes expire by it",
        );
    }
    let written = fs::metadata(patient.dir.database()).and_then(|database| database.modified());
    if written.is_ok_and(|written| written.duration_since(now).unwrap_or_default() > AHEAD) {
        let says = "it went back: the database was written in what is the future now, so envelopes would live too long";
        return Finding::fault("clock", says, "set it, and let the system keep it by NTP");
    }
    // systemd-timesyncd says so; others keep time without saying.
    if fs::exists("/run/systemd/timesync/synchronized").unwrap_or(false) {
        return Finding::ok("clock", "it is plausible, and kept by the network's time");
    }
    Finding::ok("clock", "it is plausible; whether something keeps it right is not known here")
}
