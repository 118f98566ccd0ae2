//! The model test: the same random batches through SQLite and through memory, and the same outcomes from both.

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sotto_outer::{
    CapabilityHash, ChannelId, EnvelopeId, Lease, MailboxKind, OwnerKey, ReceiveId, SendId, TokenPurpose,
};
use zeroize::Zeroizing;

use super::{
    NewEnvelope, NewLease, NewMailbox, NewParts, Op, Outcome, Owned, Quota, Seq, Spend, Storage, StoredKey, TokenOp,
    blob::{BlobOp, BlobQuota, NewBlob, ObjectKey},
    blocked::ReportedId,
    channel::{ChannelOp, ChannelQuota, GenerationKeys, NewChannel, NewEntry, Reader},
    memory::MemoryStorage,
    sqlite::SqliteStorage,
};
use crate::{
    access::NewKey,
    time::{Day, Timestamp},
};

const BATCHES: usize = 300;
const QUOTA: Quota = Quota { pairwise_envelopes_max: 12, contact_envelopes_max: 5, bytes_max: 2_000 };
const DAY_MILLIS: u64 = 86_400_000;

/// Draws operations over few names, so that they meet.
struct Draw {
    rng: ChaCha20Rng,
    now: Timestamp,
    /// Names of objects drawn so far.
    objects: u64,
}

fn object(number: u64) -> ObjectKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    ObjectKey(key)
}

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.random_range(0..bound)
    }

    fn fill<const N: usize>(&mut self) -> [u8; N] {
        [u8::try_from(self.below(6)).unwrap(); N]
    }

    fn payload(&mut self) -> Bytes {
        let mut payload = vec![0; 1 + usize::try_from(self.below(300)).unwrap()];
        self.rng.fill_bytes(&mut payload);
        payload.into()
    }

    fn id(&mut self) -> EnvelopeId {
        [u8::try_from(self.below(40)).unwrap(); 16].into()
    }

    fn day(&self) -> Day {
        self.now.day()
    }

    fn owes(&mut self) -> Option<u8> {
        (self.below(4) == 0).then_some(14)
    }

    fn mailbox(&mut self) -> NewMailbox {
        let name: [u8; 16] = self.fill();
        // Mostly one mailbox a name, at times with something else under it.
        let other = if self.below(5) == 0 { self.fill() } else { name };
        NewMailbox {
            kind: if name[0].is_multiple_of(2) { MailboxKind::Pairwise } else { MailboxKind::Contact },
            receive_id: ReceiveId::from(name),
            send_id: SendId::from(other),
            owner: OwnerKey::from([name[0]; 32]),
            capability_hash: CapabilityHash::from([name[0]; 32]),
            day: self.day(),
        }
    }

    fn spend(&mut self) -> Option<Spend> {
        let nonce_hash = [u8::try_from(self.below(6)).unwrap(); 32];
        let forget_at = self.now.plus_millis(self.below(2 * DAY_MILLIS));
        (self.below(3) == 0).then(|| Spend { key: [1; 32].into(), nonce_hash, forget_at })
    }

    fn token(&mut self) -> TokenOp {
        let purpose = TokenPurpose::ALL[usize::try_from(self.below(3)).unwrap()];
        let week = self.day().as_days() / 7 + u32::try_from(self.below(2)).unwrap();
        match self.below(4) {
            0 => TokenOp::Keys { from_week: week },
            1 => {
                TokenOp::KeepKey(StoredKey { purpose, week, secret: NewKey(Zeroizing::new(self.fill::<8>().to_vec())) })
            }
            _ => TokenOp::Count {
                holder: self.fill(),
                purpose,
                count: u32::try_from(self.below(5)).unwrap(),
                uses: 8,
                forget_at: self.now.plus_millis(self.below(2 * DAY_MILLIS)),
            },
        }
    }

    fn parts(&mut self) -> NewParts {
        let name = self.fill::<16>();
        let pairs = (0..self.below(4)).map(|_| self.payload()).collect();
        NewParts {
            bundle: name.into(),
            owner: if self.below(6) == 0 { self.fill().into() } else { [name[0]; 32].into() },
            main: (self.below(3) > 0).then(|| self.payload()),
            last_resort: (self.below(3) > 0).then(|| self.payload()),
            pairs,
            pairs_max: 5,
            day: self.day(),
        }
    }

    /// Keys of a generation follow from its number, mostly.
    fn keys(&mut self, generation: u32) -> GenerationKeys {
        let fill = if self.below(8) == 0 { 77 } else { u8::try_from(generation % 200).unwrap() };
        GenerationKeys { verify_key: [fill; 32].into(), read_hash: [fill; 32].into() }
    }

    fn generation(&mut self) -> u32 {
        u32::try_from(self.below(6)).unwrap()
    }

    fn reader(&mut self) -> Reader {
        let (channel, generation) = (self.fill().into(), self.generation());
        Reader { channel, generation, shown: self.keys(generation).read_hash }
    }

    fn channel(&mut self) -> ChannelOp {
        let channel = ChannelId::from(self.fill());
        let owner = OwnerKey::from([if self.below(8) == 0 { 77 } else { channel.as_bytes()[0] }; 32]);
        match self.below(32) {
            0..=3 => {
                let new = NewChannel { channel, owner, keys: self.keys(0), day: self.day() };
                ChannelOp::Create(new, self.spend())
            }
            4..=5 => ChannelOp::Find { channel, generation: self.generation() },
            6..=19 => {
                let generation = self.generation();
                let next = (self.below(6) == 0).then(|| self.keys(generation + 1));
                ChannelOp::Append(NewEntry {
                    channel,
                    generation,
                    id: [u8::try_from(self.below(200)).unwrap(); 16].into(),
                    entry: self.payload(),
                    next,
                    day: self.day(),
                    expires_at: self.now.plus_millis(self.below(2 * DAY_MILLIS)),
                    quota: ChannelQuota {
                        entries_max: 20,
                        bytes_max: 3_000,
                        all_bytes_max: 9_000,
                        reserve_entries: 2,
                        reserve_bytes: 500,
                    },
                })
            }
            20..=23 => ChannelOp::Admit { reader: self.reader(), after: self.below(30), day: self.day() },
            24..=29 => ChannelOp::Read {
                reader: self.reader(),
                after: self.below(30),
                entries_max: 1 + usize::try_from(self.below(8)).unwrap(),
                bytes_max: usize::try_from(self.below(1_500)).unwrap(),
                day: self.day(),
            },
            30 => ChannelOp::Expire { now: self.now, lapsed_before: self.day().minus_days(3) },
            _ if self.below(8) == 0 => ChannelOp::Close { channel, owner },
            _ => ChannelOp::Find { channel, generation: 0 },
        }
    }

    /// Operations on blobs; a capability is the blob's name, at times another one.
    fn blob(&mut self) -> BlobOp {
        let name = self.fill::<16>();
        let (blob, now) = (name.into(), self.now);
        let shown: CapabilityHash = if self.below(8) == 0 { self.fill().into() } else { [name[0]; 32].into() };
        match self.below(12) {
            0..=2 => {
                self.objects += 1;
                let new = NewBlob {
                    blob,
                    object: object(self.objects),
                    bytes: if self.below(8) == 0 { 5_000_000 } else { u64::from(name[0]) * 1_000_000 + 1 },
                    write_hash: [name[0]; 32].into(),
                    read_hash: [name[0]; 32].into(),
                    now,
                    quota: BlobQuota { blob_bytes_max: 10_000_000, bytes_max: 12_000_000 },
                };
                BlobOp::Create(new, self.spend())
            }
            3..=5 => {
                let object = object(self.objects.saturating_sub(self.below(8)));
                let part = u32::try_from(self.below(3)).unwrap();
                BlobOp::PartStored { object, part }
            }
            6 => BlobOp::Write { blob, shown, now },
            7 => BlobOp::Commit { blob, shown, now, expires_at: now.plus_millis(3 * DAY_MILLIS) },
            8 => BlobOp::Read { blob, shown, now },
            9 => BlobOp::Delete { blob, shown, now },
            10 => BlobOp::Expire { now },
            _ => match self.below(4) {
                0 => BlobOp::Gone,
                1 => BlobOp::Usage,
                2 => BlobOp::Forget((0..self.below(5)).map(|_| object(self.below(self.objects + 1))).collect()),
                _ => BlobOp::Known((0..20).map(|_| object(self.below(self.objects + 1))).collect()),
            },
        }
    }

    fn op(&mut self, seen: &[Seq]) -> Op {
        match self.below(52) {
            0 => Op::Token(self.token()),
            1..=2 => Op::Create(self.mailbox(), self.spend()),
            3..=12 => {
                let name = self.fill::<16>();
                Op::Send(NewEnvelope {
                    mailbox: name.into(),
                    shown: if self.below(8) == 0 { self.fill().into() } else { [name[0]; 32].into() },
                    id: self.id(),
                    payload: self.payload(),
                    now: self.now,
                    expires_at: self.now.plus_millis(self.below(2 * DAY_MILLIS)),
                    quota: QUOTA,
                    owes: self.owes(),
                })
            }
            13 => Op::Admit { mailbox: self.fill().into(), shown: self.fill().into(), owes: self.owes() },
            14 => {
                let mut thing = |_| match self.below(2) {
                    0 => Owned::Mailbox(self.fill().into()),
                    _ => Owned::Bundle(self.fill().into()),
                };
                Op::Owners((0..4).map(&mut thing).collect())
            }
            15..=16 => {
                let mut lease = |_| NewLease {
                    mailbox: self.fill().into(),
                    confirmed: (self.below(2) == 0).then(|| Lease::from(self.fill())),
                    new: self.fill().into(),
                };
                let mailboxes = (0..3).map(&mut lease).collect();
                Op::Lease { mailboxes, day: self.day() }
            }
            17..=20 => Op::Next {
                mailbox: self.fill().into(),
                in_flight: seen.iter().copied().filter(|seq| seq.0 % 3 == 0).collect(),
                envelopes_max: usize::try_from(self.below(8)).unwrap(),
                bytes_max: usize::try_from(self.below(1_500)).unwrap(),
                now: self.now,
            },
            21..=23 => {
                let ids = (0..1 + self.below(10)).map(|_| self.id()).collect();
                Op::Acknowledge { mailbox: self.fill().into(), ids, forget_at: self.now.plus_secs(600) }
            }
            24 if self.below(2) == 0 => {
                let name = self.fill::<16>();
                let capability_hash = self.fill().into();
                Op::Rotate { mailbox: name.into(), owner: [name[0]; 32].into(), capability_hash }
            }
            24 => Op::DeleteMailbox { mailbox: self.fill().into(), owner: self.fill().into() },
            25 => Op::DeleteBundle { bundle: self.fill().into(), owner: self.fill().into() },
            26 => Op::Publish(self.parts()),
            27 => {
                let ids = (0..=self.below(2)).map(|_| ReportedId::from(self.fill())).collect();
                // More often given back than suspended: what is suspended does nothing else.
                Op::Block { ids, blocked: self.below(3) == 0, day: self.day() }
            }
            28..=29 => Op::FetchBundle { bundle: self.fill().into(), take_pair: self.below(3) > 0 },
            30 => {
                let (mailboxes_before, bundles_before) = (self.day().minus_days(3), self.day().minus_days(2));
                Op::Expire { now: self.now, mailboxes_before, bundles_before }
            }
            31..=45 => Op::Channel(self.channel()),
            _ => Op::Blob(self.blob()),
        }
    }
}

#[tokio::test]
async fn sqlite_and_memory_answer_alike() {
    let seed = std::env::var("SEED").ok().and_then(|seed| u64::from_str_radix(&seed, 16).ok());
    let seed = seed.unwrap_or_else(|| rand::rng().next_u64());
    eprintln!("SEED={seed:x}");
    let mut draw =
        Draw { rng: ChaCha20Rng::seed_from_u64(seed), now: Timestamp::from_millis(20_000 * DAY_MILLIS), objects: 0 };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("relay.db");
    let (mut sqlite, mut memory) = (SqliteStorage::open(&path).await.unwrap(), MemoryStorage::new());
    let mut seen = vec![];
    for batch in 0..BATCHES {
        draw.now = draw.now.plus_millis(draw.rng.random_range(0..300_000));
        if draw.below(40) == 0 {
            draw.now = draw.now.plus_millis(DAY_MILLIS);
        }
        let ops: Vec<_> = (0..=draw.below(40)).map(|_| draw.op(&seen)).collect();
        let outcomes = Storage::apply(&mut sqlite, ops.clone()).await;
        let expected = memory.apply(ops.clone());
        memory.commit();
        for (number, ((op, outcome), expected)) in ops.iter().zip(&outcomes).zip(&expected).enumerate() {
            assert_eq!(outcome, expected, "SEED={seed:x}, batch {batch}, op {number}: {op:?}");
        }
        seen.extend(outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Sent { seq, .. } => Some(*seq),
            _ => None,
        }));
        // A restart: what SQLite answers afterwards it knows from the file.
        if draw.below(10) == 0 {
            sqlite.close().await;
            sqlite = SqliteStorage::open(&path).await.unwrap();
            let next_seq = sqlite.next_seq();
            memory.continue_from(next_seq);
        }
    }
}

#[test]
fn a_crash_drops_what_is_pending_and_nothing_else() {
    let mut draw = Draw { rng: ChaCha20Rng::seed_from_u64(1), now: Timestamp::from_millis(DAY_MILLIS), objects: 0 };
    let mut memory = MemoryStorage::new();
    let mailbox = NewMailbox { send_id: [1; 16].into(), receive_id: [1; 16].into(), ..draw.mailbox() };
    let owners = || Op::Owners(vec![Owned::Mailbox([1; 16].into())]);
    memory.apply(vec![Op::Create(mailbox.clone(), None)]);
    memory.crash();
    assert_eq!(memory.apply(vec![owners()]), [Outcome::Owners(vec![None])]);
    memory.apply(vec![Op::Create(mailbox.clone(), None)]);
    memory.commit();
    memory.crash();
    assert_eq!(memory.apply(vec![owners()]), [Outcome::Owners(vec![Some(mailbox.owner)])]);
}
