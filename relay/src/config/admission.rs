//! `[admission]`: who may make things here.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde::Deserialize;
use sotto_outer::AdmissionKind;
use zeroize::Zeroizing;

use super::{ConfigError, DataDir, section::Section};
use crate::{
    access::oidc::LoginPolicy,
    server::{ClientSecret, IssuerAddress, JoinSettings},
};

/// The most tokens of a purpose that somebody gets in a week.
const USES_MAX: u32 = 100_000;

/// `[admission]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Admission {
    kind: String,
    issuer: String,
    client_id: String,
    client_secret_file: String,
    issuer_root: String,
    scopes: Vec<String>,
    email_domains: Vec<String>,
    claim: String,
    claim_value: String,
    uses_per_week: u32,
}

impl Admission {
    /// Who may make things.
    pub(super) fn kind(&self) -> Result<AdmissionKind, ConfigError> {
        match self.kind.as_str() {
            "open" => Ok(AdmissionKind::Open),
            "minted" => Ok(AdmissionKind::Minted),
            "oidc" => Ok(AdmissionKind::Oidc),
            other => Err(ConfigError::Admission(other.to_owned())),
        }
    }

    /// Where people log in; none where they need not.
    pub(super) fn join(&self, dir: &DataDir) -> Result<Option<JoinSettings>, ConfigError> {
        if self.kind()? != AdmissionKind::Oidc {
            return Ok(None);
        }
        let Self { client_id, issuer_root, email_domains, claim, claim_value, uses_per_week, .. } = self;
        let claim = (!claim.is_empty()).then(|| (claim.clone(), claim_value.clone()));
        Ok(Some(JoinSettings {
            issuer: self.issuer()?,
            client_id: client_id.clone(),
            client_secret: self.client_secret(dir)?,
            scopes: self.scopes(),
            root: (!issuer_root.is_empty()).then(|| dir.path().join(issuer_root)),
            policy: LoginPolicy { email_domains: email_domains.clone(), claim },
            uses: *uses_per_week,
        }))
    }

    fn issuer(&self) -> Result<IssuerAddress, ConfigError> {
        let expected = "the https:// address by which the issuer calls itself";
        let wrong = |_| ConfigError::Value { key: "admission.issuer", expected, found: self.issuer.clone() };
        let is_plain = !self.issuer.contains('?');
        self.issuer.parse().ok().filter(|_| is_plain).ok_or(()).map_err(wrong)
    }

    /// With what a policy about e-mail addresses needs.
    fn scopes(&self) -> Vec<String> {
        let mut scopes = self.scopes.clone();
        if !self.email_domains.is_empty() && !scopes.iter().any(|scope| scope == "email") {
            scopes.push("email".to_owned());
        }
        scopes
    }

    fn client_secret(&self, dir: &DataDir) -> Result<Option<ClientSecret>, ConfigError> {
        if self.client_secret_file.is_empty() {
            return Ok(None);
        }
        let path: PathBuf = dir.path().join(&self.client_secret_file);
        let file = |error| ConfigError::file(&path, error);
        if fs::metadata(&path).map_err(file)?.permissions().mode() & 0o007 != 0 {
            return Err(ConfigError::SecretMode(path));
        }
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(file)?);
        Ok(Some(ClientSecret::new(Zeroizing::new(text.trim().to_owned()))))
    }

    fn check_oidc(&self) -> Result<(), ConfigError> {
        self.issuer()?;
        let wrong = |key, expected, found: &str| Err(ConfigError::Value { key, expected, found: found.to_owned() });
        let is_word = |text: &String| !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic());
        if self.client_id.is_empty() || self.client_id.chars().any(char::is_control) {
            return wrong("admission.client_id", "what the issuer calls this relay", &self.client_id);
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !is_word(scope)) {
            return wrong("admission.scopes", "a list of words", scope);
        }
        let is_domain = |text: &String| is_word(text) && text.contains('.') && !text.contains(['@', '/', '*']);
        if let Some(domain) = self.email_domains.iter().find(|domain| !is_domain(domain)) {
            return wrong("admission.email_domains", "a list of domains as \"example.org\"", domain);
        }
        if self.claim.is_empty() != self.claim_value.is_empty() {
            return wrong(
                "admission.claim_value",
                "set where `admission.claim` is, and there alone",
                &self.claim_value,
            );
        }
        Ok(())
    }
}

impl Default for Admission {
    fn default() -> Self {
        let nothing = String::new;
        Self {
            kind: "open".to_owned(),
            issuer: nothing(),
            client_id: nothing(),
            client_secret_file: nothing(),
            issuer_root: nothing(),
            scopes: vec![],
            email_domains: vec![],
            claim: nothing(),
            claim_value: nothing(),
            uses_per_week: 100,
        }
    }
}

impl Section for Admission {
    const KEYS: &'static [&'static str] = &[
        "kind",
        "issuer",
        "client_id",
        "client_secret_file",
        "issuer_root",
        "scopes",
        "email_domains",
        "claim",
        "claim_value",
        "uses_per_week",
    ];

    fn check(&self) -> Result<(), ConfigError> {
        super::error::within("admission.uses_per_week", self.uses_per_week.into(), USES_MAX.into())?;
        match self.kind()? {
            AdmissionKind::Open | AdmissionKind::Minted => Ok(()),
            AdmissionKind::Oidc => self.check_oidc(),
        }
    }

    fn text(&self) -> String {
        let Self { kind, scopes, email_domains, uses_per_week, .. } = self;
        let texts = [&self.issuer, &self.client_id, &self.client_secret_file, &self.issuer_root];
        let [issuer, client_id, client_secret_file, issuer_root] = texts.map(|text| toml::Value::from(text.as_str()));
        let [claim, claim_value] = [&self.claim, &self.claim_value].map(|text| toml::Value::from(text.as_str()));
        format!(
            r#"# Who may make mailboxes here. "open": anyone. "minted": whoever has a credential that `sotto-relay mint` printed.
# "oidc": whoever logs in at an OpenID issuer, on the page /join, or has such a credential. A credential is exchanged for tokens
# that this relay signs without seeing them, so it cannot tell who made what. A person gives it with `sotto-cli init --admit` or
# `sotto-cli relay admit`; one who has none keeps what they have and makes nothing new.
kind = "{kind}"
# For "oidc": the issuer, letter by letter as it calls itself, and what it calls this relay. With a secret in a file (in this
# folder, or by its whole path) the relay is a confidential client, without one a public client; PKCE is used by both.
# `sotto-relay doctor` says what to enter at the issuer as the redirect address, and whether all is well.
issuer = {issuer}
client_id = {client_id}
client_secret_file = {client_secret_file}
# A PEM file with one more root by which the issuer is trusted: for an authority of one's own.
issuer_root = {issuer_root}
# What to ask for besides "openid", if a claim below needs it; "email" goes with `email_domains` by itself.
scopes = {scopes:?}
# Whom of those who can log in to admit. Domains of e-mail addresses that the issuer has verified, as ["example.org"]; and a
# claim in the ID token that has this value, or is a list with it, as "groups" and "sotto". Empty: everybody.
email_domains = {email_domains:?}
claim = {claim}
claim_value = {claim_value}
# New mailboxes for a person and week, and as many of each other thing that costs a token. A client takes one for each contact,
# and another each month.
uses_per_week = {uses_per_week}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OIDC: &str = "kind = \"oidc\"\nissuer = \"https://issuer.example\"\nclient_id = \"relay\"\n";

    fn admission(text: &str) -> Admission {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_issuer_and_a_client_are_what_a_login_needs() {
        let dir = DataDir::new(Path::new("/nowhere"));
        assert!(admission("").join(&dir).unwrap().is_none());
        assert!(admission("kind = \"minted\"\nissuer = \"nonsense\"").check().is_ok(), "it is not looked at");
        admission(OIDC).check().unwrap();
        let join = admission(OIDC).join(&dir).unwrap().unwrap();
        assert_eq!(
            (join.issuer.as_str(), join.client_id.as_str(), join.uses),
            ("https://issuer.example", "relay", 100)
        );
        assert_eq!((join.scopes.len(), join.policy), (0, LoginPolicy::default()));
        let more = "email_domains = [\"example.org\"]\nscopes = [\"groups\"]\nclaim = \"groups\"\nclaim_value = \"a\"";
        let admission = admission(&format!("{OIDC}{more}"));
        admission.check().unwrap();
        let join = admission.join(&dir).unwrap().unwrap();
        assert_eq!(join.scopes, ["groups", "email"]);
        assert_eq!(join.policy.claim, Some(("groups".to_owned(), "a".to_owned())));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, key) in [
            ("kind = \"oidc\"", "admission.issuer"),
            ("kind = \"oidc\"\nissuer = \"http://issuer.example\"", "admission.issuer"),
            ("kind = \"oidc\"\nissuer = \"https://issuer.example/?a\"", "admission.issuer"),
            ("kind = \"oidc\"\nissuer = \"https://issuer.example\"", "admission.client_id"),
            (&format!("{OIDC}scopes = [\"a b\"]"), "admission.scopes"),
            (&format!("{OIDC}email_domains = [\"*.example.org\"]"), "admission.email_domains"),
            (&format!("{OIDC}email_domains = [\"@example.org\"]"), "admission.email_domains"),
            (&format!("{OIDC}claim = \"groups\""), "admission.claim_value"),
            (&format!("{OIDC}uses_per_week = 0"), "admission.uses_per_week"),
            ("kind = \"closed\"", "admission.kind"),
        ] {
            let refused = admission(text).check().unwrap_err().to_string();
            assert!(refused.contains(key), "{text}: {refused}");
        }
    }

    #[test]
    fn a_client_secret_that_all_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        let admission = admission(&format!("{OIDC}client_secret_file = \"secret\""));
        assert!(matches!(admission.join(&dir), Err(ConfigError::File { .. })));
        let path = folder.path().join("secret");
        fs::write(&path, "hidden\n").unwrap();
        for (mode, is_taken) in [(0o644, false), (0o600, true), (0o640, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match admission.join(&dir) {
                Ok(join) => assert!(is_taken && join.unwrap().client_secret.is_some(), "{mode:o}"),
                Err(error) => assert!(!is_taken && matches!(error, ConfigError::SecretMode(_)), "{mode:o}"),
            }
        }
    }
}
