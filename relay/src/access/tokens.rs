//! Keys for blind tokens, and what is done with them: RSABSSA-SHA384-PSS-Randomized (RFC 9474), RSA-2048, e = 65537.
//!
//! A key is for one purpose and signs in one week; its tokens are good in that week and the next. All of this takes
//! milliseconds, and making a key far more: none of it belongs on the hub's task.

use blind_rsa_signatures::{
    KeyPairSha384PSSRandomized, MessageRandomizer, PublicKeySha384PSSRandomized, SecretKeySha384PSSRandomized,
    Signature,
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sotto_outer::{
    BlindToken, ListedKey, ShownToken, TokenKeyId, TokenModulus, TokenPurpose,
    token::{key_id_input, message},
};
use zeroize::Zeroizing;

use crate::time::{Day, Timestamp};

/// Bits of a modulus.
const MODULUS_BITS: usize = 2_048;
const DAYS_A_WEEK: u32 = 7;

/// The key of one purpose and week.
pub struct TokenKey {
    id: TokenKeyId,
    listed: ListedKey,
    secret: SecretKeySha384PSSRandomized,
    public: PublicKeySha384PSSRandomized,
}

impl TokenKey {
    /// From PKCS #8 in DER. None where that is no such key.
    pub(crate) fn read(purpose: TokenPurpose, week: u32, der: &[u8]) -> Option<Self> {
        let secret = SecretKeySha384PSSRandomized::from_der(der).ok()?;
        let public = secret.public_key().ok()?;
        let modulus: [u8; TokenModulus::LEN] = public.components().n().try_into().ok()?;
        let id = TokenKeyId::from(<[u8; 32]>::from(Sha256::digest(key_id_input(purpose, week, &modulus))));
        Some(Self { id, listed: ListedKey { purpose, week, modulus: modulus.into() }, secret, public })
    }

    /// Its name.
    pub(crate) const fn id(&self) -> &TokenKeyId {
        &self.id
    }

    /// What clients are told of it.
    pub(crate) const fn listed(&self) -> &ListedKey {
        &self.listed
    }

    /// When its tokens are good for nothing any more.
    pub(crate) fn ends_at(&self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.listed.week + 2) * u64::from(DAYS_A_WEEK) * 86_400_000)
    }

    /// Signs what it cannot see. None where that is no number below the modulus.
    fn sign(&self, rng: &mut dyn CryptoRng, blinded: &BlindToken) -> Option<BlindToken> {
        let signed = self.secret.blind_sign_with_rng(rng, blinded.as_bytes()).ok()?;
        BlindToken::try_from(signed.as_slice()).ok()
    }

    fn has_signed(&self, token: &ShownToken) -> bool {
        let message = message(self.listed.purpose, &token.nonce());
        let signature = Signature(token.signature().to_vec());
        self.public.verify(&signature, Some(MessageRandomizer(token.randomizer())), message).is_ok()
    }
}

impl core::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id: _, listed: ListedKey { purpose, week, modulus: _ }, secret: _, public: _ } = self;
        f.debug_struct("TokenKey").field("purpose", purpose).field("week", week).finish_non_exhaustive()
    }
}

/// The week that a day lies in, counted from 1970-01-01.
pub(crate) const fn week(day: Day) -> u32 {
    day.as_days() / DAYS_A_WEEK
}

/// Something that takes too long for the hub's task.
#[derive(Debug)]
pub enum Job {
    /// Make a key.
    MakeKey,
    /// Sign these blindly.
    Sign {
        /// With this.
        key: std::sync::Arc<TokenKey>,
        /// What.
        blinded: Vec<BlindToken>,
    },
    /// Say whether this key signed that token.
    Verify {
        /// The key.
        key: std::sync::Arc<TokenKey>,
        /// The token.
        token: Box<ShownToken>,
    },
}

/// How a [`Job`] went.
#[derive(Debug)]
pub enum Worked {
    /// A new key, PKCS #8 in DER; none where none could be made.
    Key(Option<NewKey>),
    /// Blind signatures; none where one of the messages cannot be signed.
    Signed(Option<Vec<BlindToken>>),
    /// Whether the key signed the token.
    Verified(bool),
}

/// A secret key, PKCS #8 in DER.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey(pub(crate) Zeroizing<Vec<u8>>);

impl NewKey {
    /// One that was made elsewhere, PKCS #8 in DER.
    pub fn from_der(der: &[u8]) -> Self {
        Self(Zeroizing::new(der.to_vec()))
    }
}

impl core::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("NewKey(..)")
    }
}

impl Job {
    /// Does it.
    pub fn run(self, rng: &mut dyn CryptoRng) -> Worked {
        match self {
            Self::MakeKey => Worked::Key(make_key(rng)),
            Self::Sign { key, blinded } => {
                Worked::Signed(blinded.iter().map(|blinded| key.sign(rng, blinded)).collect())
            }
            Self::Verify { key, token } => Worked::Verified(key.has_signed(&token)),
        }
    }
}

fn make_key(rng: &mut dyn CryptoRng) -> Option<NewKey> {
    let pair = KeyPairSha384PSSRandomized::generate(rng, MODULUS_BITS).ok()?;
    Some(NewKey(Zeroizing::new(pair.sk.to_der().ok()?)))
}

#[cfg(test)]
pub(crate) mod tests {
    use blind_rsa_signatures::{BlindSignature, BlindingResult};
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    /// A key that was made once: making one takes seconds without optimisation.
    pub(crate) const KEY: &[u8] = include_bytes!("test-token-key.der");

    /// What a client holds between asking and being answered.
    pub(crate) struct Client {
        pub(crate) asked: BlindToken,
        key: TokenKeyId,
        message: Vec<u8>,
        nonce: [u8; 32],
        blinding: BlindingResult,
    }

    /// What a client does to ask for a token under the test's key, whatever its name is.
    pub(crate) fn blind(key: &TokenKeyId, purpose: TokenPurpose, rng: &mut ChaCha20Rng) -> Client {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let message = message(purpose, &nonce);
        let blinding = public().blind(rng, &message).unwrap();
        let asked = BlindToken::try_from(blinding.blind_message.as_slice()).unwrap();
        Client { asked, key: *key, message, nonce, blinding }
    }

    impl Client {
        /// What it does with the answer.
        pub(crate) fn unblind(self, signed: &BlindToken) -> ShownToken {
            let Self { asked: _, key, message, nonce, blinding } = self;
            let signed = BlindSignature(signed.as_bytes().to_vec());
            let signature = public().finalize(&signed, &blinding, &message).unwrap();
            let randomizer = blinding.msg_randomizer.expect("the variant is randomized").0;
            ShownToken::new(&key, &randomizer, &nonce, &signature).unwrap()
        }
    }

    fn public() -> PublicKeySha384PSSRandomized {
        SecretKeySha384PSSRandomized::from_der(KEY).unwrap().public_key().unwrap()
    }

    #[test]
    fn what_was_signed_blindly_is_good_for_its_purpose_alone() {
        let key = TokenKey::read(TokenPurpose::Mailbox, 5, KEY).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let client = blind(key.id(), TokenPurpose::Mailbox, &mut rng);
        let signed = key.sign(&mut rng, &client.asked).unwrap();
        let token = client.unblind(&signed);
        assert!(key.has_signed(&token));
        let other = TokenKey::read(TokenPurpose::Blob, 5, KEY).unwrap();
        assert!(!other.has_signed(&token), "another purpose, even under the same number");
        for at in [40, 70, 200] {
            let mut bytes = *token.as_bytes();
            bytes[at] ^= 1;
            assert!(!key.has_signed(&ShownToken::from(bytes)), "byte {at} changed");
        }
    }

    #[test]
    fn a_key_is_named_for_its_purpose_week_and_modulus() {
        let id = |purpose, week| *TokenKey::read(purpose, week, KEY).unwrap().id();
        assert_ne!(id(TokenPurpose::Mailbox, 5), id(TokenPurpose::Mailbox, 6));
        assert_ne!(id(TokenPurpose::Mailbox, 5), id(TokenPurpose::Blob, 5));
        assert!(TokenKey::read(TokenPurpose::Mailbox, 5, &KEY[1..]).is_none());
    }

    #[test]
    fn what_is_not_below_the_modulus_is_not_signed() {
        let key = TokenKey::read(TokenPurpose::Mailbox, 5, KEY).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_eq!(key.sign(&mut rng, &BlindToken::from([0xff; 256])), None);
    }

    #[test]
    fn debug_prints_no_key() {
        let key = TokenKey::read(TokenPurpose::Mailbox, 5, KEY).unwrap();
        assert_eq!(format!("{key:?}"), "TokenKey { purpose: Mailbox, week: 5, .. }");
        assert_eq!(format!("{:?}", NewKey(Zeroizing::new(KEY.to_vec()))), "NewKey(..)");
    }
}
