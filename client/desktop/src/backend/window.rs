//! The window of rows over the open conversation: about 200 around what is looked at, read anew when something changed.
//!
//! Rows on the screen stay in it whatever arrives: it moves when the view asks, and follows the newest message only where the
//! view is at the end.

use std::{collections::BTreeMap, sync::Arc};

use sotto_driver::{
    Client, ClientError, ContactId, ContentId, MessageStatus, MessageView, Remark,
    view::{self, Stretch},
};

use crate::view::{Anchor, Row, RowKind, Timeline};

/// Rows of a fresh window.
const ROWS: usize = 200;
/// Rows that are kept on the side one comes from.
const BEHIND: usize = 100;
/// Rows that are read on the side one goes to.
const AHEAD: usize = 150;
/// Rows before the first unread one, for context.
const CONTEXT: usize = 60;
/// A window that grew by arrivals to this many begins anew.
const ROWS_MAX: usize = 400;

/// The window of one conversation.
pub(super) struct Window {
    chat: ContactId,
    rows: Arc<Vec<Row>>,
    at_start: bool,
    at_end: bool,
    /// Whether one came to the end last, and not away from it.
    following: bool,
    unread: Option<(ContentId, u64)>,
    look_at: (u64, Anchor),
}

impl Window {
    /// Opens a conversation: at its unread line, or at its end.
    pub(super) fn open(client: &Client, chat: ContactId, unread: u64, wish: u64) -> Result<Self, ClientError> {
        let (stretch, first) = client.view(|rows| {
            let first = if unread > 0 { view::first_unread(rows, &chat)? } else { None };
            let found = match &first {
                Some(first) => view::around(rows, &chat, first, CONTEXT, ROWS - CONTEXT)?,
                None => None,
            };
            Ok(match found {
                Some(stretch) => (stretch, first),
                None => (view::newest(rows, &chat, ROWS)?, None),
            })
        })?;
        let anchor = first.map_or(Anchor::Newest, Anchor::Around);
        let mut window = Self {
            chat,
            rows: Arc::default(),
            at_start: true,
            at_end: true,
            following: first.is_none(),
            unread: first.map(|first| (first, unread)),
            look_at: (wish, anchor),
        };
        window.show(stretch);
        Ok(window)
    }

    pub(super) const fn chat(&self) -> ContactId {
        self.chat
    }

    /// The number of the last wish where to look.
    pub(super) const fn wish(&self) -> u64 {
        self.look_at.0
    }

    pub(super) const fn at_end(&self) -> bool {
        self.at_end
    }

    /// Moves the window; an anchor that is not of this conversation changes nothing.
    pub(super) fn go(&mut self, client: &Client, anchor: Anchor) -> Result<(), ClientError> {
        let chat = self.chat;
        let stretch = client.view(|rows| match &anchor {
            Anchor::Newest => view::newest(rows, &chat, ROWS).map(Some),
            Anchor::Around(id) => view::around(rows, &chat, id, ROWS / 2, ROWS / 2),
            Anchor::Before(id) => view::around(rows, &chat, id, AHEAD, BEHIND),
            Anchor::After(id) => view::around(rows, &chat, id, BEHIND, AHEAD),
        })?;
        let Some(stretch) = stretch else { return Ok(()) };
        self.following = match anchor {
            Anchor::Newest | Anchor::After(_) => true,
            Anchor::Around(_) | Anchor::Before(_) => false,
        };
        if matches!(anchor, Anchor::Newest | Anchor::Around(_)) {
            self.look_at = (self.look_at.0 + 1, anchor);
        }
        self.show(stretch);
        Ok(())
    }

    /// Reads the same rows again, and what was added to them.
    pub(super) fn refresh(&mut self, client: &Client) -> Result<(), ClientError> {
        let chat = self.chat;
        let ends = self.rows.first().zip(self.rows.last()).map(|(first, last)| (first.id, last.id));
        let (at_end, following) = (self.at_end, self.following);
        let stretch = client.view(|rows| {
            let Some((first, last)) = ends else { return view::newest(rows, &chat, ROWS) };
            let last = if at_end { None } else { Some(&last) };
            match view::between(rows, &chat, &first, last, ROWS_MAX)? {
                // It grew far: who is at the end stays there, who reads above it keeps the rows.
                Some(stretch) if at_end && !stretch.at_end && following => view::newest(rows, &chat, ROWS),
                Some(stretch) => Ok(stretch),
                None => view::newest(rows, &chat, ROWS),
            }
        })?;
        self.show(stretch);
        Ok(())
    }

    /// What the view draws.
    pub(super) fn timeline(&self) -> Timeline {
        Timeline {
            chat: self.chat,
            rows: Arc::clone(&self.rows),
            at_start: self.at_start,
            at_end: self.at_end,
            unread: self.unread,
            look_at: self.look_at,
        }
    }

    /// Takes messages over; what did not change keeps its revision and its text.
    fn show(&mut self, stretch: Stretch) {
        let Stretch { messages, at_start, at_end } = stretch;
        let known: BTreeMap<ContentId, &Row> = self.rows.iter().map(|row| (row.id, row)).collect();
        let rows = messages.into_iter().map(|message| row(message, &known)).collect();
        self.rows = Arc::new(rows);
        (self.at_start, self.at_end) = (at_start, at_end);
    }
}

fn row(message: MessageView, known: &BTreeMap<ContentId, &Row>) -> Row {
    let MessageView { id, time, status, text, remark, .. } = message;
    let before = known.get(&id);
    let kind = match (remark, before.map(|row| &row.kind)) {
        (Some(remark), _) => RowKind::Notice(notice(remark).to_owned()),
        (None, Some(RowKind::Message { text: same, .. })) if **same == *text => message_kind(status, Arc::clone(same)),
        (None, _) => message_kind(status, text.into()),
    };
    let revision = before.map_or(0, |row| row.revision + u32::from(row.kind != kind));
    Row { id, revision, time: time.millis(), kind }
}

fn message_kind(status: MessageStatus, text: Arc<str>) -> RowKind {
    RowKind::Message { own: status != MessageStatus::Received, status, text }
}

/// What a quiet line says.
const fn notice(remark: Remark) -> &'static str {
    match remark {
        Remark::DevicesChanged => "They use another set of devices now.",
        Remark::IdentityConflict => "Their devices contradict what was known: someone else may have their account.",
        Remark::SessionRepaired => "The encryption repaired itself. Nothing needs doing.",
        Remark::CopyNoticed => "A copy of this profile was used elsewhere, so the keys were made anew.",
        Remark::Verified => "You compared the safety number, and it matched.",
        Remark::IdentityAccepted => "You went on with their changed identity. It is not verified.",
        Remark::AnotherPerson => "A link that should have led to them led to someone else.",
    }
}
