//! How the client stands: its relays and its disk, for a status line and for whoever waits.

use std::collections::BTreeMap;

use sotto_engine::RelayProblem;
use sotto_net::NetError;
use sotto_outer::RelayIdentity;

use crate::ClientError;

/// How a relay's connections stand, the one we read on and the one we send on, taken together.
///
/// ```text
/// Dialling ──► Proving ──► Online { caught_up: false } ──► Online { caught_up: true }
///     │           │ └────► Refused                                 │
///     └───────────┴──────► Offline ◄───────────────────────────────┘ and dialled again
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayState {
    /// No connection yet.
    Dialling,
    /// It stands, and the relay is asked who it is.
    Proving,
    /// The relay proved its identity.
    Online {
        /// Whether everything that waited there has come.
        caught_up: bool,
        /// Commands sent and not answered.
        unanswered: usize,
    },
    /// No connection, and why; another one is dialled after a while.
    Offline(NetError),
    /// Not who it should be, or of another version.
    Refused(RelayProblem),
}

impl RelayState {
    /// How a relay stands whose two lines stand like this: what keeps one of them from its work is told first.
    #[must_use]
    pub(crate) fn of_both(a: Self, b: Self) -> Self {
        match (a, b) {
            (Self::Online { caught_up: a, unanswered: of_a }, Self::Online { caught_up: b, unanswered: of_b }) => {
                Self::Online { caught_up: a && b, unanswered: of_a + of_b }
            }
            (a, b) => {
                if a.weight() >= b.weight() {
                    a
                } else {
                    b
                }
            }
        }
    }

    const fn weight(&self) -> u8 {
        match self {
            Self::Online { .. } => 0,
            Self::Proving => 1,
            Self::Dialling => 2,
            Self::Offline(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

/// How the client stands.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Whether the engine has read the profile: from then on `relays` is complete.
    pub started: bool,
    /// The relays it speaks to.
    pub relays: BTreeMap<RelayIdentity, RelayState>,
    /// Why the disk does not take what is to be written, if so.
    pub storage: Option<ClientError>,
}

impl Health {
    /// Whether any relay proved its identity and is connected.
    #[must_use]
    pub fn online(&self) -> bool {
        self.relays.values().any(|state| matches!(state, RelayState::Online { .. }))
    }

    /// Whether nothing is on its way that could arrive soon: each relay has given and answered everything, or is out of
    /// reach.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.started
            && self.relays.values().all(|state| match state {
                RelayState::Dialling | RelayState::Proving => false,
                RelayState::Online { caught_up, unanswered } => *caught_up && *unanswered == 0,
                RelayState::Offline(_) | RelayState::Refused(_) => true,
            })
    }

    /// Why no relay is online: the first reason there is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.relays.values().find_map(|state| match state {
            RelayState::Dialling | RelayState::Proving | RelayState::Online { .. } => None,
            RelayState::Offline(error) => Some(error.to_string()),
            RelayState::Refused(problem) => Some(problem.to_string()),
        })
    }
}
