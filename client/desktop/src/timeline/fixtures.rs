//! Rows for tests.

use std::sync::Arc;

use sotto_driver::{ContactId, ContentId, MessageStatus};

use crate::view::{Anchor, Row, RowKind, Timeline};

pub(super) fn id(number: u32) -> ContentId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ContentId::from(bytes)
}

pub(super) fn message(number: u32, time: u64, own: bool, text: &str) -> Row {
    let status = if own { MessageStatus::Delivered } else { MessageStatus::Received };
    Row { id: id(number), revision: 0, time, kind: RowKind::Message { own, status, text: Arc::from(text) } }
}

pub(super) fn timeline(rows: Vec<Row>) -> Timeline {
    Timeline {
        chat: ContactId::from([7; 32]),
        rows: Arc::new(rows),
        at_start: true,
        at_end: true,
        unread: None,
        look_at: (0, Anchor::Newest),
    }
}
