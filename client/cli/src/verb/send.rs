//! `send`: a message. It is stored before this answers; how far it then came is told, not waited for, unless asked.

use std::time::Duration;

use serde_json::json;
use sotto_driver::{ContactId, ContentId, Intent, MessageStatus, Outcome, view};
use tokio::time::Instant;

use super::{Session, wait_for};
use crate::{
    args::{Send, Wait},
    failure::{Code, Failure},
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, send: &Send, output: &mut Output) -> Result<(), Failure> {
    let contact = session.find(&send.to)?;
    let mut changes = session.client.changes();
    let intent = Intent::Send {
        contact: contact.id,
        text: send.message.clone().unwrap_or_default(),
        idempotency_key: send.idempotency_key.clone(),
    };
    let Outcome::Message { chat, id, status } = session.intent(intent).await? else {
        return Err(Failure::internal(&"A message was answered with something else."));
    };
    let (Some(wait), Some(secs)) = (send.wait, send.timeout) else {
        return output.item(item(&chat, &id, status)).await;
    };
    let target = match wait {
        Wait::Sent => MessageStatus::Sent,
        Wait::Delivered => MessageStatus::Delivered,
    };
    let deadline = Instant::now() + Duration::from_secs(secs);
    let far_enough = || Ok(Some(session.status(&id)?).filter(|status| *status >= target));
    let reached = wait_for(&mut changes, deadline, far_enough).await?;
    output.item(item(&chat, &id, session.status(&id)?)).await?;
    if reached.is_some() {
        return Ok(());
    }
    let error = format!("The message is not {} yet.", shape::status(target));
    let hint = "It is queued and not lost: it goes on by itself whenever Sotto runs.";
    Err(Failure::new(Code::Timeout, "timeout", error, hint))
}

impl Session<'_> {
    fn status(&self, id: &ContentId) -> Result<MessageStatus, Failure> {
        let message = self.client.view(|rows| view::message(rows, id))?;
        Ok(message.map_or(MessageStatus::Queued, |message| message.status))
    }
}

fn item(chat: &ContactId, id: &ContentId, status: MessageStatus) -> Item {
    let (id, status) = (shape::content_id(id), shape::status(status));
    let json = json!({ "id": id, "chat": shape::contact_id(chat), "status": status });
    let human = match status {
        "queued" => "Stored, and on its way.",
        "sent" => "At the relay.",
        "delivered" => "On their device.",
        _ => "Read.",
    };
    Item::remark(json, human)
}
