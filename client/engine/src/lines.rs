//! Which lines are kept: one for our own things at each relay that holds them, one for others' things at each relay where a
//! contact is reached, one at each relay that is asked for tokens; and none that nothing needs any more.

use std::collections::{BTreeSet, btree_map::Entry};

use sotto_inner::MailboxAddress;
use sotto_outer::{Answer, ClientFrame, Command, ConnectionNonce, RelayAddress, RelayIdentity};

use crate::{
    Change, Effect, IntentError, Line, Outcome, ProxyAddress, Range, Role, RowsError, Table, Ticket,
    memory::{LineMemory, Pending, Stage},
    proof::ProvenPlace,
    record::{Contact, OwnBundle, OwnMailbox},
    timers::Timer,
    work::Work,
};

/// Lines to contacts' relays at most. Where our own things lie we chose ourselves.
const SENDING_LINES_MAX: usize = 256;
/// The longest a relay's wish for patience is heeded.
const RETRY_SECS_MAX: u32 = 3_600;
/// Places of one relay that one contact is believed to know: none can crowd out what another says.
const CONTACT_PLACES_MAX: usize = 2;

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
            None if self.may_dial(relay) => self.want_line(Role::Sending, relay),
            None => {}
        }
    }

    /// Whether a place that someone told is one to dial. What cannot be read cannot be read elsewhere either, where it is said.
    fn may_dial(&self, told: &RelayAddress) -> bool {
        let Ok(Some(account)) = self.account() else { return true };
        crate::told::is_dialled(told, account.relays().collect::<Vec<_>>().into_iter())
    }

    /// Asks the driver for a line, once for each place the relay is said to be at.
    pub(crate) fn want_line(&mut self, role: Role, relay: &RelayAddress) {
        let line = Line { relay: *relay.identity(), role };
        let lines = &self.memory.lines;
        if role == Role::Sending
            && !lines.contains_key(&line)
            && lines.keys().filter(|line| line.role == Role::Sending).count() >= SENDING_LINES_MAX
        {
            return;
        }
        if let Entry::Vacant(vacant) = self.memory.lines.entry(line) {
            vacant.insert(LineMemory::default());
            // What cannot be read here cannot be read elsewhere either, where it is said; this is but a better first guess.
            if let Ok(Some(proven)) = self.load::<ProvenPlace>(&ProvenPlace::key(relay.identity())) {
                self.add_place(line, &proven.address);
            }
        }
        if self.add_place(line, relay) && role == Role::Sending {
            // Others may be named no more.
            self.memory.lines_may_idle = true;
            if !self.can_send_to(relay.identity()) {
                self.note_outage(relay.identity());
            }
        }
    }

    /// Says whether it is news that the relay may be there.
    fn add_place(&mut self, line: Line, place: &RelayAddress) -> bool {
        let news = self.memory.lines.get_mut(&line).is_some_and(|memory| memory.addresses.insert(place.clone()));
        if news {
            self.effect(Effect::Connect(line.role, place.clone()));
        }
        news
    }

    /// The relay proved that it is here.
    pub(crate) fn remember_place(&mut self, address: RelayAddress) -> Result<(), RowsError> {
        let key = ProvenPlace::key(address.identity());
        let place = Some(ProvenPlace { address });
        if self.load(&key)? != place
            && let Some(place) = place
        {
            self.save(&key, &place);
        }
        Ok(())
    }

    /// Where a contact is reached, or may become reachable; of each relay the newest places.
    pub(crate) fn relays_of(&self, contact: &Contact) -> Result<Vec<RelayAddress>, RowsError> {
        let front = self.active_session(contact)?.and_then(|(row, _)| row.front);
        let front = front.and_then(|front| front.mailbox).map(|MailboxAddress { relay, .. }| relay);
        let theirs = contact.theirs.all().filter(|_| contact.connected()).map(|mailbox| mailbox.relay.clone());
        let mut relays = Vec::new();
        for relay in theirs.chain(front).chain(contact.link.iter().map(|link| link.relay.clone())) {
            let places = relays.iter().filter(|known: &&RelayAddress| known.identity() == relay.identity()).count();
            if places < CONTACT_PLACES_MAX && !relays.contains(&relay) {
                relays.push(relay);
            }
        }
        Ok(relays)
    }

    /// Gives up lines to relays where nothing of ours lies, or no contact is reached any more, and places that are named no
    /// more.
    pub(crate) fn drop_idle_lines(&mut self) -> Result<(), RowsError> {
        let (mut needed, mut named) = (BTreeSet::new(), BTreeSet::new());
        for (_, mailbox) in self.records::<OwnMailbox>(&Range::all(), usize::MAX)? {
            needed.insert(Line::reading(*mailbox.relay.identity()));
        }
        for (_, bundle) in self.records::<OwnBundle>(&Range::all(), usize::MAX)? {
            needed.insert(Line::reading(*bundle.relay.identity()));
        }
        for (_, contact) in self.records::<Contact>(&Range::all(), usize::MAX)? {
            let relays = self.relays_of(&contact)?;
            needed.extend(relays.iter().map(|relay| Line::sending(*relay.identity())));
            named.extend(relays);
        }
        needed.extend(self.memory.asking.iter().map(|relay| Line::admission(*relay)));
        let idle: Vec<Line> = self.memory.lines.keys().filter(|line| !needed.contains(line)).copied().collect();
        for line in idle {
            self.lose_connection(line)?;
            if line.role == Role::Sending {
                self.end_outage(&line.relay);
            }
            self.memory.lines.remove(&line);
            self.effect(Effect::Disconnect(line));
            if !self.memory.lines.keys().any(|other| other.relay == line.relay) {
                self.delete(Table::Meta, &ProvenPlace::key(&line.relay));
            }
        }
        self.drop_stale_places(&named)
    }

    /// Forgets where contacts' relays are said to be no more. Where our own are, we know better than anyone.
    fn drop_stale_places(&mut self, named: &BTreeSet<RelayAddress>) -> Result<(), RowsError> {
        let lines = &self.memory.lines;
        let of_contacts = lines.iter().filter(|(line, memory)| {
            line.role == Role::Sending && memory.addresses.len() > 1 && !lines.contains_key(&Line::reading(line.relay))
        });
        let unnamed: Vec<RelayAddress> =
            of_contacts.flat_map(|(_, memory)| memory.addresses.difference(named).cloned()).collect();
        for place in unnamed {
            let proven = self.load::<ProvenPlace>(&ProvenPlace::key(place.identity()))?;
            if proven.is_some_and(|proven| proven.address == place) {
                continue;
            }
            if let Some(memory) = self.memory.lines.get_mut(&Line::sending(*place.identity())) {
                memory.addresses.remove(&place);
                self.effect(Effect::Leave(Role::Sending, place));
            }
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
            for (line, places) in self.places_by_line() {
                let proven = self.load::<ProvenPlace>(&ProvenPlace::key(&line.relay))?.map(|proven| proven.address);
                let (first, others): (Vec<_>, Vec<_>) =
                    places.into_iter().partition(|place| Some(place) == proven.as_ref());
                for place in first.into_iter().chain(others) {
                    self.effect(Effect::Connect(line.role, place));
                }
            }
        }
        self.answer(ticket, Outcome::Done);
        Ok(Ok(()))
    }

    fn places_by_line(&self) -> Vec<(Line, BTreeSet<RelayAddress>)> {
        self.memory.lines.iter().map(|(line, memory)| (*line, memory.addresses.clone())).collect()
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
        let Some(request) = self.say(line, command) else { return };
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
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
    /// Where no line is wanted nothing is said.
    fn say(&mut self, line: Line, command: Command) -> Option<u32> {
        let memory = self.memory.lines.get_mut(&line)?;
        memory.requests = memory.requests.wrapping_add(1);
        let request = memory.requests;
        self.effect(Effect::Transmit(line, ClientFrame { request, command }));
        Some(request)
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
            Role::Admission => Ok(()),
        }
    }

    /// Nothing sent on a lost connection will be answered: rows say what must be sent again.
    pub(crate) fn forget_connection(&mut self, line: Line) {
        let Some(memory) = self.memory.lines.get_mut(&line) else { return };
        memory.stage = Stage::Down;
        memory.requests = 0;
        memory.token_bits = 0;
        memory.question = None;
        memory.terms_outdated = false;
        memory.refusals = 0;
        memory.proof_counter = 0;
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

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
    use sotto_inner::Mailboxes;
    use sotto_outer::Tls;

    use super::*;
    use crate::{ContactId, ContactState, Context, Order, Rows, Timestamp, Value, memory::Memory};

    /// Nothing lies below the step.
    struct Nothing;

    impl Rows for Nothing {
        fn get(&self, _: Table, _: &[u8]) -> Result<Option<Value>, RowsError> {
            Ok(None)
        }

        fn scan(&self, _: Table, _: &Range, _: Order, _: usize) -> Result<Vec<(Vec<u8>, Value)>, RowsError> {
            Ok(Vec::new())
        }
    }

    const RELAY: [u8; 32] = [9; 32];

    fn with_work(test: impl FnOnce(&mut Work<'_>)) -> Vec<Effect> {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut cx = Context { now: Timestamp(1_000), rng: &mut rng, rows: &Nothing };
        let mut memory = Memory::default();
        let mut work = Work::new(&mut cx, &mut memory);
        test(&mut work);
        work.finish().effects()
    }

    fn place(host: &str) -> RelayAddress {
        RelayAddress::new(host, 443, Tls::Own, RELAY.into()).unwrap()
    }

    /// A contact who told these places of the relay one after the other.
    fn contact(work: &mut Work<'_>, root: u8, hosts: &[&str]) -> Contact {
        let mut contact = Contact::new(ContactId::from([root; 32]), ContactState::Connected);
        for (at, host) in hosts.iter().enumerate() {
            let name = u8::try_from(at).unwrap();
            let address =
                MailboxAddress { relay: place(host), send_id: [name; 16].into(), capability: [name; 32].into() };
            let generation = at as u64 + 1;
            assert!(contact.theirs.learn(&Mailboxes { generation, addresses: vec![address] }));
        }
        work.save_contact(&contact);
        for relay in work.relays_of(&contact).unwrap() {
            work.want_peer_relay(&relay);
        }
        contact
    }

    fn places(work: &Work<'_>) -> Vec<String> {
        let line = &work.memory.lines[&Line::sending(RELAY.into())];
        line.addresses.iter().map(|place| place.host().to_owned()).collect()
    }

    #[test]
    fn nobody_crowds_out_the_place_another_contact_names() {
        with_work(|work| {
            contact(work, 1, &["lie-a.test", "lie-b.test", "lie-c.test", "lie-d.test", "lie-e.test"]);
            contact(work, 2, &["relay.test"]);
            work.drop_idle_lines().unwrap();
            assert_eq!(places(work), ["lie-d.test", "lie-e.test", "relay.test"]);
        });
    }

    #[test]
    fn a_place_named_no_more_is_left_unless_the_relay_proved_itself_there() {
        let effects = with_work(|work| {
            contact(work, 1, &["old.test", "relay.test"]);
            work.remember_place(place("relay.test")).unwrap();
            contact(work, 1, &["new.test"]);
            assert!(std::mem::take(&mut work.memory.lines_may_idle));
            work.drop_idle_lines().unwrap();
            assert_eq!(places(work), ["new.test", "relay.test"]);
        });
        let left = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Leave(Role::Sending, left) if *left == place("old.test")));
        assert!(left);
    }

    #[test]
    fn the_place_that_proved_itself_last_is_dialled_first() {
        let effects = with_work(|work| {
            work.remember_place(place("relay.test")).unwrap();
            contact(work, 1, &["lie.test"]);
        });
        let dialled: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Connect(_, place) => Some(place.host()),
                _ => None,
            })
            .collect();
        assert_eq!(dialled, ["relay.test", "lie.test"]);
    }
}
