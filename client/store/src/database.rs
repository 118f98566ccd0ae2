//! The SQLCipher database: how a connection is opened, and the format it must have.
//!
//! The key comes before anything else, raw: it is random already and needs no derivation. SQLCipher 4's defaults hold
//! (AES-256-CBC with HMAC-SHA-512, a page at a time).

use std::{fmt::Write as _, path::Path};

use rusqlite::{Connection, OpenFlags};
use sotto_engine::Table;
use zeroize::Zeroizing;

use crate::{StoreError, files, search, secret::DatabaseKey, table};

/// Makes an empty database in a store's folder.
pub(crate) fn create(store: &Path, key: &DatabaseKey) -> Result<(), StoreError> {
    drop(files::create_file(&files::database(store))?);
    let connection = connect(store, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up_writer(&connection)?;
    let mut schema =
        format!("BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};");
    schema.extend(Table::ALL.map(table::schema));
    schema.push_str(search::SCHEMA);
    schema.push_str("COMMIT;");
    connection.execute_batch(&schema)?;
    // Closing folds the write-ahead log into the file and syncs it.
    connection.close().map_err(|(_, error)| error.into())
}

/// The connection that writes.
pub(crate) fn open_writer(store: &Path, key: &DatabaseKey) -> Result<Connection, StoreError> {
    let connection = connect(store, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up_writer(&connection)?;
    Ok(connection)
}

/// A connection that only reads, beside the one that writes.
pub(crate) fn open_reader(store: &Path, key: &DatabaseKey) -> Result<Connection, StoreError> {
    let connection = connect(store, key, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Refuses a database of another program or format.
pub(crate) fn check_format(connection: &Connection) -> Result<(), StoreError> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if read("application_id")? != APPLICATION_ID {
        return Err(StoreError::Damaged("the database is not Sotto's"));
    }
    match read("user_version")? {
        FORMAT_VERSION => Ok(()),
        found => Err(StoreError::WrongVersion { found, expected: FORMAT_VERSION }),
    }
}

fn connect(store: &Path, key: &DatabaseKey, access: OpenFlags) -> Result<Connection, StoreError> {
    let path = files::database(store);
    if !path.try_exists()? {
        return Err(StoreError::Damaged("the database is missing"));
    }
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch(&key_pragma(key))?;
    // A build against plain SQLite would ignore the key and write everything in the clear.
    if connection.pragma_query_value(None, "cipher_version", |row| row.get::<_, String>(0)).is_err() {
        return Err(StoreError::NoCipher);
    }
    // SQLCipher would tell standard error of each page it cannot read; our caller gets a typed error instead.
    connection.execute_batch("PRAGMA cipher_log_level = NONE; PRAGMA cipher_compatibility = 4;")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The first read proves the key.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn set_up_writer(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io("the disk cannot keep a write-ahead log".to_owned()));
    }
    // FULL: a commit is answered after its fsync. [Invariant: persist, then release]
    Ok(connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;",
    )?)
}

fn key_pragma(key: &DatabaseKey) -> Zeroizing<String> {
    let mut sql = Zeroizing::new(String::with_capacity(KEY_PRAGMA_BYTES));
    sql.push_str("PRAGMA key = \"x'");
    for byte in key.as_bytes() {
        write!(sql, "{byte:02x}").expect("writing to a String cannot fail");
    }
    sql.push_str("'\";");
    sql
}

/// "SOTT", in the database's header.
const APPLICATION_ID: i64 = 0x534f_5454;
const FORMAT_VERSION: i64 = 1;
/// More than there are distinct statements, so that none is prepared twice.
const STATEMENTS: usize = 256;
/// More than the statement is long: a buffer that grew would leave a copy behind.
const KEY_PRAGMA_BYTES: usize = 128;
