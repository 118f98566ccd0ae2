//! Things set apart from what surrounds them.

use egui::{Frame, InnerResponse, Margin, Stroke, Ui};

use crate::theme::Theme;

/// A bordered box over the whole width.
pub fn card<R>(ui: &mut Ui, theme: &Theme, contents: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    Frame::new()
        .fill(theme.colors.background)
        .stroke(Stroke::new(1.0, theme.colors.border))
        .corner_radius(theme.sizes.radius[2])
        .inner_margin(Margin::same(16))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            contents(ui)
        })
}

/// An amber box over the whole width: something to decide or to know.
pub fn banner<R>(ui: &mut Ui, theme: &Theme, contents: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    Frame::new()
        .fill(theme.colors.warning_background)
        .corner_radius(theme.sizes.radius[1])
        .inner_margin(Margin::symmetric(12, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.visuals_mut().override_text_color = Some(theme.colors.warning_text);
            contents(ui)
        })
}
