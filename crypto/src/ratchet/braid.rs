//! The Braid's place: its slot in every header, and the point where its keys will be mixed in.
//!
//! Version 0 has no sparse post-quantum ratchet yet. So that the header's length will not change with it, its slot is
//! here already: all zero, and anything else is refused, so that nobody can smuggle bytes or claim a Braid that is not
//! run. After the handshake the ratchet heals classically only.

use sotto_inner::{labels, limits::BRAID_SLOT_BYTES};
use zeroize::Zeroizing;

use super::message_key::MessageKey;
use crate::{kdf, secret::Secret32};

/// The Braid's part of a header: a 96-byte chunk, and 16 bytes for epoch, type, index and counter. Version 0: all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BraidSlot;

/// The Braid's key of one packet. Version 0 never has one.
pub(super) struct BraidMessageKey(pub(super) Secret32);

impl BraidSlot {
    /// The slot's bytes.
    pub(super) fn encode(self) -> [u8; BRAID_SLOT_BYTES] {
        [0; BRAID_SLOT_BYTES]
    }

    /// Reads a slot; `None` unless it is all zero.
    pub(super) fn decode(bytes: &[u8; BRAID_SLOT_BYTES]) -> Option<Self> {
        bytes.iter().all(|&byte| byte == 0).then_some(Self)
    }
}

/// The mixing point: HKDF with the Double Ratchet's key as input and the Braid's as salt. Without a Braid the Double
/// Ratchet's key stands alone, as it came.
pub(super) fn mix(message_key: MessageKey, braid: Option<&BraidMessageKey>) -> MessageKey {
    let Some(BraidMessageKey(braid)) = braid else {
        return message_key;
    };
    let mut mixed = Zeroizing::new([0; 32]);
    kdf::hkdf(braid.as_bytes(), &[message_key.as_bytes()], &[labels::MESSAGE_KEY], &mut *mixed);
    MessageKey::new(Secret32::copied(&mixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_with_any_byte_set_is_refused() {
        assert_eq!(BraidSlot::decode(&BraidSlot.encode()), Some(BraidSlot));
        for index in 0..BRAID_SLOT_BYTES {
            let mut bytes = BraidSlot.encode();
            bytes[index] = 1;
            assert_eq!(BraidSlot::decode(&bytes), None);
        }
    }

    #[test]
    fn both_keys_count_where_both_are_mixed() {
        let key = |byte| MessageKey::new(Secret32::copied(&[byte; 32]));
        let braid = |byte| BraidMessageKey(Secret32::copied(&[byte; 32]));
        assert_eq!(mix(key(1), None).as_bytes(), &[1; 32]);
        let mixed = mix(key(1), Some(&braid(2)));
        assert_ne!(mixed.as_bytes(), mix(key(1), Some(&braid(3))).as_bytes());
        assert_ne!(mixed.as_bytes(), mix(key(2), Some(&braid(2))).as_bytes());
    }
}
