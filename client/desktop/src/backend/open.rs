//! An open profile: its client, and what the window draws of it, read anew where something happened.
//!
//! Changes only mark what is stale; it is read at most every [`PACE`], so that a flood of arrivals costs a few reads and not
//! one each.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use sotto_driver::{
    AccountView, AddressView, Change, Client, ClientError, ContactId, ContentId, Happening, Health, IntentError,
    Notice, RelayAddress, RelayState, SlotKind, view,
};
use tokio::sync::{broadcast, watch};

use super::{list::List, trouble::sentence, why, window::Window};
use crate::{
    action::Card,
    update::Update,
    view::{Account, Network},
};

/// Between two reads of what is stale.
const PACE: Duration = Duration::from_millis(30);

/// An open profile.
pub(super) struct Open {
    pub(super) client: Arc<Client>,
    pub(super) account: AccountView,
    pub(super) list: List,
    pub(super) window: Option<Window>,
    pub(super) why: Option<ContentId>,
    pub(super) stale: Stale,
    /// What the last query asked.
    pub(super) query: String,
    slots: Vec<SlotKind>,
    put_away: Vec<Card>,
    changes: broadcast::Receiver<Change>,
    notices: broadcast::Receiver<Notice>,
    health: watch::Receiver<Health>,
    /// An attempt to reach a relay failed since the last one that did not.
    was_offline: bool,
    /// How the relays stand, as the window was last told.
    shown: Option<Network>,
    read_at: Instant,
    /// The number of the last wish where to look.
    pub(super) wish: u64,
}

/// What must be read again.
#[derive(Default)]
pub(super) struct Stale {
    pub(super) chats: BTreeSet<ContactId>,
    /// All conversations.
    pub(super) list: bool,
    /// Nothing needs to be read, and the list changed.
    pub(super) order: bool,
    pub(super) window: bool,
    pub(super) network: bool,
    pub(super) account: bool,
}

/// Something the client tells.
pub(super) enum News {
    Change(Change),
    Notice(Notice),
    /// Some were missed.
    Missed,
    Health,
}

impl Stale {
    fn is_empty(&self) -> bool {
        let Self { chats, list, order, window, network, account } = self;
        chats.is_empty() && !*list && !*order && !*window && !*network && !*account
    }

    fn all() -> Self {
        Self { chats: BTreeSet::new(), list: true, order: true, window: true, network: true, account: true }
    }
}

impl Open {
    /// Takes a client with an account over; everything is stale.
    pub(super) fn new(client: Arc<Client>, slots: Vec<SlotKind>, put_away: Vec<Card>) -> Result<Self, ClientError> {
        let account = client.view(|rows| view::account(rows))?.ok_or(IntentError::NoProfile)?;
        let (changes, notices, health) = (client.changes(), client.notices(), client.health());
        let list = List::read(&client)?;
        let stale = Stale { list: false, ..Stale::all() };
        Ok(Self {
            client,
            account,
            list,
            window: None,
            why: None,
            stale,
            query: String::new(),
            slots,
            put_away,
            changes,
            notices,
            health,
            was_offline: false,
            shown: None,
            read_at: Instant::now(),
            wish: 0,
        })
    }

    /// The next thing the client tells.
    pub(super) async fn news(&mut self) -> News {
        use broadcast::error::RecvError;
        tokio::select! {
            change = self.changes.recv() => match change {
                Ok(change) => News::Change(change),
                Err(RecvError::Lagged(_) | RecvError::Closed) => News::Missed,
            },
            notice = self.notices.recv() => match notice {
                Ok(notice) => News::Notice(notice),
                Err(RecvError::Lagged(_) | RecvError::Closed) => News::Missed,
            },
            Ok(()) = self.health.changed() => News::Health,
        }
    }

    /// Notes what a change makes stale.
    pub(super) fn note(&mut self, change: &Change, now: Instant) {
        match change {
            Change::Happened { sequence: _, happening } => self.note_happening(happening),
            Change::Typing { contact, active } => {
                self.list.set_typing(contact, *active, now);
                self.stale.order = true;
            }
            Change::Online { relay: _ }
            | Change::Offline { relay: _ }
            | Change::RelayRefused { relay: _, problem: _ } => {
                self.stale.network = true;
            }
            Change::CaughtUp { relay: _ } | Change::Answered { ticket: _, result: _ } => {}
        }
    }

    fn note_happening(&mut self, happening: &Happening) {
        let chat = match happening {
            Happening::MessageNew { chat, id: _ } | Happening::MessageStatus { chat, id: _, status: _ } => {
                self.stale.network = true;
                Some(*chat)
            }
            Happening::Contact { contact, state: _ }
            | Happening::DevicesChanged { contact }
            | Happening::IdentityConflict { contact }
            | Happening::SessionRepaired { contact }
            | Happening::Verified { contact }
            | Happening::IdentityAccepted { contact }
            | Happening::AnotherPerson { contact } => Some(*contact),
            Happening::CopyNoticed { contact } => *contact,
            Happening::Admission { relay: _, state: _ } => {
                self.stale.network = true;
                None
            }
        };
        let Some(chat) = chat else { return };
        self.stale.window |= self.window.as_ref().is_some_and(|window| window.chat() == chat);
        self.stale.chats.insert(chat);
    }

    pub(super) fn note_health(&mut self) {
        self.stale.network = true;
    }

    /// Some changes were missed: all may be different.
    pub(super) fn note_missed(&mut self) {
        self.stale = Stale::all();
    }

    /// When something is to be done without being asked.
    pub(super) fn due(&self) -> Option<Instant> {
        let read = (!self.stale.is_empty()).then(|| self.read_at + PACE);
        [read, self.list.typing_ends()].into_iter().flatten().min()
    }

    /// Reads what is stale, if it is time.
    pub(super) fn read(&mut self, now: Instant) -> Result<Vec<Update>, ClientError> {
        self.stale.order |= self.list.expire_typing(now);
        if self.stale.is_empty() || now < self.read_at + PACE {
            return Ok(Vec::new());
        }
        self.read_now()
    }

    /// Reads what is stale.
    pub(super) fn read_now(&mut self) -> Result<Vec<Update>, ClientError> {
        // Stale once more if reading fails is what changes next.
        let stale = std::mem::take(&mut self.stale);
        let mut updates = Vec::new();
        if stale.account {
            updates.push(self.read_account()?);
        }
        if stale.list {
            self.list = List::read(&self.client)?;
        } else {
            for chat in &stale.chats {
                self.list.refresh(&self.client, chat)?;
            }
        }
        if stale.list || stale.order || !stale.chats.is_empty() {
            updates.push(Update::Conversations(self.list.ordered()));
            updates.push(Update::Cards(self.cards()));
        }
        if stale.window
            && let Some(window) = &mut self.window
        {
            window.refresh(&self.client)?;
            updates.push(Update::Timeline(Some(window.timeline())));
        }
        if stale.network {
            let network = self.network()?;
            if self.shown.as_ref() != Some(&network) {
                updates.push(Update::Network(network.clone()));
                self.shown = Some(network);
            }
        }
        if let Some(message) = self.why {
            updates.push(Update::Why(why::why(&self.client, &message)?));
        }
        self.read_at = Instant::now();
        Ok(updates)
    }

    fn read_account(&mut self) -> Result<Update, ClientError> {
        let (account, address, proxy) =
            self.client.view(|rows| Ok((view::account(rows)?, view::address_state(rows)?, view::proxy(rows)?)))?;
        if let Some(account) = account {
            self.account = account;
        }
        Ok(Update::Account(Some(Account {
            id: self.account.root,
            name: self.account.name.clone(),
            relays: self.relays().map(ToString::to_string).collect(),
            proxy: proxy.map(|proxy| proxy.to_string()),
            address_on: address != Some(AddressView::Off),
            has_passphrase: self.slots.contains(&SlotKind::Passphrase),
        })))
    }

    /// Our relays, the preferred one first.
    fn relays(&self) -> impl Iterator<Item = &RelayAddress> {
        std::iter::once(&self.account.relay).chain(&self.account.second)
    }

    /// What may be put away, once there is something to lose.
    fn cards(&self) -> Vec<Card> {
        if !self.list.has_messages() {
            return Vec::new();
        }
        let passphrase = self.slots.contains(&SlotKind::Keyring) && !self.slots.contains(&SlotKind::Passphrase);
        let wanted = [Some(Card::RecoveryKey), Some(Card::Passphrase).filter(|_| passphrase)];
        wanted.into_iter().flatten().filter(|card| !self.put_away.contains(card)).collect()
    }

    /// There is another way to open the profile.
    pub(super) fn note_slots(&mut self, slots: Vec<SlotKind>) {
        self.slots = slots;
        self.stale.account = true;
        self.stale.order = true;
    }

    pub(super) fn put_away(&mut self, card: Card) {
        self.put_away.push(card);
        self.stale.order = true;
    }

    /// How the relays are reached. Until an attempt has failed nothing is said to be offline.
    fn network(&mut self) -> Result<Network, ClientError> {
        let health = self.health.borrow_and_update().clone();
        let failed = |state: &RelayState| matches!(state, RelayState::Offline(_) | RelayState::Refused(_));
        if health.online() {
            self.was_offline = false;
        } else if health.relays.values().any(failed) {
            self.was_offline = true;
        }
        // Away, and dialled once more: what is shown stays until it went one way or the other.
        let shown = self.shown.as_ref().filter(|_| self.was_offline);
        let before = |place: &str| shown?.relays.iter().find(|(name, _)| name == place).map(|(_, state)| state.clone());
        let state = |relay: &RelayAddress| match health.relays.get(relay.identity()) {
            None => String::new(),
            Some(state @ (RelayState::Dialling | RelayState::Proving)) => {
                before(&relay.authority()).unwrap_or_else(|| standing(state))
            }
            Some(state) => standing(state),
        };
        let relays = self.relays().map(|relay| (relay.authority(), state(relay))).collect();
        let problem = health.problem().map(sentence).or_else(|| shown?.problem.clone());
        Ok(Network {
            online: !self.was_offline,
            waiting: self.client.view(|rows| view::totals(rows))?.waiting,
            problem: problem.filter(|_| self.was_offline),
            storage: health.storage.as_ref().map(sentence),
            relays,
        })
    }
}

/// How a relay stands, for the settings.
fn standing(state: &RelayState) -> String {
    match state {
        RelayState::Dialling | RelayState::Proving => "Connecting…".to_owned(),
        RelayState::Online { .. } => "Connected".to_owned(),
        RelayState::Offline(error) => sentence(error),
        RelayState::Refused(problem) => sentence(problem),
    }
}
