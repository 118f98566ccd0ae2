//! `[admission]`: who may make things here.

use serde::Deserialize;
use sotto_outer::AdmissionKind;

use super::{ConfigError, section::Section};

/// `[admission]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Admission {
    kind: String,
}

impl Admission {
    /// Who may make things.
    pub(super) fn kind(&self) -> Result<AdmissionKind, ConfigError> {
        match self.kind.as_str() {
            "open" => Ok(AdmissionKind::Open),
            "minted" => Ok(AdmissionKind::Minted),
            other => Err(ConfigError::Admission(other.to_owned())),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self { kind: "open".to_owned() }
    }
}

impl Section for Admission {
    const KEYS: &'static [&'static str] = &["kind"];

    fn check(&self) -> Result<(), ConfigError> {
        self.kind().map(|_| ())
    }

    fn text(&self) -> String {
        let Self { kind } = self;
        format!(
            "# Who may make mailboxes here. \"open\": anyone. \"minted\": whoever has a credential that `sotto-relay mint` printed;
# it is exchanged for tokens that this relay signs without seeing them, so it cannot tell who made what. A person gives it
# with `sotto-cli init --admit` or `sotto-cli relay admit`; one who has none keeps what they have and makes nothing new.
kind = \"{kind}\"
"
        )
    }
}
