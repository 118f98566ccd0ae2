//! Several statements in one trip to SQLite's thread: a whole batch, from BEGIN to COMMIT, is mostly one script.
//!
//! Few texts, so that each is prepared once: an insert has one of a few numbers of rows, and rows that it does not need are null.

use bytes::Bytes;
use sotto_outer::EnvelopeId;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};

use super::{
    batch::{Result, json_numbers},
    memory::{Key, millis},
};
use crate::time::Timestamp;

/// Rows of one insert, at most.
pub(super) const INSERT_ROWS_MAX: usize = 128;
/// What stands before those rows and after them.
const INSERT: (&str, &str) = (
    "INSERT INTO envelope (seq, mailbox, id, expires_at, payload) SELECT * FROM (VALUES (?, ?, ?, ?, ?)",
    ") WHERE column1 IS NOT NULL;",
);

/// A row of `envelope` to be written.
pub(super) struct Insert {
    pub(super) seq: i64,
    pub(super) mailbox: Key,
    pub(super) id: EnvelopeId,
    pub(super) expires_at: Timestamp,
    pub(super) payload: Bytes,
}

/// Statements with what is bound to them.
#[derive(Default)]
pub(super) struct Script {
    text: String,
    arguments: SqliteArguments,
}

impl Script {
    /// A statement without arguments.
    pub(super) fn push(&mut self, statement: &str) {
        self.text.push_str(statement);
    }

    /// Inserts up to [`INSERT_ROWS_MAX`] rows.
    pub(super) fn insert(&mut self, rows: &[Insert]) -> Result<()> {
        let count = rows.len().next_power_of_two();
        if rows.is_empty() {
            return Ok(());
        }
        self.text.push_str(INSERT.0);
        for _ in 1..count {
            self.text.push_str(", (?, ?, ?, ?, ?)");
        }
        self.text.push_str(INSERT.1);
        self.arguments.reserve(5 * count, 0);
        for Insert { seq, mailbox, id, expires_at, payload } in rows {
            self.bind(*seq)?;
            self.bind(*mailbox)?;
            self.bind(&id.as_bytes()[..])?;
            self.bind(millis(*expires_at))?;
            self.bind(&payload[..])?;
        }
        for _ in 5 * rows.len()..5 * count {
            self.bind(None::<i64>)?;
        }
        Ok(())
    }

    /// Deletes rows of `envelope`.
    pub(super) fn delete(&mut self, seqs: &[i64]) -> Result<()> {
        if seqs.is_empty() {
            return Ok(());
        }
        self.text.push_str("DELETE FROM envelope WHERE seq IN (SELECT value FROM json_each(?));");
        self.bind(json_numbers(seqs))
    }

    /// Inserts a row of `acknowledged`.
    pub(super) fn acknowledged(&mut self, forget_at: i64, ids: Vec<u8>) -> Result<()> {
        self.text.push_str("INSERT INTO acknowledged (forget_at, ids) VALUES (?, ?);");
        self.bind(forget_at)?;
        self.bind(ids)
    }

    /// Runs all of it, or to the first error.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Result<()> {
        let Self { text, arguments } = self;
        if !text.is_empty() {
            // What the text consists of stands above; only numbers of rows vary, and what they hold is bound.
            sqlx::query_with(AssertSqlSafe(text), arguments).execute(connection).await?;
        }
        Ok(())
    }

    fn bind<'t>(&mut self, value: impl sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>) -> Result<()> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)
    }
}
