//! One batch: one transaction, begun with the first write. Envelopes to insert and to delete are gathered and written with
//! few statements.

use std::{collections::HashSet, mem};

use data_encoding::HEXLOWER;
use sotto_outer::{CapabilityHash, EnvelopeId, MailboxKind, ReceiveId, SendId};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    channels::Pending,
    memory::{Entry, Key, Memory, timestamp},
    reads::Reads,
    script::{INSERT_ROWS_MAX, Insert, Script},
};
use crate::{
    access,
    storage::{NewEnvelope, NewMailbox, Op, Outcome, Seq, owed},
    time::{Day, Timestamp},
};

pub(super) type Result<T> = core::result::Result<T, sqlx::Error>;

/// Rows of one insert: few sizes, so that few statements are prepared.
pub(super) const INSERT_ROWS: [usize; 5] = [128, 32, 8, 2, 1];

pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) memory: &'a mut Memory,
    begun: bool,
    inserts: Vec<Insert>,
    /// Rows of `envelope` to be deleted.
    pub(super) deletes: Vec<i64>,
    pub(super) pending: Pending,
    reads: Reads,
}

impl<'a> Batch<'a> {
    pub(super) fn new(connection: &'a mut SqliteConnection, memory: &'a mut Memory) -> Self {
        Self {
            connection,
            memory,
            begun: false,
            inserts: vec![],
            deletes: vec![],
            pending: Pending::default(),
            reads: Reads::default(),
        }
    }

    pub(super) async fn apply<'o>(&mut self, ops: impl Iterator<Item = &'o Op> + Clone) -> Result<Vec<Outcome>> {
        self.look_up(ops.clone()).await?;
        self.look_up_channels(ops.clone()).await?;
        let mut outcomes = Vec::with_capacity(ops.size_hint().0);
        for op in ops {
            let at = outcomes.len();
            outcomes.push(self.apply_one(at, op).await?);
        }
        self.read().await?;
        self.reads.hand_out(&mut outcomes);
        Ok(outcomes)
    }

    /// Writes what is gathered and makes it durable. A batch that wrote nothing has nothing to make so.
    pub(super) async fn commit(mut self) -> Result<()> {
        self.flush_channels().await?;
        let mut script = self.gathered().await?;
        if let Some((forget_at, ids)) = self.memory.acknowledged.row() {
            self.begin_in(&mut script);
            script.acknowledged(forget_at, ids)?;
        }
        if self.begun {
            script.push("COMMIT;");
        }
        script.run(&mut *self.connection).await?;
        self.memory.committed();
        Ok(())
    }

    /// Applies one; its outcome will stand at this place.
    async fn apply_one(&mut self, at: usize, op: &Op) -> Result<Outcome> {
        match op {
            Op::Create(new, spend) => self.create(new, spend.as_ref()).await,
            Op::Token(op) => self.token(op).await,
            Op::Send(new) => Ok(self.send(new)),
            Op::Admit { mailbox, shown, owes } => Ok(self.admit(mailbox, shown, *owes)),
            Op::Owners(things) => self.owners(things).await,
            Op::Lease { mailboxes, day } => self.lease(mailboxes, *day).await,
            Op::Next { mailbox, in_flight, envelopes_max, bytes_max, now } => {
                Ok(self.next(at, mailbox, in_flight, *envelopes_max, *bytes_max, *now))
            }
            Op::Acknowledge { mailbox, ids, forget_at } => Ok(self.acknowledge(mailbox, ids, *forget_at)),
            Op::Rotate { mailbox, owner, capability_hash } => self.rotate(mailbox, owner, capability_hash).await,
            Op::DeleteMailbox { mailbox, owner } => self.delete_mailbox(mailbox, owner).await,
            Op::DeleteBundle { bundle, owner } => self.delete_bundle(bundle, owner).await,
            Op::Publish(parts) => self.publish(parts).await,
            Op::FetchBundle { bundle, take_pair } => self.fetch_bundle(bundle, *take_pair).await,
            Op::Block { ids, blocked, day } => self.block(ids, *blocked, *day).await,
            Op::Channel(op) => self.channel(op).await,
            Op::Expire { now, mailboxes_before, bundles_before } => {
                self.expire(*now, *mailboxes_before, *bundles_before).await
            }
            Op::Blob(op) => self.blob(op).await,
        }
    }

    /// Brings the mailboxes that this batch uses into memory, all at once.
    ///
    /// A send that will be denied costs one more id in one statement, whether its mailbox is missing, suspended, in use, or not.
    async fn look_up<'o>(&mut self, ops: impl Iterator<Item = &'o Op> + Clone) -> Result<()> {
        // What this batch gives back must be there for the rest of it.
        let gives_back = ops.clone().any(|op| matches!(op, Op::Block { blocked: false, .. }));
        let (mut send_ids, mut receive_ids, mut shown_for) = (vec![], vec![], HashSet::new());
        for op in ops {
            match op {
                Op::Send(NewEnvelope { mailbox, shown, .. }) | Op::Admit { mailbox, shown, .. } => {
                    let known = self.memory.by_send_id(mailbox);
                    if !access::capability_matches(known.map(|known| &known.made.capability_hash), shown) {
                        send_ids.push(HEXLOWER.encode(mailbox.as_bytes()));
                        shown_for.insert((*mailbox, *shown));
                    }
                }
                // A send that follows a rotation is compared with the new capability, so the mailbox must be here.
                Op::Next { mailbox, .. } | Op::Acknowledge { mailbox, .. } | Op::Rotate { mailbox, .. } => {
                    if self.memory.by_receive_id(mailbox).is_none() {
                        receive_ids.push(HEXLOWER.encode(mailbox.as_bytes()));
                    }
                }
                Op::Create(..)
                | Op::Token(_)
                | Op::Owners(_)
                | Op::Lease { .. }
                | Op::DeleteMailbox { .. }
                | Op::DeleteBundle { .. }
                | Op::Publish(_)
                | Op::FetchBundle { .. }
                | Op::Block { .. }
                | Op::Channel(_)
                | Op::Blob(_)
                | Op::Expire { .. } => {}
            }
        }
        if send_ids.is_empty() && receive_ids.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query(
            "SELECT key, kind, receive_id, send_id, owner, capability_hash, day_last_used FROM mailbox
             WHERE send_id IN (SELECT unhex(value) FROM json_each(?))
             UNION SELECT key, kind, receive_id, send_id, owner, capability_hash, day_last_used FROM mailbox
             WHERE receive_id IN (SELECT unhex(value) FROM json_each(?))",
        );
        let rows = rows.bind(json_texts(&send_ids)).bind(json_texts(&receive_ids)).fetch_all(&mut *self.connection);
        let mut keys = vec![];
        for row in rows.await? {
            let (key, made) = mailbox(&row)?;
            let is_known = self.memory.mailboxes.holds(&made.receive_id);
            let is_hidden = !gives_back && self.memory.blocked.hides_mailbox(made.receive_id, made.send_id);
            let is_read = receive_ids.contains(&HEXLOWER.encode(made.receive_id.as_bytes()));
            if !is_known && !is_hidden && (is_read || shown_for.contains(&(made.send_id, made.capability_hash))) {
                keys.push(key);
                self.memory.mailboxes.insert(key, made);
            }
        }
        self.load_envelopes(&keys).await
    }

    async fn load_envelopes(&mut self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let select = sqlx::query(
            "SELECT mailbox, seq, id, length(payload), expires_at FROM envelope
             WHERE mailbox IN (SELECT value FROM json_each(?))",
        );
        for row in select.bind(json_numbers(keys)).fetch_all(&mut *self.connection).await? {
            let bytes = usize::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0);
            let entry = Entry { id: array(&row, 2)?.into(), bytes, expires_at: timestamp(row.try_get(4)?) };
            self.memory.mailboxes.insert_envelope(row.try_get(0)?, row.try_get(1)?, entry);
        }
        Ok(())
    }

    fn send(&mut self, new: &NewEnvelope) -> Outcome {
        let NewEnvelope { mailbox, shown, id, payload, now, expires_at, quota, owes } = new;
        let Memory { mailboxes, acknowledged, blocked, .. } = &mut *self.memory;
        let known = mailboxes.by_send_id(mailbox, blocked);
        let matches = access::capability_matches(known.as_ref().map(|known| &known.made.capability_hash), shown);
        let Some(mailbox) = known.filter(|_| matches) else { return Outcome::Denied };
        if mailbox.seq(id).is_some() || acknowledged.remembers(mailbox.key, id, *now) {
            return Outcome::Repeated;
        }
        if let Some(bits) = owed(mailbox.made.kind, *owes) {
            return Outcome::Work { bits };
        }
        if !quota.has_room(mailbox.made.kind, mailbox.envelopes.len(), mailbox.bytes, payload.len()) {
            return Outcome::Full;
        }
        let (key, receive_id, seq) = (mailbox.key, mailbox.made.receive_id, self.memory.next_seq);
        self.memory.next_seq += 1;
        let entry = Entry { id: *id, bytes: payload.len(), expires_at: *expires_at };
        self.memory.mailboxes.insert_envelope(key, seq, entry);
        let (id, expires_at, payload) = (*id, *expires_at, payload.clone());
        self.inserts.push(Insert { seq, mailbox: key, id, expires_at, payload });
        Outcome::Sent { mailbox: receive_id, seq: Seq(seq) }
    }

    fn admit(&mut self, mailbox: &SendId, shown: &CapabilityHash, owes: Option<u8>) -> Outcome {
        let known = self.memory.by_send_id(mailbox);
        let matches = access::capability_matches(known.as_ref().map(|known| &known.made.capability_hash), shown);
        match known {
            Some(mailbox) if matches => match owed(mailbox.made.kind, owes) {
                Some(bits) => Outcome::Work { bits },
                None => Outcome::Admitted { mailbox: mailbox.made.receive_id },
            },
            Some(_) | None => Outcome::Denied,
        }
    }

    /// Chooses what the outcome at this place gets.
    fn next(
        &mut self,
        outcome: usize,
        mailbox: &ReceiveId,
        in_flight: &[Seq],
        envelopes_max: usize,
        bytes_max: usize,
        now: Timestamp,
    ) -> Outcome {
        let mut more = false;
        if let Some(mailbox) = self.memory.by_receive_id(mailbox) {
            let in_flight: HashSet<_> = in_flight.iter().map(|seq| seq.0).collect();
            let (mut chosen, mut bytes) = (vec![], 0);
            for (seq, entry) in &mailbox.envelopes {
                if in_flight.contains(seq) || entry.expires_at <= now {
                    continue;
                }
                bytes += entry.bytes;
                if chosen.len() == envelopes_max || bytes > bytes_max {
                    more = true;
                    break;
                }
                chosen.push(*seq);
            }
            self.reads.choose(outcome, chosen);
        }
        Outcome::Envelopes { envelopes: vec![], more }
    }

    /// Reads what was chosen so far: after it is written, and before any of it is deleted.
    async fn read(&mut self) -> Result<()> {
        if self.reads.are_done() {
            return Ok(());
        }
        let script = self.inserts().await?;
        script.run(&mut *self.connection).await?;
        self.reads.read(&mut *self.connection).await
    }

    fn acknowledge(&mut self, mailbox: &ReceiveId, ids: &[EnvelopeId], forget_at: Timestamp) -> Outcome {
        let Some(mailbox) = self.memory.by_receive_id(mailbox) else { return Outcome::Done };
        let (key, held) = (mailbox.key, ids.iter().filter_map(|id| mailbox.seq(id).map(|seq| (*id, seq))));
        for (id, seq) in held.collect::<Vec<_>>() {
            self.memory.mailboxes.remove_envelope(key, seq);
            self.memory.acknowledged.add(key, id, forget_at);
            self.deletes.push(seq);
        }
        Outcome::Done
    }

    /// Opens the transaction, where it is not open.
    pub(super) async fn begin(&mut self) -> Result<()> {
        let mut script = Script::default();
        self.begin_in(&mut script);
        script.run(&mut *self.connection).await
    }

    fn begin_in(&mut self, script: &mut Script) {
        if !self.begun {
            script.push("BEGIN IMMEDIATE;");
            self.begun = true;
        }
    }

    /// Writes the envelopes gathered so far.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let script = self.gathered().await?;
        script.run(&mut *self.connection).await
    }

    /// Writes most of what is gathered so far; the rest is in the script.
    async fn gathered(&mut self) -> Result<Script> {
        self.read().await?;
        let mut script = self.inserts().await?;
        if !self.deletes.is_empty() {
            self.begin_in(&mut script);
            script.delete(&mem::take(&mut self.deletes))?;
        }
        Ok(script)
    }

    /// Writes most of the envelopes to insert; the rest is in the script.
    async fn inserts(&mut self) -> Result<Script> {
        let mut script = Script::default();
        for rows in mem::take(&mut self.inserts).chunks(INSERT_ROWS_MAX) {
            self.begin_in(&mut script);
            script.insert(rows)?;
            if rows.len() == INSERT_ROWS_MAX {
                mem::take(&mut script).run(&mut *self.connection).await?;
            }
        }
        Ok(script)
    }
}

pub(super) fn mailbox(row: &SqliteRow) -> Result<(Key, NewMailbox)> {
    let made = NewMailbox {
        kind: if row.try_get::<i64, _>(1)? == kind_number(MailboxKind::Contact) {
            MailboxKind::Contact
        } else {
            MailboxKind::Pairwise
        },
        receive_id: array(row, 2)?.into(),
        send_id: array(row, 3)?.into(),
        owner: array(row, 4)?.into(),
        capability_hash: array(row, 5)?.into(),
        day: Day::from_days(row.try_get(6)?),
    };
    Ok((row.try_get(0)?, made))
}

pub(super) const fn kind_number(kind: MailboxKind) -> i64 {
    match kind {
        MailboxKind::Pairwise => 0,
        MailboxKind::Contact => 1,
    }
}

pub(super) fn array<const N: usize>(row: &SqliteRow, column: usize) -> Result<[u8; N]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a column has another length than the schema says".into()))
}

pub(super) fn json_texts(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("texts are JSON")
}

pub(super) fn json_numbers(numbers: &[i64]) -> String {
    serde_json::to_string(numbers).expect("numbers are JSON")
}
