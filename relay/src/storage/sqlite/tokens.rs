//! Operations of a batch on tokens: keys, counts, and what was spent.

use sotto_outer::TokenPurpose;
use sqlx::Row;
use zeroize::Zeroizing;

use super::{
    batch::{Batch, Result},
    memory::millis,
};
use crate::{
    access::{NewKey, week},
    storage::{Outcome, Spend, StoredKey, TokenOp, TokenOutcome},
    time::Timestamp,
};

impl Batch<'_> {
    pub(super) async fn token(&mut self, op: &TokenOp) -> Result<Outcome> {
        match op {
            TokenOp::Keys { from_week } => self.token_keys(*from_week).await,
            TokenOp::KeepKey(key) => self.keep_key(key).await,
            TokenOp::Count { holder, purpose, count, uses, forget_at } => {
                self.count_tokens(holder, *purpose, *count, *uses, *forget_at).await
            }
        }
    }

    async fn token_keys(&mut self, from_week: u32) -> Result<Outcome> {
        let select = "SELECT purpose, week, secret FROM token_key WHERE week >= ? ORDER BY week, purpose";
        let mut keys = vec![];
        for row in sqlx::query(select).bind(from_week).fetch_all(&mut *self.connection).await? {
            let number: i64 = row.try_get(0)?;
            let purpose = TokenPurpose::ALL.into_iter().find(|purpose| i64::from(purpose.number()) == number);
            let Some(purpose) = purpose else { continue };
            let secret = NewKey(Zeroizing::new(row.try_get(2)?));
            keys.push(StoredKey { purpose, week: row.try_get(1)?, secret });
        }
        Ok(Outcome::Token(TokenOutcome::Keys(keys)))
    }

    async fn keep_key(&mut self, key: &StoredKey) -> Result<Outcome> {
        self.begin().await?;
        let insert = sqlx::query("INSERT OR IGNORE INTO token_key (purpose, week, secret) VALUES (?, ?, ?)");
        let insert = insert.bind(key.purpose.number()).bind(key.week).bind(key.secret.0.as_slice());
        let inserted = insert.execute(&mut *self.connection).await?.rows_affected();
        Ok(if inserted == 1 { Outcome::Done } else { Outcome::Denied })
    }

    async fn count_tokens(
        &mut self,
        holder: &[u8; 32],
        purpose: TokenPurpose,
        count: u32,
        uses: u32,
        forget_at: Timestamp,
    ) -> Result<Outcome> {
        let select = sqlx::query_scalar("SELECT given FROM admitted WHERE holder = ? AND purpose = ?");
        let select = select.bind(&holder[..]).bind(purpose.number());
        let given: Option<u32> = select.fetch_optional(&mut *self.connection).await?;
        let given = given.unwrap_or(0).saturating_add(count);
        if given > uses {
            return Ok(Outcome::Denied);
        }
        self.begin().await?;
        // The later of two ends: while one credential of this holder admits, what all of them were given is known.
        let insert = "INSERT INTO admitted (holder, purpose, given, forget_at) VALUES (?, ?, ?, ?)
                      ON CONFLICT DO UPDATE SET given = excluded.given, forget_at = max(forget_at, excluded.forget_at)";
        let insert = sqlx::query(insert).bind(&holder[..]).bind(purpose.number()).bind(given).bind(millis(forget_at));
        insert.execute(&mut *self.connection).await?;
        Ok(Outcome::Done)
    }

    /// Spends a token with this batch, where one is asked for. False where it was spent before.
    pub(super) async fn buys(&mut self, spend: Option<&Spend>) -> Result<bool> {
        let Some(spend) = spend else { return Ok(true) };
        let is_new = !self.is_spent(spend).await?;
        if is_new {
            self.spend(spend).await?;
        }
        Ok(is_new)
    }

    async fn is_spent(&mut self, spend: &Spend) -> Result<bool> {
        let select = sqlx::query_scalar("SELECT 1 FROM spent WHERE key = ? AND nonce = ?");
        let select = select.bind(&spend.key.as_bytes()[..]).bind(&spend.nonce_hash[..]);
        let found: Option<i64> = select.fetch_optional(&mut *self.connection).await?;
        Ok(found.is_some())
    }

    async fn spend(&mut self, spend: &Spend) -> Result<()> {
        self.begin().await?;
        let insert = sqlx::query("INSERT INTO spent (key, nonce, forget_at) VALUES (?, ?, ?)");
        let insert = insert.bind(&spend.key.as_bytes()[..]).bind(&spend.nonce_hash[..]).bind(millis(spend.forget_at));
        insert.execute(&mut *self.connection).await?;
        Ok(())
    }

    pub(super) async fn forget_tokens(&mut self, now: Timestamp) -> Result<()> {
        let over = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM spent WHERE forget_at <= ?1)
                 OR EXISTS (SELECT 1 FROM admitted WHERE forget_at <= ?1)
                 OR EXISTS (SELECT 1 FROM token_key WHERE week + 2 <= ?2)",
        );
        let over = over.bind(millis(now)).bind(week(now.day()));
        let over: bool = over.fetch_one(&mut *self.connection).await?;
        if !over {
            return Ok(());
        }
        self.begin().await?;
        for forget in ["DELETE FROM spent WHERE forget_at <= ?", "DELETE FROM admitted WHERE forget_at <= ?"] {
            sqlx::query(forget).bind(millis(now)).execute(&mut *self.connection).await?;
        }
        let keys = sqlx::query("DELETE FROM token_key WHERE week + 2 <= ?").bind(week(now.day()));
        keys.execute(&mut *self.connection).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Op, Storage, memory::MemoryStorage, sqlite::SqliteStorage};

    /// Bob has a credential until the hour 9, and another until the hour 3.
    async fn counts(mut storage: impl Storage) -> Vec<Outcome> {
        let hour = |hour: u64| Timestamp::from_millis(hour * 3_600_000);
        let count = |ends| {
            let purpose = TokenPurpose::Mailbox;
            Op::Token(TokenOp::Count { holder: [1; 32], purpose, count: 4, uses: 10, forget_at: hour(ends) })
        };
        let sweep = |now| Op::Expire { now: hour(now), mailboxes_before: hour(0).day(), bundles_before: hour(0).day() };
        let mut outcomes = vec![];
        for op in [count(9), count(3), sweep(4), count(9), sweep(9), count(20)] {
            outcomes.extend(storage.apply(vec![op]).await);
        }
        outcomes.retain(|outcome| !matches!(outcome, Outcome::Expired { .. }));
        outcomes
    }

    #[tokio::test]
    async fn what_somebody_was_given_is_known_until_their_last_credential_ends() {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = SqliteStorage::open(&dir.path().join("relay.db")).await.unwrap();
        let expected = [Outcome::Done, Outcome::Done, Outcome::Denied, Outcome::Done];
        assert_eq!(counts(sqlite).await, expected);
        assert_eq!(counts(MemoryStorage::new()).await, expected);
    }
}
