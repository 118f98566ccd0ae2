//! `status`: who you are, whether you are online, what waits.

use serde_json::json;
use sotto_driver::view;

use super::{Session, relay};
use crate::{
    failure::{Failure, sentence},
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, output: &mut Output) -> Result<(), Failure> {
    let account = session.account()?;
    let totals = session.client.view(|rows| view::totals(rows))?;
    let health = session.client.health().borrow().clone();
    let online = health.online();
    let problem = health.problem().filter(|_| !online).map(|problem| sentence(&problem));
    let proxy = session.client.view(|rows| view::proxy(rows))?.map(|proxy| proxy.to_string());
    let admissions = session.client.view(|rows| view::admissions(rows))?;
    let hindered = admissions.iter().filter(|admission| relay::failure(admission.state).is_some());
    let hindered: String = hindered.map(|admission| format!("\n{}", sentence(&admission.state))).collect();
    let json = json!({
        "profile": session.profile.to_string_lossy(),
        "id": shape::contact_id(&account.root),
        "name": account.name,
        "relay": account.relay.to_string(),
        "second_relay": account.second.as_ref().map(ToString::to_string),
        "proxy": proxy,
        "online": online,
        "waiting": totals.waiting,
        "unread": totals.unread,
        "problem": problem,
        "admission": admissions.first().map(|admission| shape::admission(admission.state)),
    });
    let standing = match (&problem, online) {
        (_, true) => "online".to_owned(),
        (Some(problem), false) => format!("offline. {problem}"),
        (None, false) => "offline".to_owned(),
    };
    let both = account.second.map(|second| format!("\nSecond relay: {second}")).unwrap_or_default();
    let through = proxy.map(|proxy| format!("\nProxy: {proxy}")).unwrap_or_default();
    let human = format!(
        "{}, {standing}\n{} waiting to be delivered, {} unread\nRelay: {}{both}{through}{hindered}",
        account.name, totals.waiting, totals.unread, account.relay
    );
    output.item(Item::line(json, &human)).await
}
