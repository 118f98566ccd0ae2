//! Contacts to whom nothing leaves until the person has chosen: their devices contradict what was known, or a link that should
//! have led to them led to someone else. What they send is still received; what is written to them waits.

use sotto_crypto::manifest_hash;
use sotto_inner::{Link, Manifest, ManifestHash};

use crate::{
    ContactId, Happening, IntentError, Outcome, RowsError, Ticket,
    record::{Account, Contact, HoldReason},
    work::Work,
};

type Result<T> = std::result::Result<T, RowsError>;
type IntentResult = Result<std::result::Result<(), IntentError>>;

impl Work<'_> {
    /// A manifest, signed by the contact's root, contradicts the known one. The first that does is told and kept: it is what
    /// the person looks at until they have chosen, and no other takes its place meanwhile.
    pub(crate) fn hold_for_conflict(&mut self, contact: &mut Contact, offered: &Manifest) -> Result<()> {
        if contact.held == Some(HoldReason::IdentityConflict) {
            return Ok(());
        }
        contact.held = Some(HoldReason::IdentityConflict);
        contact.offered = Some(offered.clone());
        self.save_contact(contact);
        self.happened(Happening::IdentityConflict { contact: contact.root })
    }

    /// The person goes on with a contact, whose identity has to be compared anew. What they were shown must be what is held.
    pub(crate) fn accept_identity(
        &mut self,
        ticket: Ticket,
        id: &ContactId,
        offered: Option<ManifestHash>,
    ) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        if contact.held.is_some() && contact.offered.as_ref().map(manifest_hash) != offered {
            return Ok(Err(IntentError::IdentityChanged));
        }
        if contact.held.take().is_some() {
            contact.verified = false;
            if let Some(offered) = contact.offered.take() {
                let listed = |device| offered.body.devices.iter().any(|listed| Some(listed.id) == device);
                if !listed(contact.device) {
                    contact.device = offered.body.devices.first().map(|device| device.id);
                }
                contact.manifest = Some(offered);
            }
            self.save_contact(&contact);
            self.happened(Happening::IdentityAccepted { contact: *id })?;
            self.resume_repair(&contact)?;
            self.pump(contact)?;
        }
        self.answer(ticket, Outcome::Contact(*id));
        Ok(Ok(()))
    }

    /// Uses a link that should lead to a contact again. One that leads to someone else is not used.
    pub(crate) fn reconnect(&mut self, ticket: Ticket, account: &Account, id: &ContactId, link: Link) -> IntentResult {
        let Some(mut contact) = self.contact(id)? else { return Ok(Err(IntentError::NoContact)) };
        if link.root == *id {
            return self.connect(ticket, account, link, None);
        }
        if contact.held.is_none() {
            contact.held = Some(HoldReason::AnotherPerson);
            self.save_contact(&contact);
            self.happened(Happening::AnotherPerson { contact: *id })?;
        }
        Ok(Err(IntentError::AnotherPerson))
    }
}
