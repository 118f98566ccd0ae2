//! A relay's folder and its configuration, `relay.toml`.
//!
//! Each section of the file is a module here: its values, their defaults, their check, and the text that a new file has of
//! them. A new section is its module and a line in [`Sections`].

mod acme;
mod admission;
mod blobs;
mod channels;
mod connections;
mod dir;
mod endpoint;
mod error;
mod forward;
mod keys;
mod limits;
mod metrics;
mod page;
mod proxy;
mod section;
mod storage;
mod telemetry;
mod work;

use std::net::SocketAddr;

use sotto_outer::{AdmissionKind, RelayAddress, RelayIdentity, Terms, Tls};

pub(crate) use self::{dir::DataDir, endpoint::DEFAULT_LISTEN, error::ConfigError};
use self::{endpoint::Endpoint, metrics::Metrics, section::sections};
use crate::{
    core,
    server::{Settings, Transport},
};

const MIB: u64 = 1024 * 1024;

sections! {
    acme: acme::Acme,
    connections: connections::Connections,
    metrics: metrics::Metrics,
    limits: limits::Limits,
    storage: storage::Storage,
    forward: forward::Forward,
    page: page::Page,
    proxy: proxy::Proxy,
    telemetry: telemetry::Telemetry,
    blobs: blobs::Blobs,
    channels: channels::Channels,
    admission: admission::Admission,
    work: work::Work,
}

/// `relay.toml`, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    endpoint: Endpoint,
    sections: Sections,
}

impl Config {
    /// Parses and checks.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse()?;
        keys::check(&table)?;
        let config = Self { endpoint: table.clone().try_into()?, sections: table.try_into()? };
        config.endpoint.check()?;
        config.sections.check()?;
        if config.sections.admission.kind()? == AdmissionKind::Oidc && !config.endpoint.has_cookies()? {
            return Err(ConfigError::JoinWithoutTls);
        }
        Ok(config)
    }

    /// Where the relay listens first of all.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.endpoint.listen()
    }

    /// Whether the relay's address is known before the system has chosen a port.
    pub(crate) fn is_address_known(&self) -> bool {
        self.listen().port() != 0 || !self.endpoint.public.is_empty()
    }

    /// Where clients reach this relay, listening at `bound`.
    pub(crate) fn address(&self, identity: RelayIdentity, bound: SocketAddr) -> Result<RelayAddress, ConfigError> {
        self.endpoint.address(identity, bound)
    }

    pub(crate) fn settings(&self, dir: &DataDir) -> Result<Settings, ConfigError> {
        let Self { endpoint, sections } = self;
        let transport = match endpoint.tls()? {
            Tls::Own => Transport::OwnTls,
            Tls::Off => Transport::Plain,
            Tls::Acme => sections.acme.transport(dir),
        };
        let admission = sections.admission.kind()?;
        let mint = match admission {
            AdmissionKind::Open => None,
            AdmissionKind::Minted | AdmissionKind::Oidc => Some(dir.mint()?),
        };
        let core = core::Config {
            origin_rate: sections.proxy.origin_rate(),
            terms: Terms { admission, ..Terms::default() },
            toll: sections.work.to_core(),
            // Where nobody asks for them no keys are made.
            gives_tokens: admission != AdmissionKind::Open,
            mint,
            limits: sections.limits.to_core(),
            contact_envelopes_max: sections.limits.contact_envelopes_max,
            forwards: sections.forward.enabled,
            channel_quota: sections.channels.quota(),
            ..core::Config::default()
        };
        Ok(Settings {
            metrics_listen: sections.metrics.listen()?,
            public: endpoint.public()?,
            transport,
            connections_max: sections.connections.max(),
            ping_every: sections.connections.ping_every(),
            proxy: sections.proxy.settings()?,
            core,
            blobs: sections.blobs.settings(dir, sections.storage.free_bytes_min())?,
            disk: Some((dir.path().to_owned(), sections.storage.free_bytes_min())),
            database: Some(dir.database()),
            memory_bytes_max: sections.limits.memory_bytes_max(),
            page: sections.page.to_settings(),
            join: sections.admission.join(dir)?,
            forward: sections.forward.settings(),
            forward_keys: Some(dir.path().join("forward.keys")),
            telemetry: sections.telemetry.to_settings()?,
            listen: endpoint.listen.clone(),
            ..Settings::plain(DEFAULT_LISTEN)
        })
    }

    /// What another certificate is, in a sentence.
    pub(crate) fn certificate_source(&self) -> Result<&'static str, ConfigError> {
        Ok(match self.endpoint.tls()? {
            Tls::Own => "The relay shows a new certificate of its own.",
            Tls::Off => "There is no certificate.",
            Tls::Acme if self.sections.acme.has_files() => "The relay shows what is in the certificate's files now.",
            Tls::Acme => {
                "The authority is asked for a new certificate; until it comes, the relay shows the one it has."
            }
        })
    }

    fn text(&self) -> String {
        self.endpoint.text() + &self.sections.text()
    }
}

/// The text of a new `relay.toml`.
pub(crate) fn write_config(listen: SocketAddr, public: &str, tls: &str) -> Result<String, ConfigError> {
    let endpoint = Endpoint { listen: vec![listen], public: public.to_owned(), tls: tls.to_owned() };
    endpoint.check_new()?;
    let sections = Sections { metrics: Metrics::beside(listen.port()), ..Sections::default() };
    Ok(Config { endpoint, sections }.text())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written() -> String {
        write_config(DEFAULT_LISTEN, "relay.example:443", "off").unwrap()
    }

    #[test]
    fn what_init_writes_is_read_back_and_lists_every_key_with_its_default() {
        let config = Config::parse(&written()).unwrap();
        let settings = config.settings(&DataDir::new(Path::new("/nowhere"))).unwrap();
        assert_eq!(settings.transport, Transport::Plain);
        assert_eq!(settings.core.limits, core::Config::default().limits);
        assert_eq!(settings.core.contact_envelopes_max, core::Config::default().contact_envelopes_max);
        let table: toml::Table = written().parse().unwrap();
        let mut keys: Vec<_> = vec![];
        for (name, value) in &table {
            match value {
                toml::Value::Table(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
                _ => keys.push(name.clone()),
            }
        }
        let mut known = keys::known();
        keys.sort();
        known.sort();
        assert_eq!(keys, known);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for (text, nearest) in [
            ("lisen = \"127.0.0.1:1\"", Some("listen")),
            ("[limits]\nmailbox_envelope_max = 5", Some("limits.mailbox_envelopes_max")),
            ("free_mib_min = 1", Some("storage.free_mib_min")),
            ("xyzzy = 1", None),
        ] {
            let Err(ConfigError::UnknownKey { nearest: found, .. }) = Config::parse(text) else { panic!("{text}") };
            assert_eq!(found.as_deref(), nearest, "{text}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        let refused = |text| Config::parse(text).unwrap_err().to_string();
        assert!(refused("tls = \"acme\"").contains("public"));
        assert!(refused("tls = \"acme\"\npublic = \"192.0.2.7:443\"").contains("a name"));
        assert!(refused("tls = \"yes\"").contains("\"own\", \"acme\" or \"off\""));
        assert!(refused("listen = 5").contains("listen"));
        assert!(refused("listen = []").contains("listen"));
        assert!(refused("[acme]\ndirectory = \"http://ca.example\"").contains("https"));
        assert!(refused("[acme]\ncertificate = \"a.pem\"").contains("acme.key"));
        assert!(refused("[limits]\nenvelope_ttl_days = 22").contains("from 1 to 21"));
        assert!(refused("[limits]\nmailbox_envelopes_max = 0").contains("from 1 to 1000"));
        assert!(refused("[metrics]\nlisten = \"x\"").contains("metrics.listen"));
        assert!(refused("[limits]\nmemory_mib_max = 63").contains("limits.memory_mib_max"));
        assert!(Config::parse("[limits]\nmemory_mib_max = 64").is_ok());
        assert!(refused("[telemetry]\notlp_endpoint = \"http://192.0.2.1\"").contains("telemetry.otlp_endpoint"));
        assert!(refused("[telemetry]\nsample_ratio = 1.5").contains("telemetry.sample_ratio"));
        assert!(Config::parse("[telemetry]\notlp_endpoint = \"https://traces.example\"\nsample_ratio = 1.0").is_ok());
        assert!(refused("listen =").contains("relay.toml"));
    }

    #[test]
    fn browsers_log_in_where_they_keep_a_cookie() {
        let oidc = "[admission]\nkind = \"oidc\"\nissuer = \"https://issuer.example\"\nclient_id = \"relay\"";
        let parse = |head: &str| Config::parse(&format!("{head}\n{oidc}"));
        for head in [
            "",
            "tls = \"off\"",
            "public = \"relay.example:443\"",
            "public = \"relay.onion:80\"\ntls = \"off\"",
            "public = \"localhost:80\"\ntls = \"off\"",
        ] {
            assert!(parse(head).is_ok(), "{head}");
        }
        for head in ["public = \"relay.example:80\"\ntls = \"off\"", "public = \"10.0.0.1:80\"\ntls = \"off\""] {
            assert!(matches!(parse(head), Err(ConfigError::JoinWithoutTls)), "{head}");
        }
    }

    #[test]
    fn a_relay_listens_at_one_address_or_several() {
        let listen = |text: &str| Config::parse(text).unwrap().endpoint.listen;
        assert_eq!(listen("listen = \"[::]:443\"").len(), 1);
        let two = listen("listen = [\"127.0.0.1:4433\", \"[::1]:4433\"]");
        assert_eq!(two.len(), 2);
        let endpoint = Endpoint { listen: two.clone(), ..Endpoint::default() };
        assert_eq!(listen(&endpoint.text()), two);
    }

    #[test]
    fn a_public_certificate_is_the_hosts_or_an_authoritys() {
        let dir = DataDir::new(Path::new("/nowhere"));
        let transport = |text: &str| {
            let head = "tls = \"acme\"\npublic = \"relay.example:443\"\n[acme]\n";
            Config::parse(&format!("{head}{text}")).unwrap().settings(&dir).unwrap().transport
        };
        let Transport::Acme(acme) = transport("contact = \"alice@example.com\"") else { panic!("no authority") };
        assert_eq!(acme.contact.as_deref(), Some("mailto:alice@example.com"));
        assert_eq!(acme.cache, Path::new("/nowhere/acme"));
        assert!(matches!(transport("certificate = \"a.pem\"\nkey = \"b.pem\""), Transport::Files(_)));
    }

    #[test]
    fn the_address_is_what_clients_reach() {
        let identity = RelayIdentity::from([7; 32]);
        let bound: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let address = |text: &str| Config::parse(text).unwrap().address(identity, bound).unwrap().to_string();
        assert!(address("").starts_with("sotto://127.0.0.1:5000/"));
        assert!(address("public = \"relay.example:443\"").starts_with("sotto://relay.example:443/"));
        assert!(address("public = \"[2001:db8::1]:443\"\ntls = \"off\"").ends_with("?tls=off"));
        assert!(matches!(write_config("0.0.0.0:4433".parse().unwrap(), "", "own"), Err(ConfigError::PublicMissing)));
    }
}
