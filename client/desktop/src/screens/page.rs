//! The frame of a screen that takes the whole window: a card in the middle, its buttons at the bottom, the rest scrolled
//! where the window is low.

use egui::{CornerRadius, Frame, Layout, Rect, ScrollArea, Stroke, StrokeKind, Ui, UiBuilder, Vec2, vec2};

use crate::theme::Theme;

/// The card's widest and highest.
const CARD: Vec2 = vec2(400.0, 620.0);
/// What toasts need under the card; in a lower window they lie on it.
const TOASTS: f32 = 84.0;
const LOW: f32 = 600.0;
/// Between the card's edge and what is in it.
const PADDING: i8 = 32;
/// A button's height.
const BUTTON: f32 = 40.0;

/// A card that is being filled: first [`Page::content`], then [`Page::actions`], so that Tab goes that way too.
pub(super) struct Page {
    content: Ui,
    actions: Ui,
    /// Between what is read, and between buttons.
    gaps: [f32; 2],
}

impl Page {
    /// Draws the empty card with room for so many rows of buttons.
    pub(super) fn begin(ui: &mut Ui, theme: &Theme, rows: usize) -> Self {
        let window = ui.max_rect();
        ui.painter().rect_filled(window, CornerRadius::ZERO, theme.colors.rail);
        let [_, _, gap, margin, ..] = theme.sizes.space;
        let padding = f32::from(PADDING);
        let around = if window.height() < LOW { window } else { window.with_max_y(window.bottom() - TOASTS) };
        let card = Rect::from_center_size(around.center(), CARD.min(around.size() - Vec2::splat(2.0 * gap)));
        ui.painter().rect(
            card,
            theme.sizes.radius[2],
            theme.colors.background,
            Stroke::new(1.0, theme.colors.border),
            StrokeKind::Inside,
        );
        let inside = card.shrink(padding);
        let height = rows as f32 * BUTTON + rows.saturating_sub(1) as f32 * margin;
        let split = inside.bottom() - height;
        let part = |rect| UiBuilder::new().max_rect(rect).layout(Layout::top_down(egui::Align::Center));
        // As wide as the card, so that the scroll bar lies beside the fields, not on them.
        let content = ui.new_child(part(inside.with_max_y(split - margin).expand2(vec2(padding, 0.0))));
        let actions = ui.new_child(part(inside.with_min_y(split)));
        Self { content, actions, gaps: [gap, margin] }
    }

    /// What is read and filled in.
    pub(super) fn content(&mut self, add: impl FnOnce(&mut Ui)) {
        ScrollArea::vertical().auto_shrink(false).show(&mut self.content, |ui| {
            Frame::new().inner_margin(egui::Margin::symmetric(PADDING, 0)).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = self.gaps[0];
                ui.with_layout(Layout::top_down(egui::Align::Center), add);
            });
        });
    }

    /// The buttons, from top to bottom.
    pub(super) fn actions(&mut self, add: impl FnOnce(&mut Ui)) {
        self.actions.spacing_mut().item_spacing.y = self.gaps[1];
        add(&mut self.actions);
    }
}
