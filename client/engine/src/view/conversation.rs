//! What a conversation list and a timeline read: the newest message without a look at the others, a stretch of messages around
//! one, drafts, and where a message is. However long a conversation is, none of these reads more than it was asked for.

use sotto_inner::ContentId;

use super::{
    ContactState, ContactView, MessageStatus, MessageView, contact, contacts, history, message, message_of_row,
};
use crate::{
    ContactId, Order, Range, Rows, RowsError, Table, conversations,
    record::{OutboxRow, Record},
};

/// A conversation, as a list shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConversationView {
    /// With whom.
    pub contact: ContactView,
    /// Its newest message.
    pub last: Option<MessageView>,
    /// What is written and not sent.
    pub draft: String,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for ConversationView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConversationView(..)")
    }
}

/// Messages of a conversation that follow each other without a gap, oldest first.
#[derive(Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The messages.
    pub messages: Vec<MessageView>,
    /// Whether there is none before the first.
    pub at_start: bool,
    /// Whether there is none after the last.
    pub at_end: bool,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for Stretch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stretch(..)")
    }
}

/// Where a message of ours is, and what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// Where it is.
    pub status: MessageStatus,
    /// What it waits for; nothing once it is on their device.
    pub waits_for: Option<Wait>,
}

/// What a message of ours waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The request it goes with: the link's relay has not answered yet.
    Request,
    /// A relay that takes it.
    Relay,
    /// Their answer to our request, at the relay.
    Answer,
    /// Their device, at the relay.
    Device,
    /// A new link: the one we have leads nowhere, or their mailbox is gone.
    Link,
    /// Nothing: it was taken back when the contact was blocked or declined.
    Never,
}

/// All conversations, by root.
///
/// # Errors
/// [`RowsError`].
pub fn conversations(rows: &dyn Rows) -> Result<Vec<ConversationView>, RowsError> {
    contacts(rows)?.into_iter().map(|contact| summary(rows, contact)).collect()
}

/// One conversation.
///
/// # Errors
/// [`RowsError`].
pub fn conversation(rows: &dyn Rows, id: &ContactId) -> Result<Option<ConversationView>, RowsError> {
    contact(rows, id)?.map(|contact| summary(rows, contact)).transpose()
}

fn summary(rows: &dyn Rows, contact: ContactView) -> Result<ConversationView, RowsError> {
    let last = history(rows, &contact.id, None, 1)?.pop();
    let draft = conversations::draft(rows, &contact.id)?;
    Ok(ConversationView { contact, last, draft })
}

/// The newest messages of a conversation, at most `limit`.
///
/// # Errors
/// [`RowsError`].
pub fn newest(rows: &dyn Rows, chat: &ContactId, limit: usize) -> Result<Stretch, RowsError> {
    let (messages, at_start) = backward(rows, &Range::prefix(chat.as_bytes()), limit)?;
    Ok(Stretch { messages, at_start, at_end: true })
}

/// A message with at most so many before and after it; none if it is not of this conversation.
///
/// # Errors
/// [`RowsError`].
pub fn around(
    rows: &dyn Rows,
    chat: &ContactId,
    id: &ContentId,
    before: usize,
    after: usize,
) -> Result<Option<Stretch>, RowsError> {
    let Some(key) = key_in(rows, chat, id)? else { return Ok(None) };
    let all = Range::prefix(chat.as_bytes());
    let (mut messages, at_start) = backward(rows, &Range { from: all.from, to: Some(key.clone()) }, before)?;
    let (newer, at_end) = forward(rows, &Range { from: key, to: all.to }, after + 1)?;
    messages.extend(newer);
    Ok(Some(Stretch { messages, at_start, at_end }))
}

/// From one message to another, or to the conversation's end, at most `limit`; none if either is not of this conversation.
///
/// # Errors
/// [`RowsError`].
pub fn between(
    rows: &dyn Rows,
    chat: &ContactId,
    first: &ContentId,
    last: Option<&ContentId>,
    limit: usize,
) -> Result<Option<Stretch>, RowsError> {
    let all = Range::prefix(chat.as_bytes());
    let Some(first) = key_in(rows, chat, first)? else { return Ok(None) };
    let to = match last {
        None => all.to.clone(),
        Some(last) => {
            let Some(mut key) = key_in(rows, chat, last)? else { return Ok(None) };
            // The least key after it.
            key.push(0);
            Some(key)
        }
    };
    let (messages, whole) = forward(rows, &Range { from: first.clone(), to: to.clone() }, limit)?;
    let (_, at_start) = backward(rows, &Range { from: all.from, to: Some(first) }, 0)?;
    let at_end = whole && (last.is_none() || forward(rows, &Range { from: to.unwrap_or_default(), to: all.to }, 0)?.1);
    Ok(Some(Stretch { messages, at_start, at_end }))
}

/// The last messages of a range, oldest first, and whether these are all.
fn backward(rows: &dyn Rows, range: &Range, limit: usize) -> Result<(Vec<MessageView>, bool), RowsError> {
    let (mut messages, all) = read(rows, range, Order::Descending, limit)?;
    messages.reverse();
    Ok((messages, all))
}

/// The first messages of a range, and whether these are all.
fn forward(rows: &dyn Rows, range: &Range, limit: usize) -> Result<(Vec<MessageView>, bool), RowsError> {
    read(rows, range, Order::Ascending, limit)
}

fn read(rows: &dyn Rows, range: &Range, order: Order, limit: usize) -> Result<(Vec<MessageView>, bool), RowsError> {
    let found = rows.scan(Table::Message, range, order, limit + 1)?;
    let messages = found.iter().take(limit).map(|(_, row)| message_of_row(row)).collect::<Result<_, _>>()?;
    Ok((messages, found.len() <= limit))
}

/// A message's key, if it is of this conversation.
fn key_in(rows: &dyn Rows, chat: &ContactId, id: &ContentId) -> Result<Option<Vec<u8>>, RowsError> {
    let key = rows.get(Table::MessageIndex, id.as_bytes())?;
    Ok(key.filter(|key| key.starts_with(chat.as_bytes())).map(|key| key.to_vec()))
}

/// The first of the messages that are not seen yet.
///
/// # Errors
/// [`RowsError`].
pub fn first_unread(rows: &dyn Rows, chat: &ContactId) -> Result<Option<ContentId>, RowsError> {
    let unread = contact(rows, chat)?.is_some_and(|contact| contact.unread > 0);
    if unread { conversations::unread_from(rows, chat) } else { Ok(None) }
}

/// Where a message of ours is, and what it waits for; none for theirs and unknown ones.
///
/// # Errors
/// [`RowsError`].
pub fn delivery(rows: &dyn Rows, id: &ContentId) -> Result<Option<DeliveryView>, RowsError> {
    let Some(message) = message(rows, id)?.filter(|message| message.status != MessageStatus::Received) else {
        return Ok(None);
    };
    let state = contact(rows, &message.chat)?.map_or(ContactState::Blocked, |contact| contact.state);
    let waits_for = match message.status {
        MessageStatus::Delivered | MessageStatus::Read | MessageStatus::Received => None,
        MessageStatus::Queued | MessageStatus::Sent => Some(wait(rows, id, state)?),
    };
    Ok(Some(DeliveryView { status: message.status, waits_for }))
}

fn wait(rows: &dyn Rows, id: &ContentId, state: ContactState) -> Result<Wait, RowsError> {
    let Some(key) = rows.get(Table::OutboxIndex, id.as_bytes())? else { return Ok(Wait::Never) };
    let taken = rows.get(OutboxRow::TABLE, &key)?.map(|row| OutboxRow::from_row(&row)).transpose()?;
    // Sealed anew for another session, what was at the relay waits for it once more.
    let taken = taken.is_some_and(|row| row.taken());
    Ok(match state {
        ContactState::Connecting => Wait::Request,
        ContactState::LinkDead | ContactState::LinkForged | ContactState::Unreachable => Wait::Link,
        ContactState::Incoming | ContactState::Declined | ContactState::Blocked => Wait::Never,
        ContactState::Requested if taken => Wait::Answer,
        ContactState::Connected if taken => Wait::Device,
        ContactState::Requested | ContactState::Connected => Wait::Relay,
    })
}
