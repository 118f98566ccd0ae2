//! `history`: a conversation, newest last.

use sotto_driver::{ContentId, Intent, MessageView, view};

use super::Session;
use crate::{
    args::History,
    failure::{Code, Failure},
    output::{Item, Output},
    shape::{self, Person},
};

/// Messages read at once; more are asked for with `--before`.
const LIMIT_MAX: usize = 10_000;

pub(super) async fn run(session: &Session<'_>, history: &History, output: &mut Output) -> Result<(), Failure> {
    let account = session.account()?;
    let contact = session.find(&history.to)?;
    let before = history.before.as_deref().map(|id| message_id(session, id)).transpose()?;
    let limit = history.limit.min(LIMIT_MAX);
    let messages = session.client.view(|rows| view::history(rows, &contact.id, before.as_ref(), limit))?;
    for message in messages {
        let own = message.author == account.root;
        let from = if own { Person::own(&account) } else { Person::of(&contact) };
        let human = line(&message, from.name, own);
        output.item(Item::line(shape::message(&message, &from), &human)).await?;
    }
    if before.is_none() && contact.unread > 0 {
        session.intent(Intent::MarkRead { contact: contact.id }).await?;
    }
    Ok(())
}

fn message_id(session: &Session<'_>, text: &str) -> Result<ContentId, Failure> {
    let unknown = || {
        Failure::new(
            Code::NotFound,
            "no_such_message",
            "There is no such message.",
            "See history for ids, with --json.",
        )
    };
    let id = shape::parse_content_id(text).ok_or_else(unknown)?;
    let message = session.client.view(|rows| view::message(rows, &id))?;
    message.map(|message| message.id).ok_or_else(unknown)
}

fn line(message: &MessageView, name: &str, own: bool) -> String {
    let status = if own { format!(" ({})", shape::status(message.status)) } else { String::new() };
    // A text of several lines stays recognisable as one message.
    let text = message.text.replace('\n', "\n    ");
    format!("{}  {name}{status}: {text}", shape::clock(message.time.millis()))
}
