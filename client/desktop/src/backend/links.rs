//! Links and codes: our own to give away, theirs looked at before anything is said, and pictures of either.

use sotto_driver::{ContactId, Intent, Link, LinkKind, Outcome};

use super::{
    desk::{Desk, Done},
    picture::{self, PictureError},
    trouble::{mistyped, sentence},
};
use crate::{
    action::PictureSource,
    update::Update,
    view::{Invitation, PictureResult, Preview},
};

impl Desk {
    /// A link that the system opened with the program: as far as anyone knows through a web page, whose host may have put
    /// another one in its place, also where it reads `sotto:`.
    pub(super) fn preview_opened(&mut self, text: &str) {
        self.preview(text, true);
    }

    /// A link that a person pasted or found in a picture.
    pub(super) fn preview_pasted(&mut self, text: &str) {
        self.preview(text, false);
    }

    fn preview(&mut self, text: &str, through_web: bool) {
        let preview = match text.parse::<Link>() {
            Ok(link) => {
                let preview = Preview::Link {
                    link: link.to_string(),
                    relay: link.relay.authority(),
                    once: link.kind == LinkKind::Invitation,
                    through_web,
                };
                self.preview = Some(link);
                preview
            }
            Err(error) => {
                self.preview = None;
                Preview::Refused(mistyped(error, "Copy the whole link, or ask for it again."))
            }
        };
        self.tell([Update::Preview(Some(preview))]);
    }

    pub(super) fn drop_preview(&mut self) {
        self.preview = None;
        self.tell([Update::Preview(None)]);
    }

    /// Writes to the owner of the link, and shows the conversation.
    pub(super) async fn connect(&mut self, text: Option<String>) {
        let Some(link) = self.preview.clone() else { return };
        let Some(open) = self.open() else { return };
        let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let outcome = open.client.intent(Intent::Connect { link, text }).await;
        match outcome {
            Ok(Outcome::Contact(contact)) => {
                open.stale.chats.insert(contact);
                self.drop_preview();
                self.show_now();
                Box::pin(self.act(crate::action::Action::Select(contact))).await;
            }
            Ok(Outcome::Done | Outcome::Link(_) | Outcome::Message { .. }) => self.drop_preview(),
            Err(error) => self.tell([Update::Preview(Some(Preview::Refused(super::trouble::trouble(&error))))]),
        }
    }

    /// Asks for a link to give away. The answer may wait for the relay.
    pub(super) fn invite(&mut self, once: bool) {
        let Some(open) = self.open() else { return };
        let client = std::sync::Arc::clone(&open.client);
        self.meanwhile(async move {
            let answer = client.intent(Intent::Invite { once }).await;
            let usable = client.health().borrow().online();
            Done::Invited(answer.map(|outcome| match outcome {
                Outcome::Link(link) => invitation(&link, usable),
                Outcome::Done | Outcome::Contact(_) | Outcome::Message { .. } => None,
            }))
        });
    }

    pub(super) fn invited(&mut self, invited: Result<Option<Invitation>, sotto_driver::ClientError>) {
        match invited {
            Ok(invitation) => self.tell([Update::Invitation(invitation)]),
            Err(error) => self.fail(&error),
        }
    }

    pub(super) fn compare(&mut self, contact: Option<ContactId>) {
        self.comparing = contact;
        self.tell([Update::Picture(None)]);
    }

    pub(super) fn read_picture(&mut self, source: PictureSource) {
        let contact = self.comparing;
        self.search_picture(move || Done::Picture(contact, picture::read(&source)));
    }

    /// The system's dialog asks which picture; the window goes on meanwhile.
    pub(super) fn choose_picture(&mut self) {
        self.meanwhile(async {
            let dialog = rfd::AsyncFileDialog::new()
                .set_title("Choose a picture of a QR code")
                .add_filter("Pictures", &["png", "jpg", "jpeg", "webp"]);
            Done::Chosen(dialog.pick_file().await.map(|file| file.path().to_owned()))
        });
    }

    pub(super) fn chosen(&mut self, chosen: Option<std::path::PathBuf>) {
        if let Some(path) = chosen {
            self.read_picture(PictureSource::File(path));
        }
    }

    /// A picture that was given for another comparison says nothing about this one.
    pub(super) fn picture_read(&mut self, contact: Option<ContactId>, read: Result<String, PictureError>) {
        if contact != self.comparing {
            return;
        }
        let Some(contact) = contact else {
            return match read {
                Ok(text) => self.preview_pasted(&text),
                Err(error) => self.tell([Update::Preview(Some(Preview::Refused(mistyped(error, ""))))]),
            };
        };
        let number = self.open().and_then(|open| open.list.get(&contact).map(|found| found.safety_number.clone()));
        let result = match read {
            Err(error) => PictureResult::Unreadable(sentence(error)),
            Ok(text) => compare(&text, &number.unwrap_or_default()),
        };
        self.tell([Update::Picture(Some(result))]);
    }
}

fn invitation(link: &Link, usable: bool) -> Option<Invitation> {
    let text = link.to_string();
    let qr = picture::code(&text)?;
    Some(Invitation { link: text, qr, once: link.kind == LinkKind::Invitation, usable })
}

/// What the code of a safety number says about ours.
fn compare(text: &str, number: &str) -> PictureResult {
    let digits = |text: &str| text.split_whitespace().collect::<String>();
    let (read, own) = (digits(text), digits(number));
    if read.len() != own.len() || !read.bytes().all(|digit| digit.is_ascii_digit()) {
        return PictureResult::Unreadable("The code in this picture is no safety number.".to_owned());
    }
    if read == own { PictureResult::Same } else { PictureResult::Different }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_is_told_from_no_number() {
        let number = "12345 ".repeat(12);
        assert_eq!(compare(&"12345".repeat(12), &number), PictureResult::Same);
        assert_eq!(compare(&"12346".repeat(12), &number), PictureResult::Different);
        assert!(matches!(compare("https://relay.example/i#abc", &number), PictureResult::Unreadable(_)));
    }
}
