//! What concerns the account: its relays, how they are reached, the contact address, contacts whose identity is in doubt.

use sotto_driver::{ContactId, Intent};

use super::{begin::parse_proxy, desk::Desk};
use crate::{update::Update, view::Toast};

/// Said where the engine knows no way yet.
const NOT_YET: &str = "This cannot be changed yet.";

impl Desk {
    pub(super) async fn go_on(&mut self, _contact: ContactId) {
        self.remark(NOT_YET);
    }

    pub(super) async fn reset_address(&mut self) {
        self.remark(NOT_YET);
    }

    pub(super) async fn switch_address(&mut self, _on: bool) {
        self.remark(NOT_YET);
    }

    /// Dials every relay anew, through a proxy or through none.
    pub(super) async fn set_proxy(&mut self, proxy: Option<String>) {
        let proxy = match parse_proxy(proxy.as_deref()) {
            Ok(proxy) => proxy,
            Err(trouble) => {
                let text = format!("{} {}", trouble.what, trouble.advice);
                return self.tell([Update::Toast(Toast { text, error: true })]);
            }
        };
        if self.intent(Intent::SetProxy { proxy }).await {
            self.account_changed();
        }
    }

    pub(super) fn account_changed(&mut self) {
        if let Some(open) = self.open() {
            open.stale.account = true;
            open.stale.network = true;
        }
        self.show_now();
    }

    pub(super) async fn set_relays(&mut self, _relays: Vec<String>) {
        self.remark(NOT_YET);
    }
}
