//! Operations of a batch on blobs' rows.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use sotto_outer::{BlobId, BlobState, blob};
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    batch::{Batch, Result, array, json_texts},
    memory::{millis, timestamp},
};
use crate::{
    storage::{
        Outcome, Spend,
        blob::{BLOB_ROWS_MAX, BlobOp, BlobOutcome, BlobRow, NewBlob, ObjectKey, Right, open},
    },
    time::Timestamp,
};

const ALL_COLUMNS: &str = "SELECT object, bytes, write_hash, read_hash, held, committed, expires_at FROM blob";
const COLUMNS_BY_ID: &str =
    "SELECT object, bytes, write_hash, read_hash, held, committed, expires_at FROM blob WHERE id = ?";
const COLUMNS_BY_OBJECT: &str =
    "SELECT object, bytes, write_hash, read_hash, held, committed, expires_at FROM blob WHERE object = ?";

impl Batch<'_> {
    pub(super) async fn blob(&mut self, op: &BlobOp) -> Result<Outcome> {
        match op {
            BlobOp::Create(new, spend) => self.create_blob(new, spend.as_ref()).await,
            BlobOp::Write { blob, shown, now } => {
                let row = open(self.blob_row(blob).await?, shown, Right::Write, *now);
                let Some(BlobRow { object, bytes, state, .. }) = row else { return Ok(Outcome::Denied) };
                let used = self.used_bytes().await?;
                Ok(outcome(BlobOutcome::Writable { object, bytes, state, used }))
            }
            BlobOp::PartStored { object, part } => self.part_stored(object, *part).await,
            BlobOp::Commit { blob, shown, now, expires_at } => {
                match open(self.blob_row(blob).await?, shown, Right::Write, *now) {
                    Some(row) => self.commit_blob(row, *expires_at).await,
                    None => Ok(Outcome::Denied),
                }
            }
            BlobOp::Read { blob, shown, now } => {
                let row = open(self.blob_row(blob).await?, shown, Right::Read, *now);
                let readable = |BlobRow { object, bytes, .. }| outcome(BlobOutcome::Readable { object, bytes });
                Ok(row.map_or(Outcome::Denied, readable))
            }
            BlobOp::Delete { blob, shown, now } => match open(self.blob_row(blob).await?, shown, Right::Write, *now) {
                Some(row) => self.delete_blobs(&[row.object]).await.map(|()| Outcome::Done),
                None => Ok(Outcome::Denied),
            },
            BlobOp::Expire { now } => self.expire_blobs(*now).await,
            BlobOp::Gone => self.gone_blobs().await,
            BlobOp::Forget(objects) => self.forget_blobs(objects).await,
            BlobOp::Usage => {
                let blobs: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM blob").fetch_one(&mut *self.connection).await?;
                Ok(outcome(BlobOutcome::Usage { blobs: blobs.unsigned_abs(), bytes: self.used_bytes().await? }))
            }
            BlobOp::Known(objects) => self.known_blobs(objects).await,
        }
    }

    /// The row of a blob that is not suspended.
    async fn blob_row(&mut self, id: &BlobId) -> Result<Option<BlobRow>> {
        let row = self.any_blob_row(id).await?;
        let is_hidden = self.memory.blocked.hides([*id]);
        Ok(row.filter(|_| !is_hidden))
    }

    async fn any_blob_row(&mut self, id: &BlobId) -> Result<Option<BlobRow>> {
        let select = sqlx::query(COLUMNS_BY_ID).bind(&id.as_bytes()[..]);
        select.fetch_optional(&mut *self.connection).await?.map(|row| blob_row(&row)).transpose()
    }

    async fn create_blob(&mut self, new: &NewBlob, spend: Option<&Spend>) -> Result<Outcome> {
        match self.any_blob_row(&new.blob).await? {
            _ if self.memory.blocked.hides([new.blob]) => return Ok(Outcome::Denied),
            // One that has ended and is not swept yet gives way.
            Some(held) if held.expires_at <= new.now => self.delete_blobs(&[held.object]).await?,
            Some(held) if held.is_made_by(new) => return Ok(outcome(BlobOutcome::State(held.state))),
            Some(_) => return Ok(Outcome::Denied),
            None => {}
        }
        let used = self.used_bytes().await?;
        if !new.quota.has_room(used, new.bytes) {
            return Ok(Outcome::Full);
        }
        if !self.buys(spend).await? {
            return Ok(Outcome::Spent);
        }
        self.begin().await?;
        let row = new.row();
        let insert = sqlx::query(
            "INSERT INTO blob (id, object, bytes, write_hash, read_hash, held, committed, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
        );
        insert
            .bind(&new.blob.as_bytes()[..])
            .bind(&row.object.0[..])
            .bind(number(row.bytes))
            .bind(&row.write_hash.as_bytes()[..])
            .bind(&row.read_hash.as_bytes()[..])
            .bind(&row.state.held[..])
            .bind(millis(row.expires_at))
            .execute(&mut *self.connection)
            .await?;
        self.memory.blob_bytes = Some(used + row.used_bytes());
        Ok(outcome(BlobOutcome::State(row.state)))
    }

    /// What all blobs use of the quota.
    async fn used_bytes(&mut self) -> Result<u64> {
        if let Some(bytes) = self.memory.blob_bytes {
            return Ok(bytes);
        }
        let rows = sqlx::query(ALL_COLUMNS).fetch_all(&mut *self.connection).await?;
        let used = rows.iter().map(|row| Ok(blob_row(row)?.used_bytes())).sum::<Result<u64>>()?;
        self.memory.blob_bytes = Some(used);
        Ok(used)
    }

    async fn part_stored(&mut self, object: &ObjectKey, part: u32) -> Result<Outcome> {
        let select = sqlx::query(COLUMNS_BY_OBJECT).bind(&object.0[..]);
        let Some(row) = select.fetch_optional(&mut *self.connection).await? else { return Ok(Outcome::Denied) };
        let mut row = blob_row(&row)?;
        let before = row.used_bytes();
        if row.hold(part) {
            self.begin().await?;
            let update = sqlx::query("UPDATE blob SET held = ?, expires_at = ? WHERE object = ?");
            let update = update.bind(&row.state.held[..]).bind(millis(row.expires_at)).bind(&object.0[..]);
            update.execute(&mut *self.connection).await?;
            let more = row.used_bytes() - before;
            self.memory.blob_bytes = self.memory.blob_bytes.map(|used| used + more);
        }
        Ok(outcome(BlobOutcome::State(row.state)))
    }

    async fn commit_blob(&mut self, mut row: BlobRow, expires_at: Timestamp) -> Result<Outcome> {
        if row.commit(expires_at) {
            self.begin().await?;
            let update = sqlx::query("UPDATE blob SET committed = 1, expires_at = ? WHERE object = ?");
            update.bind(millis(expires_at)).bind(&row.object.0[..]).execute(&mut *self.connection).await?;
        }
        Ok(outcome(BlobOutcome::State(row.state)))
    }

    /// Their rows go, and their objects are to be removed.
    async fn delete_blobs(&mut self, objects: &[ObjectKey]) -> Result<()> {
        self.begin().await?;
        for object in objects {
            let delete = sqlx::query(
                "DELETE FROM blob WHERE object = ?
                 RETURNING object, bytes, write_hash, read_hash, held, committed, expires_at",
            );
            let row = blob_row(&delete.bind(&object.0[..]).fetch_one(&mut *self.connection).await?)?;
            self.memory.blob_bytes = self.memory.blob_bytes.map(|used| used.saturating_sub(row.used_bytes()));
            let insert = sqlx::query("INSERT INTO blob_gone (object, parts) VALUES (?, ?)");
            let insert = insert.bind(&object.0[..]).bind(blob::parts(row.bytes));
            insert.execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    async fn expire_blobs(&mut self, now: Timestamp) -> Result<Outcome> {
        let select = sqlx::query("SELECT object FROM blob WHERE expires_at <= ? ORDER BY expires_at, object LIMIT ?");
        let select = select.bind(millis(now)).bind(number(BLOB_ROWS_MAX as u64 + 1));
        let rows = select.fetch_all(&mut *self.connection).await?;
        let mut over = rows.iter().map(|row| array(row, 0).map(ObjectKey)).collect::<Result<Vec<_>>>()?;
        let more = over.len() > BLOB_ROWS_MAX;
        over.truncate(BLOB_ROWS_MAX);
        if !over.is_empty() {
            self.delete_blobs(&over).await?;
        }
        Ok(outcome(BlobOutcome::Expired { blobs: over.len(), more }))
    }

    async fn gone_blobs(&mut self) -> Result<Outcome> {
        let select = sqlx::query("SELECT object, parts FROM blob_gone ORDER BY object LIMIT ?");
        let rows = select.bind(number(BLOB_ROWS_MAX as u64)).fetch_all(&mut *self.connection).await?;
        let gone = rows.iter().map(|row| Ok((ObjectKey(array(row, 0)?), row.try_get(1)?))).collect::<Result<_>>()?;
        Ok(outcome(BlobOutcome::Gone(gone)))
    }

    async fn forget_blobs(&mut self, objects: &[ObjectKey]) -> Result<Outcome> {
        self.begin().await?;
        let delete = sqlx::query("DELETE FROM blob_gone WHERE object IN (SELECT unhex(value) FROM json_each(?))");
        delete.bind(json_objects(objects)).execute(&mut *self.connection).await?;
        Ok(Outcome::Done)
    }

    async fn known_blobs(&mut self, objects: &[ObjectKey]) -> Result<Outcome> {
        let select = sqlx::query(
            "SELECT object FROM blob WHERE object IN (SELECT unhex(value) FROM json_each(?1))
             UNION SELECT object FROM blob_gone WHERE object IN (SELECT unhex(value) FROM json_each(?1))",
        );
        let rows = select.bind(json_objects(objects)).fetch_all(&mut *self.connection).await?;
        let known = rows.iter().map(|row| array(row, 0).map(ObjectKey)).collect::<Result<HashSet<_>>>()?;
        Ok(outcome(BlobOutcome::Known(objects.iter().map(|object| known.contains(object)).collect())))
    }
}

const fn outcome(outcome: BlobOutcome) -> Outcome {
    Outcome::Blob(outcome)
}

fn blob_row(row: &SqliteRow) -> Result<BlobRow> {
    Ok(BlobRow {
        object: ObjectKey(array(row, 0)?),
        bytes: row.try_get::<i64, _>(1)?.unsigned_abs(),
        write_hash: array(row, 2)?.into(),
        read_hash: array(row, 3)?.into(),
        state: BlobState { held: row.try_get(4)?, committed: row.try_get(5)? },
        expires_at: timestamp(row.try_get(6)?),
    })
}

/// As SQLite counts.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json_objects(objects: &[ObjectKey]) -> String {
    json_texts(&objects.iter().map(|object| HEXLOWER.encode(&object.0)).collect::<Vec<_>>())
}
