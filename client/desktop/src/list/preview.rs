//! What a row says about a conversation, in one line.

use sotto_driver::{ContactState, MessageStatus};

use crate::view::Conversation;

/// How much a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As usual.
    Plain,
    /// Something happens now.
    Lively,
    /// Of less weight.
    Dim,
    /// Something is wrong.
    Wrong,
}

/// The line, how much it stands out, and how far our own newest message is.
pub(super) fn of(conversation: &Conversation) -> (String, Tone, Option<MessageStatus>) {
    if conversation.held {
        return ("Sending is paused".to_owned(), Tone::Wrong, None);
    }
    if let Some(trouble) = trouble(conversation.state) {
        return (trouble.to_owned(), Tone::Wrong, None);
    }
    if conversation.state == ContactState::Incoming {
        let text = conversation.request_text.as_deref().filter(|text| !text.is_empty());
        return (one_line(text.unwrap_or("Wants to talk to you")), Tone::Lively, None);
    }
    if conversation.typing {
        return ("typing…".to_owned(), Tone::Lively, None);
    }
    if !conversation.draft.trim().is_empty() {
        return (format!("Draft: {}", one_line(&conversation.draft)), Tone::Dim, None);
    }
    match &conversation.last {
        Some(last) => (one_line(&last.text), Tone::Plain, last.status),
        None => (waiting(conversation.state).to_owned(), Tone::Dim, None),
    }
}

/// What a contact's state says where nothing was written yet.
fn waiting(state: ContactState) -> &'static str {
    match state {
        ContactState::Connecting => "Connecting…",
        ContactState::Requested => "Waiting for their answer",
        ContactState::Incoming => "Wants to talk to you",
        ContactState::Connected => "No messages yet",
        ContactState::Declined => "Declined",
        ContactState::Blocked => "Blocked",
        ContactState::LinkDead | ContactState::Unreachable | ContactState::LinkForged => "",
    }
}

fn trouble(state: ContactState) -> Option<&'static str> {
    match state {
        ContactState::LinkDead => Some("Their link leads nowhere any more"),
        ContactState::Unreachable => Some("They cannot be reached any more"),
        ContactState::LinkForged => Some("Their link was forged or damaged"),
        ContactState::Connecting
        | ContactState::Requested
        | ContactState::Incoming
        | ContactState::Connected
        | ContactState::Declined
        | ContactState::Blocked => None,
    }
}

/// The first line that says something, and no more than a row can hold.
fn one_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(CHARS_MAX).collect()
}

/// Wider than any row.
const CHARS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use sotto_driver::ContactId;

    use super::*;
    use crate::view::Last;

    fn conversation() -> Conversation {
        Conversation {
            id: ContactId::from([7; 32]),
            name: "Mira".to_owned(),
            state: ContactState::Connected,
            verified: false,
            held: false,
            offered: None,
            unread: 0,
            last: Some(Last { text: "\n first line\nsecond".to_owned(), time: 0, status: None }),
            draft: String::new(),
            typing: false,
            request_text: None,
            safety_number: String::new(),
        }
    }

    #[test]
    fn a_row_says_the_first_line_that_says_something() {
        assert_eq!(of(&conversation()), (" first line".to_owned(), Tone::Plain, None));
    }

    #[test]
    fn what_is_wrong_comes_before_everything_else() {
        let mut held = conversation();
        (held.held, held.typing) = (true, true);
        assert_eq!(of(&held).1, Tone::Wrong);
        held.held = false;
        assert_eq!(of(&held).0, "typing…");
        held.state = ContactState::LinkDead;
        assert_eq!(of(&held).1, Tone::Wrong);
    }

    #[test]
    fn a_draft_hides_the_newest_message_unless_it_is_blank() {
        let mut drafted = conversation();
        drafted.draft = "  ".to_owned();
        assert_eq!(of(&drafted).1, Tone::Plain);
        drafted.draft = "see you".to_owned();
        assert_eq!(of(&drafted).0, "Draft: see you");
    }
}
