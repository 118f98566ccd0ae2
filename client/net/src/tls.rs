//! Who must answer: under `own` TLS the leaf is signed by the pinned relay identity and nothing else is checked; under
//! `acme` the public web vouches, and the relay proves its identity over the exporter. TLS 1.3 alone, X25519MLKEM768
//! first.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime},
    version::TLS13,
};
use sotto_outer::RelayIdentity;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use webpki::{EndEntityCert, KeyUsage};

use crate::NetError;

/// The issuer's name in every relay's leaf: `CN=sotto relay`, as DER without the outer sequence (RFC 5280 §4.1.2.4).
const ISSUER: &[u8] = b"\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0bsotto relay";
/// An Ed25519 key's algorithm and bit string, without the outer sequence (RFC 8410 §4); the 32 bytes of the key follow.
const ED25519_SPKI: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// 2026-01-01. A leaf's dates are not checked: the pin does not age, and a client's clock may be wrong.
const VALIDATION_TIME: Duration = Duration::from_secs(1_767_225_600);
/// The exporter's label (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Speaks TLS to the relay with this identity.
pub(crate) async fn connect_own(
    host: &str,
    identity: &RelayIdentity,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, NetError> {
    let provider = provider();
    let verifier = PinnedIdentity {
        key: [ED25519_SPKI, identity.as_bytes()].concat(),
        algorithms: provider.signature_verification_algorithms,
    };
    let config =
        builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    connect(host, config, stream).await
}

/// Speaks TLS to a host with a certificate of the public web.
pub(crate) async fn connect_acme(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, NetError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = builder(provider())?.with_root_certificates(roots).with_no_client_auth();
    connect(host, config, stream).await
}

/// What ties the relay's proof of identity to this TLS connection (RFC 9266).
pub(crate) fn exporter(stream: &TlsStream<TcpStream>) -> Result<[u8; 32], NetError> {
    let (_, connection) = stream.get_ref();
    connection
        .export_keying_material([0; 32], EXPORTER_LABEL, None)
        .map_err(|error| NetError::TlsFailed(error.to_string()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, NetError> {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| NetError::TlsFailed(error.to_string()))
}

async fn connect(host: &str, config: ClientConfig, stream: TcpStream) -> Result<TlsStream<TcpStream>, NetError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| NetError::NameUnknown)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(refused)
}

fn refused(error: io::Error) -> NetError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => NetError::WrongPin,
        Some(rustls::Error::InvalidCertificate(reason)) => NetError::CertificateRefused(reason.to_string()),
        Some(error) => NetError::TlsFailed(error.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => NetError::TlsFailed("it hung up".to_owned()),
        None => NetError::Unreachable(error.kind()),
    }
}

/// Accepts a leaf that the pinned identity signed.
#[derive(Debug)]
struct PinnedIdentity {
    /// The identity's public key as a trust anchor holds it.
    key: Vec<u8>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedIdentity {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let wrong = rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let anchor = TrustAnchor {
            subject: Der::from_slice(ISSUER),
            subject_public_key_info: Der::from_slice(&self.key),
            name_constraints: None,
        };
        // No intermediates: the identity signs the leaf itself, so no one else's key can stand between.
        let verified = EndEntityCert::try_from(leaf).and_then(|leaf| {
            leaf.verify_for_usage(
                &[webpki::aws_lc_rs::ED25519],
                &[anchor],
                &[],
                UnixTime::since_unix_epoch(VALIDATION_TIME),
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map(|_| ())
        });
        verified.map(|()| ServerCertVerified::assertion()).map_err(|_| wrong)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
