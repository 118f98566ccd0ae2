//! What is kept of tokens, as the host sees it. Keys that sign are named and not shown: they are secret.

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::{hex, number};

/// What is kept of tokens.
#[derive(Clone, Debug, Serialize)]
pub struct TokensView {
    /// Keys that sign, by purpose and week.
    pub keys: Vec<TokenKeyView>,
    /// How many tokens each credential was given.
    pub admitted: Vec<AdmittedView>,
    /// Tokens that were spent, until their keys end.
    pub spent: Vec<SpentView>,
}

/// A key that signs tokens.
#[derive(Clone, Debug, Serialize)]
pub struct TokenKeyView {
    /// `mailbox`, `blob` or `channel`.
    pub purpose: &'static str,
    /// The week it signs in, since 1970-01-01.
    pub week: u32,
}

/// Somebody who was given tokens.
#[derive(Clone, Debug, Serialize)]
pub struct AdmittedView {
    /// A keyed hash of the credential's subject, in hexadecimal.
    pub holder: String,
    /// `mailbox`, `blob` or `channel`.
    pub purpose: &'static str,
    /// How many.
    pub given: u32,
    /// When this is forgotten: seconds since 1970-01-01.
    pub forget_at: u64,
}

/// A token that was spent. What it made is not kept with it.
#[derive(Clone, Debug, Serialize)]
pub struct SpentView {
    /// The id of its key, in hexadecimal.
    pub key: String,
    /// SHA-256 of its nonce, in hexadecimal.
    pub nonce_hash: String,
    /// When this is forgotten: seconds since 1970-01-01.
    pub forget_at: u64,
}

pub(super) async fn read(connection: &mut SqliteConnection) -> Result<TokensView, sqlx::Error> {
    let keys = sqlx::query("SELECT purpose, week FROM token_key ORDER BY week, purpose");
    let keys = keys.fetch_all(&mut *connection).await?;
    let admitted = "SELECT holder, purpose, given, forget_at / 1000 FROM admitted ORDER BY holder, purpose";
    let admitted = sqlx::query(admitted).fetch_all(&mut *connection).await?;
    // By hash: in which order they came is not kept either.
    let spent = sqlx::query("SELECT key, nonce, forget_at / 1000 FROM spent ORDER BY key, nonce");
    let spent = spent.fetch_all(&mut *connection).await?;
    Ok(TokensView {
        keys: keys
            .iter()
            .map(|row| Ok(TokenKeyView { purpose: purpose(row.try_get(0)?), week: row.try_get(1)? }))
            .collect::<Result<_, sqlx::Error>>()?,
        admitted: admitted
            .iter()
            .map(|row| {
                let (holder, purpose) = (hex(row, 0)?, purpose(row.try_get(1)?));
                Ok(AdmittedView { holder, purpose, given: row.try_get(2)?, forget_at: number(row, 3)? })
            })
            .collect::<Result<_, sqlx::Error>>()?,
        spent: spent
            .iter()
            .map(|row| Ok(SpentView { key: hex(row, 0)?, nonce_hash: hex(row, 1)?, forget_at: number(row, 2)? }))
            .collect::<Result<_, sqlx::Error>>()?,
    })
}

const fn purpose(number: i64) -> &'static str {
    match number {
        0 => "mailbox",
        1 => "blob",
        _ => "channel",
    }
}
