//! Opening what was sealed to this relay, and sealing the answer.
//!
//! ```text
//!  request   week (4) ‖ X-Wing ciphertext (1,120) ‖ ChaCha20-Poly1305(command, padded)     HPKE base mode, RFC 9180
//!  response  nonce (12) ‖ ChaCha20-Poly1305(answer, padded)                                key: HPKE's exporter
//! ```

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hpke::{Deserializable, Kem, OpModeR, aead, kdf::HkdfSha256, kem::XWing};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sotto_outer::{
    ConnectionNonce, RelayIdentity,
    forward::{ForwardedAnswer, ForwardedCommand, request_info},
    labels,
    limits::{FORWARD_REQUEST_BYTES, FORWARD_RESPONSE_BYTES},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::ForwardKeys;
use crate::time::Timestamp;

const ENC_BYTES: usize = 1_120;

/// A command that came sealed.
pub(crate) struct OpenedCommand {
    /// What is asked.
    pub(crate) command: ForwardedCommand,
    /// SHA-256 of the X-Wing ciphertext: names this request, as a connection's nonce names a connection.
    pub(crate) nonce: ConnectionNonce,
    /// Seals the answer.
    pub(crate) reply: Reply,
}

/// The key of one answer.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Reply([u8; 32]);

/// Opens a request. None for whatever was not sealed to this relay, whole and lately.
pub(crate) fn open(keys: &ForwardKeys, relay: &RelayIdentity, now: Timestamp, sealed: &[u8]) -> Option<OpenedCommand> {
    let sealed: &[u8; FORWARD_REQUEST_BYTES] = sealed.try_into().ok()?;
    let (week, sealed) = sealed.split_first_chunk::<4>()?;
    let week = u32::from_be_bytes(*week);
    let (enc, ciphertext) = sealed.split_at_checked(ENC_BYTES)?;
    let key = keys.private(week, now)?;
    let nonce = ConnectionNonce::from(<[u8; 32]>::from(Sha256::digest(enc)));
    let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).ok()?;
    let info = request_info(relay, week);
    let mut context =
        hpke::setup_receiver::<aead::ChaCha20Poly1305, HkdfSha256, XWing>(&OpModeR::Base, &key, &enc, &info).ok()?;
    let command = ForwardedCommand::decode(&context.open(ciphertext, &[]).ok()?).ok()?;
    let mut reply = Reply([0; 32]);
    context.export(labels::FORWARD_RESPONSE, &mut reply.0).ok()?;
    Some(OpenedCommand { command, nonce, reply })
}

impl Reply {
    /// Seals the one answer.
    pub(crate) fn seal(&self, answer: &ForwardedAnswer, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let mut body = answer.encode().ok()?;
        let cipher = ChaCha20Poly1305::new(&self.0.into());
        cipher.encrypt_in_place(&nonce.into(), &[], &mut body).ok()?;
        let sealed = [&nonce[..], &body].concat();
        debug_assert_eq!(sealed.len(), FORWARD_RESPONSE_BYTES);
        Some(sealed)
    }
}
