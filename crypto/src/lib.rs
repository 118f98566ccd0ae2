//! Sotto's cryptography: identity, prekeys, PQXDH, ratchet and sealing. Pure.
//!
//! Randomness is an argument of each call, time is an argument where it matters, and nothing here touches a clock, a
//! socket or a file. What leaves this crate opens or verifies, or it is an error that says whose doing it was.

mod aead;
mod book;
mod bundle;
mod digest;
mod error;
mod first_seal;
mod forward;
mod handshake;
mod identity;
mod kdf;
mod mlkem;
mod mlkem768;
mod owner_keys;
mod padding;
#[cfg(test)]
mod people;
mod pqxdh;
mod prekey;
mod ratchet;
mod safety_number;
mod secret;
mod session_id;
mod signature;
mod tokens;
mod transcript;
#[cfg(test)]
mod vectors;
mod work;
#[cfg(test)]
mod wycheproof_tests;
mod x25519;
mod xwing;

pub use book::find;
pub use bundle::{VerifiedBundle, VerifiedRepair, open_bundle, seal_main, seal_part, verify_repair_bundle};
pub use digest::{capability_hash, envelope_digest};
pub use error::{PeerMisbehaved, StateError};
pub use first_seal::{
    TooLong, first_content_capacity, first_seal_id, open_first, open_repair, repair_tag, seal_first, seal_repair,
};
pub use forward::{ForwardOpener, ForwardSealer, VerifiedForwardKey};
pub use handshake::{check_handshake, handshake_id};
pub use identity::{DeviceKeys, Root, Succession, manifest_hash, succession, verify_manifest};
pub use owner_keys::{OwnerKeys, verify_relay};
pub use pqxdh::{Answering, Initiated, accept, initiate, initiate_repair};
pub use prekey::{PrekeySecret, verify_prekey};
pub use ratchet::{
    ChainId, NoSkippedKeys, OpenError, Opened, PACKET_OVERHEAD, Padding, Plaintext, SealError, Session, SkippedChanges,
    SkippedKey, SkippedKeys, Staged,
};
pub use safety_number::{NotASafetyNumber, SafetyNumber, safety_number};
pub use session_id::SessionId;
pub use tokens::{Blinding, TokenKey};
pub use work::find_proof;
pub use x25519::PrivateKey;
