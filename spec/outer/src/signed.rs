//! The exact bytes that owners and relays sign: a label, then fields of fixed length, so that no two differ in meaning alone.
//!
//! Who holds keys signs these bytes with Ed25519; who checks uses strict verification (RFC 8032 §5.1.7, no small-order keys).

use crate::{
    Advance, Append, BundleId, CapabilityHash, ChannelId, ConnectionNonce, Lease, Publish, ReceiveId, RelayIdentity,
    Target, Terms, codec, labels,
};

/// What the owner of a mailbox signs to subscribe: label, relay, connection, mailbox, both leases (an absent one is 17 bytes
/// of zero, a present one is preceded by 1).
pub fn subscribe(
    relay: &RelayIdentity,
    nonce: &ConnectionNonce,
    mailbox: &ReceiveId,
    confirmed: Option<&Lease>,
    new: &Lease,
) -> Vec<u8> {
    let mut bytes = preamble(labels::SUBSCRIBE, relay, nonce);
    bytes.extend_from_slice(mailbox.as_bytes());
    bytes.push(u8::from(confirmed.is_some()));
    bytes.extend_from_slice(confirmed.map_or(&[0; 16], |lease| lease.as_bytes()));
    bytes.extend_from_slice(new.as_bytes());
    bytes
}

/// What the owner of a mailbox signs to rotate its send capability: label, relay, connection, mailbox, the new hash.
pub fn rotate(
    relay: &RelayIdentity,
    nonce: &ConnectionNonce,
    mailbox: &ReceiveId,
    capability_hash: &CapabilityHash,
) -> Vec<u8> {
    let mut bytes = preamble(labels::ROTATE, relay, nonce);
    bytes.extend_from_slice(mailbox.as_bytes());
    bytes.extend_from_slice(capability_hash.as_bytes());
    bytes
}

/// What an owner signs to delete: label, relay, connection, kind of target, its id.
pub fn delete(relay: &RelayIdentity, nonce: &ConnectionNonce, target: &Target) -> Vec<u8> {
    let mut bytes = preamble(labels::DELETE, relay, nonce);
    let (kind, id) = match target {
        Target::Mailbox(id) => (0, id.as_bytes()),
        Target::Bundle(id) => (1, id.as_bytes()),
    };
    bytes.push(kind);
    bytes.extend_from_slice(id);
    bytes
}

/// What the owner of a bundle signs to publish: label, relay, connection, bundle, then every part with its length before it.
/// The signature field itself is not read.
pub fn publish(relay: &RelayIdentity, nonce: &ConnectionNonce, publish: &Publish) -> Vec<u8> {
    let Publish { bundle, owner, main, last_resort, pairs, signature: _ } = publish;
    let mut bytes = preamble(labels::PUBLISH, relay, nonce);
    bytes.extend_from_slice(BundleId::as_bytes(bundle));
    bytes.extend_from_slice(owner.as_bytes());
    push_part(&mut bytes, main.as_deref().unwrap_or_default());
    push_part(&mut bytes, last_resort.as_deref().unwrap_or_default());
    for pair in pairs {
        push_part(&mut bytes, pair);
    }
    bytes
}

/// What a writer signs to append: label, relay, channel, generation, id, entry. No connection: an entry may be forwarded, and a
/// replay is caught by its id. The signature field itself is not read.
pub fn append(relay: &RelayIdentity, append: &Append) -> Vec<u8> {
    let Append { channel, generation, id, entry, signature: _ } = append;
    let mut bytes = lasting_preamble(labels::APPEND, relay, channel, *generation);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(entry);
    bytes
}

/// What a writer signs to end a generation: label, relay, channel, generation, id, next verify key, next read hash, entry. The
/// signature field itself is not read.
pub fn advance(relay: &RelayIdentity, advance: &Advance) -> Vec<u8> {
    let Advance { channel, generation, id, entry, next_verify_key, next_read_hash, signature: _ } = advance;
    let mut bytes = lasting_preamble(labels::ADVANCE, relay, channel, *generation);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(next_verify_key.as_bytes());
    bytes.extend_from_slice(next_read_hash.as_bytes());
    bytes.extend_from_slice(entry);
    bytes
}

/// What the owner of a channel signs to close it: label, relay, connection, channel.
pub fn close_channel(relay: &RelayIdentity, nonce: &ConnectionNonce, channel: &ChannelId) -> Vec<u8> {
    let mut bytes = preamble(labels::CLOSE_CHANNEL, relay, nonce);
    bytes.extend_from_slice(channel.as_bytes());
    bytes
}

/// What a relay signs to prove its identity: label, its identity, its own nonce for the connection, the client's nonce, the TLS
/// exporter (RFC 9266 `EXPORTER-Channel-Binding`) where it ends TLS itself under a public certificate, else 32 bytes of zero,
/// where clients reach it ([`crate::RelayAddress::place`]) with its length before it: a client that dialled another place refuses, for
/// someone stands in between; and its terms, encoded, with their length before them.
pub fn welcome(
    relay: &RelayIdentity,
    place: &[u8],
    client_nonce: &ConnectionNonce,
    nonce: &ConnectionNonce,
    exporter: Option<&[u8; 32]>,
    terms: &Terms,
) -> Vec<u8> {
    let mut bytes = preamble(labels::WELCOME, relay, nonce);
    bytes.extend_from_slice(client_nonce.as_bytes());
    bytes.extend_from_slice(exporter.unwrap_or(&[0; 32]));
    push_part(&mut bytes, place);
    push_part(&mut bytes, &codec::encode(terms));
    bytes
}

pub(crate) fn preamble(label: &[u8], relay: &RelayIdentity, nonce: &ConnectionNonce) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(u8::try_from(label.len()).expect("labels are short"));
    bytes.extend_from_slice(label);
    bytes.extend_from_slice(relay.as_bytes());
    bytes.extend_from_slice(nonce.as_bytes());
    bytes
}

/// Of what is good on any connection.
fn lasting_preamble(label: &[u8], relay: &RelayIdentity, channel: &ChannelId, generation: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(u8::try_from(label.len()).expect("labels are short"));
    bytes.extend_from_slice(label);
    bytes.extend_from_slice(relay.as_bytes());
    bytes.extend_from_slice(channel.as_bytes());
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    let len = u32::try_from(part.len()).expect("a part fits a frame");
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(part);
}
