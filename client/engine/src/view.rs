//! What views read: the shapes of contacts, messages and the account, and the look-ups that fill them. Reads only, on any
//! [`Rows`]: the engine's transaction or a second, read-only connection.

use minicbor::{Decode, Encode};
use sotto_inner::{ContentId, HybridTime};
use sotto_outer::RelayAddress;

use crate::{ContactId, JournalEntry, Rows, RowsError};

/// How far a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ContactState {
    /// Our request is being prepared: the bundle is not fetched yet.
    #[n(0)]
    Connecting,
    /// Our request is sent; no answer yet.
    #[n(1)]
    Requested,
    /// Their request waits for us.
    #[n(2)]
    Incoming,
    /// Both agreed.
    #[n(3)]
    Connected,
    /// We declined; they do not know.
    #[n(4)]
    Declined,
    /// We take nothing from them.
    #[n(5)]
    Blocked,
    /// Their link leads nowhere (used up, reset or switched off): ask for a new one.
    #[n(6)]
    LinkDead,
    /// Their mailbox is gone: ask for a new link.
    #[n(7)]
    Unreachable,
    /// What the link led to was forged or damaged; nothing was sent.
    #[n(8)]
    LinkForged,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum MessageStatus {
    /// Here, waiting to go.
    #[n(0)]
    Queued,
    /// At the relay.
    #[n(1)]
    Sent,
    /// Stored on their device.
    #[n(2)]
    Delivered,
    /// Seen by them.
    #[n(3)]
    Read,
    /// Theirs, received here.
    #[n(4)]
    Received,
}

/// The account, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its root.
    pub root: ContactId,
    /// Its name.
    pub name: String,
    /// The relay of its mailboxes.
    pub relay: RelayAddress,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactView {
    /// Their root.
    pub id: ContactId,
    /// Their name, as they tell it; empty while unknown.
    pub name: String,
    /// How far.
    pub state: ContactState,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// The safety number, 12 groups of 5 digits.
    pub safety_number: String,
    /// The text that came with their request.
    pub request_text: Option<String>,
    /// Messages not seen yet.
    pub unread: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its conversation.
    pub chat: ContactId,
    /// Its id.
    pub id: ContentId,
    /// Its author's root.
    pub author: ContactId,
    /// Its author's clock: the order of the conversation.
    pub time: HybridTime,
    /// When it was stored here, Unix milliseconds.
    pub stored_millis: u64,
    /// Where it is.
    pub status: MessageStatus,
    /// The text.
    pub text: String,
}

/// Numbers for a status line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Own contents that are not delivered yet.
    pub waiting: u64,
    /// Messages not seen yet.
    pub unread: u64,
}

/// Searchable text of a `Table::Message` row, for the full-text index; none if the row has none.
pub fn message_text(_value: &[u8]) -> Option<String> {
    None
}

/// The account, once there is one.
///
/// # Errors
/// [`RowsError`].
pub fn account(_rows: &dyn Rows) -> Result<Option<AccountView>, RowsError> {
    Ok(None)
}

/// All contacts, by root.
///
/// # Errors
/// [`RowsError`].
pub fn contacts(_rows: &dyn Rows) -> Result<Vec<ContactView>, RowsError> {
    Ok(Vec::new())
}

/// One contact.
///
/// # Errors
/// [`RowsError`].
pub fn contact(_rows: &dyn Rows, _id: &ContactId) -> Result<Option<ContactView>, RowsError> {
    Ok(None)
}

/// One message.
///
/// # Errors
/// [`RowsError`].
pub fn message(_rows: &dyn Rows, _id: &ContentId) -> Result<Option<MessageView>, RowsError> {
    Ok(None)
}

/// At most `limit` messages of a chat before the message `before` (or the newest), newest last.
///
/// # Errors
/// [`RowsError`].
pub fn history(
    _rows: &dyn Rows,
    _chat: &ContactId,
    _before: Option<&ContentId>,
    _limit: usize,
) -> Result<Vec<MessageView>, RowsError> {
    Ok(Vec::new())
}

/// Journal entries after a sequence, oldest first, at most `limit`.
///
/// # Errors
/// [`RowsError`].
pub fn journal(_rows: &dyn Rows, _after: u64, _limit: usize) -> Result<Vec<(u64, JournalEntry)>, RowsError> {
    Ok(Vec::new())
}

/// Numbers for a status line.
///
/// # Errors
/// [`RowsError`].
pub fn totals(_rows: &dyn Rows) -> Result<Totals, RowsError> {
    Ok(Totals::default())
}
