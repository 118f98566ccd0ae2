//! Two who keep to the protocol, over a network that an input plays: it loses, delays, reorders, repeats, turns round and
//! damages packets; time passes, states are put away and taken up.
//!
//! What must hold: a packet opens at most once, to what was sealed in it and at whom it was meant for; nobody's Braid breaks, and both sides reach the same epochs; as long as no bound of the chapter is passed,
//! every packet opens, however late; and after all of it the two can still talk.

use std::collections::BTreeMap;

use sotto_crypto::{OpenError, SealError};
use sotto_inner::limits::{SKIPPED_CHAINS_MAX, SKIPPED_KEY_SECS, SKIPPED_KEYS_MAX, UNRECEIPTED_PACKETS_MAX};

use super::{
    Script,
    cast::{NOW, cast},
    party::Party,
};

/// Packets sealed and opened in one story: what bounds its time.
const WORK_MAX: usize = 1_000;
/// How long skipped keys are kept at the least, in seconds: a run spans up to a day.
const KEPT_SECS_MIN: u64 = SKIPPED_KEY_SECS - 86_400;

/// Plays one input.
///
/// # Panics
/// If anything does not hold.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(turns) = script.byte() else { return };
    let mut story = Story::new(turns);
    while story.work < WORK_MAX && story.step(&mut script).is_some() {}
    story.end();
}

/// Whose doing something is: 0 is Alice, who began, 1 is Bob.
type Side = usize;

/// A packet and what became of it.
struct Sent {
    packet: Vec<u8>,
    content: Vec<u8>,
    /// Its index among all that its sender sealed.
    index: u64,
    /// The sending chain and the epoch it was sealed under.
    place: [u32; 2],
    opened: bool,
}

/// What one side has sent.
#[derive(Default)]
struct Way {
    sent: Vec<Sent>,
    ephemeral: Vec<(Vec<u8>, Vec<u8>)>,
    /// Of what has not been opened: how many packets of each sending chain, and of each epoch.
    missing: [BTreeMap<u32, u32>; 2],
    /// The newest chain and epoch.
    newest: [u32; 2],
    /// The header key of the newest chain, by which chains are told apart.
    header_key: Option<[u8; 32]>,
    /// Whether more is missing than a receiver keeps: then late packets may be refused.
    bounds_passed: bool,
    /// The newest that the other side has opened.
    receipted: u64,
}

struct Story {
    parties: [Party; 2],
    ways: [Way; 2],
    now: u64,
    work: usize,
}

impl Story {
    /// Of two who have talked for some turns, and lost nothing.
    fn new(turns: u8) -> Self {
        let (alice, bob) = cast().sessions_after(turns);
        let parties = [Party::new(alice, 0x1a), Party::new(bob, 0x1b)];
        let ways = parties.each_ref().map(|party| Way { receipted: party.session.sealed(), ..Way::default() });
        Self { parties, ways, now: NOW, work: 0 }
    }

    /// One thing happens; `None` when the script is at its end.
    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let (what, argument) = (script.byte()?, script.byte()?);
        let side = Side::from(what & 1);
        let way = &self.ways[side];
        let pick = usize::from(argument);
        match what >> 1 & 15 {
            0 | 1 => drop(self.seal(side, pick % 40)),
            2 => drop(self.seal(side, pick * 80)),
            3 => self.deliver(side, way.sent.iter().position(|sent| !sent.opened)),
            4 => self.deliver(side, nth(way, pick, |sent| !sent.opened)),
            5 => self.deliver(side, way.sent.iter().rposition(|sent| !sent.opened)),
            6 => self.deliver(side, nth(way, pick, |sent| sent.opened)),
            7 => self.damage(side, pick, script.short()?),
            8 => self.cut(side, pick, script.short()?),
            9 => self.parties[side].store(),
            10 => self.seal_ephemeral(side, pick),
            11 => self.deliver_ephemeral(side, pick),
            12 => self.pass(u64::from(argument) * 3_600 * 4),
            13 => self.receipt(side),
            14 => self.turn_round(side, pick),
            _ if argument < 192 => self.talk(pick / 4),
            _ => self.lose(side, (pick - 192) * 12),
        }
        Some(())
    }

    fn seal(&mut self, side: Side, length: usize) -> Result<(), SealError> {
        self.work += 1;
        let index = self.parties[side].session.sealed() + 1;
        let content: Vec<u8> = index.to_be_bytes().iter().copied().cycle().take(length).collect();
        let packet = self.parties[side].seal(&content)?;
        let stored = self.parties[side].stored();
        let way = &mut self.ways[side];
        let header_key = stored.sending.map(|sending| sending.header_key);
        way.newest[0] += u32::from(way.header_key != header_key);
        way.newest[1] = stored.epoch.epoch;
        way.header_key = header_key;
        way.sent.push(Sent { packet, content, index, place: way.newest, opened: false });
        way.count();
        Ok(())
    }

    fn deliver(&mut self, from: Side, which: Option<usize>) {
        let Some(which) = which else { return };
        self.work += 1;
        let (way, to) = (&mut self.ways[from], &mut self.parties[1 - from]);
        let must_open = !way.bounds_passed && self.now < NOW + KEPT_SECS_MIN;
        let sent = &mut way.sent[which];
        match to.open(&sent.packet, self.now) {
            Ok(came) => {
                assert!(!sent.opened, "a packet opens once");
                assert!(!came.ephemeral && came.content == sent.content, "it holds what was sealed");
                assert!(!came.broke, "who keeps to the protocol breaks no Braid");
                sent.opened = true;
                way.receipted = way.receipted.max(sent.index);
                way.forget(which);
                if self.work.is_multiple_of(16) {
                    self.agree();
                }
            }
            Err(OpenError::Replayed | OpenError::NotOurs) if sent.opened || !must_open => {}
            Err(error) => panic!("{error:?} of a packet, opened before: {}", sent.opened),
        }
    }

    /// A packet with one bit changed.
    fn damage(&mut self, from: Side, pick: usize, bit: u16) {
        let Some(which) = nth(&self.ways[from], pick, |_| true) else { return };
        let mut packet = self.ways[from].sent[which].packet.clone();
        let at = usize::from(bit / 8) % packet.len();
        packet[at] ^= 1 << (bit % 8);
        self.refuse(1 - from, &packet);
    }

    /// A packet of another length.
    fn cut(&mut self, from: Side, pick: usize, length: u16) {
        let Some(which) = nth(&self.ways[from], pick, |_| true) else { return };
        let mut packet = self.ways[from].sent[which].packet.clone();
        match usize::from(length) % (packet.len() + 16) {
            length if length == packet.len() => return,
            length => packet.resize(length, 0),
        }
        self.refuse(1 - from, &packet);
    }

    /// A sender gets their own packet.
    fn turn_round(&mut self, from: Side, pick: usize) {
        let Some(which) = nth(&self.ways[from], pick, |_| true) else { return };
        let packet = self.ways[from].sent[which].packet.clone();
        self.refuse(from, &packet);
    }

    fn refuse(&mut self, at: Side, packet: &[u8]) {
        self.work += 1;
        self.parties[at].open(packet, self.now).expect_err("what nobody sealed for this side");
    }

    fn seal_ephemeral(&mut self, side: Side, length: usize) {
        self.work += 1;
        let content = vec![7; length];
        if let Ok(packet) = self.parties[side].seal_ephemeral(&content) {
            self.ways[side].ephemeral.push((packet, content));
        }
    }

    fn deliver_ephemeral(&mut self, from: Side, pick: usize) {
        self.work += 1;
        let ephemeral = &self.ways[from].ephemeral;
        let Some((packet, content)) = ephemeral.get(pick % ephemeral.len().max(1)) else { return };
        match self.parties[1 - from].open(packet, self.now) {
            Ok(came) => assert!(came.ephemeral && came.content == *content),
            Err(OpenError::EphemeralOutOfStep | OpenError::NotOurs) => {}
            Err(error) => panic!("{error:?} of an ephemeral packet"),
        }
    }

    fn pass(&mut self, secs: u64) {
        self.now += secs;
        for party in &mut self.parties {
            party.expire(self.now);
        }
    }

    /// A side learns what the other one has of theirs.
    fn receipt(&mut self, side: Side) {
        let receipted = self.ways[side].receipted;
        self.parties[side].session = self.parties[side].session.receipted(receipted);
    }

    /// Turns of one packet each, none of them lost.
    fn talk(&mut self, turns: usize) {
        for _ in 0..turns {
            for side in [0, 1] {
                if self.seal(side, 3).is_ok() {
                    self.deliver(side, Some(self.ways[side].sent.len() - 1));
                }
                self.receipt(1 - side);
            }
        }
    }

    /// Packets that do not come for now.
    fn lose(&mut self, side: Side, count: usize) {
        for _ in 0..count {
            if self.seal(side, 3).is_err() {
                return;
            }
        }
    }

    /// Both are in the same epoch or in two that meet, and of an epoch that both know they know the same.
    fn agree(&self) {
        let [alice, bob] = [0, 1].map(|side: Side| self.parties[side].stored());
        let [one, other] = [&alice, &bob].map(|stored| stored.braid.expect("no Braid is broken").epoch);
        assert!(one.abs_diff(other) <= 1, "epochs {one} and {other}");
        assert!(alice.newest().abs_diff(bob.newest()) <= 1, "nobody is two secrets ahead");
        if alice.newest() == bob.newest() {
            assert_eq!(alice.root, bob.root, "both have the same secrets");
        }
    }

    /// Whether as many packets are under way as may be.
    fn is_full(&self, side: Side) -> bool {
        self.parties[side].session.sealed() - self.ways[side].receipted >= UNRECEIPTED_PACKETS_MAX
    }

    /// After all of it, what Alice seals opens, and then what Bob seals.
    fn end(&mut self) {
        for side in [0, 1, 0, 1] {
            self.receipt(side);
            match self.seal(side, 3) {
                Ok(()) => {}
                Err(SealError::WindowFull) if self.is_full(side) => continue,
                Err(SealError::NotBegun) if side == 1 && self.ways[0].receipted == 0 => continue,
                Err(error) => panic!("{error:?} at the end"),
            }
            let way = &mut self.ways[side];
            let last = way.sent.len() - 1;
            let opened = self.parties[1 - side].open(&way.sent[last].packet, self.now);
            assert_eq!(opened.expect("the two can still talk").content, way.sent[last].content);
            way.receipted = way.sent[last].index;
            way.sent[last].opened = true;
            way.forget(last);
            self.agree();
        }
    }
}

impl Way {
    /// Takes note of a packet that was sealed.
    fn count(&mut self) {
        for (missing, newest) in self.missing.iter_mut().zip(self.newest) {
            *missing.entry(newest).or_default() += 1;
            let ended = missing.keys().filter(|place| **place < newest).count();
            self.bounds_passed |= ended > SKIPPED_CHAINS_MAX || missing.values().sum::<u32>() > SKIPPED_KEYS_MAX;
        }
    }

    /// Takes note of a packet that was opened.
    fn forget(&mut self, which: usize) {
        for (missing, place) in self.missing.iter_mut().zip(self.sent[which].place) {
            let left = missing.get_mut(&place).expect("it was counted");
            *left -= 1;
            if *left == 0 {
                missing.remove(&place);
            }
        }
    }
}

/// One of the packets of which something is true.
fn nth(way: &Way, pick: usize, is: impl Fn(&Sent) -> bool) -> Option<usize> {
    let which: Vec<usize> = (0..way.sent.len()).filter(|which| is(&way.sent[*which])).collect();
    which.get(pick % which.len().max(1)).copied()
}
