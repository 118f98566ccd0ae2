//! Rows of blobs as the host sees them. Their bytes are objects, which lie elsewhere.

use serde::Serialize;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{hex, number, size};

/// A blob. Ids and hashes in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct BlobView {
    /// The client's name for it.
    pub id: String,
    /// What its objects are named for, drawn by the relay.
    pub object: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of what writers show.
    pub write_hash: String,
    /// SHA-256 of what readers show.
    pub read_hash: String,
    /// Parts that are here.
    pub parts: u32,
    /// Whether it can be read.
    pub committed: bool,
    /// When it goes: seconds since 1970-01-01.
    pub expires_at: u64,
}

pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Vec<BlobView>, sqlx::Error> {
    let select =
        "SELECT id, object, bytes, write_hash, read_hash, held, committed, expires_at / 1000 FROM blob ORDER BY key";
    sqlx::query(select).fetch_all(connection).await?.iter().map(blob).collect()
}

/// Deleted blobs whose objects are still to be removed.
pub(super) async fn gone(connection: &mut SqliteConnection) -> Result<usize, sqlx::Error> {
    size(&sqlx::query("SELECT count(*) FROM blob_gone").fetch_one(connection).await?, 0)
}

fn blob(row: &SqliteRow) -> Result<BlobView, sqlx::Error> {
    let held: &[u8] = row.try_get(5)?;
    Ok(BlobView {
        id: hex(row, 0)?,
        object: hex(row, 1)?,
        bytes: number(row, 2)?,
        write_hash: hex(row, 3)?,
        read_hash: hex(row, 4)?,
        parts: held.iter().map(|byte| byte.count_ones()).sum(),
        committed: row.try_get(6)?,
        expires_at: number(row, 7)?,
    })
}
