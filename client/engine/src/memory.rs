//! What the engine remembers between calls: caches of what is on its way. All of it can be lost at any moment; the rows say
//! what is still to do.

use std::collections::{BTreeMap, BTreeSet};

use sotto_outer::{
    BundleId, ConnectionNonce, EnvelopeId, Lease, ReceiveId, RelayAddress, RelayIdentity, SendId, Target, Terms,
    TokenKeyId,
};

use crate::{ContactId, Line, Ticket, Timestamp, proof::Question};

#[derive(Default)]
pub(crate) struct Memory {
    /// Lines that the driver was asked to keep connected.
    pub(crate) lines: BTreeMap<Line, LineMemory>,
    /// Something ended that a line may have been kept for.
    pub(crate) lines_may_idle: bool,
    /// How each contact's outbox is being worked off.
    pub(crate) pumps: BTreeMap<ContactId, Pump>,
    /// Relays to send to that are out of reach.
    pub(crate) outages: BTreeMap<RelayIdentity, Outage>,
    /// How often in a row a relay did not hand a contact's bundle out.
    pub(crate) unfetched: BTreeMap<ContactId, u32>,
    /// Relays that are being asked for tokens.
    pub(crate) asking: BTreeSet<RelayIdentity>,
    /// How often in a row a relay had no tokens.
    pub(crate) token_tries: BTreeMap<RelayIdentity, u32>,
    /// How often in a row a single token was denied.
    pub(crate) token_denials: BTreeMap<RelayIdentity, u32>,
    /// Who waits for a link to be usable.
    pub(crate) invites: BTreeMap<BundleId, Vec<Ticket>>,
    /// The wake-up that was last asked for.
    pub(crate) wake: Option<Timestamp>,
}

/// A line's connection.
#[derive(Default)]
pub(crate) struct LineMemory {
    /// Where its relay is said to be. People may say different things; each place is tried, and only the relay itself has its
    /// key.
    pub(crate) addresses: BTreeSet<RelayAddress>,
    pub(crate) stage: Stage,
    /// What the relay asks, as it said when it proved itself.
    pub(crate) terms: Terms,
    /// How it was asked when it told them.
    pub(crate) question: Option<Question>,
    /// Tokens came after it told them: their key may be newer.
    pub(crate) terms_outdated: bool,
    /// Tokens that it turned away in a row.
    pub(crate) refusals: u8,
    /// Work it asks for tokens: told by the answer alone.
    pub(crate) token_bits: u8,
    /// Proofs of work for this connection have counters from here on.
    pub(crate) proof_counter: u64,
    /// How often in a row it asked for work, or for more.
    pub(crate) tolls: u8,
    /// Number of the last request on this connection.
    pub(crate) requests: u32,
    pub(crate) pending: BTreeMap<u32, Pending>,
    /// How many of them a person who just started waits for.
    pub(crate) unsettled: usize,
    /// Mailboxes made anew on this connection: once each, whatever the relay says.
    pub(crate) recreated: BTreeSet<ReceiveId>,
    /// Subscribed mailboxes whose backlog has not all come.
    pub(crate) backlog: BTreeSet<ReceiveId>,
    /// Whether it was told that everything which waited has come.
    pub(crate) settled: bool,
}

/// How far a connection is.
#[derive(Default)]
pub(crate) enum Stage {
    /// None stands.
    #[default]
    Down,
    /// It was asked to prove who it is.
    Asked(Question),
    /// It proved it; signatures cover its nonce.
    Online(ConnectionNonce),
    /// It is someone else, or of another version.
    Refused,
}

/// What an answer will be about.
pub(crate) enum Pending {
    Info,
    Terms(Question),
    TokenKeys,
    Tokens(TokenKeyId),
    Create(ReceiveId),
    Subscribe(Vec<(ReceiveId, Lease)>),
    Delete(Target),
    Publish { bundle: BundleId, pairs: u32 },
    Fetch { contact: ContactId, bundle: BundleId },
    Send { contact: ContactId, sequence: u64, envelope: EnvelopeId },
}

impl Pending {
    /// Whether a person who just started waits for this.
    pub(crate) fn settles(&self) -> bool {
        match self {
            Self::Info
            | Self::Terms(_)
            | Self::TokenKeys
            | Self::Tokens(_)
            | Self::Create(_)
            | Self::Subscribe(_)
            | Self::Delete(_)
            | Self::Publish { bundle: _, pairs: _ }
            | Self::Fetch { contact: _, bundle: _ } => true,
            Self::Send { contact: _, sequence: _, envelope: _ } => false,
        }
    }
}

/// How an outbox is being worked off.
#[derive(Default)]
pub(crate) struct Pump {
    /// Every row before this one is at the relay or on its way there.
    pub(crate) cursor: u64,
    /// Rows sent and not answered.
    pub(crate) in_flight: BTreeSet<u64>,
    /// Every mailbox was denied: nothing is sent before this, or before a sign of life.
    pub(crate) hold: Option<Timestamp>,
    /// Relays that take nothing for now.
    pub(crate) held: BTreeMap<RelayIdentity, Hold>,
    /// Rows on their way at once, while answers were other than done: one, and twice as many with each that is taken. So what
    /// is sealed in vain is no more than what is taken.
    pub(crate) allowed: Option<usize>,
    /// Times in a row that every mailbox was denied.
    pub(crate) denials: u32,
    /// Mailboxes that were denied, and until when they are passed over.
    pub(crate) denied: BTreeMap<SendId, Timestamp>,
    /// The mailbox of before whose turn it is, when all the newest are denied.
    pub(crate) older: Option<SendId>,
    /// Those that had their turn.
    pub(crate) older_tried: BTreeSet<SendId>,
}

/// A relay cannot be sent to.
#[derive(Clone, Copy)]
pub(crate) struct Outage {
    /// Since when it is wanted and not there.
    pub(crate) since: Timestamp,
}

/// A pause that a relay asked for.
#[derive(Clone, Copy)]
pub(crate) struct Hold {
    pub(crate) until: Timestamp,
    /// The mailbox was full: a sign of life of its reader ends the pause.
    pub(crate) reader: bool,
    /// How often in a row; the pause doubles with each.
    pub(crate) times: u32,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}
