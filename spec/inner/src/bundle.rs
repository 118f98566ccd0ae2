//! The main part of a prekey bundle, as it is before it is sealed under the link secret.

use minicbor::{Decode, Encode};

use crate::{MailboxAddress, Manifest, Prekey};

/// Who the link leads to and how to write to them first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BundleMain {
    /// The inviter's devices; its root must be the link's.
    #[n(0)]
    pub manifest: Manifest,
    /// Which device signed the prekeys.
    #[n(1)]
    pub device: crate::DeviceId,
    /// X25519.
    #[n(2)]
    pub signed: Prekey,
    /// X-Wing.
    #[n(3)]
    pub seal: Prekey,
    /// The contact mailbox that takes first messages.
    #[n(4)]
    pub mailbox: MailboxAddress,
    /// The inviter's name, at most `NAME_BYTES_MAX` bytes.
    #[n(5)]
    pub name: String,
}
