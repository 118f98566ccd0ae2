//! Labels that separate each use of a key from every other. `spec/registry.toml` lists them all.

/// A root signs a manifest.
pub const MANIFEST: &[u8] = b"sotto/0 manifest";
/// A device signs a prekey.
pub const PREKEY: &[u8] = b"sotto/0 prekey";
/// Key of a sealed bundle part, from the link secret.
pub const BUNDLE_PART: &[u8] = b"sotto/0 bundle part";
/// PQXDH, followed by the hash of the transcript.
pub const PQXDH: &[u8] = b"sotto/0 pqxdh";
/// Hash of a handshake: names a session.
pub const HANDSHAKE: &[u8] = b"sotto/0 handshake";
/// HPKE info of a sealed first message.
pub const FIRST_MESSAGE: &[u8] = b"sotto/0 first message";
/// HPKE info of a repair handshake.
pub const REPAIR: &[u8] = b"sotto/0 repair";
/// Splits the handshake secret into root key, header keys and the Braid's authentication key.
pub const SESSION: &[u8] = b"sotto/0 session";
/// A Diffie-Hellman step: root key, chain key, next header key, ephemeral key.
pub const ROOT_STEP: &[u8] = b"sotto/0 root step";
/// A step of a chain key.
pub const CHAIN_STEP: &[u8] = b"sotto/0 chain step";
/// Mixes the Double Ratchet's message key with the Braid's.
pub const MESSAGE_KEY: &[u8] = b"sotto/0 message key";
/// Body key and nonce of a packet.
pub const BODY_KEY: &[u8] = b"sotto/0 body key";
/// Safety number.
pub const SAFETY_NUMBER: &[u8] = b"sotto/0 safety number";
