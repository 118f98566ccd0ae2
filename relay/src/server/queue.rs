//! A bounded queue to one connection, whose reader is woken when its writer says so: many frames, one wake.
//!
//! An empty one holds no memory besides itself: most connections are quiet most of the time.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// What is pushed goes in here.
#[derive(Debug)]
pub(super) struct Sender<T>(Arc<Shared<T>>);

/// What was pushed comes out here.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Taken over from there, all at once.
    taken: VecDeque<T>,
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    max: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// The reader, while it waits.
    reader: Option<Waker>,
    is_sender_gone: bool,
    is_receiver_gone: bool,
}

/// A queue in which at most `max` wait.
pub(super) fn queue<T>(max: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { waiting: VecDeque::new(), reader: None, is_sender_gone: false, is_receiver_gone: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), max });
    (Sender(Arc::clone(&shared)), Receiver { shared, taken: VecDeque::new() })
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Pushes without waking the reader; for a reader that is gone this does nothing.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn push(&self, item: T) -> Result<(), Full> {
        let mut state = self.0.state();
        if state.is_receiver_gone {
            return Ok(());
        }
        if state.waiting.len() >= self.0.max {
            return Err(Full);
        }
        state.waiting.push_back(item);
        Ok(())
    }

    /// Wakes the reader, if it waits.
    pub(super) fn wake(&self) {
        let reader = self.0.state().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state().is_sender_gone = true;
        self.wake();
    }
}

impl<T> Receiver<T> {
    /// The next one. None when the sender is gone and all is taken. Nothing is lost where this is given up.
    pub(super) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| {
            if let Some(item) = self.taken.pop_front() {
                return Poll::Ready(Some(item));
            }
            let mut state = self.shared.state();
            if !state.waiting.is_empty() {
                self.taken = mem::take(&mut state.waiting);
                return Poll::Ready(self.taken.pop_front());
            }
            if state.is_sender_gone {
                return Poll::Ready(None);
            }
            // What it grew to goes back: it may be quiet for long.
            self.taken = VecDeque::new();
            match &mut state.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                none @ None => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await
    }

    /// The next one, if it is there.
    pub(super) fn try_recv(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            self.taken = mem::take(&mut self.shared.state().waiting);
        }
        self.taken.pop_front()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.shared.state().waiting.is_empty()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_receiver_gone = true;
        let waiting = mem::take(&mut state.waiting);
        // What waits may have much to let go of.
        drop(state);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_when_told_and_gets_all_in_order() {
        let (sender, mut receiver) = queue(3);
        let reader = tokio::spawn(async move {
            let mut got = vec![];
            while let Some(number) = receiver.recv().await {
                got.push(number);
            }
            got
        });
        tokio::task::yield_now().await;
        for number in 0..3 {
            assert_eq!(sender.push(number), Ok(()));
        }
        assert_eq!(sender.push(3), Err(Full));
        tokio::task::yield_now().await;
        assert_eq!(sender.push(3), Err(Full), "it was not told yet");
        sender.wake();
        while sender.push(3).is_err() {
            tokio::task::yield_now().await;
        }
        drop(sender);
        assert_eq!(reader.await.unwrap(), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_loses_nothing() {
        let (sender, mut receiver) = queue(2);
        assert_eq!(receiver.recv().now_or_never(), None);
        assert!(receiver.is_empty());
        sender.push(1).unwrap();
        sender.push(2).unwrap();
        assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
        assert!(!receiver.is_empty());
        assert_eq!((receiver.try_recv(), receiver.try_recv()), (Some(2), None));
        drop(sender);
        assert_eq!(receiver.recv().await, None);
    }

    #[test]
    fn for_nobody_nothing_is_kept() {
        let (sender, receiver) = queue(1);
        let kept = Arc::new(());
        sender.push(Arc::clone(&kept)).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert_eq!(sender.push(Arc::clone(&kept)), Ok(()));
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
