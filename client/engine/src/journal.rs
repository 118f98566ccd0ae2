//! What happened, as the event stream tells it: durable, numbered, in order.

use minicbor::{Decode, Encode};
use sotto_inner::ContentId;
use sotto_outer::RelayIdentity;

use crate::{Admission, ContactId, ContactState, MessageStatus};

/// One entry of the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct JournalEntry {
    /// When, Unix milliseconds.
    #[n(0)]
    pub time: u64,
    /// What.
    #[n(1)]
    pub happening: Happening,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Happening {
    /// A message came in or was written here.
    #[n(0)]
    MessageNew {
        /// Its conversation.
        #[n(0)]
        chat: ContactId,
        /// Its id.
        #[n(1)]
        id: ContentId,
    },
    /// A message of ours moved on.
    #[n(1)]
    MessageStatus {
        /// Its conversation.
        #[n(0)]
        chat: ContactId,
        /// Its id.
        #[n(1)]
        id: ContentId,
        /// Where it is now.
        #[n(2)]
        status: MessageStatus,
    },
    /// A contact came to be, or is in another state.
    #[n(2)]
    Contact {
        /// Who.
        #[n(0)]
        contact: ContactId,
        /// The state.
        #[n(1)]
        state: ContactState,
    },
    /// A contact uses another set of devices, properly signed.
    #[n(3)]
    DevicesChanged {
        /// Whose.
        #[n(0)]
        contact: ContactId,
    },
    /// A contact's devices contradict what was known: the chain is broken or forked.
    #[n(4)]
    IdentityConflict {
        /// Whose.
        #[n(0)]
        contact: ContactId,
    },
    /// The session with a contact was repaired; nothing needs doing.
    #[n(5)]
    SessionRepaired {
        /// With whom.
        #[n(0)]
        contact: ContactId,
    },
    /// This profile was copied or restored: another state spoke for it. Sessions of the mailbox are made anew.
    #[n(6)]
    CopyNoticed {
        /// The contact of the mailbox; absent for a contact mailbox.
        #[n(0)]
        contact: Option<ContactId>,
    },
    /// The safety number of a contact was compared.
    #[n(7)]
    Verified {
        /// Whose.
        #[n(0)]
        contact: ContactId,
    },
    /// The person went on with a contact whose identity had changed; it is not verified any more.
    #[n(8)]
    IdentityAccepted {
        /// Whose.
        #[n(0)]
        contact: ContactId,
    },
    /// A relay admits us, or asks for what is not there.
    #[n(10)]
    Admission {
        /// Which.
        #[n(0)]
        relay: RelayIdentity,
        /// How one stands there.
        #[n(1)]
        state: Admission,
    },
    /// A link that should have led to a contact again led to someone else.
    #[n(9)]
    AnotherPerson {
        /// Whom it should have led to.
        #[n(0)]
        contact: ContactId,
    },
}
