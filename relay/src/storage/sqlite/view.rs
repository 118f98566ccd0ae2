//! Reads everything the relay knows, beside a running relay or a stopped one. Writes nothing.

mod blobs;
mod channels;
mod tokens;

use std::{os::unix::ffi::OsStrExt, path::Path};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions, sqlite::SqliteRow};

pub use self::{
    blobs::BlobView,
    channels::{ChannelView, GenerationView},
    tokens::{AdmittedView, SpentView, TokenKeyView, TokensView},
};
use super::{DatabaseError, MIGRATIONS};

/// Bytes of a payload that are shown.
const PAYLOAD_BYTES_SHOWN: i64 = 32;

/// Everything the relay knows now.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// All mailboxes.
    pub mailboxes: Vec<MailboxView>,
    /// All bundles.
    pub bundles: Vec<BundleView>,
    /// All blobs.
    pub blobs: Vec<BlobView>,
    /// Deleted blobs whose objects are still to be removed.
    pub blobs_gone: usize,
    /// All channels.
    pub channels: Vec<ChannelView>,
    /// What is kept of tokens.
    pub tokens: TokensView,
    /// Ids that the host has suspended.
    pub blocked: Vec<BlockedView>,
    /// Ids of envelopes acknowledged within the last ten minutes.
    pub acknowledged_ids: usize,
}

/// A suspended id, in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct BlockedView {
    /// A mailbox's, a bundle's, a blob's, a channel's, or nothing's.
    pub id: String,
    /// When: days since 1970-01-01.
    pub day: u32,
}

/// A mailbox. Ids, keys and hashes in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxView {
    /// `pairwise` or `contact`.
    pub kind: &'static str,
    /// The owner's name for it.
    pub receive_id: String,
    /// The senders' name for it.
    pub send_id: String,
    /// The owner's Ed25519 key, fresh for this mailbox.
    pub owner_key: String,
    /// SHA-256 of what senders show.
    pub capability_hash: String,
    /// What its reader drew at random at its latest start.
    pub lease: Option<String>,
    /// Days since 1970-01-01.
    pub day_last_used: u32,
    /// Envelopes that wait.
    pub envelopes: usize,
    /// Their payload bytes.
    pub envelope_bytes: u64,
    /// The first payload's first bytes.
    pub first_payload_bytes: Option<String>,
}

/// A bundle. Ids and keys in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct BundleView {
    /// Its id.
    pub id: String,
    /// The owner's Ed25519 key, fresh for this bundle.
    pub owner_key: String,
    /// Bytes of the sealed main part.
    pub main_bytes: usize,
    /// Bytes of the sealed last-resort part.
    pub last_resort_bytes: usize,
    /// Bytes of each sealed one-time part that is left.
    pub pair_bytes: Vec<usize>,
    /// The main part's first bytes.
    pub first_main_bytes: String,
}

/// How much waits, and in how much room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Envelopes that wait for their readers.
    pub envelopes: u64,
    /// Bytes of the database in use, with mailboxes and bundles; at many envelopes they are most of it.
    pub bytes: u64,
}

impl Backlog {
    /// Counts beside a running relay. Lengths are not summed up: that would read every payload.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn read(path: &Path) -> Result<Self, DatabaseError> {
        let mut connection = open(path, true).await?;
        let number = async |connection: &mut SqliteConnection, query: &'static str| {
            let count: i64 = sqlx::query_scalar(query).fetch_one(connection).await?;
            Ok::<_, sqlx::Error>(u64::try_from(count).unwrap_or(0))
        };
        let envelopes = number(&mut connection, "SELECT count(*) FROM envelope").await?;
        let pages = number(&mut connection, "PRAGMA page_count").await?;
        let free = number(&mut connection, "PRAGMA freelist_count").await?;
        let page_bytes = number(&mut connection, "PRAGMA page_size").await?;
        Ok(Self { envelopes, bytes: pages.saturating_sub(free) * page_bytes })
    }
}

impl View {
    /// Reads all of it at one moment. `running` says whether a relay may be writing meanwhile.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn read(path: &Path, running: bool) -> Result<Self, DatabaseError> {
        let mut connection = open(path, running).await?;
        let mut transaction = connection.begin().await?;
        let mailboxes = sqlx::query(
            "SELECT kind, receive_id, send_id, owner, capability_hash, lease, day_last_used,
                    (SELECT count(*) FROM envelope WHERE mailbox = mailbox.key),
                    (SELECT coalesce(sum(length(payload)), 0) FROM envelope WHERE mailbox = mailbox.key),
                    (SELECT substr(payload, 1, ?) FROM envelope WHERE mailbox = mailbox.key ORDER BY seq LIMIT 1)
             FROM mailbox ORDER BY key",
        );
        let mailboxes = mailboxes.bind(PAYLOAD_BYTES_SHOWN).fetch_all(&mut *transaction).await?;
        let bundles = sqlx::query(
            "SELECT id, owner, length(main), length(last_resort), substr(main, 1, ?),
                    (SELECT json_group_array(length(part)) FROM pair WHERE bundle = bundle.key)
             FROM bundle ORDER BY key",
        );
        let bundles = bundles.bind(PAYLOAD_BYTES_SHOWN).fetch_all(&mut *transaction).await?;
        let blocked = suspended(&mut transaction).await?;
        let acknowledged: i64 = sqlx::query_scalar("SELECT coalesce(sum(length(ids)) / 24, 0) FROM acknowledged")
            .fetch_one(&mut *transaction)
            .await?;
        Ok(Self {
            mailboxes: mailboxes.iter().map(mailbox).collect::<Result<_, _>>()?,
            bundles: bundles.iter().map(bundle).collect::<Result<_, _>>()?,
            blobs: blobs::read(&mut transaction).await?,
            blobs_gone: blobs::gone(&mut transaction).await?,
            channels: channels::read(&mut transaction).await?,
            tokens: tokens::read(&mut transaction).await?,
            blocked,
            acknowledged_ids: usize::try_from(acknowledged).unwrap_or(0),
        })
    }

    /// Reads what is suspended.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn blocked(path: &Path, running: bool) -> Result<Vec<BlockedView>, DatabaseError> {
        let mut connection = open(path, running).await?;
        Ok(suspended(&mut connection).await?)
    }

    /// Whether the database has the form that this version writes.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn is_current(path: &Path, running: bool) -> Result<bool, DatabaseError> {
        let mut connection = open(path, running).await?;
        let applied = sqlx::query("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");
        let applied = applied.fetch_all(&mut connection).await?;
        let same = MIGRATIONS.iter().zip(&applied).all(|(known, row)| {
            row.try_get(0).is_ok_and(|version: i64| version == known.version)
                && row.try_get::<&[u8], _>(1).is_ok_and(|sum| sum == &*known.checksum)
        });
        Ok(same && MIGRATIONS.iter().count() == applied.len())
    }
}

pub(super) async fn open(path: &Path, running: bool) -> Result<SqliteConnection, DatabaseError> {
    if !path.exists() {
        return Err(DatabaseError::Missing { path: path.to_owned() });
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_still(path, running));
    Ok(SqliteConnection::connect_with(&options.disable_statement_logging()).await?)
}

async fn suspended(connection: &mut SqliteConnection) -> Result<Vec<BlockedView>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, day FROM blocked ORDER BY day, id").fetch_all(connection).await?;
    rows.iter().map(|row| Ok(BlockedView { id: hex(row, 0)?, day: row.try_get(1)? })).collect()
}

/// Where a write-ahead log is left, SQLite must read it too; where not, the file alone is the truth and needs no others beside it.
fn is_still(path: &Path, running: bool) -> bool {
    let log = path.with_extension("db-wal");
    !running && !std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// A database to be attached and only read, as a URI (RFC 3986 §2.1, <https://sqlite.org/uri.html>).
pub(super) fn read_only_uri(path: &Path, running: bool) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    let encode = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    let path_text: String = path.as_os_str().as_bytes().iter().map(encode).collect();
    let immutable = if is_still(path, running) { "&immutable=1" } else { "" };
    format!("file:{path_text}?mode=ro{immutable}")
}

fn mailbox(row: &SqliteRow) -> Result<MailboxView, sqlx::Error> {
    let kind: i64 = row.try_get(0)?;
    Ok(MailboxView {
        kind: if kind == 0 { "pairwise" } else { "contact" },
        receive_id: hex(row, 1)?,
        send_id: hex(row, 2)?,
        owner_key: hex(row, 3)?,
        capability_hash: hex(row, 4)?,
        lease: row.try_get::<Option<&[u8]>, _>(5)?.map(|lease| HEXLOWER.encode(lease)),
        day_last_used: row.try_get(6)?,
        envelopes: size(row, 7)?,
        envelope_bytes: size(row, 8)? as u64,
        first_payload_bytes: row.try_get::<Option<&[u8]>, _>(9)?.map(|payload| HEXLOWER.encode(payload)),
    })
}

fn bundle(row: &SqliteRow) -> Result<BundleView, sqlx::Error> {
    let pairs: &str = row.try_get(5)?;
    Ok(BundleView {
        id: hex(row, 0)?,
        owner_key: hex(row, 1)?,
        main_bytes: size(row, 2)?,
        last_resort_bytes: size(row, 3)?,
        pair_bytes: serde_json::from_str(pairs).map_err(|error| sqlx::Error::Decode(error.into()))?,
        first_main_bytes: hex(row, 4)?,
    })
}

fn hex(row: &SqliteRow, column: usize) -> Result<String, sqlx::Error> {
    row.try_get(column).map(|bytes: &[u8]| HEXLOWER.encode(bytes))
}

fn size(row: &SqliteRow, column: usize) -> Result<usize, sqlx::Error> {
    row.try_get(column).map(|size: i64| usize::try_from(size).unwrap_or(0))
}

fn number(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    row.try_get(column).map(|number: i64| u64::try_from(number).unwrap_or(0))
}
