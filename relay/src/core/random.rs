//! A random day of the core: senders, readers that come and go and take each other's place, a store that is slow and fails.
//! What must hold is checked at each step, and at the end that nothing was lost.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sotto_outer::{Answer, EnvelopeId, ReceiveId, RelayFrame};

use super::{Conn, Input};
use crate::command::testing::{House, Owner, envelope_id};

const STEPS: usize = 4_000;
const OWNERS: u8 = 3;
const WINDOW: usize = 128;

/// What was asked, until it is answered.
enum Asked {
    Subscribe,
    Send(EnvelopeId),
    Ack(Vec<EnvelopeId>),
}

struct Day {
    seed: u64,
    house: House,
    rng: ChaCha20Rng,
    owners: Vec<Owner>,
    sender: Conn,
    /// What each reader was sent and has not seen acknowledged, in order.
    readers: BTreeMap<Conn, Vec<(ReceiveId, EnvelopeId)>>,
    asked: BTreeMap<u32, (Conn, Asked)>,
    /// Answered `done`.
    sent: BTreeSet<EnvelopeId>,
    /// Their ack was answered `done`.
    deleted: BTreeSet<EnvelopeId>,
    next_id: u16,
}

impl Day {
    fn new(seed: u64) -> Self {
        let (mut house, owners) = (House::new(), (1..=OWNERS).map(Owner::new).collect::<Vec<_>>());
        let sender = house.greeted();
        for owner in &owners {
            assert_eq!(house.ask(sender, owner.create()), Answer::Done);
        }
        Self {
            seed,
            house,
            rng: ChaCha20Rng::seed_from_u64(seed),
            owners,
            sender,
            readers: BTreeMap::new(),
            asked: BTreeMap::new(),
            sent: BTreeSet::new(),
            deleted: BTreeSet::new(),
            next_id: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    fn step(&mut self) {
        match self.below(100) {
            0..50 => self.send(),
            50..70 => self.acknowledge(),
            70..72 => self.connect(),
            72 => self.disconnect(),
            73 => {
                let fails = self.below(3) == 0;
                self.house.fail_storage(fails);
            }
            74 => self.house.handle(Input::Tick),
            _ => {
                let count = self.below(self.house.waiting() + 1);
                self.house.apply(count);
            }
        }
        self.hear();
    }

    fn send(&mut self) {
        let (owner, id) = (self.below(OWNERS.into()), envelope_id(self.next_id));
        self.next_id += 1;
        let request = self.house.request(self.sender, self.owners[owner].send(self.next_id - 1));
        self.asked.insert(request, (self.sender, Asked::Send(id)));
    }

    /// A new reader of some mailboxes, which others may be reading.
    fn connect(&mut self) {
        self.house.settle();
        self.hear();
        let conn = self.house.greeted();
        self.readers.insert(conn, vec![]);
        for owner in 0..usize::from(OWNERS) {
            if self.below(2) == 0 {
                let subscribe = self.owners[owner].subscribe(&self.house, conn, None, [1; 16]);
                let request = self.house.request(conn, subscribe);
                self.asked.insert(request, (conn, Asked::Subscribe));
            }
        }
    }

    fn disconnect(&mut self) {
        let Some(conn) = self.some_reader() else { return };
        // What it asked is done all the same, and counted.
        self.readers.remove(&conn);
        self.house.handle(Input::Closed(conn));
    }

    /// Some of what a reader was sent, in whatever order.
    fn acknowledge(&mut self) {
        let Some(conn) = self.some_reader() else { return };
        let owner = self.below(OWNERS.into());
        let mailbox = self.owners[owner].receive_id();
        let held = self.readers[&conn].iter().filter(|(of, _)| *of == mailbox).map(|(_, id)| *id);
        let mut ids: Vec<_> = held.collect();
        ids.retain(|_| self.rng.random_range(0..3) > 0);
        if ids.is_empty() {
            return;
        }
        let request = self.house.request(conn, self.owners[owner].ack(&ids));
        self.asked.insert(request, (conn, Asked::Ack(ids)));
    }

    fn some_reader(&mut self) -> Option<Conn> {
        let at = self.below(self.readers.len().max(1));
        self.readers.keys().nth(at).copied()
    }

    /// Takes what came, and checks it.
    fn hear(&mut self) {
        for (conn, frame) in self.house.take_sent() {
            match frame {
                RelayFrame::Answer { request, answer } => self.answered(request, &answer),
                RelayFrame::Deliver(deliver) => self.delivered(conn, deliver.mailbox, deliver.id),
                RelayFrame::CaughtUp { .. } | RelayFrame::Entry(_) => {}
            }
        }
    }

    fn answered(&mut self, request: u32, answer: &Answer) {
        let Some((conn, asked)) = self.asked.remove(&request) else { return };
        match asked {
            Asked::Send(id) if *answer == Answer::Done => drop(self.sent.insert(id)),
            Asked::Ack(ids) if *answer == Answer::Done => {
                if let Some(held) = self.readers.get_mut(&conn) {
                    held.retain(|(_, id)| !ids.contains(id));
                }
                self.deleted.extend(ids);
            }
            // Full, busy, denied to a reader whose place was taken: nothing happened.
            Asked::Send(_) | Asked::Ack(_) | Asked::Subscribe => {}
        }
    }

    fn delivered(&mut self, conn: Conn, mailbox: ReceiveId, id: EnvelopeId) {
        let seed = self.seed;
        // A closed connection may still be sent what was on its way.
        let Some(held) = self.readers.get_mut(&conn) else { return };
        assert!(
            self.sent.contains(&id),
            "SEED={seed:x}: delivered before it was answered, so perhaps before it was stored"
        );
        assert!(!self.deleted.contains(&id), "SEED={seed:x}: delivered after it was deleted");
        let before = held.iter().filter(|(of, _)| *of == mailbox).map(|(_, id)| *id).max();
        assert!(before.is_none_or(|before| before < id), "SEED={seed:x}: out of order, or twice on one connection");
        held.push((mailbox, id));
        // What was taken over by another reader counts there.
        let core = &self.house.core;
        let window = held.iter().filter(|(mailbox, _)| core.reads(conn, mailbox)).count();
        assert!(window <= WINDOW, "SEED={seed:x}: {window} envelopes without an ack");
    }

    /// Whatever was answered `done` and not deleted is still there, once, in order.
    fn end(mut self) {
        self.house.fail_storage(false);
        self.house.settle();
        self.hear();
        let expected: BTreeSet<_> = self.sent.difference(&self.deleted).copied().collect();
        let mut found = BTreeSet::new();
        for owner in 0..usize::from(OWNERS) {
            let conn = self.house.greeted();
            let subscribe = self.owners[owner].subscribe(&self.house, conn, None, [1; 16]);
            self.house.ask(conn, subscribe);
            loop {
                let ids = self.house.delivered(conn);
                if ids.is_empty() {
                    break;
                }
                found.extend(ids.iter().copied());
                assert_eq!(self.house.ask(conn, self.owners[owner].ack(&ids)), Answer::Done);
            }
        }
        let lost = expected.difference(&found).count();
        let back = found.difference(&expected).count();
        assert_eq!((lost, back), (0, 0), "SEED={:x}: lost, and come back", self.seed);
        assert!(found.len() > 50 && self.deleted.len() > 50, "SEED={:x}: a day with little in it", self.seed);
    }
}

#[test]
fn nothing_is_lost_or_out_of_order_on_a_random_day() {
    let seed = std::env::var("SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
    let seed = seed.unwrap_or_else(|| rand::rng().next_u64());
    eprintln!("SEED={seed:x}");
    let mut day = Day::new(seed);
    for _ in 0..STEPS {
        day.step();
    }
    day.end();
}
