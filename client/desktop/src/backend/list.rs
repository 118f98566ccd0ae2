//! The conversation list, kept by reading only those conversations that something happened in.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sotto_driver::{
    Client, ClientError, ContactId, ContactState, MessageStatus, MessageView,
    view::{self, ConversationView},
};

use crate::view::{Conversation, Last};

/// Signs of a message that a row of the list can show.
const PREVIEW_CHARS: usize = 120;
/// Who was not heard typing for so long has stopped, or gone.
const TYPING: Duration = Duration::from_secs(8);

/// All conversations.
#[derive(Default)]
pub(super) struct List {
    conversations: BTreeMap<ContactId, Conversation>,
    typing: BTreeMap<ContactId, Instant>,
}

impl List {
    /// Reads all.
    pub(super) fn read(client: &Client) -> Result<Self, ClientError> {
        let found = client.view(|rows| view::conversations(rows))?;
        let conversations = found.into_iter().map(|found| (found.contact.id, conversation(found))).collect();
        Ok(Self { conversations, typing: BTreeMap::new() })
    }

    /// Reads one again.
    pub(super) fn refresh(&mut self, client: &Client, id: &ContactId) -> Result<(), ClientError> {
        let found = client.view(|rows| view::conversation(rows, id))?;
        match found.map(conversation) {
            Some(mut found) => {
                found.typing = self.typing.contains_key(id);
                self.conversations.insert(*id, found);
            }
            None => drop(self.conversations.remove(id)),
        }
        Ok(())
    }

    pub(super) fn get(&self, id: &ContactId) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ContactId) -> Option<&mut Conversation> {
        self.conversations.get_mut(id)
    }

    /// Whether anything was ever said.
    pub(super) fn has_messages(&self) -> bool {
        self.conversations.values().any(|conversation| conversation.last.is_some())
    }

    /// Someone types, or stopped.
    pub(super) fn set_typing(&mut self, id: &ContactId, active: bool, now: Instant) {
        if active {
            self.typing.insert(*id, now + TYPING);
        } else {
            self.typing.remove(id);
        }
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.typing = active;
        }
    }

    /// When the next one is thought to have stopped typing.
    pub(super) fn typing_ends(&self) -> Option<Instant> {
        self.typing.values().min().copied()
    }

    /// Whoever was not heard typing any more has stopped. Says whether there was one.
    pub(super) fn expire_typing(&mut self, now: Instant) -> bool {
        let over: Vec<_> = self.typing.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        over.iter().for_each(|id| self.set_typing(id, false, now));
        !over.is_empty()
    }

    /// What the view draws: requests first, then the newest message first; nobody whom we declined.
    pub(super) fn ordered(&self) -> Arc<Vec<Conversation>> {
        let shown = |conversation: &&Conversation| conversation.state != ContactState::Declined;
        let mut ordered: Vec<_> = self.conversations.values().filter(shown).cloned().collect();
        ordered.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
        Arc::new(ordered)
    }
}

/// Requests wait for an answer; who was never written to is new; who is blocked is of no interest.
fn rank(conversation: &Conversation) -> (u8, std::cmp::Reverse<u64>) {
    let newest = conversation.last.as_ref().map_or(u64::MAX, |last| last.time);
    let group = match conversation.state {
        ContactState::Incoming => 0,
        ContactState::Blocked => 2,
        ContactState::Connecting
        | ContactState::Requested
        | ContactState::Connected
        | ContactState::Declined
        | ContactState::LinkDead
        | ContactState::Unreachable
        | ContactState::LinkForged => 1,
    };
    (group, std::cmp::Reverse(newest))
}

fn conversation(found: ConversationView) -> Conversation {
    let ConversationView { contact, last, draft } = found;
    Conversation {
        id: contact.id,
        name: contact.name,
        state: contact.state,
        verified: contact.verified,
        held: contact.held.is_some(),
        offered: contact.offered,
        unread: contact.unread,
        last: last.map(preview),
        draft,
        typing: false,
        request_text: contact.request_text,
        safety_number: contact.safety_number,
    }
}

fn preview(message: MessageView) -> Last {
    let MessageView { time, status, text, .. } = message;
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Last {
        text: line.chars().take(PREVIEW_CHARS).collect(),
        time: time.millis(),
        status: Some(status).filter(|status| *status != MessageStatus::Received),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(number: u8, state: ContactState, time: Option<u64>) -> Conversation {
        Conversation {
            id: [number; 32].into(),
            name: format!("{number}"),
            state,
            verified: false,
            held: false,
            offered: None,
            unread: 0,
            last: time.map(|time| Last { text: String::new(), time, status: None }),
            draft: String::new(),
            typing: false,
            request_text: None,
            safety_number: String::new(),
        }
    }

    fn list(conversations: impl IntoIterator<Item = Conversation>) -> List {
        let conversations = conversations.into_iter().map(|conversation| (conversation.id, conversation)).collect();
        List { conversations, typing: BTreeMap::new() }
    }

    #[test]
    fn requests_come_first_and_the_declined_not_at_all() {
        let list = list([
            conversation(1, ContactState::Connected, Some(10)),
            conversation(2, ContactState::Connected, Some(20)),
            conversation(3, ContactState::Blocked, Some(30)),
            conversation(4, ContactState::Declined, Some(40)),
            conversation(5, ContactState::Incoming, Some(1)),
            conversation(6, ContactState::Requested, None),
        ]);
        let names: Vec<_> = list.ordered().iter().map(|conversation| conversation.name.clone()).collect();
        assert_eq!(names, ["5", "6", "2", "1", "3"]);
    }

    #[test]
    fn who_is_not_heard_typing_any_more_has_stopped() {
        let mut list = list([conversation(1, ContactState::Connected, None)]);
        let (id, now) = ([1; 32].into(), Instant::now());
        list.set_typing(&id, true, now);
        assert!(!list.expire_typing(now) && list.get(&id).unwrap().typing);
        let end = list.typing_ends().unwrap();
        assert!(list.expire_typing(end) && !list.get(&id).unwrap().typing && list.typing_ends().is_none());
    }
}
