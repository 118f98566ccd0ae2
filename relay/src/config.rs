//! A relay's folder: its configuration, its key, its database.

use std::{
    cmp::Ordering,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use sotto_outer::{AddressError, RelayAddress, RelayIdentity, Tls, limits};
use zeroize::Zeroizing;

use crate::{
    access::Identity,
    core,
    server::{Settings, Transport},
};

/// Why a folder is not one that a relay can run from. All of it is for the host to mend; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// There is a relay already.
    #[error("{} holds a relay already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("there is no relay in {}; `sotto-relay init` makes one", .0.display())]
    Missing(PathBuf),
    /// A file cannot be read or written.
    #[error("{} cannot be used: {error}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Not TOML, or a value of another kind than its key takes.
    #[error("relay.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key nobody knows.
    #[error("relay.toml has a key `{key}` that is not known; {}", hint(.nearest.as_deref()))]
    UnknownKey {
        /// As written, with its section.
        key: String,
        /// The known one that looks most like it.
        nearest: Option<String>,
    },
    /// A number that a protocol's limit forbids.
    #[error("relay.toml: `{key}` is from {min} to {max}")]
    OutOfRange {
        /// Which key.
        key: &'static str,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Not yet.
    #[error("`tls = \"acme\"` is not built yet; use \"own\", or \"off\" behind a proxy that carries TLS")]
    Acme,
    /// Not one of the words.
    #[error("`tls` is \"own\" or \"off\", not \"{0}\"")]
    Tls(String),
    /// Not an address.
    #[error("relay.toml: `metrics.listen` is ADDRESS:PORT or empty, not \"{0}\"")]
    Metrics(String),
    /// `public` does not say where.
    #[error("`public` is HOST:PORT as clients reach this relay: {0}")]
    Public(AddressError),
    /// Listening everywhere does not say under which name.
    #[error("listening on all addresses, the relay cannot know its own name: say it with --public HOST:PORT")]
    PublicMissing,
    /// The key file is not 64 hexadecimal digits.
    #[error("identity.key is damaged; restore it from a backup, for addresses that people hold pin this key")]
    Key,
    /// Others on this machine could read the key.
    #[error(
        "identity.key can be read by other users; run `chmod 600` on it, and think of it as known if they are not trusted"
    )]
    KeyMode,
    /// Another process runs from this folder.
    #[error("a relay is running from this folder already")]
    Running,
}

/// A folder with a relay in it.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

/// `relay.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) public: String,
    tls: String,
    metrics: MetricsConfig,
    limits: LimitsConfig,
    storage: StorageConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct MetricsConfig {
    listen: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct LimitsConfig {
    mailbox_envelopes_max: u32,
    contact_envelopes_max: u32,
    mailbox_mib_max: u64,
    envelope_ttl_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct StorageConfig {
    free_mib_min: u64,
}

/// All keys of `relay.toml`. A test holds them to what [`write_config`] writes.
const KEYS: [&str; 9] = [
    "listen",
    "public",
    "tls",
    "metrics.listen",
    "limits.mailbox_envelopes_max",
    "limits.contact_envelopes_max",
    "limits.mailbox_mib_max",
    "limits.envelope_ttl_days",
    "storage.free_mib_min",
];

/// The least likeness (Jaro-Winkler) at which a known key is named for an unknown one.
const LIKENESS_MIN: f64 = 0.7;
const MIB: u64 = 1024 * 1024;

impl DataDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("relay.db")
    }

    /// Where a running relay says where it listens.
    pub(crate) fn listening(&self) -> PathBuf {
        self.0.join("listening")
    }

    fn config(&self) -> PathBuf {
        self.0.join("relay.toml")
    }

    fn key(&self) -> PathBuf {
        self.0.join("identity.key")
    }

    /// Makes the folder, for its owner alone, with a configuration and a key. Never touches what is there.
    pub(crate) fn create(&self, config: &str, secret: &[u8; 32]) -> Result<(), ConfigError> {
        if self.config().exists() || self.key().exists() {
            return Err(ConfigError::Exists(self.0.clone()));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(|e| file_error(&self.0, e))?;
        let hex = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(secret));
        write_new(&self.key(), 0o600, hex.as_bytes())?;
        write_new(&self.config(), 0o644, config.as_bytes())
    }

    pub(crate) fn read_config(&self) -> Result<Config, ConfigError> {
        let path = self.config();
        match fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConfigError::Missing(self.0.clone())),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    pub(crate) fn read_identity(&self) -> Result<Identity, ConfigError> {
        let path = self.key();
        let mode = fs::metadata(&path).map_err(|error| file_error(&path, error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(ConfigError::KeyMode);
        }
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(|error| file_error(&path, error))?);
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| ConfigError::Key)?);
        let secret: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| ConfigError::Key)?;
        Ok(Identity::from_secret(secret))
    }

    /// Held by the one process that runs from here, until it ends.
    pub(crate) fn lock(&self) -> Result<File, ConfigError> {
        self.try_lock()?.ok_or(ConfigError::Running)
    }

    /// The lock, unless a relay runs from here.
    pub(crate) fn try_lock(&self) -> Result<Option<File>, ConfigError> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| file_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(file_error(&path, error)),
        }
    }

    /// Replaces a small file in one step.
    pub(crate) fn write_listening(&self, text: &str) -> Result<(), ConfigError> {
        let (path, new) = (self.listening(), self.0.join("listening.new"));
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        written.map_err(|error| file_error(&path, error))
    }
}

impl Config {
    /// Parses and checks.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse()?;
        check_keys("", &table)?;
        let config: Self = table.try_into()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let Self { listen: _, public: _, tls: _, metrics: _, limits, storage: _ } = self;
        let within = |key, value: u64, max: u64| {
            if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { key, min: 1, max }) }
        };
        let envelopes_max = u64::from(limits::MAILBOX_ENVELOPES_MAX);
        within("limits.mailbox_envelopes_max", limits.mailbox_envelopes_max.into(), envelopes_max)?;
        let contact_max = u64::from(limits::CONTACT_MAILBOX_ENVELOPES_MAX);
        within("limits.contact_envelopes_max", limits.contact_envelopes_max.into(), contact_max)?;
        within("limits.mailbox_mib_max", limits.mailbox_mib_max, limits::MAILBOX_BYTES_MAX / MIB)?;
        let ttl_days_max = u64::from(limits::ENVELOPE_TTL_SECS) / 86_400;
        within("limits.envelope_ttl_days", limits.envelope_ttl_days.into(), ttl_days_max)?;
        self.tls()?;
        self.metrics_listen()?;
        Ok(())
    }

    pub(crate) fn tls(&self) -> Result<Tls, ConfigError> {
        parse_tls(&self.tls)
    }

    /// Where clients reach this relay, listening at `bound`.
    pub(crate) fn address(&self, identity: RelayIdentity, bound: SocketAddr) -> Result<RelayAddress, ConfigError> {
        let (host, port) = match self.public.as_str() {
            "" => (bound.ip().to_string(), bound.port()),
            public => parse_public(public)?,
        };
        // Port 0 stands for whatever port the system chose.
        let port = if port == 0 { bound.port() } else { port };
        RelayAddress::new(&host, port, self.tls()?, identity).map_err(ConfigError::Public)
    }

    pub(crate) fn settings(&self, dir: &DataDir) -> Result<Settings, ConfigError> {
        let Self { listen, public, tls: _, metrics: _, limits, storage } = self;
        let public = if public.is_empty() { None } else { Some(parse_public(public)?) };
        let transport = match self.tls()? {
            Tls::Own => Transport::OwnTls,
            Tls::Off => Transport::Plain,
            Tls::Acme => return Err(ConfigError::Acme),
        };
        let core = core::Config {
            limits: sotto_outer::Limits {
                mailbox_envelopes_max: limits.mailbox_envelopes_max,
                mailbox_bytes_max: limits.mailbox_mib_max * MIB,
                envelope_ttl_secs: limits.envelope_ttl_days * 86_400,
            },
            contact_envelopes_max: limits.contact_envelopes_max,
            ..core::Config::default()
        };
        let disk = Some((dir.path().to_owned(), storage.free_mib_min.saturating_mul(MIB)));
        Ok(Settings {
            metrics_listen: self.metrics_listen()?,
            public,
            transport,
            core,
            disk,
            ..Settings::plain(*listen)
        })
    }

    fn metrics_listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.metrics.listen.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| ConfigError::Metrics(text.to_owned())),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            public: String::new(),
            tls: "own".to_owned(),
            metrics: MetricsConfig::default(),
            limits: LimitsConfig::default(),
            storage: StorageConfig::default(),
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned() }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            mailbox_envelopes_max: limits::MAILBOX_ENVELOPES_MAX,
            contact_envelopes_max: limits::CONTACT_MAILBOX_ENVELOPES_MAX,
            mailbox_mib_max: limits::MAILBOX_BYTES_MAX / MIB,
            envelope_ttl_days: limits::ENVELOPE_TTL_SECS / 86_400,
        }
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { free_mib_min: 64 }
    }
}

/// Where a relay listens if nobody says otherwise: where only this machine reaches it.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4433);

/// The text of a new `relay.toml`.
pub(crate) fn write_config(listen: SocketAddr, public: &str, tls: &str) -> Result<String, ConfigError> {
    parse_tls(tls)?;
    if public.is_empty() && listen.ip().is_unspecified() {
        return Err(ConfigError::PublicMissing);
    }
    if !public.is_empty() {
        let (host, port) = parse_public(public)?;
        RelayAddress::new(&host, port, Tls::Own, RelayIdentity::from([0; 32])).map_err(ConfigError::Public)?;
    }
    // Whoever lets the system choose one port wants no fixed other.
    let metrics_port = if listen.port() == 0 { 0 } else { 9464 };
    Ok(format!(
        r#"# A Sotto relay. Every key is listed, with the value it has if it is left out.
# `sotto-relay check --data DIR` says whether this file is right.

# Where to listen for clients. Port 0 lets the system choose; the file `listening` then says which.
listen = "{listen}"

# HOST:PORT as clients reach this relay, part of the address they are given. Empty: as `listen`.
public = "{public}"

# "own": TLS 1.3 whose certificate this relay's key signs; clients pin the key, and no authority is needed.
# "off": none, for loopback, an onion service, or a proxy before the relay that carries TLS.
tls = "{tls}"

[metrics]
# Where /metrics (Prometheus), /livez and /readyz are, for this machine's eyes. Empty: nowhere; /livez and /readyz
# are on the clients' port as well.
listen = "127.0.0.1:{metrics_port}"

[limits]
# What one mailbox holds. The protocol's own limits are the defaults; they can be lowered.
mailbox_envelopes_max = {envelopes}
contact_envelopes_max = {contact}
mailbox_mib_max = {mib}
# How long an envelope waits for its reader.
envelope_ttl_days = {days}

[storage]
# With less free space than this on the disk nothing new is stored; what is there is still delivered and deleted.
free_mib_min = {free}
"#,
        envelopes = limits::MAILBOX_ENVELOPES_MAX,
        contact = limits::CONTACT_MAILBOX_ENVELOPES_MAX,
        mib = limits::MAILBOX_BYTES_MAX / MIB,
        days = limits::ENVELOPE_TTL_SECS / 86_400,
        free = StorageConfig::default().free_mib_min,
    ))
}

fn parse_tls(text: &str) -> Result<Tls, ConfigError> {
    match text {
        "own" => Ok(Tls::Own),
        "off" => Ok(Tls::Off),
        "acme" => Err(ConfigError::Acme),
        other => Err(ConfigError::Tls(other.to_owned())),
    }
}

fn parse_public(text: &str) -> Result<(String, u16), ConfigError> {
    let (host, port) = text.rsplit_once(':').ok_or(ConfigError::Public(AddressError::Port))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| ConfigError::Public(AddressError::Port))?;
    Ok((host.to_owned(), port))
}

/// Refuses what nobody reads: a mistyped limit must not look as if it held.
fn check_keys(section: &str, table: &toml::Table) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let is_section = KEYS.iter().any(|known| known.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
        match value {
            toml::Value::Table(table) if is_section => check_keys(&key, table)?,
            _ if KEYS.contains(&key.as_str()) || is_section => {}
            _ => return Err(ConfigError::UnknownKey { nearest: nearest(&key), key }),
        }
    }
    Ok(())
}

fn nearest(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // Of those whose last word is alike, the one that is alike as a whole.
    let likeness = |known: &str| {
        let (whole, end) = (strsim::jaro_winkler(known, key), strsim::jaro_winkler(&last(known), &last(key)));
        (whole.max(end), whole)
    };
    let likenesses = KEYS.iter().map(|known| (*known, likeness(known)));
    let (known, (likeness, _)) = likenesses.max_by(|(_, a), (_, b)| a.partial_cmp(b).unwrap_or(Ordering::Equal))?;
    (likeness >= LIKENESS_MIN).then(|| known.to_owned())
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the known ones are {}", KEYS.join(", ")),
    }
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), ConfigError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: io::Error) -> ConfigError {
    ConfigError::File { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
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
        let mut known = KEYS.map(str::to_owned).to_vec();
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
        assert!(refused("tls = \"acme\"").contains("not built yet"));
        assert!(refused("tls = \"yes\"").contains("\"own\" or \"off\""));
        assert!(refused("listen = 5").contains("listen"));
        assert!(refused("[limits]\nenvelope_ttl_days = 22").contains("from 1 to 21"));
        assert!(refused("[limits]\nmailbox_envelopes_max = 0").contains("from 1 to 1000"));
        assert!(refused("[metrics]\nlisten = \"x\"").contains("metrics.listen"));
        assert!(refused("listen =").contains("relay.toml"));
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

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.create(&written(), &[1; 32]).unwrap();
        assert_eq!(data.read_identity().unwrap().public(), Identity::from_secret(&[1; 32]).public());
        assert!(matches!(data.create(&written(), &[2; 32]), Err(ConfigError::Exists(_))));
        fs::set_permissions(data.key(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(data.read_identity(), Err(ConfigError::KeyMode)));
        fs::set_permissions(data.key(), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(data.key(), "0123").unwrap();
        assert!(matches!(data.read_identity(), Err(ConfigError::Key)));
    }

    #[test]
    fn one_process_runs_from_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let held = data.lock().unwrap();
        assert!(matches!(data.lock(), Err(ConfigError::Running)));
        drop(held);
        assert!(data.lock().is_ok());
    }
}
