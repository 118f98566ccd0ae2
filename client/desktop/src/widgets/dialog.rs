//! A dialog over the window: the rest darkens, nothing behind it takes a key or a click, Esc puts it away.

use egui::{Context, CornerRadius, Frame, Id, Margin, Modal, Role, ScrollArea, Stroke, Ui};

use super::{icon_button, title as title_label};
use crate::{icons::Icon, theme::Theme};

/// Shows a dialog, 440 wide where the window allows it. Answers whether it was put away: by Esc, by its cross, or by a
/// click beside it.
pub fn dialog(ctx: &Context, theme: &Theme, title: &str, contents: impl FnOnce(&mut Ui)) -> bool {
    let screen = ctx.content_rect().size();
    let mut closed = false;
    let dismissed = modal(ctx, theme, title, |ui, width| {
        closed = header(ui, theme, title);
        // The height of the frame before must not bound this one: a dialog grows with what is in it.
        let height = screen.y - 140.0;
        let scroll = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
        scroll.auto_shrink([false, true]).show(ui, |ui| {
            Frame::new().inner_margin(Margin { left: 32, right: 32, top: 4, bottom: 28 }).show(ui, |ui| {
                ui.set_width(width - 64.0);
                ui.spacing_mut().item_spacing.y = theme.sizes.space[2];
                contents(ui);
            });
        });
    });
    closed || dismissed
}

/// The bare box of a dialog: its contents are handed its width. Answers whether Esc or a click beside it put it away.
pub fn modal(ctx: &Context, theme: &Theme, name: &str, contents: impl FnOnce(&mut Ui, f32)) -> bool {
    let colors = &theme.colors;
    let frame = Frame::new()
        .fill(colors.background)
        .stroke(Stroke::new(1.0, colors.border))
        .corner_radius(CornerRadius::same(theme.sizes.radius[2] as u8));
    let modal = Modal::new(Id::unique(("dialog", name))).frame(frame).backdrop_color(colors.scrim);
    let answer = modal.show(ctx, |ui| {
        let width = theme.sizes.dialog.min(ctx.content_rect().width() - 32.0);
        ui.set_width(width);
        ui.ctx().accesskit_node_builder(ui.unique_id(), |node| {
            node.set_role(Role::Dialog);
            node.set_label(name);
        });
        ui.spacing_mut().item_spacing.y = 0.0;
        contents(ui, width);
    });
    answer.should_close()
}

fn header(ui: &mut Ui, theme: &Theme, title: &str) -> bool {
    let frame = Frame::new().inner_margin(Margin { left: 32, right: 12, top: 16, bottom: 8 });
    frame
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let words = egui::vec2(ui.available_width() - 44.0, 36.0);
                ui.allocate_ui_with_layout(words, egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    ui.set_width(words.x);
                    title_label(ui, theme, title);
                });
                icon_button(ui, theme, Icon::Close, "Close").clicked()
            })
            .inner
        })
        .inner
}
