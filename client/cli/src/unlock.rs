//! How a profile is opened: a passphrase file if one is given, else the system's keyring, else `SOTTO_PASSPHRASE`, else
//! a question on the terminal. Wherever a passphrase is read, a recovery key does as well.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::Path,
};

use sotto_driver::{Client, ClientError, Options, Passphrase, RecoveryKey, SlotKind, Store, StoreError, Unlock};
use zeroize::Zeroizing;

use crate::{
    args::Globals,
    failure::{Code, Failure},
};

/// The environment's passphrase.
const VARIABLE: &str = "SOTTO_PASSPHRASE";

/// Opens a profile with whatever is at hand.
pub(crate) fn open(globals: &Globals, options: &Options) -> Result<Client, Failure> {
    open_with(globals, &options.profile, |unlock| Client::open(options, unlock))
}

/// Opens a profile whose account was never made, with a new recovery key.
pub(crate) fn open_unfinished(globals: &Globals, options: &Options) -> Result<(Client, RecoveryKey), Failure> {
    open_with(globals, &options.profile, |unlock| Client::open_unfinished(options, unlock))
}

fn open_with<T>(
    globals: &Globals,
    profile: &Path,
    open: impl Fn(&Unlock) -> Result<T, ClientError>,
) -> Result<T, Failure> {
    let slots = Store::slots(profile).map_err(|error| Failure::from(&error))?;
    if globals.passphrase_file.is_none() && slots.contains(&SlotKind::Keyring) {
        match open(&Unlock::Keyring) {
            Err(ClientError::Store(error)) if keyring_failed(&error) && slots.len() > 1 => {}
            other => return Ok(other?),
        }
    }
    let text = match given(globals)? {
        Some(text) => text,
        None => ask("Passphrase: ")?,
    };
    Ok(open(&unlock_with(text))?)
}

/// Creates a profile.
pub(crate) fn create(globals: &Globals, options: &Options) -> Result<(Client, RecoveryKey), Failure> {
    if globals.passphrase_file.is_none() {
        match Client::create(options, &Unlock::Keyring) {
            Err(ClientError::Store(error)) if keyring_failed(&error) => {}
            other => return Ok(other?),
        }
    }
    let text = match given(globals)? {
        Some(text) => text,
        None => ask_twice()?,
    };
    if text.is_empty() {
        return Err(Failure::user(
            "empty_passphrase",
            "The passphrase is empty.",
            "Several words that belong together nowhere are a good one.",
        ));
    }
    Ok(Client::create(options, &Unlock::Passphrase(Passphrase::new(text.to_string())))?)
}

fn keyring_failed(error: &StoreError) -> bool {
    matches!(error, StoreError::KeyringUnavailable | StoreError::KeyringLost)
}

fn unlock_with(text: Zeroizing<String>) -> Unlock {
    match RecoveryKey::parse(&text) {
        Ok(key) => Unlock::Recovery(key),
        Err(_) => Unlock::Passphrase(Passphrase::new(text.to_string())),
    }
}

/// The passphrase that needs no question.
fn given(globals: &Globals) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = &globals.passphrase_file {
        let unreadable = |error: io::Error| {
            Failure::new(
                Code::User,
                "passphrase_file",
                format!("The passphrase file could not be read ({}).", error.kind()),
                "Check the path after --passphrase-file.",
            )
        };
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        return Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())));
    }
    Ok(std::env::var(VARIABLE).ok().map(Zeroizing::new))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        let hint = "Give --passphrase-file F, set SOTTO_PASSPHRASE, or run it in a terminal.";
        return Err(Failure::new(
            Code::Locked,
            "no_passphrase",
            "The profile is locked with a passphrase, and there is nobody to ask for it.",
            hint,
        ));
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| Failure::internal(&error))
}

fn ask_twice() -> Result<Zeroizing<String>, Failure> {
    let first = ask("A passphrase for this profile: ")?;
    if *first == *ask("The same again: ")? {
        Ok(first)
    } else {
        Err(Failure::user("passphrases_differ", "The two passphrases differ. Nothing was made.", "Try again."))
    }
}
