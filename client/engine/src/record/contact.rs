//! A contact: who, how far, where to write, and how repair stands.

use minicbor::{Decode, Encode};
use sotto_inner::{DeviceId, Link, Manifest};

use super::{OurMailboxes, Record, TheirMailboxes};
use crate::{ContactId, ContactState, Table};

/// One contact. Its key is the root.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct Contact {
    /// Who.
    #[n(0)]
    pub root: ContactId,
    /// Their name, as they tell it.
    #[n(1)]
    pub name: String,
    /// How far.
    #[n(2)]
    pub state: ContactState,
    /// Whether the safety number was compared.
    #[n(3)]
    pub verified: bool,
    /// The newest manifest known.
    #[n(4)]
    pub manifest: Option<Manifest>,
    /// Their device.
    #[n(5)]
    pub device: Option<DeviceId>,
    /// The link we use, until a session stands.
    #[n(6)]
    pub link: Option<Link>,
    /// The text that came or goes with the request.
    #[n(7)]
    pub request_text: Option<String>,
    /// Our mailboxes for them.
    #[n(8)]
    pub ours: OurMailboxes,
    /// Their mailboxes for us, once they told them.
    #[n(9)]
    pub theirs: TheirMailboxes,
    /// The session that seals.
    #[n(10)]
    #[cbor(with = "minicbor::bytes")]
    pub active: Option<[u8; 32]>,
    /// Whether this state was found to be a copy, and the repair after that has not come yet.
    #[n(11)]
    pub copied: bool,
    /// Distinct envelopes that did not open since the last that did.
    #[n(12)]
    pub unopenable: u32,
    /// When the last repair was started here, Unix seconds; 0 for never.
    #[n(13)]
    pub repaired_at: u64,
    /// Days to wait after it; doubles with each.
    #[n(14)]
    pub repair_wait_days: u32,
    /// Messages not seen yet.
    #[n(15)]
    pub unread: u64,
    /// When the receipts owed leave, Unix milliseconds; none is owed where absent.
    #[n(16)]
    pub receipts_due: Option<u64>,
    /// Requests made so far with this link.
    #[n(17)]
    pub attempts: u32,
    /// Messages that came before we accepted.
    #[n(18)]
    pub unaccepted: u32,
    /// The outbox is to be sealed anew: another session took over.
    #[n(19)]
    pub reseal: bool,
    /// The day of the last keys for repair that we handed out, and how many that day.
    #[n(20)]
    pub bundles_day: u64,
    /// See above.
    #[n(21)]
    pub bundles: u32,
    /// When the last request was made, Unix seconds.
    #[n(22)]
    pub requested_at: u64,
    /// Why nothing leaves for them until the person chooses.
    #[n(23)]
    pub held: Option<HoldReason>,
    /// The manifest that contradicts the known one, where that is why.
    #[n(24)]
    pub offered: Option<Manifest>,
    /// The day of the last envelope that opened nowhere, and how many that day.
    #[n(25)]
    pub unopenable_day: u64,
    /// See above.
    #[n(26)]
    pub unopenable_today: u32,
    /// Whether a repair is wanted, whatever the count says: this state was found to be a copy, the session that seals is broken,
    /// or its window is full of what expired.
    #[n(27)]
    pub repair_wanted: bool,
    /// When it was last told that this state is a copy, Unix seconds; 0 for never.
    #[n(28)]
    pub copied_at: u64,
}

/// Why nothing leaves for a contact until the person chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum HoldReason {
    /// Their devices contradict what was known: someone else may have their account.
    #[n(0)]
    IdentityConflict,
    /// A link that should have led to them again led to someone else.
    #[n(1)]
    AnotherPerson,
}

/// Tells nothing of what it holds.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(..)")
    }
}

impl Contact {
    /// A contact of whom nothing is known but the root.
    pub fn new(root: ContactId, state: ContactState) -> Self {
        Self {
            root,
            name: String::new(),
            state,
            verified: false,
            manifest: None,
            device: None,
            link: None,
            request_text: None,
            ours: OurMailboxes::default(),
            theirs: TheirMailboxes::default(),
            active: None,
            copied: false,
            unopenable: 0,
            repaired_at: 0,
            repair_wait_days: 1,
            unread: 0,
            receipts_due: None,
            attempts: 0,
            unaccepted: 0,
            reseal: false,
            bundles_day: 0,
            bundles: 0,
            requested_at: 0,
            held: None,
            offered: None,
            unopenable_day: 0,
            unopenable_today: 0,
            repair_wanted: false,
            copied_at: 0,
        }
    }

    /// Whether both agreed to talk.
    pub fn connected(&self) -> bool {
        matches!(self.state, ContactState::Connected | ContactState::Unreachable)
    }
}

impl Record for Contact {
    const TABLE: Table = Table::Contact;
}
