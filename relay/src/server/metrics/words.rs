//! All words that a label may have. What is not here is in no label.

use sotto_outer::{Answer, Command};

use super::{Delivery, Via};

/// This program's version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What stands for the command where bytes were no frame.
pub(in crate::server) const MALFORMED: &str = "malformed";
/// What stands in a trace for the answer to a client that is gone.
pub(in crate::server) const GONE: &str = "gone";

/// The values of all labels.
#[cfg(test)]
pub(super) const WORDS: &[&str] = &[
    VERSION,
    MALFORMED,
    // commands
    "info",
    "token",
    "create",
    "send",
    "subscribe",
    "ack",
    "delete",
    "publish",
    "fetch",
    "rotate",
    "forward",
    "create_channel",
    "append",
    "advance",
    "read_channel",
    "subscribe_channel",
    "close_channel",
    "blob_create",
    "blob_commit",
    "blob_delete",
    // answers
    "done",
    "denied",
    "full",
    "busy",
    "refused",
    "subscribed",
    "bundle",
    "work",
    "forwarded",
    "unreachable",
    "appended",
    "stale",
    "entries",
    "closed",
    "blob",
    "tokens",
    // transports
    "websocket",
    "long_poll",
    "relay",
    // deliveries
    "fresh",
    "waited",
    "ephemeral",
    // certificates
    "file",
    "files",
    "unreachable",
    "challenge",
    "unproved",
    "certificate",
    "time",
    // forwards
    "address",
    "connect",
    "timeout",
    "protocol",
    "repeated",
    // blobs, tokens
    "committed",
    "range",
    "slow",
    "missing",
    "length",
    "unavailable",
    "up",
    "down",
    "open",
    "minted",
    "oidc",
    "spent",
    "invalid",
];

pub(in crate::server) const fn via(via: Via) -> &'static str {
    match via {
        Via::WebSocket => "websocket",
        Via::LongPoll => "long_poll",
        Via::Forward => "relay",
    }
}

pub(in crate::server) const fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Fresh => "fresh",
        Delivery::Waited => "waited",
        Delivery::Ephemeral => "ephemeral",
    }
}

pub(super) const fn command(command: &Command) -> &'static str {
    match command {
        Command::Info(_) => "info",
        Command::Token(_) => "token",
        Command::Create(_) => "create",
        Command::Send(_) => "send",
        Command::Subscribe(_) => "subscribe",
        Command::Ack(_) => "ack",
        Command::Delete(_) => "delete",
        Command::Publish(_) => "publish",
        Command::Fetch(_) => "fetch",
        Command::BlobCreate(_) => "blob_create",
        Command::BlobCommit(_) => "blob_commit",
        Command::BlobDelete(_) => "blob_delete",
        Command::Rotate(_) => "rotate",
        Command::Forward(_) => "forward",
        Command::CreateChannel(_) => "create_channel",
        Command::Append(_) => "append",
        Command::Advance(_) => "advance",
        Command::ReadChannel(_) => "read_channel",
        Command::SubscribeChannel(_) => "subscribe_channel",
        Command::CloseChannel(_) => "close_channel",
    }
}

pub(in crate::server) const fn answer(answer: &Answer) -> &'static str {
    match answer {
        Answer::Info(_) => "info",
        Answer::Done => "done",
        Answer::Denied => "denied",
        Answer::Full { .. } => "full",
        Answer::Busy { .. } => "busy",
        Answer::Refused { .. } => "refused",
        Answer::Subscribed(_) => "subscribed",
        Answer::Bundle(_) => "bundle",
        Answer::Work { bits: _ } => "work",
        Answer::Forwarded(_) => "forwarded",
        Answer::Unreachable { .. } => "unreachable",
        Answer::Appended { .. } => "appended",
        Answer::Stale { .. } => "stale",
        Answer::Entries(_) => "entries",
        Answer::Closed => "closed",
        Answer::Blob(_) => "blob",
        Answer::Tokens(_) => "tokens",
    }
}
