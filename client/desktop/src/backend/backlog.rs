//! Away for days: twelve people wrote, and the window is not looked at when the profile is opened. All that comes is one
//! notification.

use sotto_driver::{Client, ContactId, ContactState, Intent, Link, Options, Passphrase, RelayAddress, Unlock, view};
use tempfile::TempDir;
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use super::stories::{House, PATIENCE, Person, passphrase};
use crate::{
    action::Action,
    view::{Stage, View},
};

const FRIENDS: usize = 12;
/// From each.
const MESSAGES: usize = 170;

/// Somebody who writes, without a window.
struct Friend {
    client: Client,
    _folder: TempDir,
}

impl Friend {
    async fn ask(number: usize, house: &House, link: Link) -> Self {
        let folder = TempDir::new().unwrap();
        let unlock = Unlock::Passphrase(Passphrase::new("correct horse battery staple".to_owned()));
        let options = Options { profile: folder.path().join("profile"), network: true };
        let (client, _) = Client::create(&options, &unlock).unwrap();
        let relay: RelayAddress = house.address.parse().unwrap();
        client.intent(Intent::CreateProfile { name: format!("Friend {number}"), relay }).await.unwrap();
        client.intent(Intent::Connect { link, text: None }).await.unwrap();
        Self { client, _folder: folder }
    }

    async fn is_accepted(&self, by: ContactId) {
        let mut changes = self.client.changes();
        let accepted = || {
            let contact = self.client.view(|rows| view::contact(rows, &by)).unwrap();
            contact.is_some_and(|contact| contact.state == ContactState::Connected)
        };
        let wait = async {
            while !accepted() {
                assert!(!matches!(changes.recv().await, Err(RecvError::Closed)));
            }
        };
        timeout(PATIENCE, wait).await.expect("the reader's acceptance");
    }

    /// Writes, and waits until the relay has it all.
    async fn write(&self, to: ContactId) {
        for number in 0..MESSAGES {
            let text = format!("message {number}");
            self.client.intent(Intent::Send { contact: to, text, idempotency_key: None }).await.unwrap();
        }
        assert!(self.client.wait_settled(PATIENCE).await.1, "the relay has not got it all");
        self.client.close().await;
    }
}

fn all_are(view: &View, state: ContactState) -> bool {
    view.conversations.len() == FRIENDS && view.conversations.iter().all(|friend| friend.state == state)
}

/// A reader's folder, to whom all have written, and their relay.
fn away() -> (House, TempDir) {
    let house = House::new();
    let mut reader = Person::new("Reader", &house);
    // Only then does a link wait for what it leads to.
    reader.until("a relay", |view| view.network.relays.iter().any(|(_, state)| state == "Connected"));
    reader.backend.send(Action::Invite { once: false });
    reader.until("a link", |view| view.invitation.as_ref().is_some_and(|invitation| invitation.usable));
    let link: Link = reader.view.invitation.as_ref().unwrap().link.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let friends: Vec<Friend> =
        (0..FRIENDS).map(|number| runtime.block_on(Friend::ask(number, &house, link.clone()))).collect();
    reader.until("requests", |view| all_are(view, ContactState::Incoming));
    for friend in reader.view.conversations.iter() {
        reader.backend.send(Action::Accept(friend.id));
    }
    for friend in &friends {
        runtime.block_on(friend.is_accepted(link.root));
    }
    let folder = reader.end();
    for friend in &friends {
        runtime.block_on(friend.write(link.root));
    }
    (house, folder)
}

#[test]
fn a_backlog_of_many_is_one_notification() {
    let (_house, folder) = away();
    let mut reader = Person::begin(folder, |_| {});
    reader.until("the lock screen", |view| matches!(view.stage, Stage::Locked(_)));
    reader.backend.send(Action::WindowFocused(false));
    reader.backend.send(Action::Unlock(Some(passphrase())));
    let all = FRIENDS * MESSAGES;
    reader.until("all of them", |view| {
        view.conversations.iter().map(|friend| friend.unread).sum::<u64>() == u64::try_from(all).unwrap()
    });
    // A machine so slow that it takes longer than a notification waits tells once more, and that takes the place of the first.
    let told = loop {
        let told = reader.notifications.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(told.title, "Sotto", "many people are behind it, and none is named");
        if told.text == format!("{all} new messages") {
            break told;
        }
    };
    reader.backend.send(Action::WindowFocused(true));
    assert_eq!(reader.notifications.recv_timeout(PATIENCE).unwrap(), None, "{told:?} was the last");
    assert!(reader.notifications.try_recv().is_err());
}
