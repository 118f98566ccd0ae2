//! The open transaction: reads that see what was applied, batches, and the commit that lets effects go.
//!
//! After any failed write nothing more is written and no commit is tried: SQLite may have rolled back by itself, and what
//! followed would stand alone.

use std::{cell::Cell, fmt};

use rusqlite::{Connection, TransactionBehavior};
use sotto_engine::{Batch, Committed, Order, Range, Rows, RowsError, Table, Value, view};

use crate::{StoreError, search, table};

/// An open transaction. Dropped without a commit, it never was.
pub struct Transaction<'s> {
    inner: rusqlite::Transaction<'s>,
    failed: Cell<bool>,
}

impl<'s> Transaction<'s> {
    pub(crate) fn begin(connection: &'s mut Connection) -> Result<Self, StoreError> {
        let inner = rusqlite::Transaction::new(connection, TransactionBehavior::Immediate)?;
        Ok(Self { inner, failed: Cell::new(false) })
    }

    /// Writes a batch; later reads see it.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction can then only be dropped, and every further write and commit answers
    /// [`StoreError::Failed`].
    pub fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        for (table, key, value) in batch.changes() {
            self.write(table, key, value)?;
        }
        Ok(())
    }

    /// Makes all batches durable, and proves it.
    ///
    /// # Errors
    /// [`StoreError`]; everything is rolled back. A disk that failed at the very end may show the change after a restart:
    /// whole, as after a crash.
    pub fn commit(self) -> Result<Committed, StoreError> {
        if self.failed.get() {
            return Err(StoreError::Failed);
        }
        self.inner.commit()?;
        Ok(Committed::after_commit())
    }

    /// Puts or deletes a row, and keeps the full-text index in step.
    pub(crate) fn write(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        self.guard(|connection| match (table, value) {
            (Table::Message, Some(value)) => search::put(connection, key, value, view::message_text(value).as_deref()),
            (Table::Message, None) => search::delete(connection, key),
            (_, Some(value)) => table::put(connection, table, key, value),
            (_, None) => table::delete(connection, table, key),
        })
    }

    /// Writes through the gate that the first failure shuts.
    pub(crate) fn guard(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        if self.failed.get() {
            return Err(StoreError::Failed);
        }
        write(&self.inner).map_err(|error| {
            self.failed.set(true);
            error.into()
        })
    }
}

impl Rows for Transaction<'_> {
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

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner: _, failed } = self;
        f.debug_struct("Transaction").field("failed", &failed.get()).finish_non_exhaustive()
    }
}
