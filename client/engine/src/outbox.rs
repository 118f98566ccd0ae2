//! The outbox: what must still reach a contact. A content leaves it when it is delivered end to end; its sealed bytes are
//! written before they are sent, and a retry sends the same bytes under the same id.

use std::collections::BTreeSet;

use sotto_crypto::{Padding, SealError, Session};
use sotto_inner::{
    Body, Content, FirstMessage, MailboxAddress,
    limits::{TEXT_BYTES_MAX, UNRECEIPTED_PACKETS_MAX},
};
use sotto_outer::{Answer, Command, EnvelopeId, RelayIdentity, Send, limits::ENVELOPE_TTL_SECS, work::Purpose};

use crate::{
    ContactId, ContactState, Line, MessageStatus, Order, Range, Rows, RowsError, Table, Timestamp,
    memory::{Hold, Pending},
    record::{Contact, Front, OutboxRow, Record, Sealed, SecretBytes, SessionRow},
    routes::Route,
    timers::Timer,
    work::Work,
};

/// Envelopes of one contact that are sent and not answered.
const IN_FLIGHT_MAX: usize = 64;
/// How long to wait before a mailbox that was denied is tried again, the first time; it doubles with each.
const DENIED_RETRY_SECS_MIN: u32 = 60;
/// The longest pause after denials.
const DENIED_RETRY_SECS_MAX: u32 = 86_400;
/// The longest pause that a relay gets for saying that it takes nothing.
const HOLD_SECS_MAX: u32 = 3_600;
/// Packets sealed behind one handshake: a request is no conversation.
pub(crate) const FRONTED_PACKETS_MAX: u64 = 16;
/// The least that sealing anew after expiry waits beyond the envelope's time at the relay.
const EXPIRY_SLACK_SECS: u64 = 3_600;

const _: () = assert!(TEXT_BYTES_MAX < sotto_outer::limits::PAYLOAD_BYTES_MAX);

/// What became of sealing one row.
enum Sealing {
    Ready(Sealed),
    /// It has to wait until something comes in: a reply, a receipt.
    Later,
    /// It does not fit in front of a handshake; others may.
    TooLong,
}

impl Work<'_> {
    /// Puts a content into the outbox. `message` tells whether its status is shown. The caller pumps.
    pub(crate) fn enqueue(&mut self, contact: &ContactId, content: &Content, message: bool) -> Result<(), RowsError> {
        let sequence = self.count(b"outbox")?;
        let key = OutboxRow::key(contact, sequence);
        let receipted = !matches!(content.body, Body::Receipt { delivered: _ });
        let row = OutboxRow {
            id: content.id,
            content: SecretBytes::from(content.encode()),
            message,
            receipted,
            sealed: None,
        };
        self.save(&key, &row);
        self.put(Table::OutboxIndex, content.id.as_bytes(), key);
        Ok(())
    }

    /// Sends what can be sent to a contact.
    pub(crate) fn pump_contact(&mut self, id: &ContactId) -> Result<(), RowsError> {
        match self.contact(id)? {
            Some(contact) => self.pump(contact),
            None => Ok(()),
        }
    }

    /// Sends what can be sent to a contact: in order, as far as session, relay and answers allow.
    pub(crate) fn pump(&mut self, contact: Contact) -> Result<(), RowsError> {
        let sends = contact.connected() || contact.state == ContactState::Requested;
        // What another session takes over is sealed at the end of this step, and not before as well.
        if !sends || contact.reseal || contact.held.is_some() || !self.can_be_answered(&contact)? {
            return Ok(());
        }
        let pump = self.memory.pumps.entry(contact.root).or_default();
        if pump.hold.is_some_and(|until| until > self.now) {
            return Ok(());
        }
        let mut from = pump.cursor;
        let mut contiguous = true;
        let end = Range::prefix(contact.root.as_bytes()).to;
        loop {
            let pump = self.memory.pumps.entry(contact.root).or_default();
            let most = pump.allowed.unwrap_or(IN_FLIGHT_MAX);
            let free = most.saturating_sub(pump.in_flight.len());
            if free == 0 {
                return Ok(());
            }
            let limit = free + pump.in_flight.range(from..).count();
            let range = Range { from: OutboxRow::key(&contact.root, from), to: end.clone() };
            let rows = self.records::<OutboxRow>(&range, limit)?;
            let last = rows.len() < limit;
            for (key, row) in rows {
                let sequence = sequence(&key)?;
                from = sequence + 1;
                let pump = self.memory.pumps.entry(contact.root).or_default();
                let sent = if row.taken() || pump.in_flight.contains(&sequence) {
                    Sent::Yes
                } else if pump.in_flight.len() >= most {
                    return Ok(());
                } else {
                    self.send_row(&contact, &key, sequence, row)?
                };
                match sent {
                    Sent::Yes if contiguous => self.memory.pumps.entry(contact.root).or_default().cursor = from,
                    Sent::Yes => {}
                    Sent::Skipped => contiguous = false,
                    Sent::No => return Ok(()),
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    fn send_row(
        &mut self,
        contact: &Contact,
        key: &[u8],
        sequence: u64,
        mut row: OutboxRow,
    ) -> Result<Sent, RowsError> {
        if let Some(Sealed { fronted: true, session, taken: None, .. }) = &row.sealed
            && self.session(&contact.root, session)?.is_none_or(|(session, _)| session.front.is_none())
        {
            // The reply came meanwhile: what is not at the relay yet goes as a plain packet, to the pairwise mailbox.
            row.sealed = None;
        }
        let mut sealer = match &row.sealed {
            Some(sealed) => self.session(&contact.root, &sealed.session)?,
            None => self.active_session(contact)?,
        };
        let Some(mut target) = self.target(contact, sealer.as_ref()) else { return Ok(Sent::No) };
        if row.sealed.as_ref().is_some_and(|sealed| sealed.mailbox != target.send_id) {
            // It goes elsewhere now, and not with the same bytes: whoever sees both mailboxes could tell that they are one's.
            row.sealed = None;
            sealer = self.active_session(contact)?;
            let Some(other) = self.target(contact, sealer.as_ref()) else { return Ok(Sent::No) };
            target = other;
        }
        let Some((session_row, session)) = sealer else { return Ok(Sent::No) };
        let to_stranger = session_row.front.as_ref().is_some_and(|front| front.mailbox.is_some());
        if row.sealed.is_none() {
            match self.seal(contact, &row, &target, session_row, &session)? {
                Sealing::Ready(sealed) => row.sealed = Some(sealed),
                Sealing::Later => return Ok(Sent::No),
                Sealing::TooLong => return Ok(Sent::Skipped),
            }
            // The envelope and the session that made it are one batch; it leaves after their commit. [SES-7]
            self.save(key, &row);
        }
        let Some(sealed) = &row.sealed else { return Ok(Sent::No) };
        let (envelope, payload) = (sealed.envelope, sealed.bytes.to_vec());
        let purpose = Purpose::Send(target.send_id, envelope);
        let line = Line::sending(*target.relay.identity());
        let proof = if to_stranger { self.prove(line, &purpose) } else { None };
        let send = Send {
            mailbox: target.send_id,
            capability: target.capability,
            id: envelope,
            ttl_secs: None,
            payload,
            proof,
        };
        self.memory.pumps.entry(contact.root).or_default().in_flight.insert(sequence);
        let pending = Pending::Send { contact: contact.root, sequence, envelope };
        self.transmit(target.relay.identity(), Command::Send(send), pending);
        Ok(Sent::Yes)
    }

    fn seal(
        &mut self,
        contact: &Contact,
        row: &OutboxRow,
        target: &MailboxAddress,
        session_row: SessionRow,
        session: &Session,
    ) -> Result<Sealing, RowsError> {
        let content = row.content.as_slice();
        let padding = match &session_row.front {
            None => Padding::Bucket,
            Some(_) if session.sealed() >= FRONTED_PACKETS_MAX => return Ok(Sealing::Later),
            Some(front) if content.len() > sotto_crypto::first_content_capacity(&front.handshake) => {
                return Ok(Sealing::TooLong);
            }
            Some(_) => Padding::None,
        };
        let staged = match session.seal(self.rng, content, padding) {
            Ok(staged) => staged,
            Err(SealError::WindowFull) => {
                self.repair_lost_window(contact, session)?;
                return Ok(Sealing::Later);
            }
            Err(SealError::NotBegun) => return Ok(Sealing::Later),
            Err(SealError::Broken) => {
                self.want_repair(&contact.root)?;
                return Ok(Sealing::Later);
            }
            Err(SealError::TooLong) => return Ok(Sealing::TooLong),
        };
        let (next, _, packet) = staged.into_parts();
        let bytes = match &session_row.front {
            None => packet,
            Some(front) => match self.first_message(front, packet) {
                Some(bytes) => bytes,
                None => return Ok(Sealing::TooLong),
            },
        };
        let sealed = Sealed {
            envelope: EnvelopeId::from(self.random()),
            bytes: bytes.into(),
            session: *next.id().as_bytes(),
            index: next.sealed(),
            taken: None,
            fronted: session_row.front.is_some(),
            mailbox: target.send_id,
            relay: *target.relay.identity(),
        };
        self.save_session(&contact.root, session_row, &next);
        Ok(Sealing::Ready(sealed))
    }

    /// Where a session's packets go now: behind a first handshake to the contact mailbox, else by the contact's own.
    fn target(&mut self, contact: &Contact, sealer: Option<&(SessionRow, Session)>) -> Option<MailboxAddress> {
        let (session_row, _) = sealer?;
        let Some(mailbox) = session_row.front.as_ref().and_then(|front| front.mailbox.clone()) else {
            return match self.route(contact) {
                Route::To(mailbox) => Some(mailbox),
                Route::Wait | Route::Denied => None,
            };
        };
        if self.held_until(&contact.root, mailbox.relay.identity()).is_some() {
            return None;
        }
        if self.can_send_to(mailbox.relay.identity()) {
            return Some(mailbox);
        }
        self.want_peer_relay(&mailbox.relay);
        None
    }

    /// A packet behind its handshake, sealed to the responder's seal key.
    fn first_message(&mut self, front: &Front, packet: Vec<u8>) -> Option<Vec<u8>> {
        let message = FirstMessage { handshake: front.handshake.clone(), packet: packet.into() };
        match &front.tag {
            None => sotto_crypto::seal_first(self.rng, &front.seal, &message).ok(),
            Some(tag) => sotto_crypto::seal_repair(self.rng, &front.seal, tag, &message).ok(),
        }
    }

    pub(crate) fn on_sent(
        &mut self,
        relay: &RelayIdentity,
        id: &ContactId,
        sequence: u64,
        envelope: &EnvelopeId,
        answer: &Answer,
    ) -> Result<(), RowsError> {
        let pump = self.memory.pumps.entry(*id).or_default();
        pump.in_flight.remove(&sequence);
        let key = OutboxRow::key(id, sequence);
        let Some(contact) = self.contact(id)? else { return Ok(()) };
        let row = self.load::<OutboxRow>(&key)?;
        // The row may be delivered already, or sealed anew for another session meanwhile: then this answer is about the past.
        let current = row.filter(|row| row.sealed.as_ref().is_some_and(|sealed| sealed.envelope == *envelope));
        match (answer, current) {
            (Answer::Done, Some(row)) => self.on_taken(contact, &key, row),
            (Answer::Done, None) => self.pump(contact),
            (Answer::Denied, Some(row)) => self.on_denied(contact, sequence, &row),
            (Answer::Full { retry_after_secs }, _) => {
                self.hold_relay(contact, relay, sequence, *retry_after_secs, true)
            }
            (Answer::Busy { retry_after_secs }, _) => {
                self.hold_relay(contact, relay, sequence, *retry_after_secs, false)
            }
            (Answer::Refused { reason: _ }, Some(_)) => self.hold_relay(contact, relay, sequence, HOLD_SECS_MAX, false),
            (Answer::Denied | Answer::Refused { reason: _ }, None) => self.pump(contact),
            (Answer::Work { bits }, Some(row)) => self.send_with_proof(contact, relay, sequence, &row, *bits),
            (
                Answer::Info(_)
                | Answer::Subscribed(_)
                | Answer::Bundle(_)
                | Answer::Appended { seq: _ }
                | Answer::Stale { generation: _ }
                | Answer::Entries(_)
                | Answer::Closed
                | Answer::Blob(_)
                | Answer::Work { bits: _ }
                | Answer::Tokens(_)
                | Answer::Forwarded(_)
                | Answer::Unreachable { retry_after_secs: _ },
                _,
            ) => self.hold_relay(contact, relay, sequence, HOLD_SECS_MAX, false),
        }
    }

    /// A relay wants work for a stranger's mailbox first: the same envelope goes again with a proof, or later where it wants too
    /// much. Of a mailbox that was told to us alone none is owed.
    fn send_with_proof(
        &mut self,
        contact: Contact,
        relay: &RelayIdentity,
        sequence: u64,
        row: &OutboxRow,
        bits: u8,
    ) -> Result<(), RowsError> {
        let sealed = row.sealed.as_ref().filter(|sealed| sealed.fronted);
        let purpose = sealed.map(|sealed| Purpose::Send(sealed.mailbox, sealed.envelope));
        if !purpose.is_some_and(|purpose| self.accept_toll(Line::sending(*relay), &purpose, bits)) {
            return self.hold_relay(contact, relay, sequence, HOLD_SECS_MAX, false);
        }
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.cursor = pump.cursor.min(sequence);
        self.pump(contact)
    }

    fn on_taken(&mut self, mut contact: Contact, key: &[u8], mut row: OutboxRow) -> Result<(), RowsError> {
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.denials = 0;
        pump.allowed = pump.allowed.map(|rows| rows * 2).filter(|rows| *rows < IN_FLIGHT_MAX);
        if let Some(sealed) = &mut row.sealed {
            sealed.taken = Some(self.now.secs());
            sealed.bytes = Vec::new().into();
            if pump.held.get(&sealed.relay).is_some_and(|hold| hold.until <= self.now) {
                pump.held.remove(&sealed.relay);
            }
        }
        if row.receipted {
            self.save(key, &row);
        } else {
            self.delete(Table::Outbox, key);
            self.delete(Table::OutboxIndex, row.id.as_bytes());
        }
        if row.message {
            self.message_reached(&row.id, MessageStatus::Sent)?;
        }
        if contact.state == ContactState::Unreachable {
            self.enter(&mut contact, ContactState::Connected)?;
        }
        self.pump(contact)
    }

    fn on_denied(&mut self, mut contact: Contact, sequence: u64, row: &OutboxRow) -> Result<(), RowsError> {
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.cursor = pump.cursor.min(sequence);
        pump.allowed = Some(1);
        if pump.hold.is_some_and(|until| until > self.now) {
            // It was on its way with others of which none arrived either.
            return Ok(());
        }
        if let Some(sealed) = row.sealed.as_ref().filter(|_| contact.connected()) {
            self.pass_over(&contact.root, sealed.mailbox);
            if !matches!(self.route(&contact), Route::Denied) {
                return self.pump(contact);
            }
            self.turn_to_older(&contact);
        }
        match contact.state {
            ContactState::Requested => self.enter(&mut contact, ContactState::LinkDead)?,
            ContactState::Connected => self.enter(&mut contact, ContactState::Unreachable)?,
            ContactState::Connecting
            | ContactState::Incoming
            | ContactState::Declined
            | ContactState::Blocked
            | ContactState::LinkDead
            | ContactState::Unreachable
            | ContactState::LinkForged => {}
        }
        let denials = &mut self.memory.pumps.entry(contact.root).or_default().denials;
        let wait = DENIED_RETRY_SECS_MIN << (*denials).min(10);
        *denials += 1;
        let until = self.after_about(wait.min(DENIED_RETRY_SECS_MAX));
        self.memory.pumps.entry(contact.root).or_default().hold = Some(until);
        self.set_timer(until, &Timer::Outbox(contact.root));
        Ok(())
    }

    /// A relay takes nothing for a contact for now. It is left alone for a while, longer with each time; what waits may go by
    /// another. [SES-31]
    fn hold_relay(
        &mut self,
        contact: Contact,
        relay: &RelayIdentity,
        sequence: u64,
        secs: u32,
        reader: bool,
    ) -> Result<(), RowsError> {
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.cursor = pump.cursor.min(sequence);
        pump.allowed = Some(1);
        let before = pump.held.get(relay).copied();
        if before.is_none_or(|hold| hold.until <= self.now) {
            let times = before.map_or(0, |hold| hold.times);
            let until = self.after_about(secs.max(1 << times.min(12)).min(HOLD_SECS_MAX));
            let hold = Hold { until, reader, times: times + 1 };
            self.memory.pumps.entry(contact.root).or_default().held.insert(*relay, hold);
            self.set_timer(until, &Timer::Outbox(contact.root));
        }
        self.pump(contact)
    }

    /// After a while, and up to half as long again, so that many do not come back at once.
    fn after_about(&mut self, secs: u32) -> Timestamp {
        let millis = u64::from(secs.max(1)) * 1_000;
        let jitter = self.jitter(millis / 2 + 1);
        self.now.plus_millis(millis + jitter)
    }

    /// A contact reads: there is room in a mailbox that was full, and one that was gone may be back.
    pub(crate) fn reader_is_back(&mut self, contact: &ContactId) {
        let Some(pump) = self.memory.pumps.get_mut(contact) else { return };
        pump.held.retain(|_, hold| !hold.reader);
        if pump.hold.take().is_some() {
            pump.denied.clear();
            pump.older = None;
        }
    }

    /// The time a relay asked for is over, or there is a new way.
    pub(crate) fn resume_outbox(&mut self, id: &ContactId) -> Result<(), RowsError> {
        if let Some(contact) = self.contact(id)? {
            self.end_turn_out_of_reach(&contact);
            self.send_another_way(&contact)?;
        }
        self.pump_contact(id)
    }

    /// Everything not delivered yet is sealed anew with the session that seals now, under the same content ids: the old one
    /// may be unopenable for the contact.
    pub(crate) fn seal_anew(&mut self, contact: Contact) -> Result<(), RowsError> {
        for (key, mut row) in self.records::<OutboxRow>(&Range::prefix(contact.root.as_bytes()), usize::MAX)? {
            if row.sealed.take().is_some() {
                self.save(&key, &row);
            }
        }
        let pump = self.memory.pumps.entry(contact.root).or_default();
        pump.cursor = 0;
        pump.in_flight.clear();
        self.pump(contact)
    }

    /// Seals anew what was taken by a relay so long ago that it has expired there.
    pub(crate) fn revive_expired(&mut self) -> Result<(), RowsError> {
        let limit = u64::from(ENVELOPE_TTL_SECS) + EXPIRY_SLACK_SECS;
        let mut revived = BTreeSet::new();
        for (key, mut row) in self.records::<OutboxRow>(&Range::all(), usize::MAX)? {
            let taken = row.sealed.as_ref().and_then(|sealed| sealed.taken);
            if taken.is_some_and(|taken| self.now.secs() >= taken + limit) {
                row.sealed = None;
                self.save(&key, &row);
                revived.insert(contact_of(&key)?);
            }
        }
        for contact in revived {
            self.memory.pumps.entry(contact).or_default().cursor = 0;
            let Some(known) = self.contact(&contact)? else { continue };
            self.repair_full_window(&known)?;
            self.pump_contact(&contact)?;
        }
        Ok(())
    }

    /// Where the window is full of what is lost, only a new session can tell what was received.
    pub(crate) fn repair_full_window(&mut self, contact: &Contact) -> Result<(), RowsError> {
        let active = self.active_session(contact)?;
        if active.is_some_and(|(_, session)| session.unreceipted() >= UNRECEIPTED_PACKETS_MAX) {
            self.want_repair(&contact.root)?;
        }
        Ok(())
    }

    /// Where the window is full of what no relay took, no receipt will ever open it; only a new session can.
    fn repair_lost_window(&mut self, contact: &Contact, session: &Session) -> Result<(), RowsError> {
        let first = self.records::<OutboxRow>(&Range::prefix(contact.root.as_bytes()), IN_FLIGHT_MAX)?;
        let lies_there =
            |row: &OutboxRow| row.sealed.as_ref().is_some_and(|sealed| sealed.session == *session.id().as_bytes());
        if contact.repair_wanted || first.iter().any(|(_, row)| row.taken() && lies_there(row)) {
            return Ok(());
        }
        self.want_repair(&contact.root)
    }

    /// Takes contents out of a contact's outbox that something newer replaces.
    pub(crate) fn drop_waiting(
        &mut self,
        contact: &ContactId,
        replaced: impl Fn(&Body) -> bool,
    ) -> Result<(), RowsError> {
        for (key, row) in self.records::<OutboxRow>(&Range::prefix(contact.as_bytes()), usize::MAX)? {
            let content = Content::decode(row.content.as_slice());
            if content.is_ok_and(|content| replaced(&content.body)) {
                self.delete(Table::OutboxIndex, row.id.as_bytes());
                self.delete(Table::Outbox, &key);
            }
        }
        Ok(())
    }

    pub(crate) fn clear_outbox(&mut self, contact: &ContactId) -> Result<(), RowsError> {
        let rows = self.scan(Table::Outbox, &Range::prefix(contact.as_bytes()), Order::Ascending, usize::MAX)?;
        for (key, row) in rows {
            self.delete(Table::OutboxIndex, OutboxRow::from_row(&row)?.id.as_bytes());
            self.delete(Table::Outbox, &key);
        }
        Ok(())
    }

    /// Sends an ephemeral content now, or not at all.
    pub(crate) fn send_ephemeral(&mut self, contact: &Contact, content: &Content) -> Result<(), RowsError> {
        if contact.held.is_some() {
            return Ok(());
        }
        let Some((SessionRow { front: None, .. }, session)) = self.active_session(contact)? else { return Ok(()) };
        let Route::To(target) = self.route(contact) else { return Ok(()) };
        let Ok(payload) = session.seal_ephemeral(self.rng, &content.encode()) else { return Ok(()) };
        let send = Send {
            mailbox: target.send_id,
            capability: target.capability,
            id: EnvelopeId::from(self.random()),
            ttl_secs: Some(0),
            payload,
            proof: None,
        };
        self.transmit_only(target.relay.identity(), Command::Send(send));
        Ok(())
    }
}

enum Sent {
    Yes,
    No,
    Skipped,
}

fn sequence(key: &[u8]) -> Result<u64, RowsError> {
    let bytes = key.last_chunk().ok_or_else(|| RowsError("an outbox key is damaged".to_owned()))?;
    Ok(u64::from_be_bytes(*bytes))
}

fn contact_of(key: &[u8]) -> Result<ContactId, RowsError> {
    key.get(..32).and_then(|root| root.try_into().ok()).ok_or_else(|| RowsError("an outbox key is damaged".to_owned()))
}
