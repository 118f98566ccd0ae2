//! "You're ready": the link of a new profile, shown once, before there is anybody to talk to.

use egui::Ui;

use super::{invitation::link_box, page::Page};
use crate::{
    action::{Action, Dialog},
    cx::Cx,
    widgets::{self, Kind},
};

/// Whether the screen is due, and what was asked.
#[derive(Default)]
pub(super) struct ReadyState {
    due: bool,
    asked: bool,
    focused: bool,
}

impl ReadyState {
    /// A profile was made.
    pub(super) fn begin(&mut self) {
        *self = Self { due: true, ..Self::default() };
    }

    /// Whether the screen is to be drawn.
    pub(super) const fn is_due(&self) -> bool {
        self.due
    }
}

/// Draws the screen.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut ReadyState) {
    let theme = cx.theme;
    let view = cx.view;
    // Who came by a link has somebody to talk to; the window asks about the link.
    if view.preview.is_some() {
        state.due = false;
        return;
    }
    if !state.asked && view.invitation.is_none() {
        cx.act(Action::Invite { once: true });
    }
    state.asked = true;
    let name = view.account.as_ref().map(|account| account.name.as_str()).unwrap_or_default();
    let mut page = Page::begin(ui, theme, 3);
    page.content(|ui| {
        widgets::title(ui, theme, &format!("You're ready, {name}"));
        ui.add_space(theme.sizes.space[2]);
        widgets::centered(ui, theme, "Show this code, or send the link to one person you want to talk to.");
        ui.add_space(theme.sizes.space[3]);
        link_box(ui, cx, view.invitation.as_ref());
    });
    page.actions(|ui| {
        let there = view.invitation.is_some();
        let copy = ui.add_enabled_ui(there, |ui| widgets::button_wide(ui, theme, Kind::Primary, "Copy link")).inner;
        if there && !state.focused {
            copy.request_focus();
            state.focused = true;
        }
        if copy.clicked()
            && let Some(invitation) = &view.invitation
        {
            cx.act(Action::Copy(invitation.link.clone()));
        }
        if widgets::button_wide(ui, theme, Kind::Quiet, "I have a link from someone").clicked() {
            state.due = false;
            cx.act(Action::Open(Dialog::AddContact));
        }
        if widgets::button_wide(ui, theme, Kind::Quiet, "Done").clicked() {
            state.due = false;
        }
    });
}
