//! Messages of a conversation: stored once, in the order of their authors' clocks.

use sotto_inner::{Body, Content, ContentId, limits::TEXT_BYTES_MAX};

use crate::{
    ContactId, ContactState, Effect, Happening, IntentError, MessageStatus, Notice, Outcome, Rows, RowsError, Table,
    Ticket,
    record::{Account, Contact, MessageRow, Remark},
    work::Work,
};

impl Work<'_> {
    /// A content of ours, named and dated.
    pub(crate) fn content(&mut self, body: Body) -> Result<Content, RowsError> {
        Ok(Content { id: ContentId::from(self.random()), time: self.tick()?, body })
    }

    pub(crate) fn send_text(
        &mut self,
        ticket: Ticket,
        account: &Account,
        to: &ContactId,
        text: String,
        idempotency_key: Option<String>,
    ) -> Result<Result<(), IntentError>, RowsError> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Ok(Err(IntentError::Text));
        }
        let Some(contact) = self.contact(to)? else { return Ok(Err(IntentError::NoContact)) };
        if let Some(key) = &idempotency_key
            && let Some(row) = self.get(Table::Idempotency, key.as_bytes())?
        {
            return self.answer_again(ticket, to, &row);
        }
        if let Some(why) = refusal(contact.state) {
            return Ok(Err(IntentError::NotConnected(why)));
        }
        let content = self.content(Body::Text { text: text.clone() })?;
        self.store_own_message(account, to, &content, &text)?;
        self.enqueue(to, &content, true)?;
        if let Some(key) = idempotency_key {
            self.put(Table::Idempotency, key.as_bytes(), content.id.as_bytes().to_vec());
        }
        self.answer(ticket, Outcome::Message { chat: *to, id: content.id, status: MessageStatus::Queued });
        self.pump(contact)?;
        Ok(Ok(()))
    }

    fn answer_again(
        &mut self,
        ticket: Ticket,
        to: &ContactId,
        row: &[u8],
    ) -> Result<Result<(), IntentError>, RowsError> {
        let id = ContentId::try_from(row).map_err(|_| RowsError("an idempotency key is damaged".to_owned()))?;
        let status = self.message(&id)?.map_or(MessageStatus::Queued, |(_, message)| message.status);
        self.answer(ticket, Outcome::Message { chat: *to, id, status });
        Ok(Ok(()))
    }

    pub(crate) fn message(&self, id: &ContentId) -> Result<Option<(Vec<u8>, MessageRow)>, RowsError> {
        let Some(key) = self.get(Table::MessageIndex, id.as_bytes())? else { return Ok(None) };
        Ok(self.load::<MessageRow>(&key)?.map(|message| (key.to_vec(), message)))
    }

    fn store(&mut self, message: &MessageRow) -> Result<(), RowsError> {
        let key = message.key();
        self.save(&key, message);
        self.put(Table::MessageIndex, message.id.as_bytes(), key);
        self.happened(Happening::MessageNew { chat: message.chat, id: message.id })
    }

    pub(crate) fn store_own_message(
        &mut self,
        account: &Account,
        chat: &ContactId,
        content: &Content,
        text: &str,
    ) -> Result<(), RowsError> {
        self.store(&MessageRow {
            chat: *chat,
            id: content.id,
            author: account.manifest.body.root,
            time: content.time,
            stored_millis: self.now.0,
            status: MessageStatus::Queued,
            text: text.to_owned(),
            remark: None,
        })
    }

    /// Stores a message of a contact, unless it is there already: a content counts once however often it arrives.
    pub(crate) fn store_their_message(
        &mut self,
        contact: &mut Contact,
        content: &Content,
        text: &str,
    ) -> Result<(), RowsError> {
        if self.get(Table::MessageIndex, content.id.as_bytes())?.is_some() {
            return Ok(());
        }
        if contact.unread == 0 {
            self.put(Table::Meta, &unread_key(&contact.root), content.id.as_bytes().to_vec());
        }
        contact.unread += 1;
        self.save_contact(contact);
        self.store(&MessageRow {
            chat: contact.root,
            id: content.id,
            author: contact.root,
            time: content.time,
            stored_millis: self.now.0,
            status: MessageStatus::Received,
            text: text.to_owned(),
            remark: None,
        })?;
        if contact.connected() {
            self.effect(Effect::Notify(Notice::Message { chat: contact.root }));
        }
        Ok(())
    }

    /// Keeps what is written and not sent; nobody but this profile learns of it.
    pub(crate) fn set_draft(
        &mut self,
        ticket: Ticket,
        to: &ContactId,
        text: String,
    ) -> Result<Result<(), IntentError>, RowsError> {
        if self.contact(to)?.is_none() {
            return Ok(Err(IntentError::NoContact));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Ok(Err(IntentError::Text));
        }
        let key = draft_key(to);
        if text.is_empty() {
            self.delete(Table::Meta, &key);
        } else {
            self.put(Table::Meta, &key, text.into_bytes());
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    /// Leaves a quiet line in the conversation that something happened to.
    pub(crate) fn remark(&mut self, happening: &Happening) -> Result<(), RowsError> {
        let Some((chat, remark)) = remark_of(happening) else { return Ok(()) };
        let message = MessageRow {
            chat,
            id: ContentId::from(self.random()),
            author: chat,
            time: self.tick()?,
            stored_millis: self.now.0,
            status: MessageStatus::Received,
            text: String::new(),
            remark: Some(remark),
        };
        let key = message.key();
        self.save(&key, &message);
        self.put(Table::MessageIndex, message.id.as_bytes(), key);
        Ok(())
    }

    /// A message of ours moved on; it never moves back.
    pub(crate) fn message_reached(&mut self, id: &ContentId, status: MessageStatus) -> Result<(), RowsError> {
        let Some((key, mut message)) = self.message(id)? else { return Ok(()) };
        if message.status >= status {
            return Ok(());
        }
        message.status = status;
        self.save(&key, &message);
        self.happened(Happening::MessageStatus { chat: message.chat, id: *id, status })
    }
}

/// What a conversation says of a happening, if anything.
fn remark_of(happening: &Happening) -> Option<(ContactId, Remark)> {
    match happening {
        Happening::DevicesChanged { contact } => Some((*contact, Remark::DevicesChanged)),
        Happening::IdentityConflict { contact } => Some((*contact, Remark::IdentityConflict)),
        Happening::SessionRepaired { contact } => Some((*contact, Remark::SessionRepaired)),
        Happening::CopyNoticed { contact } => contact.map(|contact| (contact, Remark::CopyNoticed)),
        Happening::Verified { contact } => Some((*contact, Remark::Verified)),
        Happening::IdentityAccepted { contact } => Some((*contact, Remark::IdentityAccepted)),
        Happening::AnotherPerson { contact } => Some((*contact, Remark::AnotherPerson)),
        Happening::MessageNew { .. }
        | Happening::MessageStatus { .. }
        | Happening::Contact { .. }
        | Happening::Admission { relay: _, state: _ } => None,
    }
}

/// What is written to a contact and not sent.
pub(crate) fn draft(rows: &dyn Rows, contact: &ContactId) -> Result<String, RowsError> {
    let row = rows.get(Table::Meta, &draft_key(contact))?;
    row.map_or(Ok(String::new()), |row| {
        String::from_utf8(row.to_vec()).map_err(|_| RowsError("a draft is damaged".to_owned()))
    })
}

/// The message that came when none was unseen.
pub(crate) fn unread_from(rows: &dyn Rows, contact: &ContactId) -> Result<Option<ContentId>, RowsError> {
    let row = rows.get(Table::Meta, &unread_key(contact))?;
    row.map(|row| ContentId::try_from(row.as_slice()).map_err(|_| RowsError("an unread mark is damaged".to_owned())))
        .transpose()
}

fn draft_key(contact: &ContactId) -> Vec<u8> {
    [b"draft:".as_slice(), contact.as_bytes()].concat()
}

fn unread_key(contact: &ContactId) -> Vec<u8> {
    [b"unread:".as_slice(), contact.as_bytes()].concat()
}

/// Why nothing can be written to a contact in this state.
fn refusal(state: ContactState) -> Option<&'static str> {
    match state {
        ContactState::Connecting | ContactState::Requested | ContactState::Connected | ContactState::Unreachable => {
            None
        }
        ContactState::Incoming => Some("accept their request first"),
        ContactState::Declined => Some("you declined their request"),
        ContactState::Blocked => Some("you blocked them"),
        ContactState::LinkDead => Some("their link leads nowhere any more: ask for a new one"),
        ContactState::LinkForged => Some("their link led to something forged: nothing was sent; ask for a new one"),
    }
}
