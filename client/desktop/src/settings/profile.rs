//! The name, and what opens the profile.

use egui::{Id, Ui};
use sotto_driver::NAME_BYTES_MAX;

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    icons::Icon,
    widgets::{self, Field, Kind},
};

/// A name that is being changed.
#[derive(Default)]
pub(super) struct ProfileState {
    /// What is typed; none as long as it is the account's.
    name: Option<String>,
}

/// Draws this part of the settings.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ProfileState) {
    let theme = cx.theme;
    let Some(account) = &cx.view.account else { return };
    widgets::caption(ui, theme, "Your name, told to your contacts");
    let mut name = state.name.clone().unwrap_or_else(|| account.name.clone());
    let too_long = name.len() > NAME_BYTES_MAX;
    let field = Field {
        id: Id::unique("settings name"),
        label: "Your name",
        hint: "Your name",
        text: &mut name,
        password: false,
        error: too_long.then_some("This name is too long."),
    };
    widgets::field(ui, theme, field);
    let told = name.trim();
    let changed = !told.is_empty() && told != account.name;
    if changed && !too_long && widgets::button(ui, theme, Kind::Primary, "Change name").clicked() {
        cx.act(Action::SetName(told.to_owned()));
        state.name = None;
    } else {
        state.name = (name != account.name).then_some(name);
    }
    let passphrase = if account.has_passphrase { "Change the passphrase" } else { "Add a passphrase" };
    let lines = [
        (Icon::Link, "My link", Action::Open(Dialog::Invitation)),
        (Icon::Key, passphrase, Action::Open(Dialog::Passphrase)),
        (Icon::Copy, "Make a recovery key", Action::Open(Dialog::RecoveryKey)),
        (Icon::People, "Profiles on this computer", Action::Open(Dialog::Profiles)),
        (Icon::Lock, "Lock now", Action::Lock),
    ];
    for (icon, label, action) in lines {
        if widgets::row_button(ui, theme, Some(icon), label, "", false).clicked() {
            cx.act(action);
        }
    }
}
