//! `requests`: who asks to connect, and what you say to it.

use serde_json::json;
use sotto_driver::{ContactState, ContactView, Intent};

use super::Session;
use crate::{
    args::Requests,
    failure::{Code, Failure},
    find,
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, requests: &Requests, output: &mut Output) -> Result<(), Failure> {
    match requests {
        Requests::List => list(session, output).await,
        Requests::Accept(who) => {
            let contact = request(session, &who.id)?;
            session.intent(Intent::Accept { contact: contact.id }).await?;
            tell(session, &contact, "You are connected with", output).await
        }
        Requests::Decline(who) => {
            let contact = request(session, &who.id)?;
            session.intent(Intent::Decline { contact: contact.id }).await?;
            tell(session, &contact, "You declined, and nobody is told:", output).await
        }
    }
}

async fn list(session: &Session<'_>, output: &mut Output) -> Result<(), Failure> {
    for contact in incoming(session)? {
        let id = shape::contact_id(&contact.id);
        let mut json = json!({ "id": id, "name": contact.name });
        let mut human = format!("{}  {}", &id[..8], shape::name_or_id(&contact));
        if let Some(text) = &contact.request_text {
            json["text"] = text.clone().into();
            human = format!("{human}: {text}");
        }
        output.item(Item::line(json, &human)).await?;
    }
    Ok(())
}

fn incoming(session: &Session<'_>) -> Result<Vec<ContactView>, Failure> {
    let mut contacts = session.contacts()?;
    contacts.retain(|contact| contact.state == ContactState::Incoming);
    Ok(contacts)
}

fn request(session: &Session<'_>, who: &str) -> Result<ContactView, Failure> {
    match find::contact(incoming(session)?, who) {
        Err(failure) if failure.code == Code::NotFound => {
            Err(Failure::new(Code::NotFound, "no_such_request", "There is no such request.", "See requests list."))
        }
        other => other,
    }
}

async fn tell(
    session: &Session<'_>,
    contact: &ContactView,
    sentence: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let contact = session.contact(&contact.id)?;
    let json = json!({
        "contact": shape::contact_id(&contact.id),
        "name": contact.name,
        "state": shape::state(contact.state),
    });
    output.item(Item::remark(json, &format!("{sentence} {}.", shape::name_or_id(&contact)))).await
}
