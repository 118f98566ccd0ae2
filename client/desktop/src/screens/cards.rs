//! Cards that remind once of what is worth doing, and can be put away.

use egui::Ui;

use crate::{
    action::{Action, Card, Dialog},
    cx::Cx,
    icons::Icon,
    widgets,
};

/// Draws those that are due, as wide as there is room.
pub fn cards(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let view = cx.view;
    for card in &view.cards {
        let (title, text, dialog) = match card {
            Card::RecoveryKey => {
                ("Keep a recovery key", "It opens your messages when nothing else does.", Dialog::RecoveryKey)
            }
            Card::Passphrase => ("Add a passphrase", "For the day the system's keyring is lost.", Dialog::Passphrase),
        };
        widgets::card(ui, theme, |ui| {
            ui.horizontal(|ui| {
                widgets::strong(ui, theme, title);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if widgets::icon_button(ui, theme, Icon::Close, &format!("Put away: {title}")).clicked() {
                        cx.act(Action::DismissCard(*card));
                    }
                });
            });
            widgets::small(ui, theme, text);
            if widgets::link(ui, theme, "Do it now").clicked() {
                cx.act(Action::Open(dialog));
            }
        });
    }
}
