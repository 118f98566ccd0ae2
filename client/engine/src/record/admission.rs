//! How one is admitted at a relay: the credential, tokens, and the batch of them that is asked for.

use minicbor::{Decode, Encode};
use sotto_outer::{BlindToken, ListedKey, RelayIdentity, TokenKeyId, TokenPurpose};

use super::{Record, SecretBytes};
use crate::{Admission, Table};

/// How one stands with a relay that asks for tokens. Its key is the relay.
#[derive(Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct AdmissionRow {
    /// What the person was last told.
    #[n(0)]
    pub state: Admission,
    /// The credential that its host or a login gave.
    #[n(1)]
    pub credential: Option<SecretBytes>,
    /// Until when the credential says that it admits, Unix seconds.
    #[n(2)]
    pub until: u64,
    /// How many tokens it says that it is good for.
    #[n(3)]
    pub uses: u32,
    /// How many of them came here.
    #[n(4)]
    pub given: u32,
    /// How many are asked for next.
    #[n(5)]
    pub batch: u32,
}

impl AdmissionRow {
    /// The row's key.
    pub fn key(relay: &RelayIdentity) -> Vec<u8> {
        [b"admission".as_slice(), relay.as_bytes()].concat()
    }
}

impl Record for AdmissionRow {
    const TABLE: Table = Table::Meta;
}

/// A token that was not shown yet.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct TokenRow {
    /// As it is shown.
    #[n(0)]
    pub token: SecretBytes,
}

impl TokenRow {
    /// All of a relay and purpose.
    pub fn prefix(relay: &RelayIdentity, purpose: TokenPurpose) -> Vec<u8> {
        [b"blind-token".as_slice(), relay.as_bytes(), &[purpose.number()]].concat()
    }

    /// The row's key: the tokens that end first come first.
    pub fn key(relay: &RelayIdentity, purpose: TokenPurpose, week: u32, nonce: &[u8; 32]) -> Vec<u8> {
        [Self::prefix(relay, purpose).as_slice(), &week.to_be_bytes(), nonce].concat()
    }

    /// The week that a row's key tells.
    pub fn week(key: &[u8]) -> Option<u32> {
        let (rest, _) = key.split_last_chunk::<32>()?;
        rest.last_chunk().map(|week| u32::from_be_bytes(*week))
    }
}

impl Record for TokenRow {
    const TABLE: Table = Table::Meta;
}

/// Tokens that a relay is asked for. The same batch is asked for again until there is an answer.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct BatchRow {
    /// The name of the key.
    #[n(0)]
    pub id: TokenKeyId,
    /// The key.
    #[n(1)]
    pub key: ListedKey,
    /// What is to be signed, and what makes tokens of it.
    #[n(2)]
    pub blinded: Vec<BlindedRow>,
}

/// One of a batch.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub struct BlindedRow {
    /// What the relay signs.
    #[n(0)]
    pub asked: BlindToken,
    /// What makes a token of its signature.
    #[n(1)]
    pub blinding: SecretBytes,
}

impl BatchRow {
    /// The row's key.
    pub fn key(relay: &RelayIdentity) -> Vec<u8> {
        [b"blind-batch".as_slice(), relay.as_bytes()].concat()
    }
}

impl Record for BatchRow {
    const TABLE: Table = Table::Meta;
}
