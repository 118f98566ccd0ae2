//! The engine's only way to write: rows to put and rows to delete, applied together with the transaction.

use std::collections::BTreeMap;

use crate::{Range, Table, Value};

/// Changes of one step, the last one of a row standing.
#[derive(Default)]
#[must_use]
pub struct Batch {
    changes: BTreeMap<(Table, Vec<u8>), Option<Value>>,
}

impl Batch {
    /// Puts a row, replacing what is there.
    pub fn put(&mut self, table: Table, key: &[u8], value: Value) {
        self.changes.insert((table, key.to_vec()), Some(value));
    }

    /// Deletes a row, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.changes.insert((table, key.to_vec()), None);
    }

    /// What this batch holds for a row: `None` nothing, `Some(None)` its deletion.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<Option<&Value>> {
        self.changes.get(&(table, key.to_vec())).map(Option::as_ref)
    }

    /// What this batch holds of a range, by key.
    pub(crate) fn range(&self, table: Table, range: &Range) -> Vec<(&[u8], Option<&Value>)> {
        let from = (table, range.from.clone());
        let changes = self.changes.range(from..).take_while(|((of, key), _)| *of == table && range.contains(key));
        changes.map(|((_, key), value)| (key.as_slice(), value.as_ref())).collect()
    }

    /// All changes, by table and key: a value to put, or none to delete.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.changes
            .iter()
            .map(|((table, key), value)| (*table, key.as_slice(), value.as_ref().map(|value| value.as_slice())))
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Tells how much, never what.
impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { changes } = self;
        f.debug_struct("Batch").field("changes", &changes.len()).finish()
    }
}
