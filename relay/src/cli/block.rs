//! `block`, `unblock`, `blocked`: suspends what was reported, gives it back, and lists it. A running relay does it at once;
//! where none runs it is written into the database.

use std::{
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{CliError, found};
use crate::{
    admin::{self, AdminError, Answer, BLOCK_IDS_MAX, BlockReport, Request},
    config::DataDir,
    storage::{
        Op, Outcome, Storage,
        blocked::ReportedId,
        sqlite::{SqliteStorage, view::View},
    },
    time::Timestamp,
};

pub(super) async fn block(data: &Path, ids: &[ReportedId], blocked: bool, json: bool) -> Result<(), CliError> {
    let dir = found(data)?;
    let mut reports = vec![];
    for ids in ids.chunks(BLOCK_IDS_MAX) {
        reports.extend(match dir.try_lock()? {
            None => ask(data, ids, blocked).await?,
            Some(_lock) => write(&dir, ids, blocked).await?,
        });
    }
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &reports).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    for report in &reports {
        writeln!(out, "{}", sentence(report, blocked))?;
    }
    Ok(())
}

/// Lists what is suspended.
pub(super) async fn list(data: &Path, json: bool) -> Result<(), CliError> {
    let dir = found(data)?;
    let lock = dir.try_lock()?;
    let blocked = View::blocked(&dir.database(), lock.is_none()).await?;
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &blocked).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    for id in &blocked {
        writeln!(out, "{}  since day {}", id.id, id.day)?;
    }
    writeln!(out, "{} suspended; `sotto-relay unblock ID` gives one back", blocked.len())?;
    Ok(())
}

async fn ask(data: &Path, ids: &[ReportedId], blocked: bool) -> Result<Vec<BlockReport>, CliError> {
    let ids = ids.iter().map(ReportedId::to_string).collect();
    match admin::ask(data, Request::Block { ids, blocked }).await? {
        Answer::Blocked { reports } => Ok(reports),
        Answer::Status(_) | Answer::Done | Answer::Refused { .. } => Err(AdminError::Misunderstood.into()),
    }
}

/// Without a relay: the same operation on the store itself.
async fn write(dir: &DataDir, ids: &[ReportedId], blocked: bool) -> Result<Vec<BlockReport>, CliError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let day = Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).day();
    let mut storage = SqliteStorage::open(&dir.database()).await?;
    let outcomes = storage.apply(vec![Op::Block { ids: ids.to_vec(), blocked, day }]).await;
    storage.close().await;
    let [Outcome::Blocked(reports)] = &outcomes[..] else {
        return Err(AdminError::Refused("the database could not be written; nothing was changed".to_owned()).into());
    };
    Ok(reports.iter().copied().map(BlockReport::from).collect())
}

fn sentence(report: &BlockReport, blocked: bool) -> String {
    let BlockReport { names, is_new } = report;
    let thing = match names.as_str() {
        "nothing" => "this names nothing here now",
        other => return format!("{other}: {}", state(blocked, *is_new)),
    };
    format!("{thing}; the id is {}", state(blocked, *is_new))
}

const fn state(blocked: bool, is_new: bool) -> &'static str {
    match (blocked, is_new) {
        (true, true) => "suspended. To clients it is missing; what lies in it stays until it expires",
        (true, false) => "suspended already",
        (false, true) => "given back, with what has not expired",
        (false, false) => "not suspended; nothing was changed",
    }
}
