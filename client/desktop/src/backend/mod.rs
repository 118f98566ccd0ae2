//! What stands behind the window: a thread of its own with the only handle to the driver.
//!
//! The promise: [`Backend::send`] and [`Backend::poll`] never block, whatever the disk and the relays do; and each batch
//! of updates asks for one repaint, nothing else does.

use std::sync::{Arc, OnceLock, mpsc as updates};

use tokio::sync::mpsc as actions;

use crate::{action::Action, update::Update};

/// Asks for a repaint.
type Wake = Box<dyn Fn() + Send + Sync>;

/// The window's end of the backend.
pub struct Backend {
    actions: actions::UnboundedSender<Action>,
    updates: updates::Receiver<Update>,
    wake: Arc<OnceLock<Wake>>,
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
        (Self { actions: ask, updates, wake: Arc::clone(&wake) }, Counterpart { actions, updates: tell, wake })
    }

    /// From now on, each batch of updates calls this, on another thread. Only the first call counts.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _second = self.wake.set(Box::new(wake));
    }

    /// Passes a wish on. Those that concern the window alone are not minded.
    pub fn send(&self, action: Action) {
        // A backend that is gone was asked to go.
        let _closed = self.actions.send(action);
    }

    /// What came since the last call, oldest first.
    #[must_use]
    pub fn poll(&self) -> Vec<Update> {
        self.updates.try_iter().collect()
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
        backend.wake_with(move || drop(count.fetch_add(1, Ordering::Relaxed)));
        let toast = || Update::Toast(Toast { text: "hello".to_owned(), error: false });
        counterpart.tell([]);
        assert_eq!(repaints.load(Ordering::Relaxed), 0);
        counterpart.tell([toast(), toast()]);
        assert_eq!((repaints.load(Ordering::Relaxed), backend.poll().len()), (1, 2));
        assert!(backend.poll().is_empty());
    }
}
