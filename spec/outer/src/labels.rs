//! Labels that separate what owners and relays sign, one from another. `spec/registry.toml` lists them all.

/// An owner subscribes to a mailbox.
pub const SUBSCRIBE: &[u8] = b"sotto/1 subscribe";
/// An owner gives a mailbox another send capability.
pub const ROTATE: &[u8] = b"sotto/1 rotate";
/// An owner deletes a mailbox or a bundle.
pub const DELETE: &[u8] = b"sotto/1 delete";
/// An owner publishes bundle parts.
pub const PUBLISH: &[u8] = b"sotto/1 publish";
/// A writer appends to a channel.
pub const APPEND: &[u8] = b"sotto/1 append";
/// A writer ends a channel's generation.
pub const ADVANCE: &[u8] = b"sotto/1 advance";
/// An owner closes a channel.
pub const CLOSE_CHANNEL: &[u8] = b"sotto/1 close channel";
/// A relay proves its identity on a connection.
pub const WELCOME: &[u8] = b"sotto/1 welcome";
/// Work is shown for what anyone may ask.
pub const WORK: &[u8] = b"sotto/1 work";
/// A token is signed blindly.
pub const TOKEN: &[u8] = b"sotto/1 token";
/// The key of one purpose and week gets its name.
pub const KEY_OF_TOKENS: &[u8] = b"sotto/1 key of tokens";
/// A relay's key for commands that come through another relay.
pub const FORWARD_KEY: &[u8] = b"sotto/1 forward key";
/// A command sealed to a relay.
pub const FORWARD_REQUEST: &[u8] = b"sotto/1 forward request";
/// The key of the answer to one.
pub const FORWARD_RESPONSE: &[u8] = b"sotto/1 forward response";
