//! A session: all that one device knows of its conversation with another device.
//!
//! A pure value. [`Session::seal`] and [`Session::open`] leave it as it is and return the next one inside a
//! [`super::Staged`]; on an error there is no next one, so nothing can have changed.
//!
//! Public Double Ratchet specification, header encryption variant: `DHs`, `DHr`, `RK`, `HKs`, `NHKs`, `HKr`, `NHKr`, `CKs`,
//! `CKr`, `Ns`, `Nr`, `PN` and `MKSKIPPED` are the fields below; beside them the Braid and its chains.

use rand_core::CryptoRng;
use sotto_inner::{AgreementKey, limits::SKIPPED_CHAINS_MAX};

use super::{
    associated_data::AssociatedData,
    braid::Braid,
    chain::{Chain, OldChain, ReceivingChain},
    epochs::Epochs,
    header_key::HeaderKey,
    root_key::{RootKey, SessionSecret},
    skipped::{Runs, SkippedChanges},
    staged::Staged,
};
use crate::{error::PeerMisbehaved, session_id::SessionId, x25519::PrivateKey};

/// One device's state of a conversation with one other device.
pub struct Session {
    pub(super) id: SessionId,
    pub(super) associated: AssociatedData,
    pub(super) root_key: RootKey,
    /// Our ratchet key: `DHs`.
    pub(super) private: PrivateKey,
    /// The peer's ratchet key: `DHr`. None before the responder has opened its first packet.
    pub(super) peer: Option<AgreementKey>,
    /// None before the responder has sealed its first packet.
    pub(super) sending: Option<Chain>,
    pub(super) next_sending_header_key: HeaderKey,
    /// None before the first packet that was opened.
    pub(super) receiving: Option<ReceivingChain>,
    pub(super) next_receiving_header_key: HeaderKey,
    /// The peer has begun a chain since our sending chain began: the next seal draws a ratchet key first. Public Double Ratchet
    /// specification, "Deferring new ratchet key generation".
    pub(super) step_due: bool,
    /// Packets sealed on the sending chain before this one: `PN`.
    pub(super) previous: u32,
    /// The oldest first.
    pub(super) old: Vec<OldChain>,
    /// The next [`super::ChainId`].
    pub(super) next_run: u64,
    /// Packets sealed over the session's life.
    pub(super) sealed: u64,
    /// The last of them that the peer is known to have.
    pub(super) receipted: u64,
    /// How many of them came before the sending chain.
    pub(super) sealed_before_chain: u64,
    /// None once the other side has broken it in an authentic packet: nothing is sealed any more.
    pub(super) braid: Option<Braid>,
    pub(super) epochs: Epochs,
}

impl Session {
    /// The initiator's first state: it can seal at once.
    pub(crate) fn initiator(
        id: SessionId,
        secret: SessionSecret,
        responder_signed_prekey: AgreementKey,
        associated: AssociatedData,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, PeerMisbehaved> {
        let start = secret.split();
        let private = PrivateKey::generate(rng);
        let step = start.root_key.advance(&private.agree(&responder_signed_prekey)?);
        let sending = Chain {
            header_key: start.initiator_header_key,
            chain_key: step.chain_key,
            number: 0,
            ephemeral_key: step.ephemeral_key,
        };
        Ok(Self {
            id,
            associated,
            root_key: step.root_key,
            private,
            peer: Some(responder_signed_prekey),
            sending: Some(sending),
            next_sending_header_key: step.next_header_key,
            receiving: None,
            next_receiving_header_key: start.responder_header_key,
            step_due: false,
            previous: 0,
            old: Vec::new(),
            next_run: 0,
            sealed: 0,
            receipted: 0,
            sealed_before_chain: 0,
            braid: Some(Braid::initiator(&start.braid)),
            epochs: Epochs::start(&start.braid, true),
        })
    }

    /// The responder's first state: it can seal once it has opened a packet.
    pub(crate) fn responder(
        id: SessionId,
        secret: SessionSecret,
        signed_prekey: &PrivateKey,
        associated: AssociatedData,
    ) -> Self {
        let start = secret.split();
        Self {
            id,
            associated,
            root_key: start.root_key,
            private: signed_prekey.duplicate(),
            peer: None,
            sending: None,
            next_sending_header_key: start.responder_header_key,
            receiving: None,
            next_receiving_header_key: start.initiator_header_key,
            step_due: false,
            previous: 0,
            old: Vec::new(),
            next_run: 0,
            sealed: 0,
            receipted: 0,
            sealed_before_chain: 0,
            braid: Some(Braid::responder(&start.braid)),
            epochs: Epochs::start(&start.braid, false),
        }
    }

    /// Its name: the hash of the handshake that began it.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Index of the last packet sealed, from 1, over the session's life. Ephemeral packets do not count.
    pub fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Packets sealed since the last one that the peer is known to have.
    pub fn unreceipted(&self) -> u64 {
        self.sealed - self.receipted
    }

    /// Whether the other side broke the Braid in an authentic packet. Such a session opens what still comes and seals nothing:
    /// it must be replaced.
    pub fn is_broken(&self) -> bool {
        self.braid.is_none()
    }

    /// The session once the peer has told that it has packet `index`. Never lowers what is known, never passes what was
    /// sealed.
    #[must_use]
    pub fn receipted(&self, index: u64) -> Self {
        let receipted = self.receipted.max(index.min(self.sealed));
        Self { receipted, ..self.duplicate() }
    }

    /// Drops skipped keys that are older than 28 days; `None` if there are none.
    pub fn expire(&self, now: u64) -> Option<Staged<()>> {
        let (mut next, mut changes) = (self.duplicate(), SkippedChanges::default());
        next.drop_expired(now, &mut changes);
        (!changes.is_empty()).then(|| Staged::new(next, changes, ()))
    }

    /// A second copy, for work that replaces the first only once it has succeeded.
    pub(super) fn duplicate(&self) -> Self {
        let Self {
            id,
            associated,
            root_key,
            private,
            peer,
            sending,
            next_sending_header_key,
            receiving,
            next_receiving_header_key,
            step_due,
            previous,
            old,
            next_run,
            sealed,
            receipted,
            sealed_before_chain,
            braid,
            epochs,
        } = self;
        Self {
            id: *id,
            associated: associated.clone(),
            root_key: root_key.duplicate(),
            private: private.duplicate(),
            peer: *peer,
            sending: sending.as_ref().map(Chain::duplicate),
            next_sending_header_key: next_sending_header_key.duplicate(),
            receiving: receiving.as_ref().map(ReceivingChain::duplicate),
            next_receiving_header_key: next_receiving_header_key.duplicate(),
            step_due: *step_due,
            previous: *previous,
            old: old.iter().map(OldChain::duplicate).collect(),
            next_run: *next_run,
            sealed: *sealed,
            receipted: *receipted,
            sealed_before_chain: *sealed_before_chain,
            braid: braid.as_ref().map(Braid::duplicate),
            epochs: epochs.duplicate(),
        }
    }

    /// Forgets runs that are too old, and chains without runs.
    pub(super) fn drop_expired(&mut self, now: u64, changes: &mut SkippedChanges) {
        for runs in self.all_runs() {
            runs.drop_expired(now, changes);
        }
        self.old.retain(|chain| !chain.runs.is_empty());
        self.epochs.drop_expired(now, changes);
    }

    /// Brings old chains and skipped keys under their bounds: the oldest go.
    pub(super) fn drop_excess(&mut self, changes: &mut SkippedChanges) {
        while self.old.len() > SKIPPED_CHAINS_MAX {
            for run in self.old.remove(0).runs.0 {
                changes.delete_chain(run.id);
            }
        }
        Runs::drop_excess(self.all_runs().collect(), changes);
        self.old.retain(|chain| !chain.runs.is_empty());
        self.epochs.drop_excess(changes);
    }

    /// The runs of the Double Ratchet's chains, the oldest chain first.
    pub(super) fn all_runs(&mut self) -> impl Iterator<Item = &mut Runs> {
        let receiving = self.receiving.as_mut().map(|receiving| &mut receiving.runs);
        self.old.iter_mut().map(|chain| &mut chain.runs).chain(receiving)
    }
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            id: _,
            associated: _,
            root_key: _,
            private: _,
            peer: _,
            sending: _,
            next_sending_header_key: _,
            receiving: _,
            next_receiving_header_key: _,
            step_due: _,
            previous: _,
            old,
            next_run: _,
            sealed,
            receipted,
            sealed_before_chain: _,
            braid,
            epochs: _,
        } = self;
        f.debug_struct("Session")
            .field("old_chains", &old.len())
            .field("sealed", sealed)
            .field("receipted", receipted)
            .field("braid", braid)
            .finish_non_exhaustive()
    }
}
