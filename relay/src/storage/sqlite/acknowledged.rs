//! Ids acknowledged a short while ago: what was answered must not be stored again when it is repeated.
//!
//! In memory a keyed fingerprint stands for each, in one table without pointers. It is as large from the start as ten minutes
//! of 2,000 a second need, and takes memory where it is used; so a relay at work does not grow for its first ten minutes. In the
//! file each commit has one row with all of its ids.
//!
//! Two ids have one fingerprint of 96 bits with a chance of 2⁻⁷⁶ for an id among a million; nobody who does not know the
//! keys, which are drawn at each start, can choose two that do.

use std::hash::{BuildHasher, RandomState};

use sotto_outer::EnvelopeId;

use super::memory::{Key, millis, timestamp};
use crate::time::Timestamp;

/// Bytes of one pair of mailbox and envelope in a row of `acknowledged`.
const PAIR_BYTES: usize = 8 + EnvelopeId::LEN;
/// The table's size at the start; a power of two.
const SLOTS_MIN: usize = 1 << 21;
/// Parts into which a sweep of the table is divided: one for each look, of which there are twelve a minute.
const SWEEP_PARTS: usize = 12;

/// Ids acknowledged a short while ago.
pub(super) struct Acknowledged {
    recent: Table,
    keys: [RandomState; 2],
    uncommitted: Vec<(Key, EnvelopeId, Timestamp)>,
    /// When the oldest row of the file is to be deleted, if there is one.
    row_ends: Option<Timestamp>,
}

/// Fingerprints and the minutes at whose beginning they are forgotten: open addressing with linear probing.
struct Table {
    slots: Vec<Slot>,
    used: usize,
    /// Where the next sweep goes on.
    swept: usize,
}

/// A fingerprint, and minutes since 1970-01-01; minute 0 is an empty slot.
type Slot = [u32; 4];

type Fingerprint = [u32; 3];

const EMPTY: Slot = [0; 4];

impl Default for Acknowledged {
    fn default() -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        Self { recent: Table::new(SLOTS_MIN), keys, uncommitted: vec![], row_ends: None }
    }
}

impl Acknowledged {
    pub(super) fn remembers(&self, key: Key, id: &EnvelopeId, now: Timestamp) -> bool {
        self.recent.get(self.fingerprint(key, id)).is_some_and(|minute| minute > whole_minutes(now))
    }

    /// Remembers an id until `forget_at`, or a little longer: until a minute is full.
    pub(super) fn add(&mut self, key: Key, id: EnvelopeId, forget_at: Timestamp) {
        self.recent.insert(self.fingerprint(key, &id), whole_minutes(forget_at.up_to_minute()));
        self.uncommitted.push((key, id, forget_at));
    }

    /// The row to store with this batch, if it acknowledged anything.
    pub(super) fn row(&self) -> Option<(i64, Vec<u8>)> {
        let mut ids = Vec::with_capacity(self.uncommitted.len() * PAIR_BYTES);
        for (key, id, _) in &self.uncommitted {
            ids.extend_from_slice(&key.to_be_bytes());
            ids.extend_from_slice(id.as_bytes());
        }
        Some((millis(self.uncommitted_until()?), ids))
    }

    /// The row is stored.
    pub(super) fn committed(&mut self) {
        self.row_ends = self.row_ends.or(self.uncommitted_until());
        self.uncommitted.clear();
    }

    /// The row is not stored.
    pub(super) fn forget_uncommitted(&mut self) {
        for (key, id, _) in std::mem::take(&mut self.uncommitted) {
            self.recent.remove(self.fingerprint(key, &id));
        }
    }

    /// Takes a stored row in.
    pub(super) fn load(&mut self, forget_at: i64, ids: &[u8]) {
        let forget_at = timestamp(forget_at);
        let (pairs, _) = ids.as_chunks::<PAIR_BYTES>();
        for pair in pairs {
            if let Some((key, id)) = pair.split_first_chunk::<8>()
                && let Ok(id) = EnvelopeId::try_from(id)
            {
                let fingerprint = self.fingerprint(Key::from_be_bytes(*key), &id);
                self.recent.insert(fingerprint, whole_minutes(forget_at.up_to_minute()));
            }
        }
        self.row_ends = Some(self.row_ends.map_or(forget_at, |ends| ends.min(forget_at)));
    }

    /// Forgets part of what is to be forgotten by now; true if rows of the file are to be deleted, which ended up to a minute
    /// ago.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        self.recent.sweep(whole_minutes(now));
        let is_due = self.row_ends.is_some_and(|ends| ends <= now);
        if is_due {
            // Whatever is left then ends later than now; a minute is soon enough.
            self.row_ends = Some(now.plus_secs(60));
        }
        is_due
    }

    fn uncommitted_until(&self) -> Option<Timestamp> {
        self.uncommitted.iter().map(|(_, _, forget_at)| forget_at.up_to_minute()).max()
    }

    fn fingerprint(&self, key: Key, id: &EnvelopeId) -> Fingerprint {
        let [first, second] = [0, 1].map(|which| self.keys[which].hash_one((key, id.as_bytes())));
        [first as u32, (first >> 32) as u32, second as u32]
    }
}

/// Minutes since 1970-01-01 that are over.
fn whole_minutes(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis() / 60_000).unwrap_or(u32::MAX)
}

impl Table {
    fn new(slots: usize) -> Self {
        Self { slots: vec![EMPTY; slots], used: 0, swept: 0 }
    }

    fn home(&self, fingerprint: Fingerprint) -> usize {
        fingerprint[0] as usize & (self.slots.len() - 1)
    }

    /// Where it is, or the empty slot where it would be. There always is one.
    fn find(&self, [first, second, third]: Fingerprint) -> usize {
        let mut at = self.home([first, second, third]);
        loop {
            match self.slots[at] {
                EMPTY => return at,
                [a, b, c, _] if [a, b, c] == [first, second, third] => return at,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// The minute at whose beginning it is forgotten.
    fn get(&self, fingerprint: Fingerprint) -> Option<u32> {
        let [.., minute] = self.slots[self.find(fingerprint)];
        (minute != 0).then_some(minute)
    }

    fn insert(&mut self, fingerprint: Fingerprint, minute: u32) {
        if self.used >= self.slots.len() / 4 * 3 {
            self.resize(self.slots.len() * 2);
        }
        let (at, [first, second, third]) = (self.find(fingerprint), fingerprint);
        self.used += usize::from(self.slots[at] == EMPTY);
        self.slots[at] = [first, second, third, minute.max(1)];
    }

    fn remove(&mut self, fingerprint: Fingerprint) {
        let at = self.find(fingerprint);
        if self.slots[at] != EMPTY {
            self.clear(at);
        }
    }

    /// Empties a slot, and moves into it what was put further only because it was taken.
    fn clear(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let [first, second, third, minute] = self.slots[at];
            if minute == 0 {
                break;
            }
            let home = self.home([first, second, third]);
            // From its home to where it is, all are taken: the hole may have it if it lies between.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
        self.used -= 1;
    }

    /// Empties the slots of one part of the table that end by this minute.
    fn sweep(&mut self, minute: u32) {
        if self.used == 0 {
            return;
        }
        let end = (self.swept + self.slots.len() / SWEEP_PARTS + 1).min(self.slots.len());
        for at in self.swept..end {
            // Another one may move in.
            while self.slots[at] != EMPTY && self.slots[at][3] <= minute {
                self.clear(at);
            }
        }
        self.swept = end % self.slots.len();
        if self.slots.len() > SLOTS_MIN && self.used < self.slots.len() / 8 {
            self.resize(self.slots.len() / 2);
        }
    }

    fn resize(&mut self, slots: usize) {
        let before = std::mem::replace(self, Self::new(slots));
        for [first, second, third, minute] in before.slots {
            if minute != 0 {
                self.insert([first, second, third], minute);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_table_knows_what_a_map_knows() {
        let seed = std::env::var("SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
        let seed = seed.unwrap_or_else(rand::random);
        eprintln!("SEED={seed:x}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (mut table, mut map) = (Table::new(64), BTreeMap::new());
        for _ in 0..200_000 {
            // Few homes, so that chains are long and go over the table's end.
            let fingerprint = [rng.random_range(0..24) + 50, rng.random_range(0..3), 0];
            match rng.random_range(0..10) {
                0..5 => {
                    let minute = rng.random_range(1..100);
                    table.insert(fingerprint, minute);
                    map.insert(fingerprint, minute);
                }
                5..8 => {
                    table.remove(fingerprint);
                    map.remove(&fingerprint);
                }
                8 => assert_eq!(table.get(fingerprint), map.get(&fingerprint).copied()),
                _ => {
                    let minute = rng.random_range(0..60);
                    for _ in 0..=SWEEP_PARTS {
                        table.sweep(minute);
                    }
                    // What moved behind the sweep over the table's end may be left.
                    map.retain(|fingerprint, ends| *ends > minute || table.get(*fingerprint).is_some());
                }
            }
            assert_eq!(table.used, map.len());
        }
        for (fingerprint, minute) in map {
            assert_eq!(table.get(fingerprint), Some(minute));
        }
    }

    #[test]
    fn it_grows_when_it_fills_and_forgets_nothing() {
        let mut table = Table::new(8);
        let fingerprint = |number: u32| [number.wrapping_mul(0x9e37_79b9), number, 7];
        for number in 0..10_000 {
            table.insert(fingerprint(number), number + 1);
        }
        assert_eq!((table.used, table.slots.len()), (10_000, 16_384));
        for number in 0..10_000 {
            assert_eq!(table.get(fingerprint(number)), Some(number + 1));
        }
    }

    #[test]
    fn an_id_is_remembered_to_the_end_of_a_minute_and_its_row_goes_soon_after() {
        let at = Timestamp::from_millis;
        let (mut acknowledged, id) = (Acknowledged::default(), EnvelopeId::from([1; 16]));
        acknowledged.add(7, id, at(600_001));
        let (forget_at, ids) = acknowledged.row().unwrap();
        acknowledged.committed();
        assert_eq!((forget_at, acknowledged.row()), (660_000, None));
        assert!(acknowledged.remembers(7, &id, at(659_999)) && !acknowledged.remembers(7, &id, at(660_000)));
        assert!(!acknowledged.remembers(8, &id, at(0)), "of another mailbox");
        assert!(!acknowledged.expire(at(659_999)) && acknowledged.expire(at(660_000)));

        let mut again = Acknowledged::default();
        again.load(forget_at, &ids);
        assert!(again.remembers(7, &id, at(659_999)) && !again.remembers(7, &id, at(660_000)));
    }

    #[test]
    fn what_was_not_stored_is_not_remembered() {
        let (mut acknowledged, now) = (Acknowledged::default(), Timestamp::from_millis(0));
        for fill in 0..9 {
            acknowledged.add(7, [fill; 16].into(), now.plus_secs(600));
        }
        acknowledged.forget_uncommitted();
        assert!((0..9).all(|fill| !acknowledged.remembers(7, &[fill; 16].into(), now)));
        assert_eq!((acknowledged.recent.used, acknowledged.row()), (0, None));
    }
}
