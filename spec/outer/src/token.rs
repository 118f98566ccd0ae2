//! Blind-signed tokens, as they are named and shown. RFC 9474, RSABSSA-SHA384-PSS-Randomized with RSA-2048.
//!
//! Whoever is admitted has the relay sign what it cannot see, and shows it later on another connection: the relay knows that
//! it admitted somebody, and not whom.

use minicbor::{Decode, Encode};

use crate::{fixed_bytes, labels, work::Proof};

fixed_bytes!(
    /// Names the key of one purpose and one week: SHA-256 over [`key_id_input`].
    TokenKeyId, 32
);
fixed_bytes!(
    /// A token as it is shown: key id (32) ‖ randomizer (32, RFC 9474 §4.2) ‖ nonce (32) ‖ signature (256).
    ShownToken, 352
);

fixed_bytes!(
    /// A blinded message, or its signature: a number below the key's modulus, big-endian.
    BlindToken, 256
);
fixed_bytes!(
    /// The modulus of an RSA-2048 key, big-endian; the exponent is 65,537.
    TokenModulus, 256
);

/// What is asked about tokens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum TokenRequest {
    /// Which keys there are.
    #[n(0)]
    Keys,
    /// Sign these.
    #[n(1)]
    Sign(#[n(0)] SignTokens),
}

/// Asks for tokens.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignTokens {
    /// With which key: one of this week's.
    #[n(0)]
    pub key: TokenKeyId,
    /// What admits, where admission is not open: a JWT that the relay minted, at most `CREDENTIAL_BYTES_MAX`.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub credential: Option<Vec<u8>>,
    /// 1 to `TOKENS_MAX` blinded messages.
    #[n(2)]
    pub blinded: Vec<BlindToken>,
    /// Proof of work, where admission is open.
    #[n(3)]
    pub proof: Option<Proof>,
}

/// The answer to a [`TokenRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Tokens {
    /// The keys.
    #[n(0)]
    Keys(#[n(0)] TokenKeys),
    /// Blind signatures, in the order of the request.
    #[n(1)]
    Signed(#[n(0)] SignedTokens),
}

/// Keys of this week and of the last.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenKeys {
    /// Each. An id that the signed terms do not list is of no use.
    #[n(0)]
    pub keys: Vec<ListedKey>,
}

/// A key for tokens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ListedKey {
    /// What its tokens are good for.
    #[n(0)]
    pub purpose: TokenPurpose,
    /// The week that it signs in; its tokens are good in the next one too. Weeks are counted from 1970-01-01.
    #[n(1)]
    pub week: u32,
    /// Its modulus.
    #[n(2)]
    pub modulus: TokenModulus,
}

/// Blind signatures.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedTokens {
    /// One for each that was asked.
    #[n(0)]
    pub signatures: Vec<BlindToken>,
}

/// How much, not what: a credential is nobody's business in a log.
impl core::fmt::Debug for SignTokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { key: _, credential, blinded, proof: _ } = self;
        let credential_bytes = credential.as_ref().map(Vec::len);
        f.debug_struct("SignTokens")
            .field("credential_bytes", &credential_bytes)
            .field("blinded", &blinded.len())
            .finish_non_exhaustive()
    }
}

/// What a token is good for. Each has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum TokenPurpose {
    /// To make a mailbox.
    #[n(0)]
    Mailbox,
    /// To make a blob.
    #[n(1)]
    Blob,
    /// To make a channel.
    #[n(2)]
    Channel,
}

impl TokenPurpose {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Mailbox, Self::Blob, Self::Channel];

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Mailbox => 0,
            Self::Blob => 1,
            Self::Channel => 2,
        }
    }
}

impl ShownToken {
    /// Which key signed it.
    pub fn key(&self) -> TokenKeyId {
        TokenKeyId::from(self.array(0))
    }

    /// What RFC 9474 puts before the message.
    pub fn randomizer(&self) -> [u8; 32] {
        self.array(32)
    }

    /// What makes it a token of its own: it is spent once.
    pub fn nonce(&self) -> [u8; 32] {
        self.array(64)
    }

    /// The signature, RSA-2048.
    pub fn signature(&self) -> &[u8] {
        &self.as_bytes()[96..]
    }

    /// Puts one together.
    ///
    /// # Errors
    /// The signature is not 256 bytes long.
    pub fn new(
        key: &TokenKeyId,
        randomizer: &[u8; 32],
        nonce: &[u8; 32],
        signature: &[u8],
    ) -> Result<Self, core::array::TryFromSliceError> {
        let bytes = [key.as_bytes(), &randomizer[..], nonce, signature].concat();
        Self::try_from(bytes.as_slice())
    }

    fn array(&self, from: usize) -> [u8; 32] {
        self.as_bytes()[from..from + 32].try_into().expect("32 bytes: the token has 352")
    }
}

/// What is signed for a token, before RFC 9474 puts the randomizer first: label length ‖ label ‖ purpose (1) ‖ nonce (32).
pub fn message(purpose: TokenPurpose, nonce: &[u8; 32]) -> Vec<u8> {
    let mut bytes = labelled(labels::TOKEN);
    bytes.push(purpose.number());
    bytes.extend_from_slice(nonce);
    bytes
}

/// What a key's id is the SHA-256 of: label length ‖ label ‖ purpose (1) ‖ week since 1970-01-01 (4) ‖ modulus (256).
pub fn key_id_input(purpose: TokenPurpose, week: u32, modulus: &[u8]) -> Vec<u8> {
    let mut bytes = labelled(labels::KEY_OF_TOKENS);
    bytes.push(purpose.number());
    bytes.extend_from_slice(&week.to_be_bytes());
    bytes.extend_from_slice(modulus);
    bytes
}

fn labelled(label: &[u8]) -> Vec<u8> {
    let len = u8::try_from(label.len()).expect("labels are short");
    [&[len], label].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_of_its_parts() {
        let token = ShownToken::new(&[1; 32].into(), &[2; 32], &[3; 32], &[4; 256]).unwrap();
        assert_eq!(token.key(), TokenKeyId::from([1; 32]));
        assert_eq!((token.randomizer(), token.nonce(), token.signature()), ([2; 32], [3; 32], &[4; 256][..]));
        assert!(ShownToken::new(&[1; 32].into(), &[2; 32], &[3; 32], &[4; 255]).is_err());
    }
}
