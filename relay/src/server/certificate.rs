//! The certificate that clients are shown now. It can be another one from one connection to the next.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The protocol by which an authority asks for its challenge (RFC 8737 §6.2).
pub(super) const ACME_ALPN: &[u8] = b"acme-tls/1";

/// What is shown: to clients, and to an authority.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    shown: RwLock<Option<Arc<CertifiedKey>>>,
    challenge: RwLock<Option<Arc<CertifiedKey>>>,
}

impl Certificates {
    /// Shows clients another certificate from now on.
    pub(super) fn show(&self, key: CertifiedKey) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key));
    }

    /// What clients are shown now.
    pub(super) fn shown(&self) -> Option<Arc<CertifiedKey>> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows an authority this certificate, or none any more.
    pub(super) fn set_challenge(&self, key: Option<CertifiedKey>) {
        *self.challenge.write().unwrap_or_else(PoisonError::into_inner) = key.map(Arc::new);
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: the challenge is shown to whoever offers that protocol and no other.
        let asks_challenge = hello.alpn().is_some_and(|mut offered| offered.all(|name| name == ACME_ALPN));
        if asks_challenge {
            return self.challenge.read().unwrap_or_else(PoisonError::into_inner).clone();
        }
        self.shown()
    }
}
