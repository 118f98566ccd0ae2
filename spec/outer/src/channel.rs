//! Channels: logs that many write and many read, cut into generations. Who may write and who may read changes with each.
//!
//! A generation has a verify key, whose holders append, and a read capability, which opens exactly its entries, the one that
//! ends it included. So who was away walks forward from generation to generation, and who was removed stops.

use minicbor::{Decode, Encode};

use crate::{OwnerKey, OwnerSignature, ShownToken, fixed_bytes, work::Proof};

fixed_bytes!(
    /// Names a channel, chosen at random by its maker.
    ChannelId, 16
);
fixed_bytes!(
    /// Chosen at random by the writer; unique within a channel while stored.
    EntryId, 16
);
fixed_bytes!(
    /// Ed25519 public key of one generation: whoever holds its other half may append and advance.
    VerifyKey, 32
);
fixed_bytes!(
    /// Shown by a reader; opens one generation. The relay keeps its hash.
    ReadCapability, 32
);
fixed_bytes!(
    /// SHA-256 of a [`ReadCapability`].
    ReadHash, 32
);

/// Makes a channel with generation 0. A repeat with the same content is answered `done`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CreateChannel {
    /// Its name.
    #[n(0)]
    pub channel: ChannelId,
    /// Who may close it, and nothing else.
    #[n(1)]
    pub owner: OwnerKey,
    /// Who may write in generation 0.
    #[n(2)]
    pub verify_key: VerifyKey,
    /// Who may read generation 0: the hash of what they show.
    #[n(3)]
    pub read_hash: ReadHash,
    /// A blind-signed token, where admission is not open.
    #[n(4)]
    pub token: Option<Box<ShownToken>>,
    /// Proof of work, where the relay asks for it.
    #[n(5)]
    pub proof: Option<Proof>,
}

/// Stores an entry in the current generation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Append {
    /// Where to.
    #[n(0)]
    pub channel: ChannelId,
    /// The generation that the writer takes for the current one.
    #[n(1)]
    pub generation: u32,
    /// The entry's id; a repeat gets the first answer.
    #[n(2)]
    pub id: EntryId,
    /// Opaque bytes, 1 to `ENTRY_BYTES_MAX`.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub entry: Vec<u8>,
    /// By the generation's key over [`crate::signed::append`].
    #[n(4)]
    pub signature: OwnerSignature,
}

/// Ends the current generation with an entry and begins the next one, in one step. Of several that would, one does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Advance {
    /// Which channel.
    #[n(0)]
    pub channel: ChannelId,
    /// The generation to end.
    #[n(1)]
    pub generation: u32,
    /// The entry's id; a repeat gets the first answer.
    #[n(2)]
    pub id: EntryId,
    /// The last entry of the generation: opaque bytes, 1 to `ENTRY_BYTES_MAX`.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub entry: Vec<u8>,
    /// Who may write in the next generation.
    #[n(4)]
    pub next_verify_key: VerifyKey,
    /// Who may read the next generation.
    #[n(5)]
    pub next_read_hash: ReadHash,
    /// By the ending generation's key over [`crate::signed::advance`].
    #[n(6)]
    pub signature: OwnerSignature,
}

/// Asks for entries of one generation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReadChannel {
    /// Which channel.
    #[n(0)]
    pub channel: ChannelId,
    /// Which generation.
    #[n(1)]
    pub generation: u32,
    /// The right to read it.
    #[n(2)]
    pub capability: ReadCapability,
    /// Entries with greater numbers alone.
    #[n(3)]
    pub after: u64,
    /// 1 to `READ_ENTRIES_MAX`.
    #[n(4)]
    pub entries_max: u32,
}

/// Asks for the entries of one generation as they come. Said again with a later number it confirms what came, and the window
/// opens again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscribeChannel {
    /// Which channel.
    #[n(0)]
    pub channel: ChannelId,
    /// Which generation.
    #[n(1)]
    pub generation: u32,
    /// The right to read it.
    #[n(2)]
    pub capability: ReadCapability,
    /// Entries with greater numbers alone; all others are safe with the reader.
    #[n(3)]
    pub after: u64,
}

/// Closes a channel: nothing is appended any more, and reading goes on until all has expired.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CloseChannel {
    /// Which channel.
    #[n(0)]
    pub channel: ChannelId,
    /// The owner's signature over [`crate::signed::close_channel`].
    #[n(1)]
    pub signature: OwnerSignature,
}

/// The answer to [`ReadChannel`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entries {
    /// In their order; as many as fit a frame.
    #[n(0)]
    pub entries: Vec<NumberedEntry>,
    /// Whether there are others beyond.
    #[n(1)]
    pub more: bool,
    /// Whether the generation has ended.
    #[n(2)]
    pub ended: bool,
}

/// One entry of [`Entries`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NumberedEntry {
    /// Its number: from 1, one more each, over all generations of a channel.
    #[n(0)]
    pub seq: u64,
    /// Its writer's id for it.
    #[n(1)]
    pub id: EntryId,
    /// What its writer wrote.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub entry: Vec<u8>,
}

/// An entry on its way to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChannelEntry {
    /// Which channel.
    #[n(0)]
    pub channel: ChannelId,
    /// Which generation.
    #[n(1)]
    pub generation: u32,
    /// Its number.
    #[n(2)]
    pub seq: u64,
    /// Its writer's id for it.
    #[n(3)]
    pub id: EntryId,
    /// What its writer wrote.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub entry: Vec<u8>,
    /// Whether it ends its generation, and this subscription with it.
    #[n(5)]
    pub ends: bool,
}
