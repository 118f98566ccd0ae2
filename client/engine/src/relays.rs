//! Conversations with relays: proof of identity first, on each line by itself, then everything that rows say is still to do
//! there.

use sotto_outer::{Answer, Command, ConnectionNonce, Info, RelayAddress, RelayFrame, RelayIdentity, VERSION};

use crate::{
    Change, Effect, Line, Range, Role, RowsError,
    admission::Haste,
    memory::{Pending, Stage},
    proof::{Proof, Question},
    record::{Contact, Known, OwnBundle, OwnMailbox},
    work::Work,
};

impl Work<'_> {
    pub(crate) fn on_connected(&mut self, role: Role, address: &RelayAddress, exporter: Option<[u8; 32]>) {
        let line = Line { relay: *address.identity(), role };
        self.forget_connection(line);
        let nonce = ConnectionNonce::from(self.random());
        // A line that was given up meanwhile is closed by an effect that is on its way.
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
        memory.stage = Stage::Asked(Question::new(nonce, address, exporter));
        self.transmit_on(line, Command::Info(Info { version: VERSION, nonce }), Pending::Info);
    }

    pub(crate) fn on_frame(&mut self, line: Line, frame: RelayFrame) -> Result<(), RowsError> {
        match frame {
            RelayFrame::Answer { request, answer } => self.on_answer(line, request, answer)?,
            // Nothing is subscribed on a line for sending.
            RelayFrame::Deliver(deliver) => {
                if line.role == Role::Reading && self.nonce(line).is_some() {
                    self.on_deliver(&line.relay, deliver)?;
                }
            }
            RelayFrame::CaughtUp { mailbox } => {
                if let Some(memory) = self.memory.lines.get_mut(&line) {
                    memory.backlog.remove(&mailbox);
                }
            }
            // No channel is subscribed.
            RelayFrame::Entry(_) => {}
        }
        self.tell_settled(line);
        Ok(())
    }

    /// Tells once when everything that waited has come and everything asked is answered.
    fn tell_settled(&mut self, line: Line) {
        let told_of = self.speaks_for_relay(line);
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
        let quiet = memory.backlog.is_empty() && memory.unsettled == 0;
        if matches!(memory.stage, Stage::Online(_)) && quiet && !memory.settled {
            memory.settled = true;
            if told_of {
                self.show(Change::CaughtUp { relay: line.relay });
            }
        }
    }

    fn on_answer(&mut self, line: Line, request: u32, answer: Answer) -> Result<(), RowsError> {
        let Some(memory) = self.memory.lines.get_mut(&line) else { return Ok(()) };
        // An answer to nothing we asked is noise of a broken or hostile relay.
        let Some(pending) = memory.pending.remove(&request) else { return Ok(()) };
        if pending.settles() {
            memory.unsettled -= 1;
        }
        self.note_toll(line, &answer);
        let relay = &line.relay;
        match pending {
            Pending::Info => self.on_info(line, &answer),
            Pending::Terms(question) => self.on_terms(line, &question, &answer),
            Pending::TokenKeys => self.on_token_keys(relay, &answer),
            Pending::Tokens(key) => self.on_tokens(relay, &key, &answer),
            Pending::Create(mailbox) => self.on_created(relay, &mailbox, &answer),
            Pending::Subscribe(mailboxes) => self.on_subscribed(relay, &mailboxes, &answer),
            Pending::Delete(target) => {
                self.memory.lines_may_idle = true;
                self.on_deleted(&target, &answer)
            }
            Pending::Publish { bundle, pairs } => self.on_published(&bundle, pairs, &answer),
            Pending::Fetch { contact, bundle } => self.on_bundle(&contact, &bundle, answer),
            Pending::Send { contact, sequence, envelope } => {
                self.on_sent(relay, &contact, sequence, &envelope, &answer)
            }
        }
    }

    fn on_info(&mut self, line: Line, answer: &Answer) -> Result<(), RowsError> {
        let Some(memory) = self.memory.lines.get_mut(&line) else { return Ok(()) };
        let Stage::Asked(question) = &memory.stage else { return Ok(()) };
        match question.check(&line.relay, answer) {
            Proof::Given(nonce, terms) => {
                let place = question.address.clone();
                memory.terms = terms;
                if let Stage::Asked(question) = std::mem::replace(&mut memory.stage, Stage::Online(nonce)) {
                    memory.question = Some(question);
                }
                self.remember_place(place)?;
                self.effect(Effect::Judged(line, Ok(())));
                if self.speaks_for_relay(line) {
                    self.show(Change::Online { relay: line.relay });
                }
                match line.role {
                    Role::Reading => self.resume_reading(&line.relay),
                    Role::Sending => self.resume_sending(&line.relay),
                    Role::Admission => self.ask_for_tokens(&line.relay),
                }
            }
            Proof::Later => {
                self.effect(Effect::Close(line));
                Ok(())
            }
            Proof::Failed(problem) => {
                memory.stage = Stage::Refused;
                self.effect(Effect::Judged(line, Err(problem)));
                self.show(Change::RelayRefused { relay: line.relay, problem });
                self.effect(Effect::Close(line));
                Ok(())
            }
        }
    }

    /// Asks a relay to tell its terms anew, on the line for our own things.
    pub(crate) fn renew_terms(&mut self, relay: &RelayIdentity) {
        let line = Line::reading(*relay);
        let nonce = ConnectionNonce::from(self.random());
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
        let asked = memory.pending.values().any(|pending| matches!(pending, Pending::Terms(_)));
        if let Some(question) = memory.question.as_ref().filter(|_| !asked) {
            let question = question.again(nonce);
            self.transmit_on(line, Command::Info(Info { version: VERSION, nonce }), Pending::Terms(question));
        }
    }

    /// A relay told its terms anew. Whoever answers otherwise than before is not who proved themselves.
    fn on_terms(&mut self, line: Line, question: &Question, answer: &Answer) -> Result<(), RowsError> {
        let before = self.nonce(line);
        match question.check(&line.relay, answer) {
            Proof::Given(nonce, terms) if Some(nonce) == before => {
                let Some(memory) = self.memory.lines.get_mut(&line) else { return Ok(()) };
                if !terms.token_keys.is_empty() {
                    self.memory.token_tries.remove(&line.relay);
                }
                memory.terms = terms;
                memory.terms_outdated = false;
                self.create_wanted(&line.relay)
            }
            Proof::Given(..) | Proof::Later | Proof::Failed(_) => {
                self.effect(Effect::Close(line));
                Ok(())
            }
        }
    }

    /// Does everything that rows say is still to do with our own things at this relay.
    pub(crate) fn resume_reading(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
        if self.online(relay).is_none() {
            return Ok(());
        }
        let mut there = Vec::new();
        for (key, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            if mailbox.relay.identity() != relay {
                continue;
            }
            let id = key.as_slice().try_into().map_err(|_| RowsError("a mailbox key is damaged".to_owned()))?;
            match mailbox.known {
                Known::Wanted => self.create_at_relay(&id)?,
                Known::There => there.push((id, mailbox)),
                Known::Unwanted => self.delete_mailbox_at_relay(&id, &mailbox)?,
            }
        }
        self.subscribe(relay, there)?;
        for (key, bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            if bundle.relay.identity() != relay {
                continue;
            }
            let id = key.as_slice().try_into().map_err(|_| RowsError("a bundle key is damaged".to_owned()))?;
            match bundle.known {
                Known::Wanted => self.publish(&id, bundle)?,
                Known::There => {}
                Known::Unwanted => self.delete_bundle_at_relay(&id, &bundle)?,
            }
        }
        self.look_after_tokens(relay, Haste::IfFew)
    }

    /// Sends everything that waits for this relay.
    fn resume_sending(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
        self.end_outage(relay);
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            self.resume_contact(relay, contact)?;
        }
        Ok(())
    }
}
