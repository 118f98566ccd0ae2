//! Receipts: coalesced, and delayed by a random 0.5–3 s, so that their moment tells less of when someone reads.

use sotto_inner::{Body, ContentId, limits::RECEIPT_IDS_MAX};

use crate::{
    ContactId, MessageStatus, Order, Range, Rows, RowsError, Table,
    record::{Contact, OutboxRow},
    timers::Timer,
    work::{Work, contact_key},
};

const DELAY_MILLIS_MIN: u64 = 500;
const DELAY_MILLIS_SPAN: u64 = 2_500;

impl Work<'_> {
    /// Notes that a content arrived. The receipt waits until its contact is accepted, if they are not yet.
    pub(crate) fn owe_receipt(&mut self, contact: &mut Contact, id: &ContentId) -> Result<(), RowsError> {
        self.put(Table::Receipt, &contact_key(&contact.root, id.as_bytes()), Vec::new());
        if contact.connected() { self.owe_receipts_now(contact) } else { Ok(()) }
    }

    pub(crate) fn owe_receipts_now(&mut self, contact: &mut Contact) -> Result<(), RowsError> {
        if contact.receipts_due.is_none() {
            let due = self.now.plus_millis(DELAY_MILLIS_MIN + self.jitter(DELAY_MILLIS_SPAN));
            contact.receipts_due = Some(due.0);
            self.set_timer(due, &Timer::Receipts(contact.root));
            self.save_contact(contact);
        }
        Ok(())
    }

    pub(crate) fn send_receipts(&mut self, id: &ContactId) -> Result<(), RowsError> {
        let Some(mut contact) = self.contact(id)? else { return Ok(()) };
        contact.receipts_due = None;
        self.save_contact(&contact);
        if !contact.connected() {
            return Ok(());
        }
        let owed = self.scan(Table::Receipt, &Range::prefix(id.as_bytes()), Order::Ascending, usize::MAX)?;
        for chunk in owed.chunks(RECEIPT_IDS_MAX) {
            let mut delivered = Vec::with_capacity(chunk.len());
            for (key, _) in chunk {
                let id = ContentId::try_from(&key[32..]).map_err(|_| RowsError("a receipt is damaged".to_owned()))?;
                delivered.push(id);
                self.delete(Table::Receipt, key);
            }
            let content = self.content(Body::Receipt { delivered })?;
            self.enqueue(id, &content, false)?;
        }
        self.pump(contact)
    }

    /// The contact has these contents: they leave the outbox, and the session knows how far it was received.
    pub(crate) fn on_receipt(&mut self, contact: &Contact, delivered: &[ContentId]) -> Result<(), RowsError> {
        for id in delivered {
            let Some(key) = self.get(Table::OutboxIndex, id.as_bytes())? else { continue };
            if !key.starts_with(contact.root.as_bytes()) {
                // A receipt for what went to someone else proves nothing.
                continue;
            }
            if let Some(OutboxRow { sealed: Some(sealed), .. }) = self.load::<OutboxRow>(&key)?
                && let Some((row, session)) = self.session(&contact.root, &sealed.session)?
            {
                self.save_session(&contact.root, row, &session.receipted(sealed.index));
            }
            self.delete(Table::Outbox, &key);
            self.delete(Table::OutboxIndex, id.as_bytes());
            self.message_reached(id, MessageStatus::Delivered)?;
        }
        Ok(())
    }
}
