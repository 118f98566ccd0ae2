//! Operations on their way, each with what goes on when it is done.

use super::{Conn, channel, subscription, tokens};
use crate::{access::NewKey, command};

/// Who is to be answered: one request of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) conn: Conn,
    pub(crate) request: u32,
}

/// What an outcome of storage is waited for with.
#[derive(Debug)]
pub(crate) enum Awaiting {
    /// `create` of a mailbox or channel, and `rotate`, `delete` or `publish` once they are checked.
    Done(Asker),
    Send(command::send::Awaiting),
    Ephemeral(command::send::Awaiting),
    Subscriber(command::subscribe::AwaitingOwners),
    Lease(command::subscribe::AwaitingLease),
    Ack(command::ack::Awaiting),
    Rotate(command::rotate::Awaiting),
    Deleter(command::delete::AwaitingOwner),
    Delete(command::delete::Awaiting),
    Fetch(command::fetch::Awaiting),
    Block(command::block::Awaiting),
    /// `blob create` and `blob commit`.
    BlobState(Asker),
    BlobSweep,
    Next(subscription::Reader),
    Writer(command::channel_append::AwaitingKey),
    Append(command::channel_append::Awaiting),
    ChannelRead(Asker),
    Listener(command::channel_subscribe::Awaiting),
    Closer(command::channel_close::Awaiting),
    Page(channel::Page),
    Sweep,
    ChannelSweep,
    /// The keys that are stored.
    TokenKeys,
    /// A key that is being made, then stored.
    NewKey(tokens::NewKeyOf),
    KeptKey(tokens::NewKeyOf, NewKey),
    /// Tokens that were counted and are being signed.
    Counted(command::token::Awaiting),
    Signed(Asker),
    /// A token that is being checked, and what it buys.
    Shown(tokens::Shown),
}

impl Awaiting {
    /// Payload bytes that are held until the outcome comes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Send(awaiting) | Self::Ephemeral(awaiting) => awaiting.bytes(),
            Self::Writer(awaiting) => awaiting.bytes(),
            Self::Append(awaiting) => awaiting.bytes(),
            Self::Shown(shown) => shown.then.bytes(),
            Self::Done(_)
            | Self::TokenKeys
            | Self::NewKey(_)
            | Self::KeptKey(..)
            | Self::Counted(_)
            | Self::Signed(_)
            | Self::Subscriber(_)
            | Self::Lease(_)
            | Self::Ack(_)
            | Self::Rotate(_)
            | Self::Deleter(_)
            | Self::Delete(_)
            | Self::Fetch(_)
            | Self::Block(_)
            | Self::Next(_)
            | Self::ChannelRead(_)
            | Self::Listener(_)
            | Self::Closer(_)
            | Self::Page(_)
            | Self::Sweep
            | Self::ChannelSweep
            | Self::BlobState(_)
            | Self::BlobSweep => 0,
        }
    }
}
