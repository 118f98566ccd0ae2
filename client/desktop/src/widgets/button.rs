//! What can be pressed.

use egui::{
    Align2, Color32, FontId, Id, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    emath::GuiRounding as _, vec2,
};

use super::{focus_ring, line};
use crate::{
    icons::Icon,
    theme::{Theme, regular, semibold},
};

/// A button's weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What most people want next. One a screen.
    Primary,
    /// Anything else.
    Quiet,
    /// What destroys.
    Danger,
}

/// A button as wide as its label.
pub fn button(ui: &mut Ui, theme: &Theme, kind: Kind, label: &str) -> Response {
    let font = semibold(theme.sizes.body);
    let text = ui.painter().layout_no_wrap(label.to_owned(), font, theme.colors.text).size().x;
    sized(ui, theme, kind, label, (text + 2.0 * PADDING).max(96.0).round_ui())
}

/// A button over the whole width.
pub fn button_wide(ui: &mut Ui, theme: &Theme, kind: Kind, label: &str) -> Response {
    let width = ui.available_width();
    sized(ui, theme, kind, label, width)
}

fn sized(ui: &mut Ui, theme: &Theme, kind: Kind, label: &str, width: f32) -> Response {
    let (rect, response) = control(ui, vec2(width, HEIGHT), Role::Button, label, None);
    let colors = &theme.colors;
    let (fill, text) = match kind {
        Kind::Primary => (colors.accent, colors.on_accent),
        Kind::Quiet => (colors.quiet_button, colors.text),
        Kind::Danger => (colors.quiet_button, colors.danger),
    };
    let over = if kind == Kind::Primary { colors.text } else { colors.selected };
    let amount = if kind == Kind::Primary { 0.14 } else { 0.6 };
    let fill = mix(fill, over, amount * warmth(ui, &response));
    // What is disabled is faded by the painter.
    ui.painter().rect_filled(rect, HEIGHT / 2.0, fill);
    fitted(ui, rect.shrink2(vec2(10.0, 0.0)), label, semibold(theme.sizes.body), text);
    if kind == Kind::Primary && response.has_focus() {
        // The ring has the accent's colour: a line of the background sets it off.
        let stroke = Stroke::new(theme.sizes.ring, colors.background);
        let inner = rect.shrink(theme.sizes.ring);
        ui.painter().rect_stroke(inner, HEIGHT / 2.0 - theme.sizes.ring, stroke, StrokeKind::Inside);
    }
    focus_ring(ui, theme, &response, HEIGHT / 2.0);
    response
}

/// A button that is an icon: 36 a side, its name in a tooltip.
pub fn icon_button(ui: &mut Ui, theme: &Theme, icon: Icon, name: &str) -> Response {
    toggle(ui, theme, icon, name, vec2(36.0, 36.0), None)
}

/// A button that is an icon, of any size; `on` for one of several of which one is chosen.
pub fn toggle(ui: &mut Ui, theme: &Theme, icon: Icon, name: &str, size: egui::Vec2, on: Option<bool>) -> Response {
    let (rect, response) = control(ui, size, Role::Button, name, on);
    let colors = &theme.colors;
    let radius = theme.sizes.radius[2];
    let chosen = on == Some(true);
    let fill = if chosen { colors.selected } else { colors.hover.gamma_multiply(warmth(ui, &response)) };
    ui.painter().rect_filled(rect, radius, fill);
    let fade = if ui.is_enabled() { 1.0 } else { 0.4 };
    let color = if chosen { colors.accent } else { colors.secondary.gamma_multiply(fade) };
    icon.paint_at(ui.painter(), rect.center(), 20.0, color);
    focus_ring(ui, theme, &response, radius);
    response.on_hover_text(name)
}

/// Words that can be pressed.
pub fn link(ui: &mut Ui, theme: &Theme, label: &str) -> Response {
    let font = regular(theme.sizes.small);
    let text = ui.painter().layout_no_wrap(label.to_owned(), font.clone(), theme.colors.accent).size();
    let (rect, response) =
        control(ui, vec2((text.x + 8.0).max(theme.sizes.hit), theme.sizes.hit), Role::Link, label, None);
    let color = mix(theme.colors.accent, theme.colors.text, 0.3 * warmth(ui, &response));
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, label, font, color);
    focus_ring(ui, theme, &response, theme.sizes.radius[1]);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// One of a few filters: 28 high, 32 where it is hit.
pub fn chip(ui: &mut Ui, theme: &Theme, label: &str, on: bool) -> Response {
    let colors = &theme.colors;
    let font = regular(theme.sizes.caption);
    let text = ui.painter().layout_no_wrap(label.to_owned(), font.clone(), colors.text).size().x;
    let size = vec2((text + 24.0).max(theme.sizes.hit).round_ui(), theme.sizes.hit);
    let (rect, response) = control(ui, size, Role::Button, label, Some(on));
    let pill = rect.shrink2(vec2(0.0, 2.0));
    let fill = if on { colors.accent } else { mix(colors.quiet_button, colors.selected, 0.6 * warmth(ui, &response)) };
    ui.painter().rect_filled(pill, pill.height() / 2.0, fill);
    let color = if on { colors.on_accent } else { colors.secondary };
    ui.painter().text(pill.center(), Align2::CENTER_CENTER, label, font, color);
    focus_ring(ui, theme, &response, rect.height() / 2.0);
    response
}

/// A line over the whole width that can be pressed: an icon, a label, and at the right a hint.
pub fn row_button(ui: &mut Ui, theme: &Theme, icon: Option<Icon>, label: &str, hint: &str, on: bool) -> Response {
    let colors = &theme.colors;
    let size = vec2(ui.available_width(), 40.0);
    let (rect, response) = control(ui, size, Role::Button, label, on.then_some(true));
    let fill = if on { colors.selected } else { colors.hover.gamma_multiply(warmth(ui, &response)) };
    ui.painter().rect_filled(rect, theme.sizes.radius[1], fill);
    let mut inner = rect.shrink2(vec2(12.0, 0.0));
    if let Some(icon) = icon {
        let side = Rect::from_min_size(inner.min, vec2(20.0, inner.height()));
        icon.paint_at(ui.painter(), side.center(), 18.0, colors.secondary);
        inner.min.x += 32.0;
    }
    let font = regular(theme.sizes.caption);
    let right = ui.painter().text(inner.right_center(), Align2::RIGHT_CENTER, hint, font, colors.dim);
    inner.max.x = right.min.x - 8.0;
    leading(ui, inner, label, regular(theme.sizes.body), colors.text);
    focus_ring(ui, theme, &response, theme.sizes.radius[1]);
    response
}

/// The place and the events of a control, named.
pub(crate) fn control(ui: &mut Ui, size: egui::Vec2, role: Role, name: &str, on: Option<bool>) -> (Rect, Response) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| match on {
        Some(on) => WidgetInfo::selected(role, enabled, on, name),
        None => WidgetInfo::labeled(role, enabled, name),
    });
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
    (rect, response)
}

/// 0 at rest, 1 under the pointer, faded in between.
pub(crate) fn warmth(ui: &Ui, response: &Response) -> f32 {
    let id: Id = response.id.with("warmth");
    let on = response.hovered() && ui.is_enabled();
    let warmth = ui.ctx().animate_bool_responsive(id, on);
    if response.is_pointer_button_down_on() { 1.0 } else { warmth * 0.8 }
}

fn mix(from: Color32, to: Color32, amount: f32) -> Color32 {
    from.lerp_to_gamma(to, amount)
}

/// One line in the middle of `rect`, elided where it does not fit.
fn fitted(ui: &Ui, rect: Rect, text: &str, font: FontId, color: Color32) {
    let galley = line(ui, rect.width(), text, font, color);
    let place = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect).min;
    ui.painter().galley(place.round_ui(), galley, color);
}

/// One line at the left of `rect`, elided where it does not fit.
fn leading(ui: &Ui, rect: Rect, text: &str, font: FontId, color: Color32) {
    let galley = line(ui, rect.width(), text, font, color);
    let place = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), rect).min;
    ui.painter().galley(place.round_ui(), galley, color);
}

/// A button's height.
const HEIGHT: f32 = 40.0;
/// Beside a button's label.
const PADDING: f32 = 20.0;
