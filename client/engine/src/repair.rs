//! Repair: a session that can no longer be used is replaced with the keys both sides handed each other inside it.
//!
//! Four things cause it: three distinct envelopes that open nowhere, a lease that is not ours, a Braid that an authentic packet
//! broke, a window full of what nobody can receipt. It starts by itself only with a contact, at most once a day with doubling
//! delay; but for the lease, by a timer and never in the step of an envelope. The bound is what a hostile relay gets out of
//! injecting noise.

use sotto_crypto::{Answering, NoSkippedKeys};
use sotto_inner::{
    Body, FirstMessage, PrekeyKind, RepairBundle, RepairTag,
    limits::{UNOPENABLE_A_DAY_MAX, UNOPENABLE_BEFORE_REPAIR},
};
use sotto_outer::ReceiveId;

use crate::{
    ContactId, Happening, Rows, RowsError, Table, Timestamp,
    inbox::{Memorable, Origin},
    record::{Account, Contact, Front, TagRow},
    sessions::Unopened,
    timers::Timer,
    work::{Work, contact_key, decoded, encoded},
};

const SECS_PER_DAY: u64 = 86_400;
const WAIT_DAYS_MAX: u32 = 32;
/// Keys for repair that a contact gets in a day.
const BUNDLES_A_DAY_MAX: u32 = 4;
/// After this long without one, the delay begins anew.
const QUIET_DAYS: u64 = 64;
/// A repair waits a random time, so that no envelope is seen to have an answer.
const DELAY_MILLIS_MIN: u64 = 5_000;
const DELAY_MILLIS_SPAN: u64 = 55_000;

impl Work<'_> {
    /// Hands a contact fresh keys for repair, in place of those that still wait in the outbox; a few a day at most.
    pub(crate) fn send_repair_bundle(&mut self, account: &Account, contact: &mut Contact) -> Result<(), RowsError> {
        let today = self.now.secs() / SECS_PER_DAY;
        if contact.bundles_day != today {
            (contact.bundles_day, contact.bundles) = (today, 0);
        }
        if contact.bundles >= BUNDLES_A_DAY_MAX {
            return Ok(());
        }
        contact.bundles += 1;
        self.save_contact(contact);
        self.drop_waiting(&contact.root, |body| matches!(body, Body::Repair(_)))?;
        let current = self.current_prekeys(account)?;
        let tag = RepairTag::from(self.random());
        let bundle = RepairBundle {
            signed: self.public_prekey(PrekeyKind::Signed, current.signed)?,
            last_resort: self.public_prekey(PrekeyKind::LastResort, current.last_resort)?,
            seal: self.public_prekey(PrekeyKind::Seal, current.seal)?,
            tag,
        };
        let row = TagRow { contact: contact.root, seal: current.seal, issued: self.now.secs(), used: None };
        self.save(tag.as_bytes(), &row);
        let content = self.content(Body::Repair(bundle))?;
        self.enqueue(&contact.root, &content, false)
    }

    /// Keeps a contact's keys for repair, if they are theirs.
    pub(crate) fn on_repair_bundle(&mut self, contact: &Contact, bundle: &RepairBundle) -> Result<bool, RowsError> {
        let (Some(manifest), Some(device)) = (&contact.manifest, contact.device) else { return Ok(false) };
        if sotto_crypto::verify_repair_bundle(manifest, device, bundle, self.now.secs()).is_err() {
            // Authentic, and of no use any more: taken note of, so that it is not sent for ever.
            return Ok(true);
        }
        if let Some(held) = self.get(Table::Meta, &peer_bundle_key(&contact.root))? {
            let held: RepairBundle = decoded(&held)?;
            if held.signed.body.created > bundle.signed.body.created {
                return Ok(true);
            }
        }
        self.put(Table::Meta, &peer_bundle_key(&contact.root), encoded(bundle));
        // One that had no keys to begin with.
        self.resume_repair(contact)?;
        Ok(true)
    }

    /// Counts an envelope of a contact that opened nowhere. Beyond so many a day they are neither counted nor remembered: noise
    /// fills no disk.
    pub(crate) fn count_unopenable(&mut self, mut contact: Contact) -> Result<Memorable, RowsError> {
        let today = self.now.secs() / SECS_PER_DAY;
        if contact.unopenable_day != today {
            (contact.unopenable_day, contact.unopenable_today) = (today, 0);
        }
        if contact.unopenable_today >= UNOPENABLE_A_DAY_MAX {
            return Ok(Memorable::No);
        }
        contact.unopenable_today += 1;
        contact.unopenable = contact.unopenable.saturating_add(1);
        self.save_contact(&contact);
        if contact.unopenable == UNOPENABLE_BEFORE_REPAIR && contact.connected() {
            self.plan_repair(&contact);
        }
        Ok(Memorable::Yes)
    }

    /// A copy was noticed: what this state seals may be lost to the other one.
    pub(crate) fn repair_after_copy(&mut self, id: &ContactId) -> Result<(), RowsError> {
        let Some(mut contact) = self.contact(id)? else { return Ok(()) };
        if contact.copied || self.now.secs().saturating_sub(contact.copied_at) < SECS_PER_DAY {
            // Told already; a relay that says so at every turn is not believed more often than once a day.
            return Ok(());
        }
        self.happened(Happening::CopyNoticed { contact: Some(*id) })?;
        (contact.copied, contact.copied_at, contact.repair_wanted) = (true, self.now.secs(), true);
        self.save_contact(&contact);
        self.start_repair(id)
    }

    /// Plans a repair, unless one is wanted already.
    pub(crate) fn want_repair(&mut self, id: &ContactId) -> Result<(), RowsError> {
        // As it is in the rows: whoever seals may hold an older one.
        let Some(mut contact) = self.contact(id)?.filter(|contact| !contact.repair_wanted) else { return Ok(()) };
        contact.repair_wanted = true;
        self.save_contact(&contact);
        self.plan_repair(&contact);
        Ok(())
    }

    /// Plans a repair if the session that seals is broken, unless one is wanted already. What an archived one suffers is nobody's
    /// loss.
    pub(crate) fn want_repair_if_broken(&mut self, contact: &mut Contact) -> Result<(), RowsError> {
        if !contact.repair_wanted && self.active_is_broken(contact)? {
            contact.repair_wanted = true;
            self.save_contact(contact);
            self.plan_repair(contact);
        }
        Ok(())
    }

    /// Plans a repair that is needed and could not start: nothing left for the contact, or there were no keys.
    pub(crate) fn resume_repair(&mut self, contact: &Contact) -> Result<(), RowsError> {
        if self.needs_repair(contact)? {
            self.plan_repair(contact);
        }
        Ok(())
    }

    fn needs_repair(&self, contact: &Contact) -> Result<bool, RowsError> {
        let told = contact.repair_wanted || contact.unopenable >= UNOPENABLE_BEFORE_REPAIR;
        Ok(told || self.active_is_broken(contact)?)
    }

    fn plan_repair(&mut self, contact: &Contact) {
        let delay = DELAY_MILLIS_MIN + self.jitter(DELAY_MILLIS_SPAN);
        let at = self.now.plus_millis(delay).max(repair_allowed_at(contact));
        self.set_timer(at, &Timer::Repair(contact.root));
    }

    /// Starts a repair, if it is still needed and allowed now.
    pub(crate) fn start_repair(&mut self, id: &ContactId) -> Result<(), RowsError> {
        let (Some(mut contact), Some(account)) = (self.contact(id)?, self.account()?) else { return Ok(()) };
        if !self.needs_repair(&contact)? || contact.held.is_some() || !contact.connected() {
            return Ok(());
        }
        if repair_allowed_at(&contact) > self.now {
            self.set_timer(repair_allowed_at(&contact), &Timer::Repair(*id));
            return Ok(());
        }
        let Some(bundle) = self.get(Table::Meta, &peer_bundle_key(id))? else { return Ok(()) };
        let bundle: RepairBundle = decoded(&bundle)?;
        let (Some(manifest), Some(device)) = (&contact.manifest, contact.device) else { return Ok(()) };
        let now = self.now.secs();
        let Ok(verified) = sotto_crypto::verify_repair_bundle(manifest, device, &bundle, now) else { return Ok(()) };
        let keys = self.device_keys(&account)?;
        let Ok(initiated) = sotto_crypto::initiate_repair(self.rng, &account.manifest, &keys, &verified) else {
            return Ok(());
        };
        // One handshake a tag: these keys are used up.
        self.delete(Table::Meta, &peer_bundle_key(id));
        let front = Front { handshake: initiated.handshake, seal: bundle.seal, tag: Some(bundle.tag), mailbox: None };
        self.add_session(&mut contact, &initiated.session, Some(front))?;
        contact.active = Some(*initiated.id.as_bytes());
        note_repair(&mut contact, now);
        self.save_contact(&contact);
        self.happened(Happening::SessionRepaired { contact: *id })?;
        // With a higher number than before: this state may be an old copy, and the contact know mailboxes that it never made.
        let mailboxes = self.tell_mailboxes(&mut contact)?;
        let content = self.content(Body::Repaired(mailboxes))?;
        self.enqueue(id, &content, false)?;
        self.seal_anew(contact)
    }

    /// The tag in front of an envelope, if it is one that this contact was given.
    pub(crate) fn repair_tag_of(&self, contact: &Contact, payload: &[u8]) -> Result<Option<RepairTag>, RowsError> {
        let Some(tag) = sotto_crypto::repair_tag(payload) else { return Ok(None) };
        let row = self.load::<TagRow>(tag.as_bytes())?;
        Ok(row.filter(|row| row.contact == contact.root).map(|_| tag))
    }

    /// Opens what came behind a repair tag.
    pub(crate) fn open_repair(
        &mut self,
        account: &Account,
        mut contact: Contact,
        mailbox: &ReceiveId,
        tag: RepairTag,
        payload: &[u8],
    ) -> Result<Memorable, RowsError> {
        let Some(row) = self.load::<TagRow>(tag.as_bytes())? else { return Ok(Memorable::No) };
        let Some(seal) = self.prekey_secret(PrekeyKind::Seal, row.seal)? else { return self.count_unopenable(contact) };
        let Ok(message) = sotto_crypto::open_repair(&seal, payload) else { return self.count_unopenable(contact) };
        let fits = sotto_crypto::check_handshake(&message.handshake).is_ok()
            && message.handshake.manifest.body.root == contact.root;
        let id = *sotto_crypto::handshake_id(&message.handshake).as_bytes();
        if !fits || row.used.is_some_and(|used| used != id) {
            return self.count_unopenable(contact);
        }
        if let Some((session_row, session)) = self.session(&contact.root, &id)? {
            return match self.open_in(&mut contact, session_row, &session, &message.packet) {
                Ok((_, opened)) => {
                    self.prove_mailbox(mailbox)?;
                    self.receive(account, contact, opened, Origin::Session)
                }
                Err(Unopened::Rows(error)) => Err(error),
                Err(Unopened::Packet(_)) => self.count_unopenable(contact),
            };
        }
        if row.used.is_some() {
            // Its session is gone from the book already: an old envelope of a repair that was itself replaced.
            return Ok(Memorable::Yes);
        }
        self.prove_mailbox(mailbox)?;
        self.accept_repair(account, contact, &tag, row, &message)
    }

    fn accept_repair(
        &mut self,
        account: &Account,
        mut contact: Contact,
        tag: &RepairTag,
        row: TagRow,
        message: &FirstMessage,
    ) -> Result<Memorable, RowsError> {
        let handshake = &message.handshake;
        let (Some(signed), Some(last_resort)) = (
            self.prekey_secret(PrekeyKind::Signed, handshake.signed)?,
            handshake.last_resort.map_or(Ok(None), |id| self.prekey_secret(PrekeyKind::LastResort, id))?,
        ) else {
            return self.count_unopenable(contact);
        };
        let device = self.device_keys(account)?;
        let answering = Answering {
            manifest: &account.manifest,
            device: &device,
            signed: &signed,
            one_time: None,
            last_resort: Some(&last_resort),
            link_secret: None,
        };
        let Ok(session) = sotto_crypto::accept(&answering, handshake) else { return self.count_unopenable(contact) };
        let Ok(staged) = session.open(&message.packet, self.now.secs(), &NoSkippedKeys) else {
            return self.count_unopenable(contact);
        };
        if !self.check_manifest(&mut contact, &handshake.manifest)? {
            return Ok(Memorable::Yes);
        }
        let (session, changes, opened) = staged.into_parts();
        let id = *session.id().as_bytes();
        contact.device = Some(handshake.device);
        self.adopt_session(&mut contact, &session)?;
        self.save_skipped(&id, changes)?;
        self.save(tag.as_bytes(), &TagRow { used: Some(id), ..row });
        (contact.repair_wanted, contact.copied, contact.reseal) = (false, false, true);
        self.save_contact(&contact);
        self.happened(Happening::SessionRepaired { contact: contact.root })?;
        self.send_repair_bundle(account, &mut contact)?;
        self.receive(account, contact, opened, Origin::Session)?;
        Ok(Memorable::Yes)
    }

    pub(crate) fn forget_peer_bundle(&mut self, contact: &ContactId) {
        self.delete(Table::Meta, &peer_bundle_key(contact));
    }
}

fn peer_bundle_key(contact: &ContactId) -> Vec<u8> {
    [b"repair/".as_slice(), &contact_key(contact, &[])].concat()
}

/// The earliest moment of the next repair with a contact.
fn repair_allowed_at(contact: &Contact) -> Timestamp {
    if contact.repaired_at == 0 {
        return Timestamp(0);
    }
    Timestamp((contact.repaired_at + u64::from(contact.repair_wait_days) * SECS_PER_DAY) * 1_000)
}

fn note_repair(contact: &mut Contact, now: u64) {
    let quiet = contact.repaired_at == 0 || now.saturating_sub(contact.repaired_at) > QUIET_DAYS * SECS_PER_DAY;
    contact.repair_wait_days = if quiet { 1 } else { (contact.repair_wait_days * 2).min(WAIT_DAYS_MAX) };
    contact.repaired_at = now;
    contact.unopenable = 0;
    (contact.repair_wanted, contact.copied) = (false, false);
}
