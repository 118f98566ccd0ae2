//! The backend's loop: one input at a time, from the window, the client, or work done elsewhere, and what follows from it.
//!
//! ```text
//!            ┌───────────────┐ create ┌──────────┐
//!  begin ──► │ nothing, yet  │ ─────► │   open   │ ──► switch: begins again
//!            └───────────────┘ unlock └──────────┘
//!                    ▲                     │ lock
//!                    └─────────────────────┘
//! ```

use std::{path::PathBuf, sync::Arc, thread, time::Instant};

use sotto_driver::{
    Client, ClientError, ContactId, Link, Locked, ProxyAddress, RecoveryKey, SlotKind, Store, StoreError,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
};

use super::{
    Counterpart,
    notify::Arrivals,
    open::{News, Open},
    picture::PictureError,
    setup::Setup,
    trouble::{remark, toast},
};
use crate::{
    action::{Action, SecretText},
    preferences::Preferences,
    update::Update,
    view::{Hit, Profile, Stage, Trouble},
};

/// Pictures that are searched at once: each takes memory.
const PICTURES_MAX: usize = 2;

/// Everything the backend knows.
pub(super) struct Desk {
    pub(super) setup: Setup,
    counterpart: Counterpart,
    pub(super) preferences: Preferences,
    /// The profile that is shown.
    pub(super) profile: PathBuf,
    /// What the command line's profile is reached through, until it was opened once: then its settings say.
    pub(super) proxy_due: Option<ProxyAddress>,
    pub(super) held: Held,
    /// Work under way elsewhere that must come to its end, all of it for the profile that is shown.
    work: JoinSet<Done>,
    /// What may be given up at any moment.
    waits: JoinSet<Done>,
    /// Pictures that are searched at once.
    pictures: Arc<Semaphore>,
    /// A search is under way.
    pub(super) searching: bool,
    /// The link that is looked at.
    pub(super) preview: Option<Link>,
    /// Whose safety number a picture is compared with.
    pub(super) comparing: Option<ContactId>,
    /// The recovery key of a profile that was made just now, until it was shown.
    pub(super) recovery: Option<SecretText>,
    /// What the lock screen says went wrong.
    pub(super) lock_trouble: Option<Trouble>,
    pub(super) arrivals: Arrivals,
    pub(super) focused: bool,
}

/// What there is of the profile.
pub(super) enum Held {
    /// Nothing is open.
    Nothing,
    /// A profile without an account: its making was cut short.
    Unfinished(Arc<Client>),
    /// All of it.
    Open(Box<Open>),
    /// Locked: what arrives is counted.
    Locked(Locked, watch::Receiver<u64>),
}

/// Work that was done elsewhere.
pub(super) enum Done {
    /// A profile was opened, or not.
    Opened(Result<Client, ClientError>),
    /// A locked profile was opened again, or not.
    Unlocked(Result<Client, Box<(Locked, ClientError)>>),
    /// A profile was made, or not; the name and the relay for its account.
    Created(Result<(Client, RecoveryKey), ClientError>, super::begin::Newcomer),
    /// Whether the system's keyring answers.
    Keyring(bool),
    /// A link to give away.
    Invited(Result<Option<crate::view::Invitation>, ClientError>),
    /// What a code in a picture says, and with whose safety number it was to be compared.
    Picture(Option<ContactId>, Result<String, PictureError>),
    /// A picture was chosen, or none.
    Chosen(Option<PathBuf>),
    /// A search's hits.
    Found(String, Result<Vec<Hit>, ClientError>),
}

enum Input {
    Action(Action),
    News(News),
    /// Something arrived at a locked profile.
    Arrived,
    Done(Done),
    Time,
    Closed,
}

impl Desk {
    pub(super) fn new(setup: Setup, counterpart: Counterpart) -> Self {
        let preferences = setup.preferences.as_deref().map(Preferences::load).unwrap_or_default();
        Self {
            profile: setup.profile.clone(),
            proxy_due: setup.proxy.clone(),
            setup,
            counterpart,
            preferences,
            held: Held::Nothing,
            work: JoinSet::new(),
            waits: JoinSet::new(),
            pictures: Arc::new(Semaphore::new(PICTURES_MAX)),
            searching: false,
            preview: None,
            comparing: None,
            recovery: None,
            lock_trouble: None,
            arrivals: Arrivals::default(),
            focused: true,
        }
    }

    /// Serves the window until it is gone, then closes the profile.
    pub(super) async fn run(mut self) {
        self.tell([Update::Preferences(self.preferences.clone())]);
        // Before anything else: a new profile is proposed the relay of the link.
        if let Some(link) = self.setup.link.take() {
            self.preview_opened(&link);
        }
        self.begin();
        loop {
            match self.next().await {
                Input::Action(action) => self.act(action).await,
                Input::News(news) => self.hear(&news),
                Input::Arrived => self.arrived(),
                Input::Done(done) => self.finish(done).await,
                Input::Time => {}
                Input::Closed => break,
            }
            self.catch_up();
        }
        self.close().await;
    }

    async fn next(&mut self) -> Input {
        let due = self.due();
        let Self { counterpart, work, waits, held, .. } = self;
        let news = async {
            match held {
                Held::Open(open) => Input::News(open.news().await),
                Held::Locked(_, arrivals) => match arrivals.changed().await {
                    Ok(()) => Input::Arrived,
                    // The watch has ended.
                    Err(_) => std::future::pending().await,
                },
                Held::Nothing | Held::Unfinished(_) => std::future::pending().await,
            }
        };
        let time = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What a person does comes before what others do.
            biased;
            action = counterpart.actions.recv() => action.map_or(Input::Closed, Input::Action),
            () = time => Input::Time,
            Some(Ok(done)) = work.join_next() => Input::Done(done),
            Some(Ok(done)) = waits.join_next() => Input::Done(done),
            news = news => news,
        }
    }

    fn due(&self) -> Option<Instant> {
        let read = match &self.held {
            Held::Open(open) => open.due(),
            Held::Nothing | Held::Unfinished(_) | Held::Locked(..) => None,
        };
        read.into_iter().chain(self.arrivals.due()).min()
    }

    fn hear(&mut self, news: &News) {
        let Held::Open(open) = &mut self.held else { return };
        match news {
            News::Change(change) => open.note(change, Instant::now()),
            News::Health => open.note_health(),
            News::Missed => open.note_missed(),
            News::Notice(notice) if !self.focused => self.arrivals.add(notice, Instant::now()),
            News::Notice(_) => {}
        }
    }

    /// Reads and tells what is due.
    fn catch_up(&mut self) {
        let now = Instant::now();
        if self.arrivals.due().is_some_and(|due| due <= now) {
            let open = match &self.held {
                Held::Open(open) => Some(open),
                Held::Nothing | Held::Unfinished(_) | Held::Locked(..) => None,
            };
            let name = |id: &ContactId| open?.list.get(id).map(|conversation| conversation.name.clone());
            (self.setup.notifier)(Some(self.arrivals.tell(name)));
        }
        if let Held::Open(open) = &mut self.held {
            let read = open.read(now);
            self.tell_read(read);
        }
    }

    /// Reads and tells what is stale, due or not: a person waits for it.
    pub(super) fn show_now(&mut self) {
        if let Held::Open(open) = &mut self.held {
            let read = open.read_now();
            self.tell_read(read);
        }
    }

    fn tell_read(&self, read: Result<Vec<Update>, ClientError>) {
        match read {
            Ok(updates) => self.tell(updates),
            Err(error) => self.fail(&error),
        }
    }

    /// Tells the window.
    pub(super) fn tell(&self, updates: impl IntoIterator<Item = Update>) {
        self.counterpart.tell(updates);
    }

    /// Says what went wrong at the bottom of the window.
    pub(super) fn fail(&self, error: &ClientError) {
        self.tell([Update::Toast(toast(error))]);
    }

    /// Says something in passing.
    pub(super) fn remark(&self, text: &str) {
        self.tell([Update::Toast(remark(text))]);
    }

    /// Does what blocks for a bounded time on a thread of its own, and comes back to it when it is done.
    pub(super) fn elsewhere(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        self.work.spawn(on_own_thread(work));
    }

    /// The same for what may block for ever. A lock does not wait for it.
    pub(super) fn aside(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        self.waits.spawn(on_own_thread(work));
    }

    /// The same for what waits without a thread.
    pub(super) fn meanwhile(&mut self, work: impl Future<Output = Done> + Send + 'static) {
        self.waits.spawn(work);
    }

    /// Searches a picture, a few at once. A lock does not wait for it: the file may lie where reading never ends.
    pub(super) fn search_picture(&mut self, search: impl FnOnce() -> Done + Send + 'static) {
        let pictures = Arc::clone(&self.pictures);
        self.waits.spawn(async move {
            let _turn = pictures.acquire().await;
            on_own_thread(search).await
        });
    }

    async fn finish(&mut self, done: Done) {
        match done {
            Done::Opened(opened) => self.opened(opened).await,
            Done::Unlocked(unlocked) => self.unlocked(unlocked).await,
            Done::Created(made, newcomer) => self.created(made, newcomer).await,
            Done::Keyring(answers) => self.first_run(answers, None),
            Done::Invited(invited) => self.invited(invited),
            Done::Picture(contact, read) => self.picture_read(contact, read),
            Done::Chosen(chosen) => self.chosen(chosen),
            Done::Found(query, hits) => self.found(query, hits),
        }
    }

    /// Ends what is under way for the profile that is shown: nobody else holds its client then.
    async fn end_tasks(&mut self) {
        self.waits.shutdown().await;
        self.pictures = Arc::new(Semaphore::new(PICTURES_MAX));
        while let Some(ended) = self.work.join_next().await {
            match ended {
                Ok(Done::Opened(Ok(client)) | Done::Unlocked(Ok(client)) | Done::Created(Ok((client, _)), _)) => {
                    client.close().await;
                }
                Ok(Done::Unlocked(Err(refused))) => refused.0.close().await,
                Ok(_) | Err(_) => {}
            }
        }
        self.searching = false;
    }

    /// Forgets what was looked at and shown: it is nobody else's, not even this profile's once it was locked.
    pub(super) fn forget(&mut self) {
        (self.preview, self.comparing, self.recovery) = (None, None, None);
        self.tell([Update::Preview(None), Update::Picture(None), Update::RecoveryKey(None)]);
    }

    /// Begins with the profile at hand.
    pub(super) fn begin(&mut self) {
        self.tell_profiles();
        match Store::slots(&self.profile) {
            Ok(slots) if self.setup.keyring && slots.contains(&SlotKind::Keyring) => self.unlock_with_keyring(),
            Ok(_) => match self.setup.passphrase.take().filter(|_| self.profile == self.setup.profile) {
                Some(passphrase) => self.unlock(Some(passphrase)),
                None => self.tell_locked(false, None),
            },
            Err(StoreError::NotFound) => self.look_for_keyring(),
            Err(error) => self.broken(&error),
        }
    }

    fn broken(&self, error: &StoreError) {
        let trouble = Trouble { what: error.to_string(), advice: String::new() };
        self.tell([Update::Stage(Stage::Broken(trouble))]);
    }

    /// Tells which profiles there are on this computer.
    pub(super) fn tell_profiles(&self) {
        let name = match &self.held {
            Held::Open(open) => Some(open.account.name.clone()),
            Held::Nothing | Held::Unfinished(_) | Held::Locked(..) => None,
        };
        let others = self.preferences.profiles.iter().filter(|path| **path != self.setup.profile);
        let mut paths: Vec<_> = std::iter::once(&self.setup.profile).chain(others).collect();
        if !paths.contains(&&self.profile) {
            paths.push(&self.profile);
        }
        let profiles = paths.into_iter().map(|path| {
            let current = *path == self.profile;
            let folder = || path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let label = name.clone().filter(|_| current).unwrap_or_else(folder);
            Profile { label, path: path.clone(), current }
        });
        self.tell([Update::Profiles(profiles.collect())]);
    }

    /// Closes what is open.
    pub(super) async fn close(&mut self) {
        self.end_tasks().await;
        self.quiet();
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Locked(locked, _) => locked.close().await,
            Held::Unfinished(client) => client.close().await,
            Held::Open(open) => open.client.close().await,
        }
    }

    /// Takes the open profile away from the desk.
    pub(super) async fn take_client(&mut self) -> Option<Arc<Client>> {
        if !matches!(self.held, Held::Open(_)) {
            return None;
        }
        self.end_tasks().await;
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Open(open) => Some(open.client),
            Held::Nothing | Held::Unfinished(_) | Held::Locked(..) => None,
        }
    }

    /// What was told to a person who looked elsewhere is of no use now.
    pub(super) fn quiet(&mut self) {
        if self.arrivals.seen() {
            (self.setup.notifier)(None);
        }
    }
}

/// Neither a slow disk nor a passphrase that is stretched keeps a thread from those who look for names of relays.
async fn on_own_thread(work: impl FnOnce() -> Done + Send + 'static) -> Done {
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    let work = move || {
        let _clients_are_opened_here = runtime.enter();
        // Whoever waited may have given up.
        let _gone = tell.send(work());
    };
    thread::Builder::new().name("sotto-work".to_owned()).spawn(work).expect("the system starts one thread more");
    told.await.expect("work that was begun ends")
}
