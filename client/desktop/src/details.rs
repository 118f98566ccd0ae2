//! Who a contact is: name, state, the safety number, and how to be rid of them.

use egui::{Align, Layout, ScrollArea, Ui, vec2};
use sotto_driver::{ContactId, ContactState};

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    icons::{self, Icon},
    view::Conversation,
    widgets::{self, Kind},
};

/// Draws the details of `contact` over the whole of `ui`.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, contact: ContactId) {
    let conversations = cx.view.conversations.clone();
    let Some(conversation) = conversations.iter().find(|conversation| conversation.id == contact) else { return };
    let theme = cx.theme;
    ui.spacing_mut().item_spacing = vec2(theme.sizes.space[1], 0.0);
    header(ui, cx);
    ScrollArea::vertical().id_salt("details").auto_shrink(false).show(ui, |ui| {
        egui::Frame::new().inner_margin(egui::Margin::symmetric(20, 8)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme.sizes.space[1];
            who(ui, cx, conversation);
            ui.add_space(theme.sizes.space[2]);
            safety(ui, cx, conversation);
            ui.add_space(theme.sizes.space[2]);
            end(ui, cx, conversation);
        });
    });
}

fn header(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), theme.sizes.header),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.set_height(theme.sizes.header);
            ui.add_space(theme.sizes.space[3]);
            widgets::heading(ui, theme, "Details");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.add_space(theme.sizes.space[1]);
                if widgets::icon_button(ui, theme, Icon::Close, "Close details").clicked() {
                    cx.act(Action::ToggleDetails);
                }
            });
        },
    );
}

fn who(ui: &mut Ui, cx: &Cx<'_>, conversation: &Conversation) {
    let theme = cx.theme;
    ui.vertical_centered(|ui| {
        widgets::avatar(ui, theme, &conversation.name, conversation.id.as_bytes(), 72.0);
        ui.add_space(theme.sizes.space[0]);
        widgets::title(ui, theme, &conversation.name);
        widgets::small(ui, theme, state(conversation));
    });
}

fn safety(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    let theme = cx.theme;
    let (icon, color, words) = if conversation.verified {
        (Icon::ShieldFilled, theme.colors.success, "You compared safety numbers.")
    } else {
        (Icon::Shield, theme.colors.dim, "You have not compared safety numbers yet.")
    };
    widgets::card(ui, theme, |ui| {
        ui.horizontal_top(|ui| {
            icons::show(ui, icon, theme.sizes.title, color);
            widgets::small(ui, theme, words);
        });
        ui.add_space(theme.sizes.space[0]);
        let label = if conversation.verified { "Compare again" } else { "Compare numbers" };
        if widgets::button_wide(ui, theme, Kind::Quiet, label).clicked() {
            cx.act(Action::Open(Dialog::Verify(conversation.id)));
        }
    });
}

fn end(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    let theme = cx.theme;
    if conversation.state == ContactState::Blocked {
        widgets::paragraph(ui, theme, "Nothing of theirs reaches you. They are not told.");
        return;
    }
    if widgets::button_wide(ui, theme, Kind::Danger, "Block").clicked() {
        cx.act(Action::Open(Dialog::ConfirmBlock(conversation.id)));
    }
}

fn state(conversation: &Conversation) -> &'static str {
    if conversation.held {
        return "Sending is paused until you choose";
    }
    match conversation.state {
        ContactState::Connecting => "Connecting",
        ContactState::Requested => "Has not answered yet",
        ContactState::Incoming => "Wants to talk to you",
        ContactState::Connected => "Connected",
        ContactState::Declined => "Declined",
        ContactState::Blocked => "Blocked",
        ContactState::LinkDead => "Their link leads nowhere any more: ask for a new one",
        ContactState::Unreachable => "Cannot be reached any more: ask for a new link",
        ContactState::LinkForged => "Their link was forged or damaged: nothing was sent",
    }
}
