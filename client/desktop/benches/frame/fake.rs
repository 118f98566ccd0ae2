//! A conversation of many messages, and a backend that hands windows of it out: what the window does without a database.

use std::sync::Arc;

use sotto_desktop::{
    action::Action,
    view::{Anchor, Clock, Conversation, Last, Network, Row, RowKind, Stage, Timeline, View},
};
use sotto_driver::{ContactId, ContactState, ContentId, MessageStatus};

/// Wednesday, 15 January 2025, 12:00 UTC.
pub(crate) const NOON: u64 = 1_736_942_400_000;
/// Rows of a window, as the real backend hands them out.
const WINDOW: usize = 200;
const MINUTE: u64 = 60_000;
const CONVERSATIONS: u8 = 50;

/// The fake backend.
pub(crate) struct Fake {
    /// What is drawn.
    pub(crate) view: View,
    count: usize,
    start: usize,
    looks: u64,
}

impl Fake {
    /// A conversation of so many messages, shown from its end.
    pub(crate) fn new(count: usize) -> Self {
        let conversations = (0..CONVERSATIONS).map(|number| conversation(number, count)).collect();
        let view = View {
            stage: Stage::Open,
            conversations: Arc::new(conversations),
            network: Network { online: true, ..Network::default() },
            clock: Clock { now: NOON, fixed_offset: Some(0) },
            ..View::default()
        };
        let mut fake = Self { view, count, start: count.saturating_sub(WINDOW), looks: 0 };
        fake.hand_out(Some(Anchor::Newest));
        fake
    }

    /// Does what the real backend would. Whether the rows are others now.
    pub(crate) fn apply(&mut self, action: &Action) -> bool {
        let Action::MoveWindow(anchor) = action else { return false };
        let half = WINDOW / 2;
        let last = self.count.saturating_sub(WINDOW);
        self.start = match anchor {
            Anchor::Newest => last,
            Anchor::Around(id) | Anchor::Before(id) | Anchor::After(id) => number(*id).saturating_sub(half).min(last),
        };
        self.hand_out((*anchor == Anchor::Newest).then_some(Anchor::Newest));
        true
    }

    fn hand_out(&mut self, look: Option<Anchor>) {
        let end = (self.start + WINDOW).min(self.count);
        let rows = (self.start..end).map(|number| row(number, self.count)).collect();
        self.looks += u64::from(look.is_some());
        let before = self.view.timeline.as_ref().map_or(Anchor::Newest, |timeline| timeline.look_at.1);
        self.view.timeline = Some(Timeline {
            chat: self.view.conversations[0].id,
            rows: Arc::new(rows),
            at_start: self.start == 0,
            at_end: end == self.count,
            unread: None,
            look_at: (self.looks, look.unwrap_or(before)),
        });
    }
}

fn conversation(number: u8, count: usize) -> Conversation {
    let names = ["Mira Oduya", "Tomas Iversen", "Jonah Weiss", "Aunt Béa", "Studio keys"];
    Conversation {
        id: ContactId::from([number; 32]),
        name: names[usize::from(number) % names.len()].to_owned(),
        state: ContactState::Connected,
        verified: number.is_multiple_of(2),
        held: false,
        offered: None,
        unread: if number == 0 { 0 } else { u64::from(number % 4) },
        last: match row(count.saturating_sub(usize::from(number)), count + 1).kind {
            RowKind::Message { text, .. } => {
                let text = text.lines().next().unwrap_or_default().to_owned();
                Some(Last { text, time: NOON - u64::from(number) * 60 * MINUTE, status: None })
            }
            RowKind::Notice(_) => None,
        },
        draft: String::new(),
        typing: false,
        request_text: None,
        safety_number: String::new(),
    }
}

/// A message of the kind people write: mostly short, some long, a few lines, now and then from right to left.
pub(crate) fn row(number: usize, count: usize) -> Row {
    let words = [
        "the",
        "ferry",
        "at",
        "nine",
        "is",
        "late",
        "again",
        "and",
        "I",
        "packed",
        "everything",
        "already,",
        "see",
        "you",
    ];
    let dice = number.wrapping_mul(2_654_435_761) >> 7;
    let length = match dice % 20 {
        0 => 60 + dice % 90,
        1..=4 => 15 + dice % 25,
        _ => 1 + dice % 10,
    };
    let mut text = String::new();
    for word in 0..length {
        let next = if dice.is_multiple_of(53) { "שלום" } else { words[(dice + word * word) % words.len()] };
        text.push_str(next);
        text.push(if word % 31 == 30 { '\n' } else { ' ' });
    }
    let own = dice.is_multiple_of(3);
    let status = if own { MessageStatus::Read } else { MessageStatus::Received };
    let time = NOON - (count - number) as u64 * 7 * MINUTE;
    let text = Arc::from(text.trim_end());
    Row { id: id(number), revision: 0, time, kind: RowKind::Message { own, status, text } }
}

fn id(number: usize) -> ContentId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    ContentId::from(bytes)
}

fn number(id: ContentId) -> usize {
    let bytes: [u8; 8] = id.as_bytes()[..8].try_into().expect("an id has 16 bytes");
    u64::from_be_bytes(bytes) as usize
}
