//! From a folder to an open profile: made, unlocked, locked, changed for another one.

use std::{path::PathBuf, sync::Arc, time::Instant};

use sotto_driver::{
    Client, ClientError, Intent, Locked, NAME_BYTES_MAX, Options, Passphrase, ProxyAddress, ProxyAddressError,
    RecoveryKey, RelayAddress, SlotKind, Store, StoreError, Unlock, view,
};
use tokio::runtime::Handle;

use super::{
    desk::{Desk, Done, Held},
    open::Open,
    trouble::{mistyped, sentence, trouble},
};
use crate::{
    action::SecretText,
    update::Update,
    view::{FirstRun, Locked as LockScreen, Stage, Trouble},
};

/// Whose account a new profile gets.
#[derive(Clone)]
pub(super) struct Newcomer {
    name: String,
    relay: RelayAddress,
    proxy: Option<ProxyAddress>,
}

impl Desk {
    /// Draws the first screens once it is known whether a keyring can hold the key.
    pub(super) fn look_for_keyring(&mut self) {
        if self.setup.keyring {
            self.aside(|| Done::Keyring(Store::keyring_answers()));
        } else {
            self.first_run(false, None);
        }
    }

    pub(super) fn first_run(&self, keyring: bool, trouble: Option<Trouble>) {
        self.tell([Update::Stage(Stage::FirstRun(FirstRun { keyring, trouble, ..self.proposed() }))]);
    }

    /// What is proposed to a new profile.
    fn proposed(&self) -> FirstRun {
        let of_link = self.preview.as_ref().map(|link| link.relay.to_string());
        FirstRun {
            relay_of_link: self.setup.relay.is_none() && of_link.is_some(),
            relay: self.setup.relay.clone().or(of_link),
            proxy: self.setup.proxy.as_ref().map(ToString::to_string),
            ..FirstRun::default()
        }
    }

    /// Makes a profile in the folder at hand.
    pub(super) async fn create(
        &mut self,
        name: &str,
        relay: &str,
        passphrase: Option<SecretText>,
        proxy: Option<&str>,
    ) {
        let keyring = passphrase.is_none();
        let newcomer = match newcomer(name, relay, proxy) {
            Ok(newcomer) => newcomer,
            Err(trouble) => return self.first_run(keyring, Some(trouble)),
        };
        if passphrase.as_ref().is_some_and(|text| text.is_empty()) {
            let trouble =
                mistyped("the passphrase is empty", "Several words that belong together nowhere are a good one.");
            return self.first_run(keyring, Some(trouble));
        }
        self.tell([Update::Stage(Stage::FirstRun(FirstRun { keyring, busy: true, ..self.proposed() }))]);
        if let Held::Unfinished(client) = &self.held {
            let client = Arc::clone(client);
            return self.make_account(client, newcomer).await;
        }
        let options = self.options();
        self.elsewhere(move || {
            let unlock = match passphrase {
                Some(mut text) => Unlock::Passphrase(Passphrase::new(std::mem::take(&mut *text))),
                None => Unlock::Keyring,
            };
            Done::Created(Client::create(&options, &unlock), newcomer)
        });
    }

    pub(super) async fn created(&mut self, made: Result<(Client, RecoveryKey), ClientError>, newcomer: Newcomer) {
        match made {
            Ok((client, recovery)) => {
                self.recovery = Some(recovery.to_text());
                self.make_account(Arc::new(client), newcomer).await;
            }
            Err(error) => {
                let keyring = !matches!(&error, ClientError::Store(error) if keyring_failed(error));
                self.first_run(keyring, Some(trouble(&error)));
            }
        }
    }

    async fn make_account(&mut self, client: Arc<Client>, Newcomer { name, relay, proxy }: Newcomer) {
        // Before the account: no relay is dialled around the proxy.
        let made = match client.intent(Intent::SetProxy { proxy }).await {
            Ok(_) => client.intent(Intent::CreateProfile { name, relay }).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(_) => self.enter(client),
            Err(error) => {
                self.held = Held::Unfinished(client);
                self.first_run(true, Some(trouble(&error)));
            }
        }
    }

    pub(super) fn unlock_with_keyring(&mut self) {
        self.tell([Update::Stage(Stage::Starting)]);
        self.open_with(None);
    }

    /// Opens the profile with what was typed, a passphrase or a recovery key, or with the keyring.
    pub(super) fn unlock(&mut self, text: Option<SecretText>) {
        if matches!(self.held, Held::Open(_) | Held::Unfinished(_)) {
            return;
        }
        self.tell_locked(true, None);
        self.open_with(text);
    }

    fn open_with(&mut self, text: Option<SecretText>) {
        let options = self.options();
        let unlock = move || text.clone().map_or(Unlock::Keyring, typed);
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Locked(locked, _) => {
                let runtime = Handle::current();
                self.elsewhere(move || Done::Unlocked(runtime.block_on(locked.unlock(&unlock())).map_err(Box::new)));
            }
            Held::Nothing | Held::Unfinished(_) | Held::Open(_) => {
                let proxy = self.proxy_due.clone().filter(|_| self.profile == self.setup.profile);
                let runtime = Handle::current();
                self.elsewhere(move || {
                    let ready = proxy.map_or(Ok(()), |proxy| runtime.block_on(set_proxy(&options, &unlock(), proxy)));
                    Done::Opened(ready.and_then(|()| Client::open(&options, &unlock())))
                });
            }
        }
    }

    pub(super) async fn unlocked(&mut self, unlocked: Result<Client, Box<(Locked, ClientError)>>) {
        match unlocked {
            Ok(client) => self.opened(Ok(client)).await,
            Err(refused) => {
                let (locked, error) = *refused;
                let arrivals = locked.arrivals();
                self.held = Held::Locked(locked, arrivals);
                self.not_opened(&error);
            }
        }
    }

    fn options(&self) -> Options {
        Options { profile: self.profile.clone(), network: self.setup.network }
    }

    pub(super) async fn opened(&mut self, opened: Result<Client, ClientError>) {
        let client = match opened {
            Ok(client) => Arc::new(client),
            Err(error) => return self.not_opened(&error),
        };
        if self.profile == self.setup.profile {
            self.proxy_due = None;
        }
        match client.view(|rows| view::account(rows)) {
            Ok(Some(_)) => self.enter(client),
            Ok(None) => {
                self.held = Held::Unfinished(client);
                self.first_run(true, None);
            }
            Err(error) => {
                client.close().await;
                self.not_opened(&error);
            }
        }
    }

    /// What another try may mend leads to the lock screen, the rest is told.
    fn not_opened(&mut self, error: &ClientError) {
        let ClientError::Store(store) = error else {
            return self.tell([Update::Stage(Stage::Broken(trouble(error)))]);
        };
        match **store {
            StoreError::WrongPassphrase
            | StoreError::WrongRecoveryKey
            | StoreError::NoSuchSlot(_)
            | StoreError::KeyringUnavailable
            | StoreError::KeyringLost
            | StoreError::WeakSlot => {
                self.tell_locked(false, Some(trouble(error)));
            }
            StoreError::NotFound
            | StoreError::AlreadyExists
            | StoreError::InUse
            | StoreError::LastSlot
            | StoreError::Full
            | StoreError::Io(_)
            | StoreError::Damaged(_)
            | StoreError::WrongVersion { .. }
            | StoreError::Failed
            | StoreError::NoCipher => self.tell([Update::Stage(Stage::Broken(trouble(error)))]),
        }
    }

    /// Draws the lock screen.
    pub(super) fn tell_locked(&mut self, busy: bool, trouble: Option<Trouble>) {
        self.lock_trouble.clone_from(&trouble);
        let slots = Store::slots(&self.profile).unwrap_or_default();
        let keyring = self.setup.keyring && slots.contains(&SlotKind::Keyring);
        let arrivals = match &self.held {
            Held::Locked(_, arrivals) => *arrivals.borrow(),
            Held::Nothing | Held::Unfinished(_) | Held::Open(_) => 0,
        };
        self.tell([Update::Stage(Stage::Locked(LockScreen { arrivals, keyring, busy, trouble }))]);
    }

    /// Draws an open profile.
    fn enter(&mut self, client: Arc<Client>) {
        let slots = Store::slots(&self.profile).unwrap_or_default();
        let put_away = self.preferences.put_away(&self.profile);
        match Open::new(client, slots, put_away) {
            Ok(open) => {
                self.held = Held::Open(Box::new(open));
                self.tell([Update::Stage(Stage::Open)]);
                self.show_now();
                self.tell_profiles();
            }
            Err(error) => self.tell([Update::Stage(Stage::Broken(trouble(&error)))]),
        }
    }

    /// Closes the database: only the lock screen is drawn, and what arrives is counted.
    pub(super) async fn lock(&mut self) {
        self.forget();
        let Some(client) = self.take_client().await else { return };
        self.quiet();
        let outcome = client.lock().await;
        // They were called by the account's name.
        self.tell_profiles();
        match outcome {
            Ok(locked) => {
                let mut arrivals = locked.arrivals();
                arrivals.mark_unchanged();
                self.held = Held::Locked(locked, arrivals);
                self.tell_locked(false, None);
            }
            Err(error) => self.tell([Update::Stage(Stage::Broken(trouble(&error)))]),
        }
    }

    /// Something arrived at a locked profile: neither who nor what is known.
    pub(super) fn arrived(&mut self) {
        // A passphrase that was wrong is still wrong.
        let trouble = self.lock_trouble.take();
        self.tell_locked(false, trouble);
        if !self.focused {
            self.arrivals.add_unknown(Instant::now());
        }
    }

    /// Closes this profile and goes to another, which may be one that does not exist yet.
    pub(super) async fn switch(&mut self, profile: PathBuf) {
        if profile == self.profile && !matches!(self.held, Held::Nothing) {
            return;
        }
        self.forget();
        self.close().await;
        self.tell([Update::Stage(Stage::Starting)]);
        self.profile = profile;
        let known = self.profile == self.setup.profile || self.preferences.profiles.contains(&self.profile);
        if !known {
            self.preferences.profiles.push(self.profile.clone());
            self.save_preferences();
        }
        self.begin();
    }

    /// Goes to the first screen of a profile in a folder that nobody uses.
    pub(super) async fn another(&mut self) {
        let folder = |number: u32| self.setup.profiles.join(number.to_string());
        let free = |path: &PathBuf| !path.exists() && !self.preferences.profiles.contains(path);
        if let Some(path) = (2..u32::MAX).map(folder).find(free) {
            self.switch(path).await;
        }
    }

    pub(super) fn save_preferences(&self) {
        if let Some(path) = &self.setup.preferences
            && let Err(error) = self.preferences.save(path)
        {
            self.remark(&format!("Your settings could not be kept ({}).", error.kind()));
        }
        self.tell([Update::Preferences(self.preferences.clone())]);
    }
}

/// Sets the proxy of a profile that dials nobody meanwhile: whoever opens it next reaches no relay around it.
async fn set_proxy(options: &Options, unlock: &Unlock, proxy: ProxyAddress) -> Result<(), ClientError> {
    let client = Client::open(&Options { network: false, ..options.clone() }, unlock)?;
    let set = client.intent(Intent::SetProxy { proxy: Some(proxy) }).await;
    client.close().await;
    set.map(drop)
}

/// What was typed into the first screen, as it must be.
fn newcomer(name: &str, relay: &str, proxy: Option<&str>) -> Result<Newcomer, Trouble> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(mistyped(format!("a name has 1 to {NAME_BYTES_MAX} bytes"), "Choose another one."));
    }
    let relay = relay
        .trim()
        .parse()
        .map_err(|error| mistyped(sentence(error), "Copy the whole line that the relay's host gave you."))?;
    Ok(Newcomer { name: name.to_owned(), relay, proxy: parse_proxy(proxy)? })
}

/// A proxy as it was typed; none where nothing was.
pub(super) fn parse_proxy(proxy: Option<&str>) -> Result<Option<ProxyAddress>, Trouble> {
    let typed = proxy.map(str::trim).filter(|typed| !typed.is_empty());
    typed
        .map(str::parse)
        .transpose()
        .map_err(|error: ProxyAddressError| mistyped(error, "Tor listens at socks5://127.0.0.1:9050."))
}

/// A recovery key, or else a passphrase.
fn typed(mut text: SecretText) -> Unlock {
    match RecoveryKey::parse(&text) {
        Ok(key) => Unlock::Recovery(key),
        Err(_) => Unlock::Passphrase(Passphrase::new(std::mem::take(&mut *text))),
    }
}

const fn keyring_failed(error: &StoreError) -> bool {
    matches!(error, StoreError::KeyringUnavailable | StoreError::KeyringLost)
}
