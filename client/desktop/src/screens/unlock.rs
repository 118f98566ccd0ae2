//! The lock screen: nothing of the profile is in the window while it is drawn.

use egui::{Id, Ui};

use super::{
    first_run,
    page::Page,
    said::{entered, trouble},
    secret,
};
use crate::{
    action::{Action, SecretText},
    cx::Cx,
    view::Locked,
    widgets::{self, Field, Kind},
};

const FIELD: &str = "passphrase";

/// What is being typed.
pub(super) struct UnlockState {
    typed: SecretText,
    focused: bool,
    others: bool,
}

impl Default for UnlockState {
    fn default() -> Self {
        Self { typed: secret::roomy(), focused: false, others: false }
    }
}

/// Draws the screen.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, locked: &Locked, state: &mut UnlockState) {
    let theme = cx.theme;
    let several = cx.view.profiles.len() > 1;
    let rows = 1 + usize::from(locked.keyring) + usize::from(several && !state.others);
    let mut done = false;
    let mut page = Page::begin(ui, theme, rows);
    page.content(|ui| {
        ui.add_space(theme.sizes.space[5]);
        first_run::emblem(ui, cx);
        ui.add_space(theme.sizes.space[3]);
        widgets::title(ui, theme, "Locked");
        ui.add_space(theme.sizes.space[2]);
        widgets::centered(ui, theme, &arrivals(locked.arrivals));
        ui.add_space(theme.sizes.space[4]);
        let field = Field {
            id: Id::unique(FIELD),
            label: "Passphrase or recovery key",
            hint: "Passphrase or recovery key",
            text: &mut state.typed,
            password: true,
            error: None,
        };
        let field = widgets::field(ui, theme, field);
        if !state.focused {
            field.request_focus();
            state.focused = true;
        }
        done |= entered(&field);
        trouble(ui, cx, locked.trouble.as_ref());
        if state.others {
            ui.add_space(theme.sizes.space[3]);
            super::profiles::list(ui, cx);
        }
    });
    page.actions(|ui| {
        let typed = !state.typed.is_empty();
        let label = if locked.busy { "Opening…" } else { "Unlock" };
        let button = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Primary, label);
        done |= ui.add_enabled_ui(typed && !locked.busy, button).inner.clicked();
        if locked.keyring {
            let button = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Quiet, "Use the system's keyring");
            if ui.add_enabled_ui(!locked.busy, button).inner.clicked() {
                cx.act(Action::Unlock(None));
            }
        }
        if several && !state.others {
            state.others = widgets::button_wide(ui, theme, Kind::Quiet, "Another profile").clicked();
        }
    });
    if done && !locked.busy && !state.typed.is_empty() {
        widgets::wipe_undo(ui.ctx(), Id::unique(FIELD));
        cx.act(Action::Unlock(Some(std::mem::replace(&mut state.typed, secret::roomy()))));
        state.focused = false;
    }
}

fn arrivals(count: u64) -> String {
    match count {
        0 => "Your messages are closed until you unlock them.".to_owned(),
        1 => "1 new message, closed until you unlock it.".to_owned(),
        count => format!("{count} new messages, closed until you unlock them."),
    }
}

#[cfg(test)]
mod tests {
    use super::arrivals;

    #[test]
    fn arrivals_are_counted_and_nothing_else_is_said() {
        assert_eq!(arrivals(1), "1 new message, closed until you unlock it.");
        assert_eq!(arrivals(12), "12 new messages, closed until you unlock them.");
    }
}
