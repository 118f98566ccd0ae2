//! Why a login gave no credential.

use std::io;

use crate::access::oidc::Refusal;

/// Why a login gave no credential. Nothing that an issuer or a browser says is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// The browser is in no login: it took too long, came twice, or is another browser.
    Stale,
    /// There are too many at once.
    Busy,
    /// The person, or the issuer for them, said no.
    Declined,
    /// The host's policy does not let them in.
    NotAllowed,
    /// The issuer cannot be reached.
    Unreachable(io::ErrorKind),
    /// The issuer answered with a status that it should not.
    Status,
    /// Its description of itself is none that this relay can use; what is wrong with it.
    Document(&'static str),
    /// Its keys are no key set.
    Keys,
    /// It does not take this relay for a client.
    Client,
    /// It does not take the code, or another issuer gave it.
    Code,
    /// Its ID token is not believed.
    Token(Refusal),
}

impl JoinError {
    /// For logs: names nobody.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Stale => "stale".to_owned(),
            Self::Busy => "busy".to_owned(),
            Self::Declined => "declined".to_owned(),
            Self::NotAllowed => "not allowed".to_owned(),
            Self::Unreachable(kind) => format!("unreachable: {kind}"),
            Self::Status => "unexpected status".to_owned(),
            Self::Document(what) => format!("description: {what}"),
            Self::Keys => "keys".to_owned(),
            Self::Client => "client not accepted".to_owned(),
            Self::Code => "code not accepted".to_owned(),
            Self::Token(refusal) => format!("token: {}", refusal.word()),
        }
    }

    /// Whether the host should look: the issuer fails, or does not agree with `relay.toml`.
    pub(super) const fn is_the_hosts(self) -> bool {
        match self {
            Self::Stale | Self::Busy | Self::Declined | Self::NotAllowed | Self::Code => false,
            Self::Unreachable(_) | Self::Status | Self::Document(_) | Self::Keys | Self::Client | Self::Token(_) => {
                true
            }
        }
    }

    /// For metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Stale | Self::Code => "stale",
            Self::Busy => "busy",
            Self::Declined | Self::NotAllowed => "denied",
            Self::Unreachable(_) | Self::Status => "unreachable",
            Self::Document(_) | Self::Keys | Self::Client | Self::Token(_) => "invalid",
        }
    }
}

impl From<Refusal> for JoinError {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::Policy { Self::NotAllowed } else { Self::Token(refusal) }
    }
}

impl From<io::Error> for JoinError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.kind())
    }
}
