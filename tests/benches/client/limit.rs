//! Limits of the same machine and moment: rows of the same sizes, in batches of the same size, put by the store alone; put by SQLCipher
//! alone, without index and engine; and one fsync.

use std::{
    fs::File,
    io::Write as _,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use sotto_driver::{Client, RecoveryKey, Store, Unlock};
use sotto_engine::{Batch, Order, Range, Rows as _, Table, Value};

/// A connection's delivery window: as many as can come at once.
const BATCH: usize = 128;

pub(crate) type Row = (Vec<u8>, Value);

/// All messages of a profile, as they lie there.
pub(crate) fn message_rows(client: &Client) -> Vec<Row> {
    client.view(|rows| rows.scan(Table::Message, &Range::all(), Order::Ascending, usize::MAX)).expect("rows")
}

/// What can be reached with these rows.
pub(crate) fn describe(rows: &[Row]) -> String {
    let rate = |took: Duration| rows.len() as f64 / took.as_secs_f64();
    format!(
        "the store alone {:.0} rows/s, bare SQLCipher {:.0} rows/s, {BATCH} a transaction; one fsync {:.2} ms",
        rate(store(rows)),
        rate(bare(rows, BATCH).iter().sum()),
        fsync().as_secs_f64() * 1e3
    )
}

fn store(rows: &[Row]) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let unlock = Unlock::Recovery(RecoveryKey::generate().expect("a key"));
    let mut store = Store::create(folder.path(), &unlock).expect("a store");
    let started = Instant::now();
    for chunk in rows.chunks(BATCH) {
        let transaction = store.begin().expect("a transaction");
        for (key, value) in chunk {
            let mut batch = Batch::default();
            batch.put(Table::Message, key, value.clone());
            transaction.apply(&batch).expect("a row");
        }
        transaction.commit().expect("a commit");
    }
    started.elapsed()
}

/// How long each transaction took.
pub(crate) fn bare(rows: &[Row], batch: usize) -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = Connection::open(folder.path().join("bare")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA key = \"x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\";
             PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE message (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;",
        )
        .expect("a table");
    let insert = |chunk: &[Row]| {
        let started = Instant::now();
        let transaction = connection.transaction().expect("a transaction");
        for (key, value) in chunk {
            let mut statement =
                transaction.prepare_cached("INSERT INTO message (key, value) VALUES (?1, ?2)").expect("a statement");
            statement.execute([key.as_slice(), value.as_slice()]).expect("a row");
        }
        transaction.commit().expect("a commit");
        started.elapsed()
    };
    rows.chunks(batch).map(insert).collect()
}

/// The middle one of many.
pub(crate) fn fsync() -> Duration {
    let mut file = tempfile::tempfile().expect("a file");
    let mut once = |_| {
        file.write_all(&[7; 4_096]).expect("room");
        let started = Instant::now();
        File::sync_data(&file).expect("a disk");
        started.elapsed()
    };
    let mut times: Vec<Duration> = (0..101).map(&mut once).collect();
    times.sort();
    times[50]
}
