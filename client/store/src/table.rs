//! The engine's tables in SQL: one table each, key and value, read and written by cached statements.
//!
//! `WITHOUT ROWID` keeps rows in key order in one tree. Messages alone have a number besides, which the full-text index
//! refers to.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use sotto_engine::{Order, Range, Table, Value};
use zeroize::Zeroizing;

/// The SQL that makes a table.
pub(crate) fn schema(table: Table) -> String {
    let name = name(table);
    match table {
        Table::Message => {
            format!(
                "CREATE TABLE {name} (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;"
            )
        }
        _ => format!("CREATE TABLE {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"),
    }
}

/// The row under a key.
pub(crate) fn get(connection: &Connection, table: Table, key: &[u8]) -> rusqlite::Result<Option<Value>> {
    let sql = format!("SELECT value FROM {} WHERE key = ?1", name(table));
    connection.prepare_cached(&sql)?.query_row([key], |row| value(row, 0)).optional()
}

/// At most `limit` rows of a range, from the end that `order` begins at.
pub(crate) fn scan(
    connection: &Connection,
    table: Table,
    range: &Range,
    order: Order,
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, Value)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = prepare_scan(connection, table, range.to.is_some(), order)?;
    let row = |row: &Row<'_>| Ok((row.get_ref(0)?.as_blob()?.to_vec(), value(row, 1)?));
    match &range.to {
        Some(to) => statement.query_map(params![range.from, to, limit], row)?.collect(),
        None => statement.query_map(params![range.from, limit], row)?.collect(),
    }
}

/// Puts a row, replacing what is there.
pub(crate) fn put(connection: &Connection, table: Table, key: &[u8], value: &[u8]) -> rusqlite::Result<()> {
    let name = name(table);
    let sql = format!(
        "INSERT INTO {name} (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    );
    connection.prepare_cached(&sql)?.execute([key, value]).map(drop)
}

/// Deletes a row, if it is there.
pub(crate) fn delete(connection: &Connection, table: Table, key: &[u8]) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM {} WHERE key = ?1", name(table));
    connection.prepare_cached(&sql)?.execute([key]).map(drop)
}

/// A statement of its own for a range without end: a condition that may be null would hide the bound from the planner.
fn prepare_scan(
    connection: &Connection,
    table: Table,
    bounded: bool,
    order: Order,
) -> rusqlite::Result<CachedStatement<'_>> {
    let name = name(table);
    let (bound, limit) = if bounded { ("AND key < ?2", "?3") } else { ("", "?2") };
    let direction = match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    connection.prepare_cached(&format!(
        "SELECT key, value FROM {name} WHERE key >= ?1 {bound} ORDER BY key {direction} LIMIT {limit}"
    ))
}

/// Copies a value out, into memory that is wiped.
fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    Ok(Zeroizing::new(row.get_ref(column)?.as_blob()?.to_vec()))
}

/// Part of the format: a table keeps its name.
const fn name(table: Table) -> &'static str {
    match table {
        Table::Meta => "meta",
        Table::Contact => "contact",
        Table::Mailbox => "mailbox",
        Table::Bundle => "bundle",
        Table::Prekey => "prekey",
        Table::Session => "session",
        Table::SkippedKey => "skipped_key",
        Table::Outbox => "outbox",
        Table::OutboxIndex => "outbox_index",
        Table::Message => "message",
        Table::MessageIndex => "message_index",
        Table::Digest => "digest",
        Table::DigestDay => "digest_day",
        Table::Receipt => "receipt",
        Table::Timer => "timer",
        Table::Journal => "journal",
        Table::Handshake => "handshake",
        Table::Idempotency => "idempotency",
        Table::RepairTag => "repair_tag",
    }
}
