//! What comes in: a start, a person's intents, what relays do, and time.

use sotto_inner::{Link, ManifestHash, RootKey};
use sotto_outer::{RelayAddress, RelayFrame};

use crate::{Line, ProxyAddress, Role};

/// A contact is named by the root of its account.
pub type ContactId = RootKey;

/// Chosen by the caller of an intent; its answer carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One thing that happened outside the engine.
#[derive(Clone, Debug)]
pub enum Event {
    /// The process started. Comes first, once.
    Started,
    /// A person wants something.
    Intent {
        /// To answer to.
        ticket: Ticket,
        /// What.
        intent: Intent,
    },
    /// A connection to a relay stands; nothing was said on it yet.
    Connected {
        /// What the connection is for.
        role: Role,
        /// Which place was dialled; the relay must prove that it is reached there.
        address: RelayAddress,
        /// The TLS exporter (RFC 9266), where a public certificate carries TLS.
        exporter: Option<[u8; 32]>,
    },
    /// The connection is gone.
    Disconnected {
        /// Which line's.
        line: Line,
    },
    /// A relay sent a frame.
    FrameReceived {
        /// On which line.
        line: Line,
        /// What it sent.
        frame: RelayFrame,
    },
    /// The time asked for by `Effect::WakeAt` has come, or the clock jumped.
    Woken,
}

/// What a person, or a program in their name, wants.
#[derive(Clone, PartialEq, Eq)]
pub enum Intent {
    /// Make the account of this empty profile.
    CreateProfile {
        /// The person's name, told to contacts only.
        name: String,
        /// The relay that keeps their mailboxes.
        relay: RelayAddress,
    },
    /// Change the name told to contacts from now on.
    SetName {
        /// The new name.
        name: String,
    },
    /// Dial every relay through a proxy from now on, or through none. Works before there is an account.
    SetProxy {
        /// Which.
        proxy: Option<ProxyAddress>,
    },
    /// Show this credential to the relay that it is for, where that asks for tokens. Works before there is an account.
    Admit {
        /// As it was given.
        credential: String,
    },
    /// Keep the mailboxes at these relays from now on; contacts are told.
    SetRelays {
        /// One or two, the preferred one first: there strangers find us.
        relays: Vec<RelayAddress>,
    },
    /// Make the contact address anew; the old link is dead.
    ResetAddress,
    /// Switch the contact address off, or on with a new link.
    SwitchAddress {
        /// Whether strangers may ask.
        on: bool,
    },
    /// Get a link to give away: the contact address, or a new one-time invitation.
    Invite {
        /// One-time.
        once: bool,
    },
    /// Write to the owner of a link for the first time.
    Connect {
        /// Their link.
        link: Link,
        /// Shown with the request.
        text: Option<String>,
    },
    /// Accept a contact request.
    Accept {
        /// Whose.
        contact: ContactId,
    },
    /// Decline a request; its sender learns nothing.
    Decline {
        /// Whose.
        contact: ContactId,
    },
    /// Take nothing more from a contact.
    Block {
        /// Whom.
        contact: ContactId,
    },
    /// Note that the safety number was compared and matches.
    Verify {
        /// Whose.
        contact: ContactId,
        /// The number the person read from the other's device, digits and spaces.
        number: String,
    },
    /// Go on with a contact whose sends are held; what was verified is so no more.
    AcceptIdentity {
        /// Whose.
        contact: ContactId,
        /// The manifest in doubt, as [`crate::ContactView::offered`] told it to the person who now goes on.
        offered: Option<ManifestHash>,
    },
    /// Use a new link of a contact that cannot be reached.
    Reconnect {
        /// Whom it should lead to.
        contact: ContactId,
        /// The link.
        link: Link,
    },
    /// Send a text.
    Send {
        /// To whom.
        contact: ContactId,
        /// The text.
        text: String,
        /// A second intent with the same key answers with the first one's message.
        idempotency_key: Option<String>,
    },
    /// Tell that typing began or stopped; lost if the other is away.
    Typing {
        /// To whom.
        contact: ContactId,
        /// Whether it began.
        active: bool,
    },
    /// Keep what is written to a contact and not sent.
    SetDraft {
        /// To whom.
        contact: ContactId,
        /// The text; empty for none.
        text: String,
    },
    /// All messages of a contact up to now were seen.
    MarkRead {
        /// Whose.
        contact: ContactId,
    },
    /// A consumer of the event stream has what came up to here; the stream may forget it.
    AckJournal {
        /// Last sequence consumed.
        sequence: u64,
    },
}

/// Tells the kind, never for whom or what was said.
impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CreateProfile { name: _, relay: _ } => "CreateProfile(..)",
            Self::SetName { name: _ } => "SetName(..)",
            Self::SetProxy { proxy: _ } => "SetProxy(..)",
            Self::Admit { credential: _ } => "Admit(..)",
            Self::SetRelays { relays: _ } => "SetRelays(..)",
            Self::ResetAddress => "ResetAddress",
            Self::SwitchAddress { on: _ } => "SwitchAddress(..)",
            Self::AcceptIdentity { contact: _, offered: _ } => "AcceptIdentity(..)",
            Self::Reconnect { contact: _, link: _ } => "Reconnect(..)",
            Self::Invite { once: _ } => "Invite(..)",
            Self::Connect { link: _, text: _ } => "Connect(..)",
            Self::Accept { contact: _ } => "Accept(..)",
            Self::Decline { contact: _ } => "Decline(..)",
            Self::Block { contact: _ } => "Block(..)",
            Self::Verify { contact: _, number: _ } => "Verify(..)",
            Self::Send { contact: _, text: _, idempotency_key: _ } => "Send(..)",
            Self::Typing { contact: _, active: _ } => "Typing(..)",
            Self::SetDraft { contact: _, text: _ } => "SetDraft(..)",
            Self::MarkRead { contact: _ } => "MarkRead(..)",
            Self::AckJournal { sequence: _ } => "AckJournal(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_text() {
        let intent = Intent::Send { contact: [1; 32].into(), text: "secret".to_owned(), idempotency_key: None };
        assert_eq!(format!("{intent:?}"), "Send(..)");
    }
}
