//! One event's work: the open transaction with what was already written in it, chance, time, and the effects so far.
//!
//! The modules beside this one add their rules as methods. What they read through here sees their own writes.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sotto_inner::HybridTime;

use crate::{
    Batch, Change, Context, Effect, Happening, JournalEntry, Order, Outcome, Range, Rows, RowsError, Step, Table,
    Ticket, Timestamp, Value, event::ContactId, memory::Memory, record::Record,
};

/// Journal entries kept; older ones are forgotten.
const JOURNAL_ENTRIES_MAX: u64 = 50_000;
/// A peer's clock further ahead than this does not pull ours along.
const CLOCK_SKEW_MILLIS_MAX: u64 = 86_400_000;

pub(crate) struct Work<'w> {
    pub(crate) now: Timestamp,
    pub(crate) rng: &'w mut dyn CryptoRng,
    pub(crate) memory: &'w mut Memory,
    pub(crate) transaction: Transaction<'w>,
    effects: Vec<Effect>,
}

/// The open transaction with what was already written in this step.
pub(crate) struct Transaction<'w> {
    rows: &'w dyn Rows,
    batch: Batch,
}

impl<'w> Work<'w> {
    pub(crate) fn new(cx: &'w mut Context<'_>, memory: &'w mut Memory) -> Self {
        let transaction = Transaction { rows: cx.rows, batch: Batch::default() };
        Self { now: cx.now, rng: &mut *cx.rng, memory, transaction, effects: Vec::new() }
    }

    pub(crate) fn finish(self) -> Step {
        Step::new(self.transaction.batch, self.effects)
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn show(&mut self, change: Change) {
        self.effect(Effect::Show(change));
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, outcome: Outcome) {
        self.show(Change::Answered { ticket, result: Ok(outcome) });
    }

    /// Fresh random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A random number below `bound`; the bias of the remainder is of no matter for delays.
    pub(crate) fn jitter(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.random()) % bound.max(1)
    }

    pub(crate) fn load<R: Record>(&self, key: &[u8]) -> Result<Option<R>, RowsError> {
        self.get(R::TABLE, key)?.map(|row| R::from_row(&row)).transpose()
    }

    pub(crate) fn save<R: Record>(&mut self, key: &[u8], record: &R) {
        self.transaction.batch.put(R::TABLE, key, record.to_row());
    }

    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.transaction.batch.put(table, key, Value::new(value));
    }

    pub(crate) fn delete(&mut self, table: Table, key: &[u8]) {
        self.transaction.batch.delete(table, key);
    }

    /// Deletes every row whose key begins with `prefix`.
    pub(crate) fn delete_prefix(&mut self, table: Table, prefix: &[u8]) -> Result<(), RowsError> {
        for (key, _) in self.scan(table, &Range::prefix(prefix), Order::Ascending, usize::MAX)? {
            self.delete(table, &key);
        }
        Ok(())
    }

    /// Records of a range, in key order.
    pub(crate) fn records<R: Record>(&self, range: &Range, limit: usize) -> Result<Vec<(Vec<u8>, R)>, RowsError> {
        let rows = self.scan(R::TABLE, range, Order::Ascending, limit)?;
        rows.into_iter().map(|(key, row)| R::from_row(&row).map(|record| (key, record))).collect()
    }

    /// A counter among the single values, 0 at first.
    pub(crate) fn counter(&self, name: &[u8]) -> Result<u64, RowsError> {
        let Some(row) = self.get(Table::Meta, name)? else { return Ok(0) };
        let bytes = row.as_slice().try_into().map_err(|_| RowsError("a counter is damaged".to_owned()))?;
        Ok(u64::from_be_bytes(bytes))
    }

    pub(crate) fn set_counter(&mut self, name: &[u8], value: u64) {
        self.put(Table::Meta, name, value.to_be_bytes().to_vec());
    }

    /// Raises a counter by one and gives the new value.
    pub(crate) fn count(&mut self, name: &[u8]) -> Result<u64, RowsError> {
        let next = self.counter(name)? + 1;
        self.set_counter(name, next);
        Ok(next)
    }

    /// The next reading of the hybrid logical clock.
    pub(crate) fn tick(&mut self) -> Result<HybridTime, RowsError> {
        let next = HybridTime(self.counter(b"clock")?).next(self.now.0);
        self.set_counter(b"clock", next.0);
        Ok(next)
    }

    /// Takes a peer's reading into account, unless it is far ahead of our own clock.
    pub(crate) fn witness(&mut self, time: HybridTime) -> Result<(), RowsError> {
        let ahead = time.millis().saturating_sub(self.now.0) > CLOCK_SKEW_MILLIS_MAX;
        if !ahead && time.0 > self.counter(b"clock")? {
            self.set_counter(b"clock", time.0);
        }
        Ok(())
    }

    /// Writes down what happened and tells whoever watches.
    pub(crate) fn happened(&mut self, happening: Happening) -> Result<(), RowsError> {
        let sequence = self.count(b"journal")?;
        let entry = JournalEntry { time: self.now.0, happening };
        self.put(Table::Journal, &sequence.to_be_bytes(), sotto_outer::codec::encode(&entry));
        if let Some(old) = sequence.checked_sub(JOURNAL_ENTRIES_MAX) {
            self.delete(Table::Journal, &old.to_be_bytes());
        }
        self.show(Change::Happened { sequence, happening: entry.happening });
        Ok(())
    }
}

impl Rows for Work<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, RowsError> {
        self.transaction.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
        self.transaction.scan(table, range, order, limit)
    }
}

impl Rows for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, RowsError> {
        match self.batch.get(table, key) {
            Some(written) => Ok(written.cloned()),
            None => self.rows.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
        let written = self.batch.range(table, range);
        if written.is_empty() {
            return self.rows.scan(table, range, order, limit);
        }
        // Rows below that were overwritten or deleted here must not use up the limit.
        let below = self.rows.scan(table, range, order, limit.saturating_add(written.len()))?;
        let mut merged: Vec<(Vec<u8>, Value)> =
            below.into_iter().filter(|(key, _)| !written.iter().any(|(changed, _)| changed == key)).collect();
        merged.extend(written.into_iter().filter_map(|(key, value)| Some((key.to_vec(), value?.clone()))));
        merged.sort_by(|a, b| a.0.cmp(&b.0));
        if order == Order::Descending {
            merged.reverse();
        }
        merged.truncate(limit);
        Ok(merged)
    }
}

/// Encodes a small value that is not a record of its own.
pub(crate) fn encoded<T: Encode<()>>(value: &T) -> Vec<u8> {
    sotto_outer::codec::encode(value)
}

/// Decodes what [`encoded`] wrote.
pub(crate) fn decoded<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, RowsError> {
    minicbor::decode(bytes).map_err(|_| RowsError("a row is damaged".to_owned()))
}

/// A contact's key followed by more.
pub(crate) fn contact_key(contact: &ContactId, rest: &[u8]) -> Vec<u8> {
    [contact.as_bytes().as_slice(), rest].concat()
}
