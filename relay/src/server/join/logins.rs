//! Logins that have begun: each is for one browser, once, and for ten minutes. In memory alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::time::Timestamp;

/// How long a login may take.
pub(super) const LOGIN_SECS: u32 = 600;
/// Logins at a time; one more, and the oldest is forgotten. All together take some 8 MiB.
const LOGINS_MAX: usize = 16_384;

/// 32 random bytes, base64url: 43 characters.
type Secret = String;

/// All that have begun.
#[derive(Default)]
pub(super) struct Logins(Mutex<Begun>);

#[derive(Default)]
struct Begun {
    by_state: HashMap<Secret, Login>,
    /// States, oldest first; of those that are over some may still be here.
    order: VecDeque<(Secret, Timestamp)>,
}

/// A login that has begun.
pub(super) struct Login {
    /// What the browser shows to be the one that began it.
    browser: Secret,
    /// What the ID token must repeat.
    pub(super) nonce: Secret,
    /// Whose hash the issuer was shown (RFC 7636 §4.1).
    pub(super) verifier: Secret,
    pub(super) begun: Timestamp,
}

/// What goes out when a login begins.
pub(super) struct Opening {
    /// To the issuer, which gives it back.
    pub(super) state: Secret,
    /// To the issuer, for the ID token.
    pub(super) nonce: Secret,
    /// To the issuer, the hash of what it is shown in the end (RFC 7636 §4.2, S256).
    pub(super) challenge: String,
    /// To the browser, as a cookie.
    pub(super) browser: Secret,
}

impl Logins {
    pub(super) fn begin(&self, rng: &mut impl CryptoRng, now: Timestamp) -> Opening {
        let [state, browser, nonce, verifier] = [(); 4].map(|()| secret(rng));
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(&verifier));
        let login = Login { browser: browser.clone(), nonce: nonce.clone(), verifier, begun: now };
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.make_room(now);
        begun.order.push_back((state.clone(), now));
        begun.by_state.insert(state.clone(), login);
        Opening { state, nonce, challenge, browser }
    }

    /// The login of this state, which is over with that; none if it is not this browser's, or took too long.
    pub(super) fn end(&self, state: &str, browser: &str, now: Timestamp) -> Option<Login> {
        let login = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_state.remove(state)?;
        let is_same = bool::from(login.browser.as_bytes().ct_eq(browser.as_bytes()));
        (is_same && !is_over(login.begun, now)).then_some(login)
    }
}

impl Begun {
    fn make_room(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(_, begun)| self.order.len() >= LOGINS_MAX || is_over(*begun, now)) {
            if let Some((state, _)) = self.order.pop_front() {
                self.by_state.remove(&state);
            }
        }
    }
}

fn is_over(begun: Timestamp, now: Timestamp) -> bool {
    begun.plus_secs(LOGIN_SECS) <= now
}

fn secret(rng: &mut impl CryptoRng) -> Secret {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_login_ends_once_in_its_own_browser_and_in_time() {
        let (logins, mut rng) = (Logins::default(), ChaCha20Rng::seed_from_u64(1));
        let first = logins.begin(&mut rng, NOW);
        let login = logins.end(&first.state, &first.browser, NOW.plus_secs(599)).unwrap();
        assert_eq!((login.nonce, login.begun), (first.nonce, NOW));
        assert_eq!(BASE64URL_NOPAD.encode(&Sha256::digest(&login.verifier)), first.challenge);
        assert_eq!(login.verifier.len(), 43, "as long as RFC 7636 §4.1 asks at least");
        assert!(logins.end(&first.state, &first.browser, NOW).is_none(), "once");

        let other = logins.begin(&mut rng, NOW);
        assert!(logins.end(&other.state, &first.browser, NOW).is_none(), "another browser");
        assert!(logins.end(&other.state, &other.browser, NOW).is_none(), "and with that it is over");
        let late = logins.begin(&mut rng, NOW);
        assert!(logins.end(&late.state, &late.browser, NOW.plus_secs(600)).is_none());
        assert!(logins.end("", "", NOW).is_none());
    }

    #[test]
    fn what_has_begun_is_bounded_and_the_oldest_is_forgotten_first() {
        let (logins, mut rng) = (Logins::default(), ChaCha20Rng::seed_from_u64(1));
        let first = logins.begin(&mut rng, NOW);
        let second = logins.begin(&mut rng, NOW);
        for _ in 0..LOGINS_MAX - 1 {
            logins.begin(&mut rng, NOW);
        }
        assert!(logins.end(&first.state, &first.browser, NOW).is_none());
        assert!(logins.end(&second.state, &second.browser, NOW).is_some());
        logins.begin(&mut rng, NOW.plus_secs(LOGIN_SECS));
        assert_eq!(logins.0.lock().unwrap().order.len(), 1, "all others are over");
        assert_eq!(logins.0.lock().unwrap().by_state.len(), 1);
    }
}
