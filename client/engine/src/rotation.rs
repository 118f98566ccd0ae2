//! Our mailboxes for each contact, one at each of our relays: drawn, told once they are there, replaced by the next generation,
//! read a while longer, deleted.
//!
//! ```text
//!  drawn ──at the relay──► told ──the next is told──► retired ──28 days, and something came through the next──► deleted
//! ```
//!
//! Each contact's rotate at a moment of their own: those that change together belong to one owner. [SES-30]

use sotto_inner::{
    Body, Mailboxes,
    limits::{MAILBOX_RETENTION_SECS, MAILBOX_ROTATION_SECS},
};
use sotto_outer::{MailboxKind, ReceiveId};

use crate::{
    ContactId, ContactState, Range, RowsError, Table,
    record::{Account, Contact, Known, OurMailboxes, OwnBundle, OwnMailbox},
    timers::Timer,
    work::Work,
};

/// Two contacts' mailboxes rotate no closer together than this, however long their owner was away.
const ROTATIONS_APART_SECS: u64 = 600;
/// A rotation that has to wait for that waits up to this much longer.
const ROTATION_DELAY_SECS_SPAN: u64 = 3_000;
/// How long the mailboxes that are made wait for one whose relay is out of reach, before they are told without it.
const INCOMPLETE_SECS: u64 = 60;

type Result<T> = std::result::Result<T, RowsError>;

impl Work<'_> {
    /// Draws mailboxes for a contact that has none.
    pub(crate) fn give_mailboxes(&mut self, account: &Account, contact: &mut Contact) -> Result<()> {
        if contact.ours.wanted.is_empty() {
            contact.ours.wanted = self.draw_mailboxes(account, &contact.root)?;
            self.plan_rotation(contact);
        }
        Ok(())
    }

    fn draw_mailboxes(&mut self, account: &Account, contact: &ContactId) -> Result<Vec<ReceiveId>> {
        account.relays().map(|relay| self.new_mailbox(MailboxKind::Pairwise, relay, Some(*contact))).collect()
    }

    fn plan_rotation(&mut self, contact: &mut Contact) {
        let wait = MAILBOX_ROTATION_SECS / 2 + self.jitter(MAILBOX_ROTATION_SECS);
        let at = self.now.plus_secs(wait);
        contact.ours.rotate_at = at.secs();
        self.set_timer(at, &Timer::Rotation(contact.root));
    }

    /// Where a contact is to write, for a content that is sealed anyway. From now on it counts as told.
    pub(crate) fn tell_mailboxes(&mut self, contact: &mut Contact) -> Result<Mailboxes> {
        if contact.ours.told.is_empty() {
            contact.ours.told = contact.ours.wanted.clone();
        }
        contact.ours.generation = contact.ours.next_generation(self.now.secs());
        self.save_contact(contact);
        let mut addresses = Vec::with_capacity(contact.ours.told.len());
        for id in &contact.ours.told {
            addresses.extend(self.mailbox_address(id)?);
        }
        if addresses.is_empty() {
            return Err(RowsError("a contact has no mailbox of ours".to_owned()));
        }
        Ok(Mailboxes { generation: contact.ours.generation, addresses })
    }

    /// A mailbox for a contact is at its relay: they are told once all are.
    pub(crate) fn on_mailbox_made(&mut self, id: &ContactId) -> Result<()> {
        let Some(contact) = self.contact(id)? else { return Ok(()) };
        if self.made(&contact.ours)?.len() == contact.ours.wanted.len() {
            self.announce(contact)?;
        } else {
            self.set_timer(self.now.plus_secs(INCOMPLETE_SECS), &Timer::Announcement(*id));
        }
        self.pump_contact(id)
    }

    /// Of the wanted mailboxes those that can be used, or that were told already.
    fn made(&self, ours: &OurMailboxes) -> Result<Vec<ReceiveId>> {
        let mut made = Vec::with_capacity(ours.wanted.len());
        for id in &ours.wanted {
            let there = self.load::<OwnMailbox>(id.as_bytes())?.is_some_and(|mailbox| mailbox.known == Known::There);
            if there || ours.told.contains(id) {
                made.push(*id);
            }
        }
        Ok(made)
    }

    /// Waited long enough for a relay that does not come.
    pub(crate) fn announce_made(&mut self, id: &ContactId) -> Result<()> {
        match self.contact(id)? {
            Some(contact) => self.announce(contact),
            None => Ok(()),
        }
    }

    /// Tells a contact where we read from them now, if that is news to them. What was told before is retired.
    fn announce(&mut self, mut contact: Contact) -> Result<()> {
        let made = self.made(&contact.ours)?;
        if made.is_empty() || contact.ours.told.is_empty() || made == contact.ours.told {
            // Who was told nothing yet learns it with the greeting or the acceptance.
            return Ok(());
        }
        let before = std::mem::replace(&mut contact.ours.told, made);
        for old in before {
            if !contact.ours.told.contains(&old) {
                self.retire_mailbox(&old)?;
            }
        }
        self.send_mailboxes(contact)
    }

    /// Tells a contact our mailboxes once more: their relay is reached at another place.
    pub(crate) fn announce_again(&mut self, id: &ContactId) -> Result<()> {
        match self.contact(id)? {
            Some(contact) if !contact.ours.told.is_empty() => self.send_mailboxes(contact),
            Some(_) | None => Ok(()),
        }
    }

    fn send_mailboxes(&mut self, mut contact: Contact) -> Result<()> {
        let mailboxes = self.tell_mailboxes(&mut contact)?;
        if !contact.connected() && contact.state != ContactState::Requested {
            return Ok(());
        }
        self.drop_waiting(&contact.root, |body| matches!(body, Body::Mailboxes(_)))?;
        let content = self.content(Body::Mailboxes(mailboxes))?;
        self.enqueue(&contact.root, &content, false)?;
        self.pump(contact)
    }

    /// Draws the next generation, if its time has come.
    pub(crate) fn rotate_mailboxes(&mut self, id: &ContactId) -> Result<()> {
        let (Some(mut contact), Some(account)) = (self.contact(id)?, self.account()?) else { return Ok(()) };
        if contact.ours.wanted.is_empty() || self.now.secs() < contact.ours.rotate_at {
            return Ok(());
        }
        let last = self.counter(b"rotated")?;
        let apart = self.now.secs().abs_diff(last) >= ROTATIONS_APART_SECS;
        if !apart {
            let wait = ROTATIONS_APART_SECS + self.jitter(ROTATION_DELAY_SECS_SPAN);
            self.set_timer(self.now.plus_secs(wait), &Timer::Rotation(*id));
            return Ok(());
        }
        if contact.connected() {
            self.set_counter(b"rotated", self.now.secs());
            let next = self.draw_mailboxes(&account, id)?;
            self.replace_wanted(&mut contact, next)?;
        }
        self.plan_rotation(&mut contact);
        self.save_contact(&contact);
        Ok(())
    }

    /// Wants other mailboxes from now on. Those that the contact never heard of go at once.
    fn replace_wanted(&mut self, contact: &mut Contact, next: Vec<ReceiveId>) -> Result<()> {
        let before = std::mem::replace(&mut contact.ours.wanted, next);
        for old in before {
            if !contact.ours.told.contains(&old) && !contact.ours.wanted.contains(&old) {
                self.drop_mailbox(&old)?;
            }
        }
        Ok(())
    }

    /// Our relays are others now: mailboxes are kept where they are at one of them, and drawn where there is none.
    pub(crate) fn move_mailboxes(&mut self, account: &Account, mut contact: Contact) -> Result<()> {
        if contact.ours.wanted.is_empty() {
            return Ok(());
        }
        let mut next = Vec::new();
        for relay in account.relays() {
            let mut kept = None;
            for id in &contact.ours.wanted {
                let mailbox = self.load::<OwnMailbox>(id.as_bytes())?;
                if mailbox.is_some_and(|mailbox| mailbox.relay.identity() == relay.identity()) {
                    kept = Some(*id);
                }
            }
            next.push(match kept {
                Some(id) => id,
                None => self.new_mailbox(MailboxKind::Pairwise, relay, Some(contact.root))?,
            });
        }
        self.replace_wanted(&mut contact, next)?;
        self.save_contact(&contact);
        self.on_mailbox_made(&contact.root)
    }

    /// An authenticated packet came through a mailbox of ours: its sender knows it.
    pub(crate) fn prove_mailbox(&mut self, id: &ReceiveId) -> Result<()> {
        if let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())?
            && !mailbox.proven
        {
            mailbox.proven = true;
            self.save(id.as_bytes(), &mailbox);
        }
        Ok(())
    }

    /// A mailbox is replaced; it is read until its time is over.
    pub(crate) fn retire_mailbox(&mut self, id: &ReceiveId) -> Result<()> {
        if let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? {
            mailbox.retired = mailbox.retired.or(Some(self.now.secs()));
            self.save(id.as_bytes(), &mailbox);
        }
        Ok(())
    }

    /// Deletes what was replaced long enough ago, and forgets what could not be deleted at a relay that is gone.
    pub(crate) fn delete_retired(&mut self) -> Result<()> {
        let over = |retired: Option<u64>, now| retired.is_some_and(|since| now >= since + MAILBOX_RETENTION_SECS);
        let now = self.now.secs();
        for (key, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            if !over(mailbox.retired, now) {
                continue;
            }
            if mailbox.known == Known::Unwanted {
                self.delete(Table::Mailbox, &key);
            } else if self.is_replaced(&mailbox)? {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
                self.drop_mailbox(&id)?;
            }
        }
        for (key, bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            if !over(bundle.retired, now) {
                continue;
            }
            if bundle.known == Known::Unwanted {
                self.delete(Table::Bundle, &key);
            } else {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a bundle key is damaged".to_owned()))?;
                self.drop_bundle(&id)?;
            }
        }
        Ok(())
    }

    /// Whether something authentic came through a newer mailbox, so that nobody needs this one.
    fn is_replaced(&self, mailbox: &OwnMailbox) -> Result<bool> {
        let Some(contact) = mailbox.contact.map_or(Ok(None), |id| self.contact(&id))? else { return Ok(true) };
        for id in &contact.ours.told {
            if self.load::<OwnMailbox>(id.as_bytes())?.is_some_and(|newer| newer.proven) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
