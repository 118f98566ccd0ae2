//! Why a verb failed: a sentence, a word for programs, what to do, and the exit code.

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use sotto_driver::{ClientError, IntentError, NetError, RelayState, StoreError};

/// The exit codes. They stay the same between versions.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// Nothing went wrong; the reader is gone.
    Gone,
    /// What was asked does not fit.
    User,
    /// A disk, a damaged file, a fault of ours.
    Internal,
    /// No relay in reach.
    Network,
    /// Someone is not who they were, or who they should be.
    Identity,
    /// Too much at once.
    RateLimited,
    /// No such profile, contact, message.
    NotFound,
    /// The profile does not open.
    Locked,
    /// It is queued, and took longer than one wanted to wait.
    Timeout,
    /// Another process has the profile.
    InUse,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Gone => 0_u8,
            Code::User => 1,
            Code::Internal => 2,
            Code::Network => 3,
            Code::Identity => 4,
            Code::RateLimited => 5,
            Code::NotFound => 6,
            Code::Locked => 7,
            Code::Timeout => 8,
            Code::InUse => 9,
        })
    }
}

/// A failure, as it is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Failure {
    /// What happened.
    pub(crate) error: String,
    /// The same in one word that stays.
    pub(crate) kind: String,
    /// What to do; may be empty.
    pub(crate) hint: String,
    /// What the process ends with.
    pub(crate) code: Code,
}

impl Failure {
    pub(crate) fn new(code: Code, kind: &str, error: impl Display, hint: &str) -> Self {
        Self { error: error.to_string(), kind: kind.to_owned(), hint: hint.to_owned(), code }
    }

    pub(crate) fn user(kind: &str, error: &str, hint: &str) -> Self {
        Self::new(Code::User, kind, error, hint)
    }

    pub(crate) fn internal(error: &dyn Display) -> Self {
        Self::new(Code::Internal, "internal", error, "")
    }

    /// Whoever read the output has gone: no failure of ours, and nothing to say.
    pub(crate) fn gone() -> Self {
        Self::new(Code::Gone, "gone", "", "")
    }

    /// Why no relay answers.
    pub(crate) fn network(state: Option<&RelayState>, hint: &str) -> Self {
        match state {
            Some(RelayState::Offline(error)) => Self::new(net_code(error), error.kind(), sentence(error), hint),
            Some(RelayState::Refused(problem)) => Self::new(Code::Network, "relay_refused", sentence(problem), hint),
            Some(RelayState::Dialling | RelayState::Proving | RelayState::Online { .. }) | None => {
                Self::new(Code::Network, "unreachable", "The relay does not answer.", hint)
            }
        }
    }

    /// Tells it on stderr and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let Self { error, kind, hint, code } = self;
        if *code != Code::Gone {
            let line = match (json, hint.is_empty()) {
                (true, _) => serde_json::json!({ "error": error, "kind": kind, "hint": hint }).to_string(),
                (false, true) => error.clone(),
                (false, false) => format!("{error}\n{hint}"),
            };
            // A closed stderr leaves the exit code to tell it.
            let _closed = writeln!(io::stderr(), "{line}");
        }
        (*code).into()
    }
}

/// A lower-case error as a sentence.
pub(crate) fn sentence(error: &dyn Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refused) => refused.into(),
            ClientError::Store(store) => store.as_ref().into(),
            ClientError::Rows(rows) => Self::new(Code::Internal, "storage", sentence(rows), ""),
            ClientError::Interrupted => Self::new(Code::Internal, "interrupted", sentence(&error), ""),
            ClientError::Closed => {
                Self::new(Code::Internal, "closed", "The client was closed meanwhile.", "Try again.")
            }
        }
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        let code = match error {
            StoreError::NotFound => Code::NotFound,
            StoreError::AlreadyExists | StoreError::LastSlot => Code::User,
            StoreError::InUse => Code::InUse,
            StoreError::WrongPassphrase
            | StoreError::WrongRecoveryKey
            | StoreError::NoSuchSlot(_)
            | StoreError::KeyringUnavailable
            | StoreError::KeyringLost
            | StoreError::WeakSlot => Code::Locked,
            StoreError::Full
            | StoreError::Io(_)
            | StoreError::Damaged(_)
            | StoreError::WrongVersion { .. }
            | StoreError::Failed
            | StoreError::NoCipher => Code::Internal,
        };
        // The store's sentences say themselves what to do.
        Self::new(code, error.kind(), error, "")
    }
}

impl From<&IntentError> for Failure {
    fn from(error: &IntentError) -> Self {
        let (code, kind) = match error {
            IntentError::ProfileExists => (Code::User, "profile_exists"),
            IntentError::NoProfile => (Code::NotFound, "no_account"),
            IntentError::Name => (Code::User, "wrong_name"),
            IntentError::Text => (Code::User, "wrong_text"),
            IntentError::NoContact => (Code::NotFound, "no_such_contact"),
            IntentError::NotConnected(_) => (Code::User, "not_connected"),
            IntentError::OwnLink => (Code::User, "own_link"),
            IntentError::AlreadyConnected => (Code::User, "already_connected"),
            IntentError::SafetyNumberDiffers => (Code::Identity, "safety_number_differs"),
            IntentError::SafetyNumberFormat => (Code::User, "safety_number_format"),
            IntentError::AddressOff => (Code::User, "address_off"),
            IntentError::Relays => (Code::User, "wrong_relays"),
            IntentError::Credential => (Code::User, "wrong_credential"),
            IntentError::CredentialElsewhere => (Code::User, "credential_elsewhere"),
            IntentError::CredentialEnded => (Code::User, "credential_ended"),
            IntentError::AnotherPerson => (Code::Identity, "another_person"),
            IntentError::IdentityChanged => (Code::Identity, "identity_changed"),
        };
        Self::new(code, kind, sentence(error), "")
    }
}

fn net_code(error: &NetError) -> Code {
    match error {
        NetError::Overloaded { .. } => Code::RateLimited,
        _ => Code::Network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_a_sentence() {
        assert_eq!(sentence(&"no such contact"), "No such contact.");
        assert_eq!(sentence(&"Done."), "Done.");
        assert_eq!(sentence(&"ärger"), "Ärger.");
    }

    #[test]
    fn what_differs_to_a_program_has_its_own_exit_code() {
        let code = |error: &StoreError| Failure::from(error).code;
        assert_eq!(code(&StoreError::InUse), Code::InUse);
        assert_eq!(code(&StoreError::WrongPassphrase), Code::Locked);
        assert_eq!(code(&StoreError::NotFound), Code::NotFound);
        assert_eq!(code(&StoreError::Full), Code::Internal);
        let refused = Failure::from(&IntentError::SafetyNumberDiffers);
        assert_eq!((refused.code, refused.kind.as_str()), (Code::Identity, "safety_number_differs"));
    }
}
