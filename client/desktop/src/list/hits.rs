//! What a search found: people by name at once, messages as the backend finds them.

use egui::{Role, ScrollArea, Ui, pos2, vec2};

use crate::{
    action::Action,
    cx::Cx,
    theme::{regular, semibold},
    view::{Anchor, Conversation, Hit},
    when::Calendar,
    widgets,
};

/// Draws what `query` found.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, query: &str) {
    let view = cx.view;
    let people = matching(&view.conversations, query);
    let search = view.search.as_ref().filter(|search| search.query == query);
    let hits = search.map_or(&[][..], |search| &search.hits);
    ui.add_space(cx.theme.sizes.space[1]);
    if people.is_empty() && search.is_some_and(|search| search.hits.is_empty()) {
        ui.add_space(cx.theme.sizes.space[4]);
        widgets::centered(ui, cx.theme, "Nothing found.");
        return;
    }
    let calendar = Calendar::new(&view.clock);
    ScrollArea::vertical().id_salt("hits").auto_shrink(false).show(ui, |ui| {
        if !people.is_empty() {
            title(ui, cx, "Chats");
            for conversation in people {
                person(ui, cx, conversation);
            }
        }
        if !hits.is_empty() {
            title(ui, cx, "Messages");
            for hit in hits {
                message(ui, cx, hit, &calendar);
            }
        }
    });
}

/// Those whose name holds every word, the first few.
pub(crate) fn matching<'a>(conversations: &'a [Conversation], query: &str) -> Vec<&'a Conversation> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let fits = |conversation: &&Conversation| {
        let name = conversation.name.to_lowercase();
        !words.is_empty() && words.iter().all(|word| name.contains(word))
    };
    conversations.iter().filter(fits).take(PEOPLE_MAX).collect()
}

fn title(ui: &mut Ui, cx: &Cx<'_>, text: &str) {
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        ui.add_space(16.0);
        widgets::caption(ui, cx.theme, text);
    });
    ui.add_space(4.0);
}

fn person(ui: &mut Ui, cx: &mut Cx<'_>, conversation: &Conversation) {
    let theme = cx.theme;
    let (rect, response) = place(ui, cx, 52.0, &conversation.name);
    let avatar = egui::Rect::from_center_size(pos2(rect.left() + 30.0, rect.center().y), vec2(36.0, 36.0));
    widgets::paint_avatar(ui.painter(), theme, &conversation.name, conversation.id.as_bytes(), avatar);
    let left = avatar.right() + 12.0;
    let (font, color) = (semibold(theme.sizes.body), theme.colors.text);
    let name = widgets::line(ui, rect.right() - left - 12.0, &conversation.name, font, color);
    ui.painter().galley(pos2(left, rect.center().y - name.size().y / 2.0), name, color);
    if response.clicked() {
        cx.act(Action::Select(conversation.id));
    }
}

fn message(ui: &mut Ui, cx: &mut Cx<'_>, hit: &Hit, calendar: &Calendar) {
    let (sizes, colors) = (&cx.theme.sizes, &cx.theme.colors);
    let (rect, response) = place(ui, cx, 56.0, &format!("{}: {}", hit.name, hit.text));
    let inner = rect.shrink2(vec2(12.0, 0.0));
    let (upper, lower) = (rect.center().y - 10.0, rect.center().y + 10.0);
    let time = calendar.brief(hit.time);
    let right = pos2(inner.right(), upper);
    let time = ui.painter().text(right, egui::Align2::RIGHT_CENTER, time, regular(sizes.caption), colors.dim);
    let name = widgets::line(ui, time.left() - inner.left() - 8.0, &hit.name, semibold(sizes.small), colors.text);
    ui.painter().galley(pos2(inner.left(), upper - name.size().y / 2.0), name, colors.text);
    let text = widgets::line(ui, inner.width(), &hit.text, regular(sizes.small), colors.secondary);
    ui.painter().galley(pos2(inner.left(), lower - text.size().y / 2.0), text, colors.secondary);
    if response.clicked() {
        cx.act(Action::Select(hit.chat));
        cx.act(Action::MoveWindow(Anchor::Around(hit.message)));
    }
}

fn place(ui: &mut Ui, cx: &Cx<'_>, height: f32, name: &str) -> (egui::Rect, egui::Response) {
    let theme = cx.theme;
    let size = vec2(ui.available_width(), height);
    let (rect, response) = widgets::control(ui, size, Role::Button, name, None);
    let rect = rect.shrink2(vec2(6.0, 0.0));
    let fill = theme.colors.hover.gamma_multiply(widgets::warmth(ui, &response));
    ui.painter().rect_filled(rect, theme.sizes.radius[1], fill);
    widgets::focus_ring(ui, theme, &response, theme.sizes.radius[1]);
    (rect, response)
}

/// More names than these need another letter.
const PEOPLE_MAX: usize = 20;
