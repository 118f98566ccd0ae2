//! Envelopes that readers get from a batch: chosen as each read comes, from what memory knows, and read all together.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::batch::{Result, array};
use crate::storage::{Envelope, Outcome, Seq};

/// Envelopes in one row, at most. Each row wakes whoever waits for it, which costs more than to find an envelope.
const WIDTH_MAX: usize = 64;

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
        for seqs in std::mem::take(&mut self.unread).chunks(WIDTH_MAX) {
            let width = seqs.len().next_power_of_two();
            let mut select = sqlx::query(AssertSqlSafe(select(width)));
            for at in 0..width {
                select = select.bind(seqs.get(at));
            }
            let row = select.fetch_one(&mut *connection).await?;
            for (at, seq) in seqs.iter().enumerate() {
                if let Some(payload) = row.try_get::<Option<&[u8]>, _>(2 * at + 1)? {
                    let (id, payload) = (array(&row, 2 * at)?.into(), payload.to_vec().into());
                    self.found.insert(*seq, Envelope { seq: Seq(*seq), id, payload });
                }
            }
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

/// One row with `width` envelopes, each an id and a payload; null where there is none.
fn select(width: usize) -> String {
    let envelope = |number: usize| {
        format!("(SELECT id FROM envelope WHERE seq = ?{number}), (SELECT payload FROM envelope WHERE seq = ?{number})")
    };
    format!("SELECT {}", (1..=width).map(envelope).collect::<Vec<_>>().join(", "))
}
