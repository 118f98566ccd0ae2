//! `init`: a profile with its account. The recovery key is printed once and is nowhere afterwards.

use serde_json::json;
use sotto_driver::{
    Admission, Client, Health, Intent, IntentError, NAME_BYTES_MAX, Options, RecoveryKey, RelayAddress, StoreError,
    view,
};

use crate::{
    args::{Globals, Init},
    failure::Failure,
    local,
    output::{Item, Output},
    shape, unlock,
    verb::{profile, relay},
};

/// How long the relay may take to be reached and to make the mailboxes.
const FIRST_CONTACT: std::time::Duration = std::time::Duration::from_secs(15);

pub(crate) async fn run(globals: &Globals, init: Init, output: &mut Output) -> Result<(), Failure> {
    let address = profile::parse_relay(&init.relay)?;
    let proxy = init.proxy.as_deref().map(profile::parse_proxy).transpose()?;
    if let Some(text) = &init.admit {
        relay::check_relay(&relay::parse_credential(text)?, &address)?;
    }
    // Before anything is made: a refusal leaves no half profile behind.
    if init.name.is_empty() || init.name.len() > NAME_BYTES_MAX {
        return Err((&IntentError::Name).into());
    }
    let options = Options { profile: globals.profile()?, network: !globals.offline };
    let (client, recovery) = match unlock::create(globals, &options) {
        Err(failure) if failure.kind == StoreError::AlreadyExists.kind() => finish_or_refuse(globals, &options).await?,
        other => other?,
    };
    if let Some(proxy) = proxy {
        // Before there is a relay to dial.
        client.intent(Intent::SetProxy { proxy }).await?;
    }
    if let Some(credential) = init.admit {
        // Before the relay is asked for anything.
        client.intent(Intent::Admit { credential }).await?;
    }
    let made = make(&client, &options, &init.name, address, &recovery, output).await;
    client.close().await;
    made
}

/// A profile that is there already but has no account is one whose making was cut short: go on with it.
async fn finish_or_refuse(globals: &Globals, options: &Options) -> Result<(Client, RecoveryKey), Failure> {
    let local = Options { network: false, ..options.clone() };
    let client = unlock::open(globals, &local)?;
    let account = client.view(|rows| view::account(rows));
    client.close().await;
    match account? {
        Some(_) => Err((&StoreError::AlreadyExists).into()),
        None => unlock::open_unfinished(globals, options),
    }
}

async fn make(
    client: &Client,
    options: &Options,
    name: &str,
    relay: RelayAddress,
    recovery: &RecoveryKey,
    output: &mut Output,
) -> Result<(), Failure> {
    client.intent(Intent::CreateProfile { name: name.to_owned(), relay: relay.clone() }).await?;
    let health = if options.network { Some(local::caught_up(client, FIRST_CONTACT).await) } else { None };
    let online = health.as_ref().is_some_and(Health::online);
    let admission = client.view(|rows| view::admissions(rows))?.first().map_or(Admission::Open, |view| view.state);
    let key = recovery.to_text();
    let json = json!({
        "profile": options.profile.to_string_lossy(),
        "name": name,
        "relay": relay.to_string(),
        "recovery_key": *key,
        "online": online,
        "admission": shape::admission(admission),
    });
    let human = format!(
        "Welcome, {name}. Your profile is made.\n\n\
         Recovery key, shown this once. Write it down and keep it apart:\n{}\n\n\
         Next: sotto-cli invite",
        *key
    );
    output.item(Item::result(json, &human, &key)).await?;
    match health {
        Some(Health { storage: Some(error), .. }) => Err(error.into()),
        Some(health) if !online => {
            let hint = "The profile is made and kept; its mailboxes follow when the relay can be reached. \
                        Was the address mistyped, remove the profile's folder and start again.";
            Err(Failure::network(health.relays.get(relay.identity()), hint))
        }
        // The profile is made and kept; without a mailbox nobody reaches it.
        Some(_) | None => relay::failure(admission).map_or(Ok(()), Err),
    }
}
