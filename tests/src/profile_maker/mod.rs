//! Profiles with a past, for benches and for tests of views: real contacts who met in a world, and as many messages as asked for,
//! in the engine's own rows. The same recipe makes the same rows, to the last byte.
//!
//! The contacts' accounts, sessions and mailboxes are what engines made of them; messages come on top, as rows alone, since
//! 100,000 real ones would take minutes. The relay lives in the world and is nowhere else: open such a profile offline, or let it
//! dial a name that leads nowhere.

mod past;
mod phrases;

use std::path::Path;

use sotto_engine::{
    Batch, ContactId, ContactState, Intent, Outcome, Rows as _, Table, Timestamp, Value,
    record::{Known, OwnBundle, Record as _},
    view,
};
use sotto_store::{Store, StoreError, Unlock};

use crate::world::{
    World,
    client::ClientId,
    clock::{HOUR, SECOND},
    rows::MemoryRows,
};
use past::Past;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// What all of it grows from.
    pub seed: u64,
    /// Messages over all conversations.
    pub messages: usize,
    /// Contacts; each is a conversation.
    pub conversations: usize,
    /// About when the newest message came. The oldest is two years older.
    pub until: Timestamp,
}

impl Recipe {
    /// So much, up to 2026-11-01.
    pub const fn new(messages: usize, conversations: usize) -> Self {
        Self { seed: 1, messages, conversations, until: Timestamp(1_793_491_200 * SECOND) }
    }
}

/// Makes the profile in a folder that holds none, and gives its conversations, the longest first.
///
/// # Errors
/// [`StoreError`], whatever the store says of the folder and the disk.
///
/// # Panics
/// If people who may meet do not.
pub fn make(folder: &Path, unlock: &Unlock, recipe: &Recipe) -> Result<Vec<ContactId>, StoreError> {
    let mut store = Store::create(folder, unlock)?;
    let (account, rows) = meet(recipe);
    let conversations = fill(&mut store, recipe, account, &rows)?;
    store.checkpoint()?;
    Ok(conversations)
}

/// Somebody's root and rows, once everybody met them.
fn meet(recipe: &Recipe) -> (ContactId, MemoryRows) {
    let mut world = World::new(recipe.seed);
    let skew = recipe.until.0.saturating_sub(world.now());
    let mut person = |name: &str| {
        let id = world.add_client(name);
        world.set_skew(id, skew);
        let relay = world.relay().address().clone();
        world.expect(id, Intent::CreateProfile { name: name.to_owned(), relay });
        id
    };
    let own = person("Robin");
    let friends: Vec<_> = (0..recipe.conversations).map(|number| person(&phrases::name(number))).collect();
    for friend in friends {
        befriend(&mut world, own, friend);
    }
    let rows = world.client(own).rows().clone();
    (world.root(own), rows)
}

fn befriend(world: &mut World, own: ClientId, friend: ClientId) {
    let Outcome::Link(link) = world.expect(own, Intent::Invite { once: false }) else {
        panic!("an invitation is a link")
    };
    until(world, |world| {
        let bundle = world.client(own).rows().get(Table::Bundle, link.bundle.as_bytes()).expect("rows in memory");
        bundle.is_some_and(|row| OwnBundle::from_row(&row).expect("an engine wrote it").known == Known::There)
    });
    let (root, friends_root) = (world.root(own), world.root(friend));
    world.expect(friend, Intent::Connect { link, text: None });
    wait_for(world, own, friends_root, ContactState::Incoming);
    world.expect(own, Intent::Accept { contact: friends_root });
    wait_for(world, friend, root, ContactState::Connected);
    // Until the receipts are through, so that nothing waits in the outbox.
    world.run_for(10 * SECOND);
}

fn wait_for(world: &mut World, of: ClientId, contact: ContactId, state: ContactState) {
    until(world, |world| {
        let contact = view::contact(world.client(of).rows(), &contact).expect("rows in memory");
        contact.is_some_and(|contact| contact.state == state)
    });
}

fn until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    assert!(world.run_until(HOUR, is_so), "two people did not meet");
}

/// Writes what engines made, then the messages, so many in a transaction.
fn fill(
    store: &mut Store,
    recipe: &Recipe,
    account: ContactId,
    rows: &MemoryRows,
) -> Result<Vec<ContactId>, StoreError> {
    let mut batch = Batch::default();
    for table in Table::ALL {
        rows.table(table).for_each(|(key, value)| batch.put(table, key, Value::new(value.to_vec())));
    }
    commit(store, &std::mem::take(&mut batch))?;
    let mut past = Past::new(recipe, account, rows);
    while past.write_some(&mut batch, MESSAGES_PER_TRANSACTION) {
        commit(store, &std::mem::take(&mut batch))?;
    }
    past.finish(&mut batch);
    commit(store, &batch)?;
    Ok(past.conversations())
}

fn commit(store: &mut Store, batch: &Batch) -> Result<(), StoreError> {
    let transaction = store.begin()?;
    transaction.apply(batch)?;
    transaction.commit().map(drop)
}

const MESSAGES_PER_TRANSACTION: usize = 2_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sotto_store::{Passphrase, Reader};

    use super::*;

    const RECIPE: Recipe = Recipe::new(600, 3);

    fn made(recipe: &Recipe) -> (tempfile::TempDir, Reader, Vec<ContactId>) {
        let folder = tempfile::tempdir().unwrap();
        let unlock = Unlock::Passphrase(Passphrase::new("correct horse battery staple".to_owned()));
        let conversations = make(folder.path(), &unlock, recipe).unwrap();
        let reader = Store::open(folder.path(), &unlock).unwrap().reader().unwrap();
        (folder, reader, conversations)
    }

    #[test]
    fn a_made_profile_reads_as_one_that_was_lived_in() {
        let (_folder, mut reader, conversations) = made(&RECIPE);
        let rows = reader.snapshot().unwrap();
        let contacts = view::contacts(&rows).unwrap();
        assert_eq!(contacts.len(), conversations.len());
        assert!(contacts.iter().all(|contact| contact.state == ContactState::Connected && !contact.name.is_empty()));
        assert_eq!(view::totals(&rows).unwrap().waiting, 0);

        let mut messages = 0;
        for chat in &conversations {
            let history = view::history(&rows, chat, None, usize::MAX).unwrap();
            assert!(history.is_sorted_by(|a, b| a.time < b.time));
            assert!(history.iter().all(|message| view::message(&rows, &message.id).unwrap().as_ref() == Some(message)));
            let contact = contacts.iter().find(|contact| contact.id == *chat).unwrap();
            let newest = history.iter().rev().take_while(|message| message.author == *chat).count();
            assert!(contact.unread <= newest as u64, "what is unread is theirs and the newest");
            messages += history.len();
        }
        assert_eq!(messages, RECIPE.messages);
        assert!(contacts.iter().any(|contact| contact.unread > 0));
    }

    #[test]
    fn one_recipe_makes_one_profile() {
        let texts = |seed| {
            let (_folder, mut reader, conversations) = made(&Recipe { seed, ..RECIPE });
            let rows = reader.snapshot().unwrap();
            let histories = conversations.iter().map(|chat| view::history(&rows, chat, None, usize::MAX).unwrap());
            histories.flatten().map(|message| (message.id, message.text)).collect::<BTreeSet<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
