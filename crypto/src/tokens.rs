//! The client's half of blind tokens [REL-46]: RSABSSA-SHA384-PSS-Randomized (RFC 9474), RSA-2048, e = 65,537.
//!
//! ```text
//!  TokenKey::blind ──► BlindToken ──► the relay signs it, unseen ──► TokenKey::finish ──► ShownToken
//!                 └──► Blinding, kept as a secret until then ───────────────┘
//! ```
//!
//! A key that was made to tell clients apart by what they blind (one whose e-th powers are not all numbers) gains nothing: what
//! is blinded begins with 64 random bytes (RFC 9474 §7.3), and a signature that does not verify makes no token.

use core::fmt;

use blind_rsa_signatures::{
    BlindSignature, BlindingResult, MessageRandomizer, PublicKeySha384PSSRandomized, Secret,
    reexports::{crypto_bigint::BoxedUint, rsa::RsaPublicKey},
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sotto_outer::{
    BlindToken, ListedKey, ShownToken, TokenKeyId, TokenModulus, TokenPurpose,
    token::{key_id_input, message},
};
use zeroize::{Zeroize, Zeroizing};

use crate::{PeerMisbehaved, StateError};

/// Bits of a modulus.
const MODULUS_BITS: u32 = 2_048;
/// The one public exponent.
const EXPONENT: u32 = 65_537;
/// Bytes of a stored [`Blinding`]: randomizer ‖ nonce ‖ inverse of the blinding factor.
const BLINDING_BYTES: usize = 32 + 32 + TokenModulus::LEN;

/// A relay's key for tokens of one purpose and week. Its name is computed here, from what it is.
pub struct TokenKey {
    id: TokenKeyId,
    purpose: TokenPurpose,
    week: u32,
    key: PublicKeySha384PSSRandomized,
}

/// What makes a token of a blind signature. Whoever has it can link the two. Wiped on drop.
pub struct Blinding(Zeroizing<Vec<u8>>);

impl TokenKey {
    /// A key as a relay lists it.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Key`]: the modulus is not an odd number of 2,048 bits.
    pub fn read(listed: &ListedKey) -> Result<Self, PeerMisbehaved> {
        let ListedKey { purpose, week, modulus } = listed;
        if modulus.as_bytes()[0] & 0x80 == 0 || modulus.as_bytes()[TokenModulus::LEN - 1] & 1 == 0 {
            return Err(PeerMisbehaved::Key);
        }
        let number = BoxedUint::from_be_slice(modulus.as_bytes(), MODULUS_BITS).map_err(|_| PeerMisbehaved::Key)?;
        let key = RsaPublicKey::new(number, BoxedUint::from(EXPONENT)).map_err(|_| PeerMisbehaved::Key)?;
        let id = Sha256::digest(key_id_input(*purpose, *week, modulus.as_bytes()));
        let key = PublicKeySha384PSSRandomized::new(key);
        Ok(Self { id: TokenKeyId::from(<[u8; 32]>::from(id)), purpose: *purpose, week: *week, key })
    }

    /// Its name, as signed terms list it.
    pub const fn id(&self) -> &TokenKeyId {
        &self.id
    }

    /// What its tokens are good for.
    pub const fn purpose(&self) -> TokenPurpose {
        self.purpose
    }

    /// The week it signs in, counted from 1970-01-01; its tokens are good in the next one too.
    pub const fn week(&self) -> u32 {
        self.week
    }

    /// Draws a token and blinds it: what the relay is to sign, and what the signature becomes a token with. Draws 112 bytes, and
    /// 256 or more for the blinding factor.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Key`]: the modulus has a factor that is no secret.
    pub fn blind(&self, rng: &mut dyn CryptoRng) -> Result<(BlindToken, Blinding), PeerMisbehaved> {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let result = self.key.blind(rng, message(self.purpose, &nonce)).map_err(|_| PeerMisbehaved::Key)?;
        let BlindingResult { blind_message, secret, msg_randomizer } = result;
        let inverse = Zeroizing::new(secret.0);
        let randomizer = msg_randomizer.ok_or(PeerMisbehaved::Key)?.0;
        let mut bytes = Zeroizing::new(Vec::with_capacity(BLINDING_BYTES));
        bytes.extend_from_slice(&randomizer);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&inverse);
        let blinded = BlindToken::try_from(blind_message.0.as_slice()).map_err(|_| PeerMisbehaved::Key)?;
        Ok((blinded, Blinding(bytes)))
    }

    /// Makes a token of what the relay signed.
    ///
    /// # Errors
    /// [`PeerMisbehaved::Signature`]: it is no signature of this key over what was blinded.
    pub fn finish(&self, blinding: &Blinding, signed: &BlindToken) -> Result<ShownToken, PeerMisbehaved> {
        let (randomizer, nonce) = (blinding.array(0), blinding.array(32));
        let mut result = BlindingResult {
            blind_message: Vec::new().into(),
            secret: Secret(blinding.0[64..].to_vec()),
            msg_randomizer: Some(MessageRandomizer(randomizer)),
        };
        let signed = BlindSignature(signed.as_bytes().to_vec());
        let signature = self.key.finalize(&signed, &result, message(self.purpose, &nonce));
        result.secret.0.zeroize();
        let signature = signature.map_err(|_| PeerMisbehaved::Signature)?;
        ShownToken::new(&self.id, &randomizer, &nonce, &signature).map_err(|_| PeerMisbehaved::Signature)
    }
}

impl Blinding {
    /// To be stored until the relay has answered: 320 bytes.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.clone()
    }

    /// What [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// [`StateError::Malformed`]: not 320 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.len() == BLINDING_BYTES {
            Ok(Self(Zeroizing::new(bytes.to_vec())))
        } else {
            Err(StateError::Malformed)
        }
    }

    fn array(&self, from: usize) -> [u8; 32] {
        self.0[from..from + 32].try_into().expect("32 bytes: a blinding has 320")
    }
}

/// Tells what for, not whose.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, purpose, week, key: _ } = self;
        f.debug_struct("TokenKey").field("purpose", purpose).field("week", week).finish_non_exhaustive()
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Blinding(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use blind_rsa_signatures::SecretKeySha384PSSRandomized;

    use super::*;
    use crate::people::rng;

    /// A relay's key that was made once: making one takes seconds without optimisation.
    pub(crate) struct Signer(pub(crate) SecretKeySha384PSSRandomized);

    impl Signer {
        pub(crate) fn new() -> Self {
            Self(SecretKeySha384PSSRandomized::from_der(include_bytes!("test-token-key.der")).unwrap())
        }

        /// As it is listed.
        pub(crate) fn listed(&self, purpose: TokenPurpose, week: u32) -> ListedKey {
            let modulus: [u8; 256] = self.0.components().n().try_into().unwrap();
            ListedKey { purpose, week, modulus: modulus.into() }
        }

        pub(crate) fn sign(&self, blinded: &BlindToken) -> BlindToken {
            let signed = self.0.blind_sign_with_rng(&mut rng(99), blinded.as_bytes()).unwrap();
            BlindToken::try_from(signed.as_slice()).unwrap()
        }

        /// Whether it signed this token.
        fn has_signed(&self, purpose: TokenPurpose, token: &ShownToken) -> bool {
            let signature = blind_rsa_signatures::Signature(token.signature().to_vec());
            let randomizer = Some(MessageRandomizer(token.randomizer()));
            self.0.public_key().unwrap().verify(&signature, randomizer, message(purpose, &token.nonce())).is_ok()
        }
    }

    fn key(signer: &Signer) -> TokenKey {
        TokenKey::read(&signer.listed(TokenPurpose::Mailbox, 3_000)).unwrap()
    }

    #[test]
    fn a_relay_signs_what_it_cannot_see_and_knows_it_by_nothing() {
        let signer = Signer::new();
        let key = key(&signer);
        let (asked, blinding) = key.blind(&mut rng(1)).unwrap();
        let signed = signer.sign(&asked);
        let token = key.finish(&blinding, &signed).unwrap();
        assert_eq!(token.key(), *key.id());
        assert!(signer.has_signed(TokenPurpose::Mailbox, &token));
        assert!(!signer.has_signed(TokenPurpose::Blob, &token), "another purpose");
        let shown = token.as_bytes();
        for seen in [asked.as_bytes(), signed.as_bytes()] {
            assert!(!shown.windows(16).any(|part| seen.windows(16).any(|other| other == part)), "the two share bytes");
        }
    }

    #[test]
    fn a_stored_blinding_makes_the_same_token() {
        let signer = Signer::new();
        let key = key(&signer);
        let (asked, blinding) = key.blind(&mut rng(2)).unwrap();
        let stored = Blinding::from_bytes(&blinding.to_bytes()).unwrap();
        let signed = signer.sign(&asked);
        assert_eq!(key.finish(&stored, &signed).unwrap(), key.finish(&blinding, &signed).unwrap());
        assert_eq!(Blinding::from_bytes(&[0; 319]).unwrap_err(), StateError::Malformed);
    }

    #[test]
    fn what_the_key_did_not_sign_makes_no_token() {
        let signer = Signer::new();
        let key = key(&signer);
        let (asked, blinding) = key.blind(&mut rng(3)).unwrap();
        let (other, _) = key.blind(&mut rng(4)).unwrap();
        let mut flipped = *signer.sign(&asked).as_bytes();
        flipped[255] ^= 1;
        for (why, signed) in [
            ("another's", signer.sign(&other)),
            ("a bit", flipped.into()),
            ("itself", asked),
            ("not below the modulus", [0xff; 256].into()),
            ("zero", [0; 256].into()),
        ] {
            assert_eq!(key.finish(&blinding, &signed), Err(PeerMisbehaved::Signature), "{why}");
        }
    }

    #[test]
    fn a_modulus_of_another_size_or_an_even_one_is_no_key() {
        let listed = Signer::new().listed(TokenPurpose::Mailbox, 3_000);
        for (why, at, byte) in [("2,047 bits", 0, 0x7f), ("even", 255, 0xfe)] {
            let mut modulus = *listed.modulus.as_bytes();
            modulus[at] &= byte;
            let refused = TokenKey::read(&ListedKey { modulus: modulus.into(), ..listed.clone() });
            assert_eq!(refused.err(), Some(PeerMisbehaved::Key), "{why}");
        }
    }

    #[test]
    fn a_key_is_named_for_its_purpose_and_week() {
        let signer = Signer::new();
        let id = |purpose, week| *TokenKey::read(&signer.listed(purpose, week)).unwrap().id();
        assert_ne!(id(TokenPurpose::Mailbox, 5), id(TokenPurpose::Mailbox, 6));
        assert_ne!(id(TokenPurpose::Mailbox, 5), id(TokenPurpose::Blob, 5));
    }

    #[test]
    fn debug_prints_no_secret() {
        let key = key(&Signer::new());
        let (_, blinding) = key.blind(&mut rng(5)).unwrap();
        insta::assert_snapshot!(format!("{key:?} {blinding:?}"), @"TokenKey { purpose: Mailbox, week: 3000, .. } Blinding(..)");
    }
}
