//! What waits for clients to take it, bounded in bytes: for each connection and over all of them.
//!
//! The core bounds what is on its way to readers. Here is the memory that it takes until a socket has it, together with
//! answers and with what no window counts. Who lets too much lie is let go; envelopes stay stored.
//!
//! What is posted in one turn of the hub is told to the connection once, at the turn's end: it is written with one call.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use sotto_outer::{Answer, Bundle, Forwarded, RelayFrame, Tokens};

use super::{Metrics, queue, telemetry::HandOver};

/// Bytes that may wait for one connection: a window of deliveries, and as much again.
const CONNECTION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that may wait for one connection where too many wait over all.
const SHARE_BYTES: usize = 256 * 1024;
/// Bytes that wait beyond which a connection gets nothing that is never stored.
const EPHEMERAL_BYTES: usize = 1024 * 1024;
/// What a frame takes beside its payload, about.
const FRAME_BYTES: usize = 256;
/// The same, of one that is shared.
const SHARED_BYTES: usize = 64;

/// Something for a connection.
pub(super) enum Outgoing {
    Frame(Box<Posted>),
    /// An encoded one that others get too.
    Shared(Shared),
    Close,
}

/// A frame that waits. Its bytes count until it is dropped.
pub(super) struct Posted {
    frame: RelayFrame,
    /// When the envelope in it became durable, if it goes straight to its reader.
    durable_at: Option<Instant>,
    /// For a request that is traced.
    hand_over: Option<Box<HandOver>>,
    counted: Counted,
}

/// An encoded frame that waits, here and for others: each counts its part of it.
pub(super) struct Shared {
    pub(super) frame: Bytes,
    pub(super) counted: Counted,
}

/// Bytes that count until this is dropped.
pub(super) struct Counted {
    bytes: usize,
    unread: Arc<Unread>,
}

/// Where frames for one connection go.
pub(super) struct Outbox {
    sender: queue::Sender<Outgoing>,
    unread: Arc<Unread>,
    /// Something was posted that nobody was told of.
    is_untold: bool,
}

/// Bytes that wait for one connection.
pub(super) struct Unread {
    bytes: AtomicUsize,
    all: Arc<AllUnread>,
}

/// Bytes that wait for all connections.
pub(super) struct AllUnread {
    bytes: AtomicUsize,
    bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// The connection takes no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl AllUnread {
    pub(super) const fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max, metrics }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Outbox {
    pub(super) fn new(sender: queue::Sender<Outgoing>, all: &Arc<AllUnread>) -> Self {
        let unread = Arc::new(Unread { bytes: AtomicUsize::new(0), all: Arc::clone(all) });
        Self { sender, unread, is_untold: false }
    }

    /// Posts a frame.
    ///
    /// # Errors
    /// [`TooMuch`]: the connection is to be closed.
    pub(super) fn post(&mut self, frame: RelayFrame, durable_at: Option<Instant>) -> Result<(), TooMuch> {
        self.post_traced(frame, durable_at, None)
    }

    /// Posts a frame, and the span of its being handed over where that is traced.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(super) fn post_traced(
        &mut self,
        frame: RelayFrame,
        durable_at: Option<Instant>,
        hand_over: Option<Box<HandOver>>,
    ) -> Result<(), TooMuch> {
        let bytes = frame_bytes(&frame);
        if !self.unread.has_room(bytes) {
            return Err(TooMuch);
        }
        let mut posted = Posted::new(frame, bytes, durable_at, Arc::clone(&self.unread));
        posted.hand_over = hand_over;
        self.send(Outgoing::Frame(Box::new(posted)))
    }

    /// Posts an encoded frame that goes to others too; `bytes` are this connection's part of it.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(super) fn post_shared(&mut self, frame: Bytes, bytes: usize) -> Result<(), TooMuch> {
        let bytes = bytes + SHARED_BYTES;
        if !self.unread.has_room(bytes) {
            return Err(TooMuch);
        }
        self.send(Outgoing::Shared(Shared { frame, counted: Counted::new(bytes, Arc::clone(&self.unread)) }))
    }

    /// Whether what is never stored may be posted: it is dropped rather than kept for somebody who does not read.
    pub(super) fn takes_ephemeral(&self) -> bool {
        self.unread.bytes.load(Ordering::Relaxed) <= EPHEMERAL_BYTES && self.unread.has_room(EPHEMERAL_BYTES)
    }

    /// Posts the end of the connection.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(super) fn close(&mut self) -> Result<(), TooMuch> {
        self.send(Outgoing::Close)
    }

    /// Whether this is the first that was posted since [`Self::tell`].
    pub(super) const fn is_news(&mut self) -> bool {
        !mem::replace(&mut self.is_untold, true)
    }

    /// Tells the connection what was posted.
    pub(super) fn tell(&mut self) {
        self.is_untold = false;
        self.sender.wake();
    }

    fn send(&self, outgoing: Outgoing) -> Result<(), TooMuch> {
        self.sender.push(outgoing).map_err(|queue::Full| TooMuch)
    }
}

impl Unread {
    fn has_room(&self, bytes: usize) -> bool {
        let mine = self.bytes.load(Ordering::Relaxed) + bytes;
        let max = if self.all.bytes() + bytes <= self.all.bytes_max { CONNECTION_BYTES_MAX } else { SHARE_BYTES };
        mine <= max
    }
}

impl Posted {
    fn new(frame: RelayFrame, bytes: usize, durable_at: Option<Instant>, unread: Arc<Unread>) -> Self {
        Self { frame, durable_at, hand_over: None, counted: Counted::new(bytes, unread) }
    }

    pub(super) const fn is_answer(&self) -> bool {
        matches!(self.frame, RelayFrame::Answer { .. })
    }

    /// What it is.
    pub(super) const fn frame(&self) -> &RelayFrame {
        &self.frame
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.frame.encode()
    }

    /// It is on the client's socket, or in the answer to its poll. Its bytes count on where that is kept.
    pub(super) fn handed_over(mut self) -> Counted {
        if let Some(hand_over) = self.hand_over.take() {
            hand_over.done();
        }
        if let Some(durable_at) = self.durable_at {
            self.counted.unread.all.metrics.observe_delivery_lag(durable_at.elapsed());
        }
        self.counted
    }
}

impl Counted {
    fn new(bytes: usize, unread: Arc<Unread>) -> Self {
        unread.bytes.fetch_add(bytes, Ordering::Relaxed);
        unread.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, unread }
    }

    /// Counts more.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.unread.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unread.all.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts for both, of the same connection.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.bytes += mem::take(&mut other.bytes);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.unread.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.unread.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Memory that a frame holds, about: what can be large is counted.
fn frame_bytes(frame: &RelayFrame) -> usize {
    let payload = match frame {
        RelayFrame::Deliver(deliver) => deliver.payload.len(),
        RelayFrame::Entry(entry) => entry.entry.len(),
        RelayFrame::Answer { answer, .. } => answer_bytes(answer),
        RelayFrame::CaughtUp { .. } => 0,
    };
    payload + FRAME_BYTES
}

fn answer_bytes(answer: &Answer) -> usize {
    match answer {
        Answer::Entries(entries) => entries.entries.iter().map(|entry| entry.entry.len() + SHARED_BYTES).sum(),
        Answer::Bundle(Bundle { main, pair, last_resort }) => {
            main.len() + pair.iter().chain(last_resort).map(Vec::len).sum::<usize>()
        }
        Answer::Forwarded(Forwarded::Response { sealed }) => sealed.len(),
        Answer::Forwarded(Forwarded::Key(key)) => size_of_val(&**key),
        Answer::Tokens(Tokens::Signed(signed)) => size_of_val(&signed.signatures[..]),
        Answer::Tokens(Tokens::Keys(keys)) => size_of_val(&keys.keys[..]),
        Answer::Info(_)
        | Answer::Done
        | Answer::Denied
        | Answer::Full { .. }
        | Answer::Busy { .. }
        | Answer::Refused { .. }
        | Answer::Subscribed(_)
        | Answer::Blob(_)
        | Answer::Work { .. }
        | Answer::Unreachable { .. }
        | Answer::Appended { .. }
        | Answer::Stale { .. }
        | Answer::Closed => 0,
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::{Deliver, Entries, NumberedEntry};

    use super::*;

    fn deliver(bytes: usize) -> RelayFrame {
        RelayFrame::Deliver(Deliver { mailbox: [1; 16].into(), id: [2; 16].into(), payload: vec![3; bytes] })
    }

    fn fill(outbox: &mut Outbox) -> usize {
        (0..).take_while(|_| outbox.post(deliver(60_000), None).is_ok()).count()
    }

    impl Posted {
        /// A frame that counts for nobody.
        pub(in super::super) fn for_a_test(frame: RelayFrame) -> Box<Self> {
            let all = Arc::new(AllUnread::new(0, Arc::new(Metrics::new())));
            Box::new(Self::new(frame, 0, None, Arc::new(Unread { bytes: AtomicUsize::new(0), all })))
        }
    }

    #[test]
    fn one_connection_and_all_of_them_are_bounded_in_bytes() {
        let all = Arc::new(AllUnread::new(20 * 1024 * 1024, Arc::new(Metrics::new())));
        let open = || {
            let (sender, receiver) = queue::queue(1_024);
            (Outbox::new(sender, &all), receiver)
        };
        let (mut first, mut frames) = open();
        let count = fill(&mut first);
        assert_eq!(count, CONNECTION_BYTES_MAX / (60_000 + FRAME_BYTES));
        assert!(!first.takes_ephemeral());
        let mut others: Vec<_> = (0..100).map(|_| open()).collect();
        for (outbox, _) in &mut others {
            fill(outbox);
        }
        assert!(all.bytes() <= 20 * 1024 * 1024 + 101 * SHARE_BYTES, "{}", all.bytes());
        let (mut late, _late_frames) = open();
        let answer = RelayFrame::Answer { request: 1, answer: Answer::Done };
        assert_eq!(late.post(answer, None), Ok(()), "whoever reads goes on");

        while frames.try_recv().is_some() {}
        assert_eq!(first.post(deliver(1), None), Ok(()), "what is taken makes room");
        drop((others, frames, first, late, _late_frames));
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn answers_that_hold_much_count_for_it() {
        let all = Arc::new(AllUnread::new(100_000_000, Arc::new(Metrics::new())));
        let (sender, mut frames) = queue::queue(1_024);
        let mut outbox = Outbox::new(sender, &all);
        let entry = NumberedEntry { seq: 1, id: [1; 16].into(), entry: vec![7; 60_000] };
        let entries = Entries { entries: vec![entry], more: true, ended: false };
        let answer = RelayFrame::Answer { request: 1, answer: Answer::Entries(entries) };
        let posted = (0..1_024).take_while(|_| outbox.post(answer.clone(), None).is_ok()).count();
        assert_eq!(posted, CONNECTION_BYTES_MAX / (60_000 + SHARED_BYTES + FRAME_BYTES));

        // What is kept for a poll that may be asked again counts until that is over.
        let mut kept = None::<Counted>;
        while let Some(Outgoing::Frame(posted)) = frames.try_recv() {
            let counted = posted.handed_over();
            match &mut kept {
                Some(kept) => kept.absorb(counted),
                None => kept = Some(counted),
            }
        }
        assert_eq!(outbox.post(answer.clone(), None), Err(TooMuch));
        drop(kept);
        assert_eq!((outbox.post(answer, None), frames.is_empty()), (Ok(()), false));
        drop(frames);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn whoever_is_gone_is_no_error() {
        let all = Arc::new(AllUnread::new(1_000_000, Arc::new(Metrics::new())));
        let (sender, receiver) = queue::queue(1);
        drop(receiver);
        let mut outbox = Outbox::new(sender, &all);
        assert_eq!(outbox.post(deliver(1), Some(Instant::now())), Ok(()));
        assert_eq!((outbox.close(), all.bytes()), (Ok(()), 0));
    }
}
