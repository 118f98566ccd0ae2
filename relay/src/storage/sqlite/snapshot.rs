//! What a backup takes of a database: all that must outlive this machine, and no envelope.
//!
//! Envelopes are left out because a copy would outlive their acks; their senders send again what stays undelivered. Leases are
//! left out so that after a restore each reader hears `same` [REL-11]: to hold an old one would call every reader a copy.
//! Channels are left out, for an old one would take up a generation that has ended: its group goes on in another. What is good
//! once is left out, for an old copy would make it good again: one-time parts, keys of tokens and what was spent of theirs. The
//! count of tokens given goes with the keys: what was given before is worth nothing. Blobs are left out because their objects
//! are in no backup; those of before, which no row names then, the relay's sweep removes.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{DatabaseError, MIGRATIONS, view};

/// Tables that a backup holds.
const KEPT: &[&str] = &["mailbox", "bundle", "blocked"];
/// Tables that must not come back from an earlier time, whatever it is that brings it back: a backup, or a copy of before an
/// upgrade.
const OF_ITS_TIME: &[&str] = &["pair", "channel", "generation", "entry", "token_key", "admitted", "spent"];
/// Tables that a backup holds empty beside those. Every table is in one of the three; a test sees to it.
#[cfg(test)]
const LEFT_OUT: &[&str] = &["envelope", "acknowledged", "blob", "blob_gone"];
/// Columns that must not come back either, and are NULL.
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

/// Takes out of a database, of this form or an older one, what must not come back from its time. Nobody else may use it.
///
/// # Errors
/// [`DatabaseError`]; then it is as it was.
pub(super) async fn forget_its_time(database: &Path) -> Result<(), DatabaseError> {
    let options = SqliteConnectOptions::new().filename(database).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut transaction = connection.begin().await?;
    for table in OF_ITS_TIME {
        // An older form may not have it. Names of our own schema alone.
        if !columns(&mut transaction, table).await?.is_empty() {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *transaction).await?;
        }
    }
    for (table, column) in BLANK {
        let blank = format!("UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL");
        sqlx::query(AssertSqlSafe(blank)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    sqlx::query(super::CHECKPOINT).fetch_all(&mut connection).await?;
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
pub(super) mod tests {
    use super::*;
    use crate::storage::{Op, Outcome, Storage, TokenOp, TokenOutcome, sqlite::SqliteStorage};

    /// A row of each table that holds what is good once, or belongs to its time.
    pub(in crate::storage::sqlite) const ROWS_OF_A_TIME: &[(&str, &str)] = &[
        ("pair", "INSERT INTO pair (bundle, part) VALUES (1, x'07')"),
        ("channel", "INSERT INTO channel VALUES (1, zeroblob(16), zeroblob(32), 1, 0, 2, 1, 1, 1)"),
        ("generation", "INSERT INTO generation VALUES (1, 1, zeroblob(32), zeroblob(32), NULL)"),
        ("entry", "INSERT INTO entry VALUES (1, 1, 1, 0, zeroblob(16), 9, 1, x'07')"),
        ("token_key", "INSERT INTO token_key VALUES (0, 1, x'07')"),
        ("admitted", "INSERT INTO admitted VALUES (zeroblob(32), 0, 1, 9)"),
        ("spent", "INSERT INTO spent VALUES (zeroblob(32), zeroblob(32), 9)"),
    ];

    pub(in crate::storage::sqlite) async fn count(connection: &mut SqliteConnection, table: &str) -> i64 {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(count).fetch_one(connection).await.unwrap()
    }

    #[tokio::test]
    async fn a_backup_makes_nothing_good_again_that_is_good_once() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("relay.db"), dir.path().join("copy.db"));
        SqliteStorage::open(&path).await.unwrap().close().await;
        let mut connection =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
        let kept = [
            "INSERT INTO bundle (id, owner, main, last_resort) VALUES (zeroblob(16), zeroblob(32), x'01', x'02')",
            "INSERT INTO blob VALUES (1, zeroblob(16), zeroblob(16), 1, zeroblob(32), zeroblob(32), x'01', 1, 9)",
            "INSERT INTO blob_gone VALUES (x'01010101010101010101010101010101', 1)",
        ];
        for insert in kept.iter().copied().chain(ROWS_OF_A_TIME.iter().map(|(_, insert)| *insert)) {
            sqlx::query(insert).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        snapshot(&path, false, &to).await.unwrap();

        let mut connection = view::open(&to, false).await.unwrap();
        for table in OF_ITS_TIME.iter().chain(LEFT_OUT) {
            assert_eq!(count(&mut connection, table).await, 0, "{table}");
        }
        connection.close().await.unwrap();
        let mut restored = SqliteStorage::open(&to).await.unwrap();
        let fetch = Op::FetchBundle { bundle: [0; 16].into(), take_pair: true };
        let outcomes = restored.apply(vec![fetch, Op::Token(TokenOp::Keys { from_week: 0 })]).await;
        let Outcome::Bundle(bundle) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!((&bundle.pair, &bundle.last_resort), (&None, &Some(vec![2])), "the last resort stands in");
        assert_eq!(outcomes[1], Outcome::Token(TokenOutcome::Keys(vec![])), "so new ones are made");
    }

    #[tokio::test]
    async fn every_table_is_kept_or_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        SqliteStorage::open(&path).await.unwrap().close().await;
        let mut connection = view::open(&path, false).await.unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                      AND name <> '_sqlx_migrations' ORDER BY name";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
        let mut known = [KEPT, OF_ITS_TIME, LEFT_OUT].concat();
        known.sort_unstable();
        assert_eq!(tables, known, "a new table must be put into KEPT, OF_ITS_TIME or LEFT_OUT");
    }
}
