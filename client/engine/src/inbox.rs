//! The inbox: an envelope in, everything that follows from it out, in one batch.
//!
//! ```text
//! Deliver ──► seen before? ──yes──────────────────────────────────────────────► ack
//!                 │no
//!                 ├─ contact mailbox ──► sealed first message ─┐
//!                 └─ pairwise mailbox ─┬─ repair tag in front ─┼─► content ──► stored ──► ack
//!                                      └─ session packet ──────┘
//!                                             └─ opens nowhere: counted, its digest kept ──► ack
//! ```
//!
//! The ack leaves after the commit, so what a relay deletes is on our disk. [REL-14] An envelope that does not open changes
//! nothing but its digest and the contact's count.

use sotto_crypto::{OpenError, Opened};
use sotto_inner::{
    Body, Content, Mailboxes,
    limits::{BUCKETS, REQUEST_CONTENTS_MAX},
};
use sotto_outer::{Ack, Command, Deliver, EnvelopeId, MailboxKind, ReceiveId, RelayIdentity};

use crate::{
    Change, ContactId, ContactState, Happening, Rows, RowsError, Table,
    record::{Account, Contact, Known, OwnMailbox},
    sessions::Unopened,
    work::Work,
};

const SECS_PER_DAY: u64 = 86_400;

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Behind a handshake that made its session just now.
    NewSession,
    /// In a session that stood.
    Session,
}

/// Whether an envelope is remembered, so that a repeat costs nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memorable {
    Yes,
    /// Ephemeral: a repeat changes nothing either.
    No,
}

impl Work<'_> {
    pub(crate) fn on_deliver(&mut self, relay: &RelayIdentity, deliver: Deliver) -> Result<(), RowsError> {
        let Deliver { mailbox: id, id: envelope, payload } = deliver;
        let (Some(account), Some(mailbox)) = (self.account()?, self.load::<OwnMailbox>(id.as_bytes())?) else {
            return Ok(());
        };
        if mailbox.relay.identity() != relay {
            // A relay speaks for the mailboxes that lie at it, and for no other.
            return Ok(());
        }
        if mailbox.known == Known::Unwanted {
            // Deleted here: nothing comes through it, whether or not its relay deletes it too. [SES-32]
            self.ack(relay, &id, &envelope);
            return Ok(());
        }
        let digest = sotto_crypto::envelope_digest(&payload);
        if self.get(Table::Digest, &digest)?.is_none() {
            let memorable = match mailbox.kind {
                MailboxKind::Contact => self.open_first_contact(&account, &mailbox, &payload)?,
                MailboxKind::Pairwise => self.open_pairwise(&account, &id, &mailbox, &payload)?,
            };
            if memorable == Memorable::Yes {
                self.remember(&digest);
            }
        }
        self.ack(relay, &id, &envelope);
        Ok(())
    }

    fn open_pairwise(
        &mut self,
        account: &Account,
        id: &ReceiveId,
        mailbox: &OwnMailbox,
        payload: &[u8],
    ) -> Result<Memorable, RowsError> {
        let Some(mut contact) = self.mailbox_contact(mailbox)? else { return Ok(Memorable::No) };
        if !BUCKETS.contains(&payload.len()) {
            // No client makes such an envelope: the relay's own noise, not worth a row.
            return Ok(Memorable::No);
        }
        if let Some(tag) = self.repair_tag_of(&contact, payload)? {
            return self.open_repair(account, contact, id, tag, payload);
        }
        match self.open_packet(&mut contact, payload) {
            Ok((_, opened)) => {
                self.prove_mailbox(id)?;
                self.receive(account, contact, opened, Origin::Session)
            }
            Err(Unopened::Rows(error)) => Err(error),
            Err(Unopened::Packet(OpenError::EphemeralOutOfStep)) => Ok(Memorable::No),
            Err(Unopened::Packet(OpenError::NotOurs | OpenError::Replayed | OpenError::PeerMisbehaved(_))) => {
                self.count_unopenable(contact)
            }
        }
    }

    /// Acts on what a packet of a contact held. The session that opened it is staged already.
    pub(crate) fn receive(
        &mut self,
        account: &Account,
        mut contact: Contact,
        opened: Opened,
        origin: Origin,
    ) -> Result<Memorable, RowsError> {
        let root = contact.root;
        if contact.unopenable > 0 {
            contact.unopenable = 0;
            self.save_contact(&contact);
        }
        // Whatever else this packet holds, if anything.
        self.want_repair_if_broken(&mut contact)?;
        let memorable = self.receive_content(account, contact, &opened, origin)?;
        self.finish_reseal(&root, origin)?;
        Ok(memorable)
    }

    fn receive_content(
        &mut self,
        account: &Account,
        contact: Contact,
        opened: &Opened,
        origin: Origin,
    ) -> Result<Memorable, RowsError> {
        let Ok(content) = Content::decode(&opened.content) else {
            // Authentic, and not a content of this version: its key is used up, nothing else follows.
            return Ok(Memorable::Yes);
        };
        if opened.ephemeral {
            self.receive_ephemeral(&contact, &content);
            return Ok(Memorable::No);
        }
        self.witness(content.time)?;
        self.reader_is_back(&contact.root);
        if contact.state == ContactState::Incoming && contact.unaccepted >= REQUEST_CONTENTS_MAX {
            // A request is no conversation: what a stranger can make us store has an end.
            return Ok(Memorable::No);
        }
        self.receive_durable(account, contact, &content, origin)?;
        Ok(Memorable::Yes)
    }

    /// Another session took over with this packet: what waits is sealed in it, once, now that the packet is dealt with.
    fn finish_reseal(&mut self, id: &ContactId, origin: Origin) -> Result<(), RowsError> {
        let Some(mut contact) = self.contact(id)?.filter(|contact| contact.reseal) else { return Ok(()) };
        contact.reseal = false;
        self.save_contact(&contact);
        if origin == Origin::NewSession && !contact.connected() {
            // A request of ours stays behind its own handshake.
            return self.pump(contact);
        }
        self.seal_anew(contact)
    }

    fn receive_durable(
        &mut self,
        account: &Account,
        mut contact: Contact,
        content: &Content,
        origin: Origin,
    ) -> Result<(), RowsError> {
        if contact.state == ContactState::Incoming {
            contact.unaccepted += 1;
            self.save_contact(&contact);
        }
        let kept = match &content.body {
            Body::Accept { name, mailboxes } => self.on_accepted(account, &mut contact, name, mailboxes)?,
            Body::Text { text } => self.receive_text(&mut contact, content, text)?,
            Body::Repair(bundle) => self.on_repair_bundle(&contact, bundle)?,
            Body::Repaired(mailboxes) | Body::Mailboxes(mailboxes) => {
                self.learn_mailboxes(&mut contact, mailboxes)?;
                true
            }
            Body::Receipt { delivered } => {
                self.on_receipt(&contact, delivered)?;
                return self.pump(contact);
            }
            Body::Hello { name: _, mailboxes: _, text: _ } => {
                self.on_greeting(account, &mut contact, content, origin)?
            }
            // Typing counts in ephemeral packets alone.
            Body::Typing { active: _ } => false,
        };
        if kept {
            // What is not kept gets no receipt: its author keeps it, and sends it again when its envelope has expired.
            self.owe_receipt(&mut contact, &content.id)?;
        }
        self.pump(contact)
    }

    fn receive_text(&mut self, contact: &mut Contact, content: &Content, text: &str) -> Result<bool, RowsError> {
        self.store_their_message(contact, content, text)?;
        Ok(true)
    }

    fn receive_ephemeral(&mut self, contact: &Contact, content: &Content) {
        if let Body::Typing { active } = content.body
            && contact.connected()
        {
            self.show(Change::Typing { contact: contact.root, active });
        }
    }

    /// Our request was accepted, or a contact told anew where to write.
    fn on_accepted(
        &mut self,
        account: &Account,
        contact: &mut Contact,
        name: &str,
        mailboxes: &Mailboxes,
    ) -> Result<bool, RowsError> {
        match contact.state {
            ContactState::Connecting
            | ContactState::Requested
            | ContactState::Connected
            | ContactState::Unreachable
            | ContactState::LinkDead => {}
            ContactState::Incoming | ContactState::Declined | ContactState::Blocked | ContactState::LinkForged => {
                return Ok(false);
            }
        }
        let first = contact.state != ContactState::Connected;
        name.clone_into(&mut contact.name);
        contact.link = None;
        self.enter(contact, ContactState::Connected)?;
        self.learn_mailboxes(contact, mailboxes)?;
        if first {
            self.send_repair_bundle(account, contact)?;
            self.owe_receipts_now(contact)?;
        }
        Ok(true)
    }

    fn ack(&mut self, relay: &RelayIdentity, mailbox: &ReceiveId, envelope: &EnvelopeId) {
        let ack = Ack { mailbox: *mailbox, ids: vec![*envelope] };
        self.transmit_only(relay, Command::Ack(ack));
    }

    /// Remembers an envelope for `DIGEST_MEMORY_SECS`.
    fn remember(&mut self, digest: &[u8; 16]) {
        let day = u32::try_from(self.now.secs() / SECS_PER_DAY).unwrap_or(u32::MAX).to_be_bytes();
        self.put(Table::Digest, digest, day.to_vec());
        self.put(Table::DigestDay, &[day.as_slice(), digest].concat(), Vec::new());
    }

    /// Tells that a contact's devices changed, or refuses what contradicts the known ones.
    pub(crate) fn check_manifest(
        &mut self,
        contact: &mut Contact,
        offered: &sotto_inner::Manifest,
    ) -> Result<bool, RowsError> {
        use sotto_crypto::Succession;
        let Some(known) = &contact.manifest else {
            contact.manifest = Some(offered.clone());
            return Ok(true);
        };
        match sotto_crypto::succession(known, offered) {
            Succession::Same => Ok(true),
            Succession::Newer => {
                contact.manifest = Some(offered.clone());
                self.happened(Happening::DevicesChanged { contact: contact.root })?;
                Ok(true)
            }
            Succession::Conflict => {
                self.hold_for_conflict(contact, offered)?;
                Ok(false)
            }
            Succession::Older | Succession::OtherRoot => Ok(false),
        }
    }
}
