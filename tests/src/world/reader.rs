//! The omniscient reader. It opens every packet that an engine lets go, with the rows of whoever it is for, and fails when one
//! keystream was laid over two bodies, or when a packet is such that nobody could ever open it.
//!
//! Opening leaves sessions as they are: `Session::open` is pure, and what it returns is dropped. A keystream is the body's
//! ciphertext ⊕ the padded content, of which the first 32 bytes are remembered.

use std::collections::BTreeMap;

use sotto_crypto::{
    Answering, ChainId, DeviceKeys, NoSkippedKeys, OpenError, PrekeySecret, Session, SkippedKey, SkippedKeys, accept,
    check_handshake, first_seal_id, handshake_id, open_first, open_repair, repair_tag,
};
use sotto_engine::{
    ContactId, Order, Range, Rows, Table,
    record::{Account, OwnBundle, OwnMailbox, PrekeyRow, Record, SessionRow, TagRow},
};
use sotto_inner::{FirstMessage, PrekeyId, PrekeyKind, limits::ARCHIVED_SESSIONS_MAX};
use sotto_outer::{Create, MailboxKind, ReceiveId, SendId};

use super::{
    client::{Client, ClientId},
    mirror::mirror,
    rows::MemoryRows,
};

/// Bytes of a packet before its body: nonce, sealed header, tag.
const HEADER_BYTES: usize = 12 + 153 + 16;
/// Bytes of a body's tag.
const TAG_BYTES: usize = 16;

/// What one packet turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It opened; the content, without padding.
    Opened(Vec<u8>),
    /// A first message to one who no longer has what it was made for: a used pair, a deleted invitation. It must stay shut.
    Late,
    /// For a session that its reader's full book has dropped for newer ones: it is sealed anew once one of them is heard of.
    Dropped,
    /// The mailbox is gone, or its owner has deleted all that could open this.
    Gone,
    /// A session packet that its reader has no way to open.
    Shut,
}

/// All that the reader knows.
#[derive(Debug, Default)]
pub struct Reader {
    mailboxes: BTreeMap<SendId, (ReceiveId, MailboxKind)>,
    keystreams: BTreeMap<[u8; 32], Vec<u8>>,
    /// Payloads that opened: a retry releases the same bytes again, when their reader may have moved on.
    read: BTreeMap<Vec<u8>, Verdict>,
    /// Packets that opened.
    pub opened: u64,
    /// First messages that came too late.
    pub late: u64,
    /// Packets for sessions that a full book has dropped.
    pub dropped: u64,
    /// Packets to whoever is gone.
    pub gone: u64,
    /// Packets that nobody can open.
    pub shut: u64,
    /// Keystreams that lay over two bodies.
    pub reused: u64,
}

impl Reader {
    /// Takes note of a mailbox that is made.
    pub fn made(&mut self, create: &Create) {
        self.mailboxes.insert(create.send_id, (create.receive_id, create.kind));
    }

    /// Reads a payload that is free to go.
    pub(super) fn released(
        &mut self,
        clients: &[Client],
        from: ClientId,
        mailbox: SendId,
        payload: &[u8],
        now: u64,
    ) -> Verdict {
        if let Some(verdict) = self.read.get(payload) {
            return verdict.clone();
        }
        let verdict = match self.mailboxes.get(&mailbox).copied() {
            Some((receive_id, kind)) => self.read(clients, from, receive_id, kind, payload, now),
            None => Verdict::Gone,
        };
        match &verdict {
            Verdict::Opened(_) => self.opened += 1,
            Verdict::Late => self.late += 1,
            Verdict::Dropped => self.dropped += 1,
            Verdict::Gone => self.gone += 1,
            Verdict::Shut => self.shut += 1,
        }
        self.read.insert(payload.to_vec(), verdict.clone());
        verdict
    }

    fn read(
        &mut self,
        clients: &[Client],
        from: ClientId,
        receive_id: ReceiveId,
        kind: MailboxKind,
        payload: &[u8],
        now: u64,
    ) -> Verdict {
        let mut verdict = Verdict::Gone;
        for client in clients {
            let Some(own) = record::<OwnMailbox>(client.rows(), receive_id.as_bytes()) else { continue };
            let owner = Owner { rows: client.rows(), now };
            let found = match (kind, own.contact) {
                (MailboxKind::Contact, _) => owner.first(payload),
                (MailboxKind::Pairwise, Some(contact)) => owner.pairwise(&contact, payload),
                (MailboxKind::Pairwise, None) => Found::Gone,
            };
            match found {
                Found::Packet { packet, content } => {
                    self.remember(&packet, &content);
                    return Verdict::Opened(content);
                }
                Found::Late => verdict = Verdict::Late,
                Found::Gone => {}
                unread @ (Found::Dropped | Found::Shut) => {
                    if let Some(content) =
                        own.contact.and_then(|_| from_the_sender(clients[from.0].rows(), payload, now))
                    {
                        self.remember(payload, &content);
                        return Verdict::Opened(content);
                    }
                    let is_dropped = matches!(unread, Found::Dropped);
                    verdict = if is_dropped { Verdict::Dropped } else { Verdict::Shut };
                }
            }
        }
        verdict
    }

    /// Remembers the keystream of a packet, and counts it if it lay over another body.
    pub fn remember(&mut self, packet: &[u8], content: &[u8]) {
        let body = &packet[HEADER_BYTES..packet.len() - TAG_BYTES];
        let padded = content.iter().copied().chain([0x80]).chain(std::iter::repeat(0));
        let mut keystream = [0; 32];
        for (out, (sealed, plain)) in keystream.iter_mut().zip(body.iter().zip(padded)) {
            *out = sealed ^ plain;
        }
        if self.keystreams.insert(keystream, packet.to_vec()).is_some_and(|before| before != packet) {
            self.reused += 1;
        }
    }
}

/// What came of one reader's rows.
enum Found {
    Packet { packet: Vec<u8>, content: Vec<u8> },
    Late,
    Dropped,
    Gone,
    Shut,
}

/// Whoever a packet is for.
struct Owner<'a> {
    rows: &'a MemoryRows,
    now: u64,
}

impl Owner<'_> {
    /// A first message, in a contact mailbox.
    fn first(&self, payload: &[u8]) -> Found {
        let Some(id) = first_seal_id(payload) else { return Found::Shut };
        let Some(seal) = self.prekey(PrekeyKind::Seal, id) else { return Found::Gone };
        match open_first(&seal, payload) {
            Ok(message) => self.handshake(&message),
            Err(_) => Found::Shut,
        }
    }

    /// A session packet or a repair, in a mailbox for one contact.
    fn pairwise(&self, contact: &ContactId, payload: &[u8]) -> Found {
        if let Some(found) = self.repair(payload) {
            return found;
        }
        let sessions = sessions(self.rows, contact);
        match sessions.iter().find_map(|session| open(self.rows, session, payload, self.now)) {
            Some(content) => Found::Packet { packet: payload.to_vec(), content },
            None if sessions.len() > ARCHIVED_SESSIONS_MAX => Found::Dropped,
            None => Found::Shut,
        }
    }

    fn repair(&self, payload: &[u8]) -> Option<Found> {
        let tag = repair_tag(payload)?;
        let row = record::<TagRow>(self.rows, tag.as_bytes())?;
        let Some(seal) = self.prekey(PrekeyKind::Seal, row.seal) else { return Some(Found::Gone) };
        open_repair(&seal, payload).ok().map(|message| self.handshake(&message))
    }

    /// The packet behind a handshake, with the session that stands or the one that would be made.
    fn handshake(&self, message: &FirstMessage) -> Found {
        let FirstMessage { handshake, packet } = message;
        let id = handshake_id(handshake);
        let standing = sessions(self.rows, &handshake.manifest.body.root);
        let session = standing.into_iter().find(|session| session.id() == &id).or_else(|| self.accept(message));
        let Some(session) = session else { return Found::Late };
        match open(self.rows, &session, packet, self.now) {
            Some(content) => Found::Packet { packet: packet.to_vec(), content },
            None => Found::Shut,
        }
    }

    fn accept(&self, message: &FirstMessage) -> Option<Session> {
        let handshake = &message.handshake;
        check_handshake(handshake).ok()?;
        let account = record::<Account>(self.rows, Account::KEY)?;
        let device = DeviceKeys::from_bytes(account.device.as_slice()).ok()?;
        let signed = self.prekey(PrekeyKind::Signed, handshake.signed)?;
        let one_time = handshake.one_time.and_then(|id| self.prekey(PrekeyKind::OneTimePair, id));
        let last_resort = handshake.last_resort.and_then(|id| self.prekey(PrekeyKind::LastResort, id));
        let bundle = handshake.invitation.and_then(|id| record::<OwnBundle>(self.rows, id.as_bytes()));
        let answering = Answering {
            manifest: &account.manifest,
            device: &device,
            signed: &signed,
            one_time: one_time.as_ref(),
            last_resort: last_resort.as_ref(),
            link_secret: bundle.as_ref().map(|bundle| &bundle.secret),
        };
        accept(&answering, handshake).ok()
    }

    fn prekey(&self, kind: PrekeyKind, id: PrekeyId) -> Option<PrekeySecret> {
        let row = record::<PrekeyRow>(self.rows, &PrekeyRow::key(kind, id))?;
        PrekeySecret::from_bytes(row.secret.as_slice()).ok()
    }
}

/// An ephemeral packet of a step that its reader has not seen yet: the sender's own state opens it.
fn from_the_sender(rows: &MemoryRows, packet: &[u8], now: u64) -> Option<Vec<u8>> {
    let all = rows.table(Table::Session).filter_map(|(_, row)| session(row));
    let mut mirrors = all.filter_map(|session| mirror(&session));
    mirrors.find_map(|mirror| {
        let staged = mirror.open(packet, now / 1_000, &NoSkippedKeys).ok()?;
        let (_, _, opened) = staged.into_parts();
        opened.ephemeral.then(|| opened.content.to_vec())
    })
}

/// The sessions with a contact.
pub(super) fn sessions(rows: &MemoryRows, contact: &ContactId) -> Vec<Session> {
    let range = Range::prefix(contact.as_bytes());
    let rows = rows.scan(Table::Session, &range, Order::Ascending, usize::MAX).expect("rows in memory can be read");
    rows.iter().filter_map(|(_, row)| session(row)).collect()
}

fn session(row: &[u8]) -> Option<Session> {
    Session::decode(SessionRow::from_row(row).ok()?.state.as_slice()).ok()
}

/// Opens a packet and leaves everything as it is. A packet that was opened before has no key left; whoever released it again
/// was answered by the first time.
fn open(rows: &MemoryRows, session: &Session, packet: &[u8], now: u64) -> Option<Vec<u8>> {
    let skipped = SkippedRows { rows, session: session.id().as_bytes() };
    match session.open(packet, now / 1_000, &skipped) {
        Ok(staged) => Some(staged.into_parts().2.content.to_vec()),
        Err(
            OpenError::NotOurs | OpenError::Replayed | OpenError::EphemeralOutOfStep | OpenError::PeerMisbehaved(_),
        ) => None,
    }
}

struct SkippedRows<'a> {
    rows: &'a MemoryRows,
    session: &'a [u8; 32],
}

impl SkippedKeys for SkippedRows<'_> {
    fn get(&self, chain: ChainId, number: u32) -> Option<SkippedKey> {
        let key = [&self.session[..], &chain.0.to_be_bytes(), &number.to_be_bytes()].concat();
        let row = self.rows.get(Table::SkippedKey, &key).expect("rows in memory can be read")?;
        SkippedKey::from_bytes(&row).ok()
    }
}

fn record<R: Record>(rows: &MemoryRows, key: &[u8]) -> Option<R> {
    let row = rows.get(R::TABLE, key).expect("rows in memory can be read")?;
    Some(R::from_row(&row).expect("a record of the engine reads back"))
}
