//! Questions before what cannot be taken back.

use egui::Context;
use sotto_driver::ContactId;

use crate::{
    action::Action,
    cx::Cx,
    widgets::{self, Kind},
};

/// Before a contact is blocked.
pub(super) fn block(ctx: &Context, cx: &mut Cx<'_>, contact: &ContactId) {
    let Some(conversation) = cx.view.conversations.iter().find(|conversation| conversation.id == *contact) else {
        cx.act(Action::Back);
        return;
    };
    let name = &conversation.name;
    let question = Question {
        title: &format!("Block {name}?"),
        text: "Nothing more is taken from them, and they are not told. What was written so far stays here.",
        yes: "Block",
    };
    ask(ctx, cx, &question, Action::Block(*contact));
}

/// Before the contact address is made anew.
pub(super) fn reset(ctx: &Context, cx: &mut Cx<'_>) {
    let question = Question {
        title: "Make a new contact address?",
        text: "The old link leads nowhere then, wherever you have published it. Your contacts stay.",
        yes: "Make it anew",
    };
    ask(ctx, cx, &question, Action::ResetAddress);
}

struct Question<'a> {
    title: &'a str,
    text: &'a str,
    yes: &'a str,
}

/// The answer that changes nothing comes last and has no colour.
fn ask(ctx: &Context, cx: &mut Cx<'_>, question: &Question<'_>, action: Action) {
    let theme = cx.theme;
    let mut yes = false;
    let mut no = false;
    let dismissed = widgets::dialog(ctx, theme, question.title, |ui| {
        widgets::paragraph(ui, theme, question.text);
        yes = widgets::button_wide(ui, theme, Kind::Danger, question.yes).clicked();
        no = widgets::button_wide(ui, theme, Kind::Quiet, "Cancel").clicked();
    });
    if yes {
        cx.act(action);
    }
    if yes || no || dismissed {
        cx.act(Action::Back);
    }
}
