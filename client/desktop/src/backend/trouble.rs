//! Errors as a person reads them: whole sentences of what happened, what is safe, and what to do.

use sotto_driver::{ClientError, IntentError, StoreError};

use crate::view::{Toast, Trouble};

/// A sentence of a text: a capital letter before, a full stop behind.
pub(super) fn sentence(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let mut signs = text.chars();
    let mut sentence: String = signs.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    sentence.push_str(signs.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// What went wrong, for a screen.
pub(super) fn trouble(error: &ClientError) -> Trouble {
    let advice = match error {
        ClientError::Store(error) => match **error {
            StoreError::WrongPassphrase | StoreError::KeyringLost | StoreError::KeyringUnavailable => {
                "A recovery key opens the profile as well."
            }
            _ => "",
        },
        ClientError::Refused(_) | ClientError::Rows(_) | ClientError::Interrupted | ClientError::Closed => "",
    };
    Trouble { what: told(error), advice: advice.to_owned() }
}

/// What was typed does not fit.
pub(super) fn mistyped(what: impl std::fmt::Display, advice: &str) -> Trouble {
    Trouble { what: sentence(what), advice: advice.to_owned() }
}

/// An error at the bottom of the window.
pub(super) fn toast(error: &ClientError) -> Toast {
    Toast { text: told(error), error: true }
}

/// Something said in passing.
pub(super) fn remark(text: &str) -> Toast {
    Toast { text: text.to_owned(), error: false }
}

fn told(error: &ClientError) -> String {
    match error {
        // The engine's own sentence speaks to the command line.
        ClientError::Refused(IntentError::NoProfile) => "This profile has no account yet.".to_owned(),
        ClientError::Refused(_)
        | ClientError::Store(_)
        | ClientError::Rows(_)
        | ClientError::Interrupted
        | ClientError::Closed => sentence(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_and_ends_like_one() {
        assert_eq!(sentence("a name has 1 to 64 bytes"), "A name has 1 to 64 bytes.");
        assert_eq!(sentence("The disk is full. Free some space."), "The disk is full. Free some space.");
        assert_eq!(sentence(""), ".");
    }
}
