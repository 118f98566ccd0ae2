//! A message of a conversation.

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
    /// The text.
    #[n(6)]
    pub text: String,
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
