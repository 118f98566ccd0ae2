//! Blobs' rows in memory.

use std::collections::BTreeMap;

use sotto_outer::{BlobId, blob};

use super::tokens::Tokens;
use crate::{
    storage::{
        Outcome, Spend,
        blob::{BLOB_ROWS_MAX, BlobOp, BlobOutcome, BlobRow, NewBlob, ObjectKey, Right, open},
        blocked::Blocked,
    },
    time::Timestamp,
};

/// All blobs, and those whose objects are still to be removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Blobs {
    rows: BTreeMap<BlobId, BlobRow>,
    gone: BTreeMap<ObjectKey, u32>,
}

impl Blobs {
    pub(super) fn apply(&mut self, op: &BlobOp, blocked: &Blocked, tokens: &mut Tokens) -> Outcome {
        match op {
            BlobOp::Create(new, _) if blocked.hides([new.blob]) => Outcome::Denied,
            BlobOp::Create(new, spend) => self.create(new, spend.as_ref(), tokens),
            BlobOp::Write { blob, shown, now } => match open(self.row(blob, blocked), shown, Right::Write, *now) {
                Some(BlobRow { object, bytes, state, .. }) => {
                    let used = self.used_bytes();
                    Outcome::Blob(BlobOutcome::Writable { object, bytes, state, used })
                }
                None => Outcome::Denied,
            },
            BlobOp::PartStored { object, part } => self.part_stored(object, *part),
            BlobOp::Commit { blob, shown, now, expires_at } => {
                let may = open(self.row(blob, blocked), shown, Right::Write, *now).is_some();
                let Some(row) = self.rows.get_mut(blob).filter(|_| may) else { return Outcome::Denied };
                row.commit(*expires_at);
                Outcome::Blob(BlobOutcome::State(row.state.clone()))
            }
            BlobOp::Read { blob, shown, now } => match open(self.row(blob, blocked), shown, Right::Read, *now) {
                Some(BlobRow { object, bytes, .. }) => Outcome::Blob(BlobOutcome::Readable { object, bytes }),
                None => Outcome::Denied,
            },
            BlobOp::Delete { blob, shown, now } => {
                if open(self.row(blob, blocked), shown, Right::Write, *now).is_none() {
                    return Outcome::Denied;
                }
                self.delete(blob);
                Outcome::Done
            }
            BlobOp::Expire { now } => self.expire(*now),
            BlobOp::Gone => {
                let gone = self.gone.iter().take(BLOB_ROWS_MAX).map(|(object, parts)| (*object, *parts));
                Outcome::Blob(BlobOutcome::Gone(gone.collect()))
            }
            BlobOp::Forget(objects) => {
                self.gone.retain(|object, _| !objects.contains(object));
                Outcome::Done
            }
            BlobOp::Usage => {
                let (blobs, bytes) = (self.rows.len() as u64, self.used_bytes());
                Outcome::Blob(BlobOutcome::Usage { blobs, bytes })
            }
            BlobOp::Known(objects) => {
                let is_known =
                    |object| self.gone.contains_key(object) || self.rows.values().any(|r| r.object == *object);
                Outcome::Blob(BlobOutcome::Known(objects.iter().map(is_known).collect()))
            }
        }
    }

    /// Whether there is one of this name, suspended or not.
    pub(super) fn holds(&self, id: &BlobId) -> bool {
        self.rows.contains_key(id)
    }

    /// The row of a blob that is not suspended.
    fn row(&self, id: &BlobId, blocked: &Blocked) -> Option<BlobRow> {
        self.rows.get(id).filter(|_| !blocked.hides([*id])).cloned()
    }

    fn create(&mut self, new: &NewBlob, spend: Option<&Spend>, tokens: &mut Tokens) -> Outcome {
        match self.rows.get(&new.blob) {
            Some(held) if held.expires_at <= new.now => self.delete(&new.blob),
            Some(held) if held.is_made_by(new) => return Outcome::Blob(BlobOutcome::State(held.state.clone())),
            Some(_) => return Outcome::Denied,
            None => {}
        }
        if !new.quota.has_room(self.used_bytes(), new.bytes) {
            return Outcome::Full;
        }
        if !tokens.buys(spend) {
            return Outcome::Spent;
        }
        let row = new.row();
        let state = row.state.clone();
        self.rows.insert(new.blob, row);
        Outcome::Blob(BlobOutcome::State(state))
    }

    fn used_bytes(&self) -> u64 {
        self.rows.values().map(BlobRow::used_bytes).sum()
    }

    fn part_stored(&mut self, object: &ObjectKey, part: u32) -> Outcome {
        let Some(row) = self.rows.values_mut().find(|row| row.object == *object) else { return Outcome::Denied };
        row.hold(part);
        Outcome::Blob(BlobOutcome::State(row.state.clone()))
    }

    fn delete(&mut self, id: &BlobId) {
        if let Some(row) = self.rows.remove(id) {
            self.gone.insert(row.object, blob::parts(row.bytes));
        }
    }

    fn expire(&mut self, now: Timestamp) -> Outcome {
        let over = self.rows.iter().filter(|(_, row)| row.expires_at <= now);
        let mut over: Vec<_> = over.map(|(id, row)| (row.expires_at, row.object, *id)).collect();
        over.sort_unstable();
        let more = over.len() > BLOB_ROWS_MAX;
        over.truncate(BLOB_ROWS_MAX);
        for (_, _, id) in &over {
            self.delete(id);
        }
        Outcome::Blob(BlobOutcome::Expired { blobs: over.len(), more })
    }
}
