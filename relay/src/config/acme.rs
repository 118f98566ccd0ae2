//! `[acme]`: where a public certificate comes from.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, DataDir, section::Section};
use crate::server::{CertificateFiles, LETS_ENCRYPT, Transport};

/// `[acme]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Acme {
    contact: String,
    directory: String,
    root: String,
    certificate: String,
    key: String,
}

impl Acme {
    /// Whether somebody else renews the certificate.
    pub(super) const fn has_files(&self) -> bool {
        !self.certificate.is_empty()
    }

    /// The host's own files if they are named, else an authority.
    pub(super) fn transport(&self, dir: &DataDir) -> Transport {
        let Self { contact, directory, root, certificate, key } = self;
        if self.has_files() {
            return Transport::Files(CertificateFiles { certificate: certificate.into(), key: key.into() });
        }
        Transport::Acme(crate::server::Acme {
            directory: directory.clone(),
            contact: (!contact.is_empty()).then(|| format!("mailto:{contact}")),
            cache: dir.path().join("acme"),
            root: (!root.is_empty()).then(|| PathBuf::from(root)),
        })
    }
}

impl Default for Acme {
    fn default() -> Self {
        let nothing = String::new;
        Self {
            contact: nothing(),
            directory: LETS_ENCRYPT.to_owned(),
            root: nothing(),
            certificate: nothing(),
            key: nothing(),
        }
    }
}

impl Section for Acme {
    const KEYS: &'static [&'static str] = &["contact", "directory", "root", "certificate", "key"];

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, expected, found: &String| Err(ConfigError::Value { key, expected, found: found.clone() });
        match self {
            Self { directory, .. } if !directory.starts_with("https://") => {
                wrong("acme.directory", "an https address", directory)
            }
            Self { contact, .. } if !contact.is_empty() && !contact.contains('@') => {
                wrong("acme.contact", "an e-mail address or empty", contact)
            }
            Self { certificate, key, .. } if certificate.is_empty() != key.is_empty() => {
                wrong("acme.key", "named where `acme.certificate` is, and there alone", key)
            }
            Self { .. } => Ok(()),
        }
    }

    fn text(&self) -> String {
        let Self { contact, directory, root, certificate, key } = self;
        format!(
            r#"# For tls = "acme". The authority's terms are agreed to by using it; it writes to this e-mail address, if any.
contact = "{contact}"
directory = "{directory}"
# A PEM file with one more root by which the directory is trusted: for an authority of one's own.
root = "{root}"
# PEM files of a public certificate that somebody else renews. With them no authority is asked; changes are seen.
certificate = "{certificate}"
key = "{key}"
"#
        )
    }
}
