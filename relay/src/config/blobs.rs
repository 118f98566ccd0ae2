//! `[blobs]`: encrypted files, where they lie and how much of them is kept.

use std::{env, fs, path::Path};

use serde::Deserialize;
use sotto_outer::limits::{BLOB_BYTES_MAX, BLOB_PART_BYTES};
use zeroize::Zeroizing;

use super::{ConfigError, DataDir, MIB, section::Section};
use crate::{
    server::{BlobPlace, BlobSettings},
    storage::{blob::BlobQuota, objects::S3Settings},
};

/// The most that `gib_max` can say.
const GIB_MAX: u64 = 1024 * 1024;
/// The most that `transfers_max` can say: each has a thread of 512, and what else blocks needs some too.
const TRANSFERS_MAX: u64 = 128;

/// `[blobs]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Blobs {
    enabled: bool,
    gib_max: u64,
    blob_mib_max: u64,
    transfers_max: usize,
    directory: String,
    s3_bucket: String,
    s3_endpoint: String,
    s3_region: String,
    s3_credentials_file: String,
    s3_allow_http: bool,
}

impl Blobs {
    /// What the server does with blobs, in a relay's folder whose disk keeps these bytes free; none where it keeps none.
    pub(super) fn settings(&self, dir: &DataDir, free_bytes_min: u64) -> Result<Option<BlobSettings>, ConfigError> {
        if !self.enabled {
            return Ok(None);
        }
        let place = if self.s3_bucket.is_empty() {
            let directory = if self.directory.is_empty() { "blobs" } else { &self.directory };
            // A path that begins at the root stands for itself.
            BlobPlace::Directory(dir.path().join(directory), free_bytes_min)
        } else {
            BlobPlace::S3(self.s3()?)
        };
        let quota = BlobQuota {
            blob_bytes_max: (self.blob_mib_max * MIB).min(BLOB_BYTES_MAX),
            bytes_max: self.gib_max * 1024 * MIB,
        };
        Ok(Some(BlobSettings { place, quota, transfers_max: self.transfers_max }))
    }

    fn s3(&self) -> Result<S3Settings, ConfigError> {
        let (access_key_id, secret_access_key) = self.credentials()?;
        Ok(S3Settings {
            endpoint: self.s3_endpoint.clone(),
            bucket: self.s3_bucket.clone(),
            region: self.s3_region.clone(),
            access_key_id,
            secret_access_key,
            allow_http: self.s3_allow_http,
        })
    }

    /// The two lines of the file, or what the environment says.
    fn credentials(&self) -> Result<(String, Zeroizing<String>), ConfigError> {
        let missing = || ConfigError::Value {
            key: "blobs.s3_credentials_file",
            expected: "a file of two lines, key id and key, or empty, with both in the environment",
            found: self.s3_credentials_file.clone(),
        };
        if self.s3_credentials_file.is_empty() {
            let of = |name| env::var(name).ok().filter(|value| !value.is_empty());
            let (id, key) = (of("AWS_ACCESS_KEY_ID"), of("AWS_SECRET_ACCESS_KEY"));
            return Ok((id.ok_or_else(missing)?, Zeroizing::new(key.ok_or_else(missing)?)));
        }
        let path = Path::new(&self.s3_credentials_file);
        let text = fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
        let text = Zeroizing::new(text);
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(id), Some(key), None) => Ok((id.to_owned(), Zeroizing::new(key.to_owned()))),
            _ => Err(missing()),
        }
    }
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            enabled: true,
            gib_max: 10,
            blob_mib_max: BLOB_BYTES_MAX / MIB,
            transfers_max: 16,
            directory: String::new(),
            s3_bucket: String::new(),
            s3_endpoint: String::new(),
            s3_region: "us-east-1".to_owned(),
            s3_credentials_file: String::new(),
            s3_allow_http: false,
        }
    }
}

impl Section for Blobs {
    const KEYS: &'static [&'static str] = &[
        "enabled",
        "gib_max",
        "blob_mib_max",
        "transfers_max",
        "directory",
        "s3_bucket",
        "s3_endpoint",
        "s3_region",
        "s3_credentials_file",
        "s3_allow_http",
    ];

    fn check(&self) -> Result<(), ConfigError> {
        let within = |key, value: u64, max: u64| {
            if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { key, min: 1, max }) }
        };
        within("blobs.gib_max", self.gib_max, GIB_MAX)?;
        within("blobs.blob_mib_max", self.blob_mib_max, BLOB_BYTES_MAX / MIB)?;
        within("blobs.transfers_max", self.transfers_max as u64, TRANSFERS_MAX)?;
        let endpoint = &self.s3_endpoint;
        let is_endpoint = endpoint.starts_with("https://") || (self.s3_allow_http && endpoint.starts_with("http://"));
        if self.s3_bucket.is_empty() || is_endpoint {
            return Ok(());
        }
        Err(ConfigError::Value {
            key: "blobs.s3_endpoint",
            expected: "https://HOST, or http://HOST with `s3_allow_http = true`",
            found: endpoint.clone(),
        })
    }

    fn text(&self) -> String {
        let Self {
            enabled,
            gib_max,
            blob_mib_max,
            transfers_max,
            directory,
            s3_bucket,
            s3_endpoint,
            s3_region,
            s3_credentials_file,
            s3_allow_http,
        } = self;
        format!(
            r#"# Encrypted files, which this relay cannot read. Each is kept for {days} days.
enabled = {enabled}
# How much of them is kept in all, and the largest one. `storage.free_mib_min` of the disk stay free whatever is said here.
gib_max = {gib_max}
blob_mib_max = {blob_mib_max}
# Parts of {part_mib} MiB up, and downloads, at a time; who comes then is asked to come again.
transfers_max = {transfers_max}
# The folder where they lie; empty: `blobs` beside this file.
directory = "{directory}"
# Or a bucket of an S3-compatible store, which this relay alone uses. The key id and the key are the two lines of a file that
# this relay's user alone can read, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment.
s3_bucket = "{s3_bucket}"
s3_endpoint = "{s3_endpoint}"
s3_region = "{s3_region}"
s3_credentials_file = "{s3_credentials_file}"
s3_allow_http = {s3_allow_http}
"#,
            days = sotto_outer::limits::BLOB_TTL_SECS / 86_400,
            part_mib = BLOB_PART_BYTES / MIB,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(text: &str) -> Blobs {
        toml::from_str(text).unwrap()
    }

    fn place(text: &str) -> Result<Option<BlobPlace>, ConfigError> {
        let dir = DataDir::new(Path::new("/relay"));
        blobs(text).settings(&dir, 7).map(|settings| settings.map(|settings| settings.place))
    }

    #[test]
    fn blobs_lie_in_the_relays_folder_or_where_it_is_said() {
        for (text, expected) in [
            ("", "/relay/blobs"),
            ("directory = \"elsewhere\"", "/relay/elsewhere"),
            ("directory = \"/large/disk\"", "/large/disk"),
        ] {
            let Ok(Some(BlobPlace::Directory(path, 7))) = place(text) else { panic!("{text}") };
            assert_eq!(path, Path::new(expected));
        }
        assert!(place("enabled = false").unwrap().is_none());
    }

    #[test]
    fn a_store_needs_tls_and_a_key() {
        let bucket = |rest: &str| format!("s3_bucket = \"b\"\n{rest}");
        for (text, is_right) in [
            ("s3_endpoint = \"https://s3.example\"", true),
            ("s3_endpoint = \"http://s3.example\"", false),
            ("s3_endpoint = \"http://s3.example\"\ns3_allow_http = true", true),
            ("s3_endpoint = \"s3.example\"", false),
        ] {
            assert_eq!(blobs(&bucket(text)).check().is_ok(), is_right, "{text}");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let text = bucket(&format!("s3_credentials_file = \"{}\"", file.display()));
        assert!(matches!(place(&text), Err(ConfigError::File { .. })));
        fs::write(&file, "id\n").unwrap();
        assert!(matches!(place(&text), Err(ConfigError::Value { .. })));
        fs::write(&file, "id\nkey\n").unwrap();
        let Ok(Some(BlobPlace::S3(settings))) = place(&text) else { panic!("a store") };
        assert_eq!((settings.access_key_id.as_str(), settings.secret_access_key.as_str()), ("id", "key"));
        assert!(!format!("{settings:?}").contains("key"));
    }

    #[test]
    fn numbers_have_bounds() {
        for text in ["gib_max = 0", "blob_mib_max = 1129", "transfers_max = 0", "transfers_max = 129"] {
            assert!(matches!(blobs(text).check(), Err(ConfigError::OutOfRange { .. })), "{text}");
        }
    }
}
