//! Labels that separate each use of a key from every other. `spec/registry.toml` lists them all.

/// A root signs a manifest.
pub const MANIFEST: &[u8] = b"sotto/1 manifest";
/// A device signs a prekey.
pub const PREKEY: &[u8] = b"sotto/1 prekey";
/// Key of a sealed bundle part, from the link secret.
pub const BUNDLE_PART: &[u8] = b"sotto/1 bundle part";
/// PQXDH, followed by the hash of the transcript.
pub const PQXDH: &[u8] = b"sotto/1 pqxdh";
/// Hash of a handshake: names a session.
pub const HANDSHAKE: &[u8] = b"sotto/1 handshake";
/// HPKE info of a sealed first message.
pub const FIRST_MESSAGE: &[u8] = b"sotto/1 first message";
/// HPKE info of a repair handshake.
pub const REPAIR: &[u8] = b"sotto/1 repair";
/// Splits the handshake secret into root key, header keys and the Braid's secret.
pub const SESSION: &[u8] = b"sotto/1 session";
/// A Diffie-Hellman step: root key, chain key, next header key, ephemeral key.
pub const ROOT_STEP: &[u8] = b"sotto/1 root step";
/// A step of a chain key.
pub const CHAIN_STEP: &[u8] = b"sotto/1 chain step";
/// Mixes the Double Ratchet's message key with the Braid's.
pub const MESSAGE_KEY: &[u8] = b"sotto/1 message key";
/// Body key and nonce of a packet.
pub const BODY_KEY: &[u8] = b"sotto/1 body key";
/// Safety number.
pub const SAFETY_NUMBER: &[u8] = b"sotto/1 safety number";
/// The Braid's first chains.
pub const BRAID_START: &[u8] = b"sotto/1 braid start";
/// The Braid's authenticator, followed by the epoch.
pub const BRAID_AUTHENTICATOR: &[u8] = b"sotto/1 braid authenticator";
/// A tag over an epoch and a header of the Braid.
pub const BRAID_HEADER: &[u8] = b"sotto/1 braid header";
/// A tag over an epoch and a ciphertext of the Braid.
pub const BRAID_CIPHERTEXT: &[u8] = b"sotto/1 braid ciphertext";
/// The secret of an epoch, followed by the epoch.
pub const BRAID_EPOCH: &[u8] = b"sotto/1 braid epoch";
/// Adds an epoch's secret: root and the chains of the epoch.
pub const BRAID_CHAINS: &[u8] = b"sotto/1 braid chains";
/// A step of an epoch's chain, followed by the number of the packet.
pub const EPOCH_STEP: &[u8] = b"sotto/1 epoch step";
