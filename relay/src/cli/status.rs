//! `status`: how the running relay goes. The exit code is 0 where it is ready, so that a watcher can ask it.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use super::{CliError, asked, words};
use crate::{
    admin::{Answer, Request, Status},
    storage::sqlite::count::Counts,
};

pub(super) async fn status(data: &Path, json: bool) -> Result<(), CliError> {
    let Answer::Status(status) = asked(data, Request::Status).await? else { return Err(CliError::Ended) };
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &status).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(text(&status).as_bytes())?;
    }
    if status.state == "ready" { Ok(()) } else { Err(CliError::NotReady(status.state)) }
}

fn text(status: &Status) -> String {
    let Status {
        version,
        uptime_secs,
        state,
        connections,
        subscriptions,
        storage_waiting,
        storage_latest_micros,
        turned_away,
        disk_free_bytes,
        stored,
    } = status;
    let turned_away = if turned_away.is_empty() { "nothing".to_owned() } else { turned_away.join(", ") };
    let lines = [
        ("relay", format!("version {version}, running for {}", words::duration(*uptime_secs))),
        ("state", state.clone()),
        ("connections", format!("{connections}, reading {}", words::counted(*subscriptions as u64, "mailbox"))),
        ("stored", stored.as_ref().map_or_else(|| "the database cannot be read beside the relay".to_owned(), counts)),
        (
            "storage",
            format!(
                "{} waiting, the latest commit took {:?}",
                words::counted(*storage_waiting as u64, "operation"),
                Duration::from_micros(*storage_latest_micros)
            ),
        ),
        ("disk", disk_free_bytes.map_or_else(|| "unknown".to_owned(), |free| format!("{} free", words::bytes(free)))),
        ("turned away", turned_away),
    ];
    lines.iter().map(|(name, line)| format!("{name:<14} {line}\n")).collect()
}

fn counts(counts: &Counts) -> String {
    let Counts { mailboxes, bundles, envelopes, blobs, channels, entries, tokens_spent, blocked, bytes } = counts;
    format!(
        "{}, {}, {}, {}, {} with {entries} {}, {} spent, {} blocked, {} in use",
        words::counted(*mailboxes, "mailbox"),
        words::counted(*bundles, "bundle"),
        words::counted(*envelopes, "envelope"),
        words::counted(*blobs, "blob"),
        words::counted(*channels, "channel"),
        if *entries == 1 { "entry" } else { "entries" },
        words::counted(*tokens_spent, "token"),
        words::counted(*blocked, "id"),
        words::bytes(*bytes)
    )
}
