//! `backup`, `verify`, `restore`: one file with all that makes this relay this relay.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use time::{OffsetDateTime, UtcDateTime};

use super::{CliError, found, words};
use crate::{
    backup::{self, Manifest},
    config::DataDir,
    storage::sqlite::count::Counts,
};

pub(super) async fn backup(data: &Path, to: &Path) -> Result<(), CliError> {
    let dir = found(data)?;
    // Held meanwhile where no relay runs, so that none starts.
    let lock = dir.try_lock()?;
    let to = if to.is_dir() { to.join(name(OffsetDateTime::now_utc())) } else { to.to_owned() };
    backup::write(&dir, lock.is_none(), &to).await?;
    let mut out = io::stdout();
    writeln!(out, "Backed up to {}", to.display())?;
    writeln!(
        out,
        "It holds this relay's identity key: whoever has it can pretend to be this relay. Keep it elsewhere, and safe."
    )?;
    writeln!(out, "Envelopes are not in it, by design: what is not delivered yet, its senders send again.")?;
    Ok(())
}

pub(super) async fn verify(backup: &Path) -> Result<(), CliError> {
    let (manifest, counts) = backup::verify(backup).await?;
    let mut out = io::stdout();
    out.write_all(text(&manifest, &counts).as_bytes())?;
    writeln!(out, "Every part is whole, and a relay could run from it.")?;
    Ok(())
}

pub(super) async fn restore(backup: &Path, data: &Path) -> Result<(), CliError> {
    let (manifest, counts) = backup::restore(backup, data).await?;
    let mut out = io::stdout();
    if DataDir::new(data).keep_private()? {
        writeln!(
            out,
            "Other users of this machine could look into {}; it is for its owner alone now.",
            data.display()
        )?;
    }
    out.write_all(text(&manifest, &counts).as_bytes())?;
    writeln!(out, "A relay is in {} again, with the address that people have.", data.display())?;
    writeln!(
        out,
        "What clients made after the backup they make again by themselves. Two relays must never run from one key."
    )?;
    writeln!(out, "Start it: sotto-relay run --data {}", data.display())?;
    Ok(())
}

fn text(manifest: &Manifest, counts: &Counts) -> String {
    // Of the rest a backup has none.
    let Counts { mailboxes, bundles, blocked, .. } = counts;
    let made = i64::try_from(manifest.made_at).ok().and_then(|secs| UtcDateTime::from_unix_timestamp(secs).ok());
    let made =
        made.map_or_else(|| "at an unknown time".to_owned(), |made| format!("{} {} UTC", made.date(), made.time()));
    format!(
        "made           {made}, by version {}\nidentity       {}\nholds          {}, {}, {} blocked\n",
        manifest.program,
        manifest.identity,
        words::counted(*mailboxes, "mailbox"),
        words::counted(*bundles, "bundle"),
        words::counted(*blocked, "id"),
    )
}

/// A file's name that sorts by time.
fn name(now: OffsetDateTime) -> PathBuf {
    let (hour, minute, second) = now.to_hms();
    format!("sotto-relay-{}-{hour:02}{minute:02}{second:02}.tar", now.date()).into()
}
