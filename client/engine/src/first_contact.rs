//! First messages of strangers, as they come through a contact mailbox: each is a handshake and a packet, sealed to a weekly
//! key. Until a request is accepted nothing leaves for it, and what is refused is refused without a trace.

use sotto_crypto::{Answering, NoSkippedKeys, Opened, Session};
use sotto_inner::{Body, Content, FirstMessage, Handshake, LinkSecret, PrekeyKind, limits::REQUESTS_MAX};

use crate::{
    ContactState, Effect, Happening, Notice, Rows, RowsError, Table,
    inbox::{Memorable, Origin},
    record::{Account, Contact, CurrentPrekeys, OwnMailbox, PrekeyRow},
    sessions::Unopened,
    work::Work,
};

/// Handshakes with one last-resort key that are remembered. When it is full, new ones are refused and the key is replaced;
/// none is ever forgotten while the key lives.
const LAST_RESORT_HANDSHAKES_MAX: u32 = 10_000;

/// What a handshake's prekeys led to.
struct Accepted {
    session: Session,
    opened: Opened,
    changes: sotto_crypto::SkippedChanges,
}

impl Work<'_> {
    /// Opens what came through a contact mailbox. What has no effect is not remembered either: whoever has the link can fill the
    /// mailbox with noise, and it costs an unsealing each, and no row.
    pub(crate) fn open_first_contact(
        &mut self,
        account: &Account,
        mailbox: &OwnMailbox,
        payload: &[u8],
    ) -> Result<Memorable, RowsError> {
        let Some(id) = sotto_crypto::first_seal_id(payload) else { return Ok(Memorable::No) };
        let Some(seal) = self.prekey_secret(PrekeyKind::Seal, id)? else { return Ok(Memorable::No) };
        let Ok(message) = sotto_crypto::open_first(&seal, payload) else { return Ok(Memorable::No) };
        if sotto_crypto::check_handshake(&message.handshake).is_err() {
            return Ok(Memorable::No);
        }
        if mailbox.invited_only && message.handshake.invitation.is_none() {
            // Whoever once had an invitation knows the mailbox; that alone is no way in. [SES-32]
            return Ok(Memorable::No);
        }
        let root = message.handshake.manifest.body.root;
        let contact = self.contact(&root)?;
        if root == account.manifest.body.root
            || contact.as_ref().is_some_and(|c| matches!(c.state, ContactState::Blocked | ContactState::Declined))
        {
            return Ok(Memorable::No);
        }
        let contact = contact.unwrap_or_else(|| Contact::new(root, ContactState::Incoming));
        self.take_first_message(account, contact, &message)
    }

    fn take_first_message(
        &mut self,
        account: &Account,
        mut contact: Contact,
        message: &FirstMessage,
    ) -> Result<Memorable, RowsError> {
        let id = *sotto_crypto::handshake_id(&message.handshake).as_bytes();
        if let Some((row, session)) = self.session(&contact.root, &id)? {
            // Another packet in front of which the same handshake stands.
            return match self.open_in(&mut contact, row, &session, &message.packet) {
                Ok((_, opened)) => self.receive(account, contact, opened, Origin::Session),
                Err(Unopened::Rows(error)) => Err(error),
                Err(Unopened::Packet(_)) => Ok(Memorable::No),
            };
        }
        let Some(accepted) = self.accept_first(account, message)? else { return Ok(Memorable::No) };
        if accepted.opened.broke || Content::decode(&accepted.opened.content).is_err() {
            // Authentic, and nothing a conversation begins with.
            return Ok(Memorable::No);
        }
        if !self.check_manifest(&mut contact, &message.handshake.manifest)? {
            return Ok(Memorable::No);
        }
        let stranger = self.contact(&contact.root)?.is_none();
        if stranger && self.count(b"requests")? > REQUESTS_MAX {
            // Refused newest first, like everything a stranger can fill.
            self.set_counter(b"requests", REQUESTS_MAX);
            return Ok(Memorable::No);
        }
        contact.device = Some(message.handshake.device);
        self.adopt_session(&mut contact, &accepted.session)?;
        self.save_skipped(&id, accepted.changes)?;
        self.use_up_prekeys(&message.handshake, &id)?;
        contact.reseal = true;
        self.save_contact(&contact);
        let root = contact.root;
        if stranger {
            self.happened(Happening::Contact { contact: root, state: ContactState::Incoming })?;
            self.effect(Effect::Notify(Notice::Request { contact: root }));
        }
        self.receive(account, contact, accepted.opened, Origin::NewSession)?;
        Ok(Memorable::Yes)
    }

    /// Someone greets: a stranger makes a request; whom we asked ourselves, or know, we answer at once.
    pub(crate) fn on_greeting(
        &mut self,
        account: &Account,
        contact: &mut Contact,
        content: &Content,
        origin: Origin,
    ) -> Result<bool, RowsError> {
        let Body::Hello { name, mailboxes, text } = &content.body else { return Ok(false) };
        let agreed = match contact.state {
            ContactState::Incoming => false,
            ContactState::Connecting | ContactState::Requested | ContactState::LinkDead | ContactState::LinkForged => {
                true
            }
            // Whoever greets anew in a new session lost the old ones, and our acceptance with them.
            ContactState::Connected | ContactState::Unreachable => origin == Origin::NewSession,
            ContactState::Declined | ContactState::Blocked => return Ok(false),
        };
        contact.name.clone_from(name);
        if contact.state == ContactState::Incoming && contact.request_text.is_none() {
            contact.request_text.clone_from(text);
        }
        self.learn_mailboxes(contact, mailboxes)?;
        if let Some(text) = text {
            self.store_their_message(contact, content, text)?;
        }
        if agreed {
            contact.link = None;
            self.agree(account, contact)?;
        }
        Ok(true)
    }

    /// Makes the session of a first handshake and opens its packet; none if it names keys that are gone, repeats one made with a
    /// last-resort key, or does not open. Writes nothing.
    fn accept_first(&mut self, account: &Account, message: &FirstMessage) -> Result<Option<Accepted>, RowsError> {
        let handshake = &message.handshake;
        let Some(link_secret) = self.link_secret(handshake)? else { return Ok(None) };
        let Some(signed) = self.prekey_secret(PrekeyKind::Signed, handshake.signed)? else { return Ok(None) };
        let one_time = match handshake.one_time {
            Some(id) => self.prekey_secret(PrekeyKind::OneTimePair, id)?,
            None => None,
        };
        let last_resort = match handshake.last_resort {
            Some(id) => self.prekey_secret(PrekeyKind::LastResort, id)?,
            None => None,
        };
        if one_time.is_none() && last_resort.is_none() {
            return Ok(None);
        }
        if !self.last_resort_fresh(account, handshake)? {
            return Ok(None);
        }
        let device = self.device_keys(account)?;
        let answering = Answering {
            manifest: &account.manifest,
            device: &device,
            signed: &signed,
            one_time: one_time.as_ref(),
            last_resort: last_resort.as_ref(),
            link_secret: link_secret.as_ref(),
        };
        let Ok(session) = sotto_crypto::accept(&answering, handshake) else { return Ok(None) };
        let Ok(staged) = session.open(&message.packet, self.now.secs(), &NoSkippedKeys) else {
            return Ok(None);
        };
        let (session, changes, opened) = staged.into_parts();
        Ok(Some(Accepted { session, opened, changes }))
    }

    /// The invitation's secret, where one is named: `None` if the invitation is used up, `Some(None)` if none is named.
    fn link_secret(&self, handshake: &Handshake) -> Result<Option<Option<LinkSecret>>, RowsError> {
        match &handshake.invitation {
            None => Ok(Some(None)),
            Some(id) => Ok(self.invitation_secret(id)?.map(Some)),
        }
    }

    fn last_resort_fresh(&mut self, account: &Account, handshake: &Handshake) -> Result<bool, RowsError> {
        let Some(id) = handshake.last_resort else { return Ok(true) };
        let session = *sotto_crypto::handshake_id(handshake).as_bytes();
        let key = [id.0.to_be_bytes().as_slice(), &session].concat();
        if self.get(Table::Handshake, &key)?.is_some() {
            return Ok(false);
        }
        let full =
            self.prekey_row(PrekeyKind::LastResort, id)?.is_some_and(|row| row.uses >= LAST_RESORT_HANDSHAKES_MAX);
        if full
            && let Some(current) = self.load::<CurrentPrekeys>(CurrentPrekeys::KEY)?
            && current.last_resort == id
        {
            self.replace_prekeys(account, current)?;
        }
        Ok(!full)
    }

    /// In the batch that holds the session: the one-time pair goes, the invitation with it; a last-resort handshake is kept.
    fn use_up_prekeys(&mut self, handshake: &Handshake, session: &[u8; 32]) -> Result<(), RowsError> {
        if let Some(id) = handshake.one_time {
            let row = self.prekey_row(PrekeyKind::OneTimePair, id)?;
            self.delete(Table::Prekey, &PrekeyRow::key(PrekeyKind::OneTimePair, id));
            if let Some(bundle) = row.and_then(|row| row.bundle) {
                self.pair_used(&bundle)?;
            }
        }
        if let Some(id) = handshake.last_resort {
            self.put(Table::Handshake, &[id.0.to_be_bytes().as_slice(), session].concat(), Vec::new());
            if let Some(row) = self.prekey_row(PrekeyKind::LastResort, id)? {
                let uses = row.uses + 1;
                self.save(&PrekeyRow::key(PrekeyKind::LastResort, id), &PrekeyRow { uses, ..row });
            }
        }
        match &handshake.invitation {
            Some(bundle) => self.drop_bundle(bundle),
            None => Ok(()),
        }
    }
}
