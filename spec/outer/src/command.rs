//! What a client asks of a relay. Numbers left out are reserved in `spec/registry.toml` for operations to come.

use minicbor::{Decode, Encode};

use crate::{
    Advance, Append, BlobCreate, BlobWriter, BundleId, CapabilityHash, CloseChannel, ConnectionNonce, CreateChannel,
    EnvelopeId, Forward, Lease, OwnerKey, OwnerSignature, ReadChannel, ReceiveId, SendCapability, SendId, ShownToken,
    SubscribeChannel, TokenRequest, work::Proof,
};

/// One operation, with all it needs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Command {
    /// Who are you, and prove it: the first command on every connection.
    #[n(0)]
    Info(#[n(0)] Info),
    /// Which keys for tokens are there, or: sign these blindly.
    #[n(1)]
    Token(#[n(0)] TokenRequest),
    /// Make a mailbox.
    #[n(2)]
    Create(#[n(0)] Create),
    /// Put an envelope into a mailbox.
    #[n(3)]
    Send(#[n(0)] Send),
    /// Deliver what waits in these mailboxes, and what comes.
    #[n(4)]
    Subscribe(#[n(0)] Subscribe),
    /// These envelopes are safe with their reader: delete them.
    #[n(5)]
    Ack(#[n(0)] Ack),
    /// Give a mailbox another send capability.
    #[n(6)]
    Rotate(#[n(0)] Rotate),
    /// Delete a mailbox or a bundle.
    #[n(7)]
    Delete(#[n(0)] Delete),
    /// Store sealed bundle parts.
    #[n(8)]
    Publish(#[n(0)] Publish),
    /// Get the parts of a bundle that one handshake needs.
    #[n(9)]
    Fetch(#[n(0)] Fetch),
    /// Make a blob.
    #[n(10)]
    BlobCreate(#[n(0)] BlobCreate),
    /// A blob is whole: from now on it is read, and written no more.
    #[n(12)]
    BlobCommit(#[n(0)] BlobWriter),
    /// Delete a blob.
    #[n(14)]
    BlobDelete(#[n(0)] BlobWriter),
    /// Carry something to another relay.
    #[n(21)]
    Forward(#[n(0)] Forward),
    /// Make a channel.
    #[n(15)]
    CreateChannel(#[n(0)] CreateChannel),
    /// Store an entry in a channel.
    #[n(16)]
    Append(#[n(0)] Append),
    /// End a channel's generation with an entry, and begin the next.
    #[n(17)]
    Advance(#[n(0)] Advance),
    /// Get entries of a generation.
    #[n(18)]
    ReadChannel(#[n(0)] ReadChannel),
    /// Get the entries of a generation as they come.
    #[n(19)]
    SubscribeChannel(#[n(0)] SubscribeChannel),
    /// Close a channel.
    #[n(20)]
    CloseChannel(#[n(0)] CloseChannel),
}

/// Asks for the relay's proof of identity, version and limits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Info {
    /// The client's wire version; a relay of another one refuses.
    #[n(0)]
    pub version: u8,
    /// Fresh random bytes that the relay signs.
    #[n(1)]
    pub nonce: ConnectionNonce,
}

/// What quota and admission a mailbox gets. What it carries, only its reader enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum MailboxKind {
    /// For one contact.
    #[n(0)]
    Pairwise,
    /// For first messages of strangers.
    #[n(1)]
    Contact,
}

/// Makes a mailbox. All ids are the client's random choice; a repeat with the same content is answered `done`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Create {
    /// Pairwise or contact.
    #[n(0)]
    pub kind: MailboxKind,
    /// The owner's name for it.
    #[n(1)]
    pub receive_id: ReceiveId,
    /// The senders' name for it.
    #[n(2)]
    pub send_id: SendId,
    /// Who may subscribe, ack and delete.
    #[n(3)]
    pub owner: OwnerKey,
    /// Who may send: the hash of what they show.
    #[n(4)]
    pub capability_hash: CapabilityHash,
    /// A blind-signed token, where admission is not open.
    #[n(5)]
    pub token: Option<Box<ShownToken>>,
    /// Proof of work, where the relay asks for it.
    #[n(6)]
    pub proof: Option<Proof>,
}

/// Puts an envelope into a mailbox. Answered `done` once it is durable, or at once for a TTL of 0.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Send {
    /// Where to.
    #[n(0)]
    pub mailbox: SendId,
    /// The right to send there.
    #[n(1)]
    pub capability: SendCapability,
    /// The envelope's id, chosen by the sender; a repeat gets the first answer.
    #[n(2)]
    pub id: EnvelopeId,
    /// How long to keep it; absent means the most, 0 means: deliver now or drop.
    #[n(3)]
    pub ttl_secs: Option<u32>,
    /// Opaque bytes, 1 to `PAYLOAD_BYTES_MAX`.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub payload: Vec<u8>,
    /// Proof of work, for contact mailboxes.
    #[n(5)]
    pub proof: Option<Proof>,
}

/// Subscribes this connection to up to `SUBSCRIBE_MAILBOXES_MAX` mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subscribe {
    /// One entry a mailbox, each signed by its own owner.
    #[n(0)]
    pub mailboxes: Vec<Subscription>,
}

/// One mailbox of a subscribe.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Subscription {
    /// Which mailbox.
    #[n(0)]
    pub mailbox: ReceiveId,
    /// The lease that the relay last confirmed to this state.
    #[n(1)]
    pub confirmed: Option<Lease>,
    /// The lease of this start; stored in any case.
    #[n(2)]
    pub new: Lease,
    /// The owner's signature over [`crate::signed::subscribe`].
    #[n(3)]
    pub signature: OwnerSignature,
}

/// Deletes delivered envelopes of a mailbox that this connection is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// Which mailbox.
    #[n(0)]
    pub mailbox: ReceiveId,
    /// 1 to `ACK_IDS_MAX` ids.
    #[n(1)]
    pub ids: Vec<EnvelopeId>,
}

/// Gives a mailbox another send capability; from the answer on the old one is denied.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rotate {
    /// Which mailbox.
    #[n(0)]
    pub mailbox: ReceiveId,
    /// Who may send from now on: the hash of what they show.
    #[n(1)]
    pub capability_hash: CapabilityHash,
    /// The owner's signature over [`crate::signed::rotate`].
    #[n(2)]
    pub signature: OwnerSignature,
}

/// What a [`Delete`] deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Target {
    /// A mailbox with all in it.
    #[n(0)]
    Mailbox(#[n(0)] ReceiveId),
    /// A bundle with all its parts.
    #[n(1)]
    Bundle(#[n(0)] BundleId),
}

/// Deletes a mailbox or a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Delete {
    /// Which one.
    #[n(0)]
    pub target: Target,
    /// The owner's signature over [`crate::signed::delete`].
    #[n(1)]
    pub signature: OwnerSignature,
}

/// Stores sealed bundle parts. The first publish of an id makes the bundle and fixes its owner; later ones replace the main
/// and last-resort parts they carry and add their one-time parts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Publish {
    /// Which bundle.
    #[n(0)]
    pub bundle: BundleId,
    /// Who may publish to it and delete it.
    #[n(1)]
    pub owner: OwnerKey,
    /// The sealed main part, exactly `BUNDLE_MAIN_BYTES`; required the first time.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub main: Option<Vec<u8>>,
    /// The sealed last-resort part, exactly `BUNDLE_PART_BYTES`; required the first time.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub last_resort: Option<Vec<u8>>,
    /// Up to `PUBLISH_PAIRS_MAX` sealed one-time parts, exactly `BUNDLE_PART_BYTES` each; what exceeds
    /// `BUNDLE_PAIRS_MAX` stored pushes out the oldest.
    #[n(4)]
    pub pairs: Vec<minicbor::bytes::ByteVec>,
    /// The owner's signature over [`crate::signed::publish`].
    #[n(5)]
    pub signature: OwnerSignature,
}

/// Gets a bundle: its main part and one one-time part, or the last-resort part where none is left or the rate is exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fetch {
    /// Which bundle.
    #[n(0)]
    pub bundle: BundleId,
    /// Proof of work, where the relay asks for it.
    #[n(1)]
    pub proof: Option<Proof>,
}
