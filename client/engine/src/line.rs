//! A line: one connection to one relay for one purpose. What we read and what we send leave on different ones, so that the
//! relay is not told by its connections alone who talks with whom; and where a credential is shown nothing else is, so that it
//! is not told of whom that holds. [REL-29] [REL-75]

use sotto_outer::{Command, RelayIdentity};

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Our own things: mailboxes and bundles are made, read, renewed and deleted.
    Reading,
    /// Others' things: envelopes are sent and bundles fetched.
    Sending,
    /// Tokens alone, while they are asked for: what shows a credential is on no line with anything else.
    Admission,
}

/// One connection to one relay. It proves the relay's identity by itself before anything is said on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// Whose.
    pub relay: RelayIdentity,
    /// What for.
    pub role: Role,
}

impl Line {
    /// The line for our own things at a relay.
    #[must_use]
    pub const fn reading(relay: RelayIdentity) -> Self {
        Self { relay, role: Role::Reading }
    }

    /// The line for others' things at a relay.
    #[must_use]
    pub const fn sending(relay: RelayIdentity) -> Self {
        Self { relay, role: Role::Sending }
    }

    /// The line on which a relay is asked for tokens.
    #[must_use]
    pub const fn admission(relay: RelayIdentity) -> Self {
        Self { relay, role: Role::Admission }
    }
}

impl Role {
    /// The line that a command leaves on.
    pub(crate) const fn of(command: &Command) -> Self {
        match command {
            Command::Token(_) => Self::Admission,
            Command::Send(_)
            | Command::Fetch(_)
            | Command::Append(_)
            | Command::Advance(_)
            | Command::Forward(_)
            | Command::BlobCreate(_)
            | Command::BlobCommit(_)
            | Command::BlobDelete(_) => Self::Sending,
            // `Info` is asked on each; whoever asks names the line.
            Command::Info(_)
            | Command::Create(_)
            | Command::Subscribe(_)
            | Command::Ack(_)
            | Command::Rotate(_)
            | Command::Delete(_)
            | Command::Publish(_)
            | Command::CreateChannel(_)
            | Command::ReadChannel(_)
            | Command::SubscribeChannel(_)
            | Command::CloseChannel(_) => Self::Reading,
        }
    }
}

/// Tells what for, not whose.
impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relay: _, role } = self;
        f.debug_tuple("Line").field(role).finish()
    }
}
