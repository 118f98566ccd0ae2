//! From an older form of the database to this version's, and back.
//!
//! Migrations go forward only. Before the first of them touches a database, all of it is copied beside it; to go back is to
//! put the copy in its place. A copy holds what was acknowledged since, so it is deleted after [`KEEP_DAYS`].

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{CHECKPOINT, DatabaseError, MIGRATIONS, view};

/// How long a copy is kept.
pub(crate) const KEEP_DAYS: u64 = 14;
const BEFORE: &str = "before-upgrade-from-";
const AFTER: &str = "rolled-back-from-";
const ENDING: &str = ".db";

/// What an upgrade of a database would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The database's form; 0 where it has none yet.
    pub(crate) from: i64,
    /// This version's.
    pub(crate) to: i64,
    /// What is new in each form between.
    pub(crate) steps: Vec<String>,
}

/// A whole database beside the one in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spare {
    /// The form it has.
    pub(crate) form: i64,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// When it was made.
    pub(crate) made: SystemTime,
}

/// Why a database could not be put back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RollBackError {
    /// There is nothing to go back to.
    #[error("there is no copy from before an upgrade; nothing was changed")]
    NoCopy,
    /// The copy or the database in use.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The copy is not what it should be.
    #[error("the copy is damaged; nothing was changed")]
    Damaged,
    /// The system.
    #[error("the database could not be put back ({0}); the one in use is as it was")]
    System(#[from] io::Error),
}

impl Plan {
    /// For the database that this connection has open.
    pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let from = form(connection).await?;
        let steps = MIGRATIONS.iter().filter(|step| step.version > from).map(|step| step.description.to_string());
        Ok(Self { from, to: newest(), steps: steps.collect() })
    }

    /// For the database at `path`, which is only read.
    pub(crate) async fn read(path: &Path, running: bool) -> Result<Self, DatabaseError> {
        Ok(Self::of(&mut view::open(path, running).await?).await?)
    }

    /// Whether there is something to copy and to change.
    pub(crate) const fn is_upgrade(&self) -> bool {
        self.from > 0 && self.from < self.to
    }
}

/// Copies a database of an older form, with all in it. What is there already from an earlier attempt is replaced.
pub(super) async fn copy(connection: &mut SqliteConnection, database: &Path, form: i64) -> Result<(), DatabaseError> {
    let path = database.with_file_name(format!("{BEFORE}{form}{ENDING}"));
    let new = path.with_extension("db-new");
    let failed = |error: io::Error| DatabaseError::Copy(error.to_string());
    remove(&new).map_err(failed)?;
    let into = new.to_str().ok_or_else(|| DatabaseError::Copy("its folder's name is not UTF-8".to_owned()))?;
    let copied = sqlx::query("VACUUM INTO ?").bind(into).execute(connection).await;
    let copied = copied.map_err(|error| DatabaseError::Copy(super::kind(&error).to_owned()));
    let kept = copied.and_then(|_| keep(&new, &path).map_err(failed));
    if kept.is_err() {
        // What is left of it holds room that the relay needs.
        let _ = remove(&new);
    }
    kept
}

/// Makes a finished file durable under its name.
fn keep(new: &Path, path: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    sync_folder(path)
}

/// All copies beside a database, the newest form first.
pub(crate) fn copies(database: &Path) -> io::Result<Vec<Spare>> {
    let mut copies = beside(database, BEFORE)?;
    copies.sort_by_key(|copy| core::cmp::Reverse(copy.form));
    Ok(copies)
}

/// Puts the newest copy in place of the database. No relay may run. What was in use is kept beside it, for as long as a copy.
pub(crate) async fn roll_back(database: &Path) -> Result<Spare, RollBackError> {
    let copy = copies(database)?.into_iter().next().ok_or(RollBackError::NoCopy)?;
    check(&copy).await?;
    // The relay ran on since: what is good once, or belongs to a moment, does not come back with the rest. [REL-57]
    super::snapshot::forget_its_time(&copy.path).await?;
    let in_use = settle(database).await?;
    let kept = database.with_file_name(format!("{AFTER}{in_use}{ENDING}"));
    remove(&kept)?;
    // At each moment there is a database under its name: a relay that found none would make an empty one.
    fs::hard_link(database, &kept)?;
    fs::rename(&copy.path, database)?;
    sync_folder(database)?;
    Ok(copy)
}

/// Deletes copies that are older than [`KEEP_DAYS`]; gives how many.
pub(crate) fn forget_old_copies(database: &Path) -> io::Result<usize> {
    let mut forgotten = 0;
    for copy in [beside(database, BEFORE)?, beside(database, AFTER)?].concat() {
        let age = copy.made.elapsed().unwrap_or_default();
        if age > Duration::from_secs(KEEP_DAYS * 86_400) {
            remove(&copy.path)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

async fn check(copy: &Spare) -> Result<(), RollBackError> {
    let mut connection = view::open(&copy.path, false).await?;
    let found = form(&mut connection).await.map_err(DatabaseError::from)?;
    let is_whole = super::snapshot::quick_check(&copy.path, false).await?;
    if is_whole && found == copy.form { Ok(()) } else { Err(RollBackError::Damaged) }
}

/// Brings all of a database into its one file, and gives its form.
async fn settle(database: &Path) -> Result<i64, DatabaseError> {
    let options = SqliteConnectOptions::new().filename(database).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let form = form(&mut connection).await?;
    sqlx::query(CHECKPOINT).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(form)
}

/// The newest migration that a database has had; 0 where it had none.
async fn form(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let table = sqlx::query("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'");
    if table.fetch_one(&mut *connection).await?.try_get::<i64, _>(0)? == 0 {
        return Ok(0);
    }
    let newest = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success");
    newest.fetch_one(connection).await
}

/// This version's form.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}

fn beside(database: &Path, name: &str) -> io::Result<Vec<Spare>> {
    let folder = database.parent().unwrap_or(Path::new("."));
    let mut copies = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let number = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_suffix(ENDING));
        if let Some(form) = number.and_then(|number| number.parse().ok()) {
            copies.push(Spare { form, path: entry.path(), made: entry.metadata()?.modified()? });
        }
    }
    Ok(copies)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::migrate::Migrator;

    use super::*;
    use crate::storage::sqlite::{
        SqliteStorage,
        snapshot::tests::{ROWS_OF_A_TIME, count},
    };

    /// A database as the version before each migration made it, with a mailbox and an envelope in it.
    async fn older(path: &Path, forms: usize) {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let steps: Vec<_> = MIGRATIONS.iter().take(forms).cloned().collect();
        let migrator = Migrator { migrations: Cow::Owned(steps), ..Migrator::DEFAULT };
        migrator.run(&mut connection).await.unwrap();
        for insert in [
            "INSERT INTO mailbox (receive_id, send_id, kind, owner, capability_hash, day_last_used)
             VALUES (zeroblob(16), zeroblob(16), 0, zeroblob(32), zeroblob(32), 1)",
            "INSERT INTO envelope (mailbox, id, expires_at, payload) VALUES (1, zeroblob(16), 9, x'abcd')",
            "INSERT INTO bundle (id, owner, main, last_resort) VALUES (zeroblob(16), zeroblob(32), x'01', x'02')",
        ] {
            sqlx::query(insert).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn payload(path: &Path) -> Vec<u8> {
        let mut connection = view::open(path, false).await.unwrap();
        sqlx::query_scalar("SELECT payload FROM envelope").fetch_one(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn each_older_form_is_copied_then_brought_up_to_date_and_can_be_put_back() {
        for forms in 1..MIGRATIONS.iter().count() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("relay.db");
            older(&path, forms).await;
            let plan = Plan::read(&path, false).await.unwrap();
            assert!(plan.is_upgrade() && plan.steps.len() == MIGRATIONS.iter().count() - forms);

            SqliteStorage::open(&path).await.unwrap().close().await;
            assert!(view::View::is_current(&path, false).await.unwrap());
            assert_eq!(payload(&path).await, [0xab, 0xcd], "what was there is there");
            let copy = copies(&path).unwrap().remove(0);
            assert_eq!((copy.form, payload(&copy.path).await), (plan.from, vec![0xab, 0xcd]));

            assert_eq!(roll_back(&path).await.unwrap().form, plan.from);
            assert_eq!(Plan::read(&path, false).await.unwrap(), plan, "it has its old form again");
            assert_eq!(payload(&path).await, [0xab, 0xcd]);
            assert!(matches!(roll_back(&path).await, Err(RollBackError::NoCopy)));
        }
    }

    #[tokio::test]
    async fn what_is_put_back_makes_nothing_good_again_and_calls_nobody_a_copy() {
        for forms in 1..MIGRATIONS.iter().count() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("relay.db");
            older(&path, forms).await;
            let options = SqliteConnectOptions::new().filename(&path);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query("UPDATE mailbox SET lease = zeroblob(16)").execute(&mut connection).await.unwrap();
            let mut filled = vec![];
            for (table, insert) in ROWS_OF_A_TIME {
                // An older form may not have it.
                if sqlx::query(*insert).execute(&mut connection).await.is_ok() {
                    filled.push(*table);
                }
            }
            assert!(filled.contains(&"pair"), "{filled:?}");
            connection.close().await.unwrap();

            SqliteStorage::open(&path).await.unwrap().close().await;
            roll_back(&path).await.unwrap();
            assert_eq!(payload(&path).await, [0xab, 0xcd], "what waits is there");
            let mut connection = view::open(&path, false).await.unwrap();
            for table in filled {
                assert_eq!(count(&mut connection, table).await, 0, "{table} of form {forms}");
            }
            let leases = "SELECT count(lease) FROM mailbox";
            let leases: i64 = sqlx::query_scalar(leases).fetch_one(&mut connection).await.unwrap();
            assert_eq!(leases, 0);
        }
    }

    #[tokio::test]
    async fn a_bundle_of_before_counts_as_published_on_the_day_of_the_upgrade() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        older(&path, 5).await;
        SqliteStorage::open(&path).await.unwrap().close().await;
        let mut connection = view::open(&path, false).await.unwrap();
        let day = sqlx::query_scalar("SELECT day_last_published FROM bundle").fetch_one(&mut connection).await;
        let (day, today): (i64, u64) = (day.unwrap(), SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400);
        assert!(u64::try_from(day).unwrap().abs_diff(today) <= 1);
    }

    #[tokio::test]
    async fn what_is_new_or_current_is_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        for _ in 0..2 {
            SqliteStorage::open(&path).await.unwrap().close().await;
            assert_eq!(copies(&path).unwrap(), []);
        }
    }

    #[tokio::test]
    async fn a_newer_form_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        SqliteStorage::open(&path).await.unwrap().close().await;
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'from the future', 1, x'00', 0)";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        assert!(matches!(SqliteStorage::open(&path).await, Err(DatabaseError::Version(_))));
        assert_eq!(copies(&path).unwrap(), []);
    }

    #[tokio::test]
    async fn copies_are_deleted_when_they_are_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        let (old, new) =
            (path.with_file_name("before-upgrade-from-1.db"), path.with_file_name("rolled-back-from-2.db"));
        for file in [&old, &new] {
            fs::write(file, "").unwrap();
        }
        let long_ago = SystemTime::now() - Duration::from_secs((KEEP_DAYS + 1) * 86_400);
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(forget_old_copies(&path).unwrap(), 1);
        assert!(!old.exists() && new.exists());
    }
}
