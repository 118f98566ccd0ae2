//! `own` TLS: TLS 1.3 with a leaf that the relay's identity signs afresh at each start and when its host asks. Clients pin the identity and check
//! nothing else.
//!
//! The leaf (RFC 5280): issuer `CN=sotto relay`, signature Ed25519 (RFC 8410) by the relay identity; subject alternative name
//! `relay.sotto.invalid`; key ECDSA P-256, new at each start and never written; not before 1975, not after 4096. A client
//! builds its trust anchor from the issuer's name and the pinned key. No issuer certificate is sent: there is nothing it
//! could add.

use std::sync::Arc;

use ed25519_dalek::Signer;
use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm};
use rustls::{
    crypto::aws_lc_rs::sign::any_ecdsa_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{certificate::Certificates, files::FilesError};
use crate::access::Identity;

/// The issuer's common name.
const ISSUER: &str = "sotto relay";
/// The leaf's subject alternative name; clients do not check it.
const NAME: &str = "relay.sotto.invalid";

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The leaf could not be made.
    #[error("the certificate cannot be made ({0})")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused what was made.
    #[error("{0}")]
    Config(#[from] rustls::Error),
    /// The host's certificate cannot be used.
    #[error("the certificate's files: {0}")]
    Files(#[from] FilesError),
}

/// TLS 1.3 with the certificate that is shown at the time.
pub(super) fn server_config(
    certificates: Arc<Certificates>,
    alpn: &[&[u8]],
) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A new leaf of the relay's own, with its key.
pub(super) fn own(identity: &Identity) -> Result<CertifiedKey, TlsError> {
    let (leaf, key) = leaf(identity)?;
    Ok(CertifiedKey::new(vec![leaf], any_ecdsa_type(&key)?))
}

/// A leaf with a new key.
fn leaf(identity: &Identity) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = DistinguishedName::new();
    issuer.distinguished_name.push(DnType::CommonName, ISSUER);
    let mut params = CertificateParams::new([NAME.to_owned()])?;
    params.not_before = rcgen::date_time_ymd(1975, 1, 1);
    params.not_after = rcgen::date_time_ymd(4096, 1, 1);
    let leaf = params.signed_by(&key, &Issuer::from_params(&issuer, identity))?;
    Ok((leaf.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

impl PublicKeyData for Identity {
    fn der_bytes(&self) -> &[u8] {
        self.public().as_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Identity {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.signing_key().sign(message).to_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::{Der, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};

    use super::*;

    /// What a client knows: `CN=sotto relay` and an Ed25519 key, as RFC 5280 and RFC 8410 write them.
    fn anchor(identity: &Identity) -> TrustAnchor<'static> {
        let subject = b"\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0bsotto relay".to_vec();
        let key = [&b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], identity.public().as_bytes()].concat();
        TrustAnchor { subject: Der::from(subject), subject_public_key_info: Der::from(key), name_constraints: None }
    }

    fn accepts(pinned: &Identity, leaf: &CertificateDer<'_>) -> bool {
        let algorithms: &[&dyn SignatureVerificationAlgorithm] = webpki::ALL_VERIFICATION_ALGS;
        let leaf = webpki::EndEntityCert::try_from(leaf).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
        let anchors = [anchor(pinned)];
        let verified =
            leaf.verify_for_usage(algorithms, &anchors, &[], now, webpki::KeyUsage::server_auth(), None, None);
        verified.is_ok() && leaf.verify_is_valid_for_subject_name(&ServerName::try_from(NAME).unwrap()).is_ok()
    }

    #[test]
    fn a_client_that_pins_the_identity_accepts_the_leaf() {
        let relay = Identity::from_secret(&[1; 32]);
        let (leaf, _) = leaf(&relay).unwrap();
        assert!(accepts(&relay, &leaf));
    }

    #[test]
    fn a_client_that_pins_another_identity_refuses_it() {
        let (relay, mallory) = (Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32]));
        let (leaf, _) = leaf(&mallory).unwrap();
        assert!(!accepts(&relay, &leaf));
    }

    #[test]
    fn each_start_has_a_key_of_its_own() {
        let relay = Identity::from_secret(&[1; 32]);
        let ((_, first), (_, second)) = (leaf(&relay).unwrap(), leaf(&relay).unwrap());
        assert_ne!(first.secret_der(), second.secret_der());
        assert!(own(&relay).is_ok());
    }
}
