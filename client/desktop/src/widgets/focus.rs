//! The ring around what has the keyboard.

use egui::{Response, Stroke, StrokeKind, Ui};

use crate::theme::Theme;

/// Draws the ring if `response` has the keyboard. `radius` is the control's own.
pub fn focus_ring(ui: &Ui, theme: &Theme, response: &Response, radius: f32) {
    if response.has_focus() {
        let stroke = Stroke::new(theme.sizes.ring, theme.colors.focus);
        // Inside the control, because panes clip what stands out of them.
        ui.painter().rect_stroke(response.rect, radius, stroke, StrokeKind::Inside);
    }
}
