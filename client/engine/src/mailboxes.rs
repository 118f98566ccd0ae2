//! Own mailboxes: made, subscribed under a lease, made anew when a relay lost them, deleted.
//!
//! A lease is drawn at each start and durable before it is shown; whoever shows another one than the relay holds is a copy
//! or a restored state. [SES-26]

use sotto_crypto::OwnerKeys;
use sotto_inner::MailboxAddress;
use sotto_outer::{
    Answer, Command, Create, Delete, Lease, LeaseOutcome, MailboxKind, ReceiveId, RefusedReason, RelayAddress,
    RelayIdentity, SendCapability, SendId, Subscribe, Subscription, Target, limits::SUBSCRIBE_MAILBOXES_MAX, signed,
    work::Purpose,
};

use crate::{
    ContactId, Happening, Line, Range, RowsError, Table,
    admission::Haste,
    bundles::Pairs,
    memory::Pending,
    record::{Contact, Known, OwnMailbox, SecretBytes},
    tokens::Fare,
    work::Work,
};

/// The least between two notices of a copy.
const COPY_TOLD_SECS: u64 = 86_400;

impl Work<'_> {
    /// Draws a mailbox and asks the relay for it as soon as it is online.
    pub(crate) fn new_mailbox(
        &mut self,
        kind: MailboxKind,
        relay: &RelayAddress,
        contact: Option<ContactId>,
    ) -> Result<ReceiveId, RowsError> {
        let id = ReceiveId::from(self.random());
        let mailbox = OwnMailbox {
            kind,
            relay: relay.clone(),
            send_id: SendId::from(self.random()),
            capability: SendCapability::from(self.random()),
            owner: SecretBytes::from(OwnerKeys::generate(self.rng).to_bytes()),
            contact,
            known: Known::Wanted,
            confirmed: None,
            new: Some(Lease::from(self.random())),
            proven: false,
            retired: None,
            invited_only: false,
            token: None,
        };
        self.save(id.as_bytes(), &mailbox);
        self.want_relay(relay);
        if self.online(relay.identity()).is_some() {
            self.create_at_relay(&id)?;
            self.look_after_tokens(relay.identity(), Haste::IfNeeded)?;
        }
        Ok(id)
    }

    /// A mailbox as its senders know it.
    pub(crate) fn mailbox_address(&self, id: &ReceiveId) -> Result<Option<MailboxAddress>, RowsError> {
        Ok(self.load::<OwnMailbox>(id.as_bytes())?.map(|mailbox| MailboxAddress {
            relay: mailbox.relay,
            send_id: mailbox.send_id,
            capability: mailbox.capability,
        }))
    }

    /// Draws this start's lease for every mailbox; one that was drawn and never confirmed is shown again.
    pub(crate) fn draw_leases(&mut self) -> Result<(), RowsError> {
        for (key, mut mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            self.want_relay(&mailbox.relay);
            if mailbox.new.is_none() {
                mailbox.new = Some(Lease::from(self.random()));
                self.save(&key, &mailbox);
            }
        }
        Ok(())
    }

    /// Asks for a mailbox, unless it waits for a token.
    pub(crate) fn create_at_relay(&mut self, id: &ReceiveId) -> Result<(), RowsError> {
        let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { return Ok(()) };
        let token = match self.fare(id, &mut mailbox)? {
            Fare::Nothing => None,
            Fare::Token(token) => Some(token),
            Fare::Missing => return Ok(()),
        };
        let create = Create {
            kind: mailbox.kind,
            receive_id: *id,
            send_id: mailbox.send_id,
            owner: owner_keys(&mailbox).public(),
            capability_hash: sotto_crypto::capability_hash(&mailbox.capability),
            token,
            proof: self.prove(Line::reading(*mailbox.relay.identity()), &Purpose::Create(*id)),
        };
        self.transmit(mailbox.relay.identity(), Command::Create(create), Pending::Create(*id));
        Ok(())
    }

    /// Asks for the mailboxes that are wanted at a relay and not asked for: there are tokens now, or other terms.
    pub(crate) fn create_wanted(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
        let mut strangers = false;
        for (key, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
            let wanted = mailbox.known == Known::Wanted && mailbox.relay.identity() == relay;
            if wanted && self.online(relay).is_some() && !self.is_creating(relay, &id) {
                self.create_at_relay(&id)?;
                strangers |= mailbox.kind == MailboxKind::Contact && self.is_creating(relay, &id);
            }
        }
        if strangers {
            self.publish_wanted()?;
        }
        self.look_after_tokens(relay, Haste::IfNeeded)
    }

    /// Whether a mailbox is not even asked for, though its relay is online.
    pub(crate) fn waits_for_token(&self, id: &ReceiveId) -> Result<bool, RowsError> {
        let Some(mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { return Ok(false) };
        let relay = mailbox.relay.identity();
        Ok(mailbox.known == Known::Wanted && self.online(relay).is_some() && !self.is_creating(relay, id))
    }

    fn is_creating(&self, relay: &RelayIdentity, id: &ReceiveId) -> bool {
        let line = self.memory.lines.get(&Line::reading(*relay));
        let asks = |pending: &Pending| matches!(pending, Pending::Create(asked) if asked == id);
        line.is_some_and(|line| line.pending.values().any(asks))
    }

    pub(crate) fn on_created(
        &mut self,
        relay: &RelayIdentity,
        id: &ReceiveId,
        answer: &Answer,
    ) -> Result<(), RowsError> {
        let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { return Ok(()) };
        if let (Known::Wanted, Answer::Work { bits }) = (&mailbox.known, answer) {
            if self.accept_toll(Line::reading(*relay), &Purpose::Create(*id), *bits) {
                self.create_at_relay(id)?;
            } else {
                self.retry_relay_later(relay, &Answer::Busy { retry_after_secs: u32::MAX });
            }
            return Ok(());
        }
        if let (Known::Wanted, Answer::Refused { reason: RefusedReason::Token }) = (&mailbox.known, answer) {
            return self.on_token_refused(relay, id);
        }
        if mailbox.known != Known::Wanted || *answer != Answer::Done {
            self.retry_relay_later(relay, answer);
            return Ok(());
        }
        mailbox.known = Known::There;
        mailbox.token = None;
        if let Some(memory) = self.memory.lines.get_mut(&Line::reading(*relay)) {
            memory.refusals = 0;
        }
        self.save(id.as_bytes(), &mailbox);
        let contact = mailbox.contact;
        self.subscribe(relay, vec![(*id, mailbox)])?;
        self.tell_last_token(relay)?;
        match contact {
            Some(contact) => self.on_mailbox_made(&contact),
            None => Ok(()),
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        relay: &RelayIdentity,
        mut mailboxes: Vec<(ReceiveId, OwnMailbox)>,
    ) -> Result<(), RowsError> {
        let Some(nonce) = self.online(relay) else { return Ok(()) };
        while !mailboxes.is_empty() {
            let frame: Vec<_> = mailboxes.drain(..mailboxes.len().min(SUBSCRIBE_MAILBOXES_MAX)).collect();
            let mut subscriptions = Vec::with_capacity(frame.len());
            let mut leases = Vec::with_capacity(frame.len());
            for (id, mut mailbox) in frame {
                // A reconnect shows the confirmed lease twice. One that nobody drew belongs to a mailbox made before.
                let new = match mailbox.new.or(mailbox.confirmed) {
                    Some(lease) => lease,
                    None => {
                        let lease = Lease::from(self.random());
                        mailbox.new = Some(lease);
                        self.save(id.as_bytes(), &mailbox);
                        lease
                    }
                };
                let bytes = signed::subscribe(relay, &nonce, &id, mailbox.confirmed.as_ref(), &new);
                let signature = owner_keys(&mailbox).sign(&bytes);
                subscriptions.push(Subscription { mailbox: id, confirmed: mailbox.confirmed, new, signature });
                leases.push((id, new));
            }
            self.transmit(
                relay,
                Command::Subscribe(Subscribe { mailboxes: subscriptions }),
                Pending::Subscribe(leases),
            );
        }
        Ok(())
    }

    pub(crate) fn on_subscribed(
        &mut self,
        relay: &RelayIdentity,
        leases: &[(ReceiveId, Lease)],
        answer: &Answer,
    ) -> Result<(), RowsError> {
        let Answer::Subscribed(subscribed) = answer else {
            self.retry_relay_later(relay, answer);
            return Ok(());
        };
        for ((id, lease), outcome) in leases.iter().zip(&subscribed.outcomes) {
            let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { continue };
            match outcome {
                LeaseOutcome::Denied => {
                    // Lapsed, or lost with the relay's disk: we hold all that is needed to make it anew.
                    let first = self.memory.lines.entry(Line::reading(*relay)).or_default().recreated.insert(*id);
                    if first && mailbox.known == Known::There {
                        mailbox.known = Known::Wanted;
                        self.save(id.as_bytes(), &mailbox);
                        self.create_at_relay(id)?;
                        self.look_after_tokens(relay, Haste::IfNeeded)?;
                        if mailbox.kind == MailboxKind::Contact {
                            // The bundles lay beside it.
                            self.republish_all(Pairs::Anew)?;
                        }
                    }
                    continue;
                }
                LeaseOutcome::Same | LeaseOutcome::Other => {}
            }
            if mailbox.new == Some(*lease) {
                mailbox.confirmed = mailbox.new.take();
                self.save(id.as_bytes(), &mailbox);
            }
            if let Some(memory) = self.memory.lines.get_mut(&Line::reading(*relay)) {
                memory.backlog.insert(*id);
            }
            if *outcome == LeaseOutcome::Other {
                self.on_copy_noticed(&mailbox)?;
            }
        }
        Ok(())
    }

    /// Another state spoke for this mailbox: its sessions may have been used twice. Keystreams never repeat even so, but
    /// packets were lost to one of the two; a repair gives both sides a session that only one state has.
    fn on_copy_noticed(&mut self, mailbox: &OwnMailbox) -> Result<(), RowsError> {
        match mailbox.contact {
            Some(contact) => self.repair_after_copy(&contact),
            None => self.tell_copy(),
        }
    }

    /// Of contact mailboxes a copy is told once a day: a relay may say so at every turn.
    fn tell_copy(&mut self) -> Result<(), RowsError> {
        let now = self.now.secs();
        if now.abs_diff(self.counter(b"copy-told")?) < COPY_TOLD_SECS {
            return Ok(());
        }
        self.set_counter(b"copy-told", now);
        self.happened(Happening::CopyNoticed { contact: None })
    }

    /// Deletes a mailbox here and, when its relay is online, there.
    pub(crate) fn drop_mailbox(&mut self, id: &ReceiveId) -> Result<(), RowsError> {
        let Some(mut mailbox) = self.load::<OwnMailbox>(id.as_bytes())? else { return Ok(()) };
        mailbox.known = Known::Unwanted;
        mailbox.contact = None;
        mailbox.retired = Some(self.now.secs());
        self.save(id.as_bytes(), &mailbox);
        self.delete_mailbox_at_relay(id, &mailbox)
    }

    pub(crate) fn delete_mailbox_at_relay(&mut self, id: &ReceiveId, mailbox: &OwnMailbox) -> Result<(), RowsError> {
        let target = Target::Mailbox(*id);
        self.delete_at_relay(&mailbox.relay, target, &owner_keys(mailbox));
        Ok(())
    }

    pub(crate) fn delete_at_relay(&mut self, relay: &RelayAddress, target: Target, owner: &OwnerKeys) {
        let Some(nonce) = self.online(relay.identity()) else { return };
        let signature = owner.sign(&signed::delete(relay.identity(), &nonce, &target));
        self.transmit(relay.identity(), Command::Delete(Delete { target, signature }), Pending::Delete(target));
    }

    pub(crate) fn on_deleted(&mut self, target: &Target, answer: &Answer) -> Result<(), RowsError> {
        // Denied means it is gone already: a repeat after a lost answer.
        if !matches!(answer, Answer::Done | Answer::Denied) {
            return Ok(());
        }
        match target {
            Target::Mailbox(id) => self.delete(Table::Mailbox, id.as_bytes()),
            Target::Bundle(id) => self.delete(Table::Bundle, id.as_bytes()),
        }
        Ok(())
    }

    /// Whether a mailbox of ours for a contact is at its relay, so that an answer can reach us.
    pub(crate) fn can_be_answered(&self, contact: &Contact) -> Result<bool, RowsError> {
        for id in contact.ours.told.iter().chain(&contact.ours.wanted) {
            if self.load::<OwnMailbox>(id.as_bytes())?.is_some_and(|mailbox| mailbox.known == Known::There) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn owner_keys(mailbox: &OwnMailbox) -> OwnerKeys {
    OwnerKeys::from_bytes(mailbox.owner.as_slice()).expect("rows hold what to_bytes gave")
}
