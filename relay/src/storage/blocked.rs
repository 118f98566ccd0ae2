//! What the host has suspended, by the ids that people reported.
//!
//! Who looks something up asks [`Blocked::hides`] with all ids that the thing has, after the look-up and whatever it found.
//! What is hidden is to be taken as missing from there on, so that the rest of the work, and the answer `denied`, are the same
//! as for what never was. Nothing is deleted: unblocked, the thing is there again with all that has not expired.

use std::{collections::HashSet, str::FromStr};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use sotto_outer::{BlobId, BundleId, ChannelId, ReceiveId, SendId};

/// An id that somebody reported. It may name anything here, or nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportedId([u8; 16]);

/// What a reported id names at this relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A mailbox, by either of its ids.
    Mailbox(ReceiveId),
    /// A bundle.
    Bundle(BundleId),
    /// A blob.
    Blob(BlobId),
    /// A channel.
    Channel(ChannelId),
    /// Nothing yet.
    Nothing,
}

/// What became of one reported id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it names.
    pub named: Named,
    /// Whether this changed anything.
    pub is_new: bool,
}

/// Text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 16 bytes: 32 hexadecimal digits, or 22 characters of base64url")]
pub struct NoId;

/// The ids that are suspended, as a store holds them in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocked {
    ids: HashSet<ReportedId>,
    /// What the batch that is being applied has changed, and how each was before.
    uncommitted: Vec<(ReportedId, bool)>,
}

impl Blocked {
    /// Whether a thing with these ids is suspended: one of them suffices.
    pub(crate) fn hides(&self, ids: impl IntoIterator<Item = impl Into<ReportedId>>) -> bool {
        ids.into_iter().fold(false, |hidden, id| hidden | self.ids.contains(&id.into()))
    }

    /// Whether a mailbox is suspended, by either of its ids.
    pub(crate) fn hides_mailbox(&self, receive_id: ReceiveId, send_id: SendId) -> bool {
        self.hides([ReportedId::from(receive_id), ReportedId::from(send_id)])
    }

    /// Suspends an id or gives it back; true where that changes anything.
    pub(crate) fn set(&mut self, id: ReportedId, blocked: bool) -> bool {
        let is_new = if blocked { self.ids.insert(id) } else { self.ids.remove(&id) };
        if is_new {
            self.uncommitted.push((id, !blocked));
        }
        is_new
    }

    /// Takes a stored one in.
    pub(crate) fn load(&mut self, id: ReportedId) {
        self.ids.insert(id);
    }

    /// What was changed is stored.
    pub(crate) fn committed(&mut self) {
        self.uncommitted.clear();
    }

    /// What was changed is not stored.
    pub(crate) fn forget_uncommitted(&mut self) {
        for (id, was_blocked) in self.uncommitted.drain(..).rev() {
            if was_blocked {
                self.ids.insert(id)
            } else {
                self.ids.remove(&id)
            };
        }
    }
}

impl ReportedId {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for ReportedId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<ReceiveId> for ReportedId {
    fn from(id: ReceiveId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<SendId> for ReportedId {
    fn from(id: SendId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<BundleId> for ReportedId {
    fn from(id: BundleId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<BlobId> for ReportedId {
    fn from(id: BlobId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<ChannelId> for ReportedId {
    fn from(id: ChannelId) -> Self {
        Self(*id.as_bytes())
    }
}

impl FromStr for ReportedId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let bytes = match text.len() {
            32 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            _ => BASE64URL_NOPAD.decode(text.as_bytes()),
        };
        bytes.ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoId)
    }
}

impl core::fmt::Display for ReportedId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Nothing of it: an id in a log would name a mailbox.
impl core::fmt::Debug for ReportedId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("ReportedId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_hexadecimal_and_base64url() {
        let id = ReportedId::from([0xfb; 16]);
        assert_eq!("fbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfb".parse(), Ok(id));
        assert_eq!("FBfbfbfbfbfbfbfbfbfbfbfbfbfbfbfb".parse(), Ok(id));
        assert_eq!("-_v7-_v7-_v7-_v7-_v7-w".parse(), Ok(id));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in
            ["", "fb", "fbfbfbfbfbfbfbfbfbfbfbfbfbfbfbf", "gbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfb", "+/v7+/v7+/v7+/v7+/v7+w"]
        {
            assert_eq!(wrong.parse::<ReportedId>(), Err(NoId), "{wrong}");
        }
    }

    #[test]
    fn what_a_failed_batch_changed_is_as_it_was() {
        let mut blocked = Blocked::default();
        let (kept, dropped) = (ReportedId::from([1; 16]), ReportedId::from([2; 16]));
        assert!(blocked.set(kept, true) && !blocked.set(kept, true));
        blocked.committed();
        assert!(blocked.set(kept, false) && blocked.set(dropped, true) && blocked.set(dropped, false));
        blocked.forget_uncommitted();
        assert!(blocked.hides([kept]) && !blocked.hides([dropped]));
    }
}
