//! What a relay parses: frames, identifiers, limits, addresses and the bytes that owners sign.
//!
//! Everything here is visible to a relay, so nothing here may tell it more than `spec/ledger.md` admits. All types
//! encode to deterministic CBOR (RFC 8949 §4.2) and decode strictly: what would not encode to the same bytes is refused.
//!
//! ```
//! use sotto_outer::{ClientFrame, Command, EnvelopeId, Send, SendCapability, SendId};
//!
//! let frame = ClientFrame {
//!     request: 7,
//!     command: Command::Send(Send {
//!         mailbox: SendId::from([1; 16]),
//!         capability: SendCapability::from([2; 32]),
//!         id: EnvelopeId::from([3; 16]),
//!         ttl_secs: None,
//!         payload: vec![0; 1024],
//!         proof: None,
//!     }),
//! };
//! assert_eq!(ClientFrame::decode(&frame.encode()), Ok(frame));
//! ```

mod address;
mod answer;
pub mod blob;
mod channel;
pub mod codec;
mod command;
pub mod forward;
mod frame;
mod identifier;
pub mod labels;
pub mod limits;
pub mod poll;
pub mod signed;
mod terms;
pub mod token;
pub mod work;

pub use address::{AddressError, RelayAddress, Tls};
pub use answer::{Answer, Bundle, InfoAnswer, LeaseOutcome, Limits, RefusedReason, Subscribed};
pub use blob::{BlobCreate, BlobState, BlobWriter};
pub use channel::{
    Advance, Append, ChannelEntry, ChannelId, CloseChannel, CreateChannel, Entries, EntryId, NumberedEntry,
    ReadCapability, ReadChannel, ReadHash, SubscribeChannel, VerifyKey,
};
pub use command::{
    Ack, Command, Create, Delete, Fetch, Info, MailboxKind, Publish, Rotate, Send, Subscribe, Subscription, Target,
};
pub use forward::{Forward, ForwardKey, Forwarded, Hop};
pub use frame::{ClientFrame, Deliver, RelayFrame};
pub use identifier::{
    BlobCapability, BlobId, BundleId, CapabilityHash, ConnectionNonce, EnvelopeId, Lease, OwnerKey, OwnerSignature,
    PollToken, ReceiveId, RelayIdentity, SendCapability, SendId,
};
pub use poll::{Poll, PollAnswer};
pub use terms::{AdmissionKind, Terms, WorkBits};
pub use token::{
    BlindToken, ListedKey, ShownToken, SignTokens, SignedTokens, TokenKeyId, TokenKeys, TokenModulus, TokenPurpose,
    TokenRequest, Tokens,
};
pub use work::Proof;

/// The one version number of this wire. Another one is refused, never negotiated.
pub const VERSION: u8 = 1;
