//! `listen`: events as they happen, from the journal, so that none is missed and each has its cursor; and what is not
//! in the journal, such as going online, at the cursor of the moment.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use sotto_driver::{AccountView, Change, ContactId, ContactState, Happening, Intent, JournalEntry, RelayState, view};
use tokio::sync::{broadcast, mpsc};

use super::Session;
use crate::{
    args::Listen,
    failure::{Failure, sentence as sentence_of},
    output::{Item, Output},
    shape::{self, Person},
};

/// The version of the event's shape.
const EVENT_VERSION: u8 = 1;
/// Journal entries read at once.
const PAGE: usize = 256;

pub(super) async fn run(
    session: &Session<'_>,
    listen: &Listen,
    cursors: &mut mpsc::Receiver<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let account = session.account()?;
    // Before the first look, so that nothing falls between the two.
    let mut changes = session.client.changes();
    let mut listener = Listener {
        session,
        account,
        types: &listen.types,
        after: begin(session, listen).await?,
        synced: false,
        output,
    };
    let mut health = session.client.health();
    loop {
        listener.catch_up().await?;
        listener.tell_synced().await?;
        tokio::select! {
            changed = health.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            change = changes.recv() => match change {
                Ok(change) => listener.passing(&change).await?,
                // What was missed stands in the journal.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
            Some(cursor) = cursors.recv() => {
                if listen.ack {
                    acknowledge(session, parse_cursor(&cursor)?).await?;
                }
            }
        }
    }
}

/// After which sequence to begin.
async fn begin(session: &Session<'_>, listen: &Listen) -> Result<u64, Failure> {
    let since = listen.since.as_deref().map(parse_cursor).transpose()?;
    match (since, listen.ack) {
        (Some(since), true) => acknowledge(session, since).await.map(|()| since),
        (Some(since), false) => Ok(since),
        (None, true) => Ok(session.client.view(|rows| view::journal_acked(rows))?),
        (None, false) => Ok(session.client.journal_end()?),
    }
}

async fn acknowledge(session: &Session<'_>, sequence: u64) -> Result<(), Failure> {
    // What has not happened yet cannot have been processed.
    let sequence = sequence.min(session.client.journal_end()?);
    session.intent(Intent::AckJournal { sequence }).await.map(drop)
}

/// A cursor is the sequence after which one goes on; callers should not build on that.
fn parse_cursor(text: &str) -> Result<u64, Failure> {
    let wrong = || {
        Failure::user(
            "wrong_cursor",
            "This is not a cursor.",
            "Give the cursor of an event as it came, or 0 for all there is.",
        )
    };
    let sequence = text.trim().parse::<u64>().map_err(|_| wrong())?;
    if sequence < u64::MAX { Ok(sequence) } else { Err(wrong()) }
}

struct Listener<'a> {
    session: &'a Session<'a>,
    account: AccountView,
    types: &'a [String],
    after: u64,
    /// Whether it was told that what waited at the relays has come.
    synced: bool,
    output: &'a mut Output,
}

impl Listener<'_> {
    /// Tells what the journal has.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        loop {
            let entries = self.session.client.view(|rows| view::journal(rows, self.after, PAGE))?;
            if entries.is_empty() {
                return Ok(());
            }
            for (sequence, entry) in entries {
                self.after = sequence;
                let (kind, fields) = self.describe(&entry)?;
                self.tell(entry.time, kind, fields).await?;
            }
        }
    }

    /// Tells what passes and is in no journal.
    async fn passing(&mut self, change: &Change) -> Result<(), Failure> {
        let kind = match change {
            Change::Online { .. } => "net.online",
            Change::Offline { .. } => "net.offline",
            Change::RelayRefused { problem, .. } => {
                let fields = Map::from_iter([("problem".to_owned(), Value::from(problem.to_string()))]);
                return self.tell(now(), "net.refused", fields).await;
            }
            Change::CaughtUp { .. } | Change::Answered { .. } | Change::Happened { .. } | Change::Typing { .. } => {
                return Ok(());
            }
        };
        self.tell(now(), kind, Map::new()).await
    }

    /// Tells that what waited has come, once each time it has: from all relays, and for one who begins to listen after it.
    async fn tell_synced(&mut self) -> Result<(), Failure> {
        let synced = self.all_caught_up();
        if synced && !self.synced {
            self.tell(now(), "sync.done", Map::new()).await?;
        }
        self.synced = synced;
        Ok(())
    }

    fn all_caught_up(&self) -> bool {
        let health = self.session.client.health().borrow().clone();
        let online = health.relays.values().any(|state| matches!(state, RelayState::Online { .. }));
        let waiting = |state: &RelayState| match state {
            RelayState::Online { caught_up, unanswered: _ } => !caught_up,
            RelayState::Offline(_) | RelayState::Refused(_) => false,
            RelayState::Dialling | RelayState::Proving => true,
        };
        online && !health.relays.values().any(waiting)
    }

    /// An entry's type and what belongs to it.
    fn describe(&self, entry: &JournalEntry) -> Result<(&'static str, Map<String, Value>), Failure> {
        Ok(match &entry.happening {
            Happening::MessageNew { chat, id } => {
                let message = self.session.client.view(|rows| view::message(rows, id))?;
                let mut fields = about(json!({ "chat": shape::contact_id(chat), "id": shape::content_id(id) }));
                if let Some(message) = message {
                    fields.insert("from".to_owned(), self.person(&message.author)?);
                    fields.insert("status".to_owned(), shape::status(message.status).into());
                    fields.insert("body".to_owned(), json!({ "text": message.text }));
                }
                ("message.new", fields)
            }
            Happening::MessageStatus { chat, id, status } => (
                "message.status",
                about(json!({
                    "chat": shape::contact_id(chat),
                    "id": shape::content_id(id),
                    "status": shape::status(*status),
                })),
            ),
            Happening::Contact { contact, state } => self.contact(contact, *state)?,
            Happening::DevicesChanged { contact } => ("device.changed", self.from(contact)?),
            Happening::IdentityConflict { contact } => ("contact.identity_changed", self.from(contact)?),
            Happening::SessionRepaired { contact } => ("contact.repaired", self.from(contact)?),
            Happening::CopyNoticed { contact: Some(contact) } => ("device.copied", self.from(contact)?),
            Happening::CopyNoticed { contact: None } => ("device.copied", Map::new()),
            Happening::Verified { contact } => ("contact.verified", self.from(contact)?),
            Happening::IdentityAccepted { contact } => ("contact.identity_accepted", self.from(contact)?),
            Happening::AnotherPerson { contact } => ("contact.another_person", self.from(contact)?),
            Happening::Admission { relay, state } => {
                let relays = [Some(&self.account.relay), self.account.second.as_ref()];
                let address = relays.into_iter().flatten().find(|address| address.identity() == relay);
                let fields = json!({
                    "relay": address.map(ToString::to_string),
                    "state": shape::admission(*state),
                    "detail": sentence_of(state),
                });
                ("relay.admission", about(fields))
            }
        })
    }

    fn contact(&self, id: &ContactId, state: ContactState) -> Result<(&'static str, Map<String, Value>), Failure> {
        let kind = match state {
            ContactState::Incoming => "contact.request",
            ContactState::Connected => "contact.connected",
            ContactState::Connecting
            | ContactState::Requested
            | ContactState::Declined
            | ContactState::Blocked
            | ContactState::LinkDead
            | ContactState::Unreachable
            | ContactState::LinkForged => "contact.state",
        };
        let mut fields = self.from(id)?;
        fields.insert("state".to_owned(), shape::state(state).into());
        let request = self.session.client.view(|rows| view::contact(rows, id))?;
        if let (ContactState::Incoming, Some(text)) = (state, request.and_then(|contact| contact.request_text)) {
            fields.insert("body".to_owned(), json!({ "text": text }));
        }
        Ok((kind, fields))
    }

    fn from(&self, contact: &ContactId) -> Result<Map<String, Value>, Failure> {
        Ok(about(json!({ "chat": shape::contact_id(contact), "from": self.person(contact)? })))
    }

    fn person(&self, id: &ContactId) -> Result<Value, Failure> {
        if *id == self.account.root {
            return Ok(Person::own(&self.account).json());
        }
        let contact = self.session.client.view(|rows| view::contact(rows, id))?;
        Ok(contact
            .map_or_else(|| Person { id, name: "", verified: false }.json(), |contact| Person::of(&contact).json()))
    }

    async fn tell(&mut self, time: u64, kind: &str, fields: Map<String, Value>) -> Result<(), Failure> {
        if !self.wanted(kind) {
            return Ok(());
        }
        let mut event = about(json!({
            "v": EVENT_VERSION,
            "seq": self.after,
            "cursor": self.after.to_string(),
            "time": shape::time(time),
            "type": kind,
        }));
        let human = sentence(time, kind, &fields);
        event.extend(fields);
        self.output.item(Item::line(Value::Object(event), &human)).await
    }

    fn wanted(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| fits(wanted, kind))
    }
}

/// `message.new` fits itself, `message.*` and `message` fit every kind of message event.
fn fits(wanted: &str, kind: &str) -> bool {
    let family = wanted.strip_suffix(".*").unwrap_or(wanted);
    kind == wanted || kind.split_once('.').is_some_and(|(first, _)| first == family)
}

fn about(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn sentence(time: u64, kind: &str, fields: &Map<String, Value>) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text(fields.get("from").and_then(|from| from.get("name")));
    let body = text(fields.get("body").and_then(|body| body.get("text")));
    let more = text(fields.get("status").or_else(|| fields.get("state")).filter(|_| body.is_empty()));
    let parts = [shape::clock(time), format!(" {kind}"), name, more, body.replace('\n', "\n    ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Unix milliseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_types_is_asked_for_by_its_name() {
        assert!(
            fits("message.new", "message.new") && fits("message.*", "message.new") && fits("message", "message.new")
        );
        assert!(!fits("message.new", "message.status") && !fits("mess", "message.new") && !fits("", "message.new"));
    }

    #[test]
    fn a_cursor_is_read_strictly() {
        assert_eq!(parse_cursor(" 17\n").unwrap(), 17);
        for wrong in ["", "-1", "x", "18446744073709551615"] {
            assert_eq!(parse_cursor(wrong).unwrap_err().kind, "wrong_cursor");
        }
    }
}
