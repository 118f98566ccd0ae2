//! What to do when: timers are rows, so that they outlive the process, and one wake-up is asked for, the earliest.

use minicbor::{Decode, Encode};
use sotto_outer::RelayIdentity;

use crate::{
    ContactId, Effect, Order, Range, Rows, RowsError, Table, Timestamp,
    admission::Haste,
    work::{Work, decoded, encoded},
};

/// Timers worked off in one event; more come with the next wake-up, at once.
const TIMERS_PER_EVENT: usize = 64;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(crate) enum Timer {
    /// Send the receipts owed to a contact.
    #[n(0)]
    Receipts(#[n(0)] ContactId),
    /// Start a repair with a contact, if it is still needed.
    #[n(1)]
    Repair(#[n(0)] ContactId),
    /// Work off a contact's outbox: a relay asked to wait until now.
    #[n(2)]
    Outbox(#[n(0)] ContactId),
    /// Ask again: a request had no answer.
    #[n(3)]
    Request(#[n(0)] ContactId),
    /// Rotate, expire, forget.
    #[n(4)]
    Housekeeping,
    /// Try again what a relay was too busy for.
    #[n(5)]
    Relay(#[n(0)] RelayIdentity),
    /// Make the next mailboxes for a contact.
    #[n(6)]
    Rotation(#[n(0)] ContactId),
    /// Tell a contact our new mailboxes, though not all could be made.
    #[n(7)]
    Announcement(#[n(0)] ContactId),
    /// Send elsewhere what a relay does not come back for.
    #[n(8)]
    Outage(#[n(0)] RelayIdentity),
    /// Ask a relay for tokens: it had none.
    #[n(9)]
    Tokens(#[n(0)] RelayIdentity),
}

impl Work<'_> {
    pub(crate) fn set_timer(&mut self, at: Timestamp, timer: &Timer) {
        let key = [at.0.to_be_bytes().as_slice(), &encoded(timer)].concat();
        self.put(Table::Timer, &key, Vec::new());
    }

    /// Does what is due.
    pub(crate) fn run_timers(&mut self) -> Result<(), RowsError> {
        let due = Range { from: Vec::new(), to: Some((self.now.0 + 1).to_be_bytes().to_vec()) };
        for (key, _) in self.scan(Table::Timer, &due, Order::Ascending, TIMERS_PER_EVENT)? {
            self.delete(Table::Timer, &key);
            match decoded(&key[8..])? {
                Timer::Receipts(contact) => self.send_receipts(&contact)?,
                Timer::Repair(contact) => self.start_repair(&contact)?,
                Timer::Outbox(contact) => self.resume_outbox(&contact)?,
                Timer::Request(contact) => self.repeat_request(&contact)?,
                Timer::Housekeeping => {
                    self.memory.lines_may_idle = true;
                    self.keep_house()?;
                }
                Timer::Relay(relay) => self.resume_reading(&relay)?,
                Timer::Rotation(contact) => self.rotate_mailboxes(&contact)?,
                Timer::Announcement(contact) => self.announce_made(&contact)?,
                Timer::Outage(relay) => self.on_outage(&relay)?,
                Timer::Tokens(relay) => {
                    self.look_after_tokens(&relay, Haste::IfFew)?;
                    self.renew_outdated_terms(&relay);
                }
            }
        }
        Ok(())
    }

    /// Asks to be woken for the earliest timer, where that is news.
    pub(crate) fn ask_wake(&mut self) -> Result<(), RowsError> {
        let first = self.scan(Table::Timer, &Range::all(), Order::Ascending, 1)?;
        let Some((key, _)) = first.first() else { return Ok(()) };
        let at = key.first_chunk().ok_or_else(|| RowsError("a timer is damaged".to_owned()))?;
        let at = Timestamp(u64::from_be_bytes(*at));
        if self.memory.wake != Some(at) || at <= self.now {
            self.memory.wake = Some(at);
            self.effect(Effect::WakeAt(at));
        }
        Ok(())
    }
}
