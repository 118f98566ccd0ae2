//! What a backup takes of a database: all that must outlive this machine, and no envelope.
//!
//! Envelopes are left out because a copy would outlive their acks; their senders send again what stays undelivered. Leases are
//! left out so that after a restore each reader hears `same` [REL-11]: to hold an old one would call every reader a copy.
//! Channels are left out, for an old one would take up a generation that has ended: its group goes on in another.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{DatabaseError, MIGRATIONS, view};

/// Tables that a backup holds.
const KEPT: &[&str] = &["mailbox", "bundle", "pair", "blocked", "blob", "blob_gone", "token_key", "admitted", "spent"];
/// Tables that it holds empty. Every table is in one of the two; a test sees to it.
#[cfg(test)]
const LEFT_OUT: &[&str] = &["envelope", "acknowledged", "channel", "generation", "entry"];
/// Columns that it holds as NULL.
const BLANK: &[(&str, &str)] = &[("mailbox", "lease")];

/// Writes what a backup takes of one database into a new one, as it is at one moment. `running` says whether a relay may be
/// writing meanwhile.
///
/// # Errors
/// [`DatabaseError`]; above all where the database has another form than this version's.
pub(crate) async fn snapshot(database: &Path, running: bool, to: &Path) -> Result<(), DatabaseError> {
    if !view::View::is_current(database, running).await? {
        return Err(DatabaseError::Outdated);
    }
    let options = SqliteConnectOptions::new().filename(to).create_if_missing(true).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    MIGRATIONS.run(&mut connection).await?;
    let source = view::read_only_uri(database, running);
    sqlx::query("ATTACH DATABASE ? AS source").bind(source).execute(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    for table in KEPT {
        let columns = columns(&mut transaction, table).await?;
        let taken: Vec<_> = columns.iter().map(|column| taken(table, column)).collect();
        let (columns, taken) = (columns.join(", "), taken.join(", "));
        // Names of our own schema alone.
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {taken} FROM source.{table}");
        sqlx::query(AssertSqlSafe(copy)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    sqlx::query("DETACH DATABASE source").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Whether a database is whole and one that this version can bring up to date.
///
/// # Errors
/// [`DatabaseError`].
pub(crate) async fn check(database: &Path) -> Result<(), DatabaseError> {
    let mut connection = view::open(database, false).await?;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
    let plan = super::upgrade::Plan::of(&mut connection).await?;
    connection.close().await?;
    if check == "ok" && (1..=plan.to).contains(&plan.from) { Ok(()) } else { Err(DatabaseError::Outdated) }
}

/// Whether a database is whole, as far as reading each page once shows.
///
/// # Errors
/// [`DatabaseError`].
pub(crate) async fn quick_check(database: &Path, running: bool) -> Result<bool, DatabaseError> {
    let mut connection = view::open(database, running).await?;
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(check == "ok")
}

async fn columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(connection).await
}

fn taken(table: &str, column: &str) -> String {
    if BLANK.contains(&(table, column)) { "NULL".to_owned() } else { column.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::SqliteStorage;

    #[tokio::test]
    async fn every_table_is_kept_or_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        SqliteStorage::open(&path).await.unwrap().close().await;
        let mut connection = view::open(&path, false).await.unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                      AND name <> '_sqlx_migrations' ORDER BY name";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
        let mut known = [KEPT, LEFT_OUT].concat();
        known.sort_unstable();
        assert_eq!(tables, known, "a new table must be put into KEPT or LEFT_OUT");
    }
}
