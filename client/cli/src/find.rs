//! Who is meant: an id, the beginning of one, or a name. What is not clear is asked back, never guessed.

use sotto_driver::{ContactState, ContactView};

use crate::{
    failure::{Code, Failure},
    shape,
};

/// The shortest beginning of an id.
const PREFIX_LETTERS_MIN: usize = 4;

/// The one contact that `text` names.
pub(crate) fn contact(contacts: Vec<ContactView>, text: &str) -> Result<ContactView, Failure> {
    let text = text.trim();
    let mut found: Vec<_> = contacts.into_iter().filter(|contact| is_meant(contact, text)).collect();
    // A stranger chooses the name in a request, so a request never stands in the way of a contact.
    if found.iter().any(agreed) {
        found.retain(agreed);
    }
    match found.len() {
        0 => Err(Failure::new(
            Code::NotFound,
            "no_such_contact",
            "There is no such contact.",
            "See contact list and requests list.",
        )),
        1 => Ok(found.remove(0)),
        several => {
            let error = format!("{several} contacts fit that.");
            Err(Failure::new(Code::User, "ambiguous", error, "Give more letters of the id; contact list shows it."))
        }
    }
}

fn is_meant(contact: &ContactView, text: &str) -> bool {
    let id = shape::contact_id(&contact.id);
    let lower = text.to_lowercase();
    let by_id = lower.len() >= PREFIX_LETTERS_MIN && id.starts_with(&lower);
    by_id || (!text.is_empty() && contact.name.to_lowercase() == lower)
}

fn agreed(contact: &ContactView) -> bool {
    match contact.state {
        ContactState::Connected | ContactState::Requested | ContactState::Connecting | ContactState::Unreachable => {
            true
        }
        ContactState::Incoming
        | ContactState::Declined
        | ContactState::Blocked
        | ContactState::LinkDead
        | ContactState::LinkForged => false,
    }
}

#[cfg(test)]
mod tests {
    use sotto_driver::ContactId;

    use super::*;

    fn view(byte: u8, name: &str, state: ContactState) -> ContactView {
        ContactView {
            id: ContactId::from([byte; 32]),
            name: name.to_owned(),
            state,
            verified: false,
            safety_number: String::new(),
            request_text: None,
            unread: 0,
            held: None,
            offered: None,
        }
    }

    fn found(contacts: &[ContactView], text: &str) -> Result<u8, String> {
        contact(contacts.to_vec(), text).map(|contact| contact.id.as_bytes()[0]).map_err(|failure| failure.kind)
    }

    #[test]
    fn an_id_its_beginning_and_a_name_are_understood() {
        let contacts = [view(0xaa, "Anna", ContactState::Connected), view(0xab, "Bob", ContactState::Connected)];
        assert_eq!(found(&contacts, "anna"), Ok(0xaa));
        assert_eq!(found(&contacts, "ABAB"), Ok(0xab));
        assert_eq!(found(&contacts, &"ab".repeat(32)), Ok(0xab));
        assert_eq!(found(&contacts, "aba"), Err("no_such_contact".to_owned()));
        assert_eq!(found(&contacts, ""), Err("no_such_contact".to_owned()));
    }

    #[test]
    fn two_of_one_name_are_asked_back() {
        let contacts = [view(1, "Anna", ContactState::Connected), view(2, "anna", ContactState::Connected)];
        assert_eq!(found(&contacts, "Anna"), Err("ambiguous".to_owned()));
    }

    #[test]
    fn a_stranger_cannot_take_a_contacts_name() {
        let contacts = [view(1, "Anna", ContactState::Connected), view(2, "Anna", ContactState::Incoming)];
        assert_eq!(found(&contacts, "Anna"), Ok(1));
    }
}
