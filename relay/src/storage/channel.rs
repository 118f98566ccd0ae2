//! What a store does with channels: their generations, the entries in them, and who may write and read.

use bytes::Bytes;
use sotto_outer::{ChannelId, EntryId, OwnerKey, ReadHash, VerifyKey, limits};

use super::{Outcome, Spend};
use crate::{
    access,
    time::{Day, Timestamp},
};

/// What an entry costs beyond its bytes, where answers are filled: more than its number, id and lengths take in a frame.
pub const ENTRY_COST_BYTES: usize = 48;

/// One thing to do to channels.
#[derive(Clone, Debug)]
pub enum ChannelOp {
    /// Make a channel with generation 0. `Done`, also where the same one exists; else `Denied`. With a token that was spent
    /// before, [`Outcome::Spent`]; a channel that exists costs none.
    Create(NewChannel, Option<Spend>),
    /// What is known of a channel and of one generation of it. [`ChannelOutcome::Found`].
    Find {
        /// Which channel.
        channel: ChannelId,
        /// Which generation.
        generation: u32,
    },
    /// Store an entry. [`ChannelOutcome::Appended`], [`ChannelOutcome::Stale`], [`ChannelOutcome::Closed`], `Full` or `Denied`.
    Append(NewEntry),
    /// Check a read capability, and mark the channel used. [`ChannelOutcome::Admitted`] or `Denied`.
    Admit {
        /// What is asked for.
        reader: Reader,
        /// Entries with greater numbers alone.
        after: u64,
        /// Today.
        day: Day,
    },
    /// Entries of one generation. [`ChannelOutcome::Entries`] or `Denied`.
    Read {
        /// What is asked for.
        reader: Reader,
        /// Entries with greater numbers alone.
        after: u64,
        /// At most this many.
        entries_max: usize,
        /// Stop before this many bytes are exceeded, each entry counted with [`ENTRY_COST_BYTES`]; the first is given anyway.
        bytes_max: usize,
        /// Today.
        day: Day,
    },
    /// Let nothing be appended any more. `Done`, or `Denied` where it is not this owner's.
    Close {
        /// Which channel.
        channel: ChannelId,
        /// Whose signature was checked.
        owner: OwnerKey,
    },
    /// Remove what has outlived its time, up to [`super::EXPIRE_ROWS_MAX`] of each sort, and ended generations without entries.
    /// [`ChannelOutcome::Expired`].
    Expire {
        /// Entries that end by now go.
        now: Timestamp,
        /// Channels last used before this day go, with all in them.
        lapsed_before: Day,
    },
}

impl ChannelOp {
    /// The channel that it is about.
    pub(super) const fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::Create(NewChannel { channel, .. }, _)
            | Self::Find { channel, .. }
            | Self::Append(NewEntry { channel, .. })
            | Self::Admit { reader: Reader { channel, .. }, .. }
            | Self::Read { reader: Reader { channel, .. }, .. }
            | Self::Close { channel, .. } => Some(*channel),
            Self::Expire { .. } => None,
        }
    }

    /// The outcome where the host has suspended the channel: as if there were none, and none could be made.
    pub(super) fn as_missing(&self) -> Outcome {
        match self {
            Self::Find { .. } => Outcome::Channel(ChannelOutcome::Found(None)),
            Self::Admit { reader, .. } | Self::Read { reader, .. } => {
                access::read_hash_matches(None, &reader.shown);
                Outcome::Denied
            }
            Self::Create(..) | Self::Append(_) | Self::Close { .. } | Self::Expire { .. } => Outcome::Denied,
        }
    }
}

/// A channel to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChannel {
    /// Its name.
    pub channel: ChannelId,
    /// Who may close it.
    pub owner: OwnerKey,
    /// Who may write and read generation 0.
    pub keys: GenerationKeys,
    /// Today.
    pub day: Day,
}

/// Who may write and read one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationKeys {
    /// Whose signatures count.
    pub verify_key: VerifyKey,
    /// Hash of the read capability.
    pub read_hash: ReadHash,
}

/// An entry to store; its signature was checked with the key of its generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Where to.
    pub channel: ChannelId,
    /// Which generation it is for.
    pub generation: u32,
    /// The writer's id for it.
    pub id: EntryId,
    /// Opaque bytes.
    pub entry: Bytes,
    /// The keys of the next generation, which it begins; or it is one entry of many.
    pub next: Option<GenerationKeys>,
    /// Today.
    pub day: Day,
    /// When it is to be deleted.
    pub expires_at: Timestamp,
    /// What the channel may hold.
    pub quota: ChannelQuota,
}

/// How much a channel may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelQuota {
    /// Entries.
    pub entries_max: u64,
    /// Their bytes.
    pub bytes_max: u64,
    /// Bytes of all channels together.
    pub all_bytes_max: u64,
    /// Entries beyond, for those that end a generation.
    pub reserve_entries: u64,
    /// Bytes beyond either bound, for the same.
    pub reserve_bytes: u64,
}

impl Default for ChannelQuota {
    fn default() -> Self {
        Self {
            entries_max: limits::CHANNEL_ENTRIES_MAX,
            bytes_max: limits::CHANNEL_BYTES_MAX,
            all_bytes_max: 4 * 1024 * 1024 * 1024,
            reserve_entries: limits::CHANNEL_RESERVE_ENTRIES,
            reserve_bytes: limits::CHANNEL_RESERVE_BYTES,
        }
    }
}

impl ChannelQuota {
    /// Whether one more entry fits into a channel that holds this much, where all of them hold `all_bytes`.
    pub(super) fn has_room(&self, entries: u64, bytes: u64, all_bytes: u64, new: &NewEntry) -> bool {
        let (more_entries, more_bytes) =
            if new.next.is_some() { (self.reserve_entries, self.reserve_bytes) } else { (0, 0) };
        let len = new.entry.len() as u64;
        entries < self.entries_max + more_entries
            && bytes + len <= self.bytes_max + more_bytes
            && all_bytes + len <= self.all_bytes_max.saturating_add(more_bytes)
    }
}

/// Who would read what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Which channel.
    pub channel: ChannelId,
    /// Which generation.
    pub generation: u32,
    /// Hash of the read capability shown.
    pub shown: ReadHash,
}

/// An entry as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its number in the channel.
    pub seq: u64,
    /// The writer's id for it.
    pub id: EntryId,
    /// Opaque bytes.
    pub entry: Bytes,
    /// Whether it ends its generation.
    pub ends: bool,
}

/// What is known of a channel and of the generation asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who may close it.
    pub owner: OwnerKey,
    /// Whose signatures count in the generation asked for; none where it is to come, or was forgotten with its entries.
    pub verify_key: Option<VerifyKey>,
}

/// How one operation on channels went; what is `Done`, `Denied`, `Full` or `Failed` is said by [`super::Outcome`] itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOutcome {
    /// None where there is no such channel.
    Found(Option<Found>),
    /// The entry is stored.
    Appended {
        /// Its number.
        seq: u64,
        /// Whether it was stored just now; else its id was there already.
        fresh: bool,
    },
    /// Another generation is the current one; nothing was stored.
    Stale {
        /// The current one.
        generation: u32,
    },
    /// The channel is closed; nothing was stored.
    Closed,
    /// The capability is right.
    Admitted {
        /// Whether there may be entries beyond.
        waits: bool,
        /// The current generation, where the one asked for has ended.
        ended_for: Option<u32>,
    },
    /// Entries in their order.
    Entries {
        /// The first beyond.
        entries: Vec<StoredEntry>,
        /// Whether there are others beyond these.
        more: bool,
        /// Whether the generation has ended.
        ended: bool,
    },
    /// What a sweep removed.
    Expired {
        /// Entries whose time was over.
        entries: usize,
        /// Channels nobody used.
        channels: usize,
        /// Whether another sweep would remove more.
        more: bool,
    },
}

/// Sizes alone: what is in an entry is nobody's business in a log.
impl core::fmt::Debug for StoredEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { seq: _, id: _, entry, ends } = self;
        f.debug_struct("StoredEntry").field("bytes", &entry.len()).field("ends", ends).finish_non_exhaustive()
    }
}
