//! What must be so once everything has come to rest: nothing lost, nothing twice, the same order for both, nothing left waiting.

use std::collections::{BTreeMap, BTreeSet};

use sotto_engine::{
    ContactId, ContactState, ContactView, Happening, MessageStatus, MessageView, Rows, Table,
    record::{Contact, Record},
    view,
};
use sotto_inner::LinkKind;

use super::{
    World,
    client::{Client, ClientId},
    clock::{BEGINNING, DAY, HOUR, MINUTE},
    reader::Verdict,
};

/// The longest that a world may take to come to rest: an envelope may have to expire, and a repair to wait its turn.
const REST_DAYS: u64 = 60;

impl World {
    /// Lets a world without faults come to rest, and checks it.
    ///
    /// # Panics
    /// If something is not as it must be.
    pub fn settle(&mut self) {
        self.calm();
        let mut step = MINUTE;
        let until = self.now() + REST_DAYS * DAY;
        while !problems(self).is_empty() && self.now() < until {
            self.run_for(step);
            step = (step * 2).min(6 * HOUR);
        }
        let problems = problems(self);
        assert!(problems.is_empty(), "seed {:x}:\n{}", self.seed(), problems.join("\n"));
    }

    /// Ends all that goes wrong by chance, and starts and connects everyone.
    pub fn calm(&mut self) {
        self.faults = super::Faults::default();
        if self.hostile.mischief != super::Mischief::default() {
            // What was kept back comes again on a new line.
            self.set_mischief(super::Mischief::default());
            for conn in self.network.standing() {
                self.cut(conn);
            }
        }
        self.set_weather(super::Weather::FAIR);
        for id in self.relay_ids() {
            if !self.buried.contains(&id) {
                self.start_relay_of(id);
            }
        }
        for index in 0..self.clients.len() {
            self.set_online(ClientId(index), true);
            self.start(ClientId(index));
        }
    }
}

/// All that is not as it must be at rest.
pub fn problems(world: &World) -> Vec<String> {
    let mut problems = Vec::new();
    let people = People::of(world);
    for (id, client) in world.clients() {
        stream(id, client, &mut problems);
        requests(world, &people, id, &mut problems);
        nothing_waits(world, &people, id, client, &mut problems);
    }
    for (a, b) in people.connected(world) {
        same_history(world, a, b, &mut problems);
    }
    accepted_arrived(world, &people, &mut problems);
    if world.reader.reused > 0 {
        problems.push(format!("{} keystreams lay over two bodies", world.reader.reused));
    }
    let shut: Vec<_> = world.released().iter().filter(|released| released.verdict == Verdict::Shut).collect();
    if let Some(first) = shut.first().filter(|_| !world.lossy) {
        let (count, after) = (shut.len(), first.time - BEGINNING);
        problems.push(format!(
            "{count} packets were released that nobody can open, the first by {:?} after {after} ms",
            first.from
        ));
    }
    let alive = world.relay_ids().filter(|id| !world.buried.contains(id));
    let left: usize = alive.map(|id| world.relay_of(id).payloads().count()).sum();
    if left > 0 {
        problems.push(format!("{left} envelopes are left at relays"));
    }
    problems
}

/// Who is who.
struct People {
    by_root: BTreeMap<ContactId, ClientId>,
}

impl People {
    fn of(world: &World) -> Self {
        let ids = world.clients().map(|(id, _)| id);
        let by_root = ids.filter_map(|id| world.account(id).map(|account| (account.root, id))).collect();
        Self { by_root }
    }

    /// Pairs that agreed, each once.
    fn connected(&self, world: &World) -> Vec<(ClientId, ClientId)> {
        let mut pairs = Vec::new();
        for (&root, &id) in &self.by_root {
            for (&other_root, &other) in self.by_root.range(..root) {
                let agreed = state(world, id, &other_root) == Some(ContactState::Connected)
                    && state(world, other, &root) == Some(ContactState::Connected);
                if agreed {
                    pairs.push((other, id));
                }
            }
        }
        pairs
    }
}

fn state(world: &World, of: ClientId, contact: &ContactId) -> Option<ContactState> {
    let contact = view::contact(world.client(of).rows(), contact).expect("rows in memory can be read");
    contact.map(|contact| contact.state)
}

/// Every message of a chat, oldest first.
pub fn history(client: &Client, chat: &ContactId) -> Vec<MessageView> {
    view::history(client.rows(), chat, None, usize::MAX).expect("rows in memory can be read")
}

/// The event stream: numbers grow, and a message is new once.
fn stream(id: ClientId, client: &Client, problems: &mut Vec<String>) {
    let journal = view::journal(client.rows(), 0, usize::MAX).expect("rows in memory can be read");
    let mut new = BTreeSet::new();
    for (_, entry) in &journal {
        if let Happening::MessageNew { chat: _, id: content } = &entry.happening
            && !new.insert(*content)
        {
            problems.push(format!("{id:?}: a message is new twice in the event stream"));
        }
    }
    if !journal.is_sorted_by(|a, b| a.0 < b.0) {
        problems.push(format!("{id:?}: the event stream is out of order"));
    }
    if !client.seen().happenings.is_sorted_by(|a, b| a.0 < b.0) {
        problems.push(format!("{id:?}: something was shown twice"));
    }
}

/// A request has reached whom it was for, and the answer has come back.
fn requests(world: &World, people: &People, id: ClientId, problems: &mut Vec<String>) {
    let Some(account) = world.account(id) else { return };
    let client = world.client(id);
    let contacts = view::contacts(client.rows()).expect("rows in memory can be read");
    for contact in contacts {
        let Some(&other) = people.by_root.get(&contact.id) else { continue };
        let theirs = state(world, other, &account.root);
        let wrong = match contact.state {
            ContactState::Connecting => true,
            // Who used an invitation second is never told: the owner cannot know of them.
            ContactState::Requested => {
                theirs == Some(ContactState::Connected) || (theirs.is_none() && !by_invitation(client, &contact.id))
            }
            ContactState::Connected => {
                theirs == Some(ContactState::Incoming) || theirs == Some(ContactState::Requested)
            }
            ContactState::Incoming
            | ContactState::Declined
            | ContactState::Blocked
            | ContactState::LinkDead
            | ContactState::Unreachable
            | ContactState::LinkForged => false,
        };
        if wrong {
            problems.push(format!("{id:?} is {:?} with {other:?}, who is {theirs:?}", contact.state));
        }
    }
}

fn by_invitation(client: &Client, contact: &ContactId) -> bool {
    let row = client.rows().get(Table::Contact, contact.as_bytes()).expect("rows in memory can be read");
    let contact = row.map(|row| Contact::from_row(&row).expect("a record of the engine reads back"));
    contact.and_then(|contact| contact.link).is_some_and(|link| link.kind == LinkKind::Invitation)
}

/// Whoever is connected with all their contacts, and they with them, has nothing left to send.
fn nothing_waits(world: &World, people: &People, id: ClientId, client: &Client, problems: &mut Vec<String>) {
    let contacts = view::contacts(client.rows()).expect("rows in memory can be read");
    let Some(account) = world.account(id) else { return };
    let settled = |contact: &ContactView| match contact.state {
        ContactState::Incoming | ContactState::Declined => true,
        ContactState::Connected => {
            let other = people.by_root.get(&contact.id);
            other.is_some_and(|other| state(world, *other, &account.root) == Some(ContactState::Connected))
        }
        ContactState::Connecting
        | ContactState::Requested
        | ContactState::Blocked
        | ContactState::LinkDead
        | ContactState::Unreachable
        | ContactState::LinkForged => false,
    };
    if !contacts.iter().all(settled) {
        return;
    }
    let waiting = view::totals(client.rows()).expect("rows in memory can be read").waiting;
    let rows = client.rows().table(Table::Outbox).count();
    if waiting > 0 || rows > 0 {
        problems.push(format!("{id:?} has {waiting} contents waiting and {rows} rows in its outbox"));
    }
}

/// Two who talk have the same messages in the same order, each once, and each knows that its own have arrived.
fn same_history(world: &World, a: ClientId, b: ClientId, problems: &mut Vec<String>) {
    let (root_a, root_b) = (world.root(a), world.root(b));
    let at_a = history(world.client(a), &root_b);
    let at_b = history(world.client(b), &root_a);
    let told =
        |history: &[MessageView]| history.iter().map(|m| (m.time, m.author, m.id, m.text.clone())).collect::<Vec<_>>();
    let (told_a, told_b) = (told(&at_a), told(&at_b));
    if told_a != told_b {
        problems.push(format!("{a:?} has {} messages with {b:?}, who has {}", told_a.len(), told_b.len()));
    }
    if !told_a.is_sorted_by(|x, y| (x.0, x.1, x.2) < (y.0, y.1, y.2)) {
        problems.push(format!("{a:?} shows messages out of order, or one twice"));
    }
    for (id, own, history) in [(a, root_a, at_a), (b, root_b, at_b)] {
        let arrived = |status| matches!(status, MessageStatus::Delivered | MessageStatus::Read);
        for message in history.iter().filter(|m| m.author == own && !arrived(m.status)) {
            let waits = world.client(id).rows().get(Table::OutboxIndex, message.id.as_bytes());
            let waits = if waits.expect("rows in memory can be read").is_some() { "waits" } else { "is gone" };
            let text: String = message.text.chars().take(12).collect();
            problems.push(format!("{id:?}: {text:?} is {:?} and {waits} in the outbox", message.status));
        }
    }
}

/// What was accepted is at its author and, among two who agreed, at its receiver, once.
fn accepted_arrived(world: &World, people: &People, problems: &mut Vec<String>) {
    let connected = people.connected(world);
    for said in world.accepted() {
        let from = world.root(said.from);
        let Some(&to) = people.by_root.get(&said.to) else { continue };
        let talk = connected.iter().any(|&(a, b)| (a, b) == (said.from, to) || (a, b) == (to, said.from));
        let holders = [(said.from, said.to, true), (to, from, talk)];
        for (holder, chat, must) in holders {
            let message = view::message(world.client(holder).rows(), &said.id).expect("rows in memory can be read");
            let held = message.is_some_and(|m| m.chat == chat && m.author == from && m.text == said.text);
            if must && !held {
                problems.push(format!("an accepted message of {:?} is not at {holder:?}", said.from));
            }
        }
    }
}
