//! `profile`: what is set for this profile, and setting it.

use serde_json::json;
use sotto_driver::{AccountView, Intent, ProxyAddress, RelayAddress, view};

use super::Session;
use crate::{
    args::{Profile, ProfileSet},
    failure::{Failure, sentence},
    output::{Item, Output},
    shape,
};

/// What stands for no proxy.
const NONE: &str = "none";

pub(super) async fn run(session: &Session<'_>, profile: &Profile, output: &mut Output) -> Result<(), Failure> {
    match profile {
        Profile::Show => {}
        Profile::Set(ProfileSet { proxy, relays }) => {
            // All are read before any is set: a mistyped one changes nothing.
            let proxy = proxy.as_deref().map(parse_proxy).transpose()?;
            let relays = relays.iter().map(|relay| parse_relay(relay)).collect::<Result<Vec<_>, _>>()?;
            if !relays.is_empty() {
                session.intent(Intent::SetRelays { relays }).await?;
            }
            if let Some(proxy) = proxy {
                session.intent(Intent::SetProxy { proxy }).await?;
            }
        }
    }
    show(session, output).await
}

/// A proxy as it is typed.
pub(crate) fn parse_proxy(text: &str) -> Result<Option<ProxyAddress>, Failure> {
    if text == NONE {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| {
        Failure::user("wrong_proxy", &sentence(&error), "Tor's own is socks5://127.0.0.1:9050; none is for no proxy.")
    })
}

/// A relay's address as it is typed.
pub(crate) fn parse_relay(text: &str) -> Result<RelayAddress, Failure> {
    text.parse().map_err(|error| {
        Failure::user("wrong_address", &sentence(&error), "Copy the whole line that the relay's host gave you.")
    })
}

async fn show(session: &Session<'_>, output: &mut Output) -> Result<(), Failure> {
    let AccountView { root, name, relay, second } = session.account()?;
    let second = second.map(|relay| relay.to_string());
    let proxy = session.client.view(|rows| view::proxy(rows))?.map(|proxy| proxy.to_string());
    let both = second.as_ref().map(|second| format!("\nSecond relay: {second}")).unwrap_or_default();
    let human = format!("{name}\nRelay: {relay}{both}\nProxy: {}", proxy.as_deref().unwrap_or(NONE));
    let json = json!({
        "profile": session.profile.to_string_lossy(),
        "id": shape::contact_id(&root),
        "name": name,
        "relay": relay.to_string(),
        "second_relay": second,
        "proxy": proxy,
    });
    output.item(Item::line(json, &human)).await
}
