//! What concerns the account: its relays, how they are reached, the contact address, contacts whose identity is in doubt.

use sotto_driver::{ContactId, Intent, ManifestHash, RelayAddress};

use super::{
    begin::parse_proxy,
    desk::Desk,
    trouble::{mistyped, sentence},
};
use crate::{
    update::Update,
    view::{Toast, Trouble},
};

impl Desk {
    /// Goes on, unverified, with a contact whose identity is in doubt, if `offered` is what is in doubt: what was held leaves.
    pub(super) async fn go_on(&mut self, contact: ContactId, offered: Option<ManifestHash>) {
        self.intend(Intent::AcceptIdentity { contact, offered }, &contact).await;
    }

    /// The old link is dead then, and the new one is shown.
    pub(super) async fn reset_address(&mut self) {
        if self.intent(Intent::ResetAddress).await {
            self.account_changed();
            self.invite(false);
        }
    }

    pub(super) async fn switch_address(&mut self, on: bool) {
        if self.intent(Intent::SwitchAddress { on }).await {
            self.account_changed();
            // A link that is shown may be dead.
            self.tell([Update::Invitation(None)]);
        }
    }

    /// Dials every relay anew, through a proxy or through none.
    pub(super) async fn set_proxy(&mut self, proxy: Option<String>) {
        match parse_proxy(proxy.as_deref()) {
            Ok(proxy) => {
                if self.intent(Intent::SetProxy { proxy }).await {
                    self.account_changed();
                }
            }
            Err(trouble) => self.refuse(&trouble),
        }
    }

    /// Moves to other relays; contacts are told where.
    pub(super) async fn set_relays(&mut self, relays: Vec<String>) {
        let typed = relays.iter().map(|relay| relay.trim()).filter(|relay| !relay.is_empty());
        match typed.map(str::parse).collect::<Result<Vec<RelayAddress>, _>>() {
            Ok(relays) => {
                if self.intent(Intent::SetRelays { relays }).await {
                    self.account_changed();
                }
            }
            Err(error) => self.refuse(&mistyped(error, "Copy the whole line that the relay's host gave you.")),
        }
    }

    /// Reads the account again.
    pub(super) fn account_changed(&mut self) {
        if let Some(open) = self.open() {
            open.stale.account = true;
            open.stale.network = true;
        }
        self.show_now();
    }

    fn refuse(&self, trouble: &Trouble) {
        let text = sentence(format!("{} {}", trouble.what, trouble.advice).trim_end());
        self.tell([Update::Toast(Toast { text, error: true })]);
    }
}
