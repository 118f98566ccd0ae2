//! What stands behind the window: a thread of its own with the only handle to the driver.
//!
//! The promise: [`Backend::send`] and [`Backend::poll`] never block, whatever the disk and the relays do; and each batch
//! of updates asks for one repaint, nothing else does.

#[cfg(test)]
mod backlog;
mod begin;
mod desk;
mod keys;
mod links;
mod list;
pub mod notify;
mod open;
mod picture;
mod settings;
mod setup;
#[cfg(test)]
mod stories;
mod trouble;
mod why;
mod window;
mod wishes;

use std::{
    io,
    sync::{Arc, OnceLock, mpsc as updates},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::mpsc as actions;

use self::desk::Desk;
pub use self::{
    picture::code,
    setup::{Notifier, Setup},
};
use crate::{action::Action, update::Update};

/// Threads that wait for names of relays: a slow one of a contact's must not keep our own waiting. All else that blocks has
/// a thread of its own.
const BLOCKING_THREADS: usize = 16;
/// They go when there was nothing to do for so long.
const BLOCKING_KEPT: Duration = Duration::from_secs(5);

/// Asks for a repaint.
type Wake = Box<dyn Fn() + Send + Sync>;

/// The window's end of the backend. Dropping it waits until the profile is closed: what was ordered is sent, and the database
/// is whole in its file.
pub struct Backend {
    /// None once it is being dropped.
    actions: Option<actions::UnboundedSender<Action>>,
    updates: updates::Receiver<Update>,
    wake: Arc<OnceLock<Wake>>,
    thread: Option<JoinHandle<()>>,
}

/// The other end: what a window asks, and the way to answer it. A test holds it in place of a profile.
pub struct Counterpart {
    /// What the window asks.
    pub actions: actions::UnboundedReceiver<Action>,
    updates: updates::Sender<Update>,
    wake: Arc<OnceLock<Wake>>,
}

impl Backend {
    /// A window's end, and the other one.
    #[must_use]
    pub fn pair() -> (Self, Counterpart) {
        let (ask, actions) = actions::unbounded_channel();
        let (tell, updates) = updates::channel();
        let wake = Arc::new(OnceLock::new());
        let backend = Self { actions: Some(ask), updates, wake: Arc::clone(&wake), thread: None };
        (backend, Counterpart { actions, updates: tell, wake })
    }

    /// Starts the thread behind a window, and begins with the profile of the setup.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let (mut backend, counterpart) = Self::pair();
        // One worker: relays are few, and each thread costs memory.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(BLOCKING_KEPT)
            .enable_all()
            .build()?;
        let serve = move || {
            runtime.block_on(Desk::new(setup, counterpart).run());
            // A file dialog may still be open; nothing that matters waits there.
            runtime.shutdown_background();
        };
        backend.thread = Some(thread::Builder::new().name("sotto-backend".to_owned()).spawn(serve)?);
        Ok(backend)
    }

    /// From now on, each batch of updates calls this, on another thread. Only the first call counts.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _second = self.wake.set(Box::new(wake));
    }

    /// Passes a wish on. Those that concern the window alone are not minded.
    pub fn send(&self, action: Action) {
        if let Some(actions) = &self.actions {
            // A backend that is gone was asked to go.
            let _closed = actions.send(action);
        }
    }

    /// What came since the last call, oldest first.
    #[must_use]
    pub fn poll(&self) -> Vec<Update> {
        self.updates.try_iter().collect()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.actions = None;
        if let Some(thread) = self.thread.take() {
            // A backend that broke has said so.
            let _broken = thread.join();
        }
    }
}

impl Counterpart {
    /// Tells the window, and asks for one repaint.
    pub fn tell(&self, updates: impl IntoIterator<Item = Update>) {
        let mut told = false;
        for update in updates {
            // A window that is closing reads no more.
            told |= self.updates.send(update).is_ok();
        }
        if told && let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::view::Toast;

    #[test]
    fn a_batch_of_updates_asks_for_one_repaint() {
        let (backend, counterpart) = Backend::pair();
        let repaints = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&repaints);
        backend.wake_with(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let toast = || Update::Toast(Toast { text: "hello".to_owned(), error: false });
        counterpart.tell([]);
        assert_eq!(repaints.load(Ordering::Relaxed), 0);
        counterpart.tell([toast(), toast()]);
        assert_eq!((repaints.load(Ordering::Relaxed), backend.poll().len()), (1, 2));
        assert!(backend.poll().is_empty());
    }
}
