//! People who do what people do, at random: they give links away, use them, accept, decline, write, type, go away for
//! seconds or days, and come back.

use sotto_engine::{ContactState, Intent, Outcome, Ticket, view};
use sotto_inner::Link;

use super::{
    World,
    chance::Chance,
    client::ClientId,
    clock::{DAY, HOUR, MINUTE, SECOND},
    relay::{Crash, RelayId},
};

/// All people of a world, as one drawing of what they do next.
#[derive(Debug)]
pub struct People {
    chance: Chance,
    clients: Vec<ClientId>,
    /// Another relay, where there is one, for second mailboxes.
    second: Option<RelayId>,
    links: Vec<(ClientId, Link)>,
    asked: Vec<(ClientId, Ticket)>,
    written: u64,
}

impl People {
    /// So many people with accounts, none of whom knows another.
    pub fn new(world: &mut World, count: usize) -> Self {
        const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
        let mut chance = Chance::fork(world.seed(), "people", 0);
        let clients: Vec<_> = NAMES[..count].iter().map(|name| world.add_person(name)).collect();
        for client in &clients {
            world.set_skew(*client, chance.below(3 * MINUTE));
        }
        let second = chance.one_in(2).then(|| world.add_relay());
        Self { chance, clients, second, links: Vec::new(), asked: Vec::new(), written: 0 }
    }

    /// Lets people do so many things, with time between them.
    pub fn live(&mut self, world: &mut World, things: u64) {
        for _ in 0..things {
            self.collect_links(world);
            self.act(world);
            let pause = match self.chance.below(40) {
                0 => self.chance.below(3 * DAY),
                1..4 => self.chance.below(6 * HOUR),
                4..12 => self.chance.below(5 * MINUTE),
                _ => self.chance.below(3 * SECOND),
            };
            world.run_for(pause);
        }
        self.collect_links(world);
    }

    fn collect_links(&mut self, world: &World) {
        let links = &mut self.links;
        self.asked.retain(|(client, ticket)| match world.client(*client).seen().answers.get(ticket) {
            Some(Ok(Outcome::Link(link))) => {
                links.push((*client, link.clone()));
                false
            }
            Some(_) => false,
            None => true,
        });
    }

    fn act(&mut self, world: &mut World) {
        let who = *self.chance.pick(&self.clients).expect("there are people");
        if !world.client(who).is_running() {
            if self.chance.one_in(3) {
                world.start(who);
            }
            return;
        }
        match self.chance.below(100) {
            0..6 => self.invite(world, who),
            6..8 => self.move_house(world, who),
            8..20 => self.connect(world, who),
            20..34 => self.answer_request(world, who),
            34..74 => self.write(world, who),
            74..80 => self.type_or_read(world, who),
            80..90 => {
                let online = !world.client(who).online;
                world.set_online(who, online);
            }
            90..93 => world.restart(who),
            93..96 => world.stop(who),
            96..98 => world.set_online(who, true),
            _ => self.relay(world),
        }
    }

    fn invite(&mut self, world: &mut World, who: ClientId) {
        let once = self.chance.one_in(2);
        let ticket = world.ask(who, Intent::Invite { once });
        self.asked.push((who, ticket));
    }

    fn connect(&mut self, world: &mut World, who: ClientId) {
        let others: Vec<_> = self.links.iter().filter(|(owner, _)| *owner != who).collect();
        let Some((_, link)) = self.chance.pick(&others) else { return self.invite(world, who) };
        let text = self.chance.one_in(2).then(|| "may I?".to_owned());
        world.ask(who, Intent::Connect { link: link.clone(), text });
    }

    fn answer_request(&mut self, world: &mut World, who: ClientId) {
        let Some(contact) = self.contact(world, who, &[ContactState::Incoming]) else { return };
        let intent = if self.chance.one_in(12) { Intent::Decline { contact } } else { Intent::Accept { contact } };
        world.ask(who, intent);
    }

    fn write(&mut self, world: &mut World, who: ClientId) {
        let Some(contact) = self.contact(world, who, &[ContactState::Connected, ContactState::Requested]) else {
            return;
        };
        let count = if self.chance.one_in(6) { self.chance.between(2, 12) } else { 1 };
        for _ in 0..count {
            self.written += 1;
            let length = if self.chance.one_in(9) { self.chance.below(9_000) as usize } else { 0 };
            let text = format!("{} {}", self.written, "x".repeat(length));
            world.ask(who, Intent::Send { contact, text, idempotency_key: None });
        }
    }

    fn type_or_read(&mut self, world: &mut World, who: ClientId) {
        let Some(contact) = self.contact(world, who, &[ContactState::Connected]) else { return };
        let active = self.chance.one_in(2);
        let intent =
            if self.chance.one_in(3) { Intent::MarkRead { contact } } else { Intent::Typing { contact, active } };
        world.ask(who, intent);
    }

    fn relay(&mut self, world: &mut World) {
        let relay = self.second.filter(|_| self.chance.one_in(2)).unwrap_or(RelayId(0));
        if world.relay_of(relay).is_running() {
            let crash = if self.chance.one_in(2) { Crash::BeforeCommit } else { Crash::AfterCommit };
            world.stop_relay_of(relay, crash);
        }
        if !self.chance.one_in(3) {
            world.start_relay_of(relay);
        }
    }

    /// Takes a second relay, or leaves it. The first one stays: where a link leads is no matter of chance here.
    fn move_house(&mut self, world: &mut World, who: ClientId) {
        let Some(second) = self.second else { return self.invite(world, who) };
        let mut relays = vec![world.relay().address().clone()];
        if !self.chance.one_in(4) {
            relays.push(world.relay_of(second).address().clone());
        }
        let moves_in = relays.len() > 1;
        world.ask(who, Intent::SetRelays { relays });
        if moves_in {
            world.admit(who, second);
        }
    }

    fn contact(&mut self, world: &World, who: ClientId, states: &[ContactState]) -> Option<sotto_engine::ContactId> {
        let contacts = view::contacts(world.client(who).rows()).expect("rows in memory can be read");
        let fitting: Vec<_> = contacts.iter().filter(|contact| states.contains(&contact.state)).collect();
        self.chance.pick(&fitting).map(|contact| contact.id)
    }
}
