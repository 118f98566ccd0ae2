//! One who keeps to the protocol, and Mallory, who has the keys of an honest peer of theirs and seals whatever the input says:
//! headers with any field changed, bodies with any padding, keys and ciphertexts that do not fit what was promised.
//!
//! What must hold at the one who keeps to it: a packet opens at most once; whatever opens leaves a state that survives its encoding, under all bounds; a broken Braid is said and seals nothing any more.

use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::Sha256;
use sha3::{Digest, Sha3_256};
use sotto_crypto::{NoSkippedKeys, Padding, SealError, Session};
use sotto_inner::labels;

use super::{
    Script,
    cast::{NOW, cast},
    forge::{Forge, Header},
    party::Party,
    stored::Stored,
};

/// Packets in one story: what bounds its time.
const WORK_MAX: usize = 600;
/// Bytes of a chunk, and of a header of the Braid with its tag.
const CHUNK_BYTES: usize = 96;
/// Bytes of the vector of an encapsulation key.
const VECTOR_BYTES: usize = 1_152;
/// The number of the Braid's state that has a key pair and has sent its header alone.
const KEYS_SAMPLED: u8 = 1;
/// Steps by which a counter of the header is changed.
const STEPS: [u32; 16] = [
    0,
    1,
    2,
    3,
    7,
    100,
    1_999,
    2_000,
    2_001,
    0x8000_0000,
    u32::MAX,
    u32::MAX - 1,
    u32::MAX - 2,
    u32::MAX - 6,
    u32::MAX - 1_999,
    u32::MAX - 2_000,
];

/// Plays one input.
///
/// # Panics
/// If anything does not hold.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(beginning) = script.byte() else { return };
    let mut story = Story::new(beginning & 1 == 0, beginning >> 1);
    while story.work < WORK_MAX && story.step(&mut script).is_some() {}
}

/// Seals what they like.
struct Mallory {
    session: Session,
    forge: Forge,
    rng: ChaCha20Rng,
    /// The last few chunks that went out, by whoever.
    chunks: Vec<[u8; CHUNK_BYTES]>,
}

struct Story {
    mallory: Mallory,
    victim: Party,
    /// The last packet that the victim opened.
    opened: Option<Vec<u8>>,
    now: u64,
    work: usize,
}

impl Story {
    /// Of two who have kept to the protocol for some turns; Mallory is Alice or Bob.
    fn new(is_alice: bool, turns: u8) -> Self {
        let (alice, bob) = cast().sessions_after(turns);
        let (mallory, victim) = if is_alice { (alice, bob) } else { (bob, alice) };
        let victim = Party::new(victim, 0x1b);
        let rng = ChaCha20Rng::seed_from_u64(0x1a);
        let mut forge = Forge::default();
        forge.learn(&Stored::of(&mallory));
        let mallory = Mallory { session: mallory, forge, rng, chunks: vec![[0; CHUNK_BYTES]] };
        let mut story = Self { mallory, victim, opened: None, now: NOW, work: 0 };
        story.answer();
        story
    }

    /// One thing happens; `None` when the script is at its end.
    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let (what, argument) = (script.byte()?, script.byte()?);
        match what % 10 {
            0 => self.talk(argument / 4),
            1 => self.lose(argument),
            2 => self.answer(),
            3 | 4 => self.forged(script, argument, true),
            5 | 6 => self.forged(script, argument, false),
            7 => self.mallory.offer(argument, script),
            8 => self.mallory.damage(script.short()?, argument),
            _ => {
                self.now += u64::from(argument) * 14_400;
                self.victim.expire(self.now);
            }
        }
        Some(())
    }

    /// Turns in which Mallory keeps to the protocol.
    fn talk(&mut self, turns: u8) {
        for _ in 0..turns {
            if let Some(packet) = self.mallory.seal(b"well") {
                self.deliver(&packet);
            }
            self.answer();
        }
    }

    /// Packets of Mallory's that nobody gets.
    fn lose(&mut self, count: u8) {
        for _ in 0..count {
            self.work += 1;
            self.mallory.seal(b"lost");
        }
    }

    /// The victim seals, and Mallory reads it.
    fn answer(&mut self) {
        self.work += 1;
        self.victim.session = self.victim.session.receipted(u64::MAX);
        match self.victim.seal(b"answer") {
            Ok(packet) => self.mallory.open(&packet, self.now),
            Err(SealError::Broken) => assert!(self.victim.session.is_broken()),
            Err(SealError::NotBegun | SealError::WindowFull) => {}
            Err(SealError::TooLong) => unreachable!("six bytes"),
        }
        if self.work.is_multiple_of(8) {
            self.victim.check();
        }
    }

    /// A packet with changes of the header, instead of an honest one or after it.
    fn forged(&mut self, script: &mut Script<'_>, changes: u8, instead: bool) {
        let session = Session::decode(&self.mallory.session.encode()).expect("a state that was encoded");
        let Some(honest) = self.mallory.seal(b"well") else { return };
        let Some(mut header) = self.mallory.forge.header(&honest) else { return };
        if instead {
            // The chain stands where it stood: the forgery has the number of a packet that nobody sealed.
            self.mallory.session = session;
        } else {
            self.deliver(&honest);
        }
        for _ in 0..changes % 5 {
            self.mallory.change(&mut header, script);
        }
        let mut nonce = [0; 12];
        self.mallory.rng.fill_bytes(&mut nonce);
        let padded: &[u8] = if changes < 200 { b"well\x80\0\0" } else { script.bytes(usize::from(changes - 200)) };
        if let Some(packet) = self.mallory.forge.seal(&header, nonce, padded) {
            self.deliver(&packet);
        }
    }

    fn deliver(&mut self, packet: &[u8]) {
        self.work += 1;
        let was_broken = self.victim.session.is_broken();
        if let Ok(came) = self.victim.open(packet, self.now) {
            assert_eq!(self.victim.session.is_broken(), was_broken || came.broke, "a broken Braid is said");
            assert!(!came.broke || !came.ephemeral, "what is beside the chain has no Braid");
            assert!(came.content.len() < packet.len());
            if !came.ephemeral {
                self.opened = Some(packet.to_vec());
            }
        }
        if let Some(opened) = self.opened.as_ref().filter(|_| self.work.is_multiple_of(8)) {
            self.victim.open(opened, self.now).expect_err("a packet opens once, whatever came since");
        }
    }
}

impl Mallory {
    fn seal(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        let session = self.session.receipted(u64::MAX);
        let (session, _, packet) = session.seal(&mut self.rng, content, Padding::Bucket).ok()?.into_parts();
        self.session = session;
        self.forge.learn(&Stored::of(&self.session));
        if let Some(chunk) = self.forge.header(&packet).and_then(|header| header.last_chunk().copied()) {
            self.chunks.push(chunk);
        }
        Some(packet)
    }

    fn open(&mut self, packet: &[u8], now: u64) {
        if let Ok(staged) = self.session.open(packet, now, &NoSkippedKeys) {
            (self.session, _, _) = staged.into_parts();
            self.forge.learn(&Stored::of(&self.session));
        }
    }

    /// Changes one field of a header; chapter 05 has its layout.
    fn change(&self, header: &mut Header, script: &mut Script<'_>) {
        let (Some(field), Some(value)) = (script.byte(), script.byte()) else { return };
        match field % 14 {
            0 => step(header, 41, value),
            1 => header[45] = value % 7,
            2 => header[46..48].copy_from_slice(&[value >> 7, value]),
            3 => header[46..48].fill(value),
            4 => step(header, 48, value),
            5 => step(header, 52, value),
            6 => header[56] = value,
            7 => header[57 + usize::from(value) % CHUNK_BYTES] ^= 1,
            8 => header[57..].copy_from_slice(&self.chunks[usize::from(value) % self.chunks.len()]),
            9 => step(header, 32, value),
            10 => step(header, 36, value),
            11 => header[40] = value % 3,
            12 => header[..32].fill(value),
            _ => {
                let taken = script.bytes(usize::from(value) % 113);
                header[41..][..taken.len()].copy_from_slice(taken);
            }
        }
    }

    /// Offers another key than was drawn: a vector of one byte all over, be it valid or not, its hash and its tag right if the
    /// script says so.
    fn offer(&mut self, byte: u8, script: &mut Script<'_>) {
        let stored = Stored::of(&self.session);
        let Some(braid) = stored.braid.filter(|braid| braid.state == KEYS_SAMPLED) else { return };
        let vector = [byte; VECTOR_BYTES];
        let seed = [9; 32];
        let hash = Sha3_256::new().chain_update(vector).chain_update(seed).finalize();
        let mut mac = Hmac::<Sha256>::new_from_slice(&braid.mac_key).expect("a key of any length");
        for part in [labels::BRAID_HEADER, &u64::from(braid.epoch).to_be_bytes(), &seed, &hash[..]] {
            mac.update(part);
        }
        let header = [&seed[..], &hash[..], &mac.finalize().into_bytes()[..]].concat();
        let mut bytes = self.session.encode();
        // The Braid is the end of the stored form, the header its last field, behind a head of two bytes the vector.
        let header_at = bytes.len() - CHUNK_BYTES;
        let vector_at = header_at - 2 - VECTOR_BYTES;
        bytes[vector_at..][..VECTOR_BYTES].copy_from_slice(&vector);
        if script.byte().is_some_and(|byte| byte & 1 == 0) {
            bytes[header_at..].copy_from_slice(&header);
        }
        self.session = Session::decode(&bytes).expect("fields of the same lengths");
    }

    /// Damages the state of one's own Braid, if what comes out is a state.
    fn damage(&mut self, at: u16, value: u8) {
        let mut bytes = self.session.encode();
        let braid_at = Stored::of(&self.session).braid_at;
        let length = bytes.len() - braid_at;
        bytes[braid_at + usize::from(at) % length] ^= value;
        if let Ok(session) = Session::decode(&bytes) {
            self.session = session;
        }
    }
}

/// Adds one of the steps to a counter.
fn step(header: &mut Header, at: usize, which: u8) {
    let counter: [u8; 4] = header[at..at + 4].try_into().expect("4 bytes");
    let changed = u32::from_be_bytes(counter).wrapping_add(STEPS[usize::from(which) % STEPS.len()]);
    header[at..at + 4].copy_from_slice(&changed.to_be_bytes());
}
