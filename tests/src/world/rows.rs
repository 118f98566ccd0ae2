//! A profile's database in memory: what is durable, and what an open transaction would undo.

use std::collections::BTreeMap;

use sotto_engine::{Batch, Order, Range, Rows, RowsError, Table, Value};

/// The rows of one profile. A clone is what a thief or a copied folder has.
#[derive(Clone, Default)]
pub struct MemoryRows {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Value>>,
    /// What each write since the last commit replaced, oldest first.
    undo: Vec<(Table, Vec<u8>, Option<Value>)>,
}

impl MemoryRows {
    /// Applies a step's batch to the open transaction.
    pub fn apply(&mut self, batch: &Batch) {
        for (table, key, value) in batch.changes() {
            self.set(table, key, value.map(|value| Value::new(value.to_vec())));
        }
    }

    /// Puts or deletes a row behind the engine's back, as a faulty disk or a person with an editor would.
    pub fn set(&mut self, table: Table, key: &[u8], value: Option<Value>) {
        let rows = self.tables.entry(table).or_default();
        let before = match value {
            Some(value) => rows.insert(key.to_vec(), value),
            None => rows.remove(key),
        };
        self.undo.push((table, key.to_vec(), before));
    }

    /// Makes the open transaction durable.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Ends the open transaction without a trace.
    pub fn roll_back(&mut self) {
        while let Some((table, key, before)) = self.undo.pop() {
            let rows = self.tables.entry(table).or_default();
            match before {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }

    /// All rows of a table.
    pub fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tables.get(&table).into_iter().flatten().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// How many rows all tables hold.
    pub fn len(&self) -> usize {
        self.tables.values().map(BTreeMap::len).sum()
    }

    /// Whether there are no rows at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Rows for MemoryRows {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, RowsError> {
        Ok(self.tables.get(&table).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
        let Some(rows) = self.tables.get(&table) else { return Ok(Vec::new()) };
        if range.to.as_ref().is_some_and(|to| *to <= range.from) {
            return Ok(Vec::new());
        }
        let rows = match &range.to {
            Some(to) => rows.range(range.from.clone()..to.clone()),
            None => rows.range(range.from.clone()..),
        };
        let copy = |(key, value): (&Vec<u8>, &Value)| (key.clone(), value.clone());
        Ok(match order {
            Order::Ascending => rows.take(limit).map(copy).collect(),
            Order::Descending => rows.rev().take(limit).map(copy).collect(),
        })
    }
}

/// Tells how much, never what.
impl std::fmt::Debug for MemoryRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tables: _, undo } = self;
        f.debug_struct("MemoryRows").field("rows", &self.len()).field("uncommitted", &undo.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_back_restores_what_the_last_commit_left() {
        let mut rows = MemoryRows::default();
        let value = |byte| Some(Value::new(vec![byte]));
        rows.set(Table::Meta, b"kept", value(1));
        rows.commit();
        rows.set(Table::Meta, b"kept", value(2));
        rows.set(Table::Meta, b"kept", None);
        rows.set(Table::Meta, b"new", value(3));
        rows.roll_back();
        assert_eq!(rows.table(Table::Meta).collect::<Vec<_>>(), [(&b"kept"[..], &[1][..])]);
    }

    #[test]
    fn a_scan_keeps_to_its_range_order_and_limit() {
        let mut rows = MemoryRows::default();
        for key in 0..9 {
            rows.set(Table::Timer, &[key], Some(Value::new(vec![])));
        }
        let range = Range { from: vec![2], to: Some(vec![7]) };
        let keys = |order| rows.scan(Table::Timer, &range, order, 3).unwrap().into_iter().map(|(key, _)| key[0]);
        assert_eq!(keys(Order::Ascending).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(keys(Order::Descending).collect::<Vec<_>>(), [6, 5, 4]);
    }
}
