//! The backend without a window, over a real relay: what people do, asked as a window asks it, and what it is told.

use std::{
    path::Path,
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use sotto_driver::{ContactId, ContactState, Link, MessageStatus, RelayAddress};
use sotto_outer::Tls;
use sotto_relay::{
    Identity,
    server::{Relay, Settings},
    storage::memory::MemoryStorage,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Backend, Setup, notify::Notification};
use crate::{
    action::{Action, Card, PictureSource, SecretText},
    view::{Anchor, Conversation, PictureResult, Preview, Row, RowKind, Stage, View},
};

/// Long enough for any machine; nothing waits it out.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A relay in this process, until it is dropped.
pub(super) struct House {
    _relay: Relay<MemoryStorage>,
    runtime: Option<Runtime>,
    pub(super) address: String,
}

impl House {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let identity = Identity::from_secret(&[7; 32]);
        let public = *identity.public();
        let settings = Settings::plain("127.0.0.1:0".parse().unwrap());
        let relay = {
            let _entered = runtime.enter();
            Relay::start(settings, identity, MemoryStorage::new()).unwrap()
        };
        let address = RelayAddress::new("127.0.0.1", relay.address().port(), Tls::Off, public).unwrap().to_string();
        Self { _relay: relay, runtime: Some(runtime), address }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A person at a window that nobody draws.
pub(super) struct Person {
    pub(super) backend: Backend,
    pub(super) view: View,
    woken: Receiver<()>,
    pub(super) notifications: Receiver<Option<Notification>>,
    folder: TempDir,
}

impl Person {
    pub(super) fn begin(folder: TempDir, change: impl FnOnce(&mut Setup)) -> Self {
        let (wake, woken) = channel();
        let (notify, notifications) = channel();
        let notify = Mutex::new(notify);
        let mut setup = Setup::new(folder.path().join("profile"));
        setup.keyring = false;
        setup.preferences = Some(folder.path().join("desktop.toml"));
        setup.notifier = std::sync::Arc::new(move |notification| {
            let _gone = notify.lock().unwrap().send(notification);
        });
        change(&mut setup);
        let backend = Backend::start(setup).unwrap();
        let wake = Mutex::new(wake);
        backend.wake_with(move || {
            // Whoever has gone need not be woken.
            let _gone = wake.lock().unwrap().send(());
        });
        Self { backend, view: View::default(), woken, notifications, folder }
    }

    pub(super) fn new(name: &str, house: &House) -> Self {
        let mut person = Self::begin(TempDir::new().unwrap(), |_| {});
        person.until("the first screen", |view| matches!(view.stage, Stage::FirstRun(_)));
        person.backend.send(Action::CreateProfile {
            name: name.to_owned(),
            relay: house.address.clone(),
            passphrase: Some(passphrase()),
            proxy: None,
        });
        person.until("an open profile", |view| view.stage == Stage::Open && view.account.is_some());
        person
    }

    /// Applies updates until the view is as it should be.
    pub(super) fn until(&mut self, what: &str, mut enough: impl FnMut(&View) -> bool) {
        loop {
            for update in self.backend.poll() {
                self.view.apply(update);
            }
            if enough(&self.view) {
                return;
            }
            assert!(self.woken.recv_timeout(PATIENCE).is_ok(), "waited in vain for {what}: {:?}", self.view.stage);
        }
    }

    /// The only other person.
    fn other(&self) -> &Conversation {
        assert_eq!(self.view.conversations.len(), 1);
        &self.view.conversations[0]
    }

    fn other_id(&self) -> ContactId {
        self.other().id
    }

    fn send(&self, text: &str) {
        self.backend.send(Action::Send { chat: self.other_id(), text: text.to_owned() });
    }

    fn select(&mut self) {
        let chat = self.other_id();
        self.backend.send(Action::Deselect);
        self.until("no conversation", |view| view.timeline.is_none());
        self.backend.send(Action::Select(chat));
        self.until("a conversation", |view| view.timeline.as_ref().is_some_and(|timeline| timeline.chat == chat));
    }

    /// Ends this process's part and gives the folder back.
    pub(super) fn end(self) -> TempDir {
        drop(self.backend);
        self.folder
    }
}

pub(super) fn passphrase() -> SecretText {
    SecretText::new("correct horse battery staple".to_owned())
}

fn texts(view: &View) -> Vec<String> {
    let rows = view.timeline.iter().flat_map(|timeline| timeline.rows.iter());
    let text = |row: &Row| match &row.kind {
        RowKind::Message { text, .. } => Some(text.to_string()),
        RowKind::Notice(_) => None,
    };
    rows.filter_map(text).collect()
}

fn state(view: &View) -> Option<ContactState> {
    view.conversations.first().map(|conversation| conversation.state)
}

/// Alice invites, Bob connects, Alice accepts.
fn acquainted() -> (House, Person, Person) {
    let house = House::new();
    let mut alice = Person::new("Alice", &house);
    let mut bob = Person::new("Bob", &house);
    alice.backend.send(Action::Invite { once: true });
    alice.until("a link", |view| view.invitation.as_ref().is_some_and(|invitation| invitation.usable));
    let link = alice.view.invitation.as_ref().unwrap().link.clone();

    bob.backend.send(Action::PreviewLink(link));
    bob.until("a preview", |view| matches!(&view.preview, Some(Preview::Link { once: true, through_web: false, .. })));
    bob.backend.send(Action::Connect { text: Some("It's me, Bob".to_owned()) });
    bob.until("a request on its way", |view| {
        state(view) == Some(ContactState::Requested) && view.preview.is_none() && view.timeline.is_some()
    });

    alice.until("a request", |view| state(view) == Some(ContactState::Incoming));
    assert_eq!((alice.other().name.as_str(), alice.other().request_text.as_deref()), ("Bob", Some("It's me, Bob")));
    alice.backend.send(Action::Accept(alice.other_id()));
    alice.until("an agreement", |view| state(view) == Some(ContactState::Connected));
    bob.until("an agreement", |view| state(view) == Some(ContactState::Connected));
    // The request's text is the first message.
    alice.backend.send(Action::MarkRead(alice.other_id()));
    alice.until("all read", |view| view.conversations[0].unread == 0);
    (house, alice, bob)
}

#[test]
fn two_people_meet_and_talk() {
    let (_house, mut alice, mut bob) = acquainted();
    alice.select();
    alice.send("hello\nBob");
    alice.until("a message of hers", |view| texts(view).contains(&"hello\nBob".to_owned()));
    bob.until("news", |view| view.conversations[0].unread == 1);
    let last = bob.other().last.clone().unwrap();
    assert_eq!((last.text.as_str(), last.status), ("hello", None));

    // The unread line stands where he opens the conversation, and stays there when all is read.
    bob.select();
    let timeline = bob.view.timeline.clone().unwrap();
    let (first, count) = timeline.unread.unwrap();
    assert_eq!((count, timeline.look_at.1), (1, Anchor::Around(first)));
    bob.backend.send(Action::MarkRead(bob.other_id()));
    bob.until("all read", |view| view.conversations[0].unread == 0);
    assert_eq!(bob.view.timeline.as_ref().unwrap().unread, Some((first, 1)));

    let delivered = |view: &View| {
        let last = view.conversations[0].last.as_ref();
        last.is_some_and(|last| last.status == Some(MessageStatus::Delivered)) && view.network.waiting == 0
    };
    alice.until("a receipt", delivered);
    bob.send("hello Alice");
    alice.until("an answer", |view| texts(view).last().map(String::as_str) == Some("hello Alice"));
}

#[test]
fn a_draft_and_the_conversation_outlive_the_process() {
    let (_house, mut alice, bob) = acquainted();
    alice.send("found later: lighthouse");
    alice.backend.send(Action::SaveDraft { chat: alice.other_id(), text: "not sent yet".to_owned() });
    alice.until("a draft", |view| view.conversations[0].draft == "not sent yet");
    drop(bob.end());

    let mut alice = Person::begin(alice.end(), |_| {});
    alice.until("the lock screen", |view| matches!(view.stage, Stage::Locked(_)));
    assert!(alice.view.conversations.is_empty() && alice.view.account.is_none());
    alice.backend.send(Action::Unlock(Some(SecretText::new("wrong".to_owned()))));
    alice.until(
        "a refusal",
        |view| matches!(&view.stage, Stage::Locked(locked) if locked.trouble.is_some() && !locked.busy),
    );
    alice.backend.send(Action::Unlock(Some(passphrase())));
    alice.until("what was there", |view| view.conversations.first().is_some_and(|bob| bob.draft == "not sent yet"));

    alice.backend.send(Action::Search("lightho".to_owned()));
    alice.until("hits", |view| view.search.as_ref().is_some_and(|search| search.hits.len() == 1));
    let hit = alice.view.search.as_ref().unwrap().hits[0].clone();
    assert_eq!((hit.name.as_str(), hit.text.as_str()), ("Bob", "found later: lighthouse"));
    alice.select();
    let before = alice.view.timeline.as_ref().unwrap().look_at.0;
    alice.backend.send(Action::MoveWindow(Anchor::Around(hit.message)));
    alice.until("the hit", |view| {
        let look_at = view.timeline.as_ref().unwrap().look_at;
        look_at.0 > before && look_at.1 == Anchor::Around(hit.message)
    });
}

#[test]
fn a_message_says_where_it_is() {
    let (house, mut alice, bob) = acquainted();
    let bob = bob.end();
    alice.select();
    alice.send("anyone there?");
    alice.until("a message at the relay", |view| {
        view.conversations[0].last.as_ref().is_some_and(|last| last.status == Some(MessageStatus::Sent))
    });
    let message = alice.view.timeline.as_ref().unwrap().rows.last().unwrap().id;
    alice.backend.send(Action::Why { chat: alice.other_id(), message });
    alice.until("an explanation", |view| view.why.is_some());
    let why = alice.view.why.clone().unwrap();
    let reached: Vec<bool> = why.stations.iter().map(|(_, reached)| *reached).collect();
    assert_eq!((reached, why.retry), (vec![true, true, false], false));
    assert!(why.waits_for.contains("until their device is online"), "{}", why.waits_for);

    // What is explained follows what happens.
    let _bob = Person::begin(bob, |setup| setup.passphrase = Some(passphrase()));
    alice
        .until("a delivery", |view| view.why.as_ref().is_some_and(|why| why.stations[2].1 && why.waits_for.is_empty()));
    drop(house);
    alice.until("a strip", |view| !view.network.online && view.network.problem.is_some());
}

#[test]
fn a_picture_of_their_code_is_compared() {
    let (_house, mut alice, bob) = acquainted();
    let number = bob.other().safety_number.clone();
    let digits: String = number.split_whitespace().collect();
    alice.backend.send(Action::Compare(Some(alice.other_id())));
    alice.backend.send(Action::ReadPicture(PictureSource::Bytes(picture(&digits))));
    alice.until("a comparison", |view| view.picture == Some(PictureResult::Same));
    alice.backend.send(Action::ReadPicture(PictureSource::Bytes(picture(&"12345".repeat(12)))));
    alice.until("an alarm", |view| view.picture == Some(PictureResult::Different));
    alice.backend.send(Action::Verify(alice.other_id()));
    alice.until("a shield", |view| view.conversations[0].verified);

    // Without a comparison it is a link that is looked for.
    alice.backend.send(Action::Compare(None));
    alice.backend.send(Action::ReadPicture(PictureSource::Bytes(picture("https://example.org/"))));
    alice.until("a refusal", |view| matches!(view.preview, Some(Preview::Refused(_))));
}

/// A PNG of a code with its quiet zone.
fn picture(text: &str) -> std::sync::Arc<[u8]> {
    let code = super::code(text).unwrap();
    let (side, quiet) = (u32::try_from(code.size).unwrap(), 4);
    let pixels = image::GrayImage::from_fn((side + 2 * quiet) * 5, (side + 2 * quiet) * 5, |x, y| {
        let module = |pixel: u32| (pixel / 5).checked_sub(quiet).filter(|module| *module < side);
        let dark = module(x).zip(module(y)).is_some_and(|(x, y)| code.dark[(y * side + x) as usize]);
        image::Luma([if dark { 0 } else { 255 }])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner().into()
}

#[test]
fn a_locked_profile_counts_and_tells_nothing() {
    let (_house, mut alice, bob) = acquainted();
    alice.select();
    alice.backend.send(Action::Lock);
    alice.until("the lock screen", |view| matches!(view.stage, Stage::Locked(_)));
    assert!(alice.view.timeline.is_none() && alice.view.account.is_none());
    alice.backend.send(Action::WindowFocused(false));
    bob.send("psst");
    alice.until("an arrival", |view| matches!(&view.stage, Stage::Locked(locked) if locked.arrivals > 0));
    let told = alice.notifications.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((told.title.as_str(), told.text.as_str()), ("Sotto", "New message"));

    alice.backend.send(Action::Unlock(Some(passphrase())));
    alice.until("the message", |view| view.conversations.first().is_some_and(|bob| bob.unread == 1));
    assert_eq!(alice.other().last.as_ref().unwrap().text, "psst");
}

#[test]
fn what_arrives_unseen_is_one_notification() {
    let (_house, mut alice, mut bob) = acquainted();
    alice.backend.send(Action::WindowFocused(false));
    for number in 0..3 {
        bob.send(&format!("message {number}"));
    }
    bob.until("three on their way", |view| view.network.waiting == 0);
    alice.until("three", |view| view.conversations[0].unread == 3);
    let told = alice.notifications.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((told.title.as_str(), told.text.as_str()), ("Bob", "3 new messages"));
    // Whoever looks needs it no longer.
    alice.backend.send(Action::WindowFocused(true));
    assert_eq!(alice.notifications.recv_timeout(PATIENCE).unwrap(), None);
    assert!(alice.notifications.try_recv().is_err());
}

#[test]
fn the_window_of_rows_moves_and_keeps_what_is_seen() {
    let (_house, alice, mut bob) = acquainted();
    for number in 0..200 {
        alice.send(&number.to_string());
    }
    bob.until("all of them", |view| view.conversations[0].unread == 200);
    bob.select();
    let timeline = bob.view.timeline.clone().unwrap();
    assert_eq!(timeline.unread.unwrap().1, 200);
    assert!(timeline.rows.len() <= 210 && timeline.at_start && !timeline.at_end, "{}", timeline.rows.len());

    let last = timeline.rows.last().unwrap().clone();
    bob.backend.send(Action::MoveWindow(Anchor::After(last.id)));
    bob.until("later rows", |view| view.timeline.as_ref().unwrap().at_end);
    let timeline = bob.view.timeline.clone().unwrap();
    let kept = timeline.rows.iter().find(|row| row.id == last.id).unwrap();
    assert_eq!(*kept, last);
    assert_eq!(timeline.look_at.1, Anchor::Around(timeline.unread.unwrap().0));
    assert_eq!(texts(&bob.view).last().unwrap(), "199");

    // What arrives while one is at the end appears there; a message of one's own leads there.
    alice.send("one more");
    bob.until("one more", |view| texts(view).last().map(String::as_str) == Some("one more"));
    let first = bob.view.timeline.as_ref().unwrap().rows[0].id;
    bob.backend.send(Action::MoveWindow(Anchor::Before(first)));
    bob.until("earlier rows", |view| !view.timeline.as_ref().unwrap().at_end);
    bob.send("mine");
    bob.until("the end", |view| texts(view).last().map(String::as_str) == Some("mine"));
    assert!(bob.view.timeline.as_ref().unwrap().rows.len() <= 210);
}

#[test]
fn keys_and_cards() {
    let (_house, mut alice, _bob) = acquainted();
    alice.send("something to lose");
    alice.until("a card", |view| view.cards == [Card::RecoveryKey]);
    alice.backend.send(Action::NewRecoveryKey);
    alice.until("a recovery key", |view| view.recovery_key.is_some());
    let key = alice.view.recovery_key.clone().unwrap();
    alice.backend.send(Action::DismissCard(Card::RecoveryKey));
    alice.until("nothing shown", |view| view.recovery_key.is_none() && view.cards.is_empty());
    alice.backend.send(Action::AddPassphrase(SecretText::new("another one".to_owned())));
    alice.until("a remark", |view| !view.toasts.is_empty());

    let mut alice = Person::begin(alice.end(), |_| {});
    for (text, opens) in [(passphrase(), false), (SecretText::new("another one".to_owned()), true), (key, true)] {
        alice.until("the lock screen", |view| matches!(&view.stage, Stage::Locked(locked) if !locked.busy));
        alice.backend.send(Action::Unlock(Some(text)));
        if opens {
            alice.until("an open profile", |view| view.stage == Stage::Open && !view.conversations.is_empty());
            assert!(alice.view.cards.is_empty());
            alice.backend.send(Action::Lock);
        } else {
            alice.until("a refusal", |view| matches!(&view.stage, Stage::Locked(locked) if locked.trouble.is_some()));
        }
    }
}

#[test]
fn profiles_are_changed_and_a_link_that_was_opened_is_marked() {
    let house = House::new();
    let mut alice = Person::new("Alice", &house);
    alice.backend.send(Action::NewProfile);
    alice.until("a first screen", |view| matches!(view.stage, Stage::FirstRun(_)));
    assert_eq!(alice.view.profiles.iter().filter(|profile| profile.current).count(), 1);
    assert_eq!(alice.view.profiles.len(), 2);
    let first = alice.view.profiles.iter().find(|profile| !profile.current).unwrap().path.clone();
    alice.backend.send(Action::SwitchProfile(first));
    alice.until("the lock screen", |view| matches!(view.stage, Stage::Locked(_)));
    alice.backend.send(Action::Unlock(Some(passphrase())));
    alice.until("her name", |view| view.account.as_ref().is_some_and(|account| account.name == "Alice"));
    alice.backend.send(Action::Invite { once: false });
    alice.until("a link", |view| view.invitation.is_some());
    let link = alice.view.invitation.as_ref().unwrap().link.clone();

    // What a browser hands over reads so, whatever page it comes from.
    let link = link.parse::<Link>().unwrap().to_sotto_uri();
    let mut bob = Person::begin(TempDir::new().unwrap(), |setup| setup.link = Some(link.clone()));
    bob.until("a marked preview", |view| {
        matches!(view.preview, Some(Preview::Link { through_web: true, once: false, .. }))
    });
    bob.until(
        "a relay proposed",
        |view| matches!(&view.stage, Stage::FirstRun(first) if first.relay.as_deref() == Some(house.address.as_str()) && first.relay_of_link),
    );
    // A person who pastes it has it from somewhere else.
    bob.backend.send(Action::PreviewLink(link));
    bob.until("no mark", |view| matches!(view.preview, Some(Preview::Link { through_web: false, .. })));
    assert!(Path::new(&bob.folder.path().join("profile/store")).metadata().is_err());
}

#[test]
fn a_proxy_of_the_command_line_comes_before_the_first_connection() {
    let relay = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    relay.set_nonblocking(true).unwrap();
    let identity = *Identity::from_secret(&[7; 32]).public();
    let port = relay.local_addr().unwrap().port();
    let address = RelayAddress::new("127.0.0.1", port, Tls::Off, identity).unwrap().to_string();
    // Nobody listens there once this line is over.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = format!("socks5://{proxy}");

    // A new profile is proposed it, visibly.
    let mut first = Person::begin(TempDir::new().unwrap(), |setup| setup.proxy = Some(proxy.parse().unwrap()));
    first.until(
        "a proxy proposed",
        |view| matches!(&view.stage, Stage::FirstRun(first) if first.proxy.as_deref() == Some(proxy.as_str())),
    );
    drop(first);

    // A profile that knew of none has it before its relay is dialled.
    let mut person = Person::begin(TempDir::new().unwrap(), |setup| setup.network = false);
    person.until("the first screen", |view| matches!(view.stage, Stage::FirstRun(_)));
    person.backend.send(Action::CreateProfile {
        name: "Alice".to_owned(),
        relay: address,
        passphrase: Some(passphrase()),
        proxy: None,
    });
    person.until("an open profile", |view| view.account.as_ref().is_some_and(|account| account.proxy.is_none()));
    let mut person = Person::begin(person.end(), |setup| setup.proxy = Some(proxy.parse().unwrap()));
    person.until("the lock screen", |view| matches!(view.stage, Stage::Locked(_)));
    person.backend.send(Action::Unlock(Some(passphrase())));
    person.until("the proxy", |view| {
        view.account.as_ref().is_some_and(|account| account.proxy.as_deref() == Some(proxy.as_str()))
    });
    person.until("a proxy that is not there", |view| !view.network.online);
    assert_eq!(relay.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "dialled around the proxy");
}
