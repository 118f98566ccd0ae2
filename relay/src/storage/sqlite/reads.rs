//! Envelopes that readers get from a batch: chosen as each read comes, from what memory knows, and read all together.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::batch::{Result, array, json_numbers};
use crate::storage::{Envelope, Outcome, Seq};

/// What the reads of one batch have chosen.
#[derive(Default)]
pub(super) struct Reads {
    /// Which outcome gets which envelopes, in their order.
    chosen: Vec<(usize, Vec<i64>)>,
    /// Those of them that are not read yet.
    unread: Vec<i64>,
    found: HashMap<i64, Envelope>,
}

impl Reads {
    /// The outcome at this place is to get these.
    pub(super) fn choose(&mut self, outcome: usize, seqs: Vec<i64>) {
        self.unread.extend(&seqs);
        self.chosen.push((outcome, seqs));
    }

    pub(super) const fn are_done(&self) -> bool {
        self.unread.is_empty()
    }

    /// Reads what was chosen. All of it must be in the file, and none of it deleted.
    pub(super) async fn read(&mut self, connection: &mut SqliteConnection) -> Result<()> {
        let select = sqlx::query("SELECT seq, id, payload FROM envelope WHERE seq IN (SELECT value FROM json_each(?))");
        let rows = select.bind(json_numbers(&std::mem::take(&mut self.unread))).fetch_all(connection);
        for row in &rows.await? {
            let (seq, payload): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(2)?);
            let envelope = Envelope { seq: Seq(seq), id: array(row, 1)?.into(), payload: payload.into() };
            self.found.insert(seq, envelope);
        }
        Ok(())
    }

    /// Puts what was read where it belongs.
    pub(super) fn hand_out(&mut self, outcomes: &mut [Outcome]) {
        for (at, seqs) in self.chosen.drain(..) {
            if let Outcome::Envelopes { envelopes, more: _ } = &mut outcomes[at] {
                *envelopes = seqs.iter().filter_map(|seq| self.found.get(seq).cloned()).collect();
            }
        }
    }
}
