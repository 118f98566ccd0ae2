//! A certificate from a public authority, got and renewed by the relay itself: ACME (RFC 8555) with TLS-ALPN-01 (RFC 8737),
//! so that the one port which clients use is all that must be reachable.
//!
//! ```text
//!  none kept, or two thirds of its time gone ──► order ──► challenge, shown on the port ──► certificate: kept, shown
//!                                                  └── what fails is tried again later, ever more rarely
//! ```
//!
//! What is kept lies in the relay's folder, for its owner alone. Failures are told by kind; no name is logged.

mod http;
mod order;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use self::order::{OrderError, Orders};
use super::{Metrics, certificate::Certificates, files::certified, validity::validity};

/// Where most authorities' certificates are got.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How long until what failed is tried again, at first; each failure doubles it.
const RETRY_SECS: u64 = 60;
/// The longest of it.
const RETRY_SECS_MAX: u64 = 6 * 3_600;
/// How long an order may take.
const ORDER_SECS: u64 = 300;
/// How often the clock is looked at: it may be set, and a machine may sleep.
const LOOK_SECS: u64 = 3_600;

/// Where certificates are got, and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The authority's directory (RFC 8555 §7.1.1).
    pub directory: String,
    /// Where the authority writes to, as `mailto:…`.
    pub contact: Option<String>,
    /// The folder of the account and the certificate.
    pub cache: PathBuf,
    /// A root beside the public web's, by which the directory is trusted (PEM).
    pub root: Option<PathBuf>,
}

/// Keeps a certificate fresh.
pub(super) struct Renewer {
    pub(super) acme: Acme,
    /// The host's name, as clients dial it.
    pub(super) name: String,
    pub(super) certificates: Arc<Certificates>,
    pub(super) metrics: Arc<Metrics>,
    /// Told when a new certificate is wanted at once.
    pub(super) wanted: Arc<Notify>,
    pub(super) draining: watch::Receiver<bool>,
}

impl Renewer {
    /// Runs until the relay stops.
    pub(super) async fn run(mut self) {
        let mut draining = self.draining.clone();
        tokio::select! {
            () = self.renew() => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }

    async fn renew(&mut self) {
        let mut renew_at = self.show_kept().unwrap_or_default();
        let mut failures = 0;
        loop {
            let wait = renew_at.saturating_sub(now_secs()).min(LOOK_SECS);
            let is_wanted = tokio::select! {
                () = sleep(Duration::from_secs(wait)) => false,
                () = self.wanted.notified() => true,
            };
            if !is_wanted && now_secs() < renew_at {
                continue;
            }
            match self.order().await {
                Ok(next) => {
                    tracing::info!("the certificate is renewed");
                    (renew_at, failures) = (next, 0);
                }
                Err(error) => {
                    tracing::warn!(kind = error.kind(), "no certificate was got; it is tried again");
                    self.metrics.count_certificate_failure(error.kind());
                    renew_at = now_secs() + (RETRY_SECS << failures).min(RETRY_SECS_MAX);
                    failures = (failures + 1).min(16);
                }
            }
        }
    }

    /// Gets a certificate, keeps it and shows it. Gives the time at which it is renewed.
    async fn order(&self) -> Result<u64, OrderError> {
        let orders = Orders::new(&self.acme, self.account())?;
        let order = orders.certificate(&self.name, &self.certificates);
        let pem = timeout(Duration::from_secs(ORDER_SECS), order).await.map_err(|_| OrderError::Time);
        self.certificates.set_challenge(None);
        let pem = pem??;
        let renew_at = self.show(pem.as_bytes())?;
        write_secret(&self.certificate(), pem.as_bytes())?;
        Ok(renew_at)
    }

    /// Shows the certificate that was kept, if one is. Gives the time at which it is renewed.
    fn show_kept(&self) -> Option<u64> {
        let pem = fs::read(self.certificate()).ok()?;
        self.show(&pem).ok()
    }

    fn show(&self, pem: &[u8]) -> Result<u64, OrderError> {
        let certified = certified(pem, pem).map_err(|_| OrderError::Certificate)?;
        let (from, until) = certified.cert.first().and_then(validity).ok_or(OrderError::Certificate)?;
        let (from, until) = (from.unsigned_abs(), until.unsigned_abs());
        self.metrics.set_certificate_expires(until);
        self.certificates.show(certified);
        // While a third of its time is left there are many more tries.
        Ok(from + until.saturating_sub(from) / 3 * 2)
    }

    fn account(&self) -> PathBuf {
        self.kept("account.json", &self.acme.directory)
    }

    fn certificate(&self) -> PathBuf {
        self.kept("certificate.pem", &format!("{} {}", self.acme.directory, self.name))
    }

    /// What is kept belongs to one directory and name: with another one it begins anew.
    fn kept(&self, name: &str, of: &str) -> PathBuf {
        let digest = HEXLOWER.encode(&Sha256::digest(of.as_bytes())[..8]);
        self.acme.cache.join(format!("{digest}-{name}"))
    }
}

/// Replaces a file in one step; its owner alone can read it.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
