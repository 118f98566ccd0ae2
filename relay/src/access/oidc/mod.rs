//! What is believed of an OpenID issuer: the tokens that say who somebody is (OpenID Connect Core 1.0 §3.1.3.7), the keys that
//! sign them, and whom of those they name the host lets in.
//!
//! Nothing is fetched and no clock is read in here. Signatures are checked by `jsonwebtoken` with aws-lc, for two algorithms
//! that a key must be made for; what a token then claims is judged here, by the relay's own time.

mod id_token;
mod issuer_keys;
mod policy;

pub use self::policy::LoginPolicy;
pub(crate) use self::{
    id_token::{Expected, Refusal, read},
    issuer_keys::IssuerKeys,
};
