//! Something that is on or off.

use egui::{Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{focus_ring, line};
use crate::theme::{Theme, regular};

/// A line over the whole width: what it is about, and the switch at the right. Answers a click; the value is the caller's.
pub fn switch(ui: &mut Ui, theme: &Theme, label: &str, on: bool) -> Response {
    let colors = &theme.colors;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, on, label));
    let (track, knob) = (vec2(38.0, 22.0), 8.0);
    let track = egui::Rect::from_center_size(pos2(rect.right() - track.x / 2.0 - 2.0, rect.center().y), track);
    let words = line(ui, track.left() - rect.left() - 12.0, label, regular(theme.sizes.body), colors.text);
    let place = pos2(rect.left() + 2.0, rect.center().y - words.size().y / 2.0);
    ui.painter().galley(place, words, colors.text);
    let share = ui.ctx().animate_bool_responsive(response.id, on);
    ui.painter().rect_filled(track, track.height() / 2.0, colors.border.lerp_to_gamma(colors.accent, share));
    let x = egui::lerp(track.left() + 11.0..=track.right() - 11.0, share);
    ui.painter().circle_filled(pos2(x, track.center().y), knob, colors.background);
    focus_ring(ui, theme, &response, theme.sizes.radius[1]);
    response
}
