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
        self.remark(&happening)?;
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
        let mut merged: Vec<(Vec<u8>, Value)> = below
            .into_iter()
            .filter(|(key, _)| written.binary_search_by(|(changed, _)| (*changed).cmp(key)).is_err())
            .collect();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    /// One table's worth of rows, as they lie below a step.
    #[derive(Default)]
    struct Below(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Rows for Below {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<Value>, RowsError> {
            Ok(self.0.get(key).map(|value| Value::new(value.clone())))
        }

        fn scan(
            &self,
            _: Table,
            range: &Range,
            order: Order,
            limit: usize,
        ) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
            let rows = self.0.iter().filter(|(key, _)| range.contains(key));
            let rows = rows.map(|(key, value)| (key.clone(), Value::new(value.clone())));
            Ok(match order {
                Order::Ascending => rows.take(limit).collect(),
                Order::Descending => rows.rev().take(limit).collect(),
            })
        }
    }

    fn below(keys: &[u8]) -> Below {
        Below(keys.iter().map(|key| (vec![*key], vec![*key])).collect())
    }

    fn with_work<T>(rows: &Below, now: u64, test: impl FnOnce(&mut Work<'_>) -> T) -> T {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut cx = Context { now: Timestamp(now), rng: &mut rng, rows };
        test(&mut Work::new(&mut cx, &mut Memory::default()))
    }

    fn keys(rows: Vec<(Vec<u8>, Value)>) -> Vec<u8> {
        rows.into_iter().map(|(key, _)| key[0]).collect()
    }

    #[test]
    fn a_scan_sees_what_the_step_wrote() {
        with_work(&below(&[1, 3, 5, 7]), 0, |work| {
            work.delete(Table::Receipt, &[3]);
            work.put(Table::Receipt, &[4], vec![4]);
            work.put(Table::Receipt, &[5], vec![55]);
            work.put(Table::Timer, &[2], vec![2]);
            let all = work.scan(Table::Receipt, &Range::all(), Order::Ascending, 9).unwrap();
            assert_eq!(all[2].1.as_slice(), [55], "the later value stands");
            assert_eq!(keys(all), [1, 4, 5, 7]);
        });
    }

    #[test]
    fn a_deleted_row_does_not_use_up_the_limit() {
        with_work(&below(&[1, 2, 3, 4]), 0, |work| {
            work.delete(Table::Receipt, &[1]);
            work.delete(Table::Receipt, &[4]);
            let scan = |work: &Work<'_>, order| keys(work.scan(Table::Receipt, &Range::all(), order, 1).unwrap());
            assert_eq!(scan(work, Order::Ascending), [2]);
            assert_eq!(scan(work, Order::Descending), [3]);
        });
    }

    #[test]
    fn the_clock_never_runs_backwards() {
        let first = with_work(&Below::default(), 1_000, |work| {
            let first = work.tick().unwrap();
            assert!(work.tick().unwrap() > first);
            work.now = Timestamp(10);
            assert!(work.tick().unwrap() > first, "a clock set back");
            first
        });
        assert_eq!(first.millis(), 1_000);
    }

    #[test]
    fn a_peer_pulls_the_clock_along_but_not_far() {
        with_work(&Below::default(), 1_000, |work| {
            let near = HybridTime::from_millis(5_000);
            work.witness(near).unwrap();
            assert!(work.tick().unwrap() > near);
            let far = HybridTime::from_millis(1_000 + CLOCK_SKEW_MILLIS_MAX + 1);
            work.witness(far).unwrap();
            assert!(work.tick().unwrap() < far);
        });
    }

    #[test]
    fn a_happening_is_numbered_and_shown() {
        let step = with_work(&Below::default(), 5, |work| {
            let contact = ContactId::from([1; 32]);
            work.happened(Happening::Verified { contact }).unwrap();
            work.happened(Happening::SessionRepaired { contact }).unwrap();
            assert_eq!(work.counter(b"journal").unwrap(), 2);
            std::mem::take(&mut work.effects)
        });
        let shown: Vec<_> = step
            .iter()
            .map(|effect| match effect {
                Effect::Show(Change::Happened { sequence, happening: _ }) => *sequence,
                other => panic!("not shown: {other:?}"),
            })
            .collect();
        assert_eq!(shown, [1, 2]);
    }
}
