//! `upgrade`: brings the database to this version's form, says what that would do, or takes it back. `run` does the first by
//! itself; this is for those who want to see it done before.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use nix::sys::statvfs::statvfs;

use super::{CliError, found, words};
use crate::{
    config::DataDir,
    storage::sqlite::{
        SqliteStorage,
        upgrade::{self, KEEP_DAYS, Plan},
    },
};

/// What is asked of `upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Do it.
    Now,
    /// Say what it would do.
    Check,
    /// Take it back.
    RollBack,
}

pub(super) async fn upgrade(data: &Path, what: What) -> Result<(), CliError> {
    let dir = found(data)?;
    match what {
        What::Check => check(&dir).await,
        What::Now => {
            let _lock = dir.lock()?;
            now(&dir).await
        }
        What::RollBack => {
            let _lock = dir.lock()?;
            roll_back(&dir).await
        }
    }
}

async fn check(dir: &DataDir) -> Result<(), CliError> {
    let lock = dir.try_lock()?;
    let plan = Plan::read(&dir.database(), lock.is_none()).await?;
    let mut out = io::stdout();
    let Plan { from, to, steps } = &plan;
    if from > to {
        writeln!(
            out,
            "The database has form {from}, of a newer version; this one writes form {to} and will not touch it."
        )?;
    } else if steps.is_empty() {
        writeln!(out, "The database has form {from}, as this version writes it; there is nothing to do.")?;
    } else {
        let bytes = fs::metadata(dir.database())?.len();
        let free = statvfs(dir.path()).map_err(io::Error::from)?;
        let free = free.blocks_available() * free.fragment_size();
        writeln!(out, "The database has form {from}; this version writes form {to}.")?;
        writeln!(out, "To come: {}.", steps.join(", "))?;
        writeln!(
            out,
            "First a copy is made beside it, of at most {}; {} are free. `run` does all that at its start, or `upgrade` now.",
            words::bytes(bytes),
            words::bytes(free)
        )?;
    }
    for copy in upgrade::copies(&dir.database())? {
        writeln!(out, "There is a copy of form {} to go back to: {}", copy.form, copy.path.display())?;
    }
    Ok(())
}

async fn now(dir: &DataDir) -> Result<(), CliError> {
    let plan = Plan::read(&dir.database(), false).await?;
    SqliteStorage::open(&dir.database()).await?.close().await;
    let mut out = io::stdout();
    if !plan.is_upgrade() {
        writeln!(out, "The database has form {}, as this version writes it; nothing was changed.", plan.to)?;
        return Ok(());
    }
    writeln!(out, "The database has form {} now. As it was, it is kept for {KEEP_DAYS} days beside it;", plan.to)?;
    writeln!(out, "`sotto-relay upgrade --rollback` takes that back, and what was stored since would be lost.")?;
    Ok(())
}

async fn roll_back(dir: &DataDir) -> Result<(), CliError> {
    let copy = upgrade::roll_back(&dir.database()).await?;
    let mut out = io::stdout();
    writeln!(out, "The database has form {} again, as it was before the upgrade.", copy.form)?;
    writeln!(out, "What was stored since lies beside it as rolled-back-from-*.db, for {KEEP_DAYS} days.")?;
    writeln!(out, "Start the version of sotto-relay that you had: this one would upgrade the database again.")?;
    Ok(())
}
