//! Bundles of others, asked for one at a time and asked for again until there is an answer that says something: a person who
//! uses a link waits for it.

use sotto_outer::{BundleId, Command, Fetch, RelayIdentity, work::Purpose};

use crate::{ContactId, Line, memory::Pending, record::Contact, timers::Timer, work::Work};

/// How long to wait before a relay that did not hand a bundle out is asked again, the first time; it doubles with each.
const FETCH_RETRY_SECS_MIN: u64 = 2;
/// The longest pause, whatever a relay asks for.
const FETCH_RETRY_SECS_MAX: u64 = 3_600;

impl Work<'_> {
    /// Asks for the bundle of a contact's link, if its relay is in reach and was not asked already: a second answer would use up
    /// a second one-time pair.
    pub(crate) fn fetch_bundle(&mut self, contact: &Contact) {
        let Some(link) = &contact.link else { return };
        let relay = link.relay.identity();
        if self.can_send_to(relay) && !self.is_fetching(&contact.root, &link.bundle) {
            let pending = Pending::Fetch { contact: contact.root, bundle: link.bundle };
            let proof = self.prove(Line::sending(*relay), &Purpose::Fetch(link.bundle));
            self.transmit(relay, Command::Fetch(Fetch { bundle: link.bundle, proof }), pending);
        }
    }

    /// A relay wants work for a bundle first: it is asked again with a proof, or later where it wants too much.
    pub(crate) fn fetch_with_proof(&mut self, contact: &Contact, relay: &RelayIdentity, bundle: &BundleId, bits: u8) {
        if self.accept_toll(Line::sending(*relay), &Purpose::Fetch(*bundle), bits) {
            self.fetch_bundle(contact);
        } else {
            self.fetch_later(&contact.root, u32::MAX);
        }
    }

    fn is_fetching(&self, of: &ContactId, wanted: &BundleId) -> bool {
        let mut pending = self.memory.lines.values().flat_map(|line| line.pending.values());
        pending
            .any(|pending| matches!(pending, Pending::Fetch { contact, bundle } if contact == of && bundle == wanted))
    }

    /// A relay did not hand a bundle out, and did not say that it is gone: it is asked again when it wants, and later with each
    /// time.
    pub(crate) fn fetch_later(&mut self, contact: &ContactId, asked_secs: u32) {
        let times = self.memory.unfetched.entry(*contact).or_default();
        let wait = FETCH_RETRY_SECS_MIN << (*times).min(10);
        *times += 1;
        let millis = wait.max(u64::from(asked_secs)).min(FETCH_RETRY_SECS_MAX) * 1_000;
        let jitter = self.jitter(millis / 2);
        self.set_timer(self.now.plus_millis(millis + jitter), &Timer::Request(*contact));
    }
}
