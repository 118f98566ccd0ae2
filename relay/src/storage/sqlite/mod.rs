//! The real store: SQLite in write-ahead mode, `synchronous=FULL`, one writer.
//!
//! A batch is one transaction, so one `fdatasync` makes all of it durable. Mailboxes in use are held in memory (see
//! [`memory`]), which is right because nobody else writes this file; a batch that fails forgets them. Statements are
//! multi-row, for each one is a trip to SQLite's thread.

mod acknowledged;
mod batch;
mod blobs;
mod blocked;
mod bundles;
mod channels;
pub(crate) mod count;
mod mailboxes;
mod memory;
mod reads;
mod reserve;
mod script;
pub(crate) mod snapshot;
mod tokens;
pub(crate) mod upgrade;
pub mod view;

use std::path::{Path, PathBuf};

use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tracing::{info, warn};

use self::{batch::Batch, memory::Memory, reserve::Reserve, upgrade::Plan};
use super::{Op, Outcome, Storage, TokenOp, blob::BlobOp, channel::ChannelOp};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Pages of the write-ahead log after which it is copied back: few copies, and what was written and deleted between two of
/// them is never copied at all.
const CHECKPOINT_PAGES: &str = "8000";
/// Copies the write-ahead log back and gives its room to the disk.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// SQLite's page cache, in KiB (negative by its own convention): more than a batch writes. What is beyond it the system holds.
const CACHE_KIB: &str = "-12000";

/// Why a database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no file.
    #[error("there is no database at {path}; `sotto-relay run` makes one")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file cannot be opened, read or written.
    #[error("the database cannot be used: {0}; nothing was changed")]
    Unusable(#[from] sqlx::Error),
    /// A later version of this program has changed the database.
    #[error(
        "the database was made by another version of sotto-relay ({0}); use that version, or its `upgrade --rollback`; nothing was changed"
    )]
    Version(#[from] MigrateError),
    /// It has another form than a backup of this version has.
    #[error("the database has not this version's form; `sotto-relay upgrade` says more, nothing was changed")]
    Outdated,
    /// Before an upgrade a copy is made, and that failed.
    #[error(
        "the database needs an upgrade and could not be copied before ({0}); make room on the disk, nothing was changed"
    )]
    Copy(String),
}

/// The store of one relay process.
pub struct SqliteStorage {
    options: SqliteConnectOptions,
    /// None after an error that left its state in doubt; it is opened again with the next batch.
    connection: Option<SqliteConnection>,
    memory: Memory,
    reserve: Reserve,
}

impl SqliteStorage {
    /// Opens the database, or makes it, and brings it to this version's form.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("cache_size", CACHE_KIB)
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let plan = Plan::of(&mut connection).await?;
        if plan.is_upgrade() {
            upgrade::copy(&mut connection, path, plan.from).await?;
            info!(
                from = plan.from,
                to = plan.to,
                "the database is brought to this version's form; a copy lies beside it"
            );
        }
        MIGRATIONS.run(&mut connection).await?;
        let memory = load(&mut connection).await?;
        Ok(Self { options, connection: Some(connection), memory, reserve: Reserve::take(path) })
    }

    #[cfg(test)]
    pub(super) const fn next_seq(&self) -> i64 {
        self.memory.next_seq
    }

    /// Copies the write-ahead log back and closes the file.
    pub async fn close(self) {
        let Some(connection) = self.connection else { return };
        if let Err(error) = connection.close().await {
            warn!(kind = kind(&error), "the database was not closed cleanly; it will be recovered at the next start");
        }
    }

    /// All of a batch, or nothing.
    async fn try_apply<'a>(&mut self, ops: impl Iterator<Item = &'a Op> + Clone) -> Result<Vec<Outcome>, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let mut connection = SqliteConnection::connect_with(&self.options).await?;
                self.memory = load(&mut connection).await?;
                info!("the database is open again");
                self.connection.insert(connection)
            }
        };
        let mut batch = Batch::new(connection, &mut self.memory);
        let outcomes = batch.apply(ops).await?;
        batch.commit().await?;
        self.memory.trim();
        Ok(outcomes)
    }

    /// Undoes what a failed batch has done, in the file and in memory.
    async fn undo(&mut self) {
        self.memory.forget_uncommitted();
        let Some(connection) = &mut self.connection else { return };
        // Where no transaction is open the error is that there is none; any other shows with the next statement.
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
        if sqlx::query(CHECKPOINT).execute(&mut *connection).await.is_err() {
            self.connection = None;
        }
    }

    /// Applies what stores nothing new: above all the acks, which make room.
    async fn apply_what_frees(&mut self, ops: &[Op]) -> Vec<Outcome> {
        let mut freed = match self.try_apply(ops.iter().filter(|op| !stores_more(op))).await {
            Ok(outcomes) => outcomes.into_iter(),
            Err(_) => {
                self.undo().await;
                vec![].into_iter()
            }
        };
        let frees = |op: &Op| {
            matches!(
                op,
                Op::Acknowledge { .. }
                    | Op::DeleteMailbox { .. }
                    | Op::Channel(ChannelOp::Expire { .. })
                    | Op::Expire { .. }
            )
        };
        if !self.reserve.is_held() && ops.iter().any(frees) {
            self.take_room_back().await;
        }
        let outcome = |op| if stores_more(op) { Outcome::Failed } else { freed.next().unwrap_or(Outcome::Failed) };
        ops.iter().map(outcome).collect()
    }

    /// Gives the pages that are free back to the disk, and takes the reserve from there.
    async fn take_room_back(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        for statement in ["PRAGMA incremental_vacuum", CHECKPOINT] {
            // What fails now is tried again with the next batch that frees something.
            let _ = sqlx::query(statement).fetch_all(&mut *connection).await;
        }
        if self.reserve.retake().is_ok() {
            info!("there is room on the disk again");
        }
    }
}

impl Storage for SqliteStorage {
    async fn apply(&mut self, ops: Vec<Op>) -> Vec<Outcome> {
        if !self.reserve.is_held() {
            return self.apply_what_frees(&ops).await;
        }
        let error = match self.try_apply(ops.iter()).await {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        warn!(kind = kind(&error), ops = ops.len(), "a batch could not be stored; its senders are told to try again");
        if is_disk_full(&error) {
            self.reserve.give_up();
        }
        self.undo().await;
        self.apply_what_frees(&ops).await
    }
}

/// Whether an operation needs room on the disk.
const fn stores_more(op: &Op) -> bool {
    match op {
        Op::Create(..) | Op::Send(_) | Op::Publish(_) | Op::Token(TokenOp::KeepKey(_) | TokenOp::Count { .. }) => true,
        Op::Channel(op) => matches!(op, ChannelOp::Create(..) | ChannelOp::Append(_)),
        Op::Admit { .. }
        | Op::Token(TokenOp::Keys { .. })
        | Op::Owners(_)
        | Op::Lease { .. }
        | Op::Next { .. }
        | Op::Acknowledge { .. }
        | Op::Rotate { .. }
        | Op::DeleteMailbox { .. }
        | Op::DeleteBundle { .. }
        | Op::FetchBundle { .. }
        // A few bytes by the host's own hand, who may be after whoever fills the disk.
        | Op::Block { .. }
        | Op::Expire { .. } => false,
        Op::Blob(op) => matches!(op, BlobOp::Create(..) | BlobOp::PartStored { .. } | BlobOp::Commit { .. }),
    }
}

/// What must be known before the first batch.
async fn load(connection: &mut SqliteConnection) -> Result<Memory, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM envelope").fetch_one(&mut *connection).await?;
    let mut memory = Memory::new(last.map_or(0, |last| last + 1));
    let rows =
        sqlx::query("SELECT forget_at, ids FROM acknowledged ORDER BY forget_at").fetch_all(&mut *connection).await?;
    for row in rows {
        memory.acknowledged.load(row.try_get(0)?, row.try_get(1)?);
    }
    for row in sqlx::query("SELECT id FROM blocked").fetch_all(&mut *connection).await? {
        memory.blocked.load(batch::array(&row, 0)?.into());
    }
    Ok(memory)
}

/// What kind of error it is, without the statement or the file that it happened with.
fn kind(error: &sqlx::Error) -> &'static str {
    match result_code(error) {
        Some(5 | 6) => "locked by another process",
        Some(8) => "read-only",
        Some(10) => "I/O error",
        Some(11 | 26) => "damaged",
        Some(13) => "disk full",
        Some(14) => "cannot open",
        Some(_) => "database",
        None => "connection",
    }
}

/// A full disk; without room for its shared memory file SQLite speaks of an I/O error.
fn is_disk_full(error: &sqlx::Error) -> bool {
    matches!(result_code(error), Some(10 | 13))
}

/// SQLite's primary result code, <https://sqlite.org/rescode.html>; the rest of the number says more than a host can use.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}
