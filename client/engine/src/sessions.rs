//! The session book of each contact: one session that seals, up to five archived ones that still open.
//!
//! What a seal or an open gives is written with its message in one batch; nothing of it leaves before the commit. [SES-7]

use std::cell::RefCell;

use sotto_crypto::{ChainId, OpenError, Opened, Session, SkippedChanges, SkippedKey, SkippedKeys};
use sotto_inner::limits::ARCHIVED_SESSIONS_MAX;

use crate::{
    ContactId, Range, Rows, RowsError, Table,
    outbox::FRONTED_PACKETS_MAX,
    record::{Contact, Front, SecretBytes, SessionRow},
    work::{Transaction, Work},
};

/// How long a handshake of ours may stay unanswered before another session takes its place.
const UNANSWERED_SECS: u64 = 86_400;

/// Why a packet was not opened: the database, or the packet.
pub(crate) enum Unopened {
    Rows(RowsError),
    Packet(OpenError),
}

impl From<RowsError> for Unopened {
    fn from(error: RowsError) -> Self {
        Self::Rows(error)
    }
}

/// Looks skipped keys up in the open transaction.
struct SkippedRows<'a, 'w> {
    transaction: &'a Transaction<'w>,
    session: [u8; 32],
    /// A row that could not be read: then nothing may be concluded from its absence.
    unreadable: RefCell<Option<RowsError>>,
}

impl SkippedKeys for SkippedRows<'_, '_> {
    fn get(&self, chain: ChainId, n: u32) -> Option<SkippedKey> {
        let row = self.transaction.get(Table::SkippedKey, &skipped_key(&self.session, chain, Some(n)));
        let key = row.and_then(|row| {
            let key = row.map(|row| SkippedKey::from_bytes(&row)).transpose();
            key.map_err(|_| RowsError("a skipped key is damaged".to_owned()))
        });
        key.unwrap_or_else(|error| {
            self.unreadable.replace(Some(error));
            None
        })
    }
}

fn skipped_key(session: &[u8; 32], chain: ChainId, n: Option<u32>) -> Vec<u8> {
    let mut key = [session.as_slice(), &chain.0.to_be_bytes()].concat();
    key.extend(n.into_iter().flat_map(u32::to_be_bytes));
    key
}

fn decode(row: &SessionRow) -> Result<Session, RowsError> {
    Session::decode(row.state.as_slice()).map_err(|_| RowsError("a session is damaged".to_owned()))
}

impl Work<'_> {
    /// A contact's sessions, the one that seals first.
    fn book(&self, contact: &Contact) -> Result<Vec<(SessionRow, Session)>, RowsError> {
        let mut book = Vec::new();
        for (_, row) in self.records::<SessionRow>(&Range::prefix(contact.root.as_bytes()), usize::MAX)? {
            let session = decode(&row)?;
            book.push((row, session));
        }
        book.sort_by_key(|(_, session)| contact.active.as_ref() != Some(session.id().as_bytes()));
        Ok(book)
    }

    pub(crate) fn session(
        &self,
        contact: &ContactId,
        id: &[u8; 32],
    ) -> Result<Option<(SessionRow, Session)>, RowsError> {
        let Some(row) = self.load::<SessionRow>(&SessionRow::key(contact, id))? else { return Ok(None) };
        let session = decode(&row)?;
        Ok(Some((row, session)))
    }

    pub(crate) fn active_session(&self, contact: &Contact) -> Result<Option<(SessionRow, Session)>, RowsError> {
        contact.active.map_or(Ok(None), |id| self.session(&contact.root, &id))
    }

    /// Opens a packet with whichever session of the book it belongs to. On an error nothing changed.
    pub(crate) fn open_packet(&mut self, contact: &mut Contact, packet: &[u8]) -> Result<([u8; 32], Opened), Unopened> {
        let book = self.book(contact)?;
        let (rows, sessions): (Vec<_>, Vec<_>) = book.into_iter().unzip();
        let Some(index) = sotto_crypto::find(&sessions, packet) else {
            return Err(Unopened::Packet(OpenError::NotOurs));
        };
        let row = rows.into_iter().nth(index).expect("find gives an index of the book");
        self.open_in(contact, row, &sessions[index], packet)
    }

    /// Opens a packet with one session and stages what follows from it.
    pub(crate) fn open_in(
        &mut self,
        contact: &mut Contact,
        mut row: SessionRow,
        session: &Session,
        packet: &[u8],
    ) -> Result<([u8; 32], Opened), Unopened> {
        let id = *session.id().as_bytes();
        let unreadable = RefCell::new(None);
        let skipped = SkippedRows { transaction: &self.transaction, session: id, unreadable };
        let staged = session.open(packet, self.now.secs(), &skipped);
        if let Some(error) = skipped.unreadable.into_inner() {
            return Err(Unopened::Rows(error));
        }
        let staged = staged.map_err(Unopened::Packet)?;
        let (next, changes, opened) = staged.into_parts();
        let first_reply = row.front.take().is_some();
        if !next.is_broken() {
            self.choose_active(contact, id, first_reply)?;
        }
        self.save_session(&contact.root, row, &next);
        self.save_skipped(&id, changes)?;
        Ok((id, opened))
    }

    /// Whether a session seals from now on, of which a packet just came.
    fn choose_active(&mut self, contact: &mut Contact, id: [u8; 32], first_reply: bool) -> Result<(), RowsError> {
        if first_reply {
            // The peer has the handshake.
            contact.active = Some(id);
            self.save_contact(contact);
        } else if self.active_is_unanswered(contact)? && contact.active != Some(id) {
            // Ours was never answered, and this one is alive: what waits goes through it.
            contact.active = Some(id);
            contact.reseal = true;
            self.save_contact(contact);
        }
        Ok(())
    }

    /// Whether the session that seals waits for its first reply since more than a day.
    fn active_is_unanswered(&self, contact: &Contact) -> Result<bool, RowsError> {
        let active = self.active_session(contact)?;
        Ok(active.is_some_and(|(row, _)| {
            row.front.is_some() && self.now.secs().saturating_sub(row.created) >= UNANSWERED_SECS
        }))
    }

    /// Whether the session that seals was broken, and so seals nothing. [SES-42]
    pub(crate) fn active_is_broken(&self, contact: &Contact) -> Result<bool, RowsError> {
        Ok(self.active_session(contact)?.is_some_and(|(_, session)| session.is_broken()))
    }

    pub(crate) fn save_session(&mut self, contact: &ContactId, row: SessionRow, session: &Session) {
        let key = SessionRow::key(contact, session.id().as_bytes());
        self.save(&key, &SessionRow { state: SecretBytes::from(session.encode()), ..row });
    }

    pub(crate) fn save_skipped(&mut self, session: &[u8; 32], changes: SkippedChanges) -> Result<(), RowsError> {
        let SkippedChanges { put, delete, delete_chains } = changes;
        for chain in delete_chains {
            self.delete_prefix(Table::SkippedKey, &skipped_key(session, chain, None))?;
        }
        for (chain, n) in delete {
            self.delete(Table::SkippedKey, &skipped_key(session, chain, Some(n)));
        }
        for (chain, n, key) in put {
            self.put(Table::SkippedKey, &skipped_key(session, chain, Some(n)), key.to_bytes().to_vec());
        }
        Ok(())
    }

    /// Puts a new session into the book; the oldest archived one makes room.
    pub(crate) fn add_session(
        &mut self,
        contact: &mut Contact,
        session: &Session,
        front: Option<Front>,
    ) -> Result<(), RowsError> {
        let book = self.book(contact)?;
        if book.len() > ARCHIVED_SESSIONS_MAX {
            // A handshake of ours that is still on its way goes last: its answer would open nowhere.
            let awaited = book.iter().filter(|(row, _)| row.front.is_some()).map(|(row, _)| row.created).max();
            let archived = book.iter().filter(|(_, old)| contact.active.as_ref() != Some(old.id().as_bytes()));
            let age = |row: &SessionRow| (row.front.is_some() && Some(row.created) == awaited, row.created);
            if let Some((_, oldest)) = archived.min_by_key(|(row, _)| age(row)) {
                let id = *oldest.id().as_bytes();
                self.drop_session(&contact.root, &id)?;
            }
        }
        let row = SessionRow { state: SecretBytes::from(session.encode()), created: self.now.secs(), front };
        self.save(&SessionRow::key(&contact.root, session.id().as_bytes()), &row);
        Ok(())
    }

    fn drop_session(&mut self, contact: &ContactId, id: &[u8; 32]) -> Result<(), RowsError> {
        self.delete(Table::Session, &SessionRow::key(contact, id));
        self.delete_prefix(Table::SkippedKey, id)
    }

    pub(crate) fn drop_sessions(&mut self, contact: &mut Contact) -> Result<(), RowsError> {
        for (_, session) in self.book(contact)? {
            let id = *session.id().as_bytes();
            self.drop_session(&contact.root, &id)?;
        }
        contact.active = None;
        Ok(())
    }

    /// A session of the peer's making joins the book. It seals from now on, unless one of ours, made at the same time and
    /// not answered yet, has the lower id: both sides decide alike.
    pub(crate) fn adopt_session(&mut self, contact: &mut Contact, session: &Session) -> Result<(), RowsError> {
        let theirs = *session.id().as_bytes();
        let ours_wins = match self.active_session(contact)? {
            Some((row, ours)) => {
                let fresh = self.now.secs().saturating_sub(row.created) < UNANSWERED_SECS;
                let seals = row.front.is_some() && ours.sealed() < FRONTED_PACKETS_MAX;
                seals && fresh && *ours.id().as_bytes() < theirs
            }
            None => false,
        };
        self.add_session(contact, session, None)?;
        if !ours_wins {
            contact.active = Some(theirs);
        }
        Ok(())
    }

    /// Where a handshake of ours was never answered, and another session stands and can seal, that one seals from now on: the
    /// peer may have dropped ours, so it is not true that both decide alike.
    pub(crate) fn replace_unanswered(&mut self) -> Result<(), RowsError> {
        for (_, mut contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            if !contact.connected() || !self.active_is_unanswered(&contact)? {
                continue;
            }
            let book = self.book(&contact)?;
            let can_seal = book.iter().filter(|(row, session)| row.front.is_none() && !session.is_broken());
            if let Some((_, newest)) = can_seal.max_by_key(|(row, _)| row.created) {
                contact.active = Some(*newest.id().as_bytes());
                self.save_contact(&contact);
                self.seal_anew(contact)?;
            }
        }
        Ok(())
    }

    /// Drops skipped keys that are too old, in every session.
    pub(crate) fn expire_skipped(&mut self) -> Result<(), RowsError> {
        for (key, row) in self.records::<SessionRow>(&Range::all(), usize::MAX)? {
            let session = decode(&row)?;
            let Some(staged) = session.expire(self.now.secs()) else { continue };
            let (next, changes, ()) = staged.into_parts();
            let contact =
                key.as_slice()[..32].try_into().map_err(|_| RowsError("a session key is damaged".to_owned()))?;
            let id = *session.id().as_bytes();
            self.save_session(&contact, row, &next);
            self.save_skipped(&id, changes)?;
        }
        Ok(())
    }
}
