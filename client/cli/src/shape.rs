//! JSON shapes, and how ids and times are written. Shapes only ever gain keys.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sotto_driver::{
    AccountView, Admission, ContactId, ContactState, ContactView, ContentId, HoldReason, MessageStatus, MessageView,
};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// RFC 3339 in UTC, to the millisecond.
const RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// For people.
const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

pub(crate) fn contact_id(id: &ContactId) -> String {
    HEXLOWER.encode(id.as_bytes())
}

pub(crate) fn content_id(id: &ContentId) -> String {
    HEXLOWER.encode(id.as_bytes())
}

/// A content id from its hex form.
pub(crate) fn parse_content_id(text: &str) -> Option<ContentId> {
    let bytes = HEXLOWER.decode(text.trim().to_ascii_lowercase().as_bytes()).ok()?;
    ContentId::try_from(bytes.as_slice()).ok()
}

/// Unix milliseconds as RFC 3339.
pub(crate) fn time(millis: u64) -> String {
    format(millis, RFC3339)
}

/// Unix milliseconds for people, in UTC.
pub(crate) fn clock(millis: u64) -> String {
    format(millis, CLOCK)
}

fn format(millis: u64, form: &[BorrowedFormatItem<'_>]) -> String {
    // A peer's clock may say anything; a time no calendar has is written as its beginning.
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(form).unwrap_or_default()
}

pub(crate) const fn state(state: ContactState) -> &'static str {
    match state {
        ContactState::Connecting => "connecting",
        ContactState::Requested => "requested",
        ContactState::Incoming => "incoming",
        ContactState::Connected => "connected",
        ContactState::Declined => "declined",
        ContactState::Blocked => "blocked",
        ContactState::LinkDead => "link_dead",
        ContactState::Unreachable => "unreachable",
        ContactState::LinkForged => "link_forged",
    }
}

pub(crate) const fn status(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Queued => "queued",
        MessageStatus::Sent => "sent",
        MessageStatus::Delivered => "delivered",
        MessageStatus::Read => "read",
        MessageStatus::Received => "received",
    }
}

/// How one stands with a relay.
pub(crate) const fn admission(admission: Admission) -> &'static str {
    match admission {
        Admission::Open => "open",
        Admission::NeedsCredential => "needs_credential",
        Admission::Asking => "asking",
        Admission::Admitted => "admitted",
        Admission::Refused => "credential_refused",
        Admission::UsedUp => "credential_used_up",
        Admission::Ended => "credential_ended",
        Admission::Busy => "relay_busy",
        Admission::KeysDiffer => "keys_differ",
    }
}

/// Why nothing leaves for a contact until the person chooses.
pub(crate) const fn held(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::IdentityConflict => "identity_conflict",
        HoldReason::AnotherPerson => "another_person",
    }
}

pub(crate) fn contact(contact: &ContactView) -> Value {
    json!({
        "id": contact_id(&contact.id),
        "name": contact.name,
        "verified": contact.verified,
        "safety_number": contact.safety_number,
        "state": state(contact.state),
        "unread": contact.unread,
        "held": contact.held.map(held),
    })
}

/// Who wrote or did something.
pub(crate) struct Person<'a> {
    pub(crate) id: &'a ContactId,
    pub(crate) name: &'a str,
    pub(crate) verified: bool,
}

impl<'a> Person<'a> {
    pub(crate) fn of(contact: &'a ContactView) -> Self {
        Self { id: &contact.id, name: &contact.name, verified: contact.verified }
    }

    /// The account's owner is who they are.
    pub(crate) fn own(account: &'a AccountView) -> Self {
        Self { id: &account.root, name: &account.name, verified: true }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "id": contact_id(self.id), "name": self.name, "verified": self.verified })
    }
}

/// A message in the shape of an event.
pub(crate) fn message(message: &MessageView, from: &Person<'_>) -> Value {
    json!({
        "id": content_id(&message.id),
        "chat": contact_id(&message.chat),
        "from": from.json(),
        "time": time(message.time.millis()),
        "status": status(message.status),
        "body": { "text": message.text },
        "reactions": [],
    })
}

/// A name, or what stands for one that is not known yet.
pub(crate) fn name_or_id(contact: &ContactView) -> String {
    if contact.name.is_empty() { contact_id(&contact.id)[..8].to_owned() } else { contact.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_whatever_a_clock_says() {
        assert_eq!(time(1_767_225_600_042), "2026-01-01T00:00:00.042Z");
        assert_eq!(time(u64::MAX), "1970-01-01T00:00:00.000Z");
        assert_eq!(clock(1_767_225_600_042), "2026-01-01 00:00");
    }

    #[test]
    fn a_content_id_reads_back() {
        let id = ContentId::from([0xab; 16]);
        assert_eq!(parse_content_id(&content_id(&id)), Some(id));
        assert_eq!(parse_content_id("abcd"), None);
    }
}
