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

use super::keys::WeekKey;

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

/// Opens a request with the key of the week that it names. None for whatever was not sealed to this relay, whole and lately.
pub(crate) fn open(
    key: impl FnOnce(u32) -> Option<WeekKey>,
    relay: &RelayIdentity,
    sealed: &[u8],
) -> Option<OpenedCommand> {
    let sealed: &[u8; FORWARD_REQUEST_BYTES] = sealed.try_into().ok()?;
    let (week, sealed) = sealed.split_first_chunk::<4>()?;
    let week = u32::from_be_bytes(*week);
    let (enc, ciphertext) = sealed.split_at_checked(ENC_BYTES)?;
    let key = key(week)?.expand();
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

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER as HEX;
    use serde_json::Value;
    use sotto_outer::codec;

    use super::*;
    use crate::{forward::ForwardKeys, time::Timestamp};

    fn hex(entry: &Value, name: &str) -> Vec<u8> {
        HEX.decode(entry[name].as_str().unwrap().as_bytes()).unwrap()
    }

    /// Keys with the one of the vectors in their file, and a time in its week.
    fn keys(bob: &Value, dir: &tempfile::TempDir) -> (ForwardKeys, Timestamp) {
        let week: u32 = bob["week"].as_str().unwrap().parse().unwrap();
        let path = dir.path().join("forward.keys");
        std::fs::write(&path, [&week.to_be_bytes()[..], &hex(bob, "key_seed")].concat()).unwrap();
        let now = Timestamp::from_millis(u64::from(week) * 7 * 86_400_000);
        (ForwardKeys::open(Some(path), now).unwrap(), now)
    }

    #[test]
    fn the_known_answer_opens_and_its_reply_key_is_the_clients() {
        let vectors: Value = serde_json::from_str(include_str!("../../../spec/vectors/forward.json")).unwrap();
        let (bob, first) = (&vectors["accepted"][0], &vectors["accepted"][1]);
        let whole = vectors["accepted"].as_array().unwrap().last().unwrap();
        let (dir, request) = (tempfile::tempdir().unwrap(), hex(whole, "request"));
        let (keys, now) = keys(bob, &dir);
        let identity = RelayIdentity::try_from(&hex(bob, "identity")[..]).unwrap();
        let opened = open(|week| keys.of(week, now), &identity, &request).expect("it was sealed to this key");
        assert_eq!(codec::encode(&opened.command), hex(first, "item"));
        assert_eq!(opened.nonce.as_bytes()[..], hex(first, "nonce"));
        let response = hex(first, "response");
        let (nonce, sealed) = response.split_first_chunk::<12>().unwrap();
        let mut body = sealed.to_vec();
        let cipher = ChaCha20Poly1305::new(&opened.reply.0.into());
        cipher.decrypt_in_place(&(*nonce).into(), &[], &mut body).unwrap();
        assert_eq!(codec::encode(&ForwardedAnswer::decode(&body).unwrap()), hex(first, "answer"));
        for at in [3, 4, 1_100, 1_200, FORWARD_REQUEST_BYTES - 1] {
            let mut changed = request.clone();
            changed[at] ^= 1;
            assert!(open(|week| keys.of(week, now), &identity, &changed).is_none(), "byte {at}");
        }
    }
}
