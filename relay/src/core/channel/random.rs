//! A random day of a channel: writers that end generations at the same time, readers that come, confirm, go and walk forward, a
//! relay that dies, a store that is slow and fails. At the end everybody has read the same log without a gap.

use std::collections::BTreeMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sotto_outer::{Answer, Command, EntryId, RelayFrame};

use crate::{
    command::testing::{House, Log},
    core::{Conn, Input},
};

const STEPS: usize = 6_000;
const WRITERS: usize = 3;
const MEMBERS: usize = 6;

/// What was asked, until it is answered.
#[derive(Clone, Copy)]
enum Asked {
    Write { id: u16, generation: u32, ends: bool },
    Subscribe { member: usize, conn: Conn },
    Read { member: usize, conn: Conn },
}

/// One who reads, and remembers over all connections what was read.
#[derive(Default)]
struct Member {
    conn: Option<Conn>,
    listens: bool,
    asks: bool,
    generation: u32,
    confirmed: u64,
    /// The one who was removed has no other capability than the first.
    removed: bool,
    seen: Vec<(u64, EntryId)>,
}

struct Day {
    seed: u64,
    house: House,
    rng: ChaCha20Rng,
    log: Log,
    writers: Vec<Conn>,
    members: Vec<Member>,
    asked: BTreeMap<u32, Asked>,
    /// Writes that were not answered, or not done: they are tried again under their ids.
    again: Vec<Asked>,
    stored: BTreeMap<u64, u16>,
    /// What ended each generation.
    ended: BTreeMap<u32, u64>,
    next_id: u16,
}

impl Member {
    fn last(&self) -> u64 {
        self.seen.last().map_or(0, |(seq, _)| *seq)
    }
}

impl Day {
    fn new(seed: u64) -> Self {
        let (mut house, log) = (House::new(), Log::new(1));
        let writers: Vec<_> = (0..WRITERS).map(|_| house.greeted()).collect();
        assert_eq!(house.ask(writers[0], Command::CreateChannel(log.create())), Answer::Done);
        let members = (0..MEMBERS).map(|number| Member { removed: number == 0, ..Member::default() }).collect();
        Self {
            seed,
            house,
            rng: ChaCha20Rng::seed_from_u64(seed),
            log,
            writers,
            members,
            asked: BTreeMap::new(),
            again: vec![],
            stored: BTreeMap::new(),
            ended: BTreeMap::new(),
            next_id: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    fn step(&mut self) {
        match self.below(100) {
            0..35 => self.write(),
            35..65 => {
                let member = self.below(MEMBERS);
                self.act(member);
            }
            65 if self.below(4) == 0 => self.crash(),
            66..68 => {
                let fails = self.below(3) == 0;
                self.house.fail_storage(fails);
            }
            68 => self.house.handle(Input::Tick),
            _ => {
                let count = self.below(self.house.waiting() + 1);
                self.house.apply(count);
            }
        }
        self.hear();
    }

    /// Something new in the generation that the writer takes for the current one, or something that was not answered.
    fn write(&mut self) {
        let write = match self.again.pop() {
            Some(write) if self.below(2) == 0 => write,
            unanswered => {
                self.again.extend(unanswered);
                self.next_id += 1;
                let current = self.ended.len() as u32;
                let generation = if self.below(10) == 0 { current.saturating_sub(1) } else { current };
                Asked::Write { id: self.next_id, generation, ends: self.below(25) == 0 }
            }
        };
        let Asked::Write { id, generation, ends } = write else { return };
        let conn = self.writers[self.rng.random_range(0..WRITERS)];
        let command = if ends {
            self.log.advance(&self.house, generation, id)
        } else {
            self.log.append(&self.house, generation, id)
        };
        let request = self.house.request(conn, command);
        self.asked.insert(request, write);
    }

    fn act(&mut self, number: usize) {
        let chance = self.below(12);
        let member = &mut self.members[number];
        let Some(conn) = member.conn else {
            member.conn = Some(self.house.greeted());
            return;
        };
        if chance == 0 {
            (member.conn, member.listens, member.asks) = (None, false, false);
            return self.house.handle(Input::Closed(conn));
        }
        if member.asks || member.removed && member.generation > 0 {
            return;
        }
        let (generation, last) = (member.generation, member.last());
        if member.listens {
            // It confirms some of what came.
            member.confirmed = self.rng.random_range(member.confirmed..=last);
            let confirm = self.log.subscribe(generation, member.confirmed);
            self.house.request(conn, confirm);
            return;
        }
        member.asks = true;
        member.confirmed = last;
        let (command, asked) = if chance < 4 {
            let read = self.log.read(generation, last, 1 + chance as u32 * 20);
            (Command::ReadChannel(read), Asked::Read { member: number, conn })
        } else {
            (self.log.subscribe(generation, last), Asked::Subscribe { member: number, conn })
        };
        let request = self.house.request(conn, command);
        self.asked.insert(request, asked);
    }

    /// The relay's memory is gone, and what was not committed.
    fn crash(&mut self) {
        self.house.crash();
        let lost = std::mem::take(&mut self.asked).into_values();
        self.again.extend(lost.filter(|asked| matches!(asked, Asked::Write { .. })));
        self.writers = (0..WRITERS).map(|_| self.house.greeted()).collect();
        for member in &mut self.members {
            (member.conn, member.listens, member.asks) = (None, false, false);
        }
    }

    fn hear(&mut self) {
        for (conn, frame) in self.house.take_sent() {
            match frame {
                RelayFrame::Answer { request, answer } => self.answered(request, answer),
                RelayFrame::Entry(entry) => {
                    let Some(number) = self.members.iter().position(|member| member.conn == Some(conn)) else {
                        continue;
                    };
                    let member = &self.members[number];
                    if entry.generation < member.generation {
                        // A confirmation crossed the entry that ended it, and so asked for it anew.
                        assert!(
                            member.seen.contains(&(entry.seq, entry.id)),
                            "SEED={:x}: news of what is over",
                            self.seed
                        );
                        continue;
                    }
                    assert_eq!(entry.generation, member.generation, "SEED={:x}", self.seed);
                    self.saw(number, entry.seq, entry.id, entry.ends);
                }
                RelayFrame::Deliver(_) | RelayFrame::CaughtUp { .. } => {}
            }
        }
    }

    fn answered(&mut self, request: u32, answer: Answer) {
        let Some(asked) = self.asked.remove(&request) else { return };
        match asked {
            Asked::Write { id, generation, ends } => self.written(asked, id, generation, ends, &answer),
            Asked::Subscribe { member, conn } if self.members[member].conn == Some(conn) => {
                let member = &mut self.members[member];
                member.asks = false;
                match answer {
                    Answer::Done => member.listens = true,
                    Answer::Busy { .. } => {}
                    other => panic!("SEED={:x}: {other:?} to a subscriber", self.seed),
                }
            }
            Asked::Read { member: number, conn } if self.members[number].conn == Some(conn) => {
                self.members[number].asks = false;
                let Answer::Entries(entries) = answer else {
                    return assert!(matches!(answer, Answer::Busy { .. }), "SEED={:x}", self.seed);
                };
                let count = entries.entries.len();
                for (at, entry) in entries.entries.into_iter().enumerate() {
                    let ends = entries.ended && !entries.more && at + 1 == count;
                    self.saw(number, entry.seq, entry.id, ends);
                }
            }
            Asked::Subscribe { .. } | Asked::Read { .. } => {}
        }
    }

    fn written(&mut self, write: Asked, id: u16, generation: u32, ends: bool, answer: &Answer) {
        let seed = self.seed;
        match *answer {
            Answer::Appended { seq } => {
                let first = *self.stored.entry(seq).or_insert(id);
                assert_eq!(first, id, "SEED={seed:x}: two entries of one number");
                if ends {
                    let winner = *self.ended.entry(generation).or_insert(seq);
                    assert_eq!(winner, seq, "SEED={seed:x}: two ended one generation");
                }
            }
            Answer::Stale { generation: current } => assert!(current > generation, "SEED={seed:x}"),
            Answer::Busy { .. } => self.again.push(write),
            // A generation that is not known to have begun yet.
            ref other => panic!("SEED={seed:x}: {other:?} to a writer"),
        }
    }

    fn saw(&mut self, number: usize, seq: u64, id: EntryId, ends: bool) {
        let member = &mut self.members[number];
        assert_eq!(seq, member.last() + 1, "SEED={:x}: a gap, or out of order", self.seed);
        member.seen.push((seq, id));
        if ends {
            member.generation += 1;
            member.listens = false;
        }
    }

    /// Everybody reads to the end; then all have the same, and it is what was stored.
    fn end(mut self) {
        self.house.fail_storage(false);
        for _ in 0..2_000 {
            if !self.again.is_empty() {
                self.write();
            }
            for number in 0..MEMBERS {
                self.act(number);
            }
            self.house.settle();
            self.hear();
        }
        let seed = self.seed;
        let all = self.members[1].seen.clone();
        assert!(all.len() > 300 && self.ended.len() > 10, "SEED={seed:x}: a day with little in it");
        for (seq, id) in &self.stored {
            assert!(all.contains(&(*seq, crate::command::testing::entry_id(*id))), "SEED={seed:x}: {seq} is lost");
        }
        for member in &self.members {
            let expected = if member.removed { self.ended[&0] as usize } else { all.len() };
            assert!(member.seen[..] == all[..expected], "SEED={seed:x}: one has read another log");
        }
    }
}

#[test]
fn readers_see_their_generations_whole_on_a_random_day() {
    let seed = std::env::var("SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
    let seed = seed.unwrap_or_else(|| rand::rng().next_u64());
    eprintln!("SEED={seed:x}");
    let mut day = Day::new(seed);
    for _ in 0..STEPS {
        day.step();
    }
    day.end();
}
