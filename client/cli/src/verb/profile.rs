//! `profile`: what is set for this profile, and setting it.

use serde_json::json;
use sotto_driver::{AccountView, Intent, ProxyAddress, view};

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
        Profile::Set(ProfileSet { proxy }) => {
            session.intent(Intent::SetProxy { proxy: parse_proxy(proxy)? }).await?;
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

async fn show(session: &Session<'_>, output: &mut Output) -> Result<(), Failure> {
    let AccountView { root, name, relay, .. } = session.account()?;
    let proxy = session.client.view(|rows| view::proxy(rows))?.map(|proxy| proxy.to_string());
    let human = format!("{name}\nRelay: {relay}\nProxy: {}", proxy.as_deref().unwrap_or(NONE));
    let json = json!({
        "profile": session.profile.to_string_lossy(),
        "id": shape::contact_id(&root),
        "name": name,
        "relay": relay.to_string(),
        "proxy": proxy,
    });
    output.item(Item::line(json, &human)).await
}
