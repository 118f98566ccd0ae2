//! The rail at the left: whose profile this is, the conversations, the lock and the settings.

use egui::{Layout, Role, Sense, Ui, WidgetInfo, vec2};

use crate::{
    action::{Action, Dialog},
    cx::Cx,
    icons::Icon,
    widgets,
};

/// Draws the rail over the whole of `ui`.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let button = vec2(40.0, 40.0);
    ui.spacing_mut().item_spacing.y = theme.sizes.space[1];
    ui.with_layout(Layout::top_down(egui::Align::Center), |ui| {
        ui.add_space(theme.sizes.space[1]);
        profile(ui, cx);
        ui.add_space(theme.sizes.space[2]);
        if widgets::toggle(ui, theme, Icon::Chats, "Chats", button, Some(true)).clicked() {
            cx.act(Action::Focus(crate::action::Place::List));
        }
    });
    ui.with_layout(Layout::bottom_up(egui::Align::Center), |ui| {
        ui.add_space(theme.sizes.space[2]);
        if widgets::toggle(ui, theme, Icon::Settings, "Settings", button, None).clicked() {
            cx.act(Action::Open(Dialog::Settings));
        }
        if widgets::toggle(ui, theme, Icon::Lock, "Lock", button, None).clicked() {
            cx.act(Action::Lock);
        }
    });
}

fn profile(ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = cx.theme;
    let (name, id) =
        cx.view.account.as_ref().map_or(("", &[][..]), |account| (&account.name[..], &account.id.as_bytes()[..]));
    let (rect, response) = ui.allocate_exact_size(vec2(44.0, 44.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Profiles"));
    let circle = egui::Rect::from_center_size(rect.center(), vec2(36.0, 36.0));
    widgets::paint_avatar(ui.painter(), theme, name, id, circle);
    widgets::focus_ring(ui, theme, &response, rect.width() / 2.0);
    if response.on_hover_text("Profiles").clicked() {
        cx.act(Action::Open(Dialog::Profiles));
    }
}
