//! People who wait for nothing: a link is used in the same breath as the account was made, before any mailbox is at the relay.

use std::{path::Path, time::Duration};

use sotto_driver::{Client, ContactState, Intent, Options, Outcome, Passphrase, RelayAddress, Unlock, view};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use crate::{house::folder, relay::Relay};

const GUESTS: usize = 8;
/// Long enough for any machine; nothing waits it out.
const PATIENCE: Duration = Duration::from_secs(120);

async fn account(profile: &Path, name: &str, relay: &RelayAddress) -> Client {
    let unlock = Unlock::Passphrase(Passphrase::new("correct horse battery staple".to_owned()));
    let (client, _) = Client::create(&Options { profile: profile.to_owned(), network: true }, &unlock).unwrap();
    let create = Intent::CreateProfile { name: name.to_owned(), relay: relay.clone() };
    client.intent(create).await.unwrap();
    client
}

/// Waits until so many want to connect.
async fn requests(host: &Client, wanted: usize) {
    let mut changes = host.changes();
    let waiting = || {
        let contacts = host.view(|rows| view::contacts(rows)).unwrap();
        contacts.iter().filter(|contact| contact.state == ContactState::Incoming).count()
    };
    while waiting() < wanted {
        assert!(!matches!(changes.recv().await, Err(RecvError::Closed)));
    }
}

#[test]
fn whoever_connects_before_their_profile_settled_is_heard() {
    let folder = folder();
    let relay = Relay::new(folder.path());
    let address: RelayAddress = relay.address().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = account(&folder.path().join("host"), "Host", &address).await;
        // A link that is given before its bundle is at the relay leads nowhere yet.
        host.wait_settled(PATIENCE).await;
        let mut guests = Vec::new();
        for number in 0..GUESTS {
            let invite = Intent::Invite { once: number % 2 == 0 };
            let Outcome::Link(link) = host.intent(invite).await.unwrap() else { panic!("an invitation is a link") };
            let guest = account(&folder.path().join(format!("guest{number}")), "Guest", &address).await;
            guest.intent(Intent::Connect { link, text: None }).await.unwrap();
            guests.push(guest);
        }
        timeout(PATIENCE, requests(&host, GUESTS)).await.expect("somebody is not heard");
        for client in guests.iter().chain([&host]) {
            client.close().await;
        }
    });
}
