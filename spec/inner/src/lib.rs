//! What only clients can read: identities, prekeys, links, handshakes and the contents of messages, as wire types.
//!
//! Types and bounds alone; what makes them true (signatures, keys, ratchets) is `sotto-crypto`. All encode to
//! deterministic CBOR and decode strictly by [`sotto_outer::codec`].

mod bundle;
mod content;
mod first_message;
mod handshake;
mod identity;
pub mod labels;
pub mod limits;
mod link;
mod mailbox;
mod prekey;

pub use bundle::BundleMain;
pub use content::{Body, Content, ContentError, ContentId, HybridTime};
pub use first_message::FirstMessage;
pub use handshake::Handshake;
pub use identity::{
    AgreementKey, Device, DeviceId, Ed25519Signature, Manifest, ManifestBody, ManifestHash, RootKey, SigningKey,
};
pub use link::{Link, LinkError, LinkKind, LinkSecret};
pub use mailbox::{MailboxAddress, Mailboxes};
pub use prekey::{Prekey, PrekeyBody, PrekeyId, PrekeyKind, RepairBundle, RepairTag};
