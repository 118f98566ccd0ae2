//! The database: whole, of this version, and its log copied back.

use std::fs;

use super::{Finding, Patient};
use crate::{
    cli::words,
    storage::sqlite::{snapshot, upgrade::Plan},
};

/// The write-ahead log is copied back long before this.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(super) async fn examine(patient: &Patient) -> Vec<Finding> {
    let database = patient.dir.database();
    let plan = match Plan::read(&database, patient.is_running).await {
        Ok(plan) => plan,
        Err(error) => {
            let remedy = "restore a backup into a new folder; do not delete this one before that runs";
            return vec![Finding::fault("database", error.to_string(), remedy)];
        }
    };
    vec![form(&plan), whole(patient).await, log(patient)]
}

fn form(plan: &Plan) -> Finding {
    let Plan { from, to, steps: _ } = plan;
    if from > to {
        let says = format!("it has form {from}, this version knows {to}: it will not run");
        return Finding::fault("database form", says, "use the newer version, or its `upgrade --rollback`");
    }
    if from < to {
        let says = format!("it has form {from}, this version writes {to}");
        return Finding::warning("database form", says, "`upgrade --check` says what `run` will do");
    }
    Finding::ok("database form", format!("it is this version's, {to}"))
}

async fn whole(patient: &Patient) -> Finding {
    match snapshot::quick_check(&patient.dir.database(), patient.is_running).await {
        Ok(true) => Finding::ok("database", "it is whole"),
        Ok(false) => Finding::fault(
            "database",
            "it is damaged",
            "stop the relay, keep the folder, and restore a backup into a new one",
        ),
        Err(error) => Finding::fault("database", error.to_string(), "look at the disk, then restore a backup"),
    }
}

fn log(patient: &Patient) -> Finding {
    let log = fs::metadata(patient.dir.database().with_extension("db-wal")).map_or(0, |log| log.len());
    if log > LOG_BYTES_MAX {
        let says = format!("{} wait to be copied back: something reads the database for very long", words::bytes(log));
        return Finding::warning("database log", says, "end what holds relay.db open, or restart the relay");
    }
    Finding::ok("database log", format!("{} in it", words::bytes(log)))
}
