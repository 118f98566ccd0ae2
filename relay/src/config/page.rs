//! `[page]`: what browsers are told besides what the relay knows itself.

use serde::Deserialize;

use super::{ConfigError, section::Section};
use crate::server::{PageSettings, contact_uri};

/// `[page]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Page {
    enabled: bool,
    operator: String,
    policy: String,
    contact: String,
    download: String,
}

impl Page {
    /// The host's words; none where there are to be no pages.
    pub(super) fn to_settings(&self) -> Option<PageSettings> {
        let Self { enabled, operator, policy, contact, download } = self.clone();
        enabled.then_some(PageSettings { operator, policy, contact, download })
    }
}

impl Default for Page {
    fn default() -> Self {
        let PageSettings { operator, policy, contact, download } = PageSettings::default();
        Self { enabled: true, operator, policy, contact, download }
    }
}

impl Section for Page {
    const KEYS: &'static [&'static str] = &["enabled", "operator", "policy", "contact", "download"];

    fn check(&self) -> Result<(), ConfigError> {
        let Self { enabled: _, operator: _, policy: _, contact, download } = self;
        let wrong = |key, expected, found: &str| Err(ConfigError::Value { key, expected, found: found.to_owned() });
        if !contact.is_empty() && contact_uri(contact).is_none() {
            return wrong("page.contact", "an e-mail address, an https:// address or empty", contact);
        }
        let is_web = download.starts_with("https://") && contact_uri(download).is_some();
        if !(download.is_empty() || is_web) {
            return wrong("page.download", "an https:// address or empty", download);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let Self { enabled, operator, policy, contact, download } = self;
        let [operator, policy, contact, download] =
            [operator, policy, contact, download].map(|text| toml::Value::from(text.as_str()));
        format!(
            r#"# The page that browsers see at the relay's address, and the one on which a link lands that was opened in a browser.
enabled = {enabled}
# Who runs this relay, and what they ask of those who use it: plain text.
operator = {operator}
policy = {policy}
# Where to reach them: an e-mail address or an https:// address. It stands in /.well-known/security.txt as well.
contact = {contact}
# Where people get the client: an https:// address.
download = {download}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_hosts_words_reach_the_page() {
        let settings = page("operator = \"Anna\"\ncontact = \"ops@relay.example\"").to_settings().unwrap();
        assert_eq!((settings.operator.as_str(), settings.contact.as_str()), ("Anna", "ops@relay.example"));
        assert_eq!(page("enabled = false").to_settings(), None);
    }

    #[test]
    fn a_contact_nobody_can_open_is_refused() {
        for text in ["contact = \"ask Anna\"", "contact = \"javascript:x\"", "download = \"http://relay.example\""] {
            assert!(matches!(page(text).check(), Err(ConfigError::Value { .. })), "{text}");
        }
        assert!(page("download = \"https://relay.example/sotto.deb\"").check().is_ok());
    }

    #[test]
    fn words_with_quotes_are_written_as_they_are_read() {
        let written = page("operator = 'Anna \"A\" \\ B'");
        assert_eq!(page(&written.text()).operator, written.operator);
    }
}
