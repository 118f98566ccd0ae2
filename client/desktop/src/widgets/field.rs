//! One line of text that is typed.

use egui::{Context, Frame, Id, Margin, Response, Stroke, StrokeKind, TextEdit, Ui, text_edit::TextEditState, vec2};

use super::danger;
use crate::theme::{Theme, regular};

/// What a field is.
pub struct Field<'a> {
    /// Where egui keeps its cursor; also how the focus is sent to it.
    pub id: Id,
    /// Its name for screen readers. What is seen stands in `hint`, or in a caption over it.
    pub label: &'a str,
    /// What stands in it while it is empty.
    pub hint: &'a str,
    /// What is typed.
    pub text: &'a mut String,
    /// Dots instead of letters.
    pub password: bool,
    /// What is wrong with it, shown under it.
    pub error: Option<&'a str>,
}

/// A field over the whole width: 40 high, radius 12.
pub fn field(ui: &mut Ui, theme: &Theme, field: Field<'_>) -> Response {
    let Field { id, label, hint, text, password, error } = field;
    let colors = &theme.colors;
    let radius = theme.sizes.radius[2];
    let border = if error.is_some() { colors.danger } else { colors.border };
    let edit = TextEdit::singleline(text)
        .id(id)
        .password(password)
        .hint_text(egui::RichText::new(hint).color(colors.dim))
        .font(regular(theme.sizes.body))
        .text_color(colors.text)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, 40.0))
        .align(egui::Align2::LEFT_CENTER)
        .frame(
            Frame::new()
                .fill(colors.field)
                .stroke(Stroke::new(1.0, border))
                .corner_radius(radius)
                .inner_margin(Margin::symmetric(14, 8)),
        );
    let response = ui.add(edit).accessible_name(label);
    if response.has_focus() {
        let ring = Stroke::new(theme.sizes.ring, colors.focus);
        ui.painter().rect_stroke(response.rect, radius, ring, StrokeKind::Inside);
    }
    if password && !response.has_focus() {
        wipe_undo(ui.ctx(), id);
    }
    if let Some(error) = error {
        danger(ui, theme, error);
    }
    response
}

/// A round field over `rect` to search in: 36 high, radius 18.
pub fn search_field(ui: &mut Ui, theme: &Theme, rect: egui::Rect, id: Id, name: &str, text: &mut String) -> Response {
    let colors = &theme.colors;
    let radius = theme.sizes.radius[3];
    let frame = Frame::new()
        .fill(colors.background)
        .stroke(Stroke::new(1.0, colors.border))
        .corner_radius(radius)
        .inner_margin(Margin { left: 15, right: 40, top: 6, bottom: 6 });
    let edit = TextEdit::singleline(text)
        .id(id)
        .hint_text(egui::RichText::new(name).color(colors.dim))
        .font(regular(theme.sizes.small))
        .text_color(colors.text)
        .min_size(rect.size())
        .desired_width(rect.width())
        .align(egui::Align2::LEFT_CENTER)
        .frame(frame);
    let response = ui.put(rect, edit).accessible_name(name);
    if response.has_focus() {
        let ring = Stroke::new(theme.sizes.ring, colors.focus);
        ui.painter().rect_stroke(response.rect, radius, ring, StrokeKind::Inside);
    }
    response
}

/// Forgets what any field would undo to, where nothing that was typed may stay: a lock, another profile, a dialog that is left.
pub fn forget_typed(ctx: &Context) {
    ctx.data_mut(|data| data.remove_by_type::<TextEditState>());
}

/// Forgets what a field would undo to. A secret that was typed must not wait there.
pub fn wipe_undo(ctx: &Context, id: Id) {
    if let Some(mut state) = TextEditState::load(ctx, id) {
        state.clear_undoer();
        state.store(ctx, id);
    }
}
