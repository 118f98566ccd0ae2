//! Contacts: from a link to an agreement, and out of it.
//!
//! ```text
//!  link ──► Connecting ──bundle──► Requested ──their accept──► Connected ◄──our accept── Incoming ◄── their request
//!               │                      │                          │                         │
//!               ▼                      ▼                          ▼                         ▼
//!       LinkDead, LinkForged        LinkDead            Unreachable, Blocked        Declined, Blocked
//! ```

use sotto_crypto::PeerMisbehaved;
use sotto_inner::{Body, Content, Link, LinkKind, limits::HELLO_TEXT_BYTES_MAX};
use sotto_outer::{Answer, BundleId, RelayIdentity};

use crate::{
    ContactId, ContactState, Happening, IntentError, Outcome, Range, RowsError, Table, Ticket,
    record::{Account, Contact, Front, Known, OurMailboxes, OutboxRow, OwnMailbox, TheirMailboxes},
    timers::Timer,
    work::Work,
};

/// How long a request waits for an answer before it is made anew, the first time; it doubles with each.
const REQUEST_RETRY_SECS: u64 = 86_400;
/// Requests made with one link.
const REQUEST_ATTEMPTS_MAX: u32 = 5;

type Result<T> = std::result::Result<T, RowsError>;
type IntentResult = Result<std::result::Result<(), IntentError>>;

impl Work<'_> {
    pub(crate) fn contact(&self, id: &ContactId) -> Result<Option<Contact>> {
        self.load(id.as_bytes())
    }

    pub(crate) fn save_contact(&mut self, contact: &Contact) {
        self.save(contact.root.as_bytes(), contact);
    }

    /// Puts a contact into another state, and tells.
    pub(crate) fn enter(&mut self, contact: &mut Contact, state: ContactState) -> Result<()> {
        let connected = contact.connected();
        if contact.state != state {
            if contact.state == ContactState::Incoming {
                let waiting = self.counter(b"requests")?.saturating_sub(1);
                self.set_counter(b"requests", waiting);
            }
            contact.state = state;
            self.happened(Happening::Contact { contact: contact.root, state })?;
        }
        self.save_contact(contact);
        if contact.connected() && !connected { self.resume_repair(contact) } else { Ok(()) }
    }

    pub(crate) fn connect(
        &mut self,
        ticket: Ticket,
        account: &Account,
        link: Link,
        text: Option<String>,
    ) -> IntentResult {
        if link.root == account.manifest.body.root {
            return Ok(Err(IntentError::OwnLink));
        }
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > HELLO_TEXT_BYTES_MAX) {
            return Ok(Err(IntentError::Text));
        }
        let known = self.contact(&link.root)?;
        let outcome = Outcome::Contact(link.root);
        let mut contact = match known {
            Some(contact) if contact.state == ContactState::Connected => return Ok(Err(IntentError::AlreadyConnected)),
            Some(contact) if contact.state == ContactState::Incoming => {
                let mut contact = contact;
                self.agree(account, &mut contact)?;
                self.answer(ticket, outcome);
                return Ok(Ok(()));
            }
            Some(contact) => contact,
            None => Contact::new(link.root, ContactState::Connecting),
        };
        self.want_peer_relay(&link.relay);
        self.give_mailboxes(account, &mut contact)?;
        contact.link = Some(link);
        contact.request_text = text;
        contact.attempts = 0;
        contact.state = ContactState::Connecting;
        let (root, state) = (contact.root, contact.state);
        self.happened(Happening::Contact { contact: root, state })?;
        self.save_contact(&contact);
        self.memory.unfetched.remove(&root);
        self.fetch_bundle(&contact);
        self.answer(ticket, outcome);
        Ok(Ok(()))
    }

    /// What a relay that came online can do for a contact.
    pub(crate) fn resume_contact(&mut self, relay: &RelayIdentity, contact: Contact) -> Result<()> {
        if contact.state == ContactState::Connecting {
            if contact.link.as_ref().is_some_and(|link| link.relay.identity() == relay) {
                self.fetch_bundle(&contact);
            }
            return Ok(());
        }
        self.send_another_way(&contact)?;
        self.pump_contact(&contact.root)
    }

    pub(crate) fn on_bundle(&mut self, id: &ContactId, asked: &BundleId, answer: Answer) -> Result<()> {
        let (Some(mut contact), Some(account)) = (self.contact(id)?, self.account()?) else { return Ok(()) };
        let first = contact.state == ContactState::Connecting;
        if !first && contact.state != ContactState::Requested {
            return Ok(());
        }
        // Another link was used meanwhile: this answer is about the past.
        let Some(link) = contact.link.clone().filter(|link| link.bundle == *asked) else { return Ok(()) };
        let bundle = match answer {
            Answer::Bundle(bundle) => bundle,
            // A request under way may have used the invitation up: only the first look tells a dead link.
            Answer::Denied if first => return self.enter(&mut contact, ContactState::LinkDead),
            Answer::Busy { retry_after_secs } | Answer::Full { retry_after_secs } => {
                self.fetch_later(id, retry_after_secs);
                return Ok(());
            }
            Answer::Work { bits } => {
                self.fetch_with_proof(&contact, link.relay.identity(), asked, bits);
                return Ok(());
            }
            Answer::Info(_)
            | Answer::Done
            | Answer::Refused { reason: _ }
            | Answer::Subscribed(_)
            | Answer::Appended { seq: _ }
            | Answer::Stale { generation: _ }
            | Answer::Entries(_)
            | Answer::Closed
            | Answer::Blob(_)
            | Answer::Tokens(_)
            | Answer::Forwarded(_)
            | Answer::Unreachable { retry_after_secs: _ }
                if first =>
            {
                self.fetch_later(id, 0);
                return Ok(());
            }
            Answer::Info(_)
            | Answer::Done
            | Answer::Denied
            | Answer::Refused { reason: _ }
            | Answer::Subscribed(_)
            | Answer::Appended { seq: _ }
            | Answer::Stale { generation: _ }
            | Answer::Entries(_)
            | Answer::Closed
            | Answer::Blob(_)
            | Answer::Tokens(_)
            | Answer::Forwarded(_)
            | Answer::Unreachable { retry_after_secs: _ } => {
                return self.ask_again(contact);
            }
        };
        self.memory.unfetched.remove(id);
        let bundle = match sotto_crypto::open_bundle(&link, &bundle, self.now.secs()) {
            Ok(bundle) => bundle,
            Err(_) if !first => return self.ask_again(contact),
            // Its owner has been away for more than a month: nobody's forgery.
            Err(PeerMisbehaved::Expired) => return self.enter(&mut contact, ContactState::LinkDead),
            Err(_) => return self.enter(&mut contact, ContactState::LinkForged),
        };
        if !self.check_manifest(&mut contact, bundle.manifest())? {
            return if first { self.enter(&mut contact, ContactState::LinkForged) } else { self.ask_again(contact) };
        }
        let device = self.device_keys(&account)?;
        let Ok(initiated) = sotto_crypto::initiate(self.rng, &account.manifest, &device, &bundle, &link) else {
            return if first { self.enter(&mut contact, ContactState::LinkForged) } else { self.ask_again(contact) };
        };
        contact.name = bundle.name().to_owned();
        contact.device = Some(bundle.device());
        contact.attempts += 1;
        contact.requested_at = self.now.secs();
        let front = Front {
            handshake: initiated.handshake,
            seal: bundle.seal().clone(),
            tag: None,
            mailbox: Some(bundle.mailbox().clone()),
        };
        self.want_peer_relay(&bundle.mailbox().relay);
        self.add_session(&mut contact, &initiated.session, Some(front))?;
        contact.active = Some(*initiated.id.as_bytes());
        self.enter(&mut contact, ContactState::Requested)?;
        self.set_timer(self.now.plus_secs(request_wait(&contact)), &Timer::Request(contact.root));
        if first {
            self.send_hello(&account, &mut contact)?;
        }
        self.seal_anew(contact)
    }

    /// A bundle for a request that stands was refused: the next is asked for after as long a wait again. Only requests that
    /// were made count; no number of a relay's lies ends one.
    fn ask_again(&mut self, mut contact: Contact) -> Result<()> {
        contact.requested_at = self.now.secs();
        self.save_contact(&contact);
        self.set_timer(self.now.plus_secs(request_wait(&contact)), &Timer::Request(contact.root));
        Ok(())
    }

    fn send_hello(&mut self, account: &Account, contact: &mut Contact) -> Result<()> {
        if self.greeting_waits(&contact.root)? && contact.request_text.is_none() {
            // A link used again finds the greeting of before; it is sealed anew with everything else that waits.
            return Ok(());
        }
        let text = contact.request_text.clone();
        let mailboxes = self.tell_mailboxes(contact)?;
        let body = Body::Hello { name: account.name.clone(), mailboxes, text: text.clone() };
        let content = self.content(body)?;
        if let Some(text) = &text {
            self.store_own_message(account, &contact.root, &content, text)?;
        }
        self.enqueue(&contact.root, &content, text.is_some())
    }

    fn greeting_waits(&self, contact: &ContactId) -> Result<bool> {
        for (_, row) in self.records::<OutboxRow>(&Range::prefix(contact.as_bytes()), usize::MAX)? {
            let content = Content::decode(row.content.as_slice());
            if matches!(content, Ok(Content { body: Body::Hello { .. }, .. })) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A request was not answered: perhaps its one-time key was used up by a lost attempt. Ask with a fresh bundle.
    pub(crate) fn repeat_request(&mut self, id: &ContactId) -> Result<()> {
        let Some(contact) = self.contact(id)? else { return Ok(()) };
        let again = match contact.state {
            ContactState::Connecting => true,
            ContactState::Requested => {
                let due = contact.requested_at + request_wait(&contact) <= self.now.secs();
                due && contact.attempts < REQUEST_ATTEMPTS_MAX
            }
            ContactState::Incoming
            | ContactState::Connected
            | ContactState::Declined
            | ContactState::Blocked
            | ContactState::LinkDead
            | ContactState::Unreachable
            | ContactState::LinkForged => false,
        };
        if again {
            self.fetch_bundle(&contact);
        }
        Ok(())
    }

    pub(crate) fn accept(&mut self, ticket: Ticket, account: &Account, id: &ContactId) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        match contact.state {
            ContactState::Incoming => self.agree(account, &mut contact)?,
            ContactState::Connected | ContactState::Unreachable => {}
            ContactState::Connecting
            | ContactState::Requested
            | ContactState::Declined
            | ContactState::Blocked
            | ContactState::LinkDead
            | ContactState::LinkForged => {
                return Ok(Err(IntentError::NotConnected("there is no request of theirs to accept")));
            }
        }
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    /// Both want to talk: tell them where to write, hand them keys for repair, and send the receipts held back till now.
    pub(crate) fn agree(&mut self, account: &Account, contact: &mut Contact) -> Result<()> {
        self.give_mailboxes(account, contact)?;
        for theirs in &contact.theirs.newest {
            // Not before we agreed: a stranger must not make us dial a relay of their choice.
            self.want_peer_relay(&theirs.relay);
        }
        let mailboxes = self.tell_mailboxes(contact)?;
        self.enter(contact, ContactState::Connected)?;
        let content = self.content(Body::Accept { name: account.name.clone(), mailboxes })?;
        self.enqueue(&contact.root, &content, false)?;
        self.send_repair_bundle(account, contact)?;
        self.owe_receipts_now(contact)?;
        self.pump(contact.clone())
    }

    pub(crate) fn decline(&mut self, ticket: Ticket, id: &ContactId) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        if contact.state != ContactState::Incoming {
            return Ok(Err(IntentError::NotConnected("there is no request of theirs to decline")));
        }
        self.part(&mut contact)?;
        self.enter(&mut contact, ContactState::Declined)?;
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    pub(crate) fn block(&mut self, ticket: Ticket, id: &ContactId) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        self.part(&mut contact)?;
        self.enter(&mut contact, ContactState::Blocked)?;
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    /// Forgets sessions, mailboxes and everything on its way. Nothing is sent to them.
    fn part(&mut self, contact: &mut Contact) -> Result<()> {
        self.drop_sessions(contact)?;
        self.clear_outbox(&contact.root)?;
        self.delete_prefix(Table::Receipt, contact.root.as_bytes())?;
        for (key, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            if mailbox.contact == Some(contact.root) {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
                self.drop_mailbox(&id)?;
            }
        }
        contact.ours = OurMailboxes { generation: contact.ours.generation, ..OurMailboxes::default() };
        contact.theirs = TheirMailboxes::default();
        (contact.held, contact.offered) = (None, None);
        self.forget_peer_bundle(&contact.root.clone());
        contact.link = None;
        contact.receipts_due = None;
        (contact.repair_wanted, contact.copied) = (false, false);
        Ok(())
    }

    pub(crate) fn verify(&mut self, ticket: Ticket, account: &Account, id: &ContactId, number: &str) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        let Ok(read) = number.parse::<sotto_crypto::SafetyNumber>() else {
            return Ok(Err(IntentError::SafetyNumberFormat));
        };
        if read != sotto_crypto::safety_number(&account.manifest.body.root, id) {
            return Ok(Err(IntentError::SafetyNumberDiffers));
        }
        if !contact.verified {
            contact.verified = true;
            self.save_contact(&contact);
            self.happened(Happening::Verified { contact: *id })?;
        }
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    pub(crate) fn mark_read(&mut self, ticket: Ticket, id: &ContactId) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        if contact.unread > 0 {
            contact.unread = 0;
            self.save_contact(&contact);
        }
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    /// Hands every connected contact fresh keys for repair.
    pub(crate) fn refresh_repair_bundles(&mut self) -> Result<()> {
        let Some(account) = self.account()? else { return Ok(()) };
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            if contact.connected() {
                let mut contact = contact;
                self.send_repair_bundle(&account, &mut contact)?;
                self.pump(contact)?;
            }
        }
        Ok(())
    }

    /// Whose pairwise mailbox this is, and whether it is one.
    pub(crate) fn mailbox_contact(&self, mailbox: &OwnMailbox) -> Result<Option<Contact>> {
        if mailbox.known == Known::Unwanted {
            return Ok(None);
        }
        mailbox.contact.map_or(Ok(None), |id| self.contact(&id))
    }

    /// Whether a link's secret goes into handshakes made with it.
    pub(crate) fn invitation_secret(&self, id: &sotto_outer::BundleId) -> Result<Option<sotto_inner::LinkSecret>> {
        let bundle = self.load::<crate::record::OwnBundle>(id.as_bytes())?;
        Ok(bundle.filter(|own| own.kind == LinkKind::Invitation && own.known != Known::Unwanted).map(|own| own.secret))
    }
}

/// How long a request waits for its answer before it is made anew.
fn request_wait(contact: &Contact) -> u64 {
    REQUEST_RETRY_SECS << contact.attempts.min(6).saturating_sub(1)
}
