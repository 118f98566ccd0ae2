//! What opens the profile: a further passphrase, a new recovery key.

use sotto_driver::{Passphrase, Store, Unlock};

use super::{
    desk::Desk,
    trouble::{mistyped, toast},
};
use crate::{
    action::{Card, SecretText},
    update::Update,
    view::Toast,
};

impl Desk {
    /// Adds a passphrase, or replaces the one there is.
    pub(super) async fn add_passphrase(&mut self, mut text: SecretText) {
        if text.is_empty() {
            let text = mistyped("the passphrase is empty, so nothing was changed", "").what;
            return self.tell([Update::Toast(Toast { text, error: true })]);
        }
        let Some(open) = self.open() else { return };
        let unlock = Unlock::Passphrase(Passphrase::new(std::mem::take(&mut *text)));
        match open.client.add_slot(unlock).await {
            Ok(()) => {
                self.note_slots();
                self.dismiss(Card::Passphrase);
                self.remark("The passphrase opens this profile from now on.");
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Shows the recovery key once: that of a profile made just now, or a new one, with which older ones are dead.
    pub(super) async fn new_recovery_key(&mut self) {
        if let Some(key) = self.recovery.take() {
            return self.tell([Update::RecoveryKey(Some(key))]);
        }
        let Some(open) = self.open() else { return };
        match open.client.new_recovery_key().await {
            Ok(key) => {
                self.note_slots();
                self.tell([Update::RecoveryKey(Some(key.to_text()))]);
            }
            Err(error) => self.tell([Update::Toast(toast(&error))]),
        }
    }

    fn note_slots(&mut self) {
        let slots = Store::slots(&self.profile).unwrap_or_default();
        if let Some(open) = self.open() {
            open.note_slots(slots);
        }
        self.show_now();
    }
}
