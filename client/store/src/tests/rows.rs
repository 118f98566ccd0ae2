//! Rows against a model: random batches, some rolled back, some across a reopening, read in every way there is.

use std::collections::BTreeMap;

use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha20Rng;
use sotto_engine::{Order, Range, Rows, Table};

use super::{Profile, seeded};
use crate::Transaction;

type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

#[test]
fn random_batches_read_back_as_from_a_map() {
    let mut rng = seeded();
    let (profile, mut store) = Profile::create();
    let mut model = Model::new();
    for round in 0..120 {
        let mut draft = model.clone();
        let transaction = store.begin().unwrap();
        for _ in 0..rng.random_range(0..30) {
            change(&transaction, &mut draft, &mut rng);
        }
        compare(&transaction, &draft, &mut rng);
        if rng.random_bool(0.7) {
            let _proof = transaction.commit().unwrap();
            model = draft;
        } else {
            drop(transaction);
        }
        if round % 30 == 29 {
            drop(store);
            store = profile.open();
        }
        let mut reader = store.reader().unwrap();
        compare(&reader.snapshot().unwrap(), &model, &mut rng);
    }
}

#[test]
fn a_reader_sees_what_is_committed_and_stays_in_its_moment() {
    let (_profile, mut store) = Profile::create();
    let mut reader = store.reader().unwrap();
    let value = |rows: &dyn Rows| rows.get(Table::Meta, b"k").unwrap().map(|value| value.to_vec());

    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"k", Some(b"1")).unwrap();
    assert_eq!(value(&transaction), Some(b"1".to_vec()));
    assert_eq!(value(&reader.snapshot().unwrap()), None);
    let _proof = transaction.commit().unwrap();

    let snapshot = reader.snapshot().unwrap();
    assert_eq!(value(&snapshot), Some(b"1".to_vec()));
    let transaction = store.begin().unwrap();
    transaction.write(Table::Meta, b"k", Some(b"2")).unwrap();
    let _proof = transaction.commit().unwrap();
    assert_eq!(value(&snapshot), Some(b"1".to_vec()));
    drop(snapshot);
    assert_eq!(value(&reader.snapshot().unwrap()), Some(b"2".to_vec()));
}

#[test]
fn a_reader_serves_another_thread_and_cannot_write() {
    fn moves<T: Send>(_: &T) {}
    let (_profile, store) = Profile::create();
    moves(&store);
    let mut reader = store.reader().unwrap();
    std::thread::spawn(move || {
        assert!(reader.connection().execute("DELETE FROM meta", []).is_err());
        assert!(reader.snapshot().unwrap().get(Table::Meta, b"k").unwrap().is_none());
    })
    .join()
    .unwrap();
}

fn change(transaction: &Transaction<'_>, model: &mut Model, rng: &mut ChaCha20Rng) {
    let table = Table::ALL[rng.random_range(0..Table::ALL.len())];
    let key = key(rng);
    if rng.random_bool(0.3) {
        transaction.write(table, &key, None).unwrap();
        model.remove(&(table, key));
    } else {
        let mut value = vec![0; rng.random_range(0..200)];
        if rng.random_bool(0.05) {
            value.resize(70_000, 0);
        }
        rng.fill_bytes(&mut value);
        transaction.write(table, &key, Some(&value)).unwrap();
        model.insert((table, key), value);
    }
}

/// Few and short keys, so that they meet, with the bytes that orders and prefixes stumble over.
fn key(rng: &mut ChaCha20Rng) -> Vec<u8> {
    (0..rng.random_range(0..4)).map(|_| [0, 1, 127, 128, 255][rng.random_range(0..5)]).collect()
}

fn compare(rows: &dyn Rows, model: &Model, rng: &mut ChaCha20Rng) {
    for table in Table::ALL {
        let wanted = key(rng);
        let found = rows.get(table, &wanted).unwrap().map(|value| value.to_vec());
        assert_eq!(found.as_ref(), model.get(&(table, wanted)));

        let range = match rng.random_range(0..3) {
            0 => Range::all(),
            1 => Range::prefix(&key(rng)),
            _ => Range { from: key(rng), to: Some(key(rng)) },
        };
        let limit = [0, 1, 3, usize::MAX][rng.random_range(0..4)];
        for order in [Order::Ascending, Order::Descending] {
            let found = rows.scan(table, &range, order, limit).unwrap();
            let found: Vec<_> = found.into_iter().map(|(key, value)| (key, value.to_vec())).collect();
            assert_eq!(found, expected(model, table, &range, order, limit));
        }
    }
}

fn expected(model: &Model, table: Table, range: &Range, order: Order, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = model.iter().filter(|((other, key), _)| *other == table && range.contains(key));
    let rows = rows.map(|((_, key), value)| (key.clone(), value.clone()));
    match order {
        Order::Ascending => rows.take(limit).collect(),
        Order::Descending => rows.rev().take(limit).collect(),
    }
}
