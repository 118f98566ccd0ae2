//! A thief who once had all bytes of a profile, and from then on hears every packet to it and from it. It never learns what the
//! profile draws later.
//!
//! What comes to the victim it opens as the victim would, keeping its own next states; what the victim sends it opens with the
//! mirror of the stolen sessions.

use std::collections::{BTreeMap, BTreeSet};

use sotto_crypto::{ChainId, Session, SessionId, SkippedChanges, SkippedKey, SkippedKeys};
use sotto_engine::{Table, record::Record, record::SessionRow};
use sotto_inner::{Body, Content, ContentId};

use super::{client::ClientId, mirror::mirror, rows::MemoryRows};

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToVictim,
    FromVictim,
}

/// One theft and what came of it.
#[derive(Debug)]
pub struct Thief {
    pub(super) victim: ClientId,
    incoming: Vec<Ear>,
    outgoing: Vec<Ear>,
    texts: BTreeSet<ContentId>,
}

impl Thief {
    /// Takes all that a profile has.
    pub(super) fn new(victim: ClientId, stolen: &MemoryRows) -> Self {
        let sessions = || {
            stolen.table(Table::Session).map(|(_, row)| {
                let row = SessionRow::from_row(row).expect("a record of the engine reads back");
                Session::decode(row.state.as_slice()).expect("a session of the engine decodes")
            })
        };
        let skipped = |id: &SessionId| {
            let of_session = stolen.table(Table::SkippedKey).filter(|(key, _)| key.starts_with(id.as_bytes()));
            of_session.map(|(key, value)| (place(&key[32..]), value.to_vec())).collect()
        };
        let incoming = sessions().map(|session| Ear { skipped: skipped(session.id()), session });
        let outgoing = sessions().filter_map(|session| mirror(&session));
        Self {
            victim,
            incoming: incoming.collect(),
            outgoing: outgoing.map(|session| Ear { skipped: BTreeMap::new(), session }).collect(),
            texts: BTreeSet::new(),
        }
    }

    /// Tries a packet with everything it has.
    pub(super) fn overhear(&mut self, direction: Direction, packet: &[u8], now: u64) {
        let ears = match direction {
            Direction::ToVictim => &mut self.incoming,
            Direction::FromVictim => &mut self.outgoing,
        };
        for ear in ears {
            let Some(content) = ear.open(packet, now) else { continue };
            if let Ok(Content { id, time: _, body: Body::Text { .. } }) = Content::decode(&content) {
                self.texts.insert(id);
            }
        }
    }

    /// Messages that it read.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }
}

/// One stolen session, as it goes on.
#[derive(Debug)]
struct Ear {
    session: Session,
    skipped: BTreeMap<(u64, u32), Vec<u8>>,
}

impl Ear {
    fn open(&mut self, packet: &[u8], now: u64) -> Option<Vec<u8>> {
        let staged = self.session.open(packet, now / 1_000, &Kept(&self.skipped)).ok()?;
        let (session, SkippedChanges { put, delete: _, delete_chains: _ }, opened) = staged.into_parts();
        self.session = session;
        // A thief deletes nothing.
        self.skipped.extend(put.iter().map(|(chain, number, key)| ((chain.0, *number), key.to_bytes().to_vec())));
        Some(opened.content.to_vec())
    }
}

struct Kept<'a>(&'a BTreeMap<(u64, u32), Vec<u8>>);

impl SkippedKeys for Kept<'_> {
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey> {
        SkippedKey::from_bytes(self.0.get(&(chain.0, number))?).ok()
    }
}

/// Chain and number behind the session in a row's key.
fn place(key: &[u8]) -> (u64, u32) {
    let (chain, number) = key.split_first_chunk().expect("a chain id follows the session");
    (u64::from_be_bytes(*chain), u32::from_be_bytes(number.try_into().expect("a number ends the key")))
}
