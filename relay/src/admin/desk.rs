//! Who answers the host's questions, in the relay's process.

use std::{path::PathBuf, time::Instant};

use nix::sys::statvfs::statvfs;
use tokio::sync::mpsc;

use super::{Answer, BLOCK_IDS_MAX, BlockReport, Request, Status};
use crate::{
    config::DataDir,
    core::{HostAnswer, HostCommand},
    server::Host,
    storage::{
        blocked::{Named, Report, ReportedId},
        sqlite::count::Counts,
    },
};

/// What only the process itself can do.
#[derive(Debug)]
pub(crate) enum Errand {
    /// End in order, as SIGTERM does.
    Stop,
}

/// What the answers come from.
pub(crate) struct Desk {
    host: Host,
    dir: DataDir,
    started: Instant,
    errands: mpsc::Sender<Errand>,
}

impl Desk {
    /// The desk of a relay that has just started, and the errands it will send.
    pub(crate) fn new(host: Host, dir: DataDir) -> (Self, mpsc::Receiver<Errand>) {
        let (errands, waiting) = mpsc::channel(1);
        (Self { host, dir, started: Instant::now(), errands }, waiting)
    }

    pub(super) async fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Status => self.status().await,
            Request::Block { ids, blocked } => self.block(ids, *blocked).await,
            Request::Drain => Answer::Done,
            Request::RotateCert => match self.host.rotate_certificate() {
                Ok(()) => Answer::Done,
                Err(error) => refused(&error.to_string()),
            },
        }
    }

    /// Begins the end.
    pub(super) async fn stop(&self) {
        // Where nobody takes it, the end has begun already.
        let _ = self.errands.send(Errand::Stop).await;
    }

    async fn status(&self) -> Answer {
        let Some(HostAnswer::Load(load)) = self.host.ask(HostCommand::Load).await else { return stopping() };
        let path: PathBuf = self.dir.path().to_owned();
        let free = tokio::task::spawn_blocking(move || statvfs(&path)).await;
        Answer::Status(Box::new(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_secs: self.started.elapsed().as_secs(),
            state: self.host.state().to_owned(),
            connections: load.connections,
            subscriptions: load.subscriptions,
            storage_waiting: load.storage_waiting,
            storage_latest_micros: self.host.storage_latest_micros(),
            turned_away: load.turned_away.into_iter().map(str::to_owned).collect(),
            disk_free_bytes: free.ok().and_then(Result::ok).map(|free| free.blocks_available() * free.fragment_size()),
            stored: Counts::read(&self.dir.database(), true).await.ok(),
        }))
    }

    async fn block(&self, ids: &[String], blocked: bool) -> Answer {
        let parsed: Result<Vec<ReportedId>, _> = ids.iter().map(|id| id.parse()).collect();
        let ids = match parsed {
            Ok(ids) if (1..=BLOCK_IDS_MAX).contains(&ids.len()) => ids,
            Ok(_) => return refused(&format!("1 to {BLOCK_IDS_MAX} ids at once; nothing was changed")),
            Err(error) => return refused(&format!("{error}; nothing was changed")),
        };
        match self.host.ask(HostCommand::Block { ids, blocked }).await {
            Some(HostAnswer::Blocked(reports)) => {
                Answer::Blocked { reports: reports.into_iter().map(BlockReport::from).collect() }
            }
            Some(HostAnswer::Failed) => refused("the storage fails; nothing was changed. Its log says why"),
            Some(HostAnswer::Load(_)) | None => stopping(),
        }
    }
}

fn refused(reason: &str) -> Answer {
    Answer::Refused { reason: reason.to_owned() }
}

fn stopping() -> Answer {
    refused("the relay is stopping; nothing was changed")
}

impl From<Report> for BlockReport {
    fn from(report: Report) -> Self {
        let names = match report.named {
            Named::Mailbox(_) => "mailbox",
            Named::Bundle(_) => "bundle",
            Named::Blob(_) => "blob",
            Named::Channel(_) => "channel",
            Named::Nothing => "nothing",
        };
        Self { names: names.to_owned(), is_new: report.is_new }
    }
}
