//! The engine's door: dispatch, and nothing else.

use crate::{
    Change, Context, Effect, Event, Intent, IntentError, Outcome, Rows, RowsError, Step, Ticket, Watcher,
    memory::Memory,
    record::{Account, Contact},
    work::Work,
};

/// The engine. Holds caches alone; dropping it loses nothing that was committed.
#[derive(Debug, Default)]
pub struct Engine {
    memory: Memory,
}

impl Engine {
    /// An engine with empty caches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`RowsError`] if the database cannot be read: the caller drops the engine, rolls back and begins anew.
    pub fn handle(&mut self, cx: &mut Context<'_>, event: Event) -> Result<Step, RowsError> {
        let mut work = Work::new(cx, &mut self.memory);
        match event {
            Event::Started => work.start()?,
            Event::Intent { ticket, intent } => work.on_intent(ticket, intent)?,
            Event::Connected { role, address, exporter } => work.on_connected(role, &address, exporter),
            Event::Disconnected { line } => work.lose_connection(line)?,
            Event::FrameReceived { line, frame } => work.on_frame(line, frame)?,
            Event::Woken => work.run_timers()?,
        }
        if std::mem::take(&mut work.memory.lines_may_idle) {
            work.drop_idle_lines()?;
        }
        work.ask_wake()?;
        Ok(work.finish())
    }
}

impl Engine {
    /// Locks: what is left of the engine is what counts arrivals, and effects that need no commit.
    ///
    /// # Errors
    /// [`RowsError`] if the mailboxes cannot be read.
    pub fn lock(self, rows: &dyn Rows) -> Result<(Watcher, Vec<Effect>), RowsError> {
        Watcher::take_over(&self.memory, rows)
    }
}

impl Work<'_> {
    fn start(&mut self) -> Result<(), RowsError> {
        self.use_proxy()?;
        self.draw_leases()?;
        for (_, contact) in self.records::<Contact>(&crate::Range::all(), usize::MAX)? {
            for relay in self.relays_of(&contact)? {
                self.want_peer_relay(&relay);
            }
        }
        Ok(())
    }

    fn on_intent(&mut self, ticket: Ticket, intent: Intent) -> Result<(), RowsError> {
        let result = match (intent, self.account()?) {
            (Intent::CreateProfile { name, relay }, _) => self.create_profile(ticket, name, relay)?,
            (Intent::SetName { name }, _) => self.set_name(ticket, name)?,
            (Intent::SetProxy { proxy }, _) => self.set_proxy(ticket, proxy)?,
            (Intent::Admit { credential }, _) => self.admit(ticket, &credential)?,
            (intent, Some(account)) => self.on_account_intent(ticket, account, intent)?,
            (_, None) => Err(IntentError::NoProfile),
        };
        if let Err(error) = result {
            self.show(Change::Answered { ticket, result: Err(error) });
        }
        Ok(())
    }

    fn on_account_intent(
        &mut self,
        ticket: Ticket,
        account: Account,
        intent: Intent,
    ) -> Result<Result<(), IntentError>, RowsError> {
        match intent {
            Intent::CreateProfile { name: _, relay: _ }
            | Intent::SetName { name: _ }
            | Intent::SetProxy { proxy: _ }
            | Intent::Admit { credential: _ } => Ok(Err(IntentError::ProfileExists)),
            Intent::SetRelays { relays } => self.set_relays(ticket, account, relays),
            Intent::ResetAddress => self.reset_address(ticket, account),
            Intent::SwitchAddress { on } => self.switch_address(ticket, account, on),
            Intent::Invite { once } => self.invite(ticket, account, once),
            Intent::Connect { link, text } => self.connect(ticket, &account, link, text),
            Intent::Accept { contact } => self.accept(ticket, &account, &contact),
            Intent::Decline { contact } => {
                self.memory.lines_may_idle = true;
                self.decline(ticket, &contact)
            }
            Intent::Block { contact } => {
                self.memory.lines_may_idle = true;
                self.block(ticket, &contact)
            }
            Intent::AcceptIdentity { contact, offered } => self.accept_identity(ticket, &contact, offered),
            Intent::Reconnect { contact, link } => self.reconnect(ticket, &account, &contact, link),
            Intent::Verify { contact, number } => self.verify(ticket, &account, &contact, &number),
            Intent::Send { contact, text, idempotency_key } => {
                self.send_text(ticket, &account, &contact, text, idempotency_key)
            }
            Intent::Typing { contact, active } => self.type_to(ticket, &contact, active),
            Intent::SetDraft { contact, text } => self.set_draft(ticket, &contact, text),
            Intent::MarkRead { contact } => self.mark_read(ticket, &contact),
            Intent::AckJournal { sequence } => {
                let acked = self.counter(b"journal-acked")?.max(sequence);
                self.set_counter(b"journal-acked", acked);
                self.answer(ticket, Outcome::Done);
                Ok(Ok(()))
            }
        }
    }

    fn type_to(
        &mut self,
        ticket: Ticket,
        id: &crate::ContactId,
        active: bool,
    ) -> Result<Result<(), IntentError>, RowsError> {
        let Some(contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        if contact.connected() {
            // Named and dated like any content, but the clock is not written for what leaves no trace.
            let content = sotto_inner::Content {
                id: self.random::<16>().into(),
                time: sotto_inner::HybridTime::from_millis(self.now.0),
                body: sotto_inner::Body::Typing { active },
            };
            self.send_ephemeral(&contact, &content)?;
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }
}
