//! `relay`: how you stand with your relays, and the credential for one that asks for it.

use std::time::Duration;

use serde_json::{Value, json};
use sotto_driver::{Admission, AdmissionView, Credential, Intent, IntentError, RelayAddress, RelayIdentity, view};
use tokio::time::Instant;

use super::{Session, wait_for};
use crate::{
    args::{Admit, Relay},
    failure::{Code, Failure, sentence},
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, relay: &Relay, output: &mut Output) -> Result<(), Failure> {
    match relay {
        Relay::Show => show(session, output).await,
        Relay::Admit(admit) => run_admit(session, admit, output).await,
    }
}

/// A credential as it is typed.
pub(crate) fn parse_credential(text: &str) -> Result<Credential, Failure> {
    Credential::read(text).map_err(|_| (&IntentError::Credential).into())
}

/// A credential for a relay that is being moved to.
pub(crate) fn check_relay(credential: &Credential, relay: &RelayAddress) -> Result<(), Failure> {
    if credential.relay() == relay.identity() { Ok(()) } else { Err((&IntentError::CredentialElsewhere).into()) }
}

async fn show(session: &Session<'_>, output: &mut Output) -> Result<(), Failure> {
    session.account()?;
    for admission in session.client.view(|rows| view::admissions(rows))? {
        let AdmissionView { relay, state, tokens, waiting } = &admission;
        let mut human = format!("{relay}\n{}", sentence(state));
        if *state != Admission::Open {
            human = format!("{human} Tokens left: {tokens}; mailboxes that wait: {waiting}.");
        }
        output.item(Item::line(item(&admission), &human)).await?;
    }
    Ok(())
}

async fn run_admit(session: &Session<'_>, admit: &Admit, output: &mut Output) -> Result<(), Failure> {
    let text = admit.credential.as_deref().unwrap_or_default();
    let relay = *parse_credential(text)?.relay();
    // Before the intent, so that no change falls between the two.
    let mut changes = session.client.changes();
    session.intent(Intent::Admit { credential: text.to_owned() }).await?;
    let deadline = Instant::now() + Duration::from_secs(if session.network { admit.timeout } else { 0 });
    let decided = || Ok(admission(session, &relay)?.filter(|admission| is_decided(admission.state)));
    wait_for(&mut changes, deadline, decided).await?;
    let Some(admission) = admission(session, &relay)? else { return Ok(()) };
    output.item(Item::line(item(&admission), &sentence(&admission.state))).await?;
    match failure(admission.state) {
        Some(failure) => Err(failure),
        None if is_decided(admission.state) || !session.network => Ok(()),
        None => {
            let hint = "The credential is kept and shown when the relay can be reached.";
            Err(Failure::new(Code::Timeout, "timeout", "The relay has not answered yet.", hint))
        }
    }
}

fn admission(session: &Session<'_>, relay: &RelayIdentity) -> Result<Option<AdmissionView>, Failure> {
    let admissions = session.client.view(|rows| view::admissions(rows))?;
    Ok(admissions.into_iter().find(|admission| admission.relay.identity() == relay))
}

const fn is_decided(state: Admission) -> bool {
    !matches!(state, Admission::Asking | Admission::Busy)
}

/// What keeps mailboxes from being made, if something does.
pub(crate) fn failure(state: Admission) -> Option<Failure> {
    match state {
        Admission::Open | Admission::Asking | Admission::Admitted | Admission::Busy => None,
        Admission::NeedsCredential
        | Admission::Refused
        | Admission::UsedUp
        | Admission::Ended
        | Admission::KeysDiffer => {
            let hint = "Give it with: sotto-cli relay admit -";
            let hint = if state == Admission::KeysDiffer { "" } else { hint };
            Some(Failure::user(shape::admission(state), &sentence(&state), hint))
        }
    }
}

fn item(admission: &AdmissionView) -> Value {
    let AdmissionView { relay, state, tokens, waiting } = admission;
    json!({
        "relay": relay.to_string(),
        "admission": shape::admission(*state),
        "detail": sentence(state),
        "tokens": tokens,
        "waiting": waiting,
    })
}
