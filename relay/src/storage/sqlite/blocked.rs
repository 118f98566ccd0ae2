//! The operation of a batch by which the host suspends what was reported, or gives it back.

use sqlx::Row;

use super::batch::{Batch, Result, array};
use crate::{
    storage::{
        Outcome,
        blocked::{Named, Report, ReportedId},
    },
    time::Day,
};

impl Batch<'_> {
    pub(super) async fn block(&mut self, ids: &[ReportedId], blocked: bool, day: Day) -> Result<Outcome> {
        let mut reports = Vec::with_capacity(ids.len());
        for id in ids {
            let named = self.named(*id).await?;
            let is_new = self.memory.blocked.set(*id, blocked);
            if is_new {
                self.store_blocked(*id, blocked, day).await?;
            }
            reports.push(Report { named, is_new });
        }
        Ok(Outcome::Blocked(reports))
    }

    async fn named(&mut self, id: ReportedId) -> Result<Named> {
        let bytes = &id.as_bytes()[..];
        let mailbox = sqlx::query(
            "SELECT receive_id FROM mailbox WHERE receive_id = ?1 OR send_id = ?1 ORDER BY receive_id = ?1 DESC LIMIT 1",
        );
        if let Some(row) = mailbox.bind(bytes).fetch_optional(&mut *self.connection).await? {
            return Ok(Named::Mailbox(array(&row, 0)?.into()));
        }
        let others = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM bundle WHERE id = ?1), EXISTS (SELECT 1 FROM blob WHERE id = ?1),
                    EXISTS (SELECT 1 FROM channel WHERE id = ?1)",
        );
        let row = others.bind(bytes).fetch_one(&mut *self.connection).await?;
        let is = |column| row.try_get::<bool, _>(column);
        let id = *id.as_bytes();
        Ok(match (is(0)?, is(1)?, is(2)?) {
            (true, ..) => Named::Bundle(id.into()),
            (_, true, _) => Named::Blob(id.into()),
            (.., true) => Named::Channel(id.into()),
            (false, false, false) => Named::Nothing,
        })
    }

    async fn store_blocked(&mut self, id: ReportedId, blocked: bool, day: Day) -> Result<()> {
        self.begin().await?;
        let bytes = &id.as_bytes()[..];
        let change = if blocked {
            sqlx::query("INSERT INTO blocked (id, day) VALUES (?, ?)").bind(bytes).bind(day.as_days())
        } else {
            sqlx::query("DELETE FROM blocked WHERE id = ?").bind(bytes)
        };
        change.execute(&mut *self.connection).await?;
        Ok(())
    }
}
