//! The account of a profile, and which prekeys it offers now.

use minicbor::{Decode, Encode};
use sotto_inner::{Manifest, PrekeyId};
use sotto_outer::{BundleId, ReceiveId, RelayAddress};

use super::{Record, SecretBytes};
use crate::Table;

/// Who this profile is. One row.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct Account {
    /// The root's private key.
    #[n(0)]
    pub root: SecretBytes,
    /// The device's private keys.
    #[n(1)]
    pub device: SecretBytes,
    /// The signed list of devices.
    #[n(2)]
    pub manifest: Manifest,
    /// The name told to contacts.
    #[n(3)]
    pub name: String,
    /// The relay that keeps the mailboxes, and the only one where strangers find us.
    #[n(4)]
    pub relay: RelayAddress,
    /// Another relay that keeps a second mailbox for each contact.
    #[n(5)]
    pub second: Option<RelayAddress>,
    /// The contact address; none while it is switched off.
    #[n(6)]
    pub address: Option<Address>,
    /// The mailbox for first messages that use a one-time invitation, once there was one.
    #[n(7)]
    pub invitations: Option<ReceiveId>,
}

/// What a contact address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Address {
    /// The mailbox for strangers' first messages.
    #[n(0)]
    pub mailbox: ReceiveId,
    /// The bundle that tells it.
    #[n(1)]
    pub bundle: BundleId,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account(..)")
    }
}

impl Account {
    /// The key of the one row.
    pub const KEY: &[u8] = b"account";

    /// The relays of its mailboxes, the preferred one first.
    pub fn relays(&self) -> impl Iterator<Item = &RelayAddress> {
        std::iter::once(&self.relay).chain(&self.second)
    }
}

impl Record for Account {
    const TABLE: Table = Table::Meta;
}

/// The prekeys on offer. One row.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CurrentPrekeys {
    /// X25519.
    #[n(0)]
    pub signed: PrekeyId,
    /// ML-KEM-1024.
    #[n(1)]
    pub last_resort: PrekeyId,
    /// X-Wing.
    #[n(2)]
    pub seal: PrekeyId,
    /// Since when, Unix seconds.
    #[n(3)]
    pub since: u64,
}

impl CurrentPrekeys {
    /// The key of the one row.
    pub const KEY: &[u8] = b"prekeys";
}

impl Record for CurrentPrekeys {
    const TABLE: Table = Table::Meta;
}
