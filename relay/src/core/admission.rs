//! What is turned away when there is too much to do: first `create`, then `send`, then `subscribe`. Delivery and `ack` never,
//! for they are what empties the relay.

use super::Core;

/// Seconds after which a client that was turned away may try again.
pub(crate) const BUSY_RETRY_SECS: u32 = 2;

/// How many storage operations may wait before work is turned away.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Beyond this many, no new mailboxes or bundles.
    pub create_max: usize,
    /// Beyond this many, no envelopes.
    pub send_max: usize,
    /// Beyond this many payload bytes that wait, no envelopes.
    pub send_bytes_max: usize,
    /// Beyond this many, no new subscriptions.
    pub subscribe_max: usize,
}

impl Default for Admission {
    fn default() -> Self {
        Self { create_max: 4_096, send_max: 8_192, send_bytes_max: 64 * 1024 * 1024, subscribe_max: 16_384 }
    }
}

/// What asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Create,
    Send,
    Subscribe,
}

impl Core {
    /// Lets work in.
    ///
    /// # Errors
    /// Seconds after which it may be tried again.
    pub(crate) fn admit(&self, work: Work) -> Result<(), u32> {
        let Admission { create_max, send_max, send_bytes_max, subscribe_max } = self.config.admission;
        let waiting = self.awaiting.len();
        let has_room = match work {
            Work::Create => !self.disk_low && waiting < create_max,
            Work::Send => !self.disk_low && waiting < send_max && self.awaiting_bytes < send_bytes_max,
            Work::Subscribe => waiting < subscribe_max,
        };
        if has_room { Ok(()) } else { Err(BUSY_RETRY_SECS) }
    }
}
