//! Compare safety numbers: the digits and their code side by side, or a picture of the other's code.

use egui::{Context, Ui};
use sotto_driver::ContactId;

use super::said::{exact, success};
use crate::{
    action::Action,
    backend::code,
    cx::Cx,
    view::{Conversation, PictureResult, QrImage},
    widgets::{self, Kind},
};

/// The code's side: about as high as the digits.
const CODE: f32 = 150.0;
/// Groups of digits in a line.
const GROUPS: usize = 3;

/// The code of the number that is shown.
#[derive(Default)]
pub(super) struct VerifyState {
    code: Option<(String, QrImage)>,
}

/// Draws the dialog.
pub(super) fn show(ctx: &Context, cx: &mut Cx<'_>, contact: &ContactId, state: &mut VerifyState) {
    let theme = cx.theme;
    let view = cx.view;
    let Some(conversation) = view.conversations.iter().find(|conversation| conversation.id == *contact) else {
        cx.act(Action::Back);
        return;
    };
    let name = &conversation.name;
    let dismissed = widgets::dialog(ctx, theme, &format!("Verify {name}"), |ui| {
        let how = format!("Compare these numbers with the ones on {name}'s screen, best by voice or side by side.");
        widgets::paragraph(ui, theme, &how);
        number(ui, cx, conversation, state);
        result(ui, cx, view.picture.as_ref());
        answers(ui, cx, conversation);
    });
    if dismissed {
        cx.act(Action::Back);
    }
}

/// Digits on the left, their code on the right.
fn number(ui: &mut Ui, cx: &Cx<'_>, conversation: &Conversation, state: &mut VerifyState) {
    let theme = cx.theme;
    let number = &conversation.safety_number;
    if state.code.as_ref().is_none_or(|(shown, _)| shown != number) {
        // Digits without spaces: what `Action::Compare` looks for in a picture.
        let digits: String = number.split_whitespace().collect();
        state.code = code(&digits).map(|code| (number.clone(), code));
    }
    ui.horizontal(|ui| {
        ui.vertical(|ui| {
            let groups: Vec<&str> = number.split_whitespace().collect();
            for line in groups.chunks(GROUPS) {
                exact(ui, cx, &line.join("  "), theme.sizes.heading);
            }
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if let Some((_, code)) = &state.code {
                widgets::qr(ui, theme, code, CODE);
            }
        });
    });
}

/// What a picture of their code said.
fn result(ui: &mut Ui, cx: &Cx<'_>, picture: Option<&PictureResult>) {
    let theme = cx.theme;
    match picture {
        None => {}
        Some(PictureResult::Same) => success(ui, cx, "The picture shows the same number."),
        Some(PictureResult::Different) => {
            let alarm = "The picture shows another number. Someone may stand between you: do not write secrets here.";
            widgets::danger(ui, theme, alarm);
        }
        Some(PictureResult::Unreadable(why)) => {
            widgets::danger(ui, theme, why);
        }
    }
}

fn answers(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    let theme = cx.theme;
    let different = cx.view.picture == Some(PictureResult::Different);
    if conversation.verified {
        success(ui, cx, "You have compared this number before.");
    } else {
        let button = |ui: &mut Ui| widgets::button_wide(ui, theme, Kind::Primary, "They match");
        if ui.add_enabled_ui(!different, button).inner.clicked() {
            cx.act(Action::Verify(conversation.id));
            cx.act(Action::Back);
        }
    }
    if widgets::button_wide(ui, theme, Kind::Quiet, "Scan a picture of their code").clicked() {
        cx.act(Action::ChoosePicture);
    }
}
