//! Operations of a batch on channels. Channels in use are held in memory, entries to insert are gathered and written with few
//! statements, and the rows of the channels that changed once, before the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sotto_outer::{ChannelId, EntryId, OwnerKey};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

use super::{
    batch::{Batch, INSERT_ROWS, Result, array, json_numbers, json_texts},
    memory::millis,
};
use crate::{
    access,
    storage::{
        EXPIRE_ROWS_MAX, Op, Outcome, Spend,
        channel::{
            ChannelOp, ChannelOutcome, ENTRY_COST_BYTES, Found, GenerationKeys, NewChannel, NewEntry, Reader,
            StoredEntry,
        },
    },
    time::{Day, Timestamp},
};

/// Channels and generations held, together; at about 200 bytes each.
const HELD_MAX: usize = 200_000;

/// A row's key in the table `channel`.
type Key = i64;

/// Channels in use: a copy of what is in the file, and of the batch being applied.
#[derive(Default)]
pub(super) struct Channels {
    by_id: HashMap<ChannelId, Channel>,
    /// Channels and their generations.
    size: usize,
    /// Bytes of all entries of all channels, once they were counted.
    all_bytes: Option<u64>,
    batch: u64,
}

struct Channel {
    key: Key,
    owner: OwnerKey,
    generation: u32,
    closed: bool,
    next_seq: u64,
    entries: u64,
    bytes: u64,
    day_last_used: Day,
    generations: BTreeMap<u32, Generation>,
    used_in_batch: u64,
}

#[derive(Clone, Copy)]
struct Generation {
    keys: GenerationKeys,
    last_seq: Option<u64>,
}

/// Entries of the batch being applied.
#[derive(Default)]
pub(super) struct Pending {
    inserts: Vec<Insert>,
    /// Numbers of stored entries that the batch's entries have the ids of.
    repeats: HashMap<(Key, EntryId), u64>,
    /// Channels whose rows are to be written.
    changed: BTreeSet<ChannelId>,
}

/// A row of `entry` to be written.
struct Insert {
    channel: Key,
    seq: u64,
    generation: u32,
    id: EntryId,
    expires_at: Timestamp,
    ends: bool,
    entry: Bytes,
}

impl Channels {
    /// A batch is done: when too much is held, all that it did not use is forgotten.
    pub(super) fn trim(&mut self) {
        if self.size > HELD_MAX {
            let batch = self.batch;
            self.by_id.retain(|_, channel| channel.used_in_batch == batch);
            self.size = self.by_id.values().map(|channel| 1 + channel.generations.len()).sum();
        }
        self.batch += 1;
    }

    fn used(&mut self, id: &ChannelId) -> Option<&mut Channel> {
        let channel = self.by_id.get_mut(id)?;
        channel.used_in_batch = self.batch;
        Some(channel)
    }
}

impl Channel {
    /// Whether the channel may be read with what is shown; in equal work where there is none.
    fn admits(channel: Option<&mut Self>, reader: &Reader) -> bool {
        let kept = channel.and_then(|channel| channel.generations.get(&reader.generation));
        access::read_hash_matches(kept.map(|kept| &kept.keys.read_hash), &reader.shown)
    }

    /// Says whether that is news.
    fn use_on(&mut self, day: Day) -> bool {
        let is_new = self.day_last_used < day;
        self.day_last_used = self.day_last_used.max(day);
        is_new
    }
}

impl Batch<'_> {
    pub(super) async fn channel(&mut self, op: &ChannelOp) -> Result<Outcome> {
        if op.channel().is_some_and(|channel| self.memory.blocked.hides([*channel.as_bytes()])) {
            return Ok(op.as_missing());
        }
        match op {
            ChannelOp::Create(new, spend) => self.create_channel(new, spend.as_ref()).await,
            ChannelOp::Find { channel, generation } => Ok(Outcome::Channel(self.find(channel, *generation))),
            ChannelOp::Append(new) => self.append(new).await,
            ChannelOp::Admit { reader, after, day } => Ok(self.admit_reader(reader, *after, *day)),
            ChannelOp::Read { reader, after, entries_max, bytes_max, day } => {
                self.read_channel(reader, *after, *entries_max, *bytes_max, *day).await
            }
            ChannelOp::Close { channel, owner } => Ok(self.close(channel, owner)),
            ChannelOp::Expire { now, lapsed_before } => self.expire_channels(*now, *lapsed_before).await,
        }
    }

    /// Brings the channels that this batch uses into memory, and which of its entries are stored already.
    pub(super) async fn look_up_channels<'o>(&mut self, ops: impl Iterator<Item = &'o Op>) -> Result<()> {
        let (mut unknown, mut entries) = (HashSet::new(), vec![]);
        for op in ops {
            let Op::Channel(op) = op else { continue };
            if let ChannelOp::Append(NewEntry { channel, id, .. }) = op {
                entries.push((*channel, *id));
            }
            let Some(id) = op.channel() else { continue };
            if self.memory.channels.used(&id).is_none() {
                unknown.insert(id);
            }
        }
        self.load_channels(&unknown).await?;
        if !entries.is_empty() && self.memory.channels.all_bytes.is_none() {
            let sum = sqlx::query_scalar("SELECT coalesce(sum(bytes), 0) FROM channel");
            let sum: i64 = sum.fetch_one(&mut *self.connection).await?;
            self.memory.channels.all_bytes = Some(sum.unsigned_abs());
        }
        self.look_up_entries(&entries).await
    }

    async fn load_channels(&mut self, ids: &HashSet<ChannelId>) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.iter().map(|id| HEXLOWER.encode(id.as_bytes())).collect();
        let select = sqlx::query(
            "SELECT key, id, owner, generation, closed, next_seq, entries, bytes, day_last_used FROM channel
             WHERE id IN (SELECT unhex(value) FROM json_each(?))",
        );
        let mut names = HashMap::new();
        for row in select.bind(json_texts(&ids)).fetch_all(&mut *self.connection).await? {
            let (id, mut channel) = channel(&row)?;
            channel.used_in_batch = self.memory.channels.batch;
            names.insert(channel.key, id);
            self.memory.channels.size += 1;
            self.memory.channels.by_id.insert(id, channel);
        }
        let select = sqlx::query(
            "SELECT channel, number, verify_key, read_hash, last_seq FROM generation
             WHERE channel IN (SELECT value FROM json_each(?))",
        );
        let keys: Vec<_> = names.keys().copied().collect();
        for row in select.bind(json_numbers(&keys)).fetch_all(&mut *self.connection).await? {
            let held = names.get(&row.try_get::<Key, _>(0)?).and_then(|id| self.memory.channels.by_id.get_mut(id));
            let keys = GenerationKeys { verify_key: array(&row, 2)?.into(), read_hash: array(&row, 3)?.into() };
            let last_seq = row.try_get::<Option<i64>, _>(4)?.map(i64::cast_unsigned);
            if let Some(held) = held {
                held.generations.insert(row.try_get(1)?, Generation { keys, last_seq });
                self.memory.channels.size += 1;
            }
        }
        Ok(())
    }

    async fn look_up_entries(&mut self, entries: &[(ChannelId, EntryId)]) -> Result<()> {
        let known = |(channel, id): &(ChannelId, EntryId)| {
            let channel = self.memory.channels.by_id.get(channel)?;
            Some((channel.key, HEXLOWER.encode(id.as_bytes())))
        };
        let entries: Vec<_> = entries.iter().filter_map(known).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let select = sqlx::query(
            "SELECT entry.channel, entry.id, entry.seq FROM json_each(?) AS new
             JOIN entry ON entry.channel = new.value ->> 0 AND entry.id = unhex(new.value ->> 1)",
        );
        let entries = serde_json::to_string(&entries).expect("numbers and texts are JSON");
        for row in select.bind(entries).fetch_all(&mut *self.connection).await? {
            let seq = row.try_get::<i64, _>(2)?.cast_unsigned();
            self.pending.repeats.insert((row.try_get(0)?, array(&row, 1)?.into()), seq);
        }
        Ok(())
    }

    async fn create_channel(&mut self, new: &NewChannel, spend: Option<&Spend>) -> Result<Outcome> {
        let NewChannel { channel: id, owner, keys, day } = new;
        if let Some(held) = self.memory.channels.used(id) {
            let same_keys = held.generations.get(&0).is_some_and(|first| first.keys == *keys);
            return Ok(if held.owner == *owner && same_keys { Outcome::Done } else { Outcome::Denied });
        }
        if !self.buys(spend).await? {
            return Ok(Outcome::Spent);
        }
        self.begin().await?;
        let insert = sqlx::query(
            "INSERT INTO channel (id, owner, generation, closed, next_seq, entries, bytes, day_last_used)
             VALUES (?, ?, 0, 0, 1, 0, 0, ?)",
        );
        let insert = insert.bind(&id.as_bytes()[..]).bind(&owner.as_bytes()[..]).bind(day.as_days());
        let key = insert.execute(&mut *self.connection).await?.last_insert_rowid();
        self.insert_generation(key, 0, keys).await?;
        let channel = Channel {
            key,
            owner: *owner,
            generation: 0,
            closed: false,
            next_seq: 1,
            entries: 0,
            bytes: 0,
            day_last_used: *day,
            generations: [(0, Generation { keys: *keys, last_seq: None })].into(),
            used_in_batch: self.memory.channels.batch,
        };
        self.memory.channels.by_id.insert(*id, channel);
        self.memory.channels.size += 2;
        Ok(Outcome::Done)
    }

    async fn insert_generation(&mut self, channel: Key, number: u32, keys: &GenerationKeys) -> Result<()> {
        let insert = sqlx::query("INSERT INTO generation (channel, number, verify_key, read_hash) VALUES (?, ?, ?, ?)");
        let insert = insert.bind(channel).bind(number);
        let insert = insert.bind(&keys.verify_key.as_bytes()[..]).bind(&keys.read_hash.as_bytes()[..]);
        insert.execute(&mut *self.connection).await?;
        Ok(())
    }

    fn find(&mut self, channel: &ChannelId, generation: u32) -> ChannelOutcome {
        ChannelOutcome::Found(self.memory.channels.used(channel).map(|channel| Found {
            owner: channel.owner,
            verify_key: channel.generations.get(&generation).map(|generation| generation.keys.verify_key),
        }))
    }

    async fn append(&mut self, new: &NewEntry) -> Result<Outcome> {
        let all_bytes = self.memory.channels.all_bytes.unwrap_or(0);
        let Some(channel) = self.memory.channels.used(&new.channel) else { return Ok(Outcome::Denied) };
        if let Some(seq) = self.pending.repeats.get(&(channel.key, new.id)) {
            return Ok(Outcome::Channel(ChannelOutcome::Appended { seq: *seq, fresh: false }));
        }
        if channel.closed {
            return Ok(Outcome::Channel(ChannelOutcome::Closed));
        }
        if channel.generation != new.generation {
            return Ok(Outcome::Channel(ChannelOutcome::Stale { generation: channel.generation }));
        }
        let next_generation = new.generation.checked_add(1);
        let has_room = new.quota.has_room(channel.entries, channel.bytes, all_bytes, new);
        let Some(next_generation) = next_generation.filter(|_| has_room) else { return Ok(Outcome::Full) };
        let NewEntry { channel: _, generation, id, entry, next, day, expires_at, quota: _ } = new;
        let (key, seq) = (channel.key, channel.next_seq);
        channel.next_seq += 1;
        channel.entries += 1;
        channel.bytes += entry.len() as u64;
        channel.use_on(*day);
        self.pending.changed.insert(new.channel);
        if let Some(keys) = next {
            if let Some(ended) = channel.generations.get_mut(generation) {
                ended.last_seq = Some(seq);
            }
            channel.generations.insert(next_generation, Generation { keys: *keys, last_seq: None });
            channel.generation = next_generation;
            self.memory.channels.size += 1;
        }
        self.memory.channels.all_bytes = Some(all_bytes + entry.len() as u64);
        self.pending.repeats.insert((key, *id), seq);
        let (generation, id, expires_at, ends) = (*generation, *id, *expires_at, next.is_some());
        let entry = entry.clone();
        self.pending.inserts.push(Insert { channel: key, seq, generation, id, expires_at, ends, entry });
        if let Some(keys) = next {
            self.end_generation(key, generation, seq).await?;
            self.insert_generation(key, next_generation, keys).await?;
        }
        Ok(Outcome::Channel(ChannelOutcome::Appended { seq, fresh: true }))
    }

    async fn end_generation(&mut self, channel: Key, number: u32, last_seq: u64) -> Result<()> {
        self.begin().await?;
        let update = sqlx::query("UPDATE generation SET last_seq = ? WHERE channel = ? AND number = ?");
        update.bind(last_seq.cast_signed()).bind(channel).bind(number).execute(&mut *self.connection).await?;
        Ok(())
    }

    fn admit_reader(&mut self, reader: &Reader, after: u64, day: Day) -> Outcome {
        let channel = self.memory.channels.used(&reader.channel);
        let Some(channel) = channel else {
            Channel::admits(None, reader);
            return Outcome::Denied;
        };
        if !Channel::admits(Some(&mut *channel), reader) {
            return Outcome::Denied;
        }
        if channel.use_on(day) {
            self.pending.changed.insert(reader.channel);
        }
        let last_seq = channel.generations.get(&reader.generation).and_then(|generation| generation.last_seq);
        Outcome::Channel(ChannelOutcome::Admitted {
            waits: last_seq.unwrap_or(channel.next_seq - 1) > after,
            ended_for: last_seq.is_some().then_some(channel.generation),
        })
    }

    async fn read_channel(
        &mut self,
        reader: &Reader,
        after: u64,
        entries_max: usize,
        bytes_max: usize,
        day: Day,
    ) -> Result<Outcome> {
        if !Channel::admits(self.memory.channels.used(&reader.channel), reader) {
            return Ok(Outcome::Denied);
        }
        let Some(channel) = self.memory.channels.used(&reader.channel) else { return Ok(Outcome::Denied) };
        if channel.use_on(day) {
            self.pending.changed.insert(reader.channel);
        }
        let (key, ended) = (channel.key, reader.generation != channel.generation);
        self.flush_entries().await?;
        let (keys, more) = self.choose(key, reader.generation, after, entries_max, bytes_max).await?;
        let select = sqlx::query(
            "SELECT seq, id, bytes, ends FROM entry WHERE key IN (SELECT value FROM json_each(?)) ORDER BY seq",
        );
        let mut entries = vec![];
        if !keys.is_empty() {
            for row in select.bind(json_numbers(&keys)).fetch_all(&mut *self.connection).await? {
                entries.push(stored(&row)?);
            }
        }
        Ok(Outcome::Channel(ChannelOutcome::Entries { entries, more, ended }))
    }

    /// Rows of the first entries beyond `after` that fit, and whether there are others.
    async fn choose(
        &mut self,
        channel: Key,
        generation: u32,
        after: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<i64>, bool)> {
        let select = sqlx::query(
            "SELECT key, length(bytes) FROM entry WHERE channel = ? AND generation = ? AND seq > ? ORDER BY seq LIMIT ?",
        );
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = i64::try_from(entries_max + 1).unwrap_or(i64::MAX);
        let rows = select.bind(channel).bind(generation).bind(after).bind(limit);
        let (mut keys, mut bytes) = (vec![], 0);
        for row in rows.fetch_all(&mut *self.connection).await? {
            bytes += usize::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0) + ENTRY_COST_BYTES;
            if keys.len() == entries_max || (bytes > bytes_max && !keys.is_empty()) {
                return Ok((keys, true));
            }
            keys.push(row.try_get(0)?);
        }
        Ok((keys, false))
    }

    fn close(&mut self, id: &ChannelId, owner: &OwnerKey) -> Outcome {
        match self.memory.channels.used(id) {
            Some(channel) if channel.owner == *owner => {
                if !channel.closed {
                    self.pending.changed.insert(*id);
                }
                channel.closed = true;
                Outcome::Done
            }
            _ => Outcome::Denied,
        }
    }

    async fn expire_channels(&mut self, now: Timestamp, lapsed_before: Day) -> Result<Outcome> {
        self.flush_channels().await?;
        let limit = i64::try_from(EXPIRE_ROWS_MAX + 1).expect("a small number");
        let select = "SELECT key, channel, id, length(bytes) FROM entry WHERE expires_at <= ?
                      ORDER BY expires_at, channel, seq LIMIT ?";
        let over = sqlx::query(select).bind(millis(now)).bind(limit).fetch_all(&mut *self.connection).await?;
        let select = "SELECT key FROM channel WHERE day_last_used < ? ORDER BY id LIMIT ?";
        let lapsed = sqlx::query_scalar(select).bind(lapsed_before.as_days()).bind(limit);
        let lapsed: Vec<Key> = lapsed.fetch_all(&mut *self.connection).await?;
        let more = over.len() > EXPIRE_ROWS_MAX || lapsed.len() > EXPIRE_ROWS_MAX;
        let over = &over[..over.len().min(EXPIRE_ROWS_MAX)];
        let lapsed = &lapsed[..lapsed.len().min(EXPIRE_ROWS_MAX)];
        if !over.is_empty() {
            self.delete_entries(over).await?;
        }
        if !lapsed.is_empty() {
            self.delete_channels(lapsed).await?;
        }
        Ok(Outcome::Channel(ChannelOutcome::Expired { entries: over.len(), channels: lapsed.len(), more }))
    }

    async fn delete_entries(&mut self, over: &[SqliteRow]) -> Result<()> {
        self.begin().await?;
        let (mut keys, mut sums) = (vec![], BTreeMap::<Key, (i64, i64)>::new());
        for row in over {
            let channel: Key = row.try_get(1)?;
            let (entries, bytes) = sums.entry(channel).or_default();
            *entries += 1;
            *bytes += row.try_get::<i64, _>(3)?;
            keys.push(row.try_get(0)?);
            self.pending.repeats.remove(&(channel, array(row, 2)?.into()));
        }
        let delete = sqlx::query("DELETE FROM entry WHERE key IN (SELECT value FROM json_each(?))");
        delete.bind(json_numbers(&keys)).execute(&mut *self.connection).await?;
        let update = sqlx::query(
            "UPDATE channel SET entries = entries - (gone.value ->> 1), bytes = bytes - (gone.value ->> 2)
             FROM json_each(?) AS gone WHERE channel.key = gone.value ->> 0",
        );
        self.count_gone(sums.values().map(|(_, bytes)| *bytes));
        let gone: Vec<_> = sums.iter().map(|(channel, (entries, bytes))| (channel, entries, bytes)).collect();
        let gone = serde_json::to_string(&gone).expect("numbers are JSON");
        update.bind(gone).execute(&mut *self.connection).await?;
        let channels: Vec<_> = sums.into_keys().collect();
        let delete = sqlx::query(
            "DELETE FROM generation WHERE channel IN (SELECT value FROM json_each(?)) AND last_seq IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.channel = generation.channel AND generation = number)",
        );
        delete.bind(json_numbers(&channels)).execute(&mut *self.connection).await?;
        self.read_again(&channels).await
    }

    async fn delete_channels(&mut self, keys: &[Key]) -> Result<()> {
        self.begin().await?;
        for delete in [
            "DELETE FROM entry WHERE channel IN (SELECT value FROM json_each(?))",
            "DELETE FROM generation WHERE channel IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(delete).bind(json_numbers(keys)).execute(&mut *self.connection).await?;
        }
        let delete = "DELETE FROM channel WHERE key IN (SELECT value FROM json_each(?)) RETURNING bytes";
        let bytes = sqlx::query_scalar(delete).bind(json_numbers(keys)).fetch_all(&mut *self.connection).await?;
        self.count_gone(bytes.into_iter());
        self.read_again(keys).await
    }

    /// Bytes of entries are no longer there.
    fn count_gone(&mut self, bytes: impl Iterator<Item = i64>) {
        let gone = bytes.map(i64::unsigned_abs).sum();
        let all_bytes = &mut self.memory.channels.all_bytes;
        *all_bytes = all_bytes.map(|all| all.saturating_sub(gone));
    }

    /// Rows were changed in the file alone: those held are read again.
    async fn read_again(&mut self, keys: &[Key]) -> Result<()> {
        let keys: HashSet<_> = keys.iter().copied().collect();
        let held = self.memory.channels.by_id.extract_if(|_, channel| keys.contains(&channel.key));
        let mut ids = HashSet::new();
        for (id, channel) in held {
            self.memory.channels.size -= 1 + channel.generations.len();
            ids.insert(id);
        }
        self.load_channels(&ids).await
    }

    /// Writes the entries gathered so far.
    pub(super) async fn flush_entries(&mut self) -> Result<()> {
        if self.pending.inserts.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        let inserts = std::mem::take(&mut self.pending.inserts);
        let mut rest = &inserts[..];
        for rows in INSERT_ROWS {
            while let Some((chunk, others)) = rest.split_at_checked(rows) {
                rest = others;
                self.insert_entries(chunk).await?;
            }
        }
        Ok(())
    }

    async fn insert_entries(&mut self, rows: &[Insert]) -> Result<()> {
        let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
        let columns = "channel, seq, generation, id, expires_at, ends, bytes";
        // Only the number of rows varies; what they hold is bound.
        let mut insert = sqlx::query(AssertSqlSafe(format!("INSERT INTO entry ({columns}) VALUES {values}")));
        for Insert { channel, seq, generation, id, expires_at, ends, entry } in rows {
            insert = insert.bind(channel).bind(seq.cast_signed()).bind(generation).bind(&id.as_bytes()[..]);
            insert = insert.bind(millis(*expires_at)).bind(ends).bind(&entry[..]);
        }
        insert.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Writes the entries gathered so far, and the channels that changed.
    pub(super) async fn flush_channels(&mut self) -> Result<()> {
        self.flush_entries().await?;
        let row = |id: ChannelId| {
            let channel = self.memory.channels.by_id.get(&id)?;
            let Channel { key, generation, closed, next_seq, entries, bytes, day_last_used, .. } = channel;
            Some((*key, *generation, u8::from(*closed), *next_seq, *entries, *bytes, day_last_used.as_days()))
        };
        let changed: Vec<_> = std::mem::take(&mut self.pending.changed).into_iter().filter_map(row).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        let update = sqlx::query(
            "UPDATE channel SET generation = new.value ->> 1, closed = new.value ->> 2, next_seq = new.value ->> 3,
                entries = new.value ->> 4, bytes = new.value ->> 5, day_last_used = new.value ->> 6
             FROM json_each(?) AS new WHERE channel.key = new.value ->> 0",
        );
        let changed = serde_json::to_string(&changed).expect("numbers are JSON");
        update.bind(changed).execute(&mut *self.connection).await?;
        Ok(())
    }
}

fn channel(row: &SqliteRow) -> Result<(ChannelId, Channel)> {
    let channel = Channel {
        key: row.try_get(0)?,
        owner: array(row, 2)?.into(),
        generation: row.try_get(3)?,
        closed: row.try_get(4)?,
        next_seq: row.try_get::<i64, _>(5)?.cast_unsigned(),
        entries: row.try_get::<i64, _>(6)?.cast_unsigned(),
        bytes: row.try_get::<i64, _>(7)?.cast_unsigned(),
        day_last_used: Day::from_days(row.try_get(8)?),
        generations: BTreeMap::new(),
        used_in_batch: 0,
    };
    Ok((array(row, 1)?.into(), channel))
}

fn stored(row: &SqliteRow) -> Result<StoredEntry> {
    let entry: Vec<u8> = row.try_get(2)?;
    Ok(StoredEntry {
        seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
        id: array(row, 1)?.into(),
        entry: entry.into(),
        ends: row.try_get(3)?,
    })
}
