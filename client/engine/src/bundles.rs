//! Own bundles at the relay: the contact address and one-time invitations, sealed part by part under their link's secret.

use minicbor::bytes::ByteVec;
use sotto_crypto::{OwnerKeys, PrekeySecret};
use sotto_inner::{BundleMain, LinkKind, LinkSecret, PrekeyKind, limits::ONE_TIME_PREKEY_SECS};
use sotto_outer::{Answer, BundleId, Command, OwnerSignature, Publish, RelayIdentity, Target, signed};

use crate::{
    IntentError, Outcome, RowsError, Ticket,
    memory::Pending,
    record::{Account, Known, OwnBundle, PrekeyRow, SecretBytes},
    work::Work,
};

/// One-time pairs of a contact address that are published at once.
const ADDRESS_PAIRS: u32 = 25;
/// Below this, new pairs are published.
const ADDRESS_PAIRS_LOW: u32 = 10;

/// Private halves of one-time pairs that a bundle has here at most: of answers that were lost, the oldest go.
const PAIRS_KEPT_MAX: usize = 100;
/// How long a bundle waits at least until it is published again.
const PUBLISH_RETRY_SECS: u32 = 60;

/// What becomes of the one-time pairs when a bundle is published anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// The relay has them.
    Kept,
    /// The relay lost them.
    Anew,
}

impl Work<'_> {
    /// Draws a bundle and publishes it as soon as its relay is online.
    pub(crate) fn new_bundle(&mut self, account: &Account, kind: LinkKind) -> Result<BundleId, RowsError> {
        let id = BundleId::from(self.random());
        let bundle = OwnBundle {
            kind,
            relay: account.relay.clone(),
            secret: LinkSecret::from(self.random()),
            owner: SecretBytes::from(OwnerKeys::generate(self.rng).to_bytes()),
            known: Known::Wanted,
            pairs: 0,
            retired: None,
            drawn: Vec::new(),
            refused: false,
        };
        self.save(id.as_bytes(), &bundle);
        self.want_relay(&account.relay);
        Ok(id)
    }

    /// Answers with a link: at once if its bundle is at the relay or the relay cannot be reached now, else when it is there.
    pub(crate) fn invite(
        &mut self,
        ticket: Ticket,
        mut account: Account,
        once: bool,
    ) -> Result<Result<(), IntentError>, RowsError> {
        let id = if once {
            self.want_invitations(&mut account)?;
            self.new_bundle(&account, LinkKind::Invitation)?
        } else {
            let Some(address) = account.address else { return Ok(Err(IntentError::AddressOff)) };
            address.bundle
        };
        let Some(bundle) = self.load::<OwnBundle>(id.as_bytes())? else {
            return Err(RowsError("the contact address is missing".to_owned()));
        };
        let online = self.online(account.relay.identity()).is_some();
        if bundle.known == Known::There || !online {
            let link = bundle.link(account.manifest.body.root, &id);
            self.answer(ticket, Outcome::Link(link));
            return Ok(Ok(()));
        }
        self.memory.invites.entry(id).or_default().push(ticket);
        if once {
            self.publish(&id, bundle)?;
        }
        Ok(Ok(()))
    }

    /// The relay went away before a bundle was there: the links are given all the same and work once it is back.
    pub(crate) fn answer_invites_unpublished(&mut self, relay: &RelayIdentity) -> Result<(), RowsError> {
        let Some(account) = self.account()? else { return Ok(()) };
        for id in self.memory.invites.keys().copied().collect::<Vec<_>>() {
            let Some(bundle) = self.load::<OwnBundle>(id.as_bytes())? else { continue };
            if bundle.relay.identity() == relay {
                self.answer_invites(&account, &id, &bundle);
            }
        }
        Ok(())
    }

    fn answer_invites(&mut self, account: &Account, id: &BundleId, bundle: &OwnBundle) {
        for ticket in self.memory.invites.remove(id).unwrap_or_default() {
            self.answer(ticket, Outcome::Link(bundle.link(account.manifest.body.root, id)));
        }
    }

    /// Seals and publishes a bundle with the prekeys on offer, and as many new one-time pairs as it lacks.
    pub(crate) fn publish(&mut self, id: &BundleId, mut bundle: OwnBundle) -> Result<(), RowsError> {
        let relay = *bundle.relay.identity();
        let (Some(nonce), Some(account)) = (self.online(&relay), self.account()?) else { return Ok(()) };
        let Some(mailbox) = Self::bundle_mailbox(&account, bundle.kind) else { return Ok(()) };
        if self.waits_for_token(&mailbox)? {
            // A link that leads to no mailbox would be taken for a dead one. It is published with the mailbox.
            return if self.tokens_are_coming(&relay)? { Ok(()) } else { self.answer_invites_unpublished(&relay) };
        }
        let Some(mailbox) = self.mailbox_address(&mailbox)? else {
            return Err(RowsError("a contact mailbox is missing".to_owned()));
        };
        let device = self.device_keys(&account)?;
        let current = self.current_prekeys(&account)?;
        let main = BundleMain {
            manifest: account.manifest.clone(),
            device: device.id(),
            signed: self.public_prekey(PrekeyKind::Signed, current.signed)?,
            seal: self.public_prekey(PrekeyKind::Seal, current.seal)?,
            mailbox,
            name: account.name.clone(),
        };
        let last_resort = self.public_prekey(PrekeyKind::LastResort, current.last_resort)?;
        let wanted = match bundle.kind {
            LinkKind::Address => ADDRESS_PAIRS,
            LinkKind::Invitation => 1,
        };
        let mut pairs = Vec::new();
        let before = std::mem::take(&mut bundle.drawn);
        if std::mem::take(&mut bundle.refused) {
            for pair in before.into_iter().take(wanted.saturating_sub(bundle.pairs) as usize) {
                let Some(row) = self.prekey_row(PrekeyKind::OneTimePair, pair)? else { continue };
                pairs.push(ByteVec::from(sotto_crypto::seal_part(self.rng, &bundle.secret, id, &row.public)));
                bundle.drawn.push(pair);
            }
        }
        let missing = wanted.saturating_sub(bundle.pairs) as usize - pairs.len();
        self.make_room_for_pairs(id, missing)?;
        for _ in 0..missing {
            let created = self.now.secs();
            let expires = created + ONE_TIME_PREKEY_SECS;
            let (secret, public) = PrekeySecret::generate(
                PrekeyKind::OneTimePair,
                self.rng,
                created,
                expires,
                &device,
                &account.manifest.body.root,
            );
            pairs.push(ByteVec::from(sotto_crypto::seal_part(self.rng, &bundle.secret, id, &public)));
            bundle.drawn.push(public.body.id);
            let key = PrekeyRow::key(PrekeyKind::OneTimePair, public.body.id);
            let secret = SecretBytes::from(secret.to_bytes());
            self.save(&key, &PrekeyRow { secret, public, replaced: None, bundle: Some(*id), uses: 0 });
        }
        self.save(id.as_bytes(), &bundle);
        let owner = owner_keys(&bundle);
        let mut publish = Publish {
            bundle: *id,
            owner: owner.public(),
            main: Some(sotto_crypto::seal_main(self.rng, &bundle.secret, id, &main)),
            last_resort: Some(sotto_crypto::seal_part(self.rng, &bundle.secret, id, &last_resort)),
            pairs,
            signature: OwnerSignature::from([0; 64]),
        };
        publish.signature = owner.sign(&signed::publish(&relay, &nonce, &publish));
        let pairs = u32::try_from(publish.pairs.len()).expect("at most ADDRESS_PAIRS");
        self.transmit(&relay, Command::Publish(publish), Pending::Publish { bundle: *id, pairs });
        Ok(())
    }

    /// Private halves beyond a bound go, the oldest first: a relay that loses every answer does not fill the disk.
    fn make_room_for_pairs(&mut self, id: &BundleId, new: usize) -> Result<(), RowsError> {
        if new == 0 {
            return Ok(());
        }
        let mut kept = self.records::<PrekeyRow>(&crate::Range::all(), usize::MAX)?;
        kept.retain(|(_, row)| row.bundle.as_ref() == Some(id));
        kept.sort_by_key(|(_, row)| row.public.body.created);
        let over = (kept.len() + new).saturating_sub(PAIRS_KEPT_MAX);
        for (key, _) in kept.into_iter().take(over) {
            self.delete(crate::Table::Prekey, &key);
        }
        Ok(())
    }

    /// Pairs count once the relay has them; of an answer that was lost, the private halves die with their time.
    pub(crate) fn on_published(&mut self, id: &BundleId, pairs: u32, answer: &Answer) -> Result<(), RowsError> {
        let Some(mut bundle) = self.load::<OwnBundle>(id.as_bytes())? else { return Ok(()) };
        if *answer != Answer::Done {
            let relay = *bundle.relay.identity();
            bundle.refused = true;
            self.save(id.as_bytes(), &bundle);
            if let Answer::Busy { retry_after_secs } | Answer::Full { retry_after_secs } = answer {
                let retry_after_secs = (*retry_after_secs).max(PUBLISH_RETRY_SECS);
                self.retry_relay_later(&relay, &Answer::Busy { retry_after_secs });
            }
            return self.answer_invites_unpublished(&relay);
        }
        bundle.pairs += pairs;
        bundle.drawn.clear();
        bundle.refused = false;
        if bundle.known == Known::Wanted {
            bundle.known = Known::There;
        }
        self.save(id.as_bytes(), &bundle);
        if let Some(account) = self.account()? {
            self.answer_invites(&account, id, &bundle);
        }
        Ok(())
    }

    /// Publishes every bundle anew: the prekeys on offer or the name changed, or the relay lost them.
    pub(crate) fn republish_all(&mut self, pairs: Pairs) -> Result<(), RowsError> {
        for (key, mut bundle) in self.records::<OwnBundle>(&crate::Range::all(), usize::MAX)? {
            if bundle.known == Known::Unwanted {
                continue;
            }
            bundle.known = Known::Wanted;
            if pairs == Pairs::Anew {
                bundle.pairs = 0;
            }
            self.save(&key, &bundle);
            let id = key.as_slice().try_into().map_err(|_| RowsError("a bundle key is damaged".to_owned()))?;
            self.publish(&id, bundle)?;
        }
        Ok(())
    }

    /// Publishes what is not at its relay yet.
    pub(crate) fn publish_wanted(&mut self) -> Result<(), RowsError> {
        for (key, bundle) in self.records::<OwnBundle>(&crate::Range::all(), usize::MAX)? {
            if bundle.known == Known::Wanted {
                let id = key.as_slice().try_into().map_err(|_| RowsError("a bundle key is damaged".to_owned()))?;
                self.publish(&id, bundle)?;
            }
        }
        Ok(())
    }

    /// A one-time pair was used: an invitation is used up with it, an address gets new ones when few are left.
    pub(crate) fn pair_used(&mut self, id: &BundleId) -> Result<(), RowsError> {
        let Some(mut bundle) = self.load::<OwnBundle>(id.as_bytes())? else { return Ok(()) };
        bundle.pairs = bundle.pairs.saturating_sub(1);
        let low = bundle.kind == LinkKind::Address && bundle.pairs < ADDRESS_PAIRS_LOW;
        if low && bundle.known == Known::There {
            bundle.known = Known::Wanted;
        }
        self.save(id.as_bytes(), &bundle);
        if low && bundle.known == Known::Wanted { self.publish(id, bundle) } else { Ok(()) }
    }

    /// Takes a bundle away, here with its one-time pairs and at the relay.
    pub(crate) fn drop_bundle(&mut self, id: &BundleId) -> Result<(), RowsError> {
        let Some(mut bundle) = self.load::<OwnBundle>(id.as_bytes())? else { return Ok(()) };
        bundle.known = Known::Unwanted;
        bundle.retired = Some(self.now.secs());
        self.save(id.as_bytes(), &bundle);
        for (key, row) in self.records::<PrekeyRow>(&crate::Range::all(), usize::MAX)? {
            if row.bundle.as_ref() == Some(id) {
                self.delete(crate::Table::Prekey, &key);
            }
        }
        self.delete_bundle_at_relay(id, &bundle)
    }

    pub(crate) fn delete_bundle_at_relay(&mut self, id: &BundleId, bundle: &OwnBundle) -> Result<(), RowsError> {
        self.delete_at_relay(&bundle.relay, Target::Bundle(*id), &owner_keys(bundle));
        Ok(())
    }
}

fn owner_keys(bundle: &OwnBundle) -> OwnerKeys {
    OwnerKeys::from_bytes(bundle.owner.as_slice()).expect("rows hold what to_bytes gave")
}
