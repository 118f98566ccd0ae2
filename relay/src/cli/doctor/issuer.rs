//! The issuer at which people log in, where admission is "oidc".

use super::{Finding, Patient, network};
use crate::server::redirect_address;

pub(super) async fn examine(patient: &Patient) -> Option<Finding> {
    let settings = patient.config.as_ref()?.settings(&patient.dir).ok()?;
    let join = settings.join?;
    let found = match join.examine().await {
        Ok(found) => found,
        Err(error) => {
            return Some(Finding::fault(
                "issuer",
                format!("nobody can log in there ({})", error.kind()),
                "see that this machine reaches it, and that `issuer` in relay.toml is what the issuer calls itself",
            ));
        }
    };
    let redirect = network::address(patient)
        .map_or("https://HOST:PORT/join/callback".to_owned(), |address| redirect_address(&address));
    let says = format!("it is reached and has {} keys; the redirect address to enter there is {redirect}", found.keys);
    Some(match found.says_pkce {
        true => Finding::ok("issuer", says),
        false => Finding::warning(
            "issuer",
            format!("{says}; it does not say that it checks PKCE"),
            "require PKCE with S256 for this client, where the issuer can",
        ),
    })
}
