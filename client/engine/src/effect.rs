//! What goes out, after the commit.

use sotto_inner::{ContentId, Link};
use sotto_outer::{ClientFrame, RelayAddress, RelayIdentity};

use crate::{ContactId, Happening, Line, MessageStatus, NotACredential, ProxyAddress, Role, Ticket, Timestamp};

/// One thing for the driver to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Dial through this proxy from now on, or through none. Comes before the first `Connect`; every connection that stands
    /// is closed, and each that is still wanted is asked for again.
    UseProxy(Option<ProxyAddress>),
    /// Keep a connection of this kind to this relay from now on, dialling again as often as needed. Repeats are harmless.
    Connect(Role, RelayAddress),
    /// The relay is said to be at this place no more. A connection there stays.
    Leave(Role, RelayAddress),
    /// Keep this connection no longer.
    Disconnect(Line),
    /// Send a frame on the standing connection; without one, drop it: the engine asks anew after the next `Connected`.
    Transmit(Line, ClientFrame),
    /// This connection is of no use now: close it and dial again after a back-off.
    Close(Line),
    /// On this connection the relay proved its identity, or did not.
    Judged(Line, Result<(), RelayProblem>),
    /// Send `Event::Woken` at this time. Replaces the time asked for before.
    WakeAt(Timestamp),
    /// Tell whoever watches.
    Show(Change),
    /// Tell a person who looks elsewhere.
    Notify(Notice),
}

/// Something a view may want to draw.
#[derive(Clone, Debug)]
pub enum Change {
    /// An intent's answer.
    Answered {
        /// Whose.
        ticket: Ticket,
        /// How it went.
        result: Result<Outcome, IntentError>,
    },
    /// Something happened, and stands in the journal under this sequence.
    Happened {
        /// Where it stands.
        sequence: u64,
        /// What.
        happening: Happening,
    },
    /// A contact types, or stopped. Not in the journal.
    Typing {
        /// Who.
        contact: ContactId,
        /// Whether they type.
        active: bool,
    },
    /// A relay proved its identity; mailboxes are being subscribed. Told of the line for our own things where there is one,
    /// like the two below.
    Online {
        /// Which.
        relay: RelayIdentity,
    },
    /// The connection to a relay is gone.
    Offline {
        /// Which.
        relay: RelayIdentity,
    },
    /// What waited at a relay has arrived, been stored and acknowledged.
    CaughtUp {
        /// Which.
        relay: RelayIdentity,
    },
    /// A relay is not who its address says, or speaks another version.
    RelayRefused {
        /// Which.
        relay: RelayIdentity,
        /// Why.
        problem: RelayProblem,
    },
}

/// Why nothing is said to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayProblem {
    /// Its proof does not fit the pinned identity.
    #[error("the server at this address is not the relay it should be: nothing was sent to it")]
    WrongIdentity,
    /// Another version of the protocol.
    #[error("this relay speaks another version of the protocol: update Sotto, or ask the relay's host to")]
    WrongVersion,
    /// It asks for more work than is computed.
    #[error("this relay asks for more work than is reasonable; it is asked again later")]
    AsksTooMuch,
}

/// How an intent went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// A link to give away.
    Link(Link),
    /// The contact this is about.
    Contact(ContactId),
    /// A message, stored and on its way.
    Message {
        /// Its conversation.
        chat: ContactId,
        /// Its id.
        id: ContentId,
        /// Where it is.
        status: MessageStatus,
    },
}

/// Why an intent was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// There is an account already.
    #[error("this profile has an account already")]
    ProfileExists,
    /// There is no account yet.
    #[error("this profile has no account yet: run `sotto-cli init` first")]
    NoProfile,
    /// A name that is empty or too long.
    #[error("a name has 1 to 64 bytes")]
    Name,
    /// A text that is empty or too long.
    #[error("a message has 1 to 60,000 bytes; the text with a request at most 256")]
    Text,
    /// No such contact.
    #[error("no such contact")]
    NoContact,
    /// The contact is not in a state for this: a request not accepted, a contact blocked.
    #[error("this contact is not connected: {0}")]
    NotConnected(&'static str),
    /// A link to oneself.
    #[error("this is your own link: give it to the person you want to talk to")]
    OwnLink,
    /// Already a contact.
    #[error("you are connected with this person already")]
    AlreadyConnected,
    /// The numbers differ.
    #[error(
        "the safety numbers differ: either one was mistyped, or someone stands between you. Do not send secrets; compare again"
    )]
    SafetyNumberDiffers,
    /// Not a safety number.
    #[error("a safety number has 60 digits")]
    SafetyNumberFormat,
    /// The contact address is switched off.
    #[error("your contact address is switched off: switch it on, or make a one-time invitation")]
    AddressOff,
    /// Not one or two different relays.
    #[error("an account has one relay or two different ones")]
    Relays,
    /// Not a credential.
    #[error("{NotACredential}")]
    Credential,
    /// A credential for another relay.
    #[error(
        "this credential is for another relay than yours: nothing was changed. Ask the host of your relay, or move to that one \
         first"
    )]
    CredentialElsewhere,
    /// A credential whose time is over.
    #[error("the time of this credential is over: nothing was changed; ask the relay's host for another one")]
    CredentialEnded,
    /// A link for someone else.
    #[error(
        "this link leads to someone else: nothing was sent, and what you write to this contact waits until you choose"
    )]
    AnotherPerson,
    /// What the person saw is no longer what is in doubt.
    #[error("what is in doubt about this contact has changed: nothing was sent; look at it again, then choose")]
    IdentityChanged,
}

/// A desktop notification's cause. What it may tell of the content is the viewer's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A message came.
    Message {
        /// Whose.
        chat: ContactId,
    },
    /// Someone asks to connect.
    Request {
        /// Who.
        contact: ContactId,
    },
}
