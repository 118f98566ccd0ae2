//! What the window draws, as plain data. The backend fills it, view code reads it, nothing here touches a database.

use std::{path::PathBuf, sync::Arc};

use sotto_driver::{ContactId, ContactState, ContentId, ManifestHash, MessageStatus};

use crate::{action::SecretText, preferences::Preferences};

/// Everything that can be drawn.
#[derive(Clone, Default)]
pub struct View {
    /// How far the profile is.
    pub stage: Stage,
    /// The profiles of this computer.
    pub profiles: Vec<Profile>,
    /// Whose profile is open.
    pub account: Option<Account>,
    /// The conversations, the one with the newest message first.
    pub conversations: Arc<Vec<Conversation>>,
    /// The open conversation.
    pub timeline: Option<Timeline>,
    /// How the relays are reached.
    pub network: Network,
    /// What the person set.
    pub preferences: Preferences,
    /// Our own link, once asked for.
    pub invitation: Option<Invitation>,
    /// The link that is looked at.
    pub preview: Option<Preview>,
    /// Where the message asked about is.
    pub why: Option<Why>,
    /// What a search found.
    pub search: Option<Search>,
    /// Cards that may be put away.
    pub cards: Vec<crate::action::Card>,
    /// A recovery key that is shown once.
    pub recovery_key: Option<SecretText>,
    /// What is said at the bottom, oldest first. Each has a number that is never used again.
    pub toasts: Vec<(u64, Toast)>,
    /// The last number given to a toast.
    pub toasts_said: u64,
    /// The result of comparing a picture of their code.
    pub picture: Option<PictureResult>,
    /// Now, and where: for days and times.
    pub clock: Clock,
}

/// Tells nothing of what it holds: messages, and at times a recovery key.
impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View(..)")
    }
}

/// How far the profile is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Not known yet. Nothing is drawn but the background.
    #[default]
    Starting,
    /// There is no profile yet.
    FirstRun(FirstRun),
    /// Only the lock screen is drawn.
    Locked(Locked),
    /// Open.
    Open,
    /// It cannot be opened.
    Broken(Trouble),
}

/// What the first screens know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstRun {
    /// Whether the system's keyring can hold the key; without, a passphrase is asked on the second screen.
    pub keyring: bool,
    /// The relay that is proposed: from the command line, or from the link that was opened.
    pub relay: Option<String>,
    /// The relay that is proposed is that of whoever gave the link: nobody else has named it.
    pub relay_of_link: bool,
    /// The proxy that is proposed: from the command line.
    pub proxy: Option<String>,
    /// Whether the profile is being made.
    pub busy: bool,
    /// Why it was not made.
    pub trouble: Option<Trouble>,
}

/// What the lock screen knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// Messages that arrived meanwhile, still closed.
    pub arrivals: u64,
    /// Whether the system's keyring opens it: a button does.
    pub keyring: bool,
    /// Whether it is being opened.
    pub busy: bool,
    /// Why it was not opened.
    pub trouble: Option<Trouble>,
}

/// What happened, what is safe, what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// One sentence: what happened and what is safe.
    pub what: String,
    /// One sentence: what to do. May be empty.
    pub advice: String,
}

/// A profile of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is called on this computer.
    pub label: String,
    /// Its folder.
    pub path: PathBuf,
    /// Whether it is the one shown.
    pub current: bool,
}

/// Whose profile is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its root.
    pub id: ContactId,
    /// The name told to contacts.
    pub name: String,
    /// Its relays' addresses, the preferred one first.
    pub relays: Vec<String>,
    /// The SOCKS5 proxy, if one is set.
    pub proxy: Option<String>,
    /// Whether strangers with the contact address may ask.
    pub address_on: bool,
    /// Whether a passphrase opens the profile.
    pub has_passphrase: bool,
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// With whom.
    pub id: ContactId,
    /// Their name; how an unnamed one is called where it is empty.
    pub name: String,
    /// How far they are.
    pub state: ContactState,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Sending is held until the person chooses: their identity is in doubt.
    pub held: bool,
    /// The manifest that is in doubt, where that is why: going on names what was seen.
    pub offered: Option<ManifestHash>,
    /// Messages not seen yet.
    pub unread: u64,
    /// The newest message.
    pub last: Option<Last>,
    /// What is written and not sent.
    pub draft: String,
    /// They are typing.
    pub typing: bool,
    /// The text that came with their request.
    pub request_text: Option<String>,
    /// 60 digits in 12 groups.
    pub safety_number: String,
}

/// The newest message, for the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// Its first line, short.
    pub text: String,
    /// Unix milliseconds, its author's clock.
    pub time: u64,
    /// Ours, and how far; none for theirs.
    pub status: Option<MessageStatus>,
}

/// A window of about 200 rows of the open conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// With whom.
    pub chat: ContactId,
    /// The rows, oldest first, without a gap.
    pub rows: Arc<Vec<Row>>,
    /// Whether the first row is the conversation's first.
    pub at_start: bool,
    /// Whether the last row is the conversation's newest.
    pub at_end: bool,
    /// The first message not seen when the conversation was opened, and how many there were.
    pub unread: Option<(ContentId, u64)>,
    /// Where to look first, or again after a jump. A new number is a new wish.
    pub look_at: (u64, Anchor),
}

/// Where a window lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The newest rows.
    #[default]
    Newest,
    /// Rows on both sides of this one.
    Around(ContentId),
    /// More rows before the first of the window.
    Before(ContentId),
    /// More rows after the last of the window.
    After(ContentId),
}

/// One row of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ContentId,
    /// Changes whenever anything that is drawn does.
    pub revision: u32,
    /// Its author's clock, Unix milliseconds.
    pub time: u64,
    /// What it is.
    pub kind: RowKind,
}

/// What a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A message.
    Message {
        /// Ours.
        own: bool,
        /// How far.
        status: MessageStatus,
        /// What it says.
        text: Arc<str>,
    },
    /// A quiet line: a new device, a repaired session, a verified contact.
    Notice(String),
}

/// How the relays are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Whether any own relay is reached. Before the first attempt has failed this is true.
    pub online: bool,
    /// Own messages not delivered yet.
    pub waiting: u64,
    /// Why not, in one sentence.
    pub problem: Option<String>,
    /// The disk takes nothing, in one sentence.
    pub storage: Option<String>,
    /// Each relay: its name and how it stands, for the settings.
    pub relays: Vec<(String, String)>,
}

/// A link to give away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The link.
    pub link: String,
    /// Its QR code.
    pub qr: QrImage,
    /// One-time.
    pub once: bool,
    /// Whether the relay has what belongs to it.
    pub usable: bool,
}

/// Modules of a QR code, without the quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrImage {
    /// Modules a side.
    pub size: usize,
    /// Row by row; true is dark.
    pub dark: Arc<Vec<bool>>,
}

/// A link that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// It can be used.
    Link {
        /// The link's text.
        link: String,
        /// The relay it leads to.
        relay: String,
        /// One-time.
        once: bool,
        /// It came through a web page, whose relay may have replaced it: compare safety numbers.
        through_web: bool,
    },
    /// It cannot.
    Refused(Trouble),
}

/// Where a message is, and why not further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// Which.
    pub message: ContentId,
    /// The stations in order, each with whether it was reached: here, at the relay, on their device, read.
    pub stations: Vec<(String, bool)>,
    /// What it waits for, in one sentence; empty once delivered.
    pub waits_for: String,
    /// Whether trying again now may help.
    pub retry: bool,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What was looked for.
    pub query: String,
    /// The hits, newest first.
    pub hits: Vec<Hit>,
}

/// One hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Whose conversation.
    pub chat: ContactId,
    /// Their name.
    pub name: String,
    /// Which message.
    pub message: ContentId,
    /// A piece of it.
    pub text: String,
    /// Unix milliseconds.
    pub time: u64,
}

/// Something said at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// What.
    pub text: String,
    /// It stays until it is put away, and can be copied.
    pub error: bool,
}

/// What a picture of the other's code said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureResult {
    /// The numbers are the same.
    Same,
    /// They are not: someone may stand between.
    Different,
    /// No such code was found, in one sentence.
    Unreadable(String),
}

/// Now, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds.
    pub now: u64,
    /// A fixed offset east of UTC in seconds instead of the system's zone; for pictures that must not change.
    pub fixed_offset: Option<i32>,
}
