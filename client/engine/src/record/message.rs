//! A message of a conversation, or a remark between messages.

use minicbor::{Decode, Encode};
use sotto_inner::{ContentId, HybridTime};

use super::Record;
use crate::{ContactId, MessageStatus, Table};

/// One message. Its key is chat ‖ time ‖ author ‖ id: the order of the conversation.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct MessageRow {
    /// Its conversation.
    #[n(0)]
    pub chat: ContactId,
    /// Its id.
    #[n(1)]
    pub id: ContentId,
    /// Its author.
    #[n(2)]
    pub author: ContactId,
    /// Its author's clock.
    #[n(3)]
    pub time: HybridTime,
    /// When it was stored here, Unix milliseconds.
    #[n(4)]
    pub stored_millis: u64,
    /// Where it is.
    #[n(5)]
    pub status: MessageStatus,
    /// The text; empty for a remark.
    #[n(6)]
    pub text: String,
    /// What happened here, where this is no message of anybody.
    #[n(7)]
    pub remark: Option<Remark>,
}

/// Something quiet that happened to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Remark {
    /// They use another set of devices, properly signed.
    #[n(0)]
    DevicesChanged,
    /// Their devices contradict what was known.
    #[n(1)]
    IdentityConflict,
    /// The session was repaired.
    #[n(2)]
    SessionRepaired,
    /// A copy of this profile spoke in its place.
    #[n(3)]
    CopyNoticed,
    /// The safety number was compared.
    #[n(4)]
    Verified,
    /// The person went on with an identity that had changed.
    #[n(5)]
    IdentityAccepted,
    /// A link that should have led to them led to someone else.
    #[n(6)]
    AnotherPerson,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageRow(..)")
    }
}

impl MessageRow {
    /// The row's key.
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(32 + 8 + 32 + 16);
        key.extend_from_slice(self.chat.as_bytes());
        key.extend_from_slice(&self.time.0.to_be_bytes());
        key.extend_from_slice(self.author.as_bytes());
        key.extend_from_slice(self.id.as_bytes());
        key
    }
}

impl Record for MessageRow {
    const TABLE: Table = Table::Message;
}
