//! Text that is not edited, by weight.

use std::sync::Arc;

use egui::{
    Align, Color32, FontId, Galley, Label, Response, RichText, TextWrapMode, Ui,
    text::{LayoutJob, TextWrapping},
};

use crate::theme::{Theme, regular, semibold};

/// A screen's or a dialog's title: 20, semibold.
pub fn title(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, semibold(theme.sizes.title), theme.colors.text)
}

/// A part's title: 16, semibold.
pub fn heading(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, semibold(theme.sizes.heading), theme.colors.text)
}

/// A name: 14, semibold.
pub fn strong(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, semibold(theme.sizes.body), theme.colors.text)
}

/// Text: 14.
pub fn body(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, regular(theme.sizes.body), theme.colors.text)
}

/// Text of less weight: 13.
pub fn small(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, regular(theme.sizes.small), theme.colors.secondary)
}

/// What stands over a field or beside a value: 12.
pub fn caption(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, regular(theme.sizes.caption), theme.colors.secondary)
}

/// A hint: 12, dim.
pub fn dim(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, regular(theme.sizes.caption), theme.colors.dim)
}

/// What went wrong: 13.
pub fn danger(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    plain(ui, text, regular(theme.sizes.small), theme.colors.danger)
}

/// A sentence or two over the whole width, to the left: 13.
pub fn paragraph(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    wide(ui, theme, text, Align::Min)
}

/// A sentence or two over the whole width, in the middle: 13.
pub fn centered(ui: &mut Ui, theme: &Theme, text: &str) -> Response {
    wide(ui, theme, text, Align::Center)
}

/// One line that ends in an ellipsis where it does not fit.
pub fn elided(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    let label = Label::new(RichText::new(text).font(font).color(color));
    ui.add(label.selectable(false).wrap_mode(TextWrapMode::Truncate))
}

/// One line laid out for a painter, elided where it is wider than `width`.
#[must_use]
pub fn line(ui: &Ui, width: f32, text: &str, font: FontId, color: Color32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}

fn plain(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    ui.add(Label::new(RichText::new(text).font(font).color(color)).selectable(false).wrap())
}

fn wide(ui: &mut Ui, theme: &Theme, text: &str, align: Align) -> Response {
    let text =
        RichText::new(text).font(regular(theme.sizes.small)).color(theme.colors.secondary).line_height(Some(20.0));
    let size = egui::vec2(ui.available_width(), 0.0);
    let layout = egui::Layout::top_down(align);
    ui.allocate_ui_with_layout(size, layout, |ui| ui.add(Label::new(text).selectable(false).wrap().halign(align))).inner
}
