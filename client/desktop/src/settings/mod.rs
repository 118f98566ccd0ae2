//! The settings: one page in a dialog, each line at work as soon as it is changed.

mod network;
mod profile;

use egui::{Context, Ui};

use crate::{action::Action, cx::Cx, icons::Icon, keyboard::Command, preferences::ThemeChoice, theme::Theme, widgets};

/// What is typed into the settings and not set yet.
#[derive(Default)]
pub struct SettingsState {
    profile: profile::ProfileState,
    network: network::NetworkState,
}

/// Draws the settings over the window.
pub fn show(ctx: &Context, cx: &mut Cx<'_>, state: &mut SettingsState) {
    let theme = cx.theme;
    let dismissed = widgets::dialog(ctx, theme, "Settings", |ui| {
        ui.spacing_mut().item_spacing.y = theme.sizes.space[1];
        section(ui, theme, "Appearance");
        appearance(ui, cx);
        section(ui, theme, "Profile");
        profile::show(ui, cx, &mut state.profile);
        section(ui, theme, "Network");
        network::show(ui, cx, &mut state.network);
        section(ui, theme, "About");
        about(ui, theme);
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

fn section(ui: &mut Ui, theme: &Theme, title: &str) {
    if ui.cursor().top() > ui.min_rect().top() + 1.0 {
        ui.add_space(theme.sizes.space[2]);
    }
    widgets::heading(ui, theme, title);
}

fn appearance(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let preferences = &cx.view.preferences;
    let choices = [(ThemeChoice::System, "As the system"), (ThemeChoice::Light, "Light"), (ThemeChoice::Dark, "Dark")];
    ui.horizontal(|ui| {
        for (choice, label) in choices {
            if widgets::chip(ui, theme, label, preferences.theme == choice).clicked() {
                cx.act(Action::SetTheme(choice));
            }
        }
    });
    ui.horizontal(|ui| {
        widgets::body(ui, theme, "Size");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            zoom_button(ui, cx, Icon::Add, "Larger", Command::ZoomIn);
            widgets::body(ui, theme, &format!("{} %", cx.view.preferences.zoom));
            zoom_button(ui, cx, Icon::Minus, "Smaller", Command::ZoomOut);
        });
    });
    let reduced = cx.view.preferences.reduced_motion;
    if widgets::switch(ui, theme, "Reduce motion", reduced).clicked() {
        cx.act(Action::SetReducedMotion(!reduced));
    }
}

fn zoom_button(ui: &mut Ui, cx: &mut Cx<'_>, icon: Icon, name: &str, command: Command) {
    let clicked = widgets::icon_button(ui, cx.theme, icon, name).clicked();
    if clicked && let Some(action) = command.wish(cx.view, None) {
        cx.act(action);
    }
}

fn about(ui: &mut Ui, theme: &Theme) {
    widgets::small(ui, theme, concat!("Sotto ", env!("CARGO_PKG_VERSION")));
    let licence = "Free software, under the MIT or the Apache 2.0 licence, as you like. Inter is under the SIL Open Font \
                   Licence.";
    widgets::paragraph(ui, theme, licence);
}
