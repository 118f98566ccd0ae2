//! The Braid: a key agreement with ML-KEM-768 that travels in 96-byte chunks, one in each packet's header, and gives both
//! sides a fresh post-quantum secret every epoch. From the public specification *The ML-KEM Braid Protocol*; labels,
//! encodings and code are ours. Chapter 05, SES-34 to SES-42.
//!
//! ```text
//!  offers a key                                          answers it
//!  KeysUnsampled                                         NoHeaderReceived
//!    │ send: draw a key pair                               │
//!  KeysSampled            ── header ──────────────────►    │ its tag is right
//!    │                                                   HeaderReceived
//!    │                                                     │ send: encapsulate ─► SECRET
//!    │ first chunk of ct1   ◄───────────────── ct1 ──    Ct1Sampled ────────────┐
//!  HeaderSent             ── vector ──────────────────►    │ all of the vector  │ ct1 came
//!    │ all of ct1                                        EkReceivedCt1Sampled  Ct1Acknowledged
//!  Ct1Received            ── vector, ct1 came ────────►    │ ct1 came           │ all of the vector
//!    │ first chunk of ct2                                  ▼                    ▼
//!  EkSentCt1Received        ◄───────────────── ct2 ──    Ct2Sampled ◄───────────┘
//!    │ all of ct2, its tag is right ─► SECRET              │ anything of the next epoch
//!    ▼                                                     ▼
//!  NoHeaderReceived of the next epoch                    KeysUnsampled of the next epoch
//! ```
//!
//! Invariants:
//! - Each state is a type; a step spends one and makes the next. Work that a forged body could still undo is done on a copy.
//! - A private value is drawn by the very packet that first needs it.
//! - No state holds anything of the library's own layout: key pairs and encapsulations are seeds.

#![expect(clippy::result_large_err, reason = "a state that is not left is handed back, moved as it came")]

mod answering;
mod authenticator;
mod erasure;
mod field;
mod message;
mod offering;
mod state;

use rand_core::CryptoRng;
use sotto_inner::labels;
use zeroize::Zeroizing;

use crate::{kdf, secret::Secret32};
use answering::{Ct1Acknowledged, Ct1Sampled, Ct2Sampled, EkReceivedCt1Sampled, HeaderReceived, Led, NoHeaderReceived};
use authenticator::{Authenticator, NotAuthentic};
use erasure::chunk;
pub(super) use message::{Epoch, Message, Slot};
use message::{Indexed, Piece};
use offering::{Ct1Received, EkSentCt1Received, HeaderSent, KeysSampled, KeysUnsampled, Stay};
pub(super) use state::BRAID_BYTES_MAX;

/// The Braid of one session, on one side.
pub(super) enum Braid {
    KeysUnsampled(KeysUnsampled),
    KeysSampled(KeysSampled),
    HeaderSent(HeaderSent),
    Ct1Received(Ct1Received),
    EkSentCt1Received(EkSentCt1Received),
    NoHeaderReceived(NoHeaderReceived),
    HeaderReceived(HeaderReceived),
    Ct1Sampled(Ct1Sampled),
    EkReceivedCt1Sampled(EkReceivedCt1Sampled),
    Ct1Acknowledged(Ct1Acknowledged),
    Ct2Sampled(Ct2Sampled),
}

/// How far an epoch has come on one side.
pub(super) enum Stage {
    /// Offers; has sealed nothing in this epoch.
    KeysUnsampled,
    /// Offers, and has sealed in this epoch.
    Offering,
    /// Answers; knows nothing yet.
    NoHeaderReceived,
    /// Answers, and has opened a packet of this epoch.
    HeaderReceived,
    /// Answers, and knows the epoch's secret.
    SecretKnown,
}

/// What every state has: where it is, and what vouches for the other side there.
pub(super) struct Turn {
    epoch: Epoch,
    authenticator: Authenticator,
}

/// A secret of an epoch, known now on this side.
pub(super) struct EpochSecret {
    pub(super) epoch: Epoch,
    pub(super) secret: Secret32,
}

/// The other side broke the Braid inside a packet whose body verified: this session must be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BraidFailure {
    #[error("what vouches for the other side's key or ciphertext is wrong")]
    NotAuthentic,
    #[error("the other side's key is not the one it promised, or is not valid")]
    Key,
    #[error("a chunk's padding is not zero")]
    Padding,
    #[error("the other side speaks of an epoch that cannot have begun")]
    Epoch,
}

impl From<NotAuthentic> for BraidFailure {
    fn from(NotAuthentic: NotAuthentic) -> Self {
        Self::NotAuthentic
    }
}

impl Braid {
    /// The initiator's: it offers the first key.
    pub(super) fn initiator(secret: &Secret32) -> Self {
        Self::KeysUnsampled(KeysUnsampled { turn: Turn::first(secret) })
    }

    /// The responder's.
    pub(super) fn responder(secret: &Secret32) -> Self {
        Self::NoHeaderReceived(NoHeaderReceived { turn: Turn::first(secret) })
    }

    /// What the next packet carries.
    pub(super) fn send(self, rng: &mut dyn CryptoRng) -> (Self, Message, Option<EpochSecret>) {
        let epoch = self.turn().epoch;
        let mut known = None;
        let (next, piece) = match self {
            Self::KeysUnsampled(state) => {
                let (next, piece) = state.send(rng);
                (Self::KeysSampled(next), piece)
            }
            Self::HeaderReceived(state) => {
                let (next, piece, secret) = state.send(rng);
                known = Some(EpochSecret { epoch, secret });
                (Self::Ct1Sampled(next), piece)
            }
            Self::KeysSampled(state) => {
                let piece = state.send();
                (Self::KeysSampled(state), piece)
            }
            Self::HeaderSent(mut state) => {
                let piece = state.send();
                (Self::HeaderSent(state), piece)
            }
            Self::Ct1Received(mut state) => {
                let piece = state.send();
                (Self::Ct1Received(state), piece)
            }
            Self::Ct1Sampled(mut state) => {
                let piece = state.send();
                (Self::Ct1Sampled(state), piece)
            }
            Self::EkReceivedCt1Sampled(mut state) => {
                let piece = state.send();
                (Self::EkReceivedCt1Sampled(state), piece)
            }
            Self::Ct2Sampled(mut state) => {
                let piece = state.send();
                (Self::Ct2Sampled(state), piece)
            }
            quiet @ (Self::EkSentCt1Received(_) | Self::NoHeaderReceived(_) | Self::Ct1Acknowledged(_)) => {
                (quiet, Piece::Nothing)
            }
        };
        (next, Message { epoch, piece }, known)
    }

    /// Takes what an authentic packet carried. What is late, early or known changes nothing.
    pub(super) fn receive(self, message: &Message) -> Result<(Self, Option<EpochSecret>), BraidFailure> {
        let epoch = self.turn().epoch;
        if message.epoch < epoch {
            return Ok((self, None));
        }
        if message.epoch == epoch {
            return self.step(&message.piece);
        }
        match self {
            Self::Ct2Sampled(state) if Some(message.epoch) == epoch.next() => {
                let turn = Turn { epoch: message.epoch, authenticator: state.turn.authenticator };
                Ok((Self::KeysUnsampled(KeysUnsampled { turn }), None))
            }
            _ => Err(BraidFailure::Epoch),
        }
    }

    /// One step within the epoch.
    fn step(self, piece: &Piece) -> Result<(Self, Option<EpochSecret>), BraidFailure> {
        let epoch = self.turn().epoch;
        let next = match self {
            Self::KeysSampled(state) => state.receive(piece).map_or_else(Self::KeysSampled, Self::HeaderSent),
            Self::HeaderSent(state) => state.receive(piece).map_or_else(Self::HeaderSent, Self::Ct1Received),
            Self::Ct1Received(state) => state.receive(piece).map_or_else(Self::Ct1Received, Self::EkSentCt1Received),
            Self::EkSentCt1Received(state) => match state.receive(piece) {
                Ok((next, secret)) => {
                    return Ok((Self::NoHeaderReceived(next), Some(EpochSecret { epoch, secret })));
                }
                Err(stay) => stay.or_fail(Self::EkSentCt1Received)?,
            },
            Self::NoHeaderReceived(state) => match state.receive(piece) {
                Ok(next) => Self::HeaderReceived(next),
                Err(stay) => stay.or_fail(Self::NoHeaderReceived)?,
            },
            Self::Ct1Sampled(state) => match state.receive(piece) {
                Ok(Led::EkReceived(next)) => Self::EkReceivedCt1Sampled(next),
                Ok(Led::Acknowledged(next)) => Self::Ct1Acknowledged(next),
                Ok(Led::Both(next)) => Self::Ct2Sampled(next),
                Err(stay) => stay.or_fail(Self::Ct1Sampled)?,
            },
            Self::EkReceivedCt1Sampled(state) => match state.receive(piece) {
                Ok(next) => Self::Ct2Sampled(next),
                Err(stay) => stay.or_fail(Self::EkReceivedCt1Sampled)?,
            },
            Self::Ct1Acknowledged(state) => match state.receive(piece) {
                Ok(next) => Self::Ct2Sampled(next),
                Err(stay) => stay.or_fail(Self::Ct1Acknowledged)?,
            },
            waiting @ (Self::KeysUnsampled(_) | Self::HeaderReceived(_) | Self::Ct2Sampled(_)) => waiting,
        };
        Ok((next, None))
    }

    fn turn(&self) -> &Turn {
        match self {
            Self::KeysUnsampled(KeysUnsampled { turn })
            | Self::KeysSampled(KeysSampled { turn, .. })
            | Self::HeaderSent(HeaderSent { turn, .. })
            | Self::Ct1Received(Ct1Received { turn, .. })
            | Self::EkSentCt1Received(EkSentCt1Received { turn, .. })
            | Self::NoHeaderReceived(NoHeaderReceived { turn })
            | Self::HeaderReceived(HeaderReceived { turn, .. })
            | Self::Ct1Sampled(Ct1Sampled { turn, .. })
            | Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled { turn, .. })
            | Self::Ct1Acknowledged(Ct1Acknowledged { turn, .. })
            | Self::Ct2Sampled(Ct2Sampled { turn, .. }) => turn,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.turn().epoch
    }

    /// How far the epoch has come, as far as the epoch chains depend on it.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::KeysUnsampled(_) => Stage::KeysUnsampled,
            Self::KeysSampled(_) | Self::HeaderSent(_) | Self::Ct1Received(_) | Self::EkSentCt1Received(_) => {
                Stage::Offering
            }
            Self::NoHeaderReceived(_) => Stage::NoHeaderReceived,
            Self::HeaderReceived(_) => Stage::HeaderReceived,
            Self::Ct1Sampled(_) | Self::EkReceivedCt1Sampled(_) | Self::Ct1Acknowledged(_) | Self::Ct2Sampled(_) => {
                Stage::SecretKnown
            }
        }
    }

    pub(super) fn duplicate(&self) -> Self {
        match self {
            Self::KeysUnsampled(KeysUnsampled { turn }) => {
                Self::KeysUnsampled(KeysUnsampled { turn: turn.duplicate() })
            }
            Self::KeysSampled(KeysSampled { turn, key, header }) => {
                Self::KeysSampled(KeysSampled { turn: turn.duplicate(), key: key.duplicate(), header: *header })
            }
            Self::HeaderSent(HeaderSent { turn, key, next, first_half }) => Self::HeaderSent(HeaderSent {
                turn: turn.duplicate(),
                key: key.duplicate(),
                next: *next,
                first_half: first_half.clone(),
            }),
            Self::Ct1Received(Ct1Received { turn, key, next, first_half }) => Self::Ct1Received(Ct1Received {
                turn: turn.duplicate(),
                key: key.duplicate(),
                next: *next,
                first_half: first_half.clone(),
            }),
            Self::EkSentCt1Received(EkSentCt1Received { turn, seed, first_half, second_half }) => {
                Self::EkSentCt1Received(EkSentCt1Received {
                    turn: turn.duplicate(),
                    seed: seed.duplicate(),
                    first_half: first_half.clone(),
                    second_half: second_half.clone(),
                })
            }
            Self::NoHeaderReceived(NoHeaderReceived { turn }) => {
                Self::NoHeaderReceived(NoHeaderReceived { turn: turn.duplicate() })
            }
            Self::HeaderReceived(HeaderReceived { turn, header }) => {
                Self::HeaderReceived(HeaderReceived { turn: turn.duplicate(), header: *header })
            }
            Self::Ct1Sampled(Ct1Sampled { turn, answer, next, vector }) => Self::Ct1Sampled(Ct1Sampled {
                turn: turn.duplicate(),
                answer: answer.duplicate(),
                next: *next,
                vector: vector.clone(),
            }),
            Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled { turn, answer, next, vector }) => {
                Self::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
                    turn: turn.duplicate(),
                    answer: answer.duplicate(),
                    next: *next,
                    vector: vector.clone(),
                })
            }
            Self::Ct1Acknowledged(Ct1Acknowledged { turn, answer, vector }) => Self::Ct1Acknowledged(Ct1Acknowledged {
                turn: turn.duplicate(),
                answer: answer.duplicate(),
                vector: vector.clone(),
            }),
            Self::Ct2Sampled(Ct2Sampled { turn, tagged, next }) => {
                Self::Ct2Sampled(Ct2Sampled { turn: turn.duplicate(), tagged: *tagged, next: *next })
            }
        }
    }
}

impl Turn {
    fn first(secret: &Secret32) -> Self {
        Self { epoch: Epoch::FIRST, authenticator: Authenticator::start(secret) }
    }

    fn duplicate(&self) -> Self {
        let Self { epoch, authenticator } = self;
        Self { epoch: *epoch, authenticator: authenticator.duplicate() }
    }
}

impl<S> Stay<S> {
    /// The state that was not left, or what was wrong.
    fn or_fail(self, wrap: impl FnOnce(S) -> Braid) -> Result<Braid, BraidFailure> {
        match self {
            Self::As(state) => Ok(wrap(state)),
            Self::Failed(failure) => Err(failure),
        }
    }
}

/// HKDF (RFC 5869), salt of 32 zero bytes, input the secret of the encapsulation, info label ‖ epoch, 32 bytes.
fn epoch_secret(epoch: Epoch, shared: &Secret32) -> Secret32 {
    let mut out = Zeroizing::new([0; 32]);
    kdf::hkdf(&[0; 32], &[shared.as_bytes()], &[labels::BRAID_EPOCH, &epoch.to_be_bytes()], &mut *out);
    Secret32::copied(&out)
}

/// The next chunk of an object. After the last index they begin anew: a chunk says the same whenever it is sent, and
/// whoever waits for one is never left without.
fn indexed<const N: usize>(object: &[u8], next: &mut u16) -> Indexed {
    let index = *next;
    *next = index.wrapping_add(1);
    Indexed { index, chunk: chunk::<N>(object, index) }
}

impl core::fmt::Debug for Braid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = match self {
            Self::KeysUnsampled(_) => "KeysUnsampled",
            Self::KeysSampled(_) => "KeysSampled",
            Self::HeaderSent(_) => "HeaderSent",
            Self::Ct1Received(_) => "Ct1Received",
            Self::EkSentCt1Received(_) => "EkSentCt1Received",
            Self::NoHeaderReceived(_) => "NoHeaderReceived",
            Self::HeaderReceived(_) => "HeaderReceived",
            Self::Ct1Sampled(_) => "Ct1Sampled",
            Self::EkReceivedCt1Sampled(_) => "EkReceivedCt1Sampled",
            Self::Ct1Acknowledged(_) => "Ct1Acknowledged",
            Self::Ct2Sampled(_) => "Ct2Sampled",
        };
        f.debug_tuple(name).field(&self.epoch().0).finish()
    }
}

#[cfg(test)]
mod tests;
