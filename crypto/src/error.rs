//! What can go wrong, grouped by whose doing it was.
//!
//! [`PeerMisbehaved`] is the other side's doing (or of whoever forged its bytes), [`StateError`] is a store that gave
//! back other bytes than it was given. Errors of one operation alone stand beside that operation. None carries a
//! secret or an identity, so all may be logged.

/// The other side, or someone in its name, sent what an honest one never sends. Nothing has changed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerMisbehaved {
    /// An X25519 public key of 2^255 - 19 or more: a second spelling of another key (RFC 7748 §5).
    #[error("the other side sent a key in a spelling that is not accepted; nothing was changed")]
    NonCanonicalPoint,
    /// An X25519 agreement whose outcome does not depend on our key (RFC 7748 §6.1).
    #[error("the other side sent a key that would make the secret public; nothing was changed")]
    NonContributory,
    /// A packet's header opened, its body did not.
    #[error("a message was damaged or forged on its way; it was dropped and nothing was changed")]
    BodyNotAuthentic,
    /// A packet's header opened, and breaks its layout.
    #[error("a message has a header that this version does not know; it was dropped and nothing was changed")]
    MalformedHeader,
    /// A packet's body opened, and its padding is wrong.
    #[error("a message has wrong padding; it was dropped and nothing was changed")]
    MalformedBody,
    /// A packet skips more than `SKIPPED_GAP_MAX` others.
    #[error("a message skips more than 2,000 others; it was dropped and nothing was changed")]
    GapTooLarge,
    /// Bytes that are not one canonical value of their type.
    #[error("the other side sent data that does not read as what it should be; nothing was changed")]
    Malformed,
    /// A field of a fixed length has another.
    #[error("the other side sent a key or a message of a wrong length; nothing was changed")]
    Length,
    /// Another wire version, which is refused and never negotiated.
    #[error("the other side uses another version of Sotto; nothing was changed: the older of the two needs an update")]
    Version,
    /// An Ed25519 signature does not verify strictly (RFC 8032 §5.1.7).
    #[error("a signature is wrong: what arrived was damaged or forged; nothing was changed")]
    Signature,
    /// An ML-KEM or X-Wing public key fails the checks of FIPS 203 §7.2.
    #[error("the other side sent a key that is not valid; nothing was changed")]
    Key,
    /// A manifest with no or too many devices, out of order, or without its place in the chain.
    #[error("the other side's list of devices is not valid; nothing was changed")]
    Manifest,
    /// A root that is not the expected one: another person.
    #[error("this comes from another account than expected; nothing was changed: ask for a new link")]
    OtherRoot,
    /// A handshake made for a manifest that is not the given one.
    #[error("the other side used an outdated list of devices; nothing was changed")]
    OtherManifest,
    /// A device that its manifest does not list.
    #[error("the other side used a device that its account does not list; nothing was changed")]
    UnknownDevice,
    /// A prekey of another kind than its place asks for.
    #[error("the other side sent a key made for another purpose; nothing was changed")]
    PrekeyKind,
    /// A prekey after its time.
    #[error("the other side's keys have expired; nothing was sent: ask for a new link")]
    Expired,
    /// Not exactly one of one-time pair and last-resort key, or another prekey than the handshake names.
    #[error("the other side's keys are incomplete or do not fit together; nothing was changed")]
    Prekeys,
    /// A handshake mixes an invitation's secret in where none is expected, or none where one is.
    #[error("this does not fit the invitation it claims to answer; nothing was changed")]
    Invitation,
    /// A sealed part or envelope does not open under its key.
    #[error("what arrived was damaged, or sealed for someone else; nothing was changed")]
    Unopenable,
    /// What was sealed opens, and its padding is wrong.
    #[error("what arrived has wrong padding; nothing was changed")]
    Padding,
}

/// Stored bytes are not what this crate stored. Our own store's doing, never the other side's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Written by another version.
    #[error("stored state has version {0}, which this program does not read")]
    Version(u64),
    /// Not the one encoding of any state.
    #[error("stored state is damaged")]
    Malformed,
}
