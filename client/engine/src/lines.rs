//! Which lines are kept: one for our own things at each relay that holds them, one for others' things at each relay where a
//! contact is reached; and none that nothing needs any more.

use std::collections::BTreeSet;

use sotto_inner::MailboxAddress;
use sotto_outer::{Answer, ClientFrame, Command, ConnectionNonce, RelayAddress, RelayIdentity};

use crate::{
    Change, Effect, IntentError, Line, Outcome, ProxyAddress, Range, Role, RowsError, Table, Ticket,
    memory::{Pending, Stage},
    record::{Contact, OwnBundle, OwnMailbox},
    timers::Timer,
    work::Work,
};

/// Lines to contacts' relays at most. Where our own things lie we chose ourselves.
const SENDING_LINES_MAX: usize = 256;
/// The longest a relay's wish for patience is heeded.
const RETRY_SECS_MAX: u32 = 3_600;
/// Places tried for one relay.
const RELAY_ADDRESSES_MAX: usize = 4;

impl Work<'_> {
    /// Wants the line for our own things at a relay.
    pub(crate) fn want_relay(&mut self, relay: &RelayAddress) {
        self.want_line(Role::Reading, relay);
    }

    /// Wants the line for what we send to a place that someone else named: where a relay of our own is, we know better.
    pub(crate) fn want_peer_relay(&mut self, relay: &RelayAddress) {
        let own = self.memory.lines.get(&Line::reading(*relay.identity()));
        match own.map(|own| own.addresses.clone()).filter(|addresses| !addresses.is_empty()) {
            Some(addresses) => addresses.iter().for_each(|address| self.want_line(Role::Sending, address)),
            None => self.want_line(Role::Sending, relay),
        }
    }

    /// Asks the driver for a line, once for each place the relay is said to be at.
    fn want_line(&mut self, role: Role, relay: &RelayAddress) {
        let line = Line { relay: *relay.identity(), role };
        let lines = &mut self.memory.lines;
        if role == Role::Sending
            && !lines.contains_key(&line)
            && lines.keys().filter(|line| line.role == Role::Sending).count() >= SENDING_LINES_MAX
        {
            return;
        }
        let addresses = &mut lines.entry(line).or_default().addresses;
        if addresses.len() < RELAY_ADDRESSES_MAX && addresses.insert(relay.clone()) {
            self.effect(Effect::Connect(role, relay.clone()));
            if role == Role::Sending && !self.can_send_to(relay.identity()) {
                self.note_outage(relay.identity());
            }
        }
    }

    /// Where a contact is reached, or may become reachable.
    pub(crate) fn relays_of(&self, contact: &Contact) -> Result<Vec<RelayAddress>, RowsError> {
        let mut relays: Vec<_> = contact.link.iter().map(|link| link.relay.clone()).collect();
        if contact.connected() {
            relays.extend(contact.theirs.all().map(|mailbox| mailbox.relay.clone()));
        }
        let front = self.active_session(contact)?.and_then(|(row, _)| row.front);
        relays.extend(front.and_then(|front| front.mailbox).map(|MailboxAddress { relay, .. }| relay));
        Ok(relays)
    }

    /// Gives up lines to relays where nothing of ours lies, or no contact is reached any more.
    pub(crate) fn drop_idle_lines(&mut self) -> Result<(), RowsError> {
        let mut needed = BTreeSet::new();
        for (_, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            needed.insert(Line::reading(*mailbox.relay.identity()));
        }
        for (_, bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            needed.insert(Line::reading(*bundle.relay.identity()));
        }
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            let relays = self.relays_of(&contact)?;
            needed.extend(relays.iter().map(|relay| Line::sending(*relay.identity())));
        }
        let idle: Vec<Line> = self.memory.lines.keys().filter(|line| !needed.contains(line)).copied().collect();
        for line in idle {
            self.lose_connection(line)?;
            if line.role == Role::Sending {
                self.end_outage(&line.relay);
            }
            self.memory.lines.remove(&line);
            self.effect(Effect::Disconnect(line));
        }
        Ok(())
    }

    /// Tells the driver how lines are dialled; before any is.
    pub(crate) fn use_proxy(&mut self) -> Result<(), RowsError> {
        let proxy = self.load::<ProxyAddress>(ProxyAddress::KEY)?;
        self.effect(Effect::UseProxy(proxy));
        Ok(())
    }

    /// From now on every line goes through this proxy, or through none: all are dialled anew.
    pub(crate) fn set_proxy(
        &mut self,
        ticket: Ticket,
        proxy: Option<ProxyAddress>,
    ) -> Result<Result<(), IntentError>, RowsError> {
        if self.load::<ProxyAddress>(ProxyAddress::KEY)? != proxy {
            match &proxy {
                Some(proxy) => self.save(ProxyAddress::KEY, proxy),
                None => self.delete(Table::Meta, ProxyAddress::KEY),
            }
            for line in self.memory.lines.keys().copied().collect::<Vec<_>>() {
                self.lose_connection(line)?;
            }
            self.use_proxy()?;
            let places = self.memory.lines.iter().flat_map(|(line, memory)| {
                memory.addresses.iter().map(|address| Effect::Connect(line.role, address.clone()))
            });
            places.collect::<Vec<_>>().into_iter().for_each(|connect| self.effect(connect));
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    /// A relay asked for patience: everything of ours still to do there is tried again then.
    pub(crate) fn retry_relay_later(&mut self, relay: &RelayIdentity, answer: &Answer) {
        if let Answer::Busy { retry_after_secs } | Answer::Full { retry_after_secs } = answer {
            let secs = u64::from((*retry_after_secs).clamp(1, RETRY_SECS_MAX));
            let wait = secs * 1_000 + self.jitter(secs * 500);
            self.set_timer(self.now.plus_millis(wait), &Timer::Relay(*relay));
        }
    }

    /// The nonce of the line for our own things, if the relay proved there who it is.
    pub(crate) fn online(&self, relay: &RelayIdentity) -> Option<ConnectionNonce> {
        self.nonce(Line::reading(*relay))
    }

    /// Whether the relay proved who it is on the line for others' things.
    pub(crate) fn can_send_to(&self, relay: &RelayIdentity) -> bool {
        self.nonce(Line::sending(*relay)).is_some()
    }

    pub(crate) fn nonce(&self, line: Line) -> Option<ConnectionNonce> {
        match self.memory.lines.get(&line)?.stage {
            Stage::Online(nonce) => Some(nonce),
            Stage::Down | Stage::Asked(_) | Stage::Refused => None,
        }
    }

    /// Whether this line is the one that is told of when people ask how a relay stands.
    pub(crate) fn speaks_for_relay(&self, line: Line) -> bool {
        line.role == Role::Reading || !self.memory.lines.contains_key(&Line::reading(line.relay))
    }

    /// Sends a command on the line that it belongs to; its answer will find `pending`.
    pub(crate) fn transmit(&mut self, relay: &RelayIdentity, command: Command, pending: Pending) {
        self.transmit_on(Line { relay: *relay, role: Role::of(&command) }, command, pending);
    }

    pub(crate) fn transmit_on(&mut self, line: Line, command: Command, pending: Pending) {
        let request = self.say(line, command);
        let memory = self.memory.lines.entry(line).or_default();
        if pending.settles() {
            memory.settled = false;
            memory.unsettled += 1;
        }
        memory.pending.insert(request, pending);
    }

    /// Sends a command on whose answer nothing depends.
    pub(crate) fn transmit_only(&mut self, relay: &RelayIdentity, command: Command) {
        self.say(Line { relay: *relay, role: Role::of(&command) }, command);
    }

    /// Each connection counts its requests by itself: a number that went on elsewhere would tell that two are one client's.
    fn say(&mut self, line: Line, command: Command) -> u32 {
        let memory = self.memory.lines.entry(line).or_default();
        memory.requests = memory.requests.wrapping_add(1);
        let request = memory.requests;
        self.effect(Effect::Transmit(line, ClientFrame { request, command }));
        request
    }

    /// A line's connection is gone, or of no use from now on.
    pub(crate) fn lose_connection(&mut self, line: Line) -> Result<(), RowsError> {
        let was_online = self.nonce(line).is_some();
        self.forget_connection(line);
        if was_online && self.speaks_for_relay(line) {
            self.show(Change::Offline { relay: line.relay });
        }
        match line.role {
            Role::Reading => self.answer_invites_unpublished(&line.relay),
            Role::Sending => {
                self.note_outage(&line.relay);
                Ok(())
            }
        }
    }

    /// Nothing sent on a lost connection will be answered: rows say what must be sent again.
    pub(crate) fn forget_connection(&mut self, line: Line) {
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
        memory.stage = Stage::Down;
        memory.requests = 0;
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
}
