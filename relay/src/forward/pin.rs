//! Who must answer where a command is forwarded to: under `own` TLS the leaf is signed by the identity that the client named,
//! under `acme` the public web vouches. What is carried is sealed to the identity in any case; this keeps the road from being
//! anybody's.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime},
    version::TLS13,
};
use sotto_outer::{RelayIdentity, Tls};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use webpki::{EndEntityCert, KeyUsage};

/// The issuer's name in every relay's leaf: `CN=sotto relay`, as DER without the outer sequence (RFC 5280 §4.1.2.4).
const ISSUER: &[u8] = b"\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0bsotto relay";
/// An Ed25519 key's algorithm and bit string, without the outer sequence (RFC 8410 §4); the 32 bytes of the key follow.
const ED25519_SPKI: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// 2026-01-01. A leaf's dates are not checked: the pin does not age.
const VALIDATION_TIME: Duration = Duration::from_secs(1_767_225_600);

/// A stream on which HTTP can be spoken.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Speaks whatever the address says on a stream that stands.
///
/// # Errors
/// The system's, or that somebody else answered.
pub(super) async fn secure(
    tls: Tls,
    host: &str,
    identity: &RelayIdentity,
    stream: TcpStream,
) -> io::Result<Box<dyn Stream>> {
    let config = match tls {
        Tls::Off => return Ok(Box::new(stream)),
        Tls::Own => pinned(identity),
        Tls::Acme => public_web(),
    };
    let config = config.map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

/// TLS that ends at the relay with this identity and nowhere else, whatever name it is called by.
///
/// # Errors
/// None: the provider speaks TLS 1.3.
pub(crate) fn pinned(identity: &RelayIdentity) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Pinned::new(identity, &provider));
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn public_web() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Accepts a leaf that this identity signed.
#[derive(Debug)]
struct Pinned {
    /// The identity's public key as a trust anchor holds it.
    key: Vec<u8>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(identity: &RelayIdentity, provider: &CryptoProvider) -> Self {
        let key = [ED25519_SPKI, identity.as_bytes()].concat();
        Self { key, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let anchor = TrustAnchor {
            subject: Der::from_slice(ISSUER),
            subject_public_key_info: Der::from_slice(&self.key),
            name_constraints: None,
        };
        let now = UnixTime::since_unix_epoch(VALIDATION_TIME);
        let (algorithms, usage) = (&[webpki::aws_lc_rs::ED25519][..], KeyUsage::server_auth());
        // No intermediates: the identity signs the leaf itself, so no one else's key can stand between.
        let verified = EndEntityCert::try_from(leaf)
            .and_then(|leaf| leaf.verify_for_usage(algorithms, &[anchor], &[], now, usage, None, None).map(|_| ()));
        let wrong = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        verified.map(|()| ServerCertVerified::assertion()).map_err(|_| wrong)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
