//! Two years of talk, planned newest first and written oldest first: bursts with pauses between them, a few long conversations
//! and many short ones, some of them with something unread at the end.

use std::collections::BTreeMap;

use sotto_engine::{
    Batch, ContactId, Happening, JournalEntry, MessageStatus, Table, Value,
    record::{Contact, MessageRow, Record},
};
use sotto_inner::HybridTime;

use super::{Recipe, phrases};
use crate::world::{
    chance::Chance,
    clock::{DAY, SECOND},
    rows::MemoryRows,
};

/// How long the past is.
const SPAN: u64 = 730 * DAY;
/// The longest pause within a burst, and how many messages one has on average.
const BURST_PAUSE: u64 = 90 * SECOND;
const BURST_MESSAGES: u64 = 8;
/// The newest of a conversation are theirs, so that something can be unread.
const NEWEST_THEIRS: u64 = 3;
/// Journal entries that the engine keeps.
const JOURNAL_ENTRIES: u64 = 50_000;

/// What is still to be written.
pub(super) struct Past {
    chance: Chance,
    account: ContactId,
    /// The longest conversation first.
    contacts: Vec<Contact>,
    /// The newest first.
    planned: Vec<Planned>,
    /// Messages of a contact since our last one.
    theirs: BTreeMap<ContactId, u64>,
    /// The last entry when all had met, the last one written, and the last one to come.
    journal_begin: u64,
    journal: u64,
    journal_end: u64,
}

struct Planned {
    millis: u64,
    chat: ContactId,
    own: bool,
}

impl Past {
    pub(super) fn new(recipe: &Recipe, account: ContactId, rows: &MemoryRows) -> Self {
        let mut chance = Chance::fork(recipe.seed, "past", 0);
        let contact = |(_, row): (&[u8], &[u8])| Contact::from_row(row).expect("an engine wrote it");
        let contacts: Vec<_> = rows.table(Table::Contact).map(contact).collect();
        let chats: Vec<_> = contacts.iter().map(|contact| contact.root).collect();
        let planned = plan(&mut chance, recipe, &chats);
        let journal_begin = rows
            .table(Table::Journal)
            .last()
            .map_or(0, |(key, _)| u64::from_be_bytes(key.try_into().expect("a sequence has 8 bytes")));
        let own = planned.iter().filter(|message| message.own).count();
        // Each message is one entry, and each own one's way to its reader two more.
        let journal_end = journal_begin + (planned.len() + 2 * own) as u64;
        let journal = journal_begin;
        Self { chance, account, contacts, planned, theirs: BTreeMap::new(), journal_begin, journal, journal_end }
    }

    /// Puts the next messages into a batch, at most `limit`; false once there are none.
    pub(super) fn write_some(&mut self, batch: &mut Batch, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(planned) = self.planned.pop() else { break };
            self.write(batch, &planned);
        }
        !batch.is_empty()
    }

    fn write(&mut self, batch: &mut Batch, planned: &Planned) {
        let Planned { millis, chat, own } = *planned;
        let id: [u8; 16] = self.chance.bytes(16).try_into().expect("16 were asked for");
        let message = MessageRow {
            chat,
            id: id.into(),
            author: if own { self.account } else { chat },
            time: HybridTime::from_millis(millis),
            stored_millis: millis + if own { 0 } else { self.chance.below(5 * SECOND) },
            status: if own { MessageStatus::Delivered } else { MessageStatus::Received },
            text: phrases::text(&mut self.chance),
            remark: None,
        };
        let key = message.key();
        batch.put(MessageRow::TABLE, &key, message.to_row());
        batch.put(Table::MessageIndex, message.id.as_bytes(), Value::new(key));
        self.happened(batch, millis, Happening::MessageNew { chat, id: message.id });
        if own {
            for status in [MessageStatus::Sent, MessageStatus::Delivered] {
                self.happened(batch, millis, Happening::MessageStatus { chat, id: message.id, status });
            }
            self.theirs.remove(&chat);
        } else {
            *self.theirs.entry(chat).or_default() += 1;
        }
    }

    fn happened(&mut self, batch: &mut Batch, time: u64, happening: Happening) {
        self.journal += 1;
        if self.journal + JOURNAL_ENTRIES > self.journal_end {
            let entry = sotto_outer::codec::encode(&JournalEntry { time, happening });
            batch.put(Table::Journal, &self.journal.to_be_bytes(), Value::new(entry));
        }
    }

    /// What the engine would have counted: in every third conversation all that came since our last message is unread. Every
    /// fifth contact is verified. The journal's oldest entries, of how all met, are forgotten.
    pub(super) fn finish(&mut self, batch: &mut Batch) {
        for (number, contact) in self.contacts.iter_mut().enumerate() {
            contact.unread = if number % 3 == 1 { self.theirs.get(&contact.root).copied().unwrap_or(0) } else { 0 };
            contact.verified = number % 5 == 0;
            batch.put(Contact::TABLE, contact.root.as_bytes(), contact.to_row());
        }
        batch.put(Table::Meta, b"journal", Value::new(self.journal.to_be_bytes().to_vec()));
        for old in 1..=self.journal.saturating_sub(JOURNAL_ENTRIES).min(self.journal_begin) {
            batch.delete(Table::Journal, &old.to_be_bytes());
        }
    }

    pub(super) fn conversations(&self) -> Vec<ContactId> {
        self.contacts.iter().map(|contact| contact.root).collect()
    }
}

/// Who writes when, the newest first.
fn plan(chance: &mut Chance, recipe: &Recipe, chats: &[ContactId]) -> Vec<Planned> {
    let mean = SPAN / recipe.messages.max(1) as u64;
    let between_bursts = (mean * BURST_MESSAGES).saturating_sub(BURST_PAUSE / 2 * (BURST_MESSAGES - 1)).max(SECOND);
    let (mut millis, mut chat) = (recipe.until.0, pick(chance, chats));
    let mut lengths: BTreeMap<ContactId, u64> = BTreeMap::new();
    let mut planned = Vec::with_capacity(recipe.messages);
    while let Some(current) = chat
        && planned.len() < recipe.messages
    {
        let length = lengths.entry(current).or_default();
        *length += 1;
        let own = *length > NEWEST_THEIRS && chance.one_in(2);
        planned.push(Planned { millis, chat: current, own });
        let burst_begins = chance.one_in(BURST_MESSAGES);
        millis -= 1 + chance.below(if burst_begins { 2 * between_bursts } else { BURST_PAUSE });
        if burst_begins {
            chat = pick(chance, chats);
        }
    }
    planned
}

/// One of the conversations; the first ones come up most often.
fn pick(chance: &mut Chance, chats: &[ContactId]) -> Option<ContactId> {
    let among = 1 + chance.below(chats.len().max(1) as u64) as usize;
    chance.pick(chats.get(..among)?).copied()
}
