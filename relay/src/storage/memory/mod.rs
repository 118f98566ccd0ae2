//! A store in memory, with the two layers a disk has: what was written, and what would survive losing power.
//!
//! [`MemoryStorage::apply`] changes the pending layer, [`MemoryStorage::commit`] makes it durable,
//! [`MemoryStorage::crash`] drops what is pending. A simulated world uses the three, and the model test holds SQLite to the same outcomes.

mod blobs;
mod channels;
mod tokens;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sotto_outer::{
    BlobId, Bundle, BundleId, CapabilityHash, ChannelId, EnvelopeId, Lease, LeaseOutcome, OwnerKey, ReceiveId, SendId,
};

use self::blobs::Blobs;
use super::{
    EXPIRE_ROWS_MAX, Envelope, NewEnvelope, NewLease, NewMailbox, NewParts, Op, Outcome, Owned, Seq, Spend, Storage,
    blocked::{Blocked, Named, Report, ReportedId},
    owed,
};
use crate::{
    access,
    time::{Day, Timestamp},
};

/// A store in memory with a pending and a durable layer.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    durable: State,
    pending: State,
    /// What led from the durable layer to the pending one.
    uncommitted: Vec<Op>,
}

/// One layer: everything the relay knows.
#[derive(Clone, Debug, Default)]
struct State {
    next_seq: i64,
    mailboxes: BTreeMap<ReceiveId, Mailbox>,
    send_ids: BTreeMap<SendId, ReceiveId>,
    bundles: BTreeMap<BundleId, StoredBundle>,
    blocked: Blocked,
    blobs: Blobs,
    channels: channels::Channels,
    tokens: tokens::Tokens,
}

#[derive(Clone, Debug)]
struct Mailbox {
    made: NewMailbox,
    lease: Option<Lease>,
    day_last_used: Day,
    envelopes: BTreeMap<Seq, Stored>,
    acknowledged: BTreeMap<EnvelopeId, Timestamp>,
}

#[derive(Clone, Debug)]
struct Stored {
    id: EnvelopeId,
    payload: Bytes,
    expires_at: Timestamp,
}

#[derive(Clone, Debug)]
struct StoredBundle {
    owner: OwnerKey,
    main: Bytes,
    last_resort: Bytes,
    pairs: VecDeque<Bytes>,
    day_last_published: Day,
}

impl MemoryStorage {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a batch to the pending layer. Nothing of it may be told to anybody before [`Self::commit`].
    pub fn apply(&mut self, ops: Vec<Op>) -> Vec<Outcome> {
        let outcomes = ops.iter().map(|op| self.pending.apply(op)).collect();
        self.uncommitted.extend(ops);
        outcomes
    }

    /// Makes durable what is pending.
    pub fn commit(&mut self) {
        for op in self.uncommitted.drain(..) {
            self.durable.apply(&op);
        }
        self.pending.blocked.committed();
        self.durable.blocked.committed();
    }

    /// Drops what is pending, as a crash or a failed commit does.
    pub fn crash(&mut self) {
        self.pending = self.durable.clone();
        self.uncommitted.clear();
    }

    /// After a restart a store may count on from a lower number, where the last envelopes are gone.
    #[cfg(test)]
    pub(super) fn continue_from(&mut self, next_seq: i64) {
        self.pending.next_seq = next_seq;
        self.durable.next_seq = next_seq;
    }

    /// Payloads of all envelopes and entries that are durable, in no order of meaning: what a thief of the disk would find.
    pub fn durable_payloads(&self) -> impl Iterator<Item = &[u8]> {
        let envelopes = self.durable.mailboxes.values().flat_map(|mailbox| mailbox.envelopes.values());
        envelopes.map(|stored| &stored.payload[..]).chain(self.durable.channels.entries())
    }
}

impl Storage for MemoryStorage {
    async fn apply(&mut self, ops: Vec<Op>) -> Vec<Outcome> {
        let outcomes = Self::apply(self, ops);
        self.commit();
        outcomes
    }
}

impl State {
    fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Create(new, spend) => self.create(new, spend.as_ref()),
            Op::Token(op) => self.token(op),
            Op::Send(new) => self.send(new),
            Op::Admit { mailbox, shown, owes } => match self.admit(mailbox, shown) {
                Some(mailbox) => match owed(mailbox.made.kind, *owes) {
                    Some(bits) => Outcome::Work { bits },
                    None => Outcome::Admitted { mailbox: mailbox.made.receive_id },
                },
                None => Outcome::Denied,
            },
            Op::Owners(things) => Outcome::Owners(things.iter().map(|thing| self.owner(thing)).collect()),
            Op::Lease { mailboxes, day } => {
                Outcome::Leased(mailboxes.iter().map(|lease| self.lease(lease, *day)).collect())
            }
            Op::Next { mailbox, in_flight, envelopes_max, bytes_max, now } => {
                self.next(mailbox, in_flight, *envelopes_max, *bytes_max, *now)
            }
            Op::Acknowledge { mailbox, ids, forget_at } => self.acknowledge(mailbox, ids, *forget_at),
            Op::Rotate { mailbox, owner, capability_hash } => self.rotate(mailbox, owner, *capability_hash),
            Op::DeleteMailbox { mailbox, owner } => self.delete_mailbox(mailbox, owner),
            Op::DeleteBundle { bundle, owner } => self.delete_bundle(bundle, owner),
            Op::Publish(parts) => self.publish(parts),
            Op::FetchBundle { bundle, take_pair } => self.fetch_bundle(bundle, *take_pair),
            Op::Block { ids, blocked, day: _ } => {
                Outcome::Blocked(ids.iter().map(|id| self.block(*id, *blocked)).collect())
            }
            Op::Channel(op) => self.channels.apply(op, &self.blocked, &mut self.tokens),
            Op::Expire { now, mailboxes_before, bundles_before } => {
                self.expire(*now, *mailboxes_before, *bundles_before)
            }
            Op::Blob(op) => self.blobs.apply(op, &self.blocked, &mut self.tokens),
        }
    }

    fn create(&mut self, new: &NewMailbox, spend: Option<&Spend>) -> Outcome {
        let by_send_id = self.send_ids.get(&new.send_id);
        match (self.mailboxes.get(&new.receive_id), by_send_id) {
            _ if self.blocked.hides_mailbox(new.receive_id, new.send_id) => Outcome::Denied,
            (Some(held), _) if held.made.same_as(new) => Outcome::Done,
            (None, None) if !self.tokens.buys(spend) => Outcome::Spent,
            (None, None) => {
                let mailbox = Mailbox {
                    made: new.clone(),
                    lease: None,
                    day_last_used: new.day,
                    envelopes: BTreeMap::new(),
                    acknowledged: BTreeMap::new(),
                };
                self.mailboxes.insert(new.receive_id, mailbox);
                self.send_ids.insert(new.send_id, new.receive_id);
                Outcome::Done
            }
            _ => Outcome::Denied,
        }
    }

    fn admit(&mut self, mailbox: &SendId, shown: &CapabilityHash) -> Option<&mut Mailbox> {
        let mailbox = self.send_ids.get(mailbox).and_then(|id| self.mailboxes.get_mut(id));
        let mailbox = mailbox.filter(|mailbox| !mailbox.is_hidden_by(&self.blocked));
        let matches = access::capability_matches(mailbox.as_ref().map(|m| &m.made.capability_hash), shown);
        mailbox.filter(|_| matches)
    }

    fn send(&mut self, new: &NewEnvelope) -> Outcome {
        let seq = Seq(self.next_seq);
        let Some(mailbox) = self.admit(&new.mailbox, &new.shown) else { return Outcome::Denied };
        if mailbox.holds(&new.id) || mailbox.acknowledged.get(&new.id).is_some_and(|forget_at| *forget_at > new.now) {
            return Outcome::Repeated;
        }
        if let Some(bits) = owed(mailbox.made.kind, new.owes) {
            return Outcome::Work { bits };
        }
        if !new.quota.has_room(mailbox.made.kind, mailbox.envelopes.len(), mailbox.bytes(), new.payload.len()) {
            return Outcome::Full;
        }
        let stored = Stored { id: new.id, payload: new.payload.clone(), expires_at: new.expires_at };
        mailbox.envelopes.insert(seq, stored);
        let mailbox = mailbox.made.receive_id;
        self.next_seq += 1;
        Outcome::Sent { mailbox, seq }
    }

    fn owner(&self, thing: &Owned) -> Option<OwnerKey> {
        match thing {
            Owned::Mailbox(id) => self.readable(id).map(|mailbox| mailbox.made.owner),
            Owned::Bundle(id) => self.bundles.get(id).filter(|_| !self.blocked.hides([*id])).map(|bundle| bundle.owner),
        }
    }

    fn lease(&mut self, lease: &NewLease, day: Day) -> LeaseOutcome {
        let mailbox = self.mailboxes.get_mut(&lease.mailbox).filter(|mailbox| !mailbox.is_hidden_by(&self.blocked));
        let Some(mailbox) = mailbox else { return LeaseOutcome::Denied };
        mailbox.day_last_used = day;
        let held = mailbox.lease.replace(lease.new);
        lease.compare(held.as_ref())
    }

    fn next(
        &self,
        mailbox: &ReceiveId,
        in_flight: &[Seq],
        envelopes_max: usize,
        bytes_max: usize,
        now: Timestamp,
    ) -> Outcome {
        let Some(mailbox) = self.readable(mailbox) else {
            return Outcome::Envelopes { envelopes: vec![], more: false };
        };
        let (mut envelopes, mut bytes) = (vec![], 0);
        for (seq, stored) in &mailbox.envelopes {
            if in_flight.contains(seq) || stored.expires_at <= now {
                continue;
            }
            bytes += stored.payload.len();
            if envelopes.len() == envelopes_max || bytes > bytes_max {
                return Outcome::Envelopes { envelopes, more: true };
            }
            envelopes.push(Envelope { seq: *seq, id: stored.id, payload: stored.payload.clone() });
        }
        Outcome::Envelopes { envelopes, more: false }
    }

    fn acknowledge(&mut self, mailbox: &ReceiveId, ids: &[EnvelopeId], forget_at: Timestamp) -> Outcome {
        let mailbox = self.mailboxes.get_mut(mailbox).filter(|mailbox| !mailbox.is_hidden_by(&self.blocked));
        if let Some(mailbox) = mailbox {
            for id in ids.iter().filter(|id| mailbox.envelopes.values().any(|stored| stored.id == **id)) {
                mailbox.acknowledged.insert(*id, forget_at.up_to_minute());
            }
            mailbox.envelopes.retain(|_, stored| !ids.contains(&stored.id));
        }
        Outcome::Done
    }

    fn rotate(&mut self, mailbox: &ReceiveId, owner: &OwnerKey, capability_hash: CapabilityHash) -> Outcome {
        let held = self.mailboxes.get_mut(mailbox).filter(|mailbox| !mailbox.is_hidden_by(&self.blocked));
        match held {
            Some(held) if held.made.owner == *owner => {
                held.made.capability_hash = capability_hash;
                Outcome::Done
            }
            _ => Outcome::Denied,
        }
    }

    fn delete_mailbox(&mut self, mailbox: &ReceiveId, owner: &OwnerKey) -> Outcome {
        if self.readable(mailbox).is_none_or(|held| held.made.owner != *owner) {
            return Outcome::Denied;
        }
        self.remove_mailbox(mailbox);
        Outcome::Done
    }

    fn remove_mailbox(&mut self, mailbox: &ReceiveId) {
        if let Some(removed) = self.mailboxes.remove(mailbox) {
            self.send_ids.remove(&removed.made.send_id);
        }
    }

    /// A mailbox that is there and not suspended.
    fn readable(&self, mailbox: &ReceiveId) -> Option<&Mailbox> {
        self.mailboxes.get(mailbox).filter(|mailbox| !mailbox.is_hidden_by(&self.blocked))
    }

    fn block(&mut self, id: ReportedId, blocked: bool) -> Report {
        let (receive_id, send_id) = (ReceiveId::from(*id.as_bytes()), SendId::from(*id.as_bytes()));
        let bundle = BundleId::from(*id.as_bytes());
        let (blob, channel) = (BlobId::from(*id.as_bytes()), ChannelId::from(*id.as_bytes()));
        let mailbox =
            self.mailboxes.get_key_value(&receive_id).map(|(id, _)| id).or_else(|| self.send_ids.get(&send_id));
        let named = match mailbox {
            Some(mailbox) => Named::Mailbox(*mailbox),
            None if self.bundles.contains_key(&bundle) => Named::Bundle(bundle),
            None if self.blobs.holds(&blob) => Named::Blob(blob),
            None if self.channels.holds(&channel) => Named::Channel(channel),
            None => Named::Nothing,
        };
        Report { named, is_new: self.blocked.set(id, blocked) }
    }

    fn delete_bundle(&mut self, bundle: &BundleId, owner: &OwnerKey) -> Outcome {
        if self.blocked.hides([*bundle]) || self.bundles.get(bundle).is_none_or(|held| held.owner != *owner) {
            return Outcome::Denied;
        }
        self.bundles.remove(bundle);
        Outcome::Done
    }

    fn publish(&mut self, parts: &NewParts) -> Outcome {
        if self.blocked.hides([parts.bundle]) {
            return Outcome::Denied;
        }
        if let Some(held) = self.bundles.get_mut(&parts.bundle) {
            if held.owner != parts.owner {
                return Outcome::Denied;
            }
            held.main = parts.main.clone().unwrap_or_else(|| held.main.clone());
            held.last_resort = parts.last_resort.clone().unwrap_or_else(|| held.last_resort.clone());
            held.add_pairs(parts);
            held.day_last_published = held.day_last_published.max(parts.day);
            return Outcome::Done;
        }
        let (Some(main), Some(last_resort)) = (parts.main.clone(), parts.last_resort.clone()) else {
            return Outcome::Denied;
        };
        let mut bundle = StoredBundle {
            owner: parts.owner,
            main,
            last_resort,
            pairs: VecDeque::new(),
            day_last_published: parts.day,
        };
        bundle.add_pairs(parts);
        self.bundles.insert(parts.bundle, bundle);
        Outcome::Done
    }

    fn fetch_bundle(&mut self, bundle: &BundleId, take_pair: bool) -> Outcome {
        let held = self.bundles.get_mut(bundle).filter(|_| !self.blocked.hides([*bundle]));
        let Some(held) = held else { return Outcome::Denied };
        let pair = if take_pair { held.pairs.pop_front() } else { None };
        let last_resort = pair.is_none().then(|| held.last_resort.to_vec());
        Outcome::Bundle(Bundle { main: held.main.to_vec(), pair: pair.map(|pair| pair.to_vec()), last_resort })
    }

    fn expire(&mut self, now: Timestamp, mailboxes_before: Day, bundles_before: Day) -> Outcome {
        self.forget_tokens(now);
        let mut over: Vec<(Timestamp, Seq, ReceiveId)> = vec![];
        for (id, mailbox) in &mut self.mailboxes {
            mailbox.acknowledged.retain(|_, forget_at| *forget_at > now);
            over.extend(
                mailbox.envelopes.iter().filter(|(_, e)| e.expires_at <= now).map(|(s, e)| (e.expires_at, *s, *id)),
            );
        }
        over.sort_unstable();
        let lapsed = self.mailboxes.values().filter(|mailbox| mailbox.day_last_used < mailboxes_before);
        let mut lapsed: Vec<_> = lapsed.map(|mailbox| mailbox.made.receive_id).collect();
        let bundles = self.bundles.iter().filter(|(_, bundle)| bundle.day_last_published < bundles_before);
        let mut bundles: Vec<_> = bundles.map(|(id, _)| *id).collect();
        let more = [over.len(), lapsed.len(), bundles.len()].into_iter().any(|count| count > EXPIRE_ROWS_MAX);
        bundles.truncate(EXPIRE_ROWS_MAX);
        self.bundles.retain(|id, _| !bundles.contains(id));
        over.truncate(EXPIRE_ROWS_MAX);
        lapsed.truncate(EXPIRE_ROWS_MAX);
        for (_, seq, mailbox) in &over {
            self.mailboxes.get_mut(mailbox).and_then(|mailbox| mailbox.envelopes.remove(seq));
        }
        lapsed.iter().for_each(|mailbox| self.remove_mailbox(mailbox));
        Outcome::Expired { envelopes: over.len(), mailboxes: lapsed.len(), more }
    }
}

impl Mailbox {
    fn holds(&self, id: &EnvelopeId) -> bool {
        self.envelopes.values().any(|stored| stored.id == *id)
    }

    fn is_hidden_by(&self, blocked: &Blocked) -> bool {
        blocked.hides_mailbox(self.made.receive_id, self.made.send_id)
    }

    fn bytes(&self) -> u64 {
        self.envelopes.values().map(|stored| stored.payload.len() as u64).sum()
    }
}

impl StoredBundle {
    fn add_pairs(&mut self, parts: &NewParts) {
        self.pairs.extend(parts.pairs.iter().cloned());
        self.pairs.drain(..self.pairs.len().saturating_sub(parts.pairs_max));
    }
}
