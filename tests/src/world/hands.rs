//! What a test does to clients, and what their people ask of them.

use sotto_engine::{AccountView, ContactId, Intent, Outcome, Ticket, view};

use super::{
    World,
    client::{Answer, Client, ClientId},
    clock::MINUTE,
    relay::RelayId,
    rows::MemoryRows,
};

impl World {
    /// A new client with an empty profile, running and online.
    pub fn add_client(&mut self, name: &str) -> ClientId {
        let id = self.add_profile(name, MemoryRows::default());
        self.start(id);
        id
    }

    /// A profile with these rows, not running: a copied folder or a restored backup.
    pub fn add_profile(&mut self, name: &str, rows: MemoryRows) -> ClientId {
        let id = ClientId(self.clients.len());
        self.clients.push(Client::new(self.seed, id, name, rows));
        id
    }

    /// A new client whose person has made an account at the relay.
    pub fn add_person(&mut self, name: &str) -> ClientId {
        let id = self.add_client(name);
        let relay = self.relay().address().clone();
        self.expect(id, Intent::CreateProfile { name: name.to_owned(), relay });
        self.admit(id, RelayId(0));
        id
    }

    /// Gives a client a credential for a relay, where that asks for one.
    pub fn admit(&mut self, id: ClientId, relay: RelayId) {
        if let Some(credential) = self.credential(relay, 10_000) {
            self.ask(id, Intent::Admit { credential });
        }
    }

    /// Starts a client that does not run.
    pub fn start(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        if !client.is_running() {
            client.start();
            self.plan_turn(id);
        }
    }

    /// Ends a client's process at once. It stays down.
    pub fn stop(&mut self, id: ClientId) {
        self.cut_lines_of(id);
        self.clients[id.0].stop();
    }

    /// Ends a client's process at once and starts it again.
    pub fn restart(&mut self, id: ClientId) {
        self.stop(id);
        self.start(id);
    }

    /// Locks a client: from now on it only counts what arrives.
    pub fn lock(&mut self, id: ClientId) {
        let effects = self.clients[id.0].lock();
        self.carry_out(id, effects);
    }

    /// Unlocks a client: a new engine, and new connections.
    pub fn unlock(&mut self, id: ClientId) {
        assert!(self.clients[id.0].watcher().is_some(), "only a locked client is unlocked");
        self.restart(id);
    }

    /// Ends a client's process before the commit or effect that comes after so many others. It starts again by itself.
    pub const fn doom(&mut self, id: ClientId, after: u64) {
        self.doomed = Some((id, after));
    }

    /// Whether whoever is doomed has not met their doom.
    pub const fn is_doom_ahead(&self) -> bool {
        self.doomed.is_some()
    }

    /// Takes a client's machine off the network or puts it back.
    pub fn set_online(&mut self, id: ClientId, online: bool) {
        self.clients[id.0].online = online;
        if !online {
            self.cut_lines_of(id);
        }
    }

    /// Changes a client's rows behind its back, while it does not run.
    pub fn edit_rows(&mut self, id: ClientId, edit: impl FnOnce(&mut MemoryRows)) {
        let client = &mut self.clients[id.0];
        assert!(!client.is_running(), "a running client's database is its own");
        edit(&mut client.rows);
        client.rows.commit();
    }

    /// Sets how far a client's clock is ahead.
    pub fn set_skew(&mut self, id: ClientId, millis: u64) {
        self.clients[id.0].skew_millis = millis;
    }

    /// Asks a running client for something and returns at once.
    ///
    /// # Panics
    /// If it does not run.
    pub fn ask(&mut self, id: ClientId, intent: Intent) -> Ticket {
        let client = &mut self.clients[id.0];
        assert!(client.is_running() && client.watcher().is_none(), "nobody can ask a client that does not run");
        let said = match &intent {
            Intent::Send { contact, text, .. } => Some((*contact, text.clone())),
            _ => None,
        };
        let ticket = client.ask(intent);
        if let Some(said) = said {
            self.sends.insert((id, ticket), said);
        }
        self.plan_turn(id);
        ticket
    }

    /// Asks for something and waits for the answer.
    ///
    /// # Panics
    /// If none comes within a minute.
    pub fn answer(&mut self, id: ClientId, intent: Intent) -> Answer {
        let ticket = self.ask(id, intent);
        let answered = self.run_until(MINUTE, |world| world.client(id).seen.answers.contains_key(&ticket));
        assert!(answered, "{} got no answer", self.client(id).name);
        self.clients[id.0].seen.answers[&ticket].clone()
    }

    /// Asks for something that must go well.
    ///
    /// # Panics
    /// If it does not.
    pub fn expect(&mut self, id: ClientId, intent: Intent) -> Outcome {
        let answer = self.answer(id, intent);
        answer.unwrap_or_else(|error| panic!("{} was refused: {error}", self.client(id).name))
    }

    /// The root of a client's account.
    ///
    /// # Panics
    /// If it has none.
    pub fn root(&self, id: ClientId) -> ContactId {
        self.account(id).expect("an account was made").root
    }

    pub(super) fn account(&self, id: ClientId) -> Option<AccountView> {
        view::account(&self.client(id).rows).expect("rows in memory can be read")
    }
}
