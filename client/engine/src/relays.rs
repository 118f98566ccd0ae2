//! Conversations with relays: proof of identity first, then everything that rows say is still to do there.

use sotto_outer::{
    Answer, Command, ConnectionNonce, Info, InfoAnswer, RelayAddress, RelayFrame, RelayIdentity, VERSION, signed,
};

use crate::{
    Change, Effect, Range, RelayProblem, RowsError,
    memory::{Pending, Question, Stage},
    record::{Contact, Known, OwnBundle, OwnMailbox},
    timers::Timer,
    work::Work,
};

/// Relays connected at most.
const RELAYS_MAX: usize = 256;
/// The longest a relay's wish for patience is heeded.
const RETRY_SECS_MAX: u32 = 3_600;
/// Places tried for one relay.
const RELAY_ADDRESSES_MAX: usize = 4;

impl Work<'_> {
    /// Asks the driver for a connection, once for each place the relay is said to be at.
    pub(crate) fn want_relay(&mut self, relay: &RelayAddress) {
        if self.memory.relays.len() >= RELAYS_MAX && !self.memory.relays.contains_key(relay.identity()) {
            return;
        }
        let addresses = &mut self.memory.relays.entry(*relay.identity()).or_default().addresses;
        if addresses.len() < RELAY_ADDRESSES_MAX && addresses.insert(relay.clone()) {
            self.effect(Effect::Connect(relay.clone()));
        }
    }

    /// The same for a place that someone else named: where our own relay is, we know better.
    pub(crate) fn want_peer_relay(&mut self, relay: &RelayAddress) -> Result<(), RowsError> {
        let own = self.account()?.is_some_and(|account| account.relay.identity() == relay.identity());
        if !own {
            self.want_relay(relay);
        }
        Ok(())
    }

    /// A relay asked for patience: everything still to do there is tried again then.
    pub(crate) fn retry_relay_later(&mut self, relay: &RelayIdentity, answer: &Answer) {
        if let Answer::Busy { retry_after_secs } | Answer::Full { retry_after_secs } = answer {
            let secs = u64::from((*retry_after_secs).clamp(1, RETRY_SECS_MAX));
            let wait = secs * 1_000 + self.jitter(secs * 500);
            self.set_timer(self.now.plus_millis(wait), &Timer::Relay(*relay));
        }
    }

    /// The connection's nonce, if the relay proved who it is.
    pub(crate) fn online(&self, relay: &RelayIdentity) -> Option<ConnectionNonce> {
        match self.memory.relays.get(relay)?.stage {
            Stage::Online(nonce) => Some(nonce),
            Stage::Down | Stage::Asked(_) | Stage::Refused => None,
        }
    }

    /// Sends a command; its answer will find `pending`.
    pub(crate) fn transmit(&mut self, relay: &RelayIdentity, command: Command, pending: Pending) {
        let request = self.transmit_only(relay, command);
        let memory = self.memory.relays.entry(*relay).or_default();
        if pending.settles() {
            memory.settled = false;
            memory.unsettled += 1;
        }
        memory.pending.insert(request, pending);
    }

    /// Sends a command on whose answer nothing depends.
    pub(crate) fn transmit_only(&mut self, relay: &RelayIdentity, command: Command) -> u32 {
        self.memory.requests = self.memory.requests.wrapping_add(1);
        let request = self.memory.requests;
        self.effect(Effect::Transmit(*relay, sotto_outer::ClientFrame { request, command }));
        request
    }

    pub(crate) fn on_connected(&mut self, address: &RelayAddress, exporter: Option<[u8; 32]>) {
        let relay = address.identity();
        self.forget_connection(relay);
        let nonce = ConnectionNonce::from(self.random());
        let question = Question { nonce, place: address.place(), exporter };
        self.memory.relays.entry(*relay).or_default().stage = Stage::Asked(question);
        self.transmit(relay, Command::Info(Info { version: VERSION, nonce }), Pending::Info);
    }

    pub(crate) fn on_disconnected(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
        let was_online = self.online(relay).is_some();
        self.forget_connection(relay);
        if was_online {
            self.show(Change::Offline { relay: *relay });
        }
        self.answer_invites_unpublished(relay)
    }

    /// Nothing sent on a lost connection will be answered: rows say what must be sent again.
    fn forget_connection(&mut self, relay: &RelayIdentity) {
        let memory = self.memory.relays.entry(*relay).or_default();
        memory.stage = Stage::Down;
        memory.settled = false;
        memory.unsettled = 0;
        memory.backlog.clear();
        memory.recreated.clear();
        for pending in std::mem::take(&mut memory.pending).into_values() {
            if let Pending::Send { contact, sequence, envelope: _ } = pending {
                let pump = self.memory.pumps.entry(contact).or_default();
                pump.in_flight.remove(&sequence);
                pump.cursor = pump.cursor.min(sequence);
            }
        }
    }

    pub(crate) fn on_frame(&mut self, relay: &RelayIdentity, frame: RelayFrame) -> Result<(), RowsError> {
        match frame {
            RelayFrame::Answer { request, answer } => self.on_answer(relay, request, answer)?,
            RelayFrame::Deliver(deliver) => {
                if self.online(relay).is_some() {
                    self.on_deliver(relay, deliver)?;
                }
            }
            RelayFrame::CaughtUp { mailbox } => {
                if let Some(memory) = self.memory.relays.get_mut(relay) {
                    memory.backlog.remove(&mailbox);
                }
            }
        }
        self.tell_settled(relay);
        Ok(())
    }

    /// Tells once when everything that waited has come and everything asked is answered.
    fn tell_settled(&mut self, relay: &RelayIdentity) {
        let Some(memory) = self.memory.relays.get_mut(relay) else { return };
        let quiet = memory.backlog.is_empty() && memory.unsettled == 0;
        if matches!(memory.stage, Stage::Online(_)) && quiet && !memory.settled {
            memory.settled = true;
            self.show(Change::CaughtUp { relay: *relay });
        }
    }

    fn on_answer(&mut self, relay: &RelayIdentity, request: u32, answer: Answer) -> Result<(), RowsError> {
        let Some(memory) = self.memory.relays.get_mut(relay) else { return Ok(()) };
        // An answer to nothing we asked is noise of a broken or hostile relay.
        let Some(pending) = memory.pending.remove(&request) else { return Ok(()) };
        if pending.settles() {
            memory.unsettled -= 1;
        }
        match pending {
            Pending::Info => self.on_info(relay, answer),
            Pending::Create(mailbox) => self.on_created(relay, &mailbox, &answer),
            Pending::Subscribe(mailboxes) => self.on_subscribed(relay, &mailboxes, &answer),
            Pending::Delete(target) => self.on_deleted(&target, &answer),
            Pending::Publish { bundle, pairs } => self.on_published(&bundle, pairs, &answer),
            Pending::Fetch(contact) => self.on_bundle(&contact, answer),
            Pending::Send { contact, sequence, envelope } => self.on_sent(&contact, sequence, &envelope, &answer),
        }
    }

    fn on_info(&mut self, relay: &RelayIdentity, answer: Answer) -> Result<(), RowsError> {
        let proof = match answer {
            Answer::Info(info) => self.check_info(relay, info),
            Answer::Refused { reason: sotto_outer::RefusedReason::Version } => Err(RelayProblem::WrongVersion),
            Answer::Busy { retry_after_secs: _ } => {
                self.effect(Effect::Close(*relay));
                return Ok(());
            }
            Answer::Done
            | Answer::Denied
            | Answer::Full { retry_after_secs: _ }
            | Answer::Refused { reason: _ }
            | Answer::Subscribed(_)
            | Answer::Bundle(_) => Err(RelayProblem::WrongIdentity),
        };
        let stage = match &proof {
            Ok(nonce) => Stage::Online(*nonce),
            Err(_) => Stage::Refused,
        };
        self.memory.relays.entry(*relay).or_default().stage = stage;
        match proof {
            Ok(_) => {
                self.show(Change::Online { relay: *relay });
                self.resume_relay(relay)
            }
            Err(problem) => {
                self.show(Change::RelayRefused { relay: *relay, problem });
                self.effect(Effect::Close(*relay));
                Ok(())
            }
        }
    }

    fn check_info(&self, relay: &RelayIdentity, info: InfoAnswer) -> Result<ConnectionNonce, RelayProblem> {
        let Some(Stage::Asked(Question { nonce, place, exporter })) =
            self.memory.relays.get(relay).map(|memory| &memory.stage)
        else {
            return Err(RelayProblem::WrongIdentity);
        };
        if info.version != VERSION {
            return Err(RelayProblem::WrongVersion);
        }
        let bytes = signed::welcome(relay, place, nonce, &info.nonce, exporter.as_ref());
        if info.identity != *relay || sotto_crypto::verify_relay(relay, &bytes, &info.signature).is_err() {
            return Err(RelayProblem::WrongIdentity);
        }
        Ok(info.nonce)
    }

    /// Does everything that rows say is still to do at this relay.
    pub(crate) fn resume_relay(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
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
                Known::Wanted => self.create_at_relay(&id, &mailbox),
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
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            self.resume_contact(relay, contact)?;
        }
        Ok(())
    }
}
