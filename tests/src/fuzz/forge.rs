//! Seals any header and any body, with keys read out of a stored session: what one who has an honest peer's keys can make, and
//! no session would. Written from chapter 05 and the labels alone, so it is a second opinion of a packet's layout too.

use std::collections::BTreeMap;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use sotto_inner::{labels, limits::SKIPPED_GAP_MAX};

use super::stored::{EpochChain, Key, Sending, Stored};

/// Bytes of a header before it is sealed.
pub const HEADER_BYTES: usize = 153;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Bytes of a sealed header.
const SEALED_HEADER_BYTES: usize = NONCE_BYTES + HEADER_BYTES + TAG_BYTES;
/// How far a chain is walked for a forgery: a little further than any receiver walks.
const WALK_MAX: u32 = SKIPPED_GAP_MAX + 16;

/// A header, plain.
pub type Header = [u8; HEADER_BYTES];

/// All sending keys that a session's owner ever had, as early in each chain as they saw it.
#[derive(Clone, Debug, Default)]
pub struct Forge {
    associated: Vec<u8>,
    running: Option<Sending>,
    chains: BTreeMap<Key, (u32, Key)>,
    epochs: BTreeMap<u32, (u32, Key)>,
}

impl Forge {
    /// Takes in what a session knows now.
    pub fn learn(&mut self, stored: &Stored) {
        let Stored { associated, sending, epoch: EpochChain { epoch, key, number }, ahead, .. } = stored;
        self.associated.clone_from(associated);
        self.running = *sending;
        if let Some(Sending { header_key, chain_key, number, .. }) = sending {
            self.chains.entry(*header_key).or_insert((*number, *chain_key));
        }
        self.epochs.entry(*epoch).or_insert((*number, *key));
        if let Some(ahead) = ahead {
            self.epochs.entry(epoch + 1).or_insert((0, *ahead));
        }
    }

    /// The plain header of a packet of the running chain.
    pub fn header(&self, packet: &[u8]) -> Option<Header> {
        let (nonce, rest) = packet.split_first_chunk::<NONCE_BYTES>()?;
        let (header, rest) = rest.split_first_chunk::<HEADER_BYTES>()?;
        let (tag, _) = rest.split_first_chunk::<TAG_BYTES>()?;
        let mut plain = *header;
        ChaCha20Poly1305::new(&self.running?.header_key.into())
            .decrypt_inout_detached(nonce.into(), &[], plain.as_mut_slice().into(), tag.into())
            .ok()?;
        Some(plain)
    }

    /// A packet of the running chain with this header, and with a body that is authentic wherever the header points at a key that
    /// is known. `padded` is the content with its padding, whatever that is.
    pub fn seal(&self, header: &Header, nonce: [u8; NONCE_BYTES], padded: &[u8]) -> Option<Vec<u8>> {
        let running = self.running?;
        let mut packet = [&nonce[..], header].concat();
        let tag = seal(&running.header_key, &nonce, &[], &mut packet[NONCE_BYTES..]);
        packet.extend(tag);
        let message_key = match header[40] {
            1 => running.ephemeral_key,
            _ => self.message_key(&running.header_key, header),
        };
        let mut body_key = [0; 32 + NONCE_BYTES];
        let derived = Hkdf::<Sha256>::new(Some(&Sha256::digest(&packet)), &message_key);
        derived.expand(labels::BODY_KEY, &mut body_key).expect("44 bytes");
        let (key, nonce) = body_key.split_first_chunk::<32>().expect("44 bytes");
        let bound = [&self.associated[..], &packet].concat();
        let mut body = padded.to_vec();
        let tag = seal(key, nonce.try_into().expect("12 bytes"), &bound, &mut body);
        debug_assert_eq!(packet.len(), SEALED_HEADER_BYTES);
        Some([packet, body, tag.to_vec()].concat())
    }

    /// The key of the packet at a header's place in both ratchets; zero where no key is known.
    fn message_key(&self, header_key: &Key, header: &Header) -> Key {
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        let chain = self.chains.get(header_key);
        let epoch = number(41).checked_sub(1).and_then(|epoch| self.epochs.get(&epoch));
        let of_chain = walk(chain, number(36), |_| labels::CHAIN_STEP.to_vec());
        let of_epoch = walk(epoch, number(48), |number| [labels::EPOCH_STEP, &number.to_be_bytes()].concat());
        let mut mixed = [0; 32];
        let derived = Hkdf::<Sha256>::new(Some(&of_epoch), &of_chain);
        derived.expand(labels::MESSAGE_KEY, &mut mixed).expect("32 bytes");
        mixed
    }
}

/// The message key of packet `number` of a chain that is known from some packet on.
fn walk(from: Option<&(u32, Key)>, number: u32, info: impl Fn(u32) -> Vec<u8>) -> Key {
    let Some(&(first, mut chain_key)) = from else { return [0; 32] };
    if number < first || number - first > WALK_MAX {
        return [0; 32];
    }
    let mut step = [0; 64];
    for at in first..=number {
        let derived = Hkdf::<Sha256>::from_prk(&chain_key).expect("32 bytes");
        derived.expand(&info(at), &mut step).expect("64 bytes");
        chain_key.copy_from_slice(&step[..32]);
    }
    step[32..].try_into().expect("32 bytes")
}

fn seal(key: &Key, nonce: &[u8; NONCE_BYTES], associated: &[u8], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
    ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, buffer.into())
        .expect("a packet is short")
        .into()
}
