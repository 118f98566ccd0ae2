//! A profile that cannot be opened: what happened, what is safe, what to do.

use egui::Ui;

use super::{page::Page, profiles};
use crate::{
    action::Action,
    cx::Cx,
    view::Trouble,
    widgets::{self, Kind},
};

/// Draws the screen.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, trouble: &Trouble) {
    let theme = cx.theme;
    let view = cx.view;
    let current = view.profiles.iter().find(|profile| profile.current);
    let mut page = Page::begin(ui, theme, 1 + usize::from(current.is_some()));
    page.content(|ui| {
        ui.add_space(theme.sizes.space[5]);
        widgets::title(ui, theme, "This profile cannot be opened");
        ui.add_space(theme.sizes.space[3]);
        widgets::danger(ui, theme, &trouble.what);
        ui.add_space(theme.sizes.space[2]);
        widgets::centered(ui, theme, &trouble.advice);
        if view.profiles.len() > 1 {
            ui.add_space(theme.sizes.space[4]);
            profiles::list(ui, cx);
        }
    });
    page.actions(|ui| {
        if let Some(profile) = current
            && widgets::button_wide(ui, theme, Kind::Primary, "Try again").clicked()
        {
            cx.act(Action::SwitchProfile(profile.path.clone()));
        }
        if widgets::button_wide(ui, theme, Kind::Quiet, "Quit").clicked() {
            cx.act(Action::Quit);
        }
    });
}
