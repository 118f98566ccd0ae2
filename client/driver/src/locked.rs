//! A locked profile: its key is wiped, its connections stand, and what arrives is counted and left at the relays.

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use sotto_engine::{Effect, Watcher};
use sotto_net::NetEvent;
use sotto_store::{LockedStore, Unlock};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    Client, ClientError,
    clock::{JumpDetector, NAP, Reading},
    relays::Relays,
};

/// A profile that was locked. Dropping it ends the watch, a moment later.
pub struct Locked {
    store: LockedStore,
    network: bool,
    arrivals: watch::Receiver<u64>,
    stop: oneshot::Sender<oneshot::Sender<()>>,
}

impl Locked {
    pub(crate) fn new(
        store: LockedStore,
        network: bool,
        arrivals: watch::Receiver<u64>,
        stop: oneshot::Sender<oneshot::Sender<()>>,
    ) -> Self {
        Self { store, network, arrivals, stop }
    }

    /// How many envelopes arrived since the lock. They are sealed: a message counts like a receipt or a sign of typing. A relay
    /// gives no more than it has under way at once: for each relay the number stands still at 128 or before. [REL-12]
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.clone()
    }

    /// Opens the profile again. Everything that arrived meanwhile is delivered once more and opened. Blocks for a moment.
    ///
    /// # Errors
    /// [`ClientError::Store`], beside the profile, which stays locked and watched.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn unlock(self, unlock: &Unlock) -> Result<Client, (Self, ClientError)> {
        let Self { store, network, arrivals, stop } = self;
        let store = match store.unlock(unlock) {
            Ok(store) => store,
            Err((store, error)) => return Err((Self { store, network, arrivals, stop }, error.into())),
        };
        let reader = match store.reader() {
            Ok(reader) => reader,
            Err(error) => return Err((Self { store: store.lock(), network, arrivals, stop }, error.into())),
        };
        // To its end: a mailbox has one reader, and that must be the client from now on.
        end(stop).await;
        Ok(Client::run(store, reader, network))
    }

    /// Ends the watch, and gives the profile up only then: whoever opens it next is its mailboxes' one reader.
    pub async fn close(self) {
        let Self { store, network: _, arrivals: _, stop } = self;
        end(stop).await;
        drop(store);
    }
}

async fn end(stop: oneshot::Sender<oneshot::Sender<()>>) {
    let (done, stopped) = oneshot::channel();
    if stop.send(done).is_ok() {
        let _gone = stopped.await;
    }
}

impl std::fmt::Debug for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Locked(..)")
    }
}

/// What runs on the worker's thread while the profile is locked.
pub(crate) struct Watch {
    pub(crate) runtime: Handle,
    pub(crate) watcher: Watcher,
    pub(crate) relays: Relays,
    pub(crate) net: mpsc::Receiver<NetEvent>,
    pub(crate) arrivals: watch::Sender<u64>,
}

impl Watch {
    /// Watches until it is told to stop, or nobody could tell it any more.
    pub(crate) fn run(mut self, mut stop: oneshot::Receiver<oneshot::Sender<()>>) {
        let mut clock = JumpDetector::new(Reading::now());
        let runtime = self.runtime.clone();
        let done = loop {
            let event = runtime.block_on(async {
                tokio::select! {
                    told = &mut stop => Err(told),
                    Some(event) = self.net.recv() => Ok(Some(event)),
                    () = tokio::time::sleep(NAP) => Ok(None),
                }
            });
            match event {
                Err(told) => break told,
                Ok(Some(event)) => self.handle(event),
                Ok(None) => {}
            }
            if clock.jumped(Reading::now()) {
                self.relays.wake();
            }
        };
        runtime.block_on(self.relays.stop(self.net));
        if let Ok(done) = done {
            let _gone = done.send(());
        }
    }

    fn handle(&mut self, event: NetEvent) {
        let Some((event, heard)) = self.relays.translate(event) else { return };
        if let Some(heard) = heard {
            self.relays.switch(heard);
        }
        let effects = self.watcher.handle(&mut UnwrapErr(SysRng), event);
        self.perform(effects);
        let arrived = self.watcher.arrivals();
        self.arrivals.send_if_modified(|told| std::mem::replace(told, arrived) != arrived);
    }

    pub(crate) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Disconnect(line) => self.relays.disconnect(line),
                Effect::Transmit(line, frame) => self.relays.transmit(line, frame),
                Effect::Close(line) => self.relays.close(line),
                Effect::Judged(line, verdict) => self.relays.judge(line, verdict),
                // A watcher wakes for nothing, shows nothing and asks for no new line.
                Effect::UseProxy(_)
                | Effect::Connect(..)
                | Effect::Leave(..)
                | Effect::WakeAt(_)
                | Effect::Show(_)
                | Effect::Notify(_) => {}
            }
        }
    }
}
