//! The sessions with one contact: the active one first, then archived ones.
//!
//! A packet does not say whose it is. [`find`] tries header keys and nothing else, so that a forged packet costs at most
//! (1 + `ARCHIVED_SESSIONS_MAX`) × (2 + `SKIPPED_CHAINS_MAX`) header trials, no chain step and no Diffie-Hellman.

use crate::ratchet::Session;

/// The index of the session whose packet this is: the first of `sessions` with a header key that opens its header.
pub fn find(sessions: &[Session], packet: &[u8]) -> Option<usize> {
    let mut scratch = *packet.first_chunk()?;
    sessions.iter().position(|session| session.recognises(&mut scratch))
}
