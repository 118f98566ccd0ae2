//! The second connection: it reads beside the one that writes, for timelines and search, and can change nothing.

use std::fmt;

use rusqlite::{Connection, TransactionBehavior};
use sotto_engine::{Order, Range, Rows, RowsError, Table, Value};

use crate::{StoreError, search, table};

/// A connection that only reads. It may move to another thread.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// A view of one moment, however many calls are made through it. Keep it briefly: the write-ahead log cannot be folded
    /// in past it.
    ///
    /// # Errors
    /// [`StoreError`], if the database cannot be read.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_>, StoreError> {
        let inner = rusqlite::Transaction::new(&mut self.connection, TransactionBehavior::Deferred)?;
        Ok(Snapshot { inner })
    }
}

#[cfg(test)]
impl Reader {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// One moment of the database: that of its first read.
pub struct Snapshot<'r> {
    inner: rusqlite::Transaction<'r>,
}

impl Snapshot<'_> {
    /// Keys (`Table::Message`) of at most `limit` messages that hold every word of the query, or a piece of a word, the one
    /// stored last first. Signs have no special meaning. Words of three signs and more are found whatever the case and the
    /// accents.
    ///
    /// # Errors
    /// [`StoreError`], if the database cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(search::search(&self.inner, query, limit)?)
    }
}

impl Rows for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, RowsError> {
        Ok(table::get(&self.inner, table, key).map_err(StoreError::from)?)
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
        Ok(table::scan(&self.inner, table, range, order, limit).map_err(StoreError::from)?)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(..)")
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot(..)")
    }
}
