//! Operations of a batch on bundles: parts come in, and go out once or again and again.

use bytes::Bytes;
use sotto_outer::{Bundle, BundleId, OwnerKey};
use sqlx::Row;

use super::batch::{Batch, Result, array, json_numbers};
use crate::{
    storage::{EXPIRE_ROWS_MAX, NewParts, Outcome},
    time::Day,
};

impl Batch<'_> {
    pub(super) async fn delete_bundle(&mut self, bundle: &BundleId, owner: &OwnerKey) -> Result<Outcome> {
        if self.memory.blocked.hides([*bundle]) {
            return Ok(Outcome::Denied);
        }
        self.begin().await?;
        let delete = sqlx::query_scalar("DELETE FROM bundle WHERE id = ? AND owner = ? RETURNING key");
        let delete = delete.bind(&bundle.as_bytes()[..]).bind(&owner.as_bytes()[..]);
        let key: Option<i64> = delete.fetch_optional(&mut *self.connection).await?;
        let Some(key) = key else { return Ok(Outcome::Denied) };
        sqlx::query("DELETE FROM pair WHERE bundle = ?").bind(key).execute(&mut *self.connection).await?;
        Ok(Outcome::Done)
    }

    /// Deletes bundles that were not published for long. Says whether there are more.
    pub(super) async fn expire_bundles(&mut self, before: Day) -> Result<bool> {
        let select = "SELECT key FROM bundle WHERE day_last_published < ? ORDER BY id LIMIT ?";
        let limit = i64::try_from(EXPIRE_ROWS_MAX + 1).expect("a small number");
        let select = sqlx::query_scalar(select).bind(before.as_days()).bind(limit);
        let mut lapsed: Vec<i64> = select.fetch_all(&mut *self.connection).await?;
        let more = lapsed.len() > EXPIRE_ROWS_MAX;
        lapsed.truncate(EXPIRE_ROWS_MAX);
        if lapsed.is_empty() {
            return Ok(false);
        }
        self.begin().await?;
        for delete in [
            "DELETE FROM pair WHERE bundle IN (SELECT value FROM json_each(?))",
            "DELETE FROM bundle WHERE key IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(delete).bind(json_numbers(&lapsed)).execute(&mut *self.connection).await?;
        }
        Ok(more)
    }

    pub(super) async fn publish(&mut self, parts: &NewParts) -> Result<Outcome> {
        let held = sqlx::query("SELECT key, owner FROM bundle WHERE id = ?").bind(&parts.bundle.as_bytes()[..]);
        let is_hidden = self.memory.blocked.hides([parts.bundle]);
        let key = match held.fetch_optional(&mut *self.connection).await? {
            _ if is_hidden => return Ok(Outcome::Denied),
            Some(row) if *parts.owner.as_bytes() != array(&row, 1)? => return Ok(Outcome::Denied),
            Some(row) => self.update_bundle(row.try_get(0)?, parts).await?,
            None => match (&parts.main, &parts.last_resort) {
                (Some(main), Some(last_resort)) => self.insert_bundle(parts, main, last_resort).await?,
                _ => return Ok(Outcome::Denied),
            },
        };
        for part in &parts.pairs {
            let insert = sqlx::query("INSERT INTO pair (bundle, part) VALUES (?, ?)");
            insert.bind(key).bind(&part[..]).execute(&mut *self.connection).await?;
        }
        let oldest = sqlx::query(
            "DELETE FROM pair WHERE key IN (SELECT key FROM pair WHERE bundle = ? ORDER BY key DESC LIMIT -1 OFFSET ?)",
        );
        let pairs_max = i64::try_from(parts.pairs_max).unwrap_or(i64::MAX);
        oldest.bind(key).bind(pairs_max).execute(&mut *self.connection).await?;
        Ok(Outcome::Done)
    }

    async fn insert_bundle(&mut self, parts: &NewParts, main: &Bytes, last_resort: &Bytes) -> Result<i64> {
        self.begin().await?;
        let insert =
            sqlx::query("INSERT INTO bundle (id, owner, main, last_resort, day_last_published) VALUES (?, ?, ?, ?, ?)");
        let insert = insert.bind(&parts.bundle.as_bytes()[..]).bind(&parts.owner.as_bytes()[..]);
        let insert = insert.bind(&main[..]).bind(&last_resort[..]).bind(parts.day.as_days());
        let inserted = insert.execute(&mut *self.connection).await?;
        Ok(inserted.last_insert_rowid())
    }

    async fn update_bundle(&mut self, key: i64, parts: &NewParts) -> Result<i64> {
        self.begin().await?;
        let update = sqlx::query(
            "UPDATE bundle SET main = coalesce(?, main), last_resort = coalesce(?, last_resort),
                day_last_published = max(day_last_published, ?) WHERE key = ?",
        );
        let update = update.bind(parts.main.as_deref()).bind(parts.last_resort.as_deref());
        let update = update.bind(parts.day.as_days()).bind(key);
        update.execute(&mut *self.connection).await?;
        Ok(key)
    }

    pub(super) async fn fetch_bundle(&mut self, bundle: &BundleId, take_pair: bool) -> Result<Outcome> {
        let select = sqlx::query("SELECT key, main, last_resort FROM bundle WHERE id = ?");
        let row = select.bind(&bundle.as_bytes()[..]).fetch_optional(&mut *self.connection).await?;
        let is_hidden = self.memory.blocked.hides([*bundle]);
        let Some(row) = row.filter(|_| !is_hidden) else { return Ok(Outcome::Denied) };
        let pair = if take_pair { self.take_pair(row.try_get(0)?).await? } else { None };
        let last_resort = if pair.is_none() { Some(row.try_get(2)?) } else { None };
        Ok(Outcome::Bundle(Bundle { main: row.try_get(1)?, pair, last_resort }))
    }

    async fn take_pair(&mut self, bundle: i64) -> Result<Option<Vec<u8>>> {
        let select = sqlx::query("SELECT key, part FROM pair WHERE bundle = ? ORDER BY key LIMIT 1");
        let Some(row) = select.bind(bundle).fetch_optional(&mut *self.connection).await? else { return Ok(None) };
        self.begin().await?;
        let delete = sqlx::query("DELETE FROM pair WHERE key = ?").bind(row.try_get::<i64, _>(0)?);
        delete.execute(&mut *self.connection).await?;
        Ok(Some(row.try_get(1)?))
    }
}
