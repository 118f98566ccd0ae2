//! A certificate of the host's own, in PEM files that somebody else renews.

use std::{fs, io, path::PathBuf, time::SystemTime};

use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the leaf first (PEM).
    pub certificate: PathBuf,
    /// The leaf's key (PEM: PKCS #8, SEC 1 or PKCS #1).
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    /// Not PEM, or none of what is looked for in it.
    #[error("it is no PEM file of a certificate and a key")]
    Pem,
    /// The key is of no kind that TLS takes, or another certificate's.
    #[error("the key does not belong to the certificate: {0}")]
    Key(#[from] rustls::Error),
}

impl CertificateFiles {
    pub(super) fn read(&self) -> Result<CertifiedKey, FilesError> {
        certified(&fs::read(&self.certificate)?, &fs::read(&self.key)?)
    }

    /// When either was changed last.
    pub(super) fn changed_at(&self) -> Option<SystemTime> {
        let changed = |path| fs::metadata(path).and_then(|data| data.modified()).ok();
        changed(&self.certificate).max(changed(&self.key))
    }
}

/// A chain and its key from PEM.
pub(super) fn certified(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, FilesError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|_| FilesError::Pem)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| FilesError::Pem)?;
    if chain.is_empty() {
        return Err(FilesError::Pem);
    }
    let certified = CertifiedKey::new(chain, any_supported_type(&key)?);
    certified.keys_match()?;
    Ok(certified)
}
