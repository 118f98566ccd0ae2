//! Channels of the store in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use sotto_outer::{ChannelId, EntryId, OwnerKey};

use super::tokens::Tokens;
use crate::{
    access,
    storage::{
        EXPIRE_ROWS_MAX, Outcome, Spend,
        blocked::Blocked,
        channel::{
            ChannelOp, ChannelOutcome, ENTRY_COST_BYTES, Found, GenerationKeys, NewChannel, NewEntry, Reader,
            StoredEntry,
        },
    },
    time::{Day, Timestamp},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Channels(BTreeMap<ChannelId, Channel>);

#[derive(Clone, Debug)]
struct Channel {
    owner: OwnerKey,
    generation: u32,
    closed: bool,
    next_seq: u64,
    day_last_used: Day,
    generations: BTreeMap<u32, Generation>,
    entries: BTreeMap<u64, Stored>,
}

#[derive(Clone, Debug)]
struct Generation {
    keys: GenerationKeys,
    last_seq: Option<u64>,
}

#[derive(Clone, Debug)]
struct Stored {
    generation: u32,
    id: EntryId,
    entry: Bytes,
    expires_at: Timestamp,
    ends: bool,
}

impl Channels {
    pub(super) fn apply(&mut self, op: &ChannelOp, blocked: &Blocked, tokens: &mut Tokens) -> Outcome {
        if op.channel().is_some_and(|channel| blocked.hides([*channel.as_bytes()])) {
            return op.as_missing();
        }
        match op {
            ChannelOp::Create(new, spend) => self.create(new, spend.as_ref(), tokens),
            ChannelOp::Find { channel, generation } => Outcome::Channel(self.find(channel, *generation)),
            ChannelOp::Append(new) => self.append(new),
            ChannelOp::Admit { reader, after, day } => match self.admit(reader) {
                Some(channel) => Outcome::Channel(channel.admitted(reader.generation, *after, *day)),
                None => Outcome::Denied,
            },
            ChannelOp::Read { reader, after, entries_max, bytes_max, day } => match self.admit(reader) {
                Some(channel) => {
                    channel.day_last_used = channel.day_last_used.max(*day);
                    Outcome::Channel(channel.read(reader.generation, *after, *entries_max, *bytes_max))
                }
                None => Outcome::Denied,
            },
            ChannelOp::Close { channel, owner } => self.close(channel, owner),
            ChannelOp::Expire { now, lapsed_before } => Outcome::Channel(self.expire(*now, *lapsed_before)),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().flat_map(|channel| channel.entries.values()).map(|stored| &stored.entry[..])
    }

    /// Whether there is one of this name, suspended or not.
    pub(super) fn holds(&self, id: &ChannelId) -> bool {
        self.0.contains_key(id)
    }

    fn create(&mut self, new: &NewChannel, spend: Option<&Spend>, tokens: &mut Tokens) -> Outcome {
        if let Some(held) = self.0.get(&new.channel) {
            let same_keys = held.generations.get(&0).is_some_and(|first| first.keys == new.keys);
            return if held.owner == new.owner && same_keys { Outcome::Done } else { Outcome::Denied };
        }
        if !tokens.buys(spend) {
            return Outcome::Spent;
        }
        let channel = Channel {
            owner: new.owner,
            generation: 0,
            closed: false,
            next_seq: 1,
            day_last_used: new.day,
            generations: [(0, Generation { keys: new.keys, last_seq: None })].into(),
            entries: BTreeMap::new(),
        };
        self.0.insert(new.channel, channel);
        Outcome::Done
    }

    fn find(&self, channel: &ChannelId, generation: u32) -> ChannelOutcome {
        ChannelOutcome::Found(self.0.get(channel).map(|channel| Found {
            owner: channel.owner,
            verify_key: channel.generations.get(&generation).map(|generation| generation.keys.verify_key),
        }))
    }

    fn append(&mut self, new: &NewEntry) -> Outcome {
        let all_bytes = self.entries().map(|entry| entry.len() as u64).sum();
        let Some(channel) = self.0.get_mut(&new.channel) else { return Outcome::Denied };
        if let Some((seq, _)) = channel.entries.iter().find(|(_, stored)| stored.id == new.id) {
            return Outcome::Channel(ChannelOutcome::Appended { seq: *seq, fresh: false });
        }
        if channel.closed {
            return Outcome::Channel(ChannelOutcome::Closed);
        }
        if channel.generation != new.generation {
            return Outcome::Channel(ChannelOutcome::Stale { generation: channel.generation });
        }
        let bytes = channel.entries.values().map(|stored| stored.entry.len() as u64).sum();
        let next_generation = new.generation.checked_add(1);
        if !new.quota.has_room(channel.entries.len() as u64, bytes, all_bytes, new) || next_generation.is_none() {
            return Outcome::Full;
        }
        let seq = channel.next_seq;
        channel.next_seq += 1;
        channel.day_last_used = channel.day_last_used.max(new.day);
        let (generation, ends) = (new.generation, new.next.is_some());
        let stored = Stored { generation, id: new.id, entry: new.entry.clone(), expires_at: new.expires_at, ends };
        channel.entries.insert(seq, stored);
        if let (Some(keys), Some(next_generation)) = (new.next, next_generation) {
            if let Some(ended) = channel.generations.get_mut(&generation) {
                ended.last_seq = Some(seq);
            }
            channel.generations.insert(next_generation, Generation { keys, last_seq: None });
            channel.generation = next_generation;
        }
        Outcome::Channel(ChannelOutcome::Appended { seq, fresh: true })
    }

    fn admit(&mut self, reader: &Reader) -> Option<&mut Channel> {
        let channel = self.0.get_mut(&reader.channel);
        let kept = channel.as_ref().and_then(|channel| channel.generations.get(&reader.generation));
        let matches = access::read_hash_matches(kept.map(|kept| &kept.keys.read_hash), &reader.shown);
        channel.filter(|_| matches)
    }

    fn close(&mut self, channel: &ChannelId, owner: &OwnerKey) -> Outcome {
        match self.0.get_mut(channel) {
            Some(held) if held.owner == *owner => {
                held.closed = true;
                Outcome::Done
            }
            _ => Outcome::Denied,
        }
    }

    fn expire(&mut self, now: Timestamp, lapsed_before: Day) -> ChannelOutcome {
        let mut over: Vec<(Timestamp, ChannelId, u64)> = vec![];
        for (id, channel) in &self.0 {
            let ended = channel.entries.iter().filter(|(_, stored)| stored.expires_at <= now);
            over.extend(ended.map(|(seq, stored)| (stored.expires_at, *id, *seq)));
        }
        over.sort_unstable();
        let lapsed = self.0.iter().filter(|(_, channel)| channel.day_last_used < lapsed_before);
        let mut lapsed: Vec<_> = lapsed.map(|(id, _)| *id).collect();
        let more = over.len() > EXPIRE_ROWS_MAX || lapsed.len() > EXPIRE_ROWS_MAX;
        over.truncate(EXPIRE_ROWS_MAX);
        lapsed.truncate(EXPIRE_ROWS_MAX);
        for (_, id, seq) in &over {
            if let Some(channel) = self.0.get_mut(id) {
                channel.entries.remove(seq);
                let Channel { generation: current, generations, entries, .. } = channel;
                generations.retain(|number, _| {
                    number == current || entries.values().any(|stored| stored.generation == *number)
                });
            }
        }
        for id in &lapsed {
            self.0.remove(id);
        }
        ChannelOutcome::Expired { entries: over.len(), channels: lapsed.len(), more }
    }
}

impl Channel {
    fn admitted(&mut self, generation: u32, after: u64, day: Day) -> ChannelOutcome {
        self.day_last_used = self.day_last_used.max(day);
        let last_seq = self.generations.get(&generation).and_then(|generation| generation.last_seq);
        ChannelOutcome::Admitted {
            waits: last_seq.unwrap_or(self.next_seq - 1) > after,
            ended_for: last_seq.is_some().then_some(self.generation),
        }
    }

    fn read(&self, generation: u32, after: u64, entries_max: usize, bytes_max: usize) -> ChannelOutcome {
        let ended = generation != self.generation;
        let (mut entries, mut bytes) = (vec![], 0);
        let Some(first) = after.checked_add(1) else { return ChannelOutcome::Entries { entries, more: false, ended } };
        for (seq, stored) in self.entries.range(first..).filter(|(_, stored)| stored.generation == generation) {
            bytes += stored.entry.len() + ENTRY_COST_BYTES;
            if entries.len() == entries_max || (bytes > bytes_max && !entries.is_empty()) {
                return ChannelOutcome::Entries { entries, more: true, ended };
            }
            entries.push(StoredEntry { seq: *seq, id: stored.id, entry: stored.entry.clone(), ends: stored.ends });
        }
        ChannelOutcome::Entries { entries, more: false, ended }
    }
}
