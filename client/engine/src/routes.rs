//! Which of a contact's mailboxes an envelope goes to, and what goes again by another relay.
//!
//! ```text
//!  newest, in their order ──relay out of reach or taking nothing for 30 s, or denied──► the next newest
//!                         ──all denied──► a pause, an older one ──denied──► a longer pause, the next, each once
//! ```
//!
//! What a relay took goes again by another one when the first has been out of reach for ten minutes and no receipt has come. It
//! is sealed anew under the same content id: two relays never see the same bytes. [SES-31]

use sotto_inner::{MailboxAddress, Mailboxes};
use sotto_outer::{RelayIdentity, SendId};

use crate::{
    ContactId, Range, RowsError, Timestamp,
    memory::Outage,
    record::{Contact, OutboxRow},
    timers::Timer,
    work::Work,
};

/// How long a preferred relay may be out of reach before sends go to another.
const PATIENCE_SECS: u64 = 30;
/// How long a relay may be out of reach before what it took goes again by another.
const GONE_SECS: u64 = 600;
/// How long a mailbox that was denied is passed over while there are others.
const DENIED_SECS: u64 = 3_600;

type Result<T> = std::result::Result<T, RowsError>;

/// Where an envelope can go now.
pub(crate) enum Route {
    /// There.
    To(MailboxAddress),
    /// Nowhere yet: a relay has to come back first, or was not waited for long enough.
    Wait,
    /// Nowhere: every mailbox that we know was denied.
    Denied,
}

/// Whether a relay can be sent to.
enum Reach {
    Now,
    Soon,
    Not,
}

impl Work<'_> {
    pub(crate) fn route(&mut self, contact: &Contact) -> Route {
        let mut waits = false;
        for mailbox in &contact.theirs.newest {
            if self.was_denied(&contact.root, &mailbox.send_id) {
                continue;
            }
            match self.reach(&contact.root, mailbox) {
                Reach::Now => return Route::To(mailbox.clone()),
                Reach::Soon => return Route::Wait,
                Reach::Not => waits = true,
            }
        }
        if waits || contact.theirs.newest.is_empty() {
            return Route::Wait;
        }
        let turn = self.memory.pumps.get(&contact.root).and_then(|pump| pump.older);
        let older = contact.theirs.older.iter().find(|mailbox| Some(mailbox.send_id) == turn);
        let Some(mailbox) = older.filter(|mailbox| !self.was_denied(&contact.root, &mailbox.send_id)) else {
            return Route::Denied;
        };
        match self.reach(&contact.root, mailbox) {
            Reach::Now => Route::To(mailbox.clone()),
            Reach::Soon | Reach::Not => Route::Wait,
        }
    }

    /// All the newest are denied: of the older ones each has one turn, one with each try, so that no single lie of a relay makes
    /// us show it all of them as one person's. When none is left, the newest are tried again.
    pub(crate) fn turn_to_older(&mut self, contact: &Contact) {
        let next = contact.theirs.older.iter().find(|mailbox| {
            let tried = self.memory.pumps.get(&contact.root).map(|pump| &pump.older_tried);
            // Nothing hangs on an old relay that is gone.
            self.can_send_to(mailbox.relay.identity()) && !tried.is_some_and(|tried| tried.contains(&mailbox.send_id))
        });
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.older = next.map(|mailbox| mailbox.send_id);
        match pump.older {
            Some(mailbox) => {
                pump.older_tried.insert(mailbox);
                pump.denied.remove(&mailbox);
            }
            None => pump.denied.clear(),
        }
    }

    /// The relay of an older mailbox went away before its turn came.
    pub(crate) fn end_turn_out_of_reach(&mut self, contact: &Contact) {
        let turn = self.memory.pumps.get(&contact.root).and_then(|pump| pump.older);
        let older = contact.theirs.older.iter().find(|mailbox| Some(mailbox.send_id) == turn);
        if older.is_some_and(|mailbox| !self.can_send_to(mailbox.relay.identity())) {
            let pump = self.memory.pumps.entry(contact.root).or_default();
            pump.older = None;
            pump.denied.clear();
        }
    }

    /// Until when a relay takes nothing for a contact.
    pub(crate) fn held_until(&self, contact: &ContactId, relay: &RelayIdentity) -> Option<Timestamp> {
        let hold = self.memory.pumps.get(contact)?.held.get(relay)?;
        Some(hold.until).filter(|until| self.now < *until)
    }

    fn reach(&mut self, contact: &ContactId, mailbox: &MailboxAddress) -> Reach {
        let relay = mailbox.relay.identity();
        if let Some(until) = self.held_until(contact, relay) {
            return if until <= self.now.plus_secs(PATIENCE_SECS) { Reach::Soon } else { Reach::Not };
        }
        if self.can_send_to(relay) {
            return Reach::Now;
        }
        self.want_peer_relay(&mailbox.relay);
        let since = self.note_outage(relay);
        if self.now < since.plus_secs(PATIENCE_SECS) { Reach::Soon } else { Reach::Not }
    }

    fn was_denied(&self, contact: &ContactId, mailbox: &SendId) -> bool {
        let until = self.memory.pumps.get(contact).and_then(|pump| pump.denied.get(mailbox));
        until.is_some_and(|until| self.now < *until)
    }

    /// A contact told where they read from now on. What waits goes there; a generation that was replaced changes nothing.
    pub(crate) fn learn_mailboxes(&mut self, contact: &mut Contact, told: &Mailboxes) -> Result<()> {
        let news = contact.theirs.learn(told);
        self.save_contact(contact);
        if !news || !contact.connected() {
            return Ok(());
        }
        for mailbox in &contact.theirs.newest {
            self.want_peer_relay(&mailbox.relay);
        }
        // A relay that only an older mailbox was at may be needed no more.
        self.memory.lines_may_idle = true;
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.cursor = 0;
        pump.older = None;
        pump.older_tried.clear();
        self.set_timer(self.now, &Timer::Outbox(contact.root));
        Ok(())
    }

    /// A mailbox of a contact was denied: it is passed over for a while.
    pub(crate) fn pass_over(&mut self, contact: &ContactId, mailbox: SendId) {
        let until = self.now.plus_secs(DENIED_SECS);
        self.memory.pumps.entry(*contact).or_default().denied.insert(mailbox, until);
    }

    /// A relay is out of reach. Says since when.
    pub(crate) fn note_outage(&mut self, relay: &RelayIdentity) -> Timestamp {
        if let Some(outage) = self.memory.outages.get(relay) {
            return outage.since;
        }
        self.memory.outages.insert(*relay, Outage { since: self.now });
        self.set_timer(self.now.plus_secs(PATIENCE_SECS), &Timer::Outage(*relay));
        self.now
    }

    /// A relay can be sent to again.
    pub(crate) fn end_outage(&mut self, relay: &RelayIdentity) {
        self.memory.outages.remove(relay);
    }

    /// A relay has been waited for long enough: what can go elsewhere does.
    pub(crate) fn on_outage(&mut self, relay: &RelayIdentity) -> Result<()> {
        let Some(Outage { since }) = self.memory.outages.get(relay) else { return Ok(()) };
        let since = *since;
        if self.now < since.plus_secs(PATIENCE_SECS) || self.can_send_to(relay) {
            return Ok(());
        }
        if self.now < since.plus_secs(GONE_SECS) {
            self.set_timer(since.plus_secs(GONE_SECS), &Timer::Outage(*relay));
        }
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            if contact.connected() && contact.theirs.all().count() > 1 {
                self.send_another_way(&contact)?;
                self.pump_contact(&contact.root)?;
            }
        }
        Ok(())
    }

    /// Takes back what lies at relays that are gone, where there is another way to the contact. The caller pumps.
    pub(crate) fn send_another_way(&mut self, contact: &Contact) -> Result<()> {
        let gone = |work: &Self, relay: &RelayIdentity| {
            let outage = work.memory.outages.get(relay);
            outage.is_some_and(|outage| work.now >= outage.since.plus_secs(GONE_SECS))
        };
        if self.memory.outages.is_empty() || !contact.connected() {
            return Ok(());
        }
        let Route::To(_) = self.route(contact) else { return Ok(()) };
        let mut rows = self.records::<OutboxRow>(&Range::prefix(contact.root.as_bytes()), usize::MAX)?;
        rows.retain(|(_, row)| row.taken() && row.sealed.as_ref().is_some_and(|sealed| gone(self, &sealed.relay)));
        if rows.is_empty() {
            return Ok(());
        }
        for (key, mut row) in rows {
            row.sealed = None;
            self.save(&key, &row);
        }
        self.memory.pumps.entry(contact.root).or_default().cursor = 0;
        self.repair_full_window(contact)
    }
}
