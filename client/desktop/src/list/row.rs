//! One conversation of the list: 68 high.

use egui::{Align2, Color32, Id, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use sotto_driver::{ContactId, MessageStatus};

use super::preview::{self, Tone};
use crate::{
    action::{Action, Dialog},
    cx::Cx,
    icons::Icon,
    theme::{regular, semibold},
    view::Conversation,
    when::Calendar,
    widgets,
};

/// Where a row keeps its focus.
pub(super) fn id(contact: &ContactId) -> Id {
    Id::unique(("conversation", contact.as_bytes()))
}

/// Draws a row and answers its clicks.
pub(super) fn show(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    conversation: &Conversation,
    calendar: &Calendar,
    open: Option<ContactId>,
    narrow: bool,
) {
    let theme = cx.theme;
    let size = vec2(ui.available_width(), theme.sizes.row);
    let (_, place) = ui.allocate_space(size);
    let rect = place.shrink2(vec2(if narrow { 4.0 } else { 6.0 }, 0.0));
    let response = ui.interact(rect, id(&conversation.id), Sense::click());
    let chosen = open == Some(conversation.id);
    let name = spoken(conversation);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, chosen, &name));
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
    let colors = &theme.colors;
    let fill = if chosen { colors.selected } else { colors.hover.gamma_multiply(widgets::warmth(ui, &response)) };
    ui.painter().rect_filled(rect, theme.sizes.radius[2], fill);
    if ui.is_rect_visible(rect) {
        paint(ui, cx, conversation, calendar, rect, narrow);
    }
    widgets::focus_ring(ui, theme, &response, theme.sizes.radius[2]);
    if response.clicked() {
        cx.act(Action::Select(conversation.id));
    }
    response.context_menu(|ui| menu(ui, cx, conversation));
    if narrow {
        response.on_hover_text(name);
    }
}

fn paint(ui: &Ui, cx: &Cx<'_>, conversation: &Conversation, calendar: &Calendar, rect: Rect, narrow: bool) {
    let theme = cx.theme;
    let (sizes, colors) = (&theme.sizes, &theme.colors);
    let left = if narrow { rect.center().x - sizes.avatar / 2.0 } else { rect.left() + 12.0 };
    let avatar =
        Rect::from_min_size(pos2(left, rect.center().y - sizes.avatar / 2.0), vec2(sizes.avatar, sizes.avatar));
    widgets::paint_avatar(ui.painter(), theme, &conversation.name, conversation.id.as_bytes(), avatar);
    if narrow {
        if conversation.unread > 0 {
            badge(ui, cx, conversation.unread, pos2(avatar.right() + 4.0, avatar.top() + 8.0), Some(colors.sidebar));
        }
        return;
    }
    let words = rect.with_min_x(avatar.right() + 12.0).with_max_x(rect.right() - 12.0);
    let (upper, lower) = (rect.center().y - 10.0, rect.center().y + 10.0);
    first_line(ui, cx, conversation, calendar, words, upper);
    second_line(ui, cx, conversation, words, lower);
}

/// Name, shield, time.
fn first_line(ui: &Ui, cx: &Cx<'_>, conversation: &Conversation, calendar: &Calendar, words: Rect, y: f32) {
    let (sizes, colors) = (&cx.theme.sizes, &cx.theme.colors);
    let mut right = words.right();
    if let Some(last) = &conversation.last {
        let time = calendar.brief(last.time);
        let place = pos2(right, y);
        let drawn = ui.painter().text(place, Align2::RIGHT_CENTER, time, regular(sizes.caption), colors.dim);
        right = drawn.left() - 8.0;
    }
    let shield = if conversation.verified { 18.0 } else { 0.0 };
    let width = right - words.left() - shield;
    let name = widgets::line(ui, width, &conversation.name, semibold(sizes.body), colors.text);
    let end = words.left() + name.size().x;
    ui.painter().galley(pos2(words.left(), y - name.size().y / 2.0), name, colors.text);
    if conversation.verified {
        Icon::ShieldFilled.paint_at(ui.painter(), pos2(end + 11.0, y), 14.0, colors.success);
    }
}

/// How far, what, how many.
fn second_line(ui: &Ui, cx: &Cx<'_>, conversation: &Conversation, words: Rect, y: f32) {
    let (sizes, colors) = (&cx.theme.sizes, &cx.theme.colors);
    let mut words = words;
    if conversation.unread > 0 {
        words.max.x = badge(ui, cx, conversation.unread, pos2(words.right(), y), None) - 8.0;
    }
    let (text, tone, status) = preview::of(conversation);
    if let Some((icon, color)) = status.and_then(|status| tick(cx, status)) {
        icon.paint_at(ui.painter(), pos2(words.left() + 8.0, y), 16.0, color);
        words.min.x += 21.0;
    }
    if tone == Tone::Wrong {
        Icon::Warning.paint_at(ui.painter(), pos2(words.left() + 8.0, y), 15.0, colors.danger);
        words.min.x += 21.0;
    }
    let color = match tone {
        Tone::Plain => colors.secondary,
        Tone::Lively => colors.accent,
        Tone::Dim => colors.dim,
        Tone::Wrong => colors.danger,
    };
    let line = widgets::line(ui, words.width(), &text, regular(sizes.small), color);
    ui.painter().galley(pos2(words.left(), y - line.size().y / 2.0), line, color);
}

/// Draws a badge that ends at `right`; answers where it begins. `around` sets it off from what lies under it.
fn badge(ui: &Ui, cx: &Cx<'_>, count: u64, right: egui::Pos2, around: Option<Color32>) -> f32 {
    let (sizes, colors) = (&cx.theme.sizes, &cx.theme.colors);
    let text = if count > 999 { "999+".to_owned() } else { count.to_string() };
    let galley = ui.painter().layout_no_wrap(text, semibold(sizes.tiny), colors.on_accent);
    let size = vec2((galley.size().x + 10.0).max(18.0), 18.0);
    let rect = Rect::from_min_size(pos2(right.x - size.x, right.y - 9.0), size);
    if let Some(color) = around {
        ui.painter().rect_filled(rect.expand(2.0), 11.0, color);
    }
    ui.painter().rect_filled(rect, 9.0, colors.accent);
    let place = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect).min;
    ui.painter().galley(place, galley, colors.on_accent);
    rect.left()
}

fn tick(cx: &Cx<'_>, status: MessageStatus) -> Option<(Icon, Color32)> {
    let colors = &cx.theme.colors;
    match status {
        MessageStatus::Queued => Some((Icon::Clock, colors.dim)),
        MessageStatus::Sent => Some((Icon::Check, colors.dim)),
        MessageStatus::Delivered => Some((Icon::Checks, colors.dim)),
        MessageStatus::Read => Some((Icon::Checks, colors.accent)),
        MessageStatus::Received => None,
    }
}

/// What a screen reader says.
fn spoken(conversation: &Conversation) -> String {
    let (text, _, _) = preview::of(conversation);
    match conversation.unread {
        0 => format!("{}: {text}", conversation.name),
        1 => format!("{}, 1 unread message: {text}", conversation.name),
        unread => format!("{}, {unread} unread messages: {text}", conversation.name),
    }
}

fn menu(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    ui.set_width(200.0);
    let entries = [
        (Icon::Shield, "Compare numbers", Action::Open(Dialog::Verify(conversation.id))),
        (Icon::Block, "Block", Action::Open(Dialog::ConfirmBlock(conversation.id))),
    ];
    for (icon, name, action) in entries {
        if widgets::row_button(ui, cx.theme, Some(icon), name, "", false).clicked() {
            cx.act(action);
            ui.close();
        }
    }
}
