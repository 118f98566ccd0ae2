//! Whom of those an issuer names the host lets in.

use serde_json::{Map, Value};

/// What is asked of a person besides that the issuer knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginPolicy {
    /// Domains of e-mail addresses, one of which must be a person's, verified by the issuer. None: no address is asked for.
    pub email_domains: Vec<String>,
    /// A claim and the value that it must have, or have among others.
    pub claim: Option<(String, String)>,
}

impl LoginPolicy {
    /// Whether somebody of whom the issuer claims this may come.
    pub(super) fn admits(&self, claims: &Map<String, Value>) -> bool {
        let Self { email_domains, claim } = self;
        (email_domains.is_empty() || Self::has_email_in(email_domains, claims))
            && claim.as_ref().is_none_or(|(name, value)| has(claims.get(name), value))
    }

    fn has_email_in(domains: &[String], claims: &Map<String, Value>) -> bool {
        let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
        let email = claims.get("email").and_then(Value::as_str).and_then(|email| email.rsplit_once('@'));
        let Some((_, domain)) = email.filter(|_| is_verified) else { return false };
        domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }
}

/// Whether a claim is this text, or a list with it.
fn has(claim: Option<&Value>, text: &str) -> bool {
    match claim {
        Some(Value::String(found)) => found == text,
        Some(Value::Array(all)) => all.iter().any(|found| found.as_str() == Some(text)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn admits(policy: &LoginPolicy, claims: &Value) -> bool {
        policy.admits(claims.as_object().unwrap())
    }

    #[test]
    fn without_a_policy_everybody_comes_whom_the_issuer_knows() {
        assert!(admits(&LoginPolicy::default(), &json!({})));
    }

    #[test]
    fn a_verified_address_in_an_allowed_domain_admits() {
        let policy = LoginPolicy { email_domains: vec!["example.org".to_owned()], claim: None };
        assert!(admits(&policy, &json!({ "email": "alice@Example.ORG", "email_verified": true })));
        for claims in [
            json!({}),
            json!({ "email": "alice@example.org" }),
            json!({ "email": "alice@example.org", "email_verified": false }),
            json!({ "email": "alice@example.org", "email_verified": "true" }),
            json!({ "email": "alice@sub.example.org", "email_verified": true }),
            json!({ "email": "alice@badexample.org", "email_verified": true }),
            json!({ "email": "alice@example.org@evil.example", "email_verified": true }),
            json!({ "email": "example.org", "email_verified": true }),
            json!({ "email": ["alice@example.org"], "email_verified": true }),
        ] {
            assert!(!admits(&policy, &claims), "{claims}");
        }
    }

    #[test]
    fn a_claim_admits_by_its_value_or_by_one_of_its_values() {
        let policy = LoginPolicy { email_domains: vec![], claim: Some(("groups".to_owned(), "sotto".to_owned())) };
        for claims in [json!({ "groups": "sotto" }), json!({ "groups": ["staff", "sotto"] })] {
            assert!(admits(&policy, &claims), "{claims}");
        }
        for claims in [
            json!({}),
            json!({ "groups": "sotto2" }),
            json!({ "groups": [] }),
            json!({ "groups": [["sotto"]] }),
            json!({ "groups": { "sotto": true } }),
            json!({ "group": "sotto" }),
        ] {
            assert!(!admits(&policy, &claims), "{claims}");
        }
    }
}
