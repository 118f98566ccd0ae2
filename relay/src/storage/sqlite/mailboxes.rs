//! Operations of a batch on whole mailboxes: made, owned, leased, deleted, lapsed.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use sotto_outer::{BundleId, CapabilityHash, Lease, LeaseOutcome, OwnerKey, ReceiveId};
use sqlx::Row;

use super::{
    batch::{Batch, Result, array, json_numbers, json_texts, kind_number, mailbox},
    memory::{Key, millis},
};
use crate::{
    storage::{EXPIRE_ROWS_MAX, NewLease, NewMailbox, Outcome, Owned, Spend},
    time::{Day, Timestamp},
};

/// Rows lie in the order in which they are to be forgotten, so all before the first that stays go, and no other is looked at.
const FORGET_ACKNOWLEDGED: &str = "DELETE FROM acknowledged WHERE rowid < coalesce(
    (SELECT rowid FROM acknowledged WHERE forget_at > ? ORDER BY rowid LIMIT 1), 9223372036854775807)";

impl Batch<'_> {
    pub(super) async fn create(&mut self, new: &NewMailbox, spend: Option<&Spend>) -> Result<Outcome> {
        let held = sqlx::query(
            "SELECT key, kind, receive_id, send_id, owner, capability_hash, day_last_used FROM mailbox
             WHERE receive_id = ? OR send_id = ?",
        );
        let held = held.bind(&new.receive_id.as_bytes()[..]).bind(&new.send_id.as_bytes()[..]);
        if let Some(row) = held.fetch_optional(&mut *self.connection).await? {
            let (_, held) = mailbox(&row)?;
            let is_same = held.same_as(new) && !self.memory.blocked.hides_mailbox(new.receive_id, new.send_id);
            return Ok(if is_same { Outcome::Done } else { Outcome::Denied });
        }
        if self.memory.blocked.hides_mailbox(new.receive_id, new.send_id) {
            return Ok(Outcome::Denied);
        }
        if !self.buys(spend).await? {
            return Ok(Outcome::Spent);
        }
        self.begin().await?;
        let insert = sqlx::query(
            "INSERT INTO mailbox (receive_id, send_id, kind, owner, capability_hash, day_last_used)
             VALUES (?, ?, ?, ?, ?, ?)",
        );
        let inserted = insert
            .bind(&new.receive_id.as_bytes()[..])
            .bind(&new.send_id.as_bytes()[..])
            .bind(kind_number(new.kind))
            .bind(&new.owner.as_bytes()[..])
            .bind(&new.capability_hash.as_bytes()[..])
            .bind(new.day.as_days())
            .execute(&mut *self.connection)
            .await?;
        self.memory.mailboxes.insert(inserted.last_insert_rowid(), new.clone());
        Ok(Outcome::Done)
    }

    pub(super) async fn owners(&mut self, things: &[Owned]) -> Result<Outcome> {
        let id = |thing: &Owned| match thing {
            Owned::Mailbox(id) => HEXLOWER.encode(id.as_bytes()),
            Owned::Bundle(id) => HEXLOWER.encode(id.as_bytes()),
        };
        let ids = json_texts(&things.iter().map(id).collect::<Vec<_>>());
        let (mut mailboxes, mut bundles) = (HashMap::new(), HashMap::new());
        let select = |things: &'static str| sqlx::query(things).bind(ids.clone());
        let of_mailboxes = select(
            "SELECT receive_id, owner, send_id FROM mailbox WHERE receive_id IN (SELECT unhex(value) FROM json_each(?))",
        );
        if things.iter().any(|thing| matches!(thing, Owned::Mailbox(_))) {
            for row in of_mailboxes.fetch_all(&mut *self.connection).await? {
                let (id, owner) = (ReceiveId::from(array(&row, 0)?), OwnerKey::from(array(&row, 1)?));
                if !self.memory.blocked.hides_mailbox(id, array(&row, 2)?.into()) {
                    mailboxes.insert(id, owner);
                }
            }
        }
        let of_bundles = select("SELECT id, owner FROM bundle WHERE id IN (SELECT unhex(value) FROM json_each(?))");
        if things.iter().any(|thing| matches!(thing, Owned::Bundle(_))) {
            for row in of_bundles.fetch_all(&mut *self.connection).await? {
                let (id, owner) = (BundleId::from(array(&row, 0)?), OwnerKey::from(array(&row, 1)?));
                if !self.memory.blocked.hides([id]) {
                    bundles.insert(id, owner);
                }
            }
        }
        let owner = |thing: &Owned| match thing {
            Owned::Mailbox(id) => mailboxes.get(id).copied(),
            Owned::Bundle(id) => bundles.get(id).copied(),
        };
        Ok(Outcome::Owners(things.iter().map(owner).collect()))
    }

    pub(super) async fn lease(&mut self, leases: &[NewLease], day: Day) -> Result<Outcome> {
        if leases.is_empty() {
            return Ok(Outcome::Leased(vec![]));
        }
        let ids: Vec<_> = leases.iter().map(|lease| HEXLOWER.encode(lease.mailbox.as_bytes())).collect();
        let select = sqlx::query(
            "SELECT receive_id, lease, send_id FROM mailbox WHERE receive_id IN (SELECT unhex(value) FROM json_each(?))",
        );
        let mut held: HashMap<ReceiveId, Option<Lease>> = HashMap::new();
        for row in select.bind(json_texts(&ids)).fetch_all(&mut *self.connection).await? {
            let (id, lease) = (ReceiveId::from(array(&row, 0)?), row.try_get::<Option<&[u8]>, _>(1)?);
            if self.memory.blocked.hides_mailbox(id, array(&row, 2)?.into()) {
                continue;
            }
            held.insert(id, lease.and_then(|lease| Lease::try_from(lease).ok()));
        }
        let compare = |lease: &NewLease| match held.get_mut(&lease.mailbox) {
            Some(held) => lease.compare(held.replace(lease.new).as_ref()),
            None => LeaseOutcome::Denied,
        };
        let outcomes = leases.iter().map(compare).collect();
        let new: Vec<_> = held
            .iter()
            .filter_map(|(id, lease)| lease.map(|lease| (id, lease)))
            .map(|(id, lease)| [HEXLOWER.encode(id.as_bytes()), HEXLOWER.encode(lease.as_bytes())])
            .collect();
        self.begin().await?;
        let update = sqlx::query(
            "UPDATE mailbox SET lease = unhex(new.value ->> 1), day_last_used = ?
             FROM json_each(?) AS new WHERE receive_id = unhex(new.value ->> 0)",
        );
        let new = serde_json::to_string(&new).expect("texts are JSON");
        update.bind(day.as_days()).bind(new).execute(&mut *self.connection).await?;
        Ok(Outcome::Leased(outcomes))
    }

    pub(super) async fn rotate(
        &mut self,
        mailbox: &ReceiveId,
        owner: &OwnerKey,
        capability_hash: &CapabilityHash,
    ) -> Result<Outcome> {
        let Some(held) = self.memory.by_receive_id(mailbox).filter(|held| held.made.owner == *owner) else {
            return Ok(Outcome::Denied);
        };
        held.made.capability_hash = *capability_hash;
        let key = held.key;
        self.begin().await?;
        let update = sqlx::query("UPDATE mailbox SET capability_hash = ? WHERE key = ?");
        update.bind(&capability_hash.as_bytes()[..]).bind(key).execute(&mut *self.connection).await?;
        Ok(Outcome::Done)
    }

    pub(super) async fn delete_mailbox(&mut self, mailbox: &ReceiveId, owner: &OwnerKey) -> Result<Outcome> {
        let select = sqlx::query("SELECT key, send_id FROM mailbox WHERE receive_id = ? AND owner = ?");
        let select = select.bind(&mailbox.as_bytes()[..]).bind(&owner.as_bytes()[..]);
        let row = select.fetch_optional(&mut *self.connection).await?;
        let Some(row) = row else { return Ok(Outcome::Denied) };
        if self.memory.blocked.hides_mailbox(*mailbox, array(&row, 1)?.into()) {
            return Ok(Outcome::Denied);
        }
        self.remove_mailboxes(&[row.try_get(0)?]).await?;
        Ok(Outcome::Done)
    }

    async fn remove_mailboxes(&mut self, keys: &[Key]) -> Result<()> {
        self.flush().await?;
        self.begin().await?;
        keys.iter().for_each(|key| self.memory.mailboxes.remove(*key));
        for delete in [
            "DELETE FROM envelope WHERE mailbox IN (SELECT value FROM json_each(?))",
            "DELETE FROM mailbox WHERE key IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(delete).bind(json_numbers(keys)).execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    pub(super) async fn expire(
        &mut self,
        now: Timestamp,
        mailboxes_before: Day,
        bundles_before: Day,
    ) -> Result<Outcome> {
        self.flush().await?;
        let limit = i64::try_from(EXPIRE_ROWS_MAX + 1).expect("a small number");
        let select = "SELECT seq, mailbox FROM envelope WHERE expires_at <= ? ORDER BY expires_at, seq LIMIT ?";
        let rows = sqlx::query(select).bind(millis(now)).bind(limit).fetch_all(&mut *self.connection).await?;
        let envelopes: Vec<(i64, Key)> =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_>>()?;
        let select = "SELECT key FROM mailbox WHERE day_last_used < ? ORDER BY receive_id LIMIT ?";
        let lapsed = sqlx::query_scalar(select).bind(mailboxes_before.as_days()).bind(limit);
        let mailboxes: Vec<Key> = lapsed.fetch_all(&mut *self.connection).await?;
        let more = envelopes.len() > EXPIRE_ROWS_MAX || mailboxes.len() > EXPIRE_ROWS_MAX;
        let more = self.expire_bundles(bundles_before).await? || more;

        let envelopes = &envelopes[..envelopes.len().min(EXPIRE_ROWS_MAX)];
        for (seq, mailbox) in envelopes {
            self.memory.mailboxes.remove_envelope(*mailbox, *seq);
            self.deletes.push(*seq);
        }
        let mailboxes = &mailboxes[..mailboxes.len().min(EXPIRE_ROWS_MAX)];
        if !mailboxes.is_empty() {
            self.remove_mailboxes(mailboxes).await?;
        }
        if self.memory.acknowledged.expire(now) {
            self.begin().await?;
            sqlx::query(FORGET_ACKNOWLEDGED).bind(millis(now)).execute(&mut *self.connection).await?;
        }
        self.forget_tokens(now).await?;
        Ok(Outcome::Expired { envelopes: envelopes.len(), mailboxes: mailboxes.len(), more })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::storage::sqlite::MIGRATIONS;

    async fn forget(connection: &mut SqliteConnection, now: i64) -> Vec<i64> {
        sqlx::query(FORGET_ACKNOWLEDGED).bind(now).execute(&mut *connection).await.unwrap();
        sqlx::query_scalar("SELECT forget_at FROM acknowledged ORDER BY rowid").fetch_all(connection).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_forgotten_is_found_without_looking_at_what_stays() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(dir.path().join("relay.db")).create_if_missing(true);
        let mut connection = options.disable_statement_logging().connect().await.unwrap();
        MIGRATIONS.run(&mut connection).await.unwrap();
        for forget_at in [3, 5, 5, 9] {
            let insert = sqlx::query("INSERT INTO acknowledged (forget_at, ids) VALUES (?, x'')").bind(forget_at);
            insert.execute(&mut connection).await.unwrap();
        }
        assert_eq!(forget(&mut connection, 2).await, [3, 5, 5, 9]);
        assert_eq!(forget(&mut connection, 5).await, [9]);
        assert!(forget(&mut connection, 9).await.is_empty());
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {FORGET_ACKNOWLEDGED}"))).bind(1);
        let plan: Vec<_> = plan.fetch_all(&mut connection).await.unwrap();
        let first: String = plan[0].try_get(3).unwrap();
        assert!(first.contains("USING INTEGER PRIMARY KEY (rowid<?)"), "{first}");
        connection.close().await.unwrap();
    }
}
