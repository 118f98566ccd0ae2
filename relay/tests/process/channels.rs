//! Channels over real sockets: one writer, readers on connections of their own, and a relay that is killed in the middle.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use sotto_outer::{
    Advance, Answer, Append, ChannelEntry, ChannelId, CloseChannel, Command, CreateChannel, Entries, EntryId, OwnerKey,
    OwnerSignature, ReadCapability, ReadChannel, ReadHash, RelayFrame, SubscribeChannel, VerifyKey, signed,
};

use crate::{
    client::{Client, Gone},
    relay::{self, RelayProcess},
};

const KILLS: u8 = 6;
/// Answers after which the relay is killed.
const ENOUGH: usize = 40;
const WINDOW: usize = 16;

/// A channel with all its keys: those of each generation follow from its number.
pub(crate) struct Log {
    owner: SigningKey,
    channel: ChannelId,
}

impl Log {
    pub(crate) fn new(seed: u8) -> Self {
        Self { owner: SigningKey::from_bytes(&[seed; 32]), channel: [seed; 16].into() }
    }

    pub(crate) const fn id(&self) -> ChannelId {
        self.channel
    }

    fn key(&self, generation: u32) -> SigningKey {
        let seed = Sha256::new().chain_update(self.channel.as_bytes()).chain_update(generation.to_be_bytes());
        SigningKey::from_bytes(&seed.finalize().into())
    }

    fn verify_key(&self, generation: u32) -> VerifyKey {
        self.key(generation).verifying_key().to_bytes().into()
    }

    fn capability(&self, generation: u32) -> ReadCapability {
        self.key(generation).to_bytes().into()
    }

    fn read_hash(&self, generation: u32) -> ReadHash {
        <[u8; 32]>::from(Sha256::digest(self.capability(generation).as_bytes())).into()
    }

    pub(crate) fn create(&self) -> Command {
        Command::CreateChannel(CreateChannel {
            channel: self.channel,
            owner: OwnerKey::from(self.owner.verifying_key().to_bytes()),
            verify_key: self.verify_key(0),
            read_hash: self.read_hash(0),
            token: None,
            proof: None,
        })
    }

    pub(crate) fn append(&self, client: &Client, generation: u32, id: EntryId) -> Command {
        let entry = vec![id.as_bytes()[1]; 300];
        let append = Append { channel: self.channel, generation, id, entry, signature: [0; 64].into() };
        let signature = sign(&self.key(generation), &signed::append(&client.relay, &append));
        Command::Append(Append { signature, ..append })
    }

    fn advance(&self, client: &Client, generation: u32, id: EntryId) -> Command {
        let advance = Advance {
            channel: self.channel,
            generation,
            id,
            entry: vec![8; 300],
            next_verify_key: self.verify_key(generation + 1),
            next_read_hash: self.read_hash(generation + 1),
            signature: [0; 64].into(),
        };
        let signature = sign(&self.key(generation), &signed::advance(&client.relay, &advance));
        Command::Advance(Advance { signature, ..advance })
    }

    fn subscribe(&self, generation: u32, after: u64) -> Command {
        let capability = self.capability(generation);
        Command::SubscribeChannel(SubscribeChannel { channel: self.channel, generation, capability, after })
    }

    fn close(&self, client: &Client) -> Command {
        let bytes = signed::close_channel(&client.relay, &client.nonce, &self.channel);
        Command::CloseChannel(CloseChannel { channel: self.channel, signature: sign(&self.owner, &bytes) })
    }

    /// All that is stored of a generation.
    async fn read(&self, client: &mut Client, generation: u32) -> BTreeMap<u64, EntryId> {
        let (mut all, mut after) = (BTreeMap::new(), 0);
        loop {
            let capability = self.capability(generation);
            let read = ReadChannel { channel: self.channel, generation, capability, after, entries_max: 50 };
            let answer = client.ask(Command::ReadChannel(read)).await.unwrap();
            let Answer::Entries(Entries { entries, more, ended: _ }) = answer else { panic!("no entries: {answer:?}") };
            all.extend(entries.iter().map(|entry| (entry.seq, entry.id)));
            after = all.last_key_value().map_or(0, |(seq, _)| *seq);
            if !more {
                return all;
            }
        }
    }
}

fn sign(key: &SigningKey, bytes: &[u8]) -> OwnerSignature {
    key.sign(bytes).to_bytes().into()
}

fn entry_id(round: u8, number: u8) -> EntryId {
    let mut id = [0; 16];
    (id[0], id[1]) = (round, number);
    id.into()
}

async fn next_entry(client: &mut Client) -> Result<ChannelEntry, Gone> {
    loop {
        if let RelayFrame::Entry(entry) = client.receive().await? {
            return Ok(entry);
        }
    }
}

/// Asks to read, and gives the answer; entries may come right behind it.
async fn follow(client: &mut Client, log: &Log, generation: u32, after: u64) {
    let answer = client.ask(log.subscribe(generation, after)).await.unwrap();
    assert_eq!(answer, Answer::Done);
}

#[tokio::test]
async fn a_channel_is_written_followed_advanced_and_closed_over_real_sockets() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let log = Log::new(1);
    let mut alice = Client::connect(relay.address).await.unwrap();
    assert_eq!(alice.ask(log.create()).await.unwrap(), Answer::Done);
    let mut readers = [Client::connect(relay.address).await.unwrap(), Client::connect(relay.address).await.unwrap()];
    for reader in &mut readers {
        follow(reader, &log, 0, 0).await;
    }
    for number in 1..=3 {
        let append = log.append(&alice, 0, entry_id(0, number));
        assert_eq!(alice.ask(append).await.unwrap(), Answer::Appended { seq: number.into() });
    }
    let advance = log.advance(&alice, 0, entry_id(0, 4));
    assert_eq!(alice.ask(advance).await.unwrap(), Answer::Appended { seq: 4 });
    let late = log.append(&alice, 0, entry_id(0, 5));
    assert_eq!(alice.ask(late).await.unwrap(), Answer::Stale { generation: 1 });
    for reader in &mut readers {
        for seq in 1..=4 {
            let entry = next_entry(reader).await.unwrap();
            assert_eq!((entry.generation, entry.seq, entry.ends), (0, seq, seq == 4));
        }
        follow(reader, &log, 1, 4).await;
    }
    let append = log.append(&alice, 1, entry_id(1, 1));
    assert_eq!(alice.ask(append).await.unwrap(), Answer::Appended { seq: 5 });
    for reader in &mut readers {
        assert_eq!(next_entry(reader).await.unwrap().seq, 5);
    }
    let close = log.close(&alice);
    assert_eq!(alice.ask(close).await.unwrap(), Answer::Done);
    let after = log.append(&alice, 1, entry_id(1, 2));
    assert_eq!(alice.ask(after).await.unwrap(), Answer::Closed);
    assert_eq!(log.read(&mut readers[0], 1).await, BTreeMap::from([(5, entry_id(1, 1))]), "it is still read");
}

/// Appends until the relay is gone, some on their way at a time; gives what was answered.
async fn write(client: &mut Client, log: &Log, round: u8, kill: impl FnOnce()) -> BTreeMap<EntryId, u64> {
    let (mut asked, mut answered, mut kill) = (BTreeMap::new(), BTreeMap::new(), Some(kill));
    for number in 0..=u8::MAX {
        if asked.len() < WINDOW {
            let id = entry_id(round, number);
            let append = log.append(client, round.into(), id);
            let Ok(request) = client.request(append).await else { return answered };
            asked.insert(request, id);
            continue;
        }
        let Ok(frame) = client.receive().await else { return answered };
        let RelayFrame::Answer { request, answer: Answer::Appended { seq } } = frame else {
            panic!("nothing else is told: {frame:?}")
        };
        answered.insert(asked.remove(&request).expect("it was asked"), seq);
        if answered.len() == ENOUGH {
            kill.take().expect("once")();
        }
    }
    panic!("a relay that is killed is gone")
}

#[tokio::test]
async fn what_a_channel_has_acknowledged_outlasts_kills() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let log = Log::new(2);
    let (mut answered, mut told) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..KILLS {
        let mut relay = RelayProcess::start(dir.path());
        let mut writer = Client::connect(relay.address).await.unwrap();
        assert_eq!(writer.ask(log.create()).await.unwrap(), Answer::Done, "the first time, and again");
        if let Some(before) = round.checked_sub(1) {
            let advance = log.advance(&writer, before.into(), entry_id(before, u8::MAX));
            let Answer::Appended { seq } = writer.ask(advance).await.unwrap() else { panic!("not advanced") };
            answered.insert(entry_id(before, u8::MAX), seq);
        }
        let mut reader = Client::connect(relay.address).await.unwrap();
        follow(&mut reader, &log, round.into(), 0).await;
        let reading = tokio::spawn(async move {
            let mut told = BTreeMap::new();
            while let Ok(entry) = next_entry(&mut reader).await {
                told.insert(entry.id, entry.seq);
            }
            told
        });
        answered.append(&mut write(&mut writer, &log, round, || relay.kill()).await);
        told.append(&mut reading.await.unwrap());
    }
    let relay = RelayProcess::start(dir.path());
    let mut reader = Client::connect(relay.address).await.unwrap();
    let mut stored = BTreeMap::new();
    for generation in 0..KILLS {
        stored.extend(log.read(&mut reader, generation.into()).await);
    }
    assert!(answered.len() >= usize::from(KILLS) * ENOUGH);
    assert!(stored.keys().copied().eq(1..=stored.len() as u64), "numbers have no gap");
    let numbers: BTreeMap<_, _> = stored.iter().map(|(seq, id)| (*id, *seq)).collect();
    for (id, seq) in answered.iter().chain(&told) {
        assert_eq!(numbers.get(id), Some(seq), "what was acknowledged, and what a reader was told, is there");
    }
}
