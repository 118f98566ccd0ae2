//! `connect`: ask the owner of a link.

use std::time::Duration;

use serde_json::json;
use sotto_driver::{ContactState, ContactView, Health, Intent, Link, Outcome, RelayIdentity, RelayState};
use tokio::time::Instant;

use super::{Session, wait_for};
use crate::{
    args::Connect,
    failure::{Code, Failure, sentence},
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, connect: &Connect, output: &mut Output) -> Result<(), Failure> {
    session.account()?;
    let link = parse_link(&connect.link)?;
    let relay = *link.relay.identity();
    let mut changes = session.client.changes();
    let intent = Intent::Connect { link, text: connect.message.clone() };
    let Outcome::Contact(id) = session.intent(intent).await? else {
        return Err(Failure::internal(&"A request to connect was answered with something else."));
    };
    if session.network {
        session.client.hurry().await;
        let deadline = Instant::now() + Duration::from_secs(connect.timeout);
        let decided = || Ok(Some(session.contact(&id)?).filter(|contact| contact.state != ContactState::Connecting));
        // What came of it is looked at below, however it ended.
        tokio::select! {
            decided = wait_for(&mut changes, deadline, decided) => drop(decided?),
            () = out_of_reach(session, &relay, deadline) => {}
        }
    }
    let contact = session.contact(&id)?;
    output.item(item(&contact)).await?;
    verdict(session, &contact, &relay)
}

/// A link as it is typed.
pub(super) fn parse_link(text: &str) -> Result<Link, Failure> {
    text.parse().map_err(|error| Failure::user("wrong_link", &sentence(&error), ""))
}

/// Resolves once the link's relay turned out to be out of reach; never, if it is in reach.
async fn out_of_reach(session: &Session<'_>, relay: &RelayIdentity, deadline: Instant) {
    let patience = deadline.saturating_duration_since(Instant::now());
    let gone =
        |health: &Health| matches!(health.relays.get(relay), Some(RelayState::Offline(_) | RelayState::Refused(_)));
    if !session.client.wait_until(patience, gone).await.1 {
        std::future::pending::<()>().await;
    }
}

/// Whether the request was made, and if not, whose doing that is.
fn verdict(session: &Session<'_>, contact: &ContactView, relay: &RelayIdentity) -> Result<(), Failure> {
    let kept = "The request is kept and made when the relay can be reached.";
    match contact.state {
        ContactState::LinkDead => {
            let error = "This link leads nowhere: it was used up, reset or switched off.";
            Err(Failure::new(Code::NotFound, "link_dead", error, "Ask for a new one."))
        }
        ContactState::LinkForged => {
            let error = "What this link leads to was forged or damaged. Nothing was sent.";
            Err(Failure::new(Code::Identity, "link_forged", error, "Ask for a new link over a way you trust."))
        }
        ContactState::Connecting if session.network => match session.client.health().borrow().relays.get(relay) {
            Some(RelayState::Online { .. }) => {
                Err(Failure::new(Code::Timeout, "timeout", "The relay has not answered yet.", kept))
            }
            state => Err(Failure::network(state, kept)),
        },
        ContactState::Connecting
        | ContactState::Requested
        | ContactState::Incoming
        | ContactState::Connected
        | ContactState::Declined
        | ContactState::Blocked
        | ContactState::Unreachable => Ok(()),
    }
}

fn item(contact: &ContactView) -> Item {
    let state = shape::state(contact.state);
    let mut json = json!({ "contact": shape::contact_id(&contact.id), "state": state });
    if !contact.name.is_empty() {
        json["name"] = contact.name.clone().into();
    }
    let name = shape::name_or_id(contact);
    let human = match contact.state {
        ContactState::Connecting => format!("Your request to {name} is kept here, and not made yet."),
        ContactState::Requested => format!("Your request is on its way to {name}. You can talk once they accept."),
        ContactState::Connected => format!("You are connected with {name}."),
        ContactState::Incoming
        | ContactState::Declined
        | ContactState::Blocked
        | ContactState::LinkDead
        | ContactState::Unreachable
        | ContactState::LinkForged => format!("{name}: {state}"),
    };
    Item::result(json, &human, &shape::contact_id(&contact.id))
}
