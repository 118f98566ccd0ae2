//! The handle that views and verbs hold: intents in, changes and views out. It may be shared between tasks.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use sotto_engine::{Change, Intent, Notice, Order, Outcome, Range, Rows as _, RowsError, Table, view};
use sotto_store::{Passphrase, Reader, RecoveryKey, SlotKind, Snapshot, Store, StoreError, Unlock};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::timeout,
};

use crate::{ClientError, Health, Locked, Options, request::Request, worker::Worker};

/// Changes that a slow subscriber may lag behind before it misses some; the journal has them all.
const CHANGES_MAX: usize = 4_096;
/// Requests that wait while the worker is busy.
const REQUESTS_MAX: usize = 256;

/// An open profile at work.
pub struct Client {
    requests: mpsc::Sender<Request>,
    changes: broadcast::Sender<Change>,
    notices: broadcast::Sender<Notice>,
    health: watch::Receiver<Health>,
    reader: Mutex<Option<Reader>>,
}

impl Client {
    /// Creates a profile, opens it, and gives the recovery key, to be shown once. Blocks for a moment.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn create(options: &Options, unlock: &Unlock) -> Result<(Self, RecoveryKey), ClientError> {
        let mut store = Store::create(&options.profile, unlock)?;
        let recovery = store.add_recovery_key()?;
        Ok((Self::start(store, options.network)?, recovery))
    }

    /// Opens a profile and begins to dial its relays. Blocks for a moment.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn open(options: &Options, unlock: &Unlock) -> Result<Self, ClientError> {
        Self::start(Store::open(&options.profile, unlock)?, options.network)
    }

    /// Opens a profile that [`Client::create`] left without an account, with a new recovery key in place of the one
    /// that nobody may have read.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn open_unfinished(options: &Options, unlock: &Unlock) -> Result<(Self, RecoveryKey), ClientError> {
        let mut store = Store::open(&options.profile, unlock)?;
        let recovery = store.add_recovery_key()?;
        Ok((Self::start(store, options.network)?, recovery))
    }

    fn start(store: Store, network: bool) -> Result<Self, ClientError> {
        let reader = store.reader()?;
        Ok(Self::run(store, reader, network))
    }

    pub(crate) fn run(store: Store, reader: Reader, network: bool) -> Self {
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let (notices, _) = broadcast::channel(CHANGES_MAX);
        let (publish, health) = watch::channel(Health::default());
        let worker = Worker::new(store, inbox, changes.clone(), notices.clone(), publish, network);
        thread::Builder::new()
            .name("sotto-engine".to_owned())
            .spawn(move || worker.run())
            .expect("the system starts one thread more");
        Self { requests, changes, notices, health, reader: Mutex::new(Some(reader)) }
    }

    /// Carries out an intent. What the answer tells is durable. Some intents are answered when a relay answered;
    /// dropping the call does not undo the intent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn intent(&self, intent: Intent) -> Result<Outcome, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Intent(intent, reply)).await.map_err(|_| ClientError::Closed)?;
        answer.await.map_err(|_| ClientError::Closed)?
    }

    /// Reads the profile as it is at this moment.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Rows`], [`ClientError::Closed`].
    pub fn view<T>(&self, look: impl FnOnce(&Snapshot<'_>) -> Result<T, RowsError>) -> Result<T, ClientError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = reader.as_mut().ok_or(ClientError::Closed)?.snapshot()?;
        Ok(look(&snapshot)?)
    }

    /// The sequence of the last entry of the journal; 0 if there is none yet.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Rows`], [`ClientError::Closed`].
    pub fn journal_end(&self) -> Result<u64, ClientError> {
        self.view(|rows| {
            let last = rows.scan(Table::Journal, &Range::all(), Order::Descending, 1)?;
            let sequence = last.first().and_then(|(key, _)| key.as_slice().try_into().ok()).map(u64::from_be_bytes);
            // Entries that a consumer has may be gone.
            Ok(sequence.unwrap_or(0).max(view::journal_acked(rows)?))
        })
    }

    /// What changes from now on. A subscriber that lags behind misses some; what matters stands in the journal.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// What a person who looks elsewhere would want to be told, from now on.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// How the client stands, and each change of it.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Waits until `enough`, at most this long; gives the last state and whether it was enough.
    pub async fn wait_until(&self, patience: Duration, mut enough: impl FnMut(&Health) -> bool) -> (Health, bool) {
        let mut health = self.health.clone();
        let reached =
            timeout(patience, health.wait_for(|health| enough(health))).await.is_ok_and(|state| state.is_ok());
        let last = health.borrow().clone();
        (last, reached)
    }

    /// Waits until everything that waits at the relays in reach has come and everything sent there is answered.
    pub async fn wait_settled(&self, patience: Duration) -> (Health, bool) {
        self.wait_until(patience, Health::settled).await
    }

    /// Dials relays that wait for their back-off now. Afterwards the health says of none that it is offline before it was tried.
    pub async fn hurry(&self) {
        let (done, hurried) = oneshot::channel();
        // A closed client has no relay to hurry.
        if self.requests.send(Request::Hurry(done)).await.is_ok() {
            let _gone = hurried.await;
        }
    }

    /// Locks the profile: nothing of it can be read until it is unlocked. Connections stand and what arrives is counted, but
    /// neither opened nor acknowledged. Intents that were not answered answer [`ClientError::Closed`], and so does this if the
    /// client is closed. Afterwards everything answers that, whoever else holds the client.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn lock(&self) -> Result<Locked, ClientError> {
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (reply, locked) = oneshot::channel();
        self.requests.send(Request::Lock(reply)).await.map_err(|_| ClientError::Closed)?;
        locked.await.map_err(|_| ClientError::Closed)
    }

    /// Adds a way to open the profile, or replaces the one of its kind.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn add_slot(&self, unlock: Unlock) -> Result<(), ClientError> {
        self.with_store(move |store| store.add_slot(&unlock)).await
    }

    /// Removes a way to open the profile; never the last.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn remove_slot(&self, kind: SlotKind) -> Result<(), ClientError> {
        self.with_store(move |store| store.remove_slot(kind)).await
    }

    /// Changes the passphrase for someone who knows the old one.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase) -> Result<(), ClientError> {
        self.with_store(move |store| store.change_passphrase(&old, &new)).await
    }

    /// Draws a recovery key in place of the one before, to be shown once.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn new_recovery_key(&self) -> Result<RecoveryKey, ClientError> {
        self.with_store(Store::add_recovery_key).await
    }

    async fn with_store<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let (reply, answer) = oneshot::channel();
        let act = Box::new(move |store: &mut Store| {
            // Who asked may have gone.
            let _gone = reply.send(act(store));
        });
        self.requests.send(Request::Store(act)).await.map_err(|_| ClientError::Closed)?;
        Ok(answer.await.map_err(|_| ClientError::Closed)??)
    }

    /// Sends what is ordered, says goodbye to the relays and closes the store. Afterwards everything answers
    /// [`ClientError::Closed`].
    pub async fn close(&self) {
        // Before the store, so that closing it can fold in the write-ahead log.
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (done, closed) = oneshot::channel();
        if self.requests.send(Request::Stop(done)).await.is_ok() {
            let _gone = closed.await;
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}
