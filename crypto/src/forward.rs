//! The client's half of two hops [REL-63]: commands sealed to a relay that another one carries them to, and the answers.

use std::fmt;

use hpke::{Deserializable, Kem, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sotto_outer::{
    ConnectionNonce, ForwardKey, RelayIdentity,
    codec::CodecError,
    forward::{ForwardedAnswer, ForwardedCommand, request_info},
    labels,
    limits::{FORWARD_CLOCK_SECS, FORWARD_REQUEST_BYTES, FORWARD_RESPONSE_BYTES},
};

use crate::{PeerMisbehaved, aead, secret::Secret32, signature, xwing};

/// A relay's key for commands that come through another relay, proved to be its own.
#[derive(Clone, Debug)]
pub struct VerifiedForwardKey {
    relay: RelayIdentity,
    key: ForwardKey,
}

/// A command to be sealed: its ciphertext of X-Wing exists, so that a proof of work can be bound to [`Self::nonce`].
pub struct ForwardSealer {
    enc: Vec<u8>,
    week: u32,
    context: hpke::aead::AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>,
}

/// What opens the one answer to a command. Wiped on drop.
pub struct ForwardOpener(Secret32);

impl VerifiedForwardKey {
    /// Checks that the relay with this identity signed the key, that its week at `now`, Unix seconds, is this one or the last, and
    /// that commands can be sealed to it. A clock may be as far behind the relay's as a command's.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Signature`] or [`PeerMisbehaved::Key`]: whoever carried it put another in its place.
    /// [`PeerMisbehaved::Expired`]: they put one in its place whose secret the relay has forgotten, or somebody may have found.
    pub fn verify(relay: &RelayIdentity, key: ForwardKey, now: u64) -> Result<Self, PeerMisbehaved> {
        let signed = ForwardKey::signed(relay, key.week, &key.key);
        if !signature::verifies(relay.as_bytes(), &signed, key.signature.as_bytes()) {
            return Err(PeerMisbehaved::Signature);
        }
        let (last, next) = (week(now).saturating_sub(1), week(now.saturating_add(FORWARD_CLOCK_SECS)));
        if !(last..=next).contains(&u64::from(key.week)) {
            return Err(PeerMisbehaved::Expired);
        }
        xwing::check_public(&key.key[..])?;
        Ok(Self { relay: *relay, key })
    }

    /// The week whose key it is, counted from 1970-01-01; it opens in that week and the next.
    pub const fn week(&self) -> u32 {
        self.key.week
    }

    /// Begins to seal one command; draws 64 bytes.
    pub fn sealer(&self, rng: &mut dyn CryptoRng) -> ForwardSealer {
        let key = <XWing as Kem>::PublicKey::from_bytes(&self.key.key[..]).expect("checked when it was verified");
        let info = request_info(&self.relay, self.key.week);
        let (enc, context) = hpke::setup_sender_with_rng::<_, _, XWing>(&OpModeS::Base, &key, &info, &mut &mut *rng)
            .expect("base mode of X-Wing cannot fail");
        ForwardSealer { enc: enc.to_bytes().to_vec(), week: self.key.week, context }
    }
}

/// The week a time lies in, counted from 1970-01-01.
const fn week(secs: u64) -> u64 {
    secs / (7 * 86_400)
}

impl ForwardSealer {
    /// Names this command to the relay, as a connection's nonce names a connection: SHA-256 of the X-Wing ciphertext.
    pub fn nonce(&self) -> ConnectionNonce {
        ConnectionNonce::from(<[u8; 32]>::from(Sha256::digest(&self.enc)))
    }

    /// Seals the command: always `FORWARD_REQUEST_BYTES`.
    ///
    /// # Errors
    /// [`CodecError::TooLong`]: no `send` or `fetch` within the limits is.
    pub fn seal(mut self, command: &ForwardedCommand) -> Result<(Vec<u8>, ForwardOpener), CodecError> {
        let ciphertext = self.context.seal(&command.encode()?, &[]).expect("one message does not exhaust the nonces");
        let key = Secret32::filled(|key| {
            self.context.export(labels::FORWARD_RESPONSE, key).expect("HKDF gives up to 8,160 bytes");
        });
        let sealed = [&self.week.to_be_bytes()[..], &self.enc, &ciphertext].concat();
        debug_assert_eq!(sealed.len(), FORWARD_REQUEST_BYTES);
        Ok((sealed, ForwardOpener(key)))
    }
}

impl ForwardOpener {
    /// Opens the answer.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Length`], [`PeerMisbehaved::Unopenable`], or [`PeerMisbehaved::Malformed`]: somebody on the way, or the
    /// relay itself.
    pub fn open(&self, sealed: &[u8]) -> Result<ForwardedAnswer, PeerMisbehaved> {
        let sealed: &[u8; FORWARD_RESPONSE_BYTES] = sealed.try_into().map_err(|_| PeerMisbehaved::Length)?;
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(PeerMisbehaved::Length)?;
        let (body, tag) = sealed.split_last_chunk().ok_or(PeerMisbehaved::Length)?;
        let mut body = body.to_vec();
        aead::open_in_place(self.0.as_bytes(), nonce, &[], &mut body, tag).map_err(|_| PeerMisbehaved::Unopenable)?;
        ForwardedAnswer::decode(&body).map_err(|_| PeerMisbehaved::Malformed)
    }
}

impl fmt::Debug for ForwardSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enc: _, week, context: _ } = self;
        f.debug_struct("ForwardSealer").field("week", week).finish_non_exhaustive()
    }
}

impl fmt::Debug for ForwardOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("ForwardOpener(..)")
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Answer, Command, Fetch, limits::FORWARD_KEY_BYTES};

    use super::*;
    use crate::{OwnerKeys, people::rng, xwing::SealSecret};

    /// In the week of the keys.
    const NOW: u64 = 3_000 * 7 * 86_400 + 5;

    /// A relay with its key of a week.
    struct Relay {
        identity: RelayIdentity,
        secret: SealSecret,
        key: ForwardKey,
    }

    fn relay(seed: u64) -> Relay {
        let (keys, secret) = (OwnerKeys::generate(&mut rng(seed)), SealSecret::generate(&mut rng(seed + 1)));
        let identity = RelayIdentity::from(*keys.public().as_bytes());
        let key = <[u8; FORWARD_KEY_BYTES]>::try_from(secret.public()).unwrap();
        let signature = keys.sign(&ForwardKey::signed(&identity, 3_000, &key));
        Relay { identity, secret, key: ForwardKey { week: 3_000, key: key.into(), signature } }
    }

    fn command() -> ForwardedCommand {
        let fetch = Fetch { bundle: [7; 16].into(), proof: None };
        ForwardedCommand { time_secs: 1_800_000_000, command: Command::Fetch(fetch) }
    }

    #[test]
    fn only_the_relays_own_key_of_that_week_is_sealed_to() {
        let (bob, mallory) = (relay(1), relay(5));
        assert!(VerifiedForwardKey::verify(&bob.identity, bob.key.clone(), NOW).is_ok());
        let refused = |key: ForwardKey| VerifiedForwardKey::verify(&bob.identity, key, NOW).err();
        assert_eq!(refused(mallory.key.clone()), Some(PeerMisbehaved::Signature), "another relay's");
        assert_eq!(refused(ForwardKey { key: mallory.key.key, ..bob.key.clone() }), Some(PeerMisbehaved::Signature));
        assert_eq!(refused(ForwardKey { week: 3_001, ..bob.key.clone() }), Some(PeerMisbehaved::Signature));
    }

    #[test]
    fn a_key_of_another_time_is_not_sealed_to() {
        let (bob, week) = (relay(1), 7 * 86_400);
        let verified = |now| VerifiedForwardKey::verify(&bob.identity, bob.key.clone(), now).map(|_| ());
        for (now, why) in [
            (3_000 * week, "its week begins"),
            (3_002 * week - 1, "the week after ends"),
            (3_000 * week - FORWARD_CLOCK_SECS, "a clock that is a little late"),
        ] {
            assert_eq!(verified(now), Ok(()), "{why}");
        }
        for (now, why) in [
            (3_002 * week, "its week is long over"),
            (3_000 * week - FORWARD_CLOCK_SECS - 1, "its week is to come"),
            (0, "no clock"),
        ] {
            assert_eq!(verified(now), Err(PeerMisbehaved::Expired), "{why}");
        }
    }

    #[test]
    fn the_relay_opens_what_was_sealed_to_it() {
        let bob = relay(1);
        let sealer = VerifiedForwardKey::verify(&bob.identity, bob.key.clone(), NOW).unwrap().sealer(&mut rng(9));
        let (sealed, _) = sealer.seal(&command()).unwrap();
        assert_eq!(sealed.len(), FORWARD_REQUEST_BYTES);
        let opened = bob.secret.open(&request_info(&bob.identity, 3_000), &[], &sealed[4..]).unwrap();
        assert_eq!(ForwardedCommand::decode(&opened), Ok(command()));
        let other_week = bob.secret.open(&request_info(&bob.identity, 3_001), &[], &sealed[4..]);
        assert_eq!(other_week.err(), Some(PeerMisbehaved::Unopenable));
    }

    #[test]
    fn an_answer_opens_for_who_asked_and_as_it_was() {
        let bob = relay(1);
        let key = VerifiedForwardKey::verify(&bob.identity, bob.key, NOW).unwrap();
        let (_, opener) = key.sealer(&mut rng(9)).seal(&command()).unwrap();
        let (_, other) = key.sealer(&mut rng(10)).seal(&command()).unwrap();
        let mut body = ForwardedAnswer::Answer(Answer::Denied).encode().unwrap();
        let tag = aead::seal_in_place(opener.0.as_bytes(), &[3; 12], &[], &mut body);
        let sealed = [&[3; 12][..], &body, &tag].concat();
        assert_eq!(opener.open(&sealed), Ok(ForwardedAnswer::Answer(Answer::Denied)));
        assert_eq!(other.open(&sealed), Err(PeerMisbehaved::Unopenable), "another command's");
        assert_eq!(opener.open(&sealed[1..]), Err(PeerMisbehaved::Length));
        let mut damaged = sealed;
        damaged[40] ^= 1;
        assert_eq!(opener.open(&damaged), Err(PeerMisbehaved::Unopenable));
    }

    #[test]
    fn debug_prints_no_contents() {
        let bob = relay(1);
        let sealer = VerifiedForwardKey::verify(&bob.identity, bob.key, NOW).unwrap().sealer(&mut rng(9));
        insta::assert_snapshot!(format!("{sealer:?}"), @"ForwardSealer { week: 3000, .. }");
        let (_, opener) = sealer.seal(&command()).unwrap();
        insta::assert_snapshot!(format!("{opener:?}"), @"ForwardOpener(..)");
    }
}
