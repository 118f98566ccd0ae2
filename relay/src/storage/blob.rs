//! What the store knows of blobs: a row each, never a byte of theirs. Those lie elsewhere, as [objects](super::objects).
//!
//! ```text
//!  create ──► uncommitted ──every part held: commit──► committed
//!                 │  ▲ part stored                        │
//!                 └──┘                                    │
//!                 └── delete, or 2 days ──► gone ◄── delete, or 28 days
//!                                            └── its objects are removed, then it is forgotten
//! ```
//!
//! A row is durable before the first object of its blob is made, and stands until the last one is removed. So an object without
//! a row is nobody's, whenever it is found.

use sotto_outer::{
    BlobId, BlobState, CapabilityHash, blob,
    limits::{BLOB_BYTES_MAX, BLOB_UPLOAD_SECS},
};

use super::Spend;
use crate::{access, time::Timestamp};

/// Rows that one operation on many removes or gives at most.
pub const BLOB_ROWS_MAX: usize = 100;
/// How long a blob lives of which no part has come. [REL-32]
const UNTOUCHED_SECS: u32 = 30 * 60;
/// What a blob uses of the quota is rounded up to this, so that many small ones fill it too.
const QUOTA_STEP_BYTES: u64 = 4 * 1024;

/// What a blob's objects are named for: random bytes that the relay draws, so that a name tells neither the blob's id nor who
/// knows it. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(pub [u8; 16]);

/// How much may be kept of blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobQuota {
    /// Bytes of one blob.
    pub blob_bytes_max: u64,
    /// Bytes of all blobs' parts that are held.
    pub bytes_max: u64,
}

/// One thing to do to blobs' rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobOp {
    /// Make one. [`BlobOutcome::State`], also where the same one exists; `Denied` or `Full`. With a token that was spent before,
    /// [`super::Outcome::Spent`]; a blob that exists costs none.
    Create(NewBlob, Option<Spend>),
    /// May parts of it be put? [`BlobOutcome::Writable`] or `Denied`.
    Write {
        /// Which blob.
        blob: BlobId,
        /// Hash of the capability shown.
        shown: CapabilityHash,
        /// What ends by now is gone.
        now: Timestamp,
    },
    /// A part's object is durable. [`BlobOutcome::State`]; `Denied` where the blob is gone. Nothing changes after the commit.
    PartStored {
        /// Of which blob.
        object: ObjectKey,
        /// Which part.
        part: u32,
    },
    /// Commit one that is whole. [`BlobOutcome::State`] as it is then, or `Denied`.
    Commit {
        /// Which blob.
        blob: BlobId,
        /// Hash of the capability shown.
        shown: CapabilityHash,
        /// What ends by now is gone.
        now: Timestamp,
        /// When it ends, if it is committed now.
        expires_at: Timestamp,
    },
    /// May it be read? [`BlobOutcome::Readable`] or `Denied`.
    Read {
        /// Which blob.
        blob: BlobId,
        /// Hash of the capability shown.
        shown: CapabilityHash,
        /// What ends by now is gone.
        now: Timestamp,
    },
    /// Delete one. `Done` or `Denied`.
    Delete {
        /// Which blob.
        blob: BlobId,
        /// Hash of the capability shown.
        shown: CapabilityHash,
        /// What ends by now is gone.
        now: Timestamp,
    },
    /// Delete those that end by now, up to [`BLOB_ROWS_MAX`]. [`BlobOutcome::Expired`].
    Expire {
        /// The time.
        now: Timestamp,
    },
    /// Whose objects are to be removed, up to [`BLOB_ROWS_MAX`]. [`BlobOutcome::Gone`].
    Gone,
    /// Their objects are removed. `Done`.
    Forget(Vec<ObjectKey>),
    /// How much is kept. [`BlobOutcome::Usage`].
    Usage,
    /// Which of these have a row. [`BlobOutcome::Known`], in their order.
    Known(Vec<ObjectKey>),
}

/// A blob to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlob {
    /// The client's name for it.
    pub blob: BlobId,
    /// The name of its objects, if it is new.
    pub object: ObjectKey,
    /// Its size.
    pub bytes: u64,
    /// Hash of what writers show.
    pub write_hash: CapabilityHash,
    /// Hash of what readers show.
    pub read_hash: CapabilityHash,
    /// The time.
    pub now: Timestamp,
    /// What may be kept.
    pub quota: BlobQuota,
}

/// How one operation on blobs went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobOutcome {
    /// How far the blob is.
    State(BlobState),
    /// Parts may be put.
    Writable {
        /// The name of its objects.
        object: ObjectKey,
        /// Its size.
        bytes: u64,
        /// How far it is; after the commit no part is put.
        state: BlobState,
        /// What all blobs use of the quota.
        used: u64,
    },
    /// It may be read.
    Readable {
        /// The name of its objects.
        object: ObjectKey,
        /// Its size.
        bytes: u64,
    },
    /// What a sweep removed.
    Expired {
        /// Blobs.
        blobs: usize,
        /// Whether another sweep would remove more.
        more: bool,
    },
    /// Names of objects to be removed, and how many parts each may have.
    Gone(Vec<(ObjectKey, u32)>),
    /// How much is kept.
    Usage {
        /// Blobs.
        blobs: u64,
        /// What they use of the quota.
        bytes: u64,
    },
    /// Whether each has a row.
    Known(Vec<bool>),
}

/// A blob's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobRow {
    pub(crate) object: ObjectKey,
    pub(crate) bytes: u64,
    pub(crate) write_hash: CapabilityHash,
    pub(crate) read_hash: CapabilityHash,
    pub(crate) state: BlobState,
    pub(crate) expires_at: Timestamp,
}

/// What a capability is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Write,
    Read,
}

impl BlobQuota {
    /// Whether a blob or part of this size fits where `used` is used.
    pub(crate) const fn has_room(&self, used: u64, bytes: u64) -> bool {
        match used.checked_add(quota_bytes(bytes)) {
            Some(used) => used <= self.bytes_max,
            None => false,
        }
    }
}

impl Default for BlobQuota {
    fn default() -> Self {
        Self { blob_bytes_max: BLOB_BYTES_MAX, bytes_max: 10 * 1024 * 1024 * 1024 }
    }
}

/// What so many bytes use of the quota.
const fn quota_bytes(bytes: u64) -> u64 {
    bytes.next_multiple_of(QUOTA_STEP_BYTES)
}

impl NewBlob {
    pub(crate) fn row(&self) -> BlobRow {
        let held = vec![0; (blob::parts(self.bytes) as usize).div_ceil(8)];
        BlobRow {
            object: self.object,
            bytes: self.bytes,
            write_hash: self.write_hash,
            read_hash: self.read_hash,
            state: BlobState { held, committed: false },
            expires_at: self.now.plus_secs(UNTOUCHED_SECS),
        }
    }
}

impl BlobRow {
    /// Whether somebody made this very blob, whatever has become of it since.
    pub(crate) fn is_made_by(&self, new: &NewBlob) -> bool {
        (self.bytes, &self.write_hash, &self.read_hash) == (new.bytes, &new.write_hash, &new.read_hash)
    }

    /// What it uses of the quota: the parts that are held, so that a name alone keeps nobody out.
    pub(crate) fn used_bytes(&self) -> u64 {
        let held = (0..blob::parts(self.bytes)).filter(|part| self.state.holds(*part));
        let bytes = held.map(|part| blob::part_range(self.bytes, part)).map(|range| range.end - range.start);
        quota_bytes(bytes.sum::<u64>().max(1))
    }

    /// Marks a part as held; with the first one its time to be committed begins. Says whether that changed anything.
    pub(crate) fn hold(&mut self, part: u32) -> bool {
        if self.state.committed || part >= blob::parts(self.bytes) || self.state.holds(part) {
            return false;
        }
        if self.state.held.iter().all(|held| *held == 0) {
            self.expires_at = self.expires_at.plus_secs(BLOB_UPLOAD_SECS - UNTOUCHED_SECS);
        }
        self.state.held[part as usize / 8] |= 1 << (part % 8);
        true
    }

    /// Commits it if it is whole. Says whether that changed anything.
    pub(crate) fn commit(&mut self, expires_at: Timestamp) -> bool {
        let whole = (0..blob::parts(self.bytes)).all(|part| self.state.holds(part));
        if self.state.committed || !whole {
            return false;
        }
        self.state.committed = true;
        self.expires_at = expires_at;
        true
    }
}

/// The blob, if there is one now that this capability opens. The work is the same where there is none.
pub(crate) fn open(row: Option<BlobRow>, shown: &CapabilityHash, right: Right, now: Timestamp) -> Option<BlobRow> {
    let kept = row.as_ref().map(|row| match right {
        Right::Write => &row.write_hash,
        Right::Read => &row.read_hash,
    });
    let matches = access::capability_matches(kept, shown);
    row.filter(|row| matches & (row.expires_at > now) & (right == Right::Write || row.state.committed))
}

/// Prints nothing of the name.
impl core::fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("ObjectKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(bytes: u64) -> NewBlob {
        NewBlob {
            blob: [1; 16].into(),
            object: ObjectKey([2; 16]),
            bytes,
            write_hash: [3; 32].into(),
            read_hash: [4; 32].into(),
            now: Timestamp::from_millis(0),
            quota: BlobQuota::default(),
        }
    }

    #[test]
    fn only_a_whole_blob_is_committed_and_none_twice() {
        let mut row = new(9 * sotto_outer::limits::BLOB_PART_BYTES).row();
        let (first, second) = (Timestamp::from_millis(5), Timestamp::from_millis(6));
        for part in 0..9 {
            assert!(!row.commit(first));
            assert!(row.hold(part));
            assert!(!row.hold(part), "it is held");
        }
        assert!(!row.hold(9), "there is no such part");
        assert!(row.commit(first) && !row.commit(second));
        assert_eq!(row.expires_at, first);
    }

    #[test]
    fn a_blob_uses_what_is_held_of_it_and_its_row() {
        let part = sotto_outer::limits::BLOB_PART_BYTES;
        let mut row = new(2 * part + 1).row();
        let mut used = vec![row.used_bytes()];
        for number in [2, 0, 0, 1] {
            row.hold(number);
            used.push(row.used_bytes());
        }
        assert_eq!(used, [4_096, 4_096, part + 4_096, part + 4_096, 2 * part + 4_096]);
    }

    #[test]
    fn many_small_blobs_fill_the_quota_too() {
        let quota = BlobQuota { blob_bytes_max: 100, bytes_max: 10_000 };
        assert!(quota.has_room(0, 1) && quota.has_room(4_096, 1) && !quota.has_room(8_192, 1));
        assert!(!quota.has_room(u64::MAX, 1));
    }
}
