//! What the window is given to draw in tests: one [`View`] for each state of the design, always the same.

use std::{path::PathBuf, sync::Arc};

use sotto_desktop::{
    action::{Card, SecretText},
    preferences::{Preferences, ThemeChoice},
    view::{
        Account, Anchor, Clock, Conversation, FirstRun, Hit, Invitation, Last, Locked, Network, PictureResult, Preview,
        Profile, QrImage, Row, RowKind, Search, Stage, Timeline, Toast, Trouble, View, Why,
    },
};
use sotto_driver::{ContactId, ContactState, ContentId, MessageStatus};

/// Wednesday, 11 March 2026, 14:40 UTC.
pub(crate) const NOW: u64 = 1_773_240_000_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The people, by the last byte of their roots.
pub(crate) const MIRA: u8 = 1;
pub(crate) const JONAH: u8 = 2;
pub(crate) const BEA: u8 = 3;
pub(crate) const TOMAS: u8 = 4;
pub(crate) const KIM: u8 = 5;

/// Who a byte stands for.
pub(crate) fn who(byte: u8) -> ContactId {
    let mut root = [0; 32];
    root[31] = byte;
    ContactId::from(root)
}

/// The message that a number stands for.
pub(crate) fn content(number: u8) -> ContentId {
    ContentId::from([number; 16])
}

/// Nothing but clock, preferences and one profile of this computer.
pub(crate) fn bare(stage: Stage) -> View {
    View {
        stage,
        profiles: vec![Profile { label: "Nadia".to_owned(), path: PathBuf::from("/profiles/nadia"), current: true }],
        network: Network { online: true, ..Network::default() },
        preferences: Preferences { reduced_motion: true, ..Preferences::default() },
        clock: Clock { now: NOW, fixed_offset: Some(0) },
        ..View::default()
    }
}

/// A view in this theme.
pub(crate) fn themed(mut view: View, dark: bool) -> View {
    view.preferences.theme = if dark { ThemeChoice::Dark } else { ThemeChoice::Light };
    view
}

/// A first start: with a relay proposed, and with a keyring or without.
pub(crate) fn first_run(keyring: bool) -> View {
    let first_run = FirstRun { keyring, relay: Some(RELAY.to_owned()), ..FirstRun::default() };
    bare(Stage::FirstRun(first_run))
}

/// Changes what the first screens know.
pub(crate) fn with_first_run(view: &mut View, change: impl FnOnce(&mut FirstRun)) {
    let Stage::FirstRun(first_run) = &mut view.stage else { panic!("a first run is drawn") };
    change(first_run);
}

/// What went wrong, and what to do.
pub(crate) fn trouble(what: &str, advice: &str) -> Trouble {
    Trouble { what: what.to_owned(), advice: advice.to_owned() }
}

/// The locked window, with messages that came meanwhile.
pub(crate) fn locked(arrivals: u64) -> View {
    let mut view = bare(Stage::Locked(Locked { arrivals, ..Locked::default() }));
    view.profiles.push(Profile { label: "Work".to_owned(), path: PathBuf::from("/profiles/work"), current: false });
    view
}

/// A profile that cannot be opened.
pub(crate) fn broken() -> View {
    let advice = "Close the other window, then try again. Nothing is lost.";
    bare(Stage::Broken(trouble("Another Sotto has this profile open.", advice)))
}

/// A profile without anybody in it yet.
pub(crate) fn empty() -> View {
    View { account: Some(account()), ..bare(Stage::Open) }
}

/// Five conversations, none of them open.
pub(crate) fn list() -> View {
    View { conversations: Arc::new(conversations()), ..empty() }
}

/// The conversation with Mira, with everything ordinary in it.
pub(crate) fn talk() -> View {
    View { timeline: Some(timeline(MIRA, rows())), ..list() }
}

/// The same, with two messages that have not been seen.
pub(crate) fn unread() -> View {
    let mut view = talk();
    with_rows(&mut view, |rows| rows.push(theirs(9, NOW - 7 * MINUTE, "And bring the oars")));
    let timeline = view.timeline.as_mut().expect("a conversation is open");
    timeline.unread = Some((content(8), 2));
    view
}

/// The same without a network: what is written waits.
pub(crate) fn offline() -> View {
    let mut view = talk();
    view.network = Network { online: false, waiting: 3, problem: Some("No network.".to_owned()), ..Network::default() };
    with_rows(&mut view, |rows| rows.push(own(20, NOW - MINUTE, MessageStatus::Queued, "Is the boat there?")));
    view
}

/// A contact whose identity is in doubt: sending is held.
pub(crate) fn held() -> View {
    let mut view = talk();
    with_conversation(&mut view, MIRA, |mira| {
        mira.held = true;
        mira.verified = false;
    });
    view
}

/// A request that waits for an answer.
pub(crate) fn request() -> View {
    View { timeline: Some(timeline(TOMAS, vec![])), ..list() }
}

/// A request of ours that waits for theirs.
pub(crate) fn asked() -> View {
    View { timeline: Some(timeline(KIM, vec![])), ..list() }
}

/// Quiet notices: a new device, a message that could not be opened and was asked for again.
pub(crate) fn notices() -> View {
    let mut view = talk();
    with_rows(&mut view, |rows| {
        rows.push(notice(30, NOW - 5 * MINUTE, "Mira added a device"));
        let repaired = "A message could not be opened: Mira's device had lost its place. It was asked for again.";
        rows.push(notice(31, NOW - 4 * MINUTE, repaired));
    });
    view
}

/// Where a message is, while it waits.
pub(crate) fn why() -> View {
    let mut view = offline();
    let station = |name: &str, reached| (name.to_owned(), reached);
    view.why = Some(Why {
        message: content(20),
        stations: vec![
            station("On this computer", true),
            station("At Mira's relay", false),
            station("On Mira's device", false),
            station("Read", false),
        ],
        waits_for: "It waits for a connection and goes by itself then.".to_owned(),
        retry: true,
    });
    view
}

/// Our link, ready to be given away.
pub(crate) fn invited(once: bool) -> View {
    View { invitation: Some(invitation(once)), ..list() }
}

/// A link that is looked at.
pub(crate) fn preview(through_web: bool) -> View {
    let preview =
        Preview::Link { link: LINK.to_owned(), relay: "relay.example.org".to_owned(), once: true, through_web };
    View { preview: Some(preview), ..list() }
}

/// A text that is no link.
pub(crate) fn refused() -> View {
    let advice = "Ask for it again, as a whole line or as a picture.";
    let trouble = trouble("This link is incomplete: a part of it was cut off.", advice);
    View { preview: Some(Preview::Refused(trouble)), ..list() }
}

/// The same with somebody whose number was not compared.
pub(crate) fn unverified() -> View {
    let mut view = talk();
    with_conversation(&mut view, MIRA, |mira| mira.verified = false);
    view
}

/// A picture of another number.
pub(crate) fn mismatch() -> View {
    View { picture: Some(PictureResult::Different), ..unverified() }
}

/// Cards that remind of a recovery key and of a passphrase.
pub(crate) fn carded() -> View {
    View { cards: vec![Card::RecoveryKey, Card::Passphrase], ..list() }
}

/// A recovery key that is shown.
pub(crate) fn recovery_key() -> View {
    let key = "7K2F-9QXM-4TRD-H8WP-3VNJ-6CYB-ZA5E-LG1S".to_owned();
    View { recovery_key: Some(SecretText::new(key)), ..carded() }
}

/// A search with hits.
pub(crate) fn searched() -> View {
    let hit = |byte: u8, number: u8, name: &str, text: &str| Hit {
        chat: who(byte),
        name: name.to_owned(),
        message: content(number),
        text: text.to_owned(),
        time: NOW - u64::from(number) * HOUR,
    };
    let hits = vec![
        hit(MIRA, 1, "Mira Oduya", "Did the ferry people answer?"),
        hit(JONAH, 9, "Jonah Weiss", "The ferry leaves at nine"),
    ];
    View { search: Some(Search { query: "ferry".to_owned(), hits }), ..list() }
}

/// Something said at the bottom, and an error that stays.
pub(crate) fn toasted() -> View {
    let toast = |text: &str, error| Toast { text: text.to_owned(), error };
    let mut view = talk();
    view.say(toast("Link copied", false));
    view.say(toast("The disk is full. Nothing was lost; free some space.", true));
    view
}

/// The relay that is proposed.
pub(crate) const RELAY: &str = "sotto://relay.example.org:443/q7Xw0mJtT1cVn5bR8kLz2dYp4sGf6hAeQyUiOxNvWZM";
/// A link of somebody.
pub(crate) const LINK: &str = "https://relay.example.org/i#q7Xw0mJtT1cVn5bR8kLz2dYp4sGf6hAeQyUiOxNvWZM";

fn account() -> Account {
    Account {
        id: who(9),
        name: "Nadia".to_owned(),
        relays: vec![RELAY.to_owned()],
        proxy: None,
        address_on: true,
        has_passphrase: true,
    }
}

/// Our link and its code; the code is a pattern, for pictures.
pub(crate) fn invitation(once: bool) -> Invitation {
    Invitation { link: LINK.to_owned(), qr: pattern(29), once, usable: true }
}

fn pattern(size: usize) -> QrImage {
    let dark = (0..size * size).map(|at| at % size * 7 % 5 * (at / size) % 3 == 1).collect();
    QrImage { size, dark: Arc::new(dark) }
}

fn conversations() -> Vec<Conversation> {
    let mira = Conversation {
        verified: true,
        last: last("See you at the pier then", NOW - 8 * MINUTE, None),
        ..conversation(MIRA, "Mira Oduya", ContactState::Connected)
    };
    let tomas = Conversation {
        request_text: Some("Hi, it's Tomas from the rowing club.".to_owned()),
        unread: 1,
        ..conversation(TOMAS, "Tomas Iversen", ContactState::Incoming)
    };
    let jonah = Conversation {
        typing: true,
        unread: 2,
        last: last("The ferry leaves at nine", NOW - 3 * HOUR, None),
        ..conversation(JONAH, "Jonah Weiss", ContactState::Connected)
    };
    let bea = Conversation {
        draft: "the lock code is".to_owned(),
        last: last("Thank you for the keys", NOW - DAY, Some(MessageStatus::Read)),
        ..conversation(BEA, "Aunt Béa", ContactState::Connected)
    };
    vec![mira, tomas, jonah, bea, conversation(KIM, "New contact", ContactState::Requested)]
}

fn conversation(byte: u8, name: &str, state: ContactState) -> Conversation {
    Conversation {
        id: who(byte),
        name: name.to_owned(),
        state,
        verified: false,
        held: false,
        offered: None,
        unread: 0,
        last: None,
        draft: String::new(),
        typing: false,
        request_text: None,
        safety_number: "48213 90417 33586 07129 61940 25873 11460 98325 70654 39281 54017 86392".to_owned(),
    }
}

fn last(text: &str, time: u64, status: Option<MessageStatus>) -> Option<Last> {
    Some(Last { text: text.to_owned(), time, status })
}

fn timeline(byte: u8, rows: Vec<Row>) -> Timeline {
    Timeline {
        chat: who(byte),
        rows: Arc::new(rows),
        at_start: true,
        at_end: true,
        unread: None,
        look_at: (1, Anchor::Newest),
    }
}

fn rows() -> Vec<Row> {
    let long = "The ferry people say that the 9:40 takes cars if they are booked the day before, and that bicycles are free. \
                If we miss it, the next one is at 12:10.\n\nI would rather not miss it.";
    vec![
        theirs(1, NOW - DAY - HOUR, "Did the ferry people answer?"),
        theirs(2, NOW - DAY - HOUR + MINUTE, "I can call again if not"),
        own(3, NOW - DAY, MessageStatus::Read, long),
        theirs(4, NOW - 40 * MINUTE, "Perfect."),
        own(5, NOW - 30 * MINUTE, MessageStatus::Read, "Two seats on the 9:40, car included"),
        own(6, NOW - 29 * MINUTE, MessageStatus::Delivered, "I have the tickets"),
        own(7, NOW - 12 * MINUTE, MessageStatus::Sent, "Bring a coat"),
        theirs(8, NOW - 8 * MINUTE, "See you at the pier then"),
    ]
}

fn theirs(number: u8, time: u64, text: &str) -> Row {
    row(number, time, RowKind::Message { own: false, status: MessageStatus::Received, text: text.into() })
}

fn own(number: u8, time: u64, status: MessageStatus, text: &str) -> Row {
    row(number, time, RowKind::Message { own: true, status, text: text.into() })
}

fn notice(number: u8, time: u64, text: &str) -> Row {
    row(number, time, RowKind::Notice(text.to_owned()))
}

fn row(number: u8, time: u64, kind: RowKind) -> Row {
    Row { id: content(number), revision: 0, time, kind }
}

/// Changes the rows of the open conversation.
pub(crate) fn with_rows(view: &mut View, change: impl FnOnce(&mut Vec<Row>)) {
    let timeline = view.timeline.as_mut().expect("a conversation is open");
    change(Arc::make_mut(&mut timeline.rows));
}

/// Changes one conversation of the list.
pub(crate) fn with_conversation(view: &mut View, byte: u8, change: impl FnOnce(&mut Conversation)) {
    let conversations = Arc::make_mut(&mut view.conversations);
    let conversation = conversations.iter_mut().find(|conversation| conversation.id == who(byte));
    change(conversation.expect("the fixture has them"));
}
