//! One order at an authority: from the account to the certificate.

use std::{fs, io, path::PathBuf, time::Duration};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{crypto::aws_lc_rs::sign::any_ecdsa_type, pki_types::PrivatePkcs8KeyDer, sign::CertifiedKey};

use super::{Acme, Certificates, http::Http, write_secret};

/// How long the authority may take for each step.
const STEP_SECS: u64 = 90;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// What is kept cannot be read or written.
    #[error("a file cannot be used: {0}")]
    File(#[from] io::Error),
    /// The authority is not reached, or says no.
    #[error("the authority: {0}")]
    Authority(#[from] Error),
    /// It offers no challenge that this relay can meet.
    #[error("the authority does not offer TLS-ALPN-01")]
    Challenge,
    /// It looked, and was not shown what it should be.
    #[error("the authority could not see the challenge on port 443 of this name")]
    Unproved,
    /// What came, or was to be sent, is no certificate of ours.
    #[error("the certificate cannot be used")]
    Certificate,
    /// It took too long.
    #[error("it took too long")]
    Time,
}

impl OrderError {
    /// For logs and metrics: names nobody.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Authority(Error::Api(_)) => "refused",
            Self::Authority(Error::Other(_)) => "unreachable",
            Self::Authority(_) => "protocol",
            Self::Challenge => "challenge",
            Self::Unproved => "unproved",
            Self::Certificate => "certificate",
            Self::Time => "time",
        }
    }
}

impl From<rcgen::Error> for OrderError {
    fn from(_: rcgen::Error) -> Self {
        Self::Certificate
    }
}

/// An account's orders.
pub(super) struct Orders<'a> {
    acme: &'a Acme,
    account: PathBuf,
    http: Http,
}

impl<'a> Orders<'a> {
    /// The account is kept at this path, and made where it is not yet.
    pub(super) fn new(acme: &'a Acme, account: PathBuf) -> Result<Self, OrderError> {
        Ok(Self { acme, account, http: Http::new(acme.root.as_deref())? })
    }

    /// A key and a chain for this name, as PEM.
    pub(super) async fn certificate(self, name: &str, shown: &Certificates) -> Result<String, OrderError> {
        let account = self.account().await?;
        let mut order = account.new_order(&NewOrder::new(&[Identifier::Dns(name.to_owned())])).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization.challenge(ChallengeType::TlsAlpn01).ok_or(OrderError::Challenge)?;
            shown.set_challenge(Some(proof(name, challenge.key_authorization().digest().as_ref())?));
            challenge.set_ready().await?;
        }
        let patience = RetryPolicy::default().timeout(Duration::from_secs(STEP_SECS));
        if order.poll_ready(&patience).await? != OrderStatus::Ready {
            return Err(OrderError::Unproved);
        }
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        order.finalize_csr(params.serialize_request(&key)?.der()).await?;
        Ok(key.serialize_pem() + &order.poll_certificate(&patience).await?)
    }

    async fn account(&self) -> Result<Account, OrderError> {
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        match fs::read(&self.account) {
            Ok(kept) => {
                let kept: AccountCredentials = serde_json::from_slice(&kept).map_err(io::Error::other)?;
                return Ok(builder.from_credentials(kept).await?);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let contact = self.acme.contact.as_deref();
        let contact: Vec<&str> = contact.into_iter().collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, self.acme.directory.clone(), None).await?;
        write_secret(&self.account, &serde_json::to_vec(&credentials).map_err(io::Error::other)?)?;
        Ok(account)
    }
}

/// What the authority is shown for a challenge (RFC 8737 §3).
fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, OrderError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let shown = params.self_signed(&key)?.der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    // Nobody parses it on the way: its critical extension is one that verifiers of the web refuse, as they should.
    Ok(CertifiedKey::new(vec![shown], any_ecdsa_type(&key).map_err(|_| OrderError::Certificate)?))
}
