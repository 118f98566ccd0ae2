//! Our own link as text and as a picture: one-time for one person, or the contact address for many.

use egui::{Context, Frame, Margin, Stroke, Ui};

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    theme::regular,
    view::Invitation,
    widgets::{self, Kind},
};

/// A QR code's side.
const CODE: f32 = 176.0;

/// What was asked for.
#[derive(Default)]
pub(super) struct InvitationState {
    /// The kind that was asked for last; none before the first.
    asked: Option<bool>,
}

/// Draws the dialog.
pub(super) fn show(ctx: &Context, cx: &mut Cx<'_>, state: &mut InvitationState) {
    let theme = cx.theme;
    let view = cx.view;
    if state.asked.is_none() {
        ask(cx, state, true);
    }
    let once = state.asked.unwrap_or(true);
    let invitation = view.invitation.as_ref().filter(|invitation| invitation.once == once);
    let switched_off = !once && view.account.as_ref().is_some_and(|account| !account.address_on);
    let dismissed = widgets::dialog(ctx, theme, "Invite someone", |ui| {
        ui.horizontal(|ui| {
            for (kind, label) in [(true, "For one person"), (false, "For many")] {
                if widgets::chip(ui, theme, label, once == kind).clicked() && once != kind {
                    ask(cx, state, kind);
                }
            }
        });
        widgets::paragraph(ui, theme, explanation(once));
        ui.vertical_centered(|ui| {
            if switched_off {
                widgets::paragraph(ui, theme, "Your contact address is switched off: nobody can ask through it.");
                if widgets::button_wide(ui, theme, Kind::Primary, "Switch it on").clicked() {
                    cx.act(Action::SwitchAddress(true));
                }
                return;
            }
            link_box(ui, cx, invitation);
            let copy = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Primary, "Copy link");
            let copied = ui.add_enabled_ui(invitation.is_some(), copy).inner.clicked();
            if copied && let Some(invitation) = invitation {
                cx.act(Action::Copy(invitation.link.clone()));
            }
            if once {
                if widgets::link(ui, theme, "Another one-time link").clicked() {
                    ask(cx, state, true);
                }
            } else if widgets::link(ui, theme, "Make it anew").clicked() {
                cx.act(Action::Open(Dialog::ConfirmReset));
            }
        });
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

fn ask(cx: &mut Cx<'_>, state: &mut InvitationState, once: bool) {
    state.asked = Some(once);
    cx.act(Action::Invite { once });
}

const fn explanation(once: bool) -> &'static str {
    if once {
        "This link works once. Show it to the one person, or send it where only they can read it."
    } else {
        "Your contact address: whoever has it can ask to talk to you, until you make it anew. You decide on each request."
    }
}

/// The code and the link, or the room for them while they are being made.
pub(super) fn link_box(ui: &mut Ui, cx: &Cx<'_>, invitation: Option<&Invitation>) {
    let theme = cx.theme;
    let Some(invitation) = invitation else {
        ui.allocate_space(egui::Vec2::splat(CODE));
        widgets::dim(ui, theme, "Making your link…");
        return;
    };
    widgets::qr(ui, theme, &invitation.qr, whole_modules(invitation.qr.size));
    shown(ui, cx, &invitation.link);
    if !invitation.usable {
        widgets::dim(ui, theme, "It works once your relay is reached.");
    }
}

/// About [`CODE`], so that each module, those of the quiet zone too, has a whole number of points.
fn whole_modules(size: usize) -> f32 {
    let modules = size as f32 + 8.0;
    modules * (CODE / modules).round().max(2.0)
}

/// The link in a box that looks like a field, its end cut off; copying gives the whole.
fn shown(ui: &mut Ui, cx: &Cx<'_>, link: &str) {
    let theme = cx.theme;
    Frame::new()
        .fill(theme.colors.field)
        .stroke(Stroke::new(1.0, theme.colors.border))
        .corner_radius(theme.sizes.radius[2])
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            widgets::elided(ui, link, regular(theme.sizes.body), theme.colors.secondary);
        });
}
