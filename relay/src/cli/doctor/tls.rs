//! TLS as a client of an `own` relay checks it: the leaf is signed by the pinned identity, and nothing else counts.

use std::{io, net::TcpStream, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime},
};
use sotto_outer::RelayIdentity;
use webpki::{EndEntityCert, KeyUsage};

/// `CN=sotto relay`, as RFC 5280 writes it.
const ISSUER: &[u8] = b"\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0bsotto relay";
/// An Ed25519 key follows (RFC 8410 §4).
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// Nobody checks it.
const NAME: &str = "relay.sotto.invalid";

#[derive(Debug)]
struct Pinned {
    anchor: TrustAnchor<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A TLS stream to the relay with this identity.
pub(super) fn pinned(
    stream: TcpStream,
    identity: &RelayIdentity,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let anchor = TrustAnchor {
        subject: Der::from(ISSUER.to_vec()),
        subject_public_key_info: Der::from([ED25519, identity.as_bytes()].concat()),
        name_constraints: None,
    };
    let verifier = Pinned { anchor, algorithms: provider.signature_verification_algorithms };
    let config = config(provider, verifier).map_err(io::Error::other)?;
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn config(provider: Arc<CryptoProvider>, verifier: Pinned) -> Result<ClientConfig, Error> {
    let versions = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let anchors = std::slice::from_ref(&self.anchor);
        let verified =
            leaf.verify_for_usage(self.algorithms.all, anchors, &[], now, KeyUsage::server_auth(), None, None);
        verified.map_err(|_| CertificateError::UnknownIssuer)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
