//! How the relay's own port is protected, and where its certificate comes from.

use std::{sync::Arc, time::Duration};

use sotto_outer::Tls;
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    Metrics,
    acme::{Acme, Renewer},
    certificate::{ACME_ALPN, Certificates},
    files::{CertificateFiles, FilesError},
    tls::{self, TlsError},
    validity::validity,
};
use crate::access::Identity;

/// How often files are looked at whether somebody renewed them.
const LOOK_SECS: u64 = 60;

/// How the relay's own port is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS 1.3 with a leaf that the relay's identity signs at each start.
    OwnTls,
    /// TLS 1.3 with a public certificate in the host's files.
    Files(CertificateFiles),
    /// TLS 1.3 with a public certificate that the relay gets.
    Acme(Acme),
    /// None: loopback, an onion service or a VPN.
    Plain,
}

impl Transport {
    /// As an address says it.
    pub(super) const fn tls(&self) -> Tls {
        match self {
            Self::OwnTls => Tls::Own,
            Self::Files(_) | Self::Acme(_) => Tls::Acme,
            Self::Plain => Tls::Off,
        }
    }
}

/// Why there is no other certificate now.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There is none at all.
    #[error("this relay ends no TLS, so it has no certificate")]
    Plain,
    /// The relay's own cannot be made.
    #[error(transparent)]
    Own(#[from] TlsError),
    /// The host's cannot be used; the one before is shown on.
    #[error("the certificate's files: {0}; the one before is shown on")]
    Files(#[from] FilesError),
}

/// TLS that ends here.
pub(super) struct Ending {
    pub(super) certificates: Arc<Certificates>,
    source: Source,
    metrics: Arc<Metrics>,
}

/// Where certificates come from.
enum Source {
    Own(Box<Identity>),
    Files(CertificateFiles),
    Acme(Arc<Notify>),
}

impl Ending {
    /// Shows the first certificate, and keeps it fresh until the relay stops. None where no TLS ends here.
    ///
    /// `name` is the host's, as clients dial it.
    pub(super) fn start(
        transport: &Transport,
        identity: &Identity,
        name: &str,
        metrics: &Arc<Metrics>,
        draining: &watch::Receiver<bool>,
    ) -> Result<Option<Arc<Self>>, TlsError> {
        let (certificates, wanted) = (Arc::<Certificates>::default(), Arc::<Notify>::default());
        let source = match transport {
            Transport::Plain => return Ok(None),
            Transport::OwnTls => Source::Own(Box::new(Identity::from_secret(identity.signing_key().as_bytes()))),
            Transport::Files(files) => Source::Files(files.clone()),
            Transport::Acme(_) => Source::Acme(Arc::clone(&wanted)),
        };
        let ending = Arc::new(Self { certificates: Arc::clone(&certificates), source, metrics: Arc::clone(metrics) });
        match transport {
            Transport::OwnTls | Transport::Plain => ending.show()?,
            Transport::Files(files) => {
                ending.show()?;
                tokio::spawn(Arc::clone(&ending).watch(files.clone(), draining.clone()));
            }
            Transport::Acme(acme) => {
                let (acme, metrics, draining) = (acme.clone(), Arc::clone(metrics), draining.clone());
                let name = name.to_owned();
                tokio::spawn(Renewer { acme, name, certificates, metrics, wanted, draining }.run());
            }
        }
        Ok(Some(ending))
    }

    /// What the port speaks.
    pub(super) fn config(&self) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let alpn: &[&[u8]] = match self.source {
            Source::Own(_) | Source::Files(_) => &[],
            Source::Acme(_) => &[b"http/1.1", ACME_ALPN],
        };
        tls::server_config(Arc::clone(&self.certificates), alpn)
    }

    /// Another certificate from now on; an authority is asked for one.
    pub(super) fn rotate(&self) -> Result<(), RotateError> {
        match &self.source {
            Source::Own(_) | Source::Files(_) => Ok(self.show()?),
            Source::Acme(wanted) => {
                wanted.notify_one();
                Ok(())
            }
        }
    }

    fn show(&self) -> Result<(), TlsError> {
        let certified = match &self.source {
            Source::Own(identity) => tls::own(identity)?,
            Source::Files(files) => {
                let certified = files.read()?;
                let (_, until) = certified.cert.first().and_then(validity).ok_or(FilesError::Pem)?;
                self.metrics.set_certificate_expires(until.unsigned_abs());
                certified
            }
            Source::Acme(_) => return Ok(()),
        };
        self.certificates.show(certified);
        Ok(())
    }

    /// Shows what is in the files when they change.
    async fn watch(self: Arc<Self>, files: CertificateFiles, mut draining: watch::Receiver<bool>) {
        let mut looks = interval(Duration::from_secs(LOOK_SECS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = files.changed_at();
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                _ = draining.wait_for(|draining| *draining) => return,
            }
            let changed = files.changed_at();
            if changed == shown {
                continue;
            }
            match self.show() {
                Ok(()) => shown = changed,
                // They may be half written; the next look sees them whole.
                Err(_) => {
                    tracing::warn!(
                        "the certificate's files were changed and cannot be used; the one before is shown on"
                    );
                    self.metrics.count_certificate_failure("files");
                }
            }
        }
    }
}
