//! Channels as the host sees them.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{PAYLOAD_BYTES_SHOWN, hex, number, size};

/// A channel. Ids, keys and hashes in hexadecimal.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelView {
    /// Its id.
    pub id: String,
    /// The Ed25519 key that closes it, fresh for this channel.
    pub owner_key: String,
    /// The current generation.
    pub generation: u32,
    /// Whether nothing is taken any more.
    pub closed: bool,
    /// Days since 1970-01-01.
    pub day_last_used: u32,
    /// The current generation, and those of which an entry is kept.
    pub generations: Vec<GenerationView>,
    /// Entries that are kept.
    pub entries: usize,
    /// Their bytes.
    pub entry_bytes: u64,
    /// The first entry's first bytes.
    pub first_entry_bytes: Option<String>,
}

/// A generation of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GenerationView {
    /// Which one.
    pub number: u32,
    /// The Ed25519 key that all its writers share.
    pub verify_key: String,
    /// SHA-256 of what its readers show.
    pub read_hash: String,
}

pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Vec<ChannelView>, sqlx::Error> {
    let select = sqlx::query(
        "SELECT id, owner, generation, closed, day_last_used, entries, bytes,
                (SELECT json_group_array(json_object('number', number, 'verify_key', lower(hex(verify_key)),
                                                     'read_hash', lower(hex(read_hash))))
                 FROM (SELECT * FROM generation WHERE channel = channel.key ORDER BY number)),
                (SELECT substr(bytes, 1, ?) FROM entry WHERE channel = channel.key ORDER BY seq LIMIT 1)
         FROM channel ORDER BY key",
    );
    select.bind(PAYLOAD_BYTES_SHOWN).fetch_all(connection).await?.iter().map(channel).collect()
}

fn channel(row: &SqliteRow) -> Result<ChannelView, sqlx::Error> {
    let generations: &str = row.try_get(7)?;
    Ok(ChannelView {
        id: hex(row, 0)?,
        owner_key: hex(row, 1)?,
        generation: row.try_get(2)?,
        closed: row.try_get(3)?,
        day_last_used: row.try_get(4)?,
        entries: size(row, 5)?,
        entry_bytes: number(row, 6)?,
        generations: serde_json::from_str(generations).map_err(|error| sqlx::Error::Decode(error.into()))?,
        first_entry_bytes: row.try_get::<Option<&[u8]>, _>(8)?.map(|bytes| data_encoding::HEXLOWER.encode(bytes)),
    })
}
