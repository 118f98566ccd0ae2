//! What views read: the shapes of contacts, messages and the account, and the look-ups that fill them. Reads only, on any
//! [`Rows`]: the engine's transaction or a second, read-only connection.

mod conversation;

use minicbor::{Decode, Encode};
use sotto_inner::{ContentId, HybridTime, Link, ManifestHash};
use sotto_outer::{RelayAddress, TokenPurpose};

pub use crate::proxy::proxy;
use crate::{
    Admission, ContactId, JournalEntry, Order, Range, Rows, RowsError, Table, Value,
    record::{
        Account, AdmissionRow, Contact, HoldReason, Known, MessageRow, OutboxRow, OwnBundle, OwnMailbox, Record,
        Remark, TokenRow,
    },
};

pub use conversation::{
    ConversationView, DeliveryView, Stretch, Wait, around, between, conversation, conversations, delivery,
    first_unread, newest,
};

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
#[derive(Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Its root.
    pub root: ContactId,
    /// Its name.
    pub name: String,
    /// The relay of its mailboxes, where strangers find it.
    pub relay: RelayAddress,
    /// The relay of second mailboxes for each contact.
    pub second: Option<RelayAddress>,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for AccountView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountView(..)")
    }
}

/// The contact address, as its owner sees it.
#[derive(Clone, PartialEq, Eq)]
pub enum AddressView {
    /// Strangers can ask.
    On {
        /// The link to give away.
        link: Link,
        /// Whether its bundle is at the relay, so that it works now.
        published: bool,
    },
    /// Switched off.
    Off,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for AddressView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::On { link: _, published: _ } => "On(..)",
            Self::Off => "Off",
        })
    }
}

/// How one stands with a relay of one's own that may ask for tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct AdmissionView {
    /// The relay.
    pub relay: RelayAddress,
    /// How one stands.
    pub state: Admission,
    /// Tokens that are left.
    pub tokens: usize,
    /// Mailboxes that are to be made there.
    pub waiting: usize,
}

/// Tells the state alone.
impl std::fmt::Debug for AdmissionView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relay: _, state, tokens, waiting } = self;
        let mut told = f.debug_struct("AdmissionView");
        told.field("state", state).field("tokens", tokens).field("waiting", waiting).finish_non_exhaustive()
    }
}

/// A contact.
#[derive(Clone, PartialEq, Eq)]
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
    /// Why nothing leaves for them until the person chooses.
    pub held: Option<HoldReason>,
    /// The manifest that contradicts the known one, where that is why.
    pub offered: Option<ManifestHash>,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for ContactView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactView(..)")
    }
}

/// A message.
#[derive(Clone, PartialEq, Eq)]
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
    /// The text; empty for a remark.
    pub text: String,
    /// What happened here, where this is no message of anybody. Only a [`Stretch`] has such.
    pub remark: Option<Remark>,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for MessageView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageView(..)")
    }
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
pub fn message_text(value: &[u8]) -> Option<String> {
    MessageRow::from_row(value).ok().filter(|message| message.remark.is_none()).map(|message| message.text)
}

/// The account, once there is one.
///
/// # Errors
/// [`RowsError`].
pub fn account(rows: &dyn Rows) -> Result<Option<AccountView>, RowsError> {
    let Some(account) = load::<Account>(rows, Account::KEY)? else { return Ok(None) };
    let Account { manifest, name, relay, second, .. } = account;
    Ok(Some(AccountView { root: manifest.body.root, name, relay, second }))
}

/// How the contact address stands; none before there is an account.
///
/// # Errors
/// [`RowsError`].
pub fn address_state(rows: &dyn Rows) -> Result<Option<AddressView>, RowsError> {
    let Some(account) = load::<Account>(rows, Account::KEY)? else { return Ok(None) };
    let Some(address) = account.address else { return Ok(Some(AddressView::Off)) };
    let Some(bundle) = load::<OwnBundle>(rows, address.bundle.as_bytes())? else {
        return Err(RowsError("the contact address is missing".to_owned()));
    };
    let published = bundle.known == Known::There;
    let link = bundle.link(account.manifest.body.root, &address.bundle);
    Ok(Some(AddressView::On { link, published }))
}

/// How one stands with each of one's relays, the preferred first.
///
/// # Errors
/// [`RowsError`].
pub fn admissions(rows: &dyn Rows) -> Result<Vec<AdmissionView>, RowsError> {
    let Some(account) = load::<Account>(rows, Account::KEY)? else { return Ok(Vec::new()) };
    let mailboxes = rows.scan(Table::Mailbox, &Range::all(), Order::Ascending, usize::MAX)?;
    let mailboxes: Vec<_> =
        mailboxes.iter().map(|(_, row)| OwnMailbox::from_row(row)).collect::<Result<_, RowsError>>()?;
    let admission = |relay: &RelayAddress| {
        let tokens = Range::prefix(&TokenRow::prefix(relay.identity(), TokenPurpose::Mailbox));
        let waits =
            |mailbox: &&OwnMailbox| mailbox.relay.identity() == relay.identity() && mailbox.known == Known::Wanted;
        Ok(AdmissionView {
            relay: relay.clone(),
            state: load::<AdmissionRow>(rows, &AdmissionRow::key(relay.identity()))?.unwrap_or_default().state,
            tokens: rows.scan(TokenRow::TABLE, &tokens, Order::Ascending, usize::MAX)?.len(),
            waiting: mailboxes.iter().filter(waits).count(),
        })
    };
    account.relays().map(admission).collect()
}

/// All contacts, by root.
///
/// # Errors
/// [`RowsError`].
pub fn contacts(rows: &dyn Rows) -> Result<Vec<ContactView>, RowsError> {
    let Some(own) = account(rows)? else { return Ok(Vec::new()) };
    let found = rows.scan(Table::Contact, &Range::all(), Order::Ascending, usize::MAX)?;
    found.iter().map(|(_, row)| Ok(contact_view(&own.root, Contact::from_row(row)?))).collect()
}

/// One contact.
///
/// # Errors
/// [`RowsError`].
pub fn contact(rows: &dyn Rows, id: &ContactId) -> Result<Option<ContactView>, RowsError> {
    let Some(own) = account(rows)? else { return Ok(None) };
    Ok(load::<Contact>(rows, id.as_bytes())?.map(|contact| contact_view(&own.root, contact)))
}

fn contact_view(own: &ContactId, contact: Contact) -> ContactView {
    ContactView {
        id: contact.root,
        safety_number: sotto_crypto::safety_number(own, &contact.root).to_string(),
        name: contact.name,
        state: contact.state,
        verified: contact.verified,
        request_text: contact.request_text,
        unread: contact.unread,
        held: contact.held,
        offered: contact.offered.as_ref().map(sotto_crypto::manifest_hash),
    }
}

/// One message.
///
/// # Errors
/// [`RowsError`].
pub fn message(rows: &dyn Rows, id: &ContentId) -> Result<Option<MessageView>, RowsError> {
    let Some(key) = rows.get(Table::MessageIndex, id.as_bytes())? else { return Ok(None) };
    Ok(load::<MessageRow>(rows, &key)?.map(message_view))
}

/// The message in a row of `Table::Message`.
///
/// # Errors
/// [`RowsError`] if the row is damaged.
pub fn message_of_row(value: &[u8]) -> Result<MessageView, RowsError> {
    MessageRow::from_row(value).map(message_view)
}

fn message_view(message: MessageRow) -> MessageView {
    MessageView {
        chat: message.chat,
        id: message.id,
        author: message.author,
        time: message.time,
        stored_millis: message.stored_millis,
        status: message.status,
        text: message.text,
        remark: message.remark,
    }
}

/// At most `limit` messages of a chat before the message `before` (or the newest), newest last.
///
/// # Errors
/// [`RowsError`].
pub fn history(
    rows: &dyn Rows,
    chat: &ContactId,
    before: Option<&ContentId>,
    limit: usize,
) -> Result<Vec<MessageView>, RowsError> {
    let mut range = Range::prefix(chat.as_bytes());
    if let Some(before) = before {
        let Some(key) = rows.get(Table::MessageIndex, before.as_bytes())? else { return Ok(Vec::new()) };
        range.to = Some(key.to_vec());
    }
    let mut messages = Vec::new();
    while messages.len() < limit {
        let asked = limit - messages.len();
        let found = rows.scan(Table::Message, &range, Order::Descending, asked)?;
        for (key, row) in &found {
            range.to = Some(key.clone());
            messages.extend(Some(message_of_row(row)?).filter(|message| message.remark.is_none()));
        }
        if found.len() < asked {
            break;
        }
    }
    messages.reverse();
    Ok(messages)
}

/// Journal entries after a sequence, oldest first, at most `limit`.
///
/// # Errors
/// [`RowsError`].
pub fn journal(rows: &dyn Rows, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, RowsError> {
    let range = Range { from: (after + 1).to_be_bytes().to_vec(), to: None };
    let found = rows.scan(Table::Journal, &range, Order::Ascending, limit)?;
    let damaged = || RowsError("a journal row is damaged".to_owned());
    let entry = |(key, row): &(Vec<u8>, Value)| {
        let sequence = u64::from_be_bytes(key.as_slice().try_into().map_err(|_| damaged())?);
        Ok((sequence, minicbor::decode(row).map_err(|_| damaged())?))
    };
    found.iter().map(entry).collect()
}

/// The last journal entry that a consumer said it has.
///
/// # Errors
/// [`RowsError`].
pub fn journal_acked(rows: &dyn Rows) -> Result<u64, RowsError> {
    let acked = rows.get(Table::Meta, b"journal-acked")?;
    Ok(acked.and_then(|row| row.as_slice().try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// Numbers for a status line.
///
/// # Errors
/// [`RowsError`].
pub fn totals(rows: &dyn Rows) -> Result<Totals, RowsError> {
    let mut totals = Totals::default();
    for (_, row) in rows.scan(Table::Outbox, &Range::all(), Order::Ascending, usize::MAX)? {
        totals.waiting += u64::from(OutboxRow::from_row(&row)?.message);
    }
    for (_, row) in rows.scan(Table::Contact, &Range::all(), Order::Ascending, usize::MAX)? {
        totals.unread += Contact::from_row(&row)?.unread;
    }
    Ok(totals)
}

fn load<R: Record>(rows: &dyn Rows, key: &[u8]) -> Result<Option<R>, RowsError> {
    rows.get(R::TABLE, key)?.map(|row| R::from_row(&row)).transpose()
}
