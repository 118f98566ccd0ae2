//! What time does: prekeys rotate, private halves and skipped keys die, replaced mailboxes are deleted, digests are forgotten,
//! expired envelopes are sealed anew.

use sotto_inner::limits::DIGEST_MEMORY_SECS;

use crate::{Order, Range, Rows, RowsError, Table, account::HOUSEKEEPING_SECS, timers::Timer, work::Work};

const SECS_PER_DAY: u64 = 86_400;

impl Work<'_> {
    pub(crate) fn keep_house(&mut self) -> Result<(), RowsError> {
        let Some(account) = self.account()? else { return Ok(()) };
        self.set_timer(self.now.plus_secs(HOUSEKEEPING_SECS), &Timer::Housekeeping);
        self.rotate_prekeys(&account)?;
        self.expire_prekeys()?;
        self.expire_skipped()?;
        self.forget_digests()?;
        self.replace_unanswered()?;
        self.delete_retired()?;
        self.look_after_all_tokens()?;
        self.revive_expired()
    }

    fn forget_digests(&mut self) -> Result<(), RowsError> {
        let oldest_day = (self.now.secs() / SECS_PER_DAY).saturating_sub(DIGEST_MEMORY_SECS / SECS_PER_DAY);
        let oldest_day = u32::try_from(oldest_day).unwrap_or(u32::MAX).to_be_bytes();
        let old = Range { from: Vec::new(), to: Some(oldest_day.to_vec()) };
        for (key, _) in self.scan(Table::DigestDay, &old, Order::Ascending, usize::MAX)? {
            self.delete(Table::Digest, &key[4..]);
            self.delete(Table::DigestDay, &key);
        }
        Ok(())
    }
}
