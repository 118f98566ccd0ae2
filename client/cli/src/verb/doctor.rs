//! `doctor`: looks at everything a person would be asked about, and says what is wrong with it.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sotto_driver::{Client, Health, Options, RelayState, SlotKind, Store, platform, view};

use crate::{
    args::{Globals, Request},
    attach,
    failure::{Code, Failure, sentence},
    output::{Item, Output},
    unlock,
};

/// How long the relay may take to prove its identity.
const PROOF: Duration = Duration::from_secs(15);
/// 2026-01-01: no right clock is before the day this was written.
const CLOCK_FLOOR_SECS: u64 = 1_767_225_600;

/// One thing that was looked at.
struct Check {
    name: &'static str,
    outcome: Result<String, Failure>,
}

pub(crate) async fn run(globals: &Globals, output: &mut Output) -> Result<(), Failure> {
    let profile = globals.profile()?;
    let mut worst = None;
    for check in [folder(&profile), permissions(&profile), locks(&profile), clock()] {
        tell(check, &mut worst, output).await?;
    }
    if attach::reach(&profile).await?.is_some() {
        let check =
            Check { name: "client", outcome: Ok("A client runs and has the profile; it says of itself:".to_owned()) };
        tell(check, &mut worst, output).await?;
        if let Some(stream) = attach::reach(&profile).await? {
            attach::forward(stream, &Request::Status, output).await?;
        }
    } else {
        for check in opened(globals, &profile).await {
            tell(check, &mut worst, output).await?;
        }
    }
    match worst {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

async fn tell(check: Check, worst: &mut Option<Failure>, output: &mut Output) -> Result<(), Failure> {
    let Check { name, outcome } = check;
    let (ok, detail, hint) = match &outcome {
        Ok(detail) => (true, detail.clone(), String::new()),
        Err(failure) => (false, failure.error.clone(), failure.hint.clone()),
    };
    let json: Value = json!({ "check": name, "ok": ok, "detail": detail, "hint": hint });
    let mark = if ok { "ok   " } else { "WRONG" };
    output.item(Item::line(json, format!("{mark} {name}: {detail} {hint}").trim_end())).await?;
    if let Err(failure) = outcome {
        worst.get_or_insert(failure);
    }
    Ok(())
}

fn folder(profile: &Path) -> Check {
    let outcome = match Store::slots(profile) {
        Ok(_) => Ok(profile.to_string_lossy().into_owned()),
        Err(error) => Err(Failure::from(&error)),
    };
    Check { name: "profile", outcome }
}

fn permissions(profile: &Path) -> Check {
    let outcome = match platform::is_private(&profile.join("store")) {
        Ok(true) => Ok("Only you can read it.".to_owned()),
        Ok(false) => Err(Failure::user(
            "not_private",
            "Others on this machine can look into the profile's folder.",
            "chmod -R go= on it helps.",
        )),
        Err(error) => {
            Err(Failure::new(Code::NotFound, "not_found", format!("It cannot be looked at ({}).", error.kind()), ""))
        }
    };
    Check { name: "permissions", outcome }
}

fn locks(profile: &Path) -> Check {
    let name = |kind: &SlotKind| kind.to_string();
    let outcome = match Store::slots(profile) {
        Ok(slots) => Ok(format!("Opens with: {}.", slots.iter().map(name).collect::<Vec<_>>().join(", "))),
        Err(error) => Err(Failure::from(&error)),
    };
    Check { name: "keyring", outcome }
}

fn clock() -> Check {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let outcome = if secs >= CLOCK_FLOOR_SECS {
        Ok("Its date is plausible.".to_owned())
    } else {
        Err(Failure::user(
            "clock",
            "This machine's clock is years behind.",
            "Set it: keys are refused or kept by their dates.",
        ))
    };
    Check { name: "clock", outcome }
}

/// What shows only once the profile is open.
async fn opened(globals: &Globals, profile: &Path) -> Vec<Check> {
    let options = Options { profile: profile.to_owned(), network: !globals.offline };
    let client = match unlock::open(globals, &options) {
        Ok(client) => client,
        Err(failure) => return vec![Check { name: "unlock", outcome: Err(failure) }],
    };
    let mut checks = vec![Check { name: "unlock", outcome: Ok("It opens.".to_owned()) }];
    checks.push(account(&client));
    if options.network {
        checks.push(relay(&client).await);
    }
    client.close().await;
    checks
}

fn account(client: &Client) -> Check {
    let outcome = match client.view(|rows| view::account(rows)) {
        Ok(Some(account)) => Ok(format!("{}, at {}", account.name, account.relay)),
        Ok(None) => Err((&sotto_driver::IntentError::NoProfile).into()),
        Err(error) => Err(error.into()),
    };
    Check { name: "account", outcome }
}

async fn relay(client: &Client) -> Check {
    let decided = |health: &Health| {
        health.storage.is_some()
            || health.started
                && !health.relays.values().any(|state| matches!(state, RelayState::Dialling | RelayState::Proving))
    };
    let (health, _) = client.wait_until(PROOF, decided).await;
    let outcome = match (&health.storage, health.online()) {
        (Some(error), _) => Err(error.clone().into()),
        (None, true) => Ok("Reached, and it proved its identity.".to_owned()),
        (None, false) if health.relays.is_empty() => {
            Err(Failure::new(Code::Network, "unreachable", sentence(&"there is no relay to reach"), ""))
        }
        (None, false) => Err(Failure::network(health.relays.values().next(), "")),
    };
    Check { name: "relay", outcome }
}
