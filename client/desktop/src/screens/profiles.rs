//! The profiles of this computer: which is shown, the others, and one more.

use egui::{Context, Ui};

use crate::{
    action::Action,
    cx::Cx,
    widgets::{self, Kind},
};

/// Draws the dialog.
pub(super) fn show(ctx: &Context, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let dismissed = widgets::dialog(ctx, theme, "Profiles", |ui| {
        let why = "Profiles know nothing of each other: own name, contacts, keys and relay. One is open at a time.";
        widgets::paragraph(ui, theme, why);
        list(ui, cx);
        if widgets::button_wide(ui, theme, Kind::Quiet, "New profile").clicked() {
            cx.act(Action::NewProfile);
            cx.act(Action::Back);
        }
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

/// One button for each; the current one says so.
pub(super) fn list(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    for profile in &cx.view.profiles {
        if profile.current {
            widgets::body(ui, theme, &format!("{} (this one)", profile.label));
        } else if widgets::button_wide(ui, theme, Kind::Quiet, &profile.label).clicked() {
            cx.actions.push(Action::SwitchProfile(profile.path.clone()));
            cx.actions.push(Action::Back);
        }
    }
}
