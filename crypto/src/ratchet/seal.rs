//! Sealing a packet: one step of the sending chain, or none for an ephemeral one. The first after the peer's step draws a
//! fresh ratchet key and begins a chain from it.

use rand_core::CryptoRng;
use sotto_inner::limits::{BUCKETS, UNRECEIPTED_PACKETS_MAX};

use super::{
    body::{self, Padding},
    braid::Slot,
    chain::Chain,
    header::{Header, Kind},
    session::Session,
    skipped::SkippedChanges,
    staged::Staged,
};
use crate::x25519::PrivateKey;

/// Why a packet was not sealed. Always our own doing, never the other side's; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No bucket holds the content.
    #[error("this is too long for one message; send it in parts")]
    TooLong,
    /// `UNRECEIPTED_PACKETS_MAX` packets are under way that the other side has not acknowledged.
    #[error("1,500 messages are waiting for the other side to fetch them; this one waits here until it has")]
    WindowFull,
    /// A responder has opened no packet yet, so there is nothing to seal with.
    #[error("the conversation has not begun yet; this waits until its first message has been read")]
    NotBegun,
    /// The other side broke the Braid, or the stored state is damaged: the session must be replaced.
    #[error("the other side's keys do not fit together any more; this waits until the conversation has been repaired")]
    Broken,
}

impl Session {
    /// Seals `content` into a packet.
    ///
    /// # Errors
    /// [`SealError`]; the packet and the step exist together or not at all.
    pub fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        content: &[u8],
        padding: Padding,
    ) -> Result<Staged<Vec<u8>>, SealError> {
        if self.is_broken() {
            return Err(SealError::Broken);
        }
        let packet_bytes = padding.packet_bytes(content.len()).ok_or(SealError::TooLong)?;
        if self.unreceipted() >= UNRECEIPTED_PACKETS_MAX {
            return Err(SealError::WindowFull);
        }
        let mut next = self.duplicate();
        if next.step_due {
            next = next.begin_sending(rng)?;
        }
        let chain = next.sending.take().ok_or(SealError::NotBegun)?;
        let (braid, message, known) = next.braid.take().ok_or(SealError::Broken)?.send(rng);
        // A chain of 2^32 packets would take the peer's receipts without a single answer of its own.
        let (epoch_key, place) = next.epochs.seal(message.epoch).ok_or(SealError::WindowFull)?;
        if let Some(known) = known {
            next.epochs.add(&known);
        }
        next.braid = Some(braid);
        let slot = Slot { message, number: place.number, previous: place.previous };
        let kind = Kind::Message { previous: next.previous, number: chain.number, slot };
        let (chain, message_key) = chain.advance().ok_or(SealError::WindowFull)?;
        let message_key = epoch_key.mix(&message_key);
        let packet = next.packet(rng, &chain, kind, message_key.as_bytes(), content, packet_bytes);
        next.sending = Some(chain);
        next.sealed += 1;
        Ok(Staged::new(next, SkippedChanges::default(), packet))
    }

    /// Seals `content` into an ephemeral packet of the smallest bucket. No state changes, so it may leave at once.
    ///
    /// # Errors
    /// [`SealError::TooLong`], [`SealError::NotBegun`], [`SealError::Broken`].
    pub fn seal_ephemeral(&self, rng: &mut dyn CryptoRng, content: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.is_broken() {
            return Err(SealError::Broken);
        }
        let packet_bytes = Padding::Bucket.packet_bytes(content.len()).filter(|&bytes| bytes == BUCKETS[0]);
        let packet_bytes = packet_bytes.ok_or(SealError::TooLong)?;
        let chain = self.sending.as_ref().ok_or(SealError::NotBegun)?;
        Ok(self.packet(rng, chain, Kind::Ephemeral, chain.ephemeral_key.as_bytes(), content, packet_bytes))
    }

    /// The sending half of a Diffie-Hellman step: a fresh ratchet key of ours, and a sending chain from it.
    pub(super) fn begin_sending(self, rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        let theirs = self.peer.ok_or(SealError::NotBegun)?;
        let private = PrivateKey::generate(rng);
        // The receiving half agreed with the same point, so only a damaged store gives one that cannot be agreed with.
        let shared = private.agree(&theirs).map_err(|_| SealError::Broken)?;
        let step = self.root_key.advance(&shared);
        let sending = Chain {
            header_key: self.next_sending_header_key,
            chain_key: step.chain_key,
            number: 0,
            ephemeral_key: step.ephemeral_key,
        };
        Ok(Self {
            root_key: step.root_key,
            private,
            previous: self.sending.map_or(0, |ended| ended.number),
            sending: Some(sending),
            next_sending_header_key: step.next_header_key,
            step_due: false,
            sealed_before_chain: self.sealed,
            ..self
        })
    }

    /// Header, then body: the body is bound to the sealed header.
    pub(super) fn packet(
        &self,
        rng: &mut dyn CryptoRng,
        chain: &Chain,
        kind: Kind,
        message_key: &[u8; 32],
        content: &[u8],
        packet_bytes: usize,
    ) -> Vec<u8> {
        let mut packet = vec![0; packet_bytes];
        let header = Header { ratchet_key: *self.private.public(), kind };
        let sealed_header = packet.first_chunk_mut().expect("longer than its header: PACKET_OVERHEAD says so");
        header.seal(&chain.header_key, rng, sealed_header);
        body::seal(message_key, &self.associated, content, &mut packet);
        packet
    }
}
